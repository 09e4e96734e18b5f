/* Binding an attestation key to a device: MakeCredential and ActivateCredential. */
#include <stdio.h>

#include "base/secret.h"
#include "crypto/digest.h"
#include "crypto/tpm_credential.h"
#include "model/object.h"
#include "os/clock.h"
#include "os/rng.h"
#include "service/attest/attest_internal.h"

/* What cannot be bound is a round that failed. */
struct refusal {
    struct service *service;
    const char *device;
    enum attest_reason reason;
    const char *detail; /* "": the reason's own words */
};

static kw_status note(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct refusal *it = ctx;
    struct store_attest row;

    TRY(op, store_attest_get_txn(op, txn, it->device, &row));
    return attest_settle(op, it->service, txn, &row, it->reason, it->detail, os_clock_unix_ms());
}

static kw_status refuse_saying(struct kw_op *op, const struct refusal *it)
{
    bool other = it->reason == ATTEST_R_EK_TAKEN || it->reason == ATTEST_R_EK_CHANGED;
    struct refusal mine = *it;

    TRY(op, store_change(op, it->service->store, note, &mine));
    return FAIL(op, other ? KW_E_CONFLICT : KW_E_DENIED, "%s: %s", attest_reason_text(it->reason),
                *it->detail ? it->detail : attest_reason_meaning(it->reason));
}

static kw_status refuse(struct kw_op *op, struct service *service, const char *device,
                        enum attest_reason reason)
{
    const struct refusal it = {
        .service = service, .device = device, .reason = reason, .detail = ""};

    return refuse_saying(op, &it);
}

/* A board was replaced, a TPM was made anew; or it is an attack: a person has to look. */
static kw_status refuse_changed(struct kw_op *op, struct service *service, const char *device)
{
    char detail[STORE_ATTEST_DETAIL];
    const struct refusal it = {
        .service = service, .device = device, .reason = ATTEST_R_EK_CHANGED, .detail = detail};

    (void)snprintf(detail, sizeof(detail),
                   "the device is bound to another TPM; if it was replaced: keywright attest reset "
                   "%.64s",
                   device);
    return refuse_saying(op, &it);
}

static bool is_another(const uint8_t bound[KW_HASH_BYTES], const uint8_t ek[KW_HASH_BYTES])
{
    static const uint8_t none[KW_HASH_BYTES];

    return memcmp(bound, none, sizeof(none)) != 0 && memcmp(bound, ek, KW_HASH_BYTES) != 0;
}

/* An EK that nobody believes: which CA is missing, and the next step. */
static kw_status refuse_belief(struct kw_op *op, struct service *service, const char *device,
                               const struct attest_belief *belief)
{
    const struct ek_issuer *issuer = &belief->issuer;
    char detail[STORE_ATTEST_DETAIL] = "";
    const struct refusal it = {
        .service = service, .device = device, .reason = belief->reason, .detail = detail};

    if (belief->reason == ATTEST_R_UNKNOWN_EK && *issuer->missing) {
        char from[72] = "ask its maker for it";
        if (*issuer->url) {
            (void)snprintf(from, sizeof(from), "it is at %.60s", issuer->url);
        }
        (void)snprintf(detail, sizeof(detail),
                       "the CA '%.50s' was not added; %s, and keywright attest trust FILE",
                       issuer->missing, from);
    }
    return refuse_saying(op, &it);
}

static bool is_ek(const struct tpm_public *ek)
{
    static const uint32_t must =
        TPM_RESTRICTED | TPM_DECRYPT | TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN;

    return (ek->attributes & (must | TPM_SIGN)) == must && ek->symmetric == TPM_ALG_AES &&
           ek->symmetric_mode == TPM_ALG_CFB;
}

static bool is_ak(const struct tpm_public *ak)
{
    static const uint32_t must = TPM_RESTRICTED | TPM_SIGN | TPM_FIXED_TPM | TPM_FIXED_PARENT |
                                 TPM_SENSITIVE_DATA_ORIGIN | TPM_USER_WITH_AUTH;

    return (ak->attributes & (must | TPM_DECRYPT)) == must && ak->type == TPM_ALG_ECC &&
           ak->scheme == TPM_ALG_ECDSA && ak->scheme_hash == TPM_ALG_SHA256;
}

