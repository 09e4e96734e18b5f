/* What the rig's keys may do, and right requests for it, to be twisted. */
#include "crypto/dn.h"
#include "hostile/keeper/rig.h"

#include "base/time.h"
#include "os/clock.h"
#include "os/rng.h"

#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_HW_TYPE "1.3.6.1.4.1.99999.1"

enum { ROOMS = 8, LEAF_DAYS = 90 };

struct kw_span rig_dn(unsigned room, const char *cn, const char *serial)
{
    static uint8_t rooms[ROOMS][KW_DN_MAX];
    struct dn_part parts[3] = {
        {"O",            "Keywright Test"},
        {"CN",           cn              },
        {"serialNumber", serial          }
    };
    struct kw_out out = {.p = rooms[room % ROOMS], .cap = KW_DN_MAX};
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(dn_build(&op, parts, serial ? 3 : cn ? 2 : 1, &out));
    return kw_out_span(&out);
}

struct kw_span rig_ca_dn(enum rig_key ca)
{
    return ca == RIG_CA2 ? rig_dn(6, "Second CA", NULL) : rig_dn(7, "Device CA", NULL);
}

struct kw_span rig_empty_dn(void)
{
    static const uint8_t empty[] = {0x30, 0x00};

    return KW_SPAN_ARRAY(empty);
}

static void set_octets(uint8_t *into, uint32_t *len, struct kw_span from)
{
    if (from.len > 0) {
        memcpy(into, from.p, from.len);
    }
    *len = (uint32_t)from.len;
}

static void add_rule(struct key_policy *policy, struct policy_rule rule, struct kw_span within)
{
    set_octets(rule.subject_within, &rule.subject_within_len, within);
    policy->rules[policy->n_rules++] = rule;
}

enum {
    EXT_USUAL = CERT_EXT_KEY_USAGE | CERT_EXT_AKI | CERT_EXT_SKI,
    EXT_MAY = EXT_USUAL | CERT_EXT_BASIC_CONSTRAINTS | CERT_EXT_EKU | CERT_EXT_SAN |
              CERT_EXT_CRL_DP | CERT_EXT_AIA,
};

static void add_rules(struct key_policy *policy)
{
    struct policy_rule leaf = {.name = "leaf",
                               .max_validity_s = LEAF_DAYS * RIG_DAY_S,
                               .max_backdate_s = 3600,
                               .key_algs = KEY_ALG_BIT(KEY_ALG_EC_P256),
                               .key_usage = CERT_KU_DIGITAL_SIGNATURE,
                               .ext_required = EXT_USUAL | CERT_EXT_EKU,
                               .ext_allowed = EXT_MAY,
                               .san_kinds = POLICY_SAN_HW | POLICY_SAN_DNS,
                               .n_eku = 1,
                               .eku = {OID_CLIENT_AUTH}};
    leaf.key_birth = 1;
    struct policy_rule never = leaf;
    struct policy_rule server = leaf;
    server.key_birth = 0;
    struct policy_rule nameless = leaf;
    struct policy_rule sub = {.name = "sub",
                              .is_ca = 1,
                              .path_len = 0,
                              .max_validity_s = 365 * RIG_DAY_S,
                              .max_backdate_s = 3600,
                              .key_algs = KEY_ALG_BIT(KEY_ALG_EC_P256),
                              .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
                              .ext_required = EXT_USUAL | CERT_EXT_BASIC_CONSTRAINTS,
                              .ext_allowed = EXT_MAY | CERT_EXT_NAME_CONSTRAINTS};

    assert_true(KW_TEXT_SET(never.name, "never"));
    never.max_validity_s = 0;
    assert_true(KW_TEXT_SET(server.name, "server"));
    assert_true(KW_TEXT_SET(server.eku[0], OID_SERVER_AUTH));
    server.san_kinds = POLICY_SAN_DNS | POLICY_SAN_IP;
    server.ext_required |= CERT_EXT_SAN;
    assert_true(KW_TEXT_SET(nameless.name, "nameless"));
    add_rule(policy, leaf, rig_dn(0, NULL, NULL));
    add_rule(policy, never, rig_dn(0, NULL, NULL));
    add_rule(policy, server, rig_dn(0, NULL, NULL));
    add_rule(policy, nameless, KW_SPAN(NULL, 0));
    add_rule(policy, sub, rig_dn(0, NULL, NULL));
}

uint32_t rig_overlap_s;

