/* A gate that wants CRLs, OCSP answers, handshakes and log heads that the keeper must not sign. */
#include "crypto/openssl.h"

#include <assert.h>
#include <signal.h>

#include "audit/checkpoint.h"
#include "cmd/keywright-keeper/crl_checks.h"
#include "cmd/keywright-keeper/ocsp_checks.h"
#include "hostile/keeper/attack.h"
#include "os/clock.h"
#include "os/spawn.h"

enum what { CRL, OCSP, TLS };

/* Fills rig->tbs with something to be refused. */
struct answer_attack {
    const char *name;
    enum what what;
    void (*make)(struct rig *rig);
    enum kw_code code;
    const char *reason;
};

/* Revocation lists. */
static void crl_with(struct rig *rig, void (*twist)(struct crl_spec *spec, struct rig *rig))
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    twist(&spec, rig);
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
}
static void set_issuer(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->issuer_dn = rig_ca_dn(RIG_CA2);
}
static void crl_issuer_other(struct rig *rig)
{
    crl_with(rig, set_issuer);
}
static void set_far(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->next_update = spec->this_update + 7 * RIG_DAY_S + 1;
}
static void crl_far(struct rig *rig)
{
    crl_with(rig, set_far);
}
static void set_past(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->this_update -= 400;
}
static void crl_past(struct rig *rig)
{
    crl_with(rig, set_past);
}
static void set_future(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->this_update += 400;
}
static void crl_future(struct rig *rig)
{
    crl_with(rig, set_future);
}
static void set_number_1(struct crl_spec *spec, struct rig *rig)
{
    (void)rig;
    spec->number = 1;
}
static void sign_right_crl(struct rig *rig)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_crl(rig, "ca");
    rig_verify(rig, &reply, rig->key[RIG_CA]);
}
static void crl_number_lower(struct rig *rig)
{
    sign_right_crl(rig);
    crl_with(rig, set_number_1);
}
static void crl_number_again(struct rig *rig)
{
    sign_right_crl(rig); /* and the same once more */
}

