#include "model/object.h"
#include "service/registration/enrol_internal.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "os/clock.h"
#include "service/attest/attest.h"
#include "service/authority/issue.h"
#include "service/log/gap.h"
#include "service/quality/batch.h"
#include "service/registration/device.h"
#include "service/registration/requests.h"
#include "service/registration/secret.h"
#include "service/registration/subject.h"

static kw_status refuse_states(struct kw_op *op, const struct store_device *device)
{
    ENSURE(op, device->state == DEVICE_REGISTERED || device->state == DEVICE_ACTIVE, KW_E_STATE,
           "device '%s' is %s", device->id, device_state_text(device->state));
    return batch_refuse_quarantined(op, device);
}

/* What was revoked for what the device did does not come back by another certificate or an older
 * secret of the same device, even where the one that was revoked has ended. */
static kw_status refuse_barred(struct kw_op *op, const struct store_device *device)
{
    char when[KW_TIME_TEXT];

    ENSURE(op, device->barred_ms == 0, KW_E_STATE,
           "a certificate of device '%s' was taken back at %s (%s); see 'keywright device readmit'",
           device->id, kw_time_text(device->barred_ms / 1000, when),
           revoke_reason_text(device->barred_reason));
    return KW_OK;
}

static kw_status refuse_first(struct kw_op *op, const struct store_device *device)
{
    TRY(op, refuse_states(op, device));
    return refuse_barred(op, device);
}

static kw_status begin(struct kw_op *op, struct enrolment *it)
{
    it->now_ms = os_clock_unix_ms();
    TRY(op, enrol_find_device(op, it));
    object_write(OBJECT_DEVICE, it->device.id, it->owner);
    return KW_OK;
}

/*
 * A proven device that asks for what it may not have is worth a line in the log. Who is not proven
 * is not recorded: anybody could fill the log.
 */
static kw_status note_refusal(struct kw_op *op, const struct enrolment *it, kw_status status)
{
    struct event event = {.type = EVENT_CERT_REFUSE};
    struct kw_op own;

    /* What waits for others is asked for again and again, and is no refusal. */
    if (kw_ok(status) || status.code == KW_E_APPROVAL || kw_code_http(status.code) >= 500) {
        return status;
    }
    kw_op_init(&own, op->principal, op->deadline_ms);
    KW_TEXT_SET(own.request_id, op->request_id);
    KW_TEXT_SET(event.object, it->owner[0] ? it->owner : it->asker->via);
    KW_TEXT_SET(event.result, kw_code_text(status.code));
    (void)snprintf(event.detail, sizeof(event.detail), "%s", kw_op_cause(op));
    if (!kw_ok(service_record_alone(&own, it->service, &event))) {
        service_complain(it->service, &own, "a refused enrolment could not be recorded");
    }
    return status;
}

#define USED_BEFORE "this public key was used before; make a new key"

/* --- replays ---------------------------------------------------------------------------------- */

struct replay {
    const struct enrolment *it;
    struct store_cert *ret;
};

static kw_status find_replay(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct replay *replay = ctx;

    return store_cert_by_csr_txn(op, txn, replay->it->owner, replay->it->request->sha256,
                                 replay->ret);
}

/* The same request for another profile, or the one that made the certificate to be renewed, is no
 * replay: its old answer would be taken for what was asked. */
static bool answers(const struct enrolment *it, const struct store_cert *found)
{
    return strcmp(found->profile, it->profile->data.name) == 0 &&
           !(it->old && it->old->row == found->row);
}

enum key_history {
    KEY_IS_NEW,
    KEY_IS_KNOWN, /* for something else than this very request */
    KEY_HAS_CERT, /* by this very request */
};

/*
 * A key that is known already: the very same request again (its answer was lost on the line) gets
 * its certificate again; anything else is refused, except a renewal with the same key.
 */
static kw_status known_key(struct kw_op *op, const struct enrolment *it, struct store_cert *ret,
                           enum key_history *ret_history)
{
    struct store_pubkey known;
    struct replay replay = {.it = it, .ret = ret};
    kw_status status =
        store_pubkey_get(op, it->service->store, pubkey_id(it->request->key), &known);

