#include "model/profile.h"

#include "base/time.h"
#include "model/x509_bits.h"

enum { MAX_BACKDATE_S = 3600, SECONDS_PER_HOUR = 3600 };

int64_t profile_not_after(const struct profile *profile, int64_t not_before)
{
    if (profile->no_end) {
        return KW_TIME_NEVER;
    }
    return not_before + (int64_t)profile->validity_hours * SECONDS_PER_HOUR;
}

static void put_part(struct profile *profile, const char *part)
{
    KW_TEXT_SET(profile->subject_dn[profile->n_subject_dn], part);
    profile->n_subject_dn++;
}

void profile_fill_defaults(struct profile *profile)
{
    if (!*profile->approval) {
        KW_TEXT_SET(profile->approval, "none");
    }
    if (!*profile->channel_binding) {
        KW_TEXT_SET(profile->channel_binding, "none");
    }
    if (!*profile->attest) {
        KW_TEXT_SET(profile->attest, "none");
    }
    if (profile->n_subject_dn > 0) {
        return;
    }
    bool device = profile_subject_of(profile) == PROFILE_SUBJECT_DEVICE;
    put_part(profile, "O={organization}");
    if (device) {
        put_part(profile, "serialNumber={serial}"); /* IEEE 802.1AR section 8.6 */
    }
    put_part(profile, device ? "CN={id}" : "CN={name}");
}

static uint32_t extensions_required(const struct profile *profile)
{
    uint32_t bits = MODEL_EXT_KEY_USAGE | MODEL_EXT_SKI | MODEL_EXT_AKI;

    bits |= profile->n_eku > 0 ? MODEL_EXT_EKU : 0;
    bits |= profile->hardware_module_name || profile->san_required ? MODEL_EXT_SAN : 0;
    bits |= profile->ocsp_nocheck ? MODEL_EXT_OCSP_NOCHECK : 0;
    bits |= profile->crl_url ? MODEL_EXT_CRL_DP : 0;
    bits |= profile->ocsp_url || profile->ca_issuers_url ? MODEL_EXT_AIA : 0;
    bits |= profile->n_policies > 0 ? MODEL_EXT_POLICIES : 0;
    return bits;
}

kw_status profile_rule(const struct profile *profile, struct kw_span subject_within,
                       struct policy_rule *ret)
{
    struct policy_rule rule;

    memset(&rule, 0, sizeof(rule));
    if (profile_broken(profile) || !kw_ok(profile_key_algs(profile, &rule.key_algs)) ||
        !kw_ok(profile_key_usage(profile, &rule.key_usage)) ||
        subject_within.len > sizeof(rule.subject_within)) {
        return KW_FAIL(KW_E_INPUT);
    }
    memcpy(rule.name, profile->name, sizeof(rule.name));
    rule.max_validity_s = profile->no_end ? 0 : profile_not_after(profile, 0);
    rule.max_backdate_s = MAX_BACKDATE_S;
    rule.ext_required = extensions_required(profile);
    rule.ext_allowed = rule.ext_required | (profile->san_from_request ? MODEL_EXT_SAN : 0);
    rule.san_kinds = (profile->hardware_module_name ? POLICY_SAN_HW : 0) |
                     (profile->san_from_request ? POLICY_SAN_DNS | POLICY_SAN_IP : 0);
    rule.key_birth = profile->server_keygen ? 1 : 0;
    rule.n_eku = profile->n_eku;
    memcpy(rule.eku, profile->eku, profile->n_eku * sizeof(rule.eku[0]));
    if (subject_within.len > 0) {
        memcpy(rule.subject_within, subject_within.p, subject_within.len);
    }
    rule.subject_within_len = (uint32_t)subject_within.len;
    *ret = rule;
    return KW_OK;
}
