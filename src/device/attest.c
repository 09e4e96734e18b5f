/*
 * Attestation, the device's side (docs/protocol/attest.md): who holds the keys (once), then rounds
 * of challenge and evidence. Evidence is bound to the TLS connection that carries it, so a
 * connection that ends between the two costs a fresh round.
 */
#include "model/attest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "device/device.h"

enum {
    ROUNDS = 2, /* the second where the connection ended or the nonce was lost meanwhile */
    NONCE_BYTES = 32,
    CERT_MAX = 4096,
    STRUCT_MAX = 1024,
    LOG_MAX = 65536,
    BODY_MAX = 98304,
};
_Static_assert((int)HTTP_EXPORTER == (int)KW_HASH_BYTES, "an exporter is hashed like a digest");

/* --- wire --- */

struct octets {
    unsigned n;
    uint8_t p[STRUCT_MAX];
};

struct challenge {
    uint8_t nonce[NONCE_BYTES], pcr_mask[ROT_PCR_MASK_BYTES];
    unsigned expires_s;
    uint64_t log_from;
    char needs[16];
};
static const struct codec_field challenge_fields[] = {
    FIELD_SCALAR("nonce", CODEC_B64, struct challenge, nonce, CODEC_REQUIRED | CODEC_FIXED,
                 "to answer"),
    FIELD_INT("expires_s", struct challenge, expires_s, CODEC_REQUIRED, 1, 86400, "how long"),
    FIELD_HEX_FIXED("pcr_mask", struct challenge, pcr_mask, CODEC_REQUIRED, "what to quote"),
    FIELD_INT("log_from", struct challenge, log_from, 0, 0, INT64_MAX, "octets known already"),
    FIELD_STRING("needs", struct challenge, needs, 0, "enrol, certify or nothing"),
};

struct enrolment {
    char root_of_trust[96];
    unsigned n_cert;
    uint8_t ek_certificate[CERT_MAX];
    struct octets ek_public, ak_public;
};
static const struct codec_field enrolment_fields[] = {
    FIELD_STRING("root_of_trust", struct enrolment, root_of_trust, 0, "what holds the keys"),
    FIELD_B64("ek_certificate", struct enrolment, ek_certificate, n_cert, CODEC_OMIT_EMPTY, "DER"),
    FIELD_B64("ek_public", struct enrolment, ek_public.p, ek_public.n, CODEC_OMIT_EMPTY,
              "TPM2B_PUBLIC"),
    FIELD_B64("ak_public", struct enrolment, ak_public.p, ak_public.n, CODEC_OMIT_EMPTY,
              "TPM2B_PUBLIC"),
};

struct credential {
    unsigned n_session, expires_s;
    uint8_t session[NONCE_BYTES];
    struct octets blob, secret;
};
static const struct codec_field credential_fields[] = {
    FIELD_B64("session", struct credential, session, n_session, 0, "nonce of the activation"),
    FIELD_B64("credential_blob", struct credential, blob.p, blob.n, 0, "TPM2B_ID_OBJECT"),
    FIELD_B64("secret", struct credential, secret.p, secret.n, 0, "TPM2B_ENCRYPTED_SECRET"),
    FIELD_INT("expires_s", struct credential, expires_s, 0, 0, 86400, "how long"),
};

struct activation {
    uint8_t session[NONCE_BYTES];
    unsigned n_activated;
    uint8_t activated[64];
    struct octets key_public, certify, signature;
};
static const struct codec_field activation_fields[] = {
    FIELD_SCALAR("session", CODEC_B64, struct activation, session, CODEC_FIXED, "as given"),
    FIELD_B64("activated", struct activation, activated, n_activated, 0, "what came out"),
    FIELD_B64("key_public", struct activation, key_public.p, key_public.n, CODEC_OMIT_EMPTY,
              "TPM2B_PUBLIC"),
    FIELD_B64("certify", struct activation, certify.p, certify.n, CODEC_OMIT_EMPTY, "TPMS_ATTEST"),
    FIELD_B64("certify_signature", struct activation, signature.p, signature.n, CODEC_OMIT_EMPTY,
              "TPMT_SIGNATURE"),
};