/* The captured list as an X509_CRL, twisted by OpenSSL's hands. */
static void crl_rewritten(struct rig *rig, void (*twist)(X509_CRL *crl, struct rig *rig))
{
    static const uint8_t tail[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                                   0x3d, 0x04, 0x03, 0x02, 0x03, 0x01, 0x00};
    uint8_t der[4096];
    unsigned char *octets = NULL;
    const unsigned char *p = der;

    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());
    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    size_t n = rig->tbs_len + sizeof(tail);
    memcpy(der, (uint8_t[]){0x30, 0x82, (uint8_t)(n >> 8), (uint8_t)n}, 4);
    memcpy(der + 4, rig->tbs, rig->tbs_len);
    memcpy(der + 4 + rig->tbs_len, tail, sizeof(tail));
    AUTO(X509_CRL) *crl = d2i_X509_CRL(NULL, &p, (long)(n + 4));
    assert_non_null(crl);
    twist(crl, rig);
    int len = i2d_re_X509_CRL_tbs(crl, &octets);
    assert_true(len > 0);
    memcpy(rig->tbs, octets, (size_t)len);
    rig->tbs_len = (size_t)len;
    OPENSSL_free(octets);
}
static void put_ext(X509_CRL *crl, const char *oid, bool critical, struct kw_span value)
{
    AUTO(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *object = OBJ_txt2obj(oid, /* no_name= */ 1);

    assert_true(ASN1_OCTET_STRING_set(octets, value.p, (int)value.len));
    X509_EXTENSION *ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    int at = X509_CRL_get_ext_by_OBJ(crl, object, -1);
    if (at >= 0) {
        X509_EXTENSION_free(X509_CRL_delete_ext(crl, at));
    }
    assert_true(X509_CRL_add_ext(crl, ext, -1));
    X509_EXTENSION_free(ext);
    ASN1_OBJECT_free(object);
}
static void twist_aki(X509_CRL *crl, struct rig *rig)
{
    uint8_t aki[24] = {0x30, 0x16, 0x80, 0x14};

    memcpy(aki + 4, pubkey_sha1(rig->key[RIG_CA2]), 20);
    put_ext(crl, "2.5.29.35", false, KW_SPAN_ARRAY(aki));
}
static void crl_aki_other(struct rig *rig)
{
    crl_rewritten(rig, twist_aki);
}
static void twist_no_number(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    X509_EXTENSION_free(X509_CRL_delete_ext(crl, X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1)));
}
static void crl_no_number(struct rig *rig)
{
    crl_rewritten(rig, twist_no_number);
}
static void twist_idp(X509_CRL *crl, struct rig *rig)
{
    static const uint8_t only_user[] = {0x30, 0x03, 0x81, 0x01, 0xff};

    (void)rig;
    put_ext(crl, "2.5.29.28", true, KW_SPAN_ARRAY(only_user));
}
static void crl_idp(struct rig *rig)
{
    crl_rewritten(rig, twist_idp);
}
static void twist_unknown(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    put_ext(crl, "1.3.6.1.4.1.99999.77", false, KW_SPAN("\x05\x00", 2));
}
static void crl_unknown_ext(struct rig *rig)
{
    crl_rewritten(rig, twist_unknown);
}
static void twist_sig_alg(X509_CRL *crl, struct rig *rig)
{
    /* OpenSSL has no getter for the inner field: a throw-away signature sets it. */
    AUTO(EVP_PKEY) *key = EVP_EC_gen("P-384");

    (void)rig;
    assert_true(X509_CRL_sign(crl, key, EVP_sha384()) > 0);
}
static void crl_sig_alg_other(struct rig *rig)
{
    crl_rewritten(rig, twist_sig_alg);
}
static void twist_v1(X509_CRL *crl, struct rig *rig)
{
    (void)rig;
    while (X509_CRL_get_ext_count(crl) > 0) {
        X509_EXTENSION_free(X509_CRL_delete_ext(crl, 0));
    }
    assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_1));
}
static void crl_v1(struct rig *rig)
{
    crl_rewritten(rig, twist_v1);
    /* OpenSSL writes the version 0 out, which DER leaves out: take it away. */
    static const uint8_t zero[] = {0x02, 0x01, 0x00};
    size_t at = rig->tbs[1] < 0x80 ? 2 : rig->tbs[1] == 0x81 ? 3 : 4;
    if (memcmp(rig->tbs + at, zero, sizeof(zero)) == 0) {
        memmove(rig->tbs + at, rig->tbs + at + 3, rig->tbs_len - at - 3);
        rig->tbs_len -= 3;
        rig->tbs[at - 1] -= 3;
    }
}
static void crl_tail(struct rig *rig)
{
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());

    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    rig->tbs[rig->tbs_len++] = 0;
}
static void cert_as_crl(struct rig *rig)
{
    uint8_t serial[KW_SERIAL_BYTES];
    struct cert_spec spec = rig_spec(rig, RIG_CA, "leaf", serial);

    rig_capture_cert(rig, &spec, rig->key[RIG_CA]);
}

