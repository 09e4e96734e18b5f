/* Which profile an enrolment is for: the label, the proof and the protocol decide together. */
#include "service/registration/enrol_internal.h"

static bool is_born(const struct profile *profile)
{
    return strcmp(profile->enrol, "secret") == 0;
}

static bool proof_fits(const struct enrolment *it, const struct profile *profile)
{
    if (enrol_is_vouched(it)) {
        return profile->ra;
    }
    return strcmp(profile->enrol, it->asker->secret ? "secret" : "idevid") == 0;
}

/* "est", "cmp" or "rest" */
static bool protocol_fits(const struct enrolment *it, const struct profile *profile)
{
    return !it->asker->protocol || profile_speaks(profile, it->asker->protocol);
}

/* Without a label the proof decides: a secret leads to the first identity, and so does a station's
 * word; the first identity leads to the next. */
static bool is_default(const struct enrolment *it, const struct profile *profile)
{
    return profile->unlabelled && proof_fits(it, profile) && protocol_fits(it, profile) &&
           (!enrol_is_vouched(it) || is_born(profile));
}

static kw_status default_profile(struct kw_op *op, struct enrolment *it)
{
    for (unsigned i = 0; i < it->service->n_profiles; i++) {
        if (is_default(it, &it->service->profiles[i].data)) {
            it->profile = &it->service->profiles[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no profile can be enrolled with this kind of proof");
}

static bool asked_with_idevid(const struct enrolment *it)
{
    const struct bound_profile *used = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    if (!kw_ok(service_profile(&quiet, it->service, it->asker->cert_profile, &used))) {
        return false;
    }
    return strcmp(used->data.key_class, "device-idevid") == 0;
}

static kw_status check_proof(struct kw_op *op, const struct enrolment *it)
{
    const struct profile *profile = &it->profile->data;

    if (enrol_is_vouched(it)) {
        ENSURE(op, profile->ra, KW_E_DENIED, "profile '%s' is not enrolled through a station",
               profile->name);
        return KW_OK;
    }
    ENSURE(op, !it->asker->secret || proof_fits(it, profile), KW_E_DENIED,
           "profile '%s' is not enrolled with a registration secret; connect with the IDevID",
           profile->name);
    ENSURE(op, proof_fits(it, profile), KW_E_DENIED,
           "profile '%s' is enrolled with a registration secret, not with a certificate",
           profile->name);
    ENSURE(op, it->asker->secret || asked_with_idevid(it), KW_E_DENIED,
           "profile '%s' is enrolled with the IDevID; this certificate is of profile '%s'",
           profile->name, it->asker->cert_profile);
    return KW_OK;
}

kw_status enrol_check_protocol(struct kw_op *op, const struct enrolment *it)
{
    ENSURE(op, protocol_fits(it, &it->profile->data), KW_E_DENIED,
           "profile '%s' is not asked for over %s", it->profile->data.name, it->asker->protocol);
    return KW_OK;
}

/* An LDevID leads nowhere but to its own renewal. */
static bool renews_itself(const struct enrolment *it)
{
    return it->asker->fingerprint && !enrol_is_vouched(it) && !asked_with_idevid(it);
}

kw_status enrol_profile_for(struct kw_op *op, struct service *service,
                            const struct enrol_asker *asker, const char *label,
                            const struct profile **ret)
{
    struct enrol_asker as = *asker;
    struct enrolment it = {.service = service, .asker = &as};

    as.secret = asker->fingerprint ? NULL : "";
    const char *name = *label ? label : renews_itself(&it) ? asker->cert_profile : "";
    if (*name) {
        TRY(op, service_profile(op, service, name, &it.profile));
    } else {
        TRY(op, default_profile(op, &it));
    }
    *ret = &it.profile->data;
    return KW_OK;
}

kw_status enrol_choose_profile(struct kw_op *op, struct enrolment *it, const char *name)
{
    if (!*name) {
        TRY(op, default_profile(op, it));
    } else {
        TRY(op, service_profile(op, it->service, name, &it->profile));
    }
    const struct profile *profile = &it->profile->data;
    ENSURE(op, profile_subject_of(profile) == PROFILE_SUBJECT_DEVICE, KW_E_DENIED,
           "profile '%s' is not for devices", profile->name);
    TRY(op, enrol_check_protocol(op, it));
    return check_proof(op, it);
}
