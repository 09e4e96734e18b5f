#include "model/profile.h"

#include "base/time.h"
#include "model/x509_bits.h"

enum { MAX_BACKDATE_S = 3600, SECONDS_PER_HOUR = 3600 };
_Static_assert((int)PROFILE_LIST_MAX >= (int)POLICY_EKU_MAX, "a rule's EKUs come from a profile");

struct word {
    const char *text;
    uint32_t value;
};

static const struct word key_algs[] = {
    {"ec-p256",  MODEL_KEY_ALG_EC_P256 },
    {"ec-p384",  MODEL_KEY_ALG_EC_P384 },
    {"ed25519",  MODEL_KEY_ALG_ED25519 },
    {"rsa-3072", MODEL_KEY_ALG_RSA_3072},
};

/* RFC 5280 section 4.2.1.3, its spelling. */
static const struct word key_usages[] = {
    {"digitalSignature", MODEL_KU_DIGITAL_SIGNATURE},
    {"nonRepudiation",   MODEL_KU_NON_REPUDIATION  },
    {"keyEncipherment",  MODEL_KU_KEY_ENCIPHERMENT },
    {"dataEncipherment", MODEL_KU_DATA_ENCIPHERMENT},
    {"keyAgreement",     MODEL_KU_KEY_AGREEMENT    },
    {"keyCertSign",      MODEL_KU_KEY_CERT_SIGN    },
    {"cRLSign",          MODEL_KU_CRL_SIGN         },
};

static const struct word subjects[] = {
    {"device",      PROFILE_SUBJECT_DEVICE  },
    {"server",      PROFILE_SUBJECT_SERVER  },
    {"operator",    PROFILE_SUBJECT_OPERATOR},
    {"ocsp-signer", PROFILE_SUBJECT_OCSP    },
};

static const char *const enrols[] = {"secret", "idevid", "none"};

/* 0 where the word is not in the table; no table has a 0 of its own. */
static uint32_t word_value(const struct word words[], size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i].text, text) == 0) {
            return words[i].value;
        }
    }
    return 0;
}

/* Add a word's bit; an unknown word and one that stands there twice are mistakes of the author. */
static bool add_bit(const struct word words[], size_t n, const char *text, uint32_t *bits)
{
    uint32_t bit = word_value(words, n, text);

    if (bit == 0 || (*bits & bit) != 0) {
        return false;
    }
    *bits |= bit;
    return true;
}

kw_status profile_key_algs(const struct profile *profile, uint32_t *ret)
{
    uint32_t bits = 0;

    if (profile->n_key_algs == 0 || profile->n_key_algs > PROFILE_LIST_MAX) {
        return KW_FAIL(KW_E_INPUT);
    }
    for (uint32_t i = 0; i < profile->n_key_algs; i++) {
        if (!add_bit(key_algs, KW_COUNT(key_algs), profile->key_algs[i], &bits)) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    *ret = bits;
    return KW_OK;
}

kw_status profile_key_usage(const struct profile *profile, uint32_t *ret)
{
    uint32_t bits = 0;

    if (profile->n_key_usage == 0 || profile->n_key_usage > PROFILE_LIST_MAX) {
        return KW_FAIL(KW_E_INPUT);
    }
    for (uint32_t i = 0; i < profile->n_key_usage; i++) {
        if (!add_bit(key_usages, KW_COUNT(key_usages), profile->key_usage[i], &bits)) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    *ret = bits;
    return KW_OK;
}

enum profile_subject profile_subject_of(const struct profile *profile)
{
    return (enum profile_subject)word_value(subjects, KW_COUNT(subjects), profile->subject);
}

int64_t profile_not_after(const struct profile *profile, int64_t not_before)
{
    if (profile->no_end) {
        return KW_TIME_NEVER;
    }
    return not_before + (int64_t)profile->validity_hours * SECONDS_PER_HOUR;
}

static bool enrol_known(const char *text)
{
    for (size_t i = 0; i < KW_COUNT(enrols); i++) {
        if (strcmp(enrols[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* Words and times that no rule carries, but without which the profile means nothing. */
static bool plain_members_fit(const struct profile *profile)
{
    bool ends = profile->validity_hours > 0 && profile->overlap_hours <= profile->validity_hours;

    return profile->name[0] != '\0' && profile->ca[0] != '\0' && profile_subject_of(profile) != 0 &&
           enrol_known(profile->enrol) &&
           key_class_from_text(profile->key_class) != KEY_CLASS_NONE &&
           (profile->no_end ? profile->validity_hours == 0 : ends);
}

/* Which usages fit which keys; all profiles are of end entities. */
static bool usage_fits_keys(uint32_t usage, uint32_t algs)
{
    const uint32_t ca_only = MODEL_KU_KEY_CERT_SIGN | MODEL_KU_CRL_SIGN;
    const uint32_t rsa_only = MODEL_KU_KEY_ENCIPHERMENT | MODEL_KU_DATA_ENCIPHERMENT;

    /* RFC 5280 section 4.2.1.9: without cA, keyCertSign MUST NOT be asserted. */
    if ((usage & ca_only) != 0) {
        return false;
    }
    /* RFC 8813 section 3: keyEncipherment and dataEncipherment MUST NOT stand beside an EC key. */
    if ((usage & rsa_only) != 0 && (algs & ~(uint32_t)MODEL_KEY_ALG_RSA_3072) != 0) {
        return false;
    }
    /* RFC 9295 section 3: Ed25519 signs and agrees on nothing. */
    return (usage & MODEL_KU_KEY_AGREEMENT) == 0 || (algs & MODEL_KEY_ALG_ED25519) == 0;
}

static bool oids_fit(const char (*oids)[POLICY_OID_MAX], uint32_t n, uint32_t max)
{
    if (n > max) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!policy_oid_valid(oids[i])) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(oids[i], oids[j]) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* RFC 6960 section 4.2.2.2.1: a certificate that is never checked for revocation is an OCSP
 * signer's alone. */
static bool nocheck_fits(const struct profile *profile)
{
    return !profile->ocsp_nocheck || profile_subject_of(profile) == PROFILE_SUBJECT_OCSP;
}

static uint32_t extensions_required(const struct profile *profile)
{
    uint32_t bits = MODEL_EXT_KEY_USAGE | MODEL_EXT_SKI | MODEL_EXT_AKI;

    bits |= profile->n_eku > 0 ? MODEL_EXT_EKU : 0;
    bits |= profile->hardware_module_name ? MODEL_EXT_SAN : 0;
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
    if (!plain_members_fit(profile) || !nocheck_fits(profile) ||
        !kw_ok(profile_key_algs(profile, &rule.key_algs)) ||
        !kw_ok(profile_key_usage(profile, &rule.key_usage)) ||
        !usage_fits_keys(rule.key_usage, rule.key_algs) ||
        !oids_fit(profile->eku, profile->n_eku, POLICY_EKU_MAX) ||
        !oids_fit(profile->policies, profile->n_policies, KW_COUNT(profile->policies)) ||
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
    rule.n_eku = profile->n_eku;
    memcpy(rule.eku, profile->eku, profile->n_eku * sizeof(rule.eku[0]));
    if (subject_within.len > 0) {
        memcpy(rule.subject_within, subject_within.p, subject_within.len);
    }
    rule.subject_within_len = (uint32_t)subject_within.len;
    *ret = rule;
    return KW_OK;
}
