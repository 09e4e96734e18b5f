/* A gate that wants OCSP answers, handshakes and log heads that the keeper must not sign. */
#include "crypto/openssl.h"

#include <assert.h>
#include <signal.h>

#include "audit/checkpoint.h"
#include "cmd/keywright-keeper/ocsp_checks.h"
#include "hostile/keeper/attack.h"
#include "os/clock.h"
#include "os/spawn.h"

enum what { OCSP, TLS };

/* Fills rig->tbs with something to be refused. */
struct answer_attack {
    const char *name;
    enum what what;
    void (*make)(struct rig *rig);
    enum kw_code code;
    const char *reason;
};

static void cert_as_answer(struct rig *rig)
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
    ROW("certificate as OCSP answer", OCSP, cert_as_answer, KW_E_INPUT, ""),
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
    return what == OCSP ? rig_sign(rig, KEEPER_ROW_SIGN_OCSP, "ocsp")
                        : rig_sign(rig, KEEPER_ROW_SIGN_TLS, "tls");
}

static const struct keeper_row *row_of(enum what what)
{
    static const enum keeper_row_index rows[] = {
        [OCSP] = KEEPER_ROW_SIGN_OCSP, [TLS] = KEEPER_ROW_SIGN_TLS};

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
    for (size_t i = 0; i < ocsp_checks_count; i++) {
        assert_true(has_attack(ocsp_checks[i].name));
    }
}

int main(void)
{
    static struct attack_suite suite;

    attack_add(&suite, "right_answers_are_signed", right_answers_are_signed, NULL);
    attack_add(&suite, "every_check_has_an_attack", every_check_has_an_attack, NULL);
    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    return attack_run("hostile_keeper_answers", &suite);
}