/* OCSP. */
static void ocsp_with(struct rig *rig, bool sha256,
                      void (*twist)(struct ocsp_single *single, struct rig *rig))
{
    struct ocsp_single single;

    rig_ocsp_single(rig, sha256, &single);
    twist(&single, rig);
    rig_capture_ocsp(rig, &single, 1, os_clock_unix_s(), RIG_OCSP);
}
static void nothing(struct ocsp_single *single, struct rig *rig)
{
    (void)single;
    (void)rig;
}
static void set_ca2(struct ocsp_single *single, struct rig *rig)
{
    ocsp_certid_for(rig_ca_dn(RIG_CA), rig->key[RIG_CA2], kw_span_text("SERIALSERIAL1234"),
                    single->id.sha256, &single->id);
}
static void set_ca2_name(struct ocsp_single *single, struct rig *rig)
{
    ocsp_certid_for(rig_ca_dn(RIG_CA2), rig->key[RIG_CA], kw_span_text("SERIALSERIAL1234"),
                    single->id.sha256, &single->id);
}
static void ocsp_key_sha1(struct rig *rig)
{
    ocsp_with(rig, false, set_ca2);
}
static void ocsp_key_sha256(struct rig *rig)
{
    ocsp_with(rig, true, set_ca2);
}
static void ocsp_name_sha1(struct rig *rig)
{
    ocsp_with(rig, false, set_ca2_name);
}
static void ocsp_name_sha256(struct rig *rig)
{
    ocsp_with(rig, true, set_ca2_name);
}
static void set_long(struct ocsp_single *single, struct rig *rig)
{
    (void)rig;
    single->next_update = single->this_update + RIG_DAY_S + 1;
}
static void ocsp_long(struct rig *rig)
{
    ocsp_with(rig, false, set_long);
}
static void set_ahead(struct ocsp_single *single, struct rig *rig)
{
    (void)rig;
    single->this_update += 400;
}
static void ocsp_ahead(struct rig *rig)
{
    ocsp_with(rig, false, set_ahead);
}
static void set_stale(struct ocsp_single *single, struct rig *rig)
{
    (void)rig;
    single->this_update -= RIG_DAY_S + 10;
    single->next_update = single->this_update + 3600;
}
static void ocsp_stale(struct rig *rig)
{
    ocsp_with(rig, false, set_stale);
}
static void ocsp_two(struct rig *rig)
{
    struct ocsp_single at[2];

    rig_ocsp_single(rig, false, &at[0]);
    rig_ocsp_single(rig, false, &at[1]);
    set_ca2(&at[1], rig);
    rig_capture_ocsp(rig, at, 2, os_clock_unix_s(), RIG_OCSP);
}
static void ocsp_responder_other(struct rig *rig)
{
    struct ocsp_single single;

    rig_ocsp_single(rig, false, &single);
    rig_capture_ocsp(rig, &single, 1, os_clock_unix_s(), RIG_CA);
}
static void produced(struct rig *rig, int64_t at)
{
    struct ocsp_single single;

    rig_ocsp_single(rig, false, &single);
    rig_capture_ocsp(rig, &single, 1, at, RIG_OCSP);
}
static void ocsp_produced_past(struct rig *rig)
{
    produced(rig, os_clock_unix_s() - 400);
}
static void ocsp_produced_future(struct rig *rig)
{
    produced(rig, os_clock_unix_s() + 400);
}
static void ocsp_tail(struct rig *rig)
{
    ocsp_with(rig, false, nothing);
    rig->tbs[rig->tbs_len++] = 0;
}

/* TLS. */
static void tls_client(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, client CertificateVerify", 32);
}
static void tls_12_hash(struct rig *rig)
{
    memset(rig->tbs, 0x5a, 36);
    rig->tbs_len = 36;
}
static void tls_12_params(struct rig *rig)
{
    memset(rig->tbs, 0x5a, 133); /* two randoms and ServerECDHParams of P-256 */
    rig->tbs_len = 133;
}
static void tls_hash_20(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 20);
}
static void tls_hash_33(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 33);
}
static void tls_no_hash(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 0);
}
static void tls_pad_short(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 32);
    memmove(rig->tbs, rig->tbs + 1, rig->tbs_len - 1);
    rig->tbs_len--;
}
static void tls_pad_other(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 32);
    rig->tbs[63] = 0x21;
}
static void tls_separator(struct rig *rig)
{
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 48);
    rig->tbs[64 + 33] = 0x20;
}
static void tls_empty(struct rig *rig)
{
    rig->tbs_len = 0;
}

