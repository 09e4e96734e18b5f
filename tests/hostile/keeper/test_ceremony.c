/* A ceremony is trusted with the rules, not with nonsense: keys that the keeper does not make. */
#include "cmd/keywright-keeper/policy_checks.h"
#include "crypto/csr.h"
#include "hostile/keeper/attack.h"
#include "os/clock.h"

struct ceremony_attack {
    const char *name;
    enum rig_key like; /* whose policy is twisted */
    void (*twist)(struct key_policy *policy);
    enum kw_code code;
    const char *reason;
};

static void same_id(struct key_policy *policy)
{
    assert_true(KW_TEXT_SET(policy->key_id, "tls"));
}
static void id_with_folder(struct key_policy *policy)
{
    assert_true(KW_TEXT_SET(policy->key_id, "../../etc/passwd"));
}
static void id_hidden(struct key_policy *policy)
{
    assert_true(KW_TEXT_SET(policy->key_id, ".hidden"));
}
static void id_with_space(struct key_policy *policy)
{
    assert_true(KW_TEXT_SET(policy->key_id, "a b"));
}
static void root_ca(struct key_policy *policy)
{
    policy->class_ = KEY_CLASS_ROOT_CA;
}
static void device_key(struct key_policy *policy)
{
    policy->class_ = KEY_CLASS_DEVICE_IDEVID;
}
static void rsa(struct key_policy *policy)
{
    policy->alg = KEY_ALG_RSA_3072;
}
static void p256(struct key_policy *policy)
{
    policy->alg = KEY_ALG_EC_P256;
}
static void over(struct key_policy *policy)
{
    policy->not_before = os_clock_unix_s() - 2 * RIG_DAY_S;
    policy->not_after = os_clock_unix_s() - RIG_DAY_S;
}
static void nameless(struct key_policy *policy)
{
    policy->issuer_dn_len = 0;
}
static void no_rules(struct key_policy *policy)
{
    policy->n_rules = 0;
}
static void no_crl_limit(struct key_policy *policy)
{
    policy->crl_max_s = 0;
}
static void no_ocsp_limit(struct key_policy *policy)
{
    policy->ocsp_max_s = 0;
}
static void no_ocsp_ca(struct key_policy *policy)
{
    memset(policy->ca_key_sha1, 0, sizeof(policy->ca_key_sha1));
}
static void no_origin(struct key_policy *policy)
{
    policy->log_origin[0] = '\0';
}
static void rules_for_tls(struct key_policy *policy)
{
    static struct key_policy ca;

    rig_policy(RIG_CA, attack_rig, &ca);
    policy->n_rules = 1;
    policy->rules[0] = ca.rules[0];
}
static void leaf_that_issues(struct key_policy *policy)
{
    policy->rules[0].key_usage |= CERT_KU_KEY_CERT_SIGN;
}
static void ca_that_does_not(struct key_policy *policy)
{
    policy->rules[4].key_usage = CERT_KU_CRL_SIGN;
}
static void no_aki(struct key_policy *policy)
{
    policy->rules[0].ext_required &= ~(uint32_t)CERT_EXT_AKI;
}
static void no_basic_constraints(struct key_policy *policy)
{
    policy->rules[4].ext_required &= ~(uint32_t)CERT_EXT_BASIC_CONSTRAINTS;
}

#define ROW(name, like, twist, code, reason) {name, like, twist, code, reason}
static const struct ceremony_attack attacks[] = {
    ROW("an id that is taken", RIG_TLS, same_id, KW_E_CONFLICT, "used before"),
    ROW("an id with a folder", RIG_TLS, id_with_folder, KW_E_DENIED, "policy-key-id:"),
    ROW("an id that hides", RIG_TLS, id_hidden, KW_E_DENIED, "policy-key-id:"),
    ROW("an id with a space", RIG_TLS, id_with_space, KW_E_DENIED, "policy-key-id:"),
    ROW("a root CA", RIG_CA, root_ca, KW_E_DENIED, "policy-class:"),
    ROW("a device's key", RIG_TLS, device_key, KW_E_DENIED, "policy-class:"),
    ROW("TLS with RSA", RIG_TLS, rsa, KW_E_DENIED, "policy-algorithm:"),
    ROW("a log with P-256", RIG_LOG, p256, KW_E_DENIED, "policy-algorithm:"),
    ROW("a period that is over", RIG_TLS, over, KW_E_DENIED, "policy-period:"),
    ROW("a CA without name", RIG_CA, nameless, KW_E_DENIED, "policy-issuer:"),
    ROW("a CA without rules", RIG_CA, no_rules, KW_E_DENIED, "policy-terms:"),
    ROW("a CA without limit for CRLs", RIG_CA, no_crl_limit, KW_E_DENIED, "policy-terms:"),
    ROW("an OCSP signer without limit", RIG_OCSP, no_ocsp_limit, KW_E_DENIED, "policy-terms:"),
    ROW("an OCSP signer of no CA", RIG_OCSP, no_ocsp_ca, KW_E_DENIED, "policy-terms:"),
    ROW("a log without origin", RIG_LOG, no_origin, KW_E_DENIED, "policy-terms:"),
    ROW("rules for a TLS key", RIG_TLS, rules_for_tls, KW_E_DENIED, "policy-rules:"),
    ROW("a leaf that issues", RIG_CA, leaf_that_issues, KW_E_DENIED, "policy-leaves:"),
    ROW("a CA that does not issue", RIG_CA, ca_that_does_not, KW_E_DENIED, "policy-leaves:"),
    ROW("a rule without AKI", RIG_CA, no_aki, KW_E_DENIED, "policy-extensions:"),
    ROW("a CA without constraints", RIG_CA, no_basic_constraints, KW_E_DENIED,
        "policy-extensions:"),
};