    *ret_history = KEY_IS_NEW;
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    *ret_history = KEY_IS_KNOWN;
    ENSURE(op, strcmp(known.owner, it->owner) == 0, KW_E_CONFLICT, USED_BEFORE);
    status = store_change(op, it->service->store, find_replay, &replay);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (!answers(it, ret)) {
        return KW_OK;
    }
    /* Not KW_E_REVOKED: nothing is wrong with who asks, and with another key it is served. */
    ENSURE(op, ret->state != CERT_STATE_REVOKED, KW_E_CONFLICT,
           "the certificate for this request was revoked; make a new key");
    ENSURE(op, it->now_ms / 1000 <= ret->not_after, KW_E_CONFLICT,
           "the certificate for this request has ended; make a new key");
    *ret_history = KEY_HAS_CERT;
    return KW_OK;
}

static kw_status refuse_known(struct kw_op *op, const struct enrolment *it)
{
    struct store_pubkey known;
    kw_status status =
        store_pubkey_get(op, it->service->store, pubkey_id(it->request->key), &known);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return FAIL(op, KW_E_CONFLICT, USED_BEFORE);
}

/* --- first certificate
 * -------------------------------------------------------------------------------------------- */

/* In the transaction: the certificate that proves who asks may have been revoked since the gate
 * looked. */
static kw_status admit_cert(struct kw_op *op, struct store_txn *txn, const struct enrolment *it,
                            struct store_cert *ret)
{
    ENSURE(op, it->asker->fingerprint, KW_E_AUTH, "who asks is not proven");
    TRY(op, store_cert_by_fingerprint_txn(op, txn, it->asker->fingerprint, ret),
        "certificate of the connection");
    const char *who = enrol_is_vouched(it) ? it->asker->via : it->owner;
    ENSURE(op, strcmp(ret->owner, who) == 0, KW_E_DENIED,
           "the certificate of the connection is another's");
    ENSURE(op, ret->state == CERT_STATE_VALID || ret->state == CERT_STATE_SUPERSEDED, KW_E_REVOKED,
           "the certificate of the connection was revoked");
    return KW_OK;
}

/* The first identity spends the registration secret, also where a station vouched instead of it. */
static kw_status admit_born(struct kw_op *op, struct store_txn *txn, const struct enrolment *it,
                            struct store_device *device)
{
    if (strcmp(it->profile->data.enrol, "secret") == 0) {
        memcpy(device->secret_used_csr, it->request->sha256, KW_HASH_BYTES);
        device->secret_failures = 0;
    }
    device->state = DEVICE_ACTIVE;
    return store_device_update(op, txn, device);
}

/* In the transaction: the device may have been retired, or the secret used, since we looked. */
static kw_status admit_first(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct enrolment *it = ctx;
    struct store_device device;
    struct store_cert used;

    TRY(op, store_device_get_txn(op, txn, it->device.id, &device));
    TRY(op, refuse_first(op, &device));
    TRY(op, registration_settle(op, it->service, txn, &it->profile->data, it->owner,
                                it->request->sha256));
    if (enrol_is_vouched(it)) {
        TRY(op, enrol_admit_station(op, txn, it));
        TRY(op, enrol_check_birth(op, it, &device));
        TRY(op, admit_cert(op, txn, it, &used));
        return admit_born(op, txn, it, &device);
    }
    if (!it->asker->secret) {
        return admit_cert(op, txn, it, &used);
    }
    TRY(op, secret_check(op, &device, it->asker->secret, it->now_ms, it->request->sha256));
    return admit_born(op, txn, it, &device);
}

/* Whether it was done or not: the same request finds its answer, so it may be sent again. */
static kw_status or_ask_again(struct kw_op *op, kw_status status)
{
    char cause[KW_OP_TEXT_MAX];

    if (status.code != KW_E_UNSURE) {
        return status;
    }
    (void)snprintf(cause, sizeof(cause), "%s", kw_op_cause(op));
    kw_op_clear(op);
    return FAIL(op, KW_E_UNAVAILABLE, "%s", cause);
}