void rig_policy(enum rig_key key, const struct rig *rig, struct key_policy *ret)
{
    static const struct {
        enum key_class class_;
        enum key_alg alg;
    } rows[RIG_KEYS] = {
        [RIG_CA] = {KEY_CLASS_ISSUING_CA,  KEY_ALG_EC_P256},
        [RIG_CA2] = {KEY_CLASS_ISSUING_CA,  KEY_ALG_EC_P384},
        [RIG_EARLY] = {KEY_CLASS_ISSUING_CA,  KEY_ALG_EC_P256},
        [RIG_OCSP] = {KEY_CLASS_OCSP_SIGNER, KEY_ALG_EC_P256},
        [RIG_TLS] = {KEY_CLASS_TLS_SERVER,  KEY_ALG_EC_P256},
        [RIG_LOG] = {KEY_CLASS_LOG_SIGNER,  KEY_ALG_ED25519},
    };
    int64_t now = os_clock_unix_s();

    *ret = (struct key_policy){.class_ = rows[key].class_,
                               .alg = rows[key].alg,
                               .not_before = key == RIG_EARLY ? now + 30 * RIG_DAY_S : now - 60,
                               .not_after = now + 365 * RIG_DAY_S,
                               .overlap_s = rig_overlap_s};
    assert_true(KW_TEXT_SET(ret->key_id, rig_key_ids[key]));
    set_octets(ret->issuer_dn, &ret->issuer_dn_len, rig_ca_dn(key));
    if (ret->class_ == KEY_CLASS_ISSUING_CA) {
        ret->crl_max_s = 7 * RIG_DAY_S;
        ret->n_scopes = 1;
        (void)snprintf(ret->scopes[0], sizeof(ret->scopes[0]), "http://localhost:8080/crl/%s.",
                       rig_key_ids[key]);
        add_rules(ret);
    }
    if (key == RIG_CA2) { /* a rule that the first CA does not have */
        assert_true(KW_TEXT_SET(ret->rules[0].name, "second"));
        ret->n_rules--; /* and none for a CA */
    }
    if (key == RIG_OCSP) {
        ret->ocsp_max_s = RIG_DAY_S;
        memcpy(ret->ca_key_sha1, pubkey_sha1(rig->key[RIG_CA]), sizeof(ret->ca_key_sha1));
        memcpy(ret->ca_key_sha256, pubkey_bits_sha256(rig->key[RIG_CA]),
               sizeof(ret->ca_key_sha256));
    }
    if (key == RIG_LOG) {
        assert_true(KW_TEXT_SET(ret->log_origin, RIG_ORIGIN));
    }
}

void rig_serial(struct rig *rig, enum rig_key ca, uint8_t serial[KW_SERIAL_BYTES])
{
    struct keeper_msg msg;
    struct keeper_answer answer;

    rig_msg(rig, &msg, rig_key_ids[ca]);
    msg.serials.n = 1;
    struct keeper_reply reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_SERIALS], &msg, -1);
    assert_string_equal(reply.text, ""); /* the keeper's own words, where it refused */
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(&keeper_rows[KEEPER_ROW_SERIALS], reply.result, &answer));
    assert_int_equal(answer.serials.octets.len, KW_SERIAL_BYTES);
    memcpy(serial, answer.serials.octets.p, KW_SERIAL_BYTES);
}

struct cert_spec rig_spec(struct rig *rig, enum rig_key ca, const char *rule,
                          uint8_t serial[KW_SERIAL_BYTES])
{
    int64_t now = os_clock_unix_s();
    struct cert_spec spec = {.issuer_dn = rig_ca_dn(ca),
                             .subject_dn = rig_dn(1, "device", "DEV1"),
                             .not_before = now - 60,
                             .not_after = now + 30 * RIG_DAY_S,
                             .key = privkey_public(rig->device),
                             .issuer_key = rig->key[ca],
                             .path_len = -1,
                             .key_usage = CERT_KU_DIGITAL_SIGNATURE,
                             .eku = {OID_CLIENT_AUTH},
                             .hw_type = OID_HW_TYPE,
                             .hw_serial = KW_SPAN("DEV1", 4),
                             .crl_url = "http://localhost:8080/crl/ca.crl",
                             .ocsp_url = "http://localhost:8080/ocsp/ca"};

    rig_serial(rig, ca, serial);
    spec.serial = KW_SPAN(serial, KW_SERIAL_BYTES);
    if (strcmp(rule, "never") == 0) {
        spec.not_after = KW_TIME_NEVER;
    }
    if (strcmp(rule, "server") == 0) {
        spec.eku[0] = OID_SERVER_AUTH;
        spec.hw_type = NULL;
        spec.san_dns[0] = "localhost";
        spec.san_ip[0] = "127.0.0.1";
    }
    if (strcmp(rule, "sub") == 0) {
        spec.is_ca = true;
        spec.path_len = 0;
        spec.key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN;
        spec.eku[0] = NULL;
        spec.hw_type = NULL;
    }
    return spec;
}