static struct keeper_reply create(const struct key_policy *policy)
{
    static uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;

    assert_ok(policy_encode(policy, &out));
    rig_msg(attack_rig, &msg, "");
    msg.key_create.policy = kw_out_span(&out);
    return rig_ask(attack_rig, &keeper_rows[KEEPER_ROW_KEY_CREATE], &msg, -1);
}

static void run_attack(void **state)
{
    const struct ceremony_attack *attack = *state;
    static struct key_policy policy;

    attack_begin();
    rig_policy(attack->like, attack_rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, "another"));
    attack->twist(&policy);
    struct keeper_reply reply = create(&policy);
    attack_check(&keeper_rows[KEEPER_ROW_KEY_CREATE], &reply, attack->code, attack->reason);
}

static void policy_octets_off(void **state)
{
    static struct key_policy policy;
    uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;

    (void)state;
    attack_begin();
    rig_policy(RIG_CA, attack_rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, "another"));
    assert_ok(policy_encode(&policy, &out));
    rig_msg(attack_rig, &msg, "");
    msg.key_create.policy = KW_SPAN(octets, out.len - 1);
    struct keeper_reply reply = rig_ask(attack_rig, &keeper_rows[KEEPER_ROW_KEY_CREATE], &msg, -1);
    attack_check(&keeper_rows[KEEPER_ROW_KEY_CREATE], &reply, KW_E_INPUT, "policy:");
}

/* The CA's own hashes come from the new key, whatever the gate wrote; and what is right is made. */
static void a_right_key_is_made(void **state)
{
    static struct key_policy policy;

    (void)state;
    rig_policy(RIG_CA, attack_rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, "another"));
    memset(policy.ca_key_sha1, 0x5a, sizeof(policy.ca_key_sha1));
    struct keeper_reply reply = create(&policy);
    assert_string_equal(reply.text, "");
    rig_right_request(attack_rig);
}

/* The CA's request to its root. */
static kw_status listen_only(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                             struct kw_out *sig)
{
    struct rig *rig = ctx;

    (void)pss;
    (void)sig;
    memcpy(rig->tbs, message.p, message.len);
    rig->tbs_len = message.len;
    return FAIL(op, KW_E_DENIED, "only listening");
}

static void capture_request(struct rig *rig, struct kw_span subject, const struct pubkey *key)
{
    AUTO(privkey) *listener = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    rig->tbs_len = 0;
    assert_ok(privkey_remote(&op, key, listen_only, rig, NULL, &listener));
    assert_false(kw_ok(csr_build(&op, subject, listener, &der)));
    assert_true(rig->tbs_len > 0);
}

static void refuse_request(const char *key_id, enum kw_code code, const char *reason)
{
    struct keeper_reply reply = rig_sign(attack_rig, KEEPER_ROW_SIGN_CERT_REQUEST, key_id);

    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CERT_REQUEST], &reply, code, reason);
}

static void requests_of_the_ca(void **state)
{
    struct rig *rig = attack_rig;

    (void)state;
    capture_request(rig, rig_ca_dn(RIG_CA), rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign(rig, KEEPER_ROW_SIGN_CERT_REQUEST, "ca");
    rig_verify(rig, &reply, rig->key[RIG_CA]);

    attack_begin(); /* the key of another */
    capture_request(rig, rig_ca_dn(RIG_CA), rig->key[RIG_CA2]);
    refuse_request("ca", KW_E_DENIED, "cert-request:");
    attack_begin(); /* another name */
    capture_request(rig, rig_dn(3, "Root CA", NULL), rig->key[RIG_CA]);
    refuse_request("ca", KW_E_DENIED, "cert-request:");
    attack_begin(); /* an octet behind */
    capture_request(rig, rig_ca_dn(RIG_CA), rig->key[RIG_CA]);
    rig->tbs[rig->tbs_len++] = 0;
    refuse_request("ca", KW_E_DENIED, "cert-request:");
    attack_begin(); /* a key that is no CA's */
    capture_request(rig, rig_ca_dn(RIG_CA), rig->key[RIG_TLS]);
    refuse_request("tls", KW_E_DENIED, "purpose:");
}

static int setup(void **state)
{
    (void)state;
    attack_rig = rig_new();
    rig_start(attack_rig, /* ceremony= */ true);
    return 0;
}

int main(void)
{
    static struct attack_suite suite;

    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    attack_add(&suite, "policy_octets_off", policy_octets_off, NULL);
    attack_add(&suite, "a_right_key_is_made", a_right_key_is_made, NULL);
    attack_add(&suite, "requests_of_the_ca", requests_of_the_ca, NULL);
    return _cmocka_run_group_tests("hostile_keeper_ceremony", suite.tests, suite.n, setup,
                                   attack_teardown);
}
