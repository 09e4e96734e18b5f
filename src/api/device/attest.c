/* Attestation on the wire: docs/protocol/attest.md. */
#include "service/attest/attest.h"

#include <stdlib.h>

#include "api/device/device_api.h"
#include "codec/json.h"

enum { TPM_OCTETS = 1024, EK_CERT_OCTETS = 4096, LOG_OCTETS = 65536, PCR_OCTETS = 768 };

static struct attest_peer peer_of(const struct http_request *request)
{
    return (struct attest_peer){.device = request->who.id,
                                .key = cert_public(request->peer_cert),
                                .exporter = request->binding};
}

static kw_status answer(struct kw_op *op, const struct codec_field *fields, size_t n,
                        const void *object, struct http_response *response)
{
    TRY(op, kw_bytes_new(512, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, fields, n, object, response->body);
}

/* --- how it stands ---------------------------------------------------------------------------- */

struct verdict_view {
    char verdict[16], reason[32], detail[STORE_ATTEST_DETAIL];
    uint32_t level;
    bool simulated;
    int64_t valid_until_ms;
};
static const struct codec_field verdict_fields[] = {
    FIELD_STRING("verdict", struct verdict_view, verdict, 0, "none, trusted, suspect, failed"),
    FIELD_STRING("reason", struct verdict_view, reason, 0, "of the last round"),
    FIELD_STRING("detail", struct verdict_view, detail, CODEC_OMIT_EMPTY, "for people"),
    FIELD_INT("level", struct verdict_view, level, 0, 0, 3, "assurance level"),
    FIELD_BOOL("simulated", struct verdict_view, simulated, 0, "a stand-in for hardware"),
    FIELD_TIME("valid_until", struct verdict_view, valid_until_ms, CODEC_OMIT_EMPTY,
               "end of this trust"),
};

static kw_status answer_verdict(struct kw_op *op, const struct store_attest *row,
                                struct http_response *response)
{
    struct verdict_view view = {
        .level = row->level,
        .simulated = row->simulated,
        .valid_until_ms = row->standing.valid_until_ms,
    };

    KW_TEXT_SET(view.verdict, attest_verdict_text(row->standing.verdict));
    KW_TEXT_SET(view.reason, attest_reason_text(row->standing.reason));
    KW_TEXT_SET(view.detail, row->detail);
    return answer(op, verdict_fields, KW_COUNT(verdict_fields), &view, response);
}

/* --- binding a key ---------------------------------------------------------------------------- */

struct enrol_message {
    char root_of_trust[KW_NAME_MAX];
    uint8_t ek_cert[EK_CERT_OCTETS], ek[TPM_OCTETS], ak[TPM_OCTETS];
    uint32_t ek_cert_len, ek_len, ak_len;
};
static const struct codec_field enrol_fields[] = {
    FIELD_STRING("root_of_trust", struct enrol_message, root_of_trust, CODEC_REQUIRED,
                 "as in hello"),
    FIELD_B64("ek_certificate", struct enrol_message, ek_cert, ek_cert_len, 0, "DER"),
    FIELD_B64("ek_public", struct enrol_message, ek, ek_len, 0, "TPM2B_PUBLIC"),
    FIELD_B64("ak_public", struct enrol_message, ak, ak_len, 0, "TPM2B_PUBLIC"),
};
struct session_view {
    uint8_t session[ATTEST_NONCE], blob[TPM_OCTETS], seed[TPM_OCTETS];
    uint32_t session_len, blob_len, seed_len, expires_s;
};
static const struct codec_field session_fields[] = {
    FIELD_B64("session", struct session_view, session, session_len, 0, "nonce"),
    FIELD_B64("credential_blob", struct session_view, blob, blob_len, CODEC_OMIT_EMPTY, ""),
    FIELD_B64("secret", struct session_view, seed, seed_len, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("expires_s", struct session_view, expires_s, CODEC_OMIT_EMPTY, 0, 0, "seconds"),
};

static void view_session(const struct attest_session *session, struct session_view *ret)
{
    if (session->has_tpm) {
        memcpy(ret->session, session->session, ATTEST_NONCE);
        memcpy(ret->blob, session->blob->p, session->blob->len); /* some 70 octets */
        memcpy(ret->seed, session->seed->p, session->seed->len); /* at most 514 */
        ret->session_len = ATTEST_NONCE;
        ret->blob_len = (uint32_t)session->blob->len;
        ret->seed_len = (uint32_t)session->seed->len;
        ret->expires_s = ATTEST_SESSION_S;
    }
}

kw_status device_api_attest_enrol(struct kw_op *op, void *ctx, const struct http_request *request,
                                  struct http_response *response)
{
    const struct attest_peer peer = peer_of(request);
    struct enrol_message said = {0};
    struct session_view view = {0};
    struct attest_session session;

    TRY(op, codec_json_decode(op, request->body, enrol_fields, KW_COUNT(enrol_fields), &said),
        "enrolment of an attestation key");
    const struct attest_enrolment asked = {.root_of_trust = said.root_of_trust,
                                           .ek_cert = KW_SPAN(said.ek_cert, said.ek_cert_len),
                                           .ek_public = KW_SPAN(said.ek, said.ek_len),
                                           .ak_public = KW_SPAN(said.ak, said.ak_len)};
    kw_status status = attest_enrol(op, ((struct api *)ctx)->service, &peer, &asked, &session);
    if (kw_ok(status)) {
        view_session(&session, &view);
    }
    kw_bytes_free(session.blob);
    kw_bytes_free(session.seed);
    TRY(op, status);
    return answer(op, session_fields, KW_COUNT(session_fields), &view, response);
}

struct certified_message {
    uint8_t key[TPM_OCTETS], certify[TPM_OCTETS], signature[TPM_OCTETS];
    uint32_t key_len, certify_len, signature_len;
};
/* Of the key of the connection (""), or of one that is about to be asked for ("new_"). */
#define CERTIFIED_FIELDS(owner, member, key_name, certify_name, signature_name)                    \
    FIELD_B64(key_name, owner, member.key, member.key_len, 0, "TPM2B_PUBLIC"),                     \
        FIELD_B64(certify_name, owner, member.certify, member.certify_len, 0, "TPMS_ATTEST"),      \
        FIELD_B64(signature_name, owner, member.signature, member.signature_len, 0,                \
                  "TPMT_SIGNATURE")

static struct attest_certified certified_of(const struct certified_message *said)
{
    return (struct attest_certified){KW_SPAN(said->key, said->key_len),
                                     KW_SPAN(said->certify, said->certify_len),
                                     KW_SPAN(said->signature, said->signature_len)};
}

struct activate_message {
    uint8_t session[ATTEST_NONCE], activated[64];
    uint32_t session_len, activated_len;
    struct certified_message certified;
};
static const struct codec_field activate_fields[] = {
    FIELD_B64("session", struct activate_message, session, session_len, CODEC_REQUIRED, ""),
    FIELD_B64("activated", struct activate_message, activated, activated_len, CODEC_REQUIRED, ""),
    CERTIFIED_FIELDS(struct activate_message, certified, "key_public", "certify",
                     "certify_signature"),
};

kw_status device_api_attest_activate(struct kw_op *op, void *ctx,
                                     const struct http_request *request,
                                     struct http_response *response)
{
    const struct attest_peer peer = peer_of(request);
    struct activate_message said = {0};
    struct store_attest row;

    TRY(op, codec_json_decode(op, request->body, activate_fields, KW_COUNT(activate_fields), &said),
        "activation of an attestation key");
    const struct attest_activation activation = {.session = KW_SPAN(said.session, said.session_len),
                                                 .activated =
                                                     KW_SPAN(said.activated, said.activated_len),
                                                 .certified = certified_of(&said.certified)};
    TRY(op, attest_activate(op, ((struct api *)ctx)->service, &peer, &activation, &row));
    return answer_verdict(op, &row, response);
}

/* --- rounds ----------------------------------------------------------------------------------- */

struct challenge_view {
    uint8_t nonce[ATTEST_NONCE], pcr_mask[3];
    uint32_t expires_s, log_from;
    char needs[12];
};
static const struct codec_field challenge_fields[] = {
    FIELD_SCALAR("nonce", CODEC_B64, struct challenge_view, nonce, CODEC_FIXED, "once"),
    FIELD_INT("expires_s", struct challenge_view, expires_s, 0, 0, 0, "seconds"),
    FIELD_HEX_FIXED("pcr_mask", struct challenge_view, pcr_mask, 0, "pcrSelect"),
    FIELD_INT("log_from", struct challenge_view, log_from, 0, 0, 0, "octets"),
    FIELD_STRING("needs", struct challenge_view, needs, 0, "what is to come first"),
};

kw_status device_api_attest_challenge(struct kw_op *op, void *ctx,
                                      const struct http_request *request,
                                      struct http_response *response)
{
    const struct attest_peer peer = peer_of(request);
    struct challenge_view view = {.expires_s = ATTEST_NONCE_S};
    struct attest_challenge challenge;

    TRY(op, attest_challenge(op, ((struct api *)ctx)->service, &peer, &challenge));
    memcpy(view.nonce, challenge.nonce, sizeof(view.nonce));
    memcpy(view.pcr_mask, challenge.pcr_mask, sizeof(view.pcr_mask));
    KW_TEXT_SET(view.needs, challenge.needs);
    return answer(op, challenge_fields, KW_COUNT(challenge_fields), &view, response);
}

struct evidence_message {
    uint8_t nonce[ATTEST_NONCE], quote[TPM_OCTETS], signature[TPM_OCTETS], pcrs[PCR_OCTETS];
    uint8_t log[LOG_OCTETS];
    uint32_t nonce_len, quote_len, signature_len, pcrs_len, log_len;
    struct certified_message certified, next;
};
static const struct codec_field evidence_fields[] = {
    FIELD_B64("nonce", struct evidence_message, nonce, nonce_len, CODEC_REQUIRED, ""),
    FIELD_B64("quote", struct evidence_message, quote, quote_len, 0, "TPMS_ATTEST"),
    FIELD_B64("signature", struct evidence_message, signature, signature_len, CODEC_REQUIRED, ""),
    FIELD_B64("pcrs", struct evidence_message, pcrs, pcrs_len, 0, "values"),
    FIELD_B64("log", struct evidence_message, log, log_len, 0, "event log"),
    CERTIFIED_FIELDS(struct evidence_message, certified, "key_public", "certify",
                     "certify_signature"),
    CERTIFIED_FIELDS(struct evidence_message, next, "new_public", "new_certify", "new_signature"),
};

static kw_status take_evidence(struct kw_op *op, struct service *service,
                               const struct http_request *request, struct evidence_message *said,
                               struct store_attest *ret)
{
    const struct attest_peer peer = peer_of(request);

    TRY(op, codec_json_decode(op, request->body, evidence_fields, KW_COUNT(evidence_fields), said),
        "evidence");
    const struct attest_evidence evidence = {.nonce = KW_SPAN(said->nonce, said->nonce_len),
                                             .quote = KW_SPAN(said->quote, said->quote_len),
                                             .signature =
                                                 KW_SPAN(said->signature, said->signature_len),
                                             .pcrs = KW_SPAN(said->pcrs, said->pcrs_len),
                                             .log = KW_SPAN(said->log, said->log_len),
                                             .certified = certified_of(&said->certified),
                                             .next = certified_of(&said->next)};
    return attest_evidence(op, service, &peer, &evidence, ret);
}

kw_status device_api_attest_evidence(struct kw_op *op, void *ctx,
                                     const struct http_request *request,
                                     struct http_response *response)
{
    struct evidence_message *said = calloc(1, sizeof(*said));
    struct store_attest row;

    ENSURE(op, said, KW_E_MEMORY, "no memory for the evidence");
    kw_status status = take_evidence(op, ((struct api *)ctx)->service, request, said, &row);
    free(said);
    TRY(op, status);
    return answer_verdict(op, &row, response);
}