struct evidence {
    uint8_t nonce[NONCE_BYTES];
    struct octets quote, signature, key_public, certify, certify_signature;
    struct octets new_public, new_certify, new_signature;
    unsigned n_pcrs, n_log;
    uint8_t pcrs[ROT_PCRS * KW_HASH_BYTES];
    uint8_t log[LOG_MAX];
};
static const struct codec_field evidence_fields[] = {
    FIELD_SCALAR("nonce", CODEC_B64, struct evidence, nonce, CODEC_FIXED, "as given"),
    FIELD_B64("quote", struct evidence, quote.p, quote.n, CODEC_OMIT_EMPTY, "TPMS_ATTEST"),
    FIELD_B64("signature", struct evidence, signature.p, signature.n, 0, "of it, or of the key"),
    FIELD_B64("pcrs", struct evidence, pcrs, n_pcrs, CODEC_OMIT_EMPTY, "values, end to end"),
    FIELD_B64("log", struct evidence, log, n_log, CODEC_OMIT_EMPTY, "of the firmware's events"),
    FIELD_B64("key_public", struct evidence, key_public.p, key_public.n, CODEC_OMIT_EMPTY,
              "TPM2B_PUBLIC"),
    FIELD_B64("certify", struct evidence, certify.p, certify.n, CODEC_OMIT_EMPTY, "TPMS_ATTEST"),
    FIELD_B64("certify_signature", struct evidence, certify_signature.p, certify_signature.n,
              CODEC_OMIT_EMPTY, "TPMT_SIGNATURE"),
    FIELD_B64("new_public", struct evidence, new_public.p, new_public.n, CODEC_OMIT_EMPTY,
              "TPM2B_PUBLIC"),
    FIELD_B64("new_certify", struct evidence, new_certify.p, new_certify.n, CODEC_OMIT_EMPTY,
              "TPMS_ATTEST"),
    FIELD_B64("new_signature", struct evidence, new_signature.p, new_signature.n, CODEC_OMIT_EMPTY,
              "TPMT_SIGNATURE"),
};

static const char *const verdicts[] = {"none", "trusted", "suspect", "failed"};
_Static_assert(KW_COUNT(verdicts) == ATTEST_VERDICT_MAX, "each verdict has its word");
static const struct codec_field verdict_fields[] = {
    FIELD_ENUM("verdict", struct device_verdict, verdict, CODEC_REQUIRED, verdicts, "what it is"),
    FIELD_STRING("reason", struct device_verdict, reason, CODEC_REQUIRED, "why"),
    FIELD_STRING("detail", struct device_verdict, detail, 0, "for people"),
    FIELD_INT("level", struct device_verdict, level, 0, 0, 3, "of assurance"),
    FIELD_BOOL("simulated", struct device_verdict, simulated, 0, "stands in for hardware"),
    FIELD_TIME("valid_until", struct device_verdict, valid_until_ms, 0, "trusted until"),
};

/* --- one round's circumstances --- */

struct round {
    struct device *device;
    enum device_identity as;
    bool tpm;
    const char *next;                /* label of a key that is about to be asked for; NULL: none */
    uint8_t exporter[HTTP_EXPORTER]; /* of the connection that the evidence must go over */
    struct cert *cert;
};

static void round_done(struct round *round)
{
    cert_unref(round->cert);
}

static kw_status take(struct kw_op *op, const struct kw_bytes *from, struct octets *to)
{
    struct kw_out out = {to->p, sizeof(to->p), 0};

    TRY(op, kw_out_set(&out, kw_bytes_span(from)), "a structure of the TPM is too large");
    to->n = (unsigned)out.len;
    return KW_OK;
}

/* Ask; afterwards the exporter is that of the connection which is kept. */
static kw_status ask(struct kw_op *op, struct round *round, const struct http_call *call,
                     const struct codec_field *fields, size_t n_fields, void *ret)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, server_call(op, round->device, round->as, call, &answer), "%s", call->path);
    TRY(op, codec_json_decode(op, kw_bytes_span(answer), fields, n_fields, ret), "%s", call->path);
    ENSURE(op, http_client_exporter(round->device->client, round->exporter), KW_E_UNSUPPORTED,
           "this connection has no TLS exporter");
    return KW_OK;
}