static kw_status issue(struct kw_op *op, struct enrolment *it, struct issue_request *request,
                       struct store_cert *ret)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out subject = KW_OUT_ARRAY(room);

    TRY(op, subject_build(op, it->service, &it->profile->data, &it->device, &subject));
    request->profile = it->profile->data.name;
    request->owner = it->owner;
    request->through = it->asker->through;
    request->subject = kw_out_span(&subject);
    request->key = it->request->key;
    request->csr_sha256 = it->request->sha256;
    request->custody = *it->device.root_of_trust ? it->device.root_of_trust : "device";
    request->hw_type = it->device.hw_type;
    request->hw_serial = kw_span_text(it->device.serial);
    request->within_ctx = it;
    return or_ask_again(op, authority_issue(op, it->service, request, ret));
}

/* A key that is yet to be made is known to nobody. */
static kw_status known_or_made(struct kw_op *op, const struct enrolment *it, struct store_cert *ret,
                               bool *ret_found)
{
    enum key_history history = KEY_IS_NEW;

    if (!it->decrypter) {
        TRY(op, known_key(op, it, ret, &history));
    }
    ENSURE(op, history != KEY_IS_KNOWN, KW_E_CONFLICT, USED_BEFORE);
    *ret_found = history == KEY_HAS_CERT;
    return KW_OK;
}

/* Where the same request came twice at once, the loser gets what the winner was given. */
static kw_status issue_or_find(struct kw_op *op, struct enrolment *it,
                               struct issue_request *request, struct store_cert *ret)
{
    enum key_history history = KEY_IS_NEW;
    kw_status status = issue(op, it, request, ret);

    if (status.code != KW_E_CONFLICT) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, known_key(op, it, ret, &history));
    ENSURE(op, history == KEY_HAS_CERT, KW_E_CONFLICT, USED_BEFORE);
    return KW_OK;
}

/* The request's own key is no key of the device's: it decrypts this answer, and is forgotten. */
static kw_status issue_made(struct kw_op *op, struct enrolment *it, struct issue_request *request,
                            struct store_cert *ret)
{
    struct enrol_request made = *it->request;
    AUTO(pubkey) *key = NULL;

    TRY(op, enrol_make_key(op, it, &key));
    made.key = key;
    it->request = &made;
    kw_status status = issue(op, it, request, ret);
    it->request = NULL; /* made ends here */
    return status;
}

static kw_status issue_first(struct kw_op *op, struct enrolment *it, const char *profile,
                             struct store_cert *ret)
{
    struct issue_request request = {.event = EVENT_CERT_ISSUE, .within = admit_first};
    bool again = false;

    TRY(op, refuse_first(op, &it->device));
    TRY(op, enrol_choose_profile(op, it, profile));
    TRY(op, enrol_check_binding(op, it));
    TRY(op, subject_refuse_other(op, it->service, &it->profile->data, &it->device,
                                 it->request->subject));
    TRY(op, enrol_check_made(op, it));
    TRY(op, known_or_made(op, it, ret, &again));
    if (again) {
        return KW_OK;
    }
    TRY(op, enrol_check_birth(op, it, &it->device));
    TRY(op, attest_permit(op, it->service, it->device.id, &it->profile->data,
                          it->decrypter ? NULL : it->request->key, it->now_ms));
    TRY(op, registration_permit(op, it->service, &it->profile->data, it->owner, it->request,
                                it->asker));
    return it->decrypter ? issue_made(op, it, &request, ret) : issue_or_find(op, it, &request, ret);
}

/* --- explained -------------------------------------------------------------------------------- */

