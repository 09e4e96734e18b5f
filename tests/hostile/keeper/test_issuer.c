/* A gate that wants an OCSP signer to answer for a CA that is none of its own: OCSP_ISSUER. The CA
 * lives in another vault, here in the test. */
#include <signal.h>

#include "hostile/keeper/attack.h"
#include "os/clock.h"

static struct privkey *old, *next, *third, *thief;

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static struct privkey *make(void)
{
    struct privkey *key = NULL;

    assert_ok(privkey_generate(NULL, KEY_ALG_EC_P256, &key));
    return key;
}

/* An OCSP signer for the CA key `old`, which is in no vault of this keeper; its key as the rig's.
 */
static void make_signer(struct rig *rig)
{
    static struct key_policy policy;
    static uint8_t room[POLICY_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(room);
    struct keeper_msg msg;
    struct keeper_answer answer;

    rig_policy(RIG_OCSP, rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, "far"));
    memcpy(policy.ca_key_sha1, pubkey_sha1(privkey_public(old)), sizeof(policy.ca_key_sha1));
    memcpy(policy.ca_key_sha256, pubkey_bits_sha256(privkey_public(old)),
           sizeof(policy.ca_key_sha256));
    assert_ok(policy_encode(&policy, &encoded));
    rig_msg(rig, &msg, "");
    msg.key_create.policy = kw_out_span(&encoded);
    struct keeper_reply reply = rig_ask(rig, row(KEEPER_ROW_KEY_CREATE), &msg, -1);
    assert_string_equal(reply.text, "");
    assert_ok(keeper_answer_decode(row(KEEPER_ROW_KEY_CREATE), reply.result, &answer));
    pubkey_unref(rig->key[RIG_OCSP]);
    assert_ok(pubkey_parse(NULL, answer.octets, &rig->key[RIG_OCSP]));
}

static int setup(void **state)
{
    (void)state;
    old = make();
    next = make();
    third = make();
    thief = make();
    attack_rig = rig_new();
    rig_start(attack_rig, /* ceremony= */ true);
    make_signer(attack_rig);
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    return 0;
}

static int teardown(void **state)
{
    privkey_unref(old);
    privkey_unref(next);
    privkey_unref(third);
    privkey_unref(thief);
    return attack_teardown(state);
}

struct claim {
    const struct privkey *voucher; /* whose public key goes with it */
    const struct privkey *signer;
    struct cert_spec spec;
};

static struct claim good(const struct privkey *by, const struct privkey *of)
{
    int64_t now = os_clock_unix_s();

    return (struct claim){
        .voucher = by,
        .signer = by,
        .spec = {.issuer_dn = rig_ca_dn(RIG_CA),
                 .subject_dn = rig_ca_dn(RIG_CA),
                 .serial = kw_span_text("BSERIALSERIALSER"),
                 .not_before = now - 60,
                 .not_after = now + RIG_DAY_S,
                 .key = privkey_public(of),
                 .issuer_key = privkey_public(by),
                 .is_ca = true,
                 .path_len = 0,
                 .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN},
    };
}

static struct keeper_reply tell(const struct claim *claim, const char *key_id)
{
    AUTO(kw_bytes) *der = NULL;
    struct keeper_msg msg;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(cert_build(&op, &claim->spec, claim->signer, &der));
    rig_msg(attack_rig, &msg, key_id);
    msg.ocsp_issuer.old_key = pubkey_spki(privkey_public(claim->voucher));
    msg.ocsp_issuer.cert = kw_bytes_span(der);
    return rig_ask(attack_rig, row(KEEPER_ROW_OCSP_ISSUER), &msg, -1);
}

static struct keeper_reply answer_about(const struct privkey *ca, bool sha256)
{
    struct ocsp_single single;

    rig_ocsp_single(attack_rig, sha256, &single);
    ocsp_certid_for(rig_ca_dn(RIG_CA), privkey_public(ca), kw_span_text("SERIALSERIAL1234"), sha256,
                    &single.id);
    rig_capture_ocsp(attack_rig, &single, 1, os_clock_unix_s(), RIG_OCSP);
    return rig_sign(attack_rig, KEEPER_ROW_SIGN_OCSP, "far");
}