static kw_status post(struct kw_op *op, struct round *round, const char *path, bool bound,
                      const struct kw_bytes *body, const struct codec_field *fields,
                      size_t n_fields, void *ret)
{
    uint8_t exporter[HTTP_EXPORTER];
    struct http_call call = {.method = HTTP_POST,
                             .path = path,
                             .content_type = "application/json",
                             .body = kw_bytes_span(body),
                             .exporter = bound ? exporter : NULL};

    memcpy(exporter, round->exporter, sizeof(exporter));
    return ask(op, round, &call, fields, n_fields, ret);
}

/* qualifying(nonce) of the protocol. */
static void qualify(const struct round *round, const uint8_t nonce[NONCE_BYTES],
                    uint8_t ret[KW_HASH_BYTES])
{
    uint8_t all[3][KW_HASH_BYTES];

    memcpy(all[0], nonce, NONCE_BYTES);
    digest_sha256(pubkey_spki(cert_public(round->cert)), all[1]);
    memcpy(all[2], round->exporter, HTTP_EXPORTER);
    digest_sha256(KW_SPAN_ARRAY(all), ret);
}

/* A key of this TPM, certified by the attestation key. */
static kw_status certify_label(struct kw_op *op, const struct round *round, const char *label,
                               const uint8_t nonce[NONCE_BYTES], struct octets *ret_public,
                               struct octets *ret_said, struct octets *ret_sig)
{
    struct device *device = round->device;
    uint8_t hash[KW_HASH_BYTES];
    __attribute__((cleanup(rot_certified_done))) struct rot_certified certified = {0};
    AUTO(rot_key) *key = NULL;

    TRY(op, rot_key_load(op, device->rot, label, &key));
    qualify(round, nonce, hash);
    TRY(op, rot_attest_certify(op, device->rot, key, KW_SPAN_ARRAY(hash), &certified));
    TRY(op, take(op, certified.key_public, ret_public));
    TRY(op, take(op, certified.attest, ret_said));
    return take(op, certified.sig, ret_sig);
}

/* That of the connection. */
static kw_status certify(struct kw_op *op, const struct round *round,
                         const uint8_t nonce[NONCE_BYTES], struct octets *ret_public,
                         struct octets *ret_said, struct octets *ret_sig)
{
    const char *label = NULL;
    AUTO(privkey) *key = NULL;

    TRY(op, keys_find(op, round->device, round->cert, &key, &label));
    return certify_label(op, round, label, nonce, ret_public, ret_said, ret_sig);
}

/* --- section 2 and 3: once --- */

static kw_status describe_keys(struct kw_op *op, struct device *device, struct enrolment *ret)
{
    __attribute__((cleanup(rot_attest_keys_done))) struct rot_attest_keys keys = {0};
    struct kw_out certificate = {ret->ek_certificate, sizeof(ret->ek_certificate), 0};

    TRY(op, rot_attest_keys(op, device->rot, &keys));
    TRY(op, kw_out_set(&certificate, kw_bytes_span(keys.ek_cert)), "the EK certificate");
    ret->n_cert = (unsigned)certificate.len;
    TRY(op, take(op, keys.ek_public, &ret->ek_public));
    return take(op, keys.ak_public, &ret->ak_public);
}

static kw_status ask_credential(struct kw_op *op, struct round *round, struct credential *ret)
{
    struct rot_info info = rot_info(round->device->rot);
    struct enrolment enrolment = {0};
    AUTO(kw_bytes) *json = NULL;

    (void)snprintf(enrolment.root_of_trust, sizeof(enrolment.root_of_trust), "%s %s%s", info.scheme,
                   info.vendor, info.caps & ROT_CAP_SIMULATED ? " SIMULATED" : "");
    if (round->tpm) {
        TRY(op, describe_keys(op, round->device, &enrolment));
    }
    TRY(op, kw_bytes_new(CERT_MAX * 2, &json));
    TRY(op, codec_json_encode(op, enrolment_fields, KW_COUNT(enrolment_fields), &enrolment, json));
    return post(op, round, "/device/v1/attest/enrol", /* bound= */ false, json, credential_fields,
                KW_COUNT(credential_fields), ret);
}