static const struct terms_place at_device = {"device", "registered or active", "decision"},
                                at_names = {"subject", "a request names nobody but who asks",
                                            "RFC 7030 section 4.2.1"},
                                at_once = {"key", "one owner and one use for each key, for ever",
                                           "SP 800-57 part 1 section 5.2"},
                                at_approval = {"approval", "an RA officer approves each enrolment",
                                               "the profile's approval"};

/* A profile whose certificate proves who asks: that of the device's first identity. */
static const char *idevid_of(const struct service *service)
{
    for (unsigned i = 0; i < service->n_profiles; i++) {
        if (strcmp(service->profiles[i].data.key_class, "device-idevid") == 0) {
            return service->profiles[i].data.name;
        }
    }
    return "";
}

static kw_status explain(struct kw_op *op, struct enrolment *it, const struct csr *csr,
                         struct terms *terms)
{
    struct issue_request request = {
        .event = EVENT_CERT_ISSUE, .within = admit_first, .terms = terms, .asked = csr};
    struct store_cert none;

    TRY(op, terms_check(op, terms, &at_device, refuse_first(op, &it->device)));
    TRY(op, enrol_choose_profile(op, it, it->profile->data.name));
    TRY(op, terms_check(op, terms, &at_names,
                        subject_refuse_other(op, it->service, &it->profile->data, &it->device,
                                             it->request->subject)));
    TRY(op, terms_check(op, terms, &at_once, refuse_known(op, it)));
    if (strcmp(it->profile->data.approval, "officer") == 0) {
        terms_tell(terms, &at_approval, NULL, "waits for an officer");
    }
    return issue(op, it, &request, &none);
}

kw_status enrol_explain(struct kw_op *op, struct service *service, const char *device_id,
                        const struct profile *profile, const struct csr *csr, struct terms *terms)
{
    const struct enrol_asker asker = {
        .device_id = device_id,
        .secret = strcmp(profile->enrol, "secret") == 0 ? "" : NULL,
        .cert_profile = idevid_of(service),
    };
    struct enrol_request request = enrol_request_of(csr);
    struct enrolment it = {.service = service, .asker = &asker, .request = &request};

    TRY(op, store_device_get(op, service->store, device_id, &it.device), "device '%s'", device_id);
    TRY(op, service_profile(op, service, profile->name, &it.profile));
    TRY(op, begin(op, &it));
    return explain(op, &it, csr, terms);
}

static kw_status first(struct kw_op *op, struct enrolment *it, const char *profile,
                       struct store_cert *ret)
{
    kw_status begun = begin(op, it);

    if (!kw_ok(begun)) { /* a station is proven: what it may not is worth a line */
        return enrol_is_vouched(it) ? note_refusal(op, it, begun) : begun;
    }
    if (it->asker->secret) {
        TRY(op, secret_try(op, it->service, &it->device, it->asker->secret, it->now_ms,
                           it->request->sha256));
    }
    return note_refusal(op, it, issue_first(op, it, profile, ret));
}

kw_status enrol_first(struct kw_op *op, struct service *service, const struct enrol_asker *asker,
                      const char *profile, const struct enrol_request *request,
                      struct store_cert *ret)
{
    struct enrolment it = {.service = service, .asker = asker, .request = request};

    TRY(op, log_gap_refuse(op, service));
    TRY(op, first(op, &it, profile, ret), "device '%s'",
        asker->device_id ? asker->device_id : it.device.id);
    return KW_OK;
}

kw_status enrol_first_made(struct kw_op *op, struct service *service,
                           const struct enrol_asker *asker, const char *profile,
                           const struct csr *csr, const struct cert *peer, struct enrol_made *ret)
{
    const struct enrol_request request = enrol_request_of(csr);
    struct enrol_decrypter decrypter = {0};
    AUTO(kw_bytes) *sealed = NULL;
    struct enrolment it = {.service = service,
                           .asker = asker,
                           .request = &request,
                           .decrypter = &decrypter,
                           .ret_sealed = &sealed};

    TRY(op, log_gap_refuse(op, service));
    ENSURE(op, asker->device_id, KW_E_DENIED, "keys are made for devices that ask themselves");
    TRY(op, enrol_find_decrypter(op, csr, peer, &decrypter));
    TRY(op, first(op, &it, profile, &ret->cert), "device '%s'", asker->device_id);
    ret->key = TAKE(sealed);
    return KW_OK;
}