#define ROW(name, what, make, code, reason) {name, what, make, code, reason}
static const struct answer_attack attacks[] = {
    ROW("CRL of another issuer", CRL, crl_issuer_other, KW_E_DENIED, "crl-issuer:"),
    ROW("CRL with another AKI", CRL, crl_aki_other, KW_E_DENIED, "crl-aki:"),
    ROW("CRL number again", CRL, crl_number_again, KW_E_DENIED, "crl-number:"),
    ROW("CRL number lower", CRL, crl_number_lower, KW_E_DENIED, "crl-number:"),
    ROW("CRL number missing", CRL, crl_no_number, KW_E_DENIED, "crl-number:"),
    ROW("CRL nextUpdate too late", CRL, crl_far, KW_E_DENIED, "crl-next-update:"),
    ROW("CRL of the past", CRL, crl_past, KW_E_DENIED, "crl-this-update:"),
    ROW("CRL of the future", CRL, crl_future, KW_E_DENIED, "crl-this-update:"),
    ROW("CRL for a part of the certificates", CRL, crl_idp, KW_E_DENIED, "crl-ext-unknown:"),
    ROW("CRL with an unknown extension", CRL, crl_unknown_ext, KW_E_DENIED, "crl-ext-unknown:"),
    ROW("CRL with another signature algorithm", CRL, crl_sig_alg_other, KW_E_DENIED,
        "crl-signature-algorithm:"),
    ROW("CRL version 1", CRL, crl_v1, KW_E_DENIED, "crl-version:"),
    ROW("CRL and an octet", CRL, crl_tail, KW_E_INPUT, ""),
    ROW("certificate as a CRL", CRL, cert_as_crl, KW_E_INPUT, ""),
    ROW("OCSP for another CA's key, SHA-1", OCSP, ocsp_key_sha1, KW_E_DENIED, "ocsp-issuer-key:"),
    ROW("OCSP for another CA's key, SHA-256", OCSP, ocsp_key_sha256, KW_E_DENIED,
        "ocsp-issuer-key:"),
    ROW("OCSP for another CA's name, SHA-1", OCSP, ocsp_name_sha1, KW_E_DENIED,
        "ocsp-issuer-name:"),
    ROW("OCSP for another CA's name, SHA-256", OCSP, ocsp_name_sha256, KW_E_DENIED,
        "ocsp-issuer-name:"),
    ROW("OCSP for another CA in the second answer", OCSP, ocsp_two, KW_E_DENIED,
        "ocsp-issuer-key:"),
    ROW("OCSP nextUpdate too late", OCSP, ocsp_long, KW_E_DENIED, "ocsp-next-update:"),
    ROW("OCSP of the future", OCSP, ocsp_ahead, KW_E_DENIED, "ocsp-future:"),
    ROW("OCSP of long ago", OCSP, ocsp_stale, KW_E_DENIED, "ocsp-stale:"),
    ROW("OCSP by another responder", OCSP, ocsp_responder_other, KW_E_DENIED, "ocsp-responder:"),
    ROW("OCSP produced in the past", OCSP, ocsp_produced_past, KW_E_DENIED, "ocsp-produced:"),
    ROW("OCSP produced in the future", OCSP, ocsp_produced_future, KW_E_DENIED, "ocsp-produced:"),
    ROW("OCSP and an octet", OCSP, ocsp_tail, KW_E_INPUT, ""),
    ROW("certificate as OCSP answer", OCSP, cert_as_crl, KW_E_INPUT, ""),
    ROW("TLS client's CertificateVerify", TLS, tls_client, KW_E_DENIED, "tls-content:"),
    ROW("TLS 1.2 handshake hash", TLS, tls_12_hash, KW_E_DENIED, "tls-content:"),
    ROW("TLS 1.2 key exchange", TLS, tls_12_params, KW_E_DENIED, "tls-content:"),
    ROW("TLS transcript of 20 octets", TLS, tls_hash_20, KW_E_DENIED, "tls-content:"),
    ROW("TLS transcript of 33 octets", TLS, tls_hash_33, KW_E_DENIED, "tls-content:"),
    ROW("TLS without transcript", TLS, tls_no_hash, KW_E_DENIED, "tls-content:"),
    ROW("TLS with 63 spaces", TLS, tls_pad_short, KW_E_DENIED, "tls-content:"),
    ROW("TLS with another filler", TLS, tls_pad_other, KW_E_DENIED, "tls-content:"),
    ROW("TLS with another separator", TLS, tls_separator, KW_E_DENIED, "tls-content:"),
    ROW("TLS with nothing", TLS, tls_empty, KW_E_DENIED, "tls-content:"),
};