static kw_status activate(struct kw_op *op, struct round *round,
                          const struct credential *credential)
{
    struct device_verdict verdict = {0};
    struct activation activation = {0};
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *json = NULL;

    TRY(op,
        rot_attest_activate(op, round->device->rot, KW_SPAN(credential->blob.p, credential->blob.n),
                            KW_SPAN(credential->secret.p, credential->secret.n), &opened));
    struct kw_out room = KW_OUT_ARRAY(activation.activated);
    TRY(op, kw_out_set(&room, kw_secret_span(opened)), "the credential");
    activation.n_activated = (unsigned)room.len;
    memcpy(activation.session, credential->session, sizeof(activation.session));
    TRY(op, certify(op, round, activation.session, &activation.key_public, &activation.certify,
                    &activation.signature));
    TRY(op, kw_bytes_new(CERT_MAX * 2, &json));
    TRY(op,
        codec_json_encode(op, activation_fields, KW_COUNT(activation_fields), &activation, json));
    return post(op, round, "/device/v1/attest/activate", /* bound= */ true, json, verdict_fields,
                KW_COUNT(verdict_fields), &verdict);
}

static kw_status bind_keys(struct kw_op *op, struct round *round)
{
    AUTO(kw_bytes) *room = NULL; /* too large for the stack */

    TRY(op, kw_bytes_new(sizeof(struct credential), &room));
    struct credential *credential = memset(room->p, 0, sizeof(*credential));
    TRY(op, ask_credential(op, round, credential));
    if (credential->n_session == 0) {
        return KW_OK; /* nothing to activate */
    }
    ENSURE(op, round->tpm && credential->n_session == NONCE_BYTES, KW_E_AUTH,
           "the server asks for an activation that makes no sense");
    return activate(op, round, credential);
}

/* --- section 4 and 5: each round --- */

static kw_status ask_challenge(struct kw_op *op, struct round *round, struct challenge *ret)
{
    const struct http_call call = {.method = HTTP_GET, .path = "/device/v1/attest/challenge"};

    *ret = (struct challenge){0};
    return ask(op, round, &call, challenge_fields, KW_COUNT(challenge_fields), ret);
}

static bool in_mask(const uint8_t mask[ROT_PCR_MASK_BYTES], unsigned pcr)
{
    return (mask[pcr / 8] & 1u << pcr % 8) != 0;
}

static kw_status quote(struct kw_op *op, struct round *round, const struct challenge *challenge,
                       struct evidence *ret)
{
    uint8_t hash[KW_HASH_BYTES];
    __attribute__((cleanup(rot_quote_done))) struct rot_quote quote = {0};

    qualify(round, challenge->nonce, hash);
    TRY(op,
        rot_attest_quote(op, round->device->rot, KW_SPAN_ARRAY(hash), challenge->pcr_mask, &quote));
    TRY(op, take(op, quote.attest, &ret->quote));
    TRY(op, take(op, quote.sig, &ret->signature));
    for (unsigned i = 0; i < ROT_PCRS; i++) {
        if (in_mask(challenge->pcr_mask, i)) {
            memcpy(ret->pcrs + ret->n_pcrs, quote.pcrs[i], KW_HASH_BYTES);
            ret->n_pcrs += KW_HASH_BYTES;
        }
    }
    struct kw_out log = KW_OUT_ARRAY(ret->log);
    TRY(op, eventlog_read(op, round->device, challenge->log_from, &log)); /* after the quote */
    ret->n_log = (unsigned)log.len;
    if (strcmp(challenge->needs, "certify") == 0) {
        TRY(op, certify(op, round, challenge->nonce, &ret->key_public, &ret->certify,
                        &ret->certify_signature));
    }
    return round->next ? certify_label(op, round, round->next, challenge->nonce, &ret->new_public,
                                       &ret->new_certify, &ret->new_signature)
                       : KW_OK;
}

/* Without a TPM the key of the connection answers in its own name (sign.c keeps this beginning from
 * applications). */
static kw_status sign_nonce(struct kw_op *op, struct round *round,
                            const struct challenge *challenge, struct evidence *ret)
{
    const char *label = NULL;
    uint8_t message[sizeof(DEVICE_ATTEST_PREFIX) + KW_HASH_BYTES];
    struct kw_out sig = {ret->signature.p, sizeof(ret->signature.p), 0};
    AUTO(privkey) *key = NULL;

    TRY(op, keys_find(op, round->device, round->cert, &key, &label));
    memcpy(message, DEVICE_ATTEST_PREFIX, sizeof(DEVICE_ATTEST_PREFIX)); /* with its NUL */
    qualify(round, challenge->nonce, message + sizeof(DEVICE_ATTEST_PREFIX));
    TRY(op, privkey_sign(op, key, KW_SPAN_ARRAY(message), &sig), "signing with key '%s'", label);
    ret->signature.n = (unsigned)sig.len;
    return KW_OK;
}