/* --- renewal ---------------------------------------------------------------------------------- */

static kw_status supersede(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct enrolment *it = ctx;
    struct store_device device;
    struct store_cert now;

    TRY(op, store_device_get_txn(op, txn, it->device.id, &device));
    TRY(op, refuse_states(op, &device));
    TRY(op, admit_cert(op, txn, it, &now));
    if (now.state != CERT_STATE_VALID) {
        return KW_OK; /* superseded before: its overlap runs already */
    }
    return store_cert_set_state(op, txn, now.row, CERT_STATE_SUPERSEDED, it->now_ms / 1000,
                                REVOKE_SUPERSEDED);
}

static kw_status check_renewal(struct kw_op *op, const struct enrolment *it, const char *profile,
                               bool *ret_same)
{
    const struct profile *data = &it->profile->data;

    ENSURE(op, !*profile || strcmp(profile, it->old->profile) == 0, KW_E_INPUT,
           "the certificate of this connection is of profile '%s', not '%s'", it->old->profile,
           profile);
    ENSURE(op, !data->no_end, KW_E_STATE,
           "a certificate of profile '%s' is for the device's life and is not renewed", data->name);
    *ret_same = memcmp(pubkey_id(it->request->key), it->old->pubkey, KW_HASH_BYTES) == 0;
    ENSURE(op, !*ret_same || data->same_key_renewal, KW_E_CONFLICT,
           "profile '%s' is renewed with a new key only; make a new key", data->name);
    return KW_OK;
}

static kw_status issue_again(struct kw_op *op, struct enrolment *it, const char *profile,
                             struct store_cert *ret)
{
    struct issue_request request = {.event = EVENT_CERT_RENEW, .within = supersede};
    enum key_history history = KEY_IS_NEW;

    TRY(op, refuse_states(op, &it->device));
    ENSURE(op, strcmp(it->old->owner, it->owner) == 0, KW_E_DENIED,
           "the certificate of the connection is another's");
    TRY(op, service_profile(op, it->service, it->old->profile, &it->profile));
    TRY(op, enrol_check_protocol(op, it));
    TRY(op, enrol_check_binding(op, it));
    TRY(op, subject_refuse_other(op, it->service, &it->profile->data, &it->device,
                                 it->request->subject));
    TRY(op, known_key(op, it, ret, &history));
    if (history == KEY_HAS_CERT) {
        return KW_OK;
    }
    TRY(op, check_renewal(op, it, profile, &request.same_key));
    TRY(op, attest_permit(op, it->service, it->device.id, &it->profile->data, it->request->key,
                          it->now_ms));
    ENSURE(op, request.same_key || history == KEY_IS_NEW, KW_E_CONFLICT, USED_BEFORE);
    return issue_or_find(op, it, &request, ret);
}

static kw_status again(struct kw_op *op, struct enrolment *it, const char *profile,
                       struct store_cert *ret)
{
    TRY(op, begin(op, it));
    return note_refusal(op, it, issue_again(op, it, profile, ret));
}

kw_status enrol_again(struct kw_op *op, struct service *service, const struct enrol_asker *asker,
                      const char *profile, const struct enrol_request *request,
                      struct store_cert *ret)
{
    struct store_cert old;
    struct enrolment it = {.service = service, .asker = asker, .request = request, .old = &old};

    ENSURE(op, asker->fingerprint, KW_E_AUTH,
           "renewal needs the certificate that is to be renewed");
    TRY(op, store_cert_by_fingerprint(op, service->store, asker->fingerprint, &old),
        "certificate of the connection");
    ENSURE(op, asker->device_id, KW_E_DENIED, "a station renews nothing for a device");
    TRY(op, again(op, &it, profile, ret), "device '%s'", asker->device_id);
    return KW_OK;
}