struct opening {
    struct service *service;
    struct store_attest_session row;
};

static kw_status put_session(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    return store_attest_session_put(op, txn, &((struct opening *)ctx)->row);
}

static kw_status open_session(struct kw_op *op, struct service *service, struct opening *it,
                              const struct tpm_public *ek, const struct tpm_public *ak,
                              struct attest_session *ret)
{
    uint8_t secret[KW_HASH_BYTES];

    ENSURE(op, ak->area.len <= sizeof(it->row.ak), KW_E_INPUT, "the AK is too long");
    memcpy(it->row.ak, ak->area.p, ak->area.len);
    it->row.ak_len = (uint32_t)ak->area.len;
    it->row.expires_ms = os_clock_unix_ms() + ATTEST_SESSION_S * 1000;
    TRY(op, os_random(op, it->row.session, sizeof(it->row.session)));
    TRY(op, os_random(op, secret, sizeof(secret)));
    digest_sha256(KW_SPAN_ARRAY(secret), it->row.secret_sha256);
    kw_status status = tpm_credential_make(op, ek, KW_SPAN_ARRAY(ak->name), KW_SPAN_ARRAY(secret),
                                           &ret->blob, &ret->seed);
    kw_wipe(secret, sizeof(secret));
    TRY(op, status);
    TRY(op, store_change(op, service->store, put_session, it));
    memcpy(ret->session, it->row.session, sizeof(ret->session));
    ret->has_tpm = true;
    return KW_OK;
}

static void note_belief(const struct attest_belief *belief, const char *root_of_trust,
                        struct store_attest_session *row)
{
    const struct ek_issuer *issuer = &belief->issuer;

    KW_TEXT_SET(row->root_of_trust, root_of_trust);
    row->ek_how = belief->how;
    row->simulated = belief->simulated || strstr(root_of_trust, "SIMULATED");
    if (issuer->known) {
        memcpy(row->ek_issuer, issuer->key, sizeof(row->ek_issuer));
        memcpy(row->ek_serial, issuer->serial, issuer->serial_len);
        row->ek_serial_len = issuer->serial_len;
    }
}

kw_status attest_enrol(struct kw_op *op, struct service *service, const struct attest_peer *peer,
                       const struct attest_enrolment *asked, struct attest_session *ret)
{
    struct opening it = {.service = service};
    struct attest_belief belief = {0};
    struct tpm_public ek, ak;
    struct store_attest row;
    AUTO(kw_bytes) *spki = NULL;

    memset(ret, 0, sizeof(*ret));
    ENSURE(op, (asked->ek_public.len > 0) == (asked->ak_public.len > 0), KW_E_INPUT,
           "ek_public and ak_public belong together");
    if (asked->ek_public.len == 0) {
        return KW_OK;
    }
    TRY(op, tpm_public_read(op, asked->ek_public, /* with_size= */ true, &ek), "ek_public");
    TRY(op, tpm_public_read(op, asked->ak_public, /* with_size= */ true, &ak), "ak_public");
    if (!is_ek(&ek) || !is_ak(&ak)) {
        return refuse(op, service, peer->device,
                      is_ek(&ek) ? ATTEST_R_AK_ATTRIBUTES : ATTEST_R_EK_ATTRIBUTES);
    }
    TRY(op, tpm_public_spki(op, &ek, &spki), "ek_public");
    TRY(op, attest_believe(op, service, asked->ek_cert, kw_bytes_span(spki), &belief));
    if (belief.reason != ATTEST_R_OK) {
        return refuse_belief(op, service, peer->device, &belief);
    }
    digest_sha256(kw_bytes_span(spki), it.row.ek);
    TRY(op, store_attest_get(op, service->store, peer->device, &row));
    if (is_another(row.ek, it.row.ek)) {
        return refuse_changed(op, service, peer->device);
    }
    KW_TEXT_SET(it.row.device, peer->device);
    note_belief(&belief, asked->root_of_trust, &it.row);
    return open_session(op, service, &it, &ek, &ak, ret);
}

/* --- activation ------------------------------------------------------------------------------- */

