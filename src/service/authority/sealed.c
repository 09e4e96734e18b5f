#include "service/authority/sealed.h"

#include <stdio.h>

#include "crypto/dn.h"
#include "model/rule_gap.h"
#include "service/authority/subject.h"

static void tell_gap(const struct profile *profile, const char *ca_key_id,
                     const struct rule_gap *gap, unsigned more, char ret[SEALED_TEXT_MAX])
{
    char rest[40] = "";

    if (more > 0) {
        (void)snprintf(rest, sizeof(rest), " (and %u fields more)", more);
    }
    (void)snprintf(ret, SEALED_TEXT_MAX,
                   "%s of profile '%.40s' is %.48s, the rule sealed with key '%.40s' says %.48s%s",
                   gap->field, profile->name, gap->now, ca_key_id, gap->sealed, rest);
}

static bool look_at_fields(const struct profile *profile, const char *ca_key_id,
                           const struct policy_rule *sealed, const struct policy_rule *now,
                           char ret[SEALED_TEXT_MAX])
{
    struct rule_gap first, other;
    unsigned at = 0, more = 0;

    if (!rule_gap_next(sealed, now, &at, &first)) {
        return false;
    }
    while (rule_gap_next(sealed, now, &at, &other)) {
        more++;
    }
    tell_gap(profile, ca_key_id, &first, more, ret);
    return true;
}

/* The fixed beginning of every subject. */
static kw_status look_at_subject(struct kw_op *op, const struct service *service,
                                 const struct profile *profile, const char *ca_key_id,
                                 const struct policy_rule *sealed, char ret[SEALED_TEXT_MAX])
{
    struct kw_span within = KW_SPAN(sealed->subject_within, sealed->subject_within_len);
    struct rule_gap gap = {.field = "subject_dn"};
    uint8_t room[KW_DN_MAX];
    struct kw_out now = KW_OUT_ARRAY(room);

    TRY(op, subject_fixed(op, profile->subject_dn, profile->n_subject_dn,
                          service->config.organization, &now));
    if (within.len == 0 || dn_within(kw_out_span(&now), within)) {
        return KW_OK;
    }
    (void)dn_text(kw_out_span(&now), gap.now, sizeof(gap.now));
    (void)dn_text(within, gap.sealed, sizeof(gap.sealed));
    tell_gap(profile, ca_key_id, &gap, 0, ret);
    return KW_OK;
}

kw_status sealed_look(struct kw_op *op, struct service *service, const struct profile *profile,
                      const char *ca_key_id, char ret[SEALED_TEXT_MAX])
{
    struct key_policy policy;
    struct policy_rule now;

    ret[0] = 0;
    TRY(op, keeper_key_policy(op, service_keeper(service, ca_key_id), ca_key_id, &policy));
    const struct policy_rule *sealed = policy_rule_find(&policy, profile->name);
    if (!sealed) {
        (void)snprintf(ret, SEALED_TEXT_MAX,
                       "the key '%.40s' has no rule for profile '%.40s': the CA is older",
                       ca_key_id, profile->name);
        return KW_OK;
    }
    TRY(op,
        profile_rule(profile, KW_SPAN(sealed->subject_within, sealed->subject_within_len), &now),
        "profile '%s'", profile->name);
    if (look_at_fields(profile, ca_key_id, sealed, &now, ret)) {
        return KW_OK;
    }
    return look_at_subject(op, service, profile, ca_key_id, sealed, ret);
}
