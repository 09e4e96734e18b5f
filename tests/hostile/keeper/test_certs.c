/* A gate that wants certificates which the CA's sealed policy does not allow. */
#include "crypto/openssl.h"

#include "base/time.h"
#include "cmd/keywright-keeper/cert_checks.h"
#include "crypto/dn.h"
#include "hostile/keeper/attack.h"
#include "hostile/keeper/rig_people.h"
#include "keeper/subjects.h"
#include "os/clock.h"

/* What a twist may hold on to while its certificate is built. */
struct room {
    uint8_t serial[KW_SERIAL_BYTES + 8];
    struct rig *rig;
};

struct cert_attack {
    const char *name;
    const char *rule; /* whose right certificate is twisted, and under which it is sent */
    void (*describe)(struct cert_spec *spec, struct room *room); /* twist the description */
    void (*rewrite)(X509 *x509, struct room *room);              /* twist the octets */
    enum kw_code code;
    const char *reason;  /* begins with the check's name */
    const char *send_as; /* another rule than it was made for; NULL: the same */
};

/* Descriptions. */
static void other_issuer(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->issuer_dn = rig_dn(2, "Another CA", NULL);
}
static void shorter_issuer(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->issuer_dn = rig_dn(2, "Device CA", "1");
}
static void own_serial(struct cert_spec *spec, struct room *room)
{
    memset(room->serial, 0x42, sizeof(room->serial));
    spec->serial = KW_SPAN(room->serial, KW_SERIAL_BYTES);
}
static void short_serial(struct cert_spec *spec, struct room *room)
{
    memset(room->serial, 0x42, sizeof(room->serial));
    spec->serial = KW_SPAN(room->serial, 8);
}
static void serial_prefix(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->serial.len = KW_SERIAL_BYTES - 1;
}
static void serial_extended(struct cert_spec *spec, struct room *room)
{
    memcpy(room->serial, spec->serial.p, KW_SERIAL_BYTES);
    room->serial[KW_SERIAL_BYTES] = 0x01;
    spec->serial = KW_SPAN(room->serial, KW_SERIAL_BYTES + 1);
}
static void serial_of_other_ca(struct cert_spec *spec, struct room *room)
{
    rig_serial(room->rig, RIG_CA2, room->serial);
    spec->serial = KW_SPAN(room->serial, KW_SERIAL_BYTES);
}
static void used_serial(struct cert_spec *spec, struct room *room)
{
    memcpy(room->serial, spec->serial.p, KW_SERIAL_BYTES);
    rig_capture_cert(room->rig, spec, room->rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_cert(room->rig, "ca", "leaf");
    assert_int_equal(reply.code, KW_CODE_OK);
}
static void forgotten_serial(struct cert_spec *spec, struct room *room)
{
    struct keeper_msg msg;

    (void)spec;
    rig_msg(room->rig, &msg, "ca");
    msg.serials.n = KEEPER_SERIALS_MAX;
    for (unsigned i = 0; i < 4096 / KEEPER_SERIALS_MAX; i++) {
        struct keeper_reply reply = rig_ask(room->rig, &keeper_rows[KEEPER_ROW_SERIALS], &msg, -1);
        assert_int_equal(reply.code, KW_CODE_OK);
    }
}
static void shorter_path(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->path_len = 1;
}
static void no_path_limit(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->path_len = -1;
}
static void shorter_validity(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->not_after = spec->not_before + 90 * RIG_DAY_S + 1;
}
static void for_ever(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->not_after = KW_TIME_NEVER;
}
static void nearly_for_ever(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->not_after = KW_TIME_NEVER - 1;
}
static void no_time(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->not_after = spec->not_before;
}
static void backdate(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->not_before = os_clock_unix_s() - 3700;
}
static void postdate(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->not_before = os_clock_unix_s() + 400;
}
static void more_eku(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->eku[1] = "1.3.6.1.5.5.7.3.1";
}
static void other_eku(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->eku[0] = "1.3.6.1.5.5.7.3.9"; /* OCSP signing */
}
static void any_eku(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->eku[0] = "2.5.29.37.0";
}
static void no_eku(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->eku[0] = NULL;
}
static void more_usage(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->key_usage |= CERT_KU_CRL_SIGN;
}
static void less_usage(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->key_usage = CERT_KU_KEY_AGREEMENT;
}
static void no_usage(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->key_usage = 0;
}
static void san_uri(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->san_uri[0] = "urn:uuid:1";
}
static void san_ip(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->san_ip[0] = "10.0.0.1";
}
static void san_hw(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->hw_type = "1.3.6.1.4.1.99999.1";
    spec->hw_serial = KW_SPAN("X", 1);
}
static void no_san(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->san_dns[0] = NULL;
    spec->san_ip[0] = NULL;
}
static void foreign_subject(struct cert_spec *spec, struct room *room)
{
    static uint8_t octets[KW_DN_MAX];
    struct dn_part parts[] = {
        {"O",  "Somebody Else"},
        {"CN", "device"       }
    };
    struct kw_out out = KW_OUT_ARRAY(octets);

    (void)room;
    assert_ok(dn_build(NULL, parts, 2, &out));
    spec->subject_dn = kw_out_span(&out);
}
static void ca_subject(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->subject_dn = rig_ca_dn(RIG_CA);
}
static void p384_key(struct cert_spec *spec, struct room *room)
{
    spec->key = privkey_public(room->rig->device_p384);
}
static void ca_key(struct cert_spec *spec, struct room *room)
{
    spec->key = room->rig->key[RIG_CA];
}
static void policy_ext(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->policy_oid[0] = "2.5.29.32.0";
}
static void nocheck_ext(struct cert_spec *spec, struct room *room)
{
    (void)room;
    spec->ocsp_nocheck = true;
}

/* Octets, by OpenSSL's hands. */
static void put_ext(X509 *x509, const char *oid, bool critical, struct kw_span value)
{
    AUTO(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *object = OBJ_txt2obj(oid, /* no_name= */ 1);
    X509_EXTENSION *ext = NULL;

    assert_true(ASN1_OCTET_STRING_set(octets, value.p, (int)value.len));
    ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    int at = X509_get_ext_by_OBJ(x509, object, -1);
    if (at >= 0) {
        X509_EXTENSION_free(X509_delete_ext(x509, at));
    }
    assert_true(X509_add_ext(x509, ext, -1));
    X509_EXTENSION_free(ext);
    ASN1_OBJECT_free(object);
}
static X509_EXTENSION *ext_of(X509 *x509, int nid)
{
    int at = X509_get_ext_by_NID(x509, nid, -1);

    assert_true(at >= 0);
    return X509_get_ext(x509, at);
}
static void make_ca(X509 *x509, struct room *room)
{
    static const uint8_t ca_true[] = {0x30, 0x03, 0x01, 0x01, 0xff};

    (void)room;
    put_ext(x509, "2.5.29.19", true, KW_SPAN_ARRAY(ca_true));
}
static void make_leaf(X509 *x509, struct room *room)
{
    static const uint8_t ca_false[] = {0x30, 0x00};

    (void)room;
    put_ext(x509, "2.5.29.19", true, KW_SPAN_ARRAY(ca_false));
}
static void all_usages(X509 *x509, struct room *room)
{
    /* digitalSignature … cRLSign, encipherOnly, and decipherOnly in the second octet */
    static const uint8_t all[] = {0x03, 0x03, 0x07, 0xff, 0x80};

    (void)room;
    put_ext(x509, "2.5.29.15", true, KW_SPAN_ARRAY(all));
}
static void cert_sign_usage(X509 *x509, struct room *room)
{
    static const uint8_t usage[] = {0x03, 0x02, 0x02, 0x84};

    (void)room;
    put_ext(x509, "2.5.29.15", true, KW_SPAN_ARRAY(usage));
}
static void unknown_ext(X509 *x509, struct room *room)
{
    (void)room;
    put_ext(x509, "1.3.6.1.4.1.99999.77", false, KW_SPAN("\x05\x00", 2));
}
static void unknown_critical_ext(X509 *x509, struct room *room)
{
    (void)room;
    put_ext(x509, "1.3.6.1.4.1.99999.77", true, KW_SPAN("\x05\x00", 2));
}
static void critical_eku(X509 *x509, struct room *room)
{
    (void)room;
    X509_EXTENSION_set_critical(ext_of(x509, NID_ext_key_usage), 1);
}
static void uncritical_usage(X509 *x509, struct room *room)
{
    (void)room;
    X509_EXTENSION_set_critical(ext_of(x509, NID_key_usage), 0);
}
static void uncritical_ca(X509 *x509, struct room *room)
{
    (void)room;
    X509_EXTENSION_set_critical(ext_of(x509, NID_basic_constraints), 0);
}
static void other_ski(X509 *x509, struct room *room)
{
    static const uint8_t ski[22] = {0x04, 0x14, 0x01};

    (void)room;
    put_ext(x509, "2.5.29.14", false, KW_SPAN_ARRAY(ski));
}
static void other_aki(X509 *x509, struct room *room)
{
    uint8_t aki[24] = {0x30, 0x16, 0x80, 0x14};

    memcpy(aki + 4, pubkey_sha1(room->rig->key[RIG_CA2]), 20);
    put_ext(x509, "2.5.29.35", false, KW_SPAN_ARRAY(aki));
}
static void no_aki(X509 *x509, struct room *room)
{
    (void)room;
    int at = X509_get_ext_by_NID(x509, NID_authority_key_identifier, -1);
    X509_EXTENSION_free(X509_delete_ext(x509, at));
}
static void mail_san(X509 *x509, struct room *room)
{
    static const uint8_t san[] = {0x30, 0x07, 0x81, 0x05, 'a', '@', 'b', '.', 'c'};

    (void)room;
    put_ext(x509, "2.5.29.17", false, KW_SPAN_ARRAY(san));
}
static void no_name_at_all(X509 *x509, struct room *room)
{
    X509_NAME *empty = X509_NAME_new();

    (void)room;
    assert_true(X509_set_subject_name(x509, empty));
    X509_NAME_free(empty);
    int at = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
    X509_EXTENSION_free(X509_delete_ext(x509, at));
}
static void version_1(X509 *x509, struct room *room)
{
    (void)room;
    assert_true(X509_set_version(x509, X509_VERSION_1));
    while (X509_get_ext_count(x509) > 0) {
        X509_EXTENSION_free(X509_delete_ext(x509, 0));
    }
}
static void version_1_with_exts(X509 *x509, struct room *room)
{
    (void)room;
    assert_true(X509_set_version(x509, X509_VERSION_1));
}
static void rsa_key(X509 *x509, unsigned bits)
{
    AUTO(EVP_PKEY) *key = EVP_RSA_gen(bits);

    assert_non_null(key);
    assert_true(X509_set_pubkey(x509, key));
}
static void rsa_1024(X509 *x509, struct room *room)
{
    (void)room;
    rsa_key(x509, 1024);
}
static void rsa_3072(X509 *x509, struct room *room)
{
    (void)room;
    rsa_key(x509, 3072);
}
static void signature_alg(X509 *x509, int nid)
{
    X509_ALGOR *alg = (X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(x509);

    assert_true(X509_ALGOR_set0(alg, OBJ_nid2obj(nid), V_ASN1_UNDEF, NULL));
}
static void p384_signature(X509 *x509, struct room *room)
{
    (void)room;
    signature_alg(x509, NID_ecdsa_with_SHA384);
}
static void sha1_signature(X509 *x509, struct room *room)
{
    (void)room;
    signature_alg(x509, NID_ecdsa_with_SHA1);
}
static void negative_serial(X509 *x509, struct room *room)
{
    (void)room;
    ASN1_INTEGER *serial = X509_get_serialNumber(x509);
    serial->type = V_ASN1_NEG_INTEGER;
}
static void append_octet(X509 *x509, struct room *room)
{
    /* Not in the certificate's own fields: rewrite_tbs() does it. */
    (void)x509;
    (void)room;
}

/* A right certificate but for its description, for its octets, or for the rule that it is sent as.
 */
#define DESCRIBED(name_, rule_, twist_, reason_)                                                   \
    {.name = (name_),                                                                              \
     .rule = (rule_),                                                                              \
     .describe = (twist_),                                                                         \
     .code = KW_E_DENIED,                                                                          \
     .reason = (reason_)}
#define REWRITTEN(name_, rule_, twist_, code_, reason_)                                            \
    {.name = (name_), .rule = (rule_), .rewrite = (twist_), .code = (code_), .reason = (reason_)}
#define SENT_AS(name_, rule_, other_, reason_)                                                     \
    {.name = (name_),                                                                              \
     .rule = (rule_),                                                                              \
     .send_as = (other_),                                                                          \
     .code = KW_E_DENIED,                                                                          \
     .reason = (reason_)}

static const struct cert_attack attacks[] = {
    DESCRIBED("issuer of another CA", "leaf", other_issuer, "issuer:"),
    DESCRIBED("issuer with one RDN more", "leaf", shorter_issuer, "issuer:"),
    DESCRIBED("serial chosen by the gate", "leaf", own_serial, "serial:"),
    DESCRIBED("serial of 8 octets", "leaf", short_serial, "serial:"),
    DESCRIBED("serial cut short", "leaf", serial_prefix, "serial:"),
    DESCRIBED("serial with an octet more", "leaf", serial_extended, "serial:"),
    DESCRIBED("serial of another CA", "leaf", serial_of_other_ca, "serial:"),
    DESCRIBED("serial used before", "leaf", used_serial, "serial:"),
    DESCRIBED("serial forgotten after 4096 others", "leaf", forgotten_serial, "serial:"),
    REWRITTEN("serial negative", "leaf", negative_serial, KW_E_INPUT, ""),
    REWRITTEN("CA flag on a leaf", "leaf", make_ca, KW_E_DENIED, "ca:"),
    REWRITTEN("leaf under the rule of a CA", "sub", make_leaf, KW_E_DENIED, "ca:"),
    SENT_AS("CA under the rule of a leaf", "sub", "leaf", "ca:"),
    DESCRIBED("path length 1 where 0 is the most", "sub", shorter_path, "path-length:"),
    DESCRIBED("path length without limit", "sub", no_path_limit, "path-length:"),
    DESCRIBED("validity a second too long", "leaf", shorter_validity, "validity:"),
    DESCRIBED("validity without end", "leaf", for_ever, "validity:"),
    DESCRIBED("validity of no time", "leaf", no_time, "validity:"),
    DESCRIBED("IDevID with an end", "never", nearly_for_ever, "validity:"),
    DESCRIBED("backdated", "leaf", backdate, "backdated:"),
    DESCRIBED("postdated", "leaf", postdate, "postdated:"),
    REWRITTEN("AKI of another key", "leaf", other_aki, KW_E_DENIED, "aki:"),
    REWRITTEN("AKI missing", "leaf", no_aki, KW_E_DENIED, "ext-required:"),
    REWRITTEN("SKI of another key", "leaf", other_ski, KW_E_DENIED, "ski:"),
    DESCRIBED("EKU one more", "leaf", more_eku, "eku:"),
    DESCRIBED("EKU OCSP signing", "leaf", other_eku, "eku:"),
    DESCRIBED("EKU any", "leaf", any_eku, "eku:"),
    DESCRIBED("EKU missing", "leaf", no_eku, "eku:"),
    DESCRIBED("key usage with cRLSign", "leaf", more_usage, "key-usage:"),
    REWRITTEN("key usage with keyCertSign", "leaf", cert_sign_usage, KW_E_DENIED, "key-usage:"),
    DESCRIBED("key usage of another kind", "leaf", less_usage, "key-usage:"),
    REWRITTEN("key usage with every bit", "leaf", all_usages, KW_E_DENIED, "key-usage:"),
    DESCRIBED("key usage missing", "leaf", no_usage, "key-usage:"),
    DESCRIBED("SAN with a URI", "leaf", san_uri, "san:"),
    DESCRIBED("SAN with an IP address", "leaf", san_ip, "san:"),
    REWRITTEN("SAN with a mail address", "leaf", mail_san, KW_E_DENIED, "san:"),
    DESCRIBED("SAN of a device for a server", "server", san_hw, "san:"),
    DESCRIBED("SAN missing for a server", "server", no_san, "ext-required:"),
    DESCRIBED("subject of somebody else", "leaf", foreign_subject, "subject:"),
    DESCRIBED("subject of the CA itself", "leaf", ca_subject, "subject-own:"),
    REWRITTEN("no subject and no SAN", "nameless", no_name_at_all, KW_E_DENIED, "subject-empty:"),
    DESCRIBED("key P-384 where P-256 is ruled", "leaf", p384_key, "key-algorithm:"),
    REWRITTEN("key RSA-1024", "leaf", rsa_1024, KW_E_UNSUPPORTED, ""),
    REWRITTEN("key RSA-3072 where P-256 is ruled", "leaf", rsa_3072, KW_E_DENIED, "key-algorithm:"),
    DESCRIBED("key of the CA itself", "leaf", ca_key, "own-key:"),
    REWRITTEN("signature algorithm of another curve", "leaf", p384_signature, KW_E_DENIED,
              "signature-algorithm:"),
    REWRITTEN("signature algorithm with SHA-1", "leaf", sha1_signature, KW_E_DENIED,
              "signature-algorithm:"),
    DESCRIBED("extension policies not allowed", "leaf", policy_ext, "ext-allowed:"),
    DESCRIBED("extension ocsp-nocheck not allowed", "leaf", nocheck_ext, "ext-allowed:"),
    REWRITTEN("extension unknown", "leaf", unknown_ext, KW_E_DENIED, "ext-unknown:"),
    REWRITTEN("extension unknown and critical", "leaf", unknown_critical_ext, KW_E_DENIED,
              "ext-unknown:"),
    REWRITTEN("EKU critical", "leaf", critical_eku, KW_E_DENIED, "critical:"),
    REWRITTEN("key usage not critical", "leaf", uncritical_usage, KW_E_DENIED, "critical:"),
    REWRITTEN("basic constraints of a CA not critical", "sub", uncritical_ca, KW_E_DENIED,
              "critical:"),
    REWRITTEN("version 1", "leaf", version_1, KW_E_DENIED, "version:"),
    REWRITTEN("version 1 with extensions", "leaf", version_1_with_exts, KW_E_INPUT, ""),
    SENT_AS("rule of another profile", "server", "leaf", ""),
    SENT_AS("rule of another CA", "leaf", "second", "rule:"),
    SENT_AS("rule without name", "leaf", "nothing", "rule:"),
    REWRITTEN("an octet behind the TBS", "leaf", append_octet, KW_E_INPUT, ""),
};

/* The captured TBSCertificate as an X509 with a signature that does not matter. */
static void rewrite_tbs(struct rig *rig, const struct cert_attack *attack, struct room *room)
{
    static const uint8_t alg[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                  0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const uint8_t sig[] = {0x03, 0x01, 0x00};
    uint8_t der[RIG_TBS_MAX + 64];
    size_t n = rig->tbs_len + sizeof(alg) + sizeof(sig);
    unsigned char *octets = NULL;
    const unsigned char *p = der;

    memcpy(der, (uint8_t[]){0x30, 0x82, (uint8_t)(n >> 8), (uint8_t)n}, 4);
    memcpy(der + 4, rig->tbs, rig->tbs_len);
    memcpy(der + 4 + rig->tbs_len, alg, sizeof(alg));
    memcpy(der + 4 + rig->tbs_len + sizeof(alg), sig, sizeof(sig));
    AUTO(X509) *x509 = d2i_X509(NULL, &p, (long)(n + 4));
    assert_non_null(x509);
    attack->rewrite(x509, room);
    int len = i2d_re_X509_tbs(x509, &octets);
    assert_true(len > 0 && (size_t)len < sizeof(rig->tbs));
    memcpy(rig->tbs, octets, (size_t)len);
    rig->tbs_len = (size_t)len;
    OPENSSL_free(octets);
    if (attack->rewrite == append_octet) {
        rig->tbs[rig->tbs_len++] = 0x00;
    }
}

static void run_attack(void **state)
{
    const struct cert_attack *attack = *state;
    struct rig *rig = attack_rig;
    struct room room = {.rig = rig};
    uint8_t serial[KW_SERIAL_BYTES];

    attack_begin();
    struct cert_spec spec = rig_spec(rig, RIG_CA, attack->rule, serial);
    if (attack->describe) {
        attack->describe(&spec, &room);
    }
    rig_capture_cert(rig, &spec, rig->key[RIG_CA]);
    if (attack->rewrite) {
        rewrite_tbs(rig, attack, &room);
    }
    struct keeper_reply reply =
        rig_sign_cert(rig, "ca", attack->send_as ? attack->send_as : attack->rule);
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CERT], &reply, attack->code, attack->reason);
}

/* The rules as they are meant: otherwise a refusal would prove nothing. */
/* An authority more is approved by two. */
static uint64_t approve_sub(struct rig *rig)
{
    struct kw_op op;
    AUTO(cert) *cert = NULL;

    kw_op_init(&op, "test", 0);
    assert_ok(cert_parse_tbs(&op, KW_SPAN(rig->tbs, rig->tbs_len), &cert));
    struct approval_subject subject = subject_ca_cert(KEY_CLASS_ISSUING_CA, "ca", "sub", cert);
    return rig_approved(rig, &subject);
}

/* Nobody approved it, or it was approved for another authority's key, or was used. */
static void no_authority_without_approval(void **state)
{
    uint8_t serial[KW_SERIAL_BYTES], other[KW_SERIAL_BYTES];
    struct cert_spec spec = rig_spec(attack_rig, RIG_CA, "sub", serial);
    const struct keeper_row *row = &keeper_rows[KEEPER_ROW_SIGN_CERT];

    (void)state;
    attack_begin();
    rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_cert(attack_rig, "ca", "sub");
    attack_check(row, &reply, KW_E_APPROVAL, "approval:");
    attack_begin();
    rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
    uint64_t id = approve_sub(attack_rig);
    struct cert_spec shorter = rig_spec(attack_rig, RIG_CA, "sub", other);
    shorter.not_after -= 2 * RIG_DAY_S;
    rig_capture_cert(attack_rig, &shorter, attack_rig->key[RIG_CA]);
    attack_rig->approval_id = id;
    reply = rig_sign_cert(attack_rig, "ca", "sub");
    attack_check(row, &reply, KW_E_DENIED, "is for something else");
    attack_begin();
    rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
    attack_rig->approval_id = id;
    reply = rig_sign_cert(attack_rig, "ca", "sub");
    rig_verify(attack_rig, &reply, attack_rig->key[RIG_CA]);
    struct cert_spec again = rig_spec(attack_rig, RIG_CA, "sub", other);
    rig_capture_cert(attack_rig, &again, attack_rig->key[RIG_CA]);
    reply = rig_sign_cert(attack_rig, "ca", "sub");
    attack_check(row, &reply, KW_E_DENIED, "consumed already");
    attack_rig->approval_id = 0;
}

static void right_certificates_are_signed(void **state)
{
    enum { SUB_CA = 4 };
    static const char *const rules[] = {"leaf", "never", "server", "nameless", "sub"};
    uint8_t serial[KW_SERIAL_BYTES];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rules); i++) {
        struct cert_spec spec = rig_spec(attack_rig, RIG_CA, rules[i], serial);
        rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
        attack_rig->approval_id = i == SUB_CA ? approve_sub(attack_rig) : 0;
        struct keeper_reply reply = rig_sign_cert(attack_rig, "ca", rules[i]);
        rig_verify(attack_rig, &reply, attack_rig->key[RIG_CA]);
    }
    attack_rig->approval_id = 0;
    struct cert_spec spec = rig_spec(attack_rig, RIG_CA, "nameless", serial);
    spec.subject_dn = rig_empty_dn();
    rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_cert(attack_rig, "ca", "nameless");
    rig_verify(attack_rig, &reply, attack_rig->key[RIG_CA]);
}