struct taking {
    struct service *service;
    const char *device;
    struct store_attest_session session;
    const struct attest_peer *peer;
    struct kw_span signer; /* empty: no key was certified */
    bool is_changed;       /* another EK was bound since the session began */
    struct store_attest row;
};

static kw_status take_session(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct taking *it = ctx;

    return store_attest_session_take(op, txn, it->device, &it->session);
}

/* What was known of the device's rounds stays; what it proved of other keys does not. */
static kw_status bind(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct taking *it = ctx;
    struct event event = {.type = EVENT_ATTEST_ENROLLED};
    struct store_attest *row = &it->row;

    TRY(op, store_attest_get_txn(op, txn, it->device, row));
    it->is_changed = is_another(row->ek, it->session.ek);
    ENSURE(op, !it->is_changed, KW_E_CONFLICT, "another EK was bound meanwhile");
    memcpy(row->ek, it->session.ek, sizeof(row->ek));
    memcpy(row->ak, it->session.ak, sizeof(row->ak));
    row->ak_len = it->session.ak_len;
    row->ek_how = it->session.ek_how;
    memcpy(row->ek_issuer, it->session.ek_issuer, sizeof(row->ek_issuer));
    memcpy(row->ek_serial, it->session.ek_serial, sizeof(row->ek_serial));
    row->ek_serial_len = it->session.ek_serial_len;
    row->simulated = it->session.simulated;
    KW_TEXT_SET(row->root_of_trust, it->session.root_of_trust);
    row->bound_ms = os_clock_unix_ms();
    row->signer_len = (uint32_t)it->signer.len;
    memset(row->key, 0, sizeof(row->key));
    row->clock_ms = 0;
    if (it->signer.len > 0) {
        memcpy(row->signer, it->signer.p, it->signer.len);
        memcpy(row->key, pubkey_id(it->peer->key), sizeof(row->key));
    }
    attest_rebind(&row->standing);
    if (row->standing.taken == ATTEST_NOT_TAKEN) {
        KW_TEXT_SET(row->detail, attest_reason_meaning(ATTEST_R_NO_ROUND));
    }
    TRY(op, store_attest_put(op, txn, row));
    TRY(op, store_attest_key_drop(op, txn, it->device));
    object_write(OBJECT_DEVICE, it->device, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "attestation key bound, EK %s%s",
                   row->ek_how == STORE_EK_PINNED ? "pinned" : "by its certificate",
                   row->simulated ? ", SIMULATED" : "");
    return service_record(op, it->service, txn, &event);
}

static bool is_current(const struct taking *it, struct kw_span session)
{
    return kw_equal_consttime(KW_SPAN_ARRAY(it->session.session), session) &&
           os_clock_unix_ms() <= it->session.expires_ms;
}

kw_status attest_activate(struct kw_op *op, struct service *service, const struct attest_peer *peer,
                          const struct attest_activation *said, struct store_attest *ret)
{
    struct taking it = {.service = service, .device = peer->device, .peer = peer};
    uint8_t opened[KW_HASH_BYTES];

    kw_status status = store_change(op, service->store, take_session, &it);
    ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_STATE, "no_session: begin the enrolment anew");
    TRY(op, status);
    ENSURE(op, is_current(&it, said->session), KW_E_STATE, "no_session: begin the enrolment anew");
    digest_sha256(said->activated, opened);
    if (!kw_equal_consttime(KW_SPAN_ARRAY(opened), KW_SPAN_ARRAY(it.session.secret_sha256))) {
        return refuse(op, service, peer->device, ATTEST_R_NOT_ACTIVATED);
    }
    if (said->certified.certify.len > 0) {
        enum attest_reason reason =
            attest_judge_certified(peer, KW_SPAN(it.session.ak, it.session.ak_len), said->session,
                                   &said->certified, &it.signer);
        if (reason != ATTEST_R_OK) {
            return refuse(op, service, peer->device, reason);
        }
    }
    status = store_change(op, service->store, bind, &it);
    if (status.code == KW_E_CONFLICT) {
        kw_op_clear(op);
        return it.is_changed ? refuse_changed(op, service, peer->device)
                             : refuse(op, service, peer->device, ATTEST_R_EK_TAKEN);
    }
    TRY(op, status, "device '%s'", peer->device);
    *ret = it.row;
    return KW_OK;
}