static struct keeper_reply ask(struct rig *rig, enum what what)
{
    switch (what) {
    case OCSP:
        return rig_sign(rig, KEEPER_ROW_SIGN_OCSP, "ocsp");
    case TLS:
        return rig_sign(rig, KEEPER_ROW_SIGN_TLS, "tls");
    case CRL:
        break;
    }
    return rig_sign_crl(rig, "ca");
}

static const struct keeper_row *row_of(enum what what)
{
    static const enum keeper_row_index rows[] = {
        [CRL] = KEEPER_ROW_SIGN_CRL, [OCSP] = KEEPER_ROW_SIGN_OCSP, [TLS] = KEEPER_ROW_SIGN_TLS};

    return &keeper_rows[rows[what]];
}

static void run_attack(void **state)
{
    const struct answer_attack *attack = *state;

    attack_begin();
    attack->make(attack_rig);
    struct keeper_reply reply = ask(attack_rig, attack->what);
    attack_check(row_of(attack->what), &reply, attack->code, attack->reason);
}

static void right_answers_are_signed(void **state)
{
    struct rig *rig = attack_rig;

    (void)state;
    sign_right_crl(rig);
    for (int sha256 = 0; sha256 < 2; sha256++) {
        ocsp_with(rig, sha256 != 0, nothing);
        struct keeper_reply reply = ask(rig, OCSP);
        rig_verify(rig, &reply, rig->key[RIG_OCSP]);
    }
    for (size_t n_hash = 32; n_hash <= 48; n_hash += 16) {
        rig_tls_content(rig, "TLS 1.3, server CertificateVerify", n_hash);
        struct keeper_reply reply = ask(rig, TLS);
        rig_verify(rig, &reply, rig->key[RIG_TLS]);
    }
}

static bool has_attack(const char *check)
{
    size_t n = strlen(check);

    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        if (strncmp(attacks[i].reason, check, n) == 0 && attacks[i].reason[n] == ':') {
            return true;
        }
    }
    print_error("no attack on check '%s'\n", check);
    return false;
}

static void every_check_has_an_attack(void **state)
{
    (void)state;
    for (size_t i = 0; i < crl_checks_count; i++) {
        assert_true(has_attack(crl_checks[i].name));
    }
    for (size_t i = 0; i < ocsp_checks_count; i++) {
        assert_true(has_attack(ocsp_checks[i].name));
    }
}

/* What was signed last is on disk before the signature leaves: kill -9 forgets nothing. */
static void crl_number_survives_kill(void **state)
{
    struct rig *rig = attack_rig;

    (void)state;
    attack_begin();
    sign_right_crl(rig);
    assert_int_equal(kill(rig->pid, SIGKILL), 0);
    (void)rig_end(rig); /* killed */
    rig_start(rig, /* ceremony= */ false);
    struct keeper_reply reply = rig_sign_crl(rig, "ca"); /* the same octets again */
    attack_check(&keeper_rows[KEEPER_ROW_SIGN_CRL], &reply, KW_E_DENIED, "crl-number:");
    sign_right_crl(rig);
}

int main(void)
{
    static struct attack_suite suite;

    attack_add(&suite, "right_answers_are_signed", right_answers_are_signed, NULL);
    attack_add(&suite, "every_check_has_an_attack", every_check_has_an_attack, NULL);
    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    attack_add(&suite, "crl_number_survives_kill", crl_number_survives_kill, NULL);
    return attack_run("hostile_keeper_answers", &suite);
}