static void an_unknown_key_vouches(struct claim *claim)
{
    *claim = good(thief, next);
}
static void another_key_signs(struct claim *claim)
{
    claim->signer = thief;
    claim->spec.issuer_key = privkey_public(thief);
}
static void another_subject(struct claim *claim)
{
    claim->spec.subject_dn = rig_ca_dn(RIG_CA2);
}
static void another_issuer(struct claim *claim)
{
    claim->spec.issuer_dn = rig_ca_dn(RIG_CA2);
}
static void a_leaf(struct claim *claim)
{
    claim->spec.is_ca = false;
    claim->spec.path_len = -1;
    claim->spec.key_usage = CERT_KU_DIGITAL_SIGNATURE;
}
static void a_longer_path(struct claim *claim)
{
    claim->spec.path_len = 1;
}
static void another_use(struct claim *claim)
{
    claim->spec.eku[0] = "1.3.6.1.5.5.7.3.9";
}
static void of_tomorrow(struct claim *claim)
{
    claim->spec.not_before += RIG_DAY_S / 2;
}
static void of_yesterday(struct claim *claim)
{
    claim->spec.not_before -= 2 * RIG_DAY_S;
    claim->spec.not_after -= 2 * RIG_DAY_S;
}
static void skips_a_key(struct claim *claim)
{
    *claim = good(next, third);
}

static const struct lie {
    const char *name;
    void (*apply)(struct claim *claim);
    const char *reason;
} lies[] = {
    {"an unknown key vouches",        an_unknown_key_vouches, "issuer-known:"    },
    {"the next key is not known yet", skips_a_key,            "issuer-known:"    },
    {"another key signs",             another_key_signs,      "issuer-signature:"},
    {"another subject",               another_subject,        "issuer-name:"     },
    {"another issuer",                another_issuer,         "issuer-name:"     },
    {"a leaf",                        a_leaf,                 "issuer-cross:"    },
    {"a longer path",                 a_longer_path,          "issuer-cross:"    },
    {"another use",                   another_use,            "issuer-cross:"    },
    {"of tomorrow",                   of_tomorrow,            "issuer-valid:"    },
    {"of yesterday",                  of_yesterday,           "issuer-valid:"    },
};

static void no_other_key_is_learned(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(lies); i++) {
        print_message("%s\n", lies[i].name);
        struct claim claim = good(old, next);
        lies[i].apply(&claim);
        attack_begin();
        struct keeper_reply reply = tell(&claim, "far");
        attack_check(row(KEEPER_ROW_OCSP_ISSUER), &reply, KW_E_DENIED, lies[i].reason);
        attack_begin();
        reply = answer_about(next, /* sha256= */ true);
        attack_check(row(KEEPER_ROW_SIGN_OCSP), &reply, KW_E_DENIED, "ocsp-issuer-key:");
    }
}

static void only_ocsp_signers_learn(void **state)
{
    struct claim claim = good(old, next);

    (void)state;
    attack_begin();
    struct keeper_reply reply = tell(&claim, "ca");
    attack_check(row(KEEPER_ROW_OCSP_ISSUER), &reply, KW_E_DENIED, "purpose:");
}

/* How many rows of the journal say so. */
static unsigned learned(void)
{
    struct keeper_journal_row rows[KEEPER_JOURNAL_ROWS_MAX];
    unsigned n = 0, page = 0;
    uint64_t last = 0;

    for (uint64_t from = 1; (page = rig_journal(attack_rig, from, rows, &last)) > 0; from += page) {
        for (unsigned i = 0; i < page; i++) {
            n += rows[i].kind == KEEPER_JOURNAL_LEARNED && strcmp(rows[i].key_id, "far") == 0;
        }
    }
    return n;
}

/* Told by the key that it knows, once and for all; and then by that one. */
static void the_next_key_is_learned(void **state)
{
    struct claim claim = good(old, next);
    struct claim after = good(next, third);

    (void)state;
    attack_begin();
    struct keeper_reply reply = tell(&claim, "far");
    assert_string_equal(reply.text, "");
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_int_equal(kill(attack_rig->pid, SIGKILL), 0);
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    for (int sha256 = 0; sha256 < 2; sha256++) {
        reply = answer_about(next, sha256 != 0);
        rig_verify(attack_rig, &reply, attack_rig->key[RIG_OCSP]);
        reply = answer_about(old, sha256 != 0);
        rig_verify(attack_rig, &reply, attack_rig->key[RIG_OCSP]);
    }
    reply = tell(&claim, "far"); /* again: nothing new */
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_int_equal(learned(), 1);
    reply = tell(&after, "far");
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_int_equal(learned(), 2);
    reply = answer_about(third, /* sha256= */ false);
    rig_verify(attack_rig, &reply, attack_rig->key[RIG_OCSP]);
    attack_begin();
    reply = answer_about(thief, /* sha256= */ false);
    attack_check(row(KEEPER_ROW_SIGN_OCSP), &reply, KW_E_DENIED, "ocsp-issuer-key:");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_other_key_is_learned),
        cmocka_unit_test(only_ocsp_signers_learn),
        cmocka_unit_test(the_next_key_is_learned),
    };

    return cmocka_run_group_tests_name("ocsp_issuer", tests, setup, teardown);
}