/* Random damage to a right TBSCertificate never gets a signature. */
static void damaged_octets_are_refused(void **state)
{
    uint64_t seed = 20261121;
    uint8_t serial[KW_SERIAL_BYTES];
    uint8_t whole[RIG_TBS_MAX];
    unsigned n_signed = 0;
    size_t in_key = 0;

    (void)state;
    struct cert_spec spec = rig_spec(attack_rig, RIG_CA, "leaf", serial);
    rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
    size_t n = attack_rig->tbs_len;
    memcpy(whole, attack_rig->tbs, n);
    for (unsigned i = 0; i < 2000; i++) {
        memcpy(attack_rig->tbs, whole, n);
        attack_rig->tbs_len = i % 4 == 0 ? check_random(&seed) % n : n;
        size_t at = check_random(&seed) % n;
        attack_rig->tbs[at] ^= (uint8_t)(1u << check_random(&seed) % 8);
        struct keeper_reply reply = rig_sign_cert(attack_rig, "ca", "leaf");
        if (reply.code == KW_CODE_OK) {
            n_signed++;
            in_key = at;
            /* Only what the rule leaves free may differ: names, times within limits, URLs. */
            rig_verify(attack_rig, &reply, attack_rig->key[RIG_CA]);
            spec = rig_spec(attack_rig, RIG_CA, "leaf", serial);
            rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
            memcpy(whole, attack_rig->tbs, n = attack_rig->tbs_len);
        }
    }
    print_message("# %u of 2000 damaged requests still kept every rule (last at octet %zu)\n",
                  n_signed, in_key);
    rig_right_request(attack_rig);
}

/* A check that no attack reaches is not tested. */
static void every_check_has_an_attack(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_checks_count; i++) {
        bool found = false;
        for (size_t j = 0; j < KW_COUNT(attacks); j++) {
            size_t n = strlen(cert_checks[i].name);
            found |= strncmp(attacks[j].reason, cert_checks[i].name, n) == 0 &&
                     attacks[j].reason[n] == ':';
        }
        if (!found) {
            print_error("no attack on check '%s'\n", cert_checks[i].name);
            fail();
        }
    }
}

int main(void)
{
    static struct attack_suite suite;

    attack_add(&suite, "right_certificates_are_signed", right_certificates_are_signed, NULL);
    attack_add(&suite, "no_authority_without_approval", no_authority_without_approval, NULL);
    attack_add(&suite, "every_check_has_an_attack", every_check_has_an_attack, NULL);
    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    attack_add(&suite, "damaged_octets_are_refused", damaged_octets_are_refused, NULL);
    return attack_run_people("hostile_keeper_certs", &suite);
}