static kw_status show_evidence(struct kw_op *op, struct round *round,
                               const struct challenge *challenge, struct device_verdict *ret)
{
    AUTO(kw_bytes) *room = NULL;
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(sizeof(struct evidence), &room));
    struct evidence *evidence = memset(room->p, 0, sizeof(*evidence));
    memcpy(evidence->nonce, challenge->nonce, sizeof(evidence->nonce));
    TRY(op, round->tpm ? quote(op, round, challenge, evidence)
                       : sign_nonce(op, round, challenge, evidence));
    TRY(op, kw_bytes_new(STRUCT_MAX, &json));
    TRY(op, codec_json_encode(op, evidence_fields, KW_COUNT(evidence_fields), evidence, json));
    ENSURE(op, json->len <= BODY_MAX, KW_E_TOO_LARGE, "the evidence has %zu octets", json->len);
    return post(op, round, "/device/v1/attest/evidence", /* bound= */ true, json, verdict_fields,
                KW_COUNT(verdict_fields), ret);
}

static kw_status go_round(struct kw_op *op, struct round *round, struct device_verdict *ret)
{
    struct challenge challenge;
    struct device_verdict verdict = {0};

    TRY(op, ask_challenge(op, round, &challenge));
    kw_status status = KW_FAIL(KW_E_NOT_FOUND);
    if (!round->tpm || strcmp(challenge.needs, "enrol") != 0) {
        status = show_evidence(op, round, &challenge, &verdict);
    }
    if (round->tpm && status.code == KW_E_NOT_FOUND) { /* no AK is bound, or this TPM has none */
        kw_op_clear(op);
        TRY(op, bind_keys(op, round), "binding the attestation key");
        TRY(op, ask_challenge(op, round, &challenge));
        status = show_evidence(op, round, &challenge, &verdict);
    }
    TRY(op, status);
    *ret = verdict;
    return KW_OK;
}

/* The LDevID while it lasts, then the birth identity. */
static kw_status choose_identity(struct kw_op *op, struct round *round)
{
    struct device *device = round->device;
    kw_status status = state_read_cert(op, device, DEVICE_LDEVID, &round->cert);

    round->as = DEVICE_LDEVID;
    if (kw_ok(status) && cert_not_after(round->cert) > device_now_s(device)) {
        return KW_OK;
    }
    if (!kw_ok(status) && status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    cert_unref(TAKE(round->cert));
    round->as = DEVICE_IDEVID;
    return state_read_cert(op, device, DEVICE_IDEVID, &round->cert);
}

/* A server that started anew, or took too long, knows the nonce no more. */
static bool is_lost(kw_status status, const struct device_verdict *verdict)
{
    return status.code == KW_E_UNAVAILABLE ||
           (kw_ok(status) && (strcmp(verdict->reason, "nonce_lost") == 0 ||
                              strcmp(verdict->reason, "nonce_expired") == 0));
}

static kw_status attest(struct kw_op *op, struct round *round, struct device_verdict *ret)
{
    round->tpm = (rot_info(round->device->rot).caps & ROT_CAP_ATTEST) != 0;
    kw_status status = go_round(op, round, ret);
    for (unsigned i = 1; i < ROUNDS && is_lost(status, ret); i++) {
        kw_op_clear(op);
        status = go_round(op, round, ret);
    }
    TRY(op, status, "attestation");
    return KW_OK;
}

kw_status device_attest(struct kw_op *op, struct device *device, struct device_verdict *ret)
{
    __attribute__((cleanup(round_done))) struct round round = {.device = device};

    TRY(op, choose_identity(op, &round));
    return attest(op, &round, ret);
}

kw_status device_attest_key(struct kw_op *op, struct device *device, enum device_identity as,
                            const char *label, struct device_verdict *ret)
{
    __attribute__((cleanup(round_done))) struct round round = {
        .device = device, .as = as, .next = label};

    TRY(op, state_read_cert(op, device, as, &round.cert));
    return attest(op, &round, ret);
}