/* A key that signs nothing and remembers what it was asked to sign. */
static kw_status listen_only(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                             struct kw_out *sig)
{
    /* ECDSA-Sig-Value {1, 1}: well-formed, and never right. */
    static const uint8_t nonsense[] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
    struct rig *rig = ctx;

    (void)op;
    (void)pss;
    assert_true(message.len <= sizeof(rig->tbs));
    memcpy(rig->tbs, message.p, message.len);
    rig->tbs_len = message.len;
    return kw_out_set(sig, KW_SPAN_ARRAY(nonsense));
}

static struct privkey *listener(struct rig *rig, const struct pubkey *as)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    rig->tbs_len = 0;
    assert_ok(privkey_remote(&op, as, listen_only, rig, NULL, &key));
    return key;
}

/* Whether the builder liked the signature does not matter: the message came first. */
static void built(struct rig *rig, struct privkey *key, struct kw_bytes *der, kw_status status)
{
    (void)status.code; /* see above */
    kw_bytes_free(der);
    privkey_unref(key);
    assert_true(rig->tbs_len > 0);
}

void rig_capture_cert(struct rig *rig, const struct cert_spec *spec, const struct pubkey *as)
{
    struct privkey *key = listener(rig, as);
    struct kw_bytes *der = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    kw_status status = cert_build(&op, spec, key, &der);
    built(rig, key, der, status);
}

static kw_status no_entry(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    (void)op;
    (void)ctx;
    (void)ret;
    *ret_more = false;
    return KW_OK;
}

uint64_t rig_next_crl_number(void)
{
    static uint64_t number = 100;

    return ++number;
}

struct crl_spec rig_crl_spec(const struct rig *rig, uint64_t number)
{
    int64_t now = os_clock_unix_s();

    return (struct crl_spec){.issuer_dn = rig_ca_dn(RIG_CA),
                             .issuer_key = rig->key[RIG_CA],
                             .number = number,
                             .this_update = now,
                             .next_update = now + RIG_DAY_S,
                             .next = no_entry};
}

void rig_capture_crl(struct rig *rig, const struct crl_spec *spec, const struct pubkey *as)
{
    struct privkey *key = listener(rig, as);
    struct kw_bytes *der = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    kw_status status = crl_build(&op, spec, key, &der);
    built(rig, key, der, status);
}

void rig_ocsp_single(const struct rig *rig, bool sha256, struct ocsp_single *ret)
{
    int64_t now = os_clock_unix_s();

    *ret = (struct ocsp_single){
        .status = OCSP_CERT_GOOD, .this_update = now, .next_update = now + 3600};
    ocsp_certid_for(rig_ca_dn(RIG_CA), rig->key[RIG_CA], kw_span_text("SERIALSERIAL1234"), sha256,
                    &ret->id);
}

void rig_capture_ocsp(struct rig *rig, const struct ocsp_single at[], unsigned n,
                      int64_t produced_at, enum rig_key responder)
{
    AUTO(kw_bytes) *cert_der = NULL;
    AUTO(cert) *cert = NULL;
    uint8_t serial[KW_SERIAL_BYTES];
    struct kw_bytes *der = NULL;
    struct kw_op op;

    /* The answer needs a certificate of the responder: who signed it does not matter here. */
    kw_op_init(&op, "test", 0);
    struct cert_spec spec = rig_spec(rig, RIG_CA, "leaf", serial);
    spec.key = rig->key[responder];
    spec.issuer_key = privkey_public(rig->device);
    assert_ok(cert_build(&op, &spec, rig->device, &cert_der));
    assert_ok(cert_parse(&op, kw_bytes_span(cert_der), &cert));
    struct privkey *key = listener(rig, rig->key[responder]);
    kw_status status =
        ocsp_answer_build(&op, at, n, KW_SPAN(NULL, 0), produced_at, cert, key, &der);
    built(rig, key, der, status);
}

void rig_tls_content(struct rig *rig, const char *context, size_t n_hash)
{
    size_t n = strlen(context) + 1;

    memset(rig->tbs, 0x20, 64);
    memcpy(rig->tbs + 64, context, n);
    memset(rig->tbs + 64 + n, 0x5a, n_hash);
    rig->tbs_len = 64 + n + n_hash;
}
