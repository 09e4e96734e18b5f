#include "service/validation/status.h"

#include "base/time.h"
#include "model/object.h"
#include "service/authorities.h"
#include "service/log/gap.h"
#include "service/validation/status_keep.h"

static kw_status check_device(struct kw_op *op, const struct store_cert_status *status)
{
    bool in_force = status->device == 0 || status->device == DEVICE_REGISTERED ||
                    status->device == DEVICE_ACTIVE;

    ENSURE(op, in_force, KW_E_DENIED, "%s is %s", status->owner, device_state_text(status->device));
    return KW_OK;
}

/* A superseded certificate is good until its profile's overlap ends (0: until it ends itself). */
static kw_status check_overlap(struct kw_op *op, struct service *service,
                               const struct store_cert_status *status, int64_t now_s)
{
    const struct bound_profile *profile = NULL;

    kw_status known = service_profile(op, service, status->profile, &profile);
    if (known.code == KW_E_NOT_FOUND) { /* its profile was taken away: no overlap is known */
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "it was replaced, and its profile '%s' is no more",
                    status->profile);
    }
    TRY(op, known);
    int64_t overlap_s = (int64_t)profile->data.overlap_hours * 3600;
    ENSURE(op, overlap_s == 0 || now_s <= status->revoked_s + overlap_s, KW_E_EXPIRED,
           "it was replaced, and the overlap has ended");
    return KW_OK;
}

/* In a gap nothing is good. An operator may look on, and read why. */
static kw_status check_gap(struct kw_op *op, const struct service *service,
                           const struct store_cert_status *status)
{
    return object_kind(status->owner) == OBJECT_OPERATOR ? KW_OK : log_gap_refuse(op, service);
}

/* How long a certificate of a profile may go on to renew itself after its end; 0: not at all. */
static int64_t profile_late_s(const struct profile *profile)
{
    return profile_subject_of(profile) == PROFILE_SUBJECT_DEVICE
               ? (int64_t)profile->renew_expired_hours * 3600
               : 0;
}

int64_t status_late_max_s(const struct service *service)
{
    int64_t max = 0;

    for (unsigned i = 0; i < service->n_profiles; i++) {
        int64_t one = profile_late_s(&service->profiles[i].data);
        max = one > max ? one : max;
    }
    return max;
}

static int64_t late_s(struct service *service, const struct store_cert_status *status)
{
    const struct bound_profile *profile = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(service_profile(&quiet, service, status->profile, &profile))
               ? profile_late_s(&profile->data)
               : 0;
}

static kw_status check_state(struct kw_op *op, struct service *service,
                             const struct store_cert_status *status, int64_t now_s, int64_t grace_s)
{
    char when[KW_TIME_TEXT];

    ENSURE(op, status->state != CERT_STATE_REVOKED, KW_E_REVOKED,
           "the certificate was revoked at %s (%s)", kw_time_text(status->revoked_s, when),
           revoke_reason_text(status->reason));
    ENSURE(op, status->state != CERT_STATE_HELD, KW_E_REVOKED,
           "the certificate is on hold since %s", kw_time_text(status->revoked_s, when));
    ENSURE(op, now_s - grace_s <= status->not_after, KW_E_EXPIRED, "the certificate ended at %s",
           kw_time_text(status->not_after, when));
    ENSURE(op, now_s >= status->not_before, KW_E_EXPIRED, "the certificate begins at %s",
           kw_time_text(status->not_before, when));
    return status->state == CERT_STATE_SUPERSEDED ? check_overlap(op, service, status, now_s)
                                                  : KW_OK;
}

static kw_status look_up(struct kw_op *op, struct service *service, const struct cert *cert,
                         struct store_cert_status *ret)
{
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *ca = authorities_issuer_of(all, cert);

    ENSURE(op, ca, KW_E_DENIED, "the certificate is of no CA of ours");
    kw_status status = status_ask_all(op, service, ca->id, cert, ret);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "the certificate is not in the registry");
    }
    TRY(op, status, "asking the registry");
    return KW_OK;
}

kw_status status_check(struct kw_op *op, struct service *service, const struct cert *cert,
                       int64_t now_s, struct store_cert_status *ret)
{
    TRY(op, look_up(op, service, cert, ret));
    TRY(op, check_state(op, service, ret, now_s, /* grace_s= */ 0));
    TRY(op, check_device(op, ret));
    return check_gap(op, service, ret);
}

kw_status status_check_late(struct kw_op *op, struct service *service, const struct cert *cert,
                            int64_t now_s, struct store_cert_status *ret)
{
    TRY(op, look_up(op, service, cert, ret));
    TRY(op, check_state(op, service, ret, now_s, late_s(service, ret)));
    TRY(op, check_device(op, ret));
    return check_gap(op, service, ret);
}
