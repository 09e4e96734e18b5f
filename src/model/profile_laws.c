/* What profiles must keep to: one table, which refuses and which docs/PROFILES.md prints. */
#include "model/profile.h"
#include "model/x509_bits.h"

#define SERVER_AUTH "1.3.6.1.5.5.7.3.1"
_Static_assert((int)PROFILE_LIST_MAX >= (int)POLICY_EKU_MAX, "a rule's EKUs come from a profile");

static bool word_known(const char *field, const char *text)
{
    const char *word = NULL;

    for (size_t i = 0; (word = profile_word(field, i)) != NULL; i++) {
        if (strcmp(word, text) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t algs_of(const struct profile *profile)
{
    uint32_t bits = 0;

    return kw_ok(profile_key_algs(profile, &bits)) ? bits : 0;
}

static uint32_t usage_of(const struct profile *profile)
{
    uint32_t bits = 0;

    return kw_ok(profile_key_usage(profile, &bits)) ? bits : 0;
}

/* --- names and words -------------------------------------------------------------------------- */

/* Part of URLs, file names and rules. */
static bool name_plain(const struct profile *profile)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

    return profile->name[0] != '\0' && profile->name[0] != '.' &&
           strspn(profile->name, allowed) == strlen(profile->name);
}

static bool has_ca(const struct profile *profile)
{
    return profile->ca[0] != '\0';
}

static bool subject_known(const struct profile *profile)
{
    return profile_subject_of(profile) != 0;
}

static bool class_known(const struct profile *profile)
{
    return key_class_from_text(profile->key_class) != KEY_CLASS_NONE;
}

static bool is_device(const struct profile *profile)
{
    return profile_subject_of(profile) == PROFILE_SUBJECT_DEVICE;
}

/* --- how it is asked for ---------------------------------------------------------------------- */

static bool enrol_known(const struct profile *profile)
{
    return word_known("enrol", profile->enrol);
}

static bool enrol_fits_subject(const struct profile *profile)
{
    return is_device(profile) != (strcmp(profile->enrol, "none") == 0);
}

static bool approval_known(const struct profile *profile)
{
    return word_known("approval", profile->approval);
}

static bool protocols_known(const struct profile *profile)
{
    if (profile->n_protocols > PROFILE_PROTOCOLS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < profile->n_protocols; i++) {
        if (!word_known("protocols", profile->protocols[i])) {
            return false;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(profile->protocols[i], profile->protocols[k]) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool protocols_fit_subject(const struct profile *profile)
{
    bool enrols = profile_speaks(profile, "est") || profile_speaks(profile, "cmp");

    if (profile_subject_of(profile) == PROFILE_SUBJECT_OCSP ||
        profile_subject_of(profile) == PROFILE_SUBJECT_CMP) {
        return profile->n_protocols == 0;
    }
    return is_device(profile) ? enrols && !profile_speaks(profile, "rest")
                              : profile_speaks(profile, "rest") && !enrols;
}

static bool ra_fits(const struct profile *profile)
{
    return !profile->ra || is_device(profile);
}

static bool unlabelled_fits(const struct profile *profile)
{
    return !profile->unlabelled || is_device(profile);
}

static bool keygen_fits(const struct profile *profile)
{
    return !profile->server_keygen ||
           (is_device(profile) && profile_speaks(profile, "est") && !profile->no_end);
}

static bool binding_known(const struct profile *profile)
{
    return word_known("channel_binding", profile->channel_binding);
}

static bool attest_known(const struct profile *profile)
{
    return word_known("attest", profile->attest);
}

/* A device attests with its IDevID: before it has one, it cannot. */
static bool attest_fits(const struct profile *profile)
{
    return strcmp(profile->attest, "none") == 0 ||
           (is_device(profile) && strcmp(profile->enrol, "idevid") == 0);
}

static bool level_fits(const struct profile *profile)
{
    return profile->attest_level == 0 || strcmp(profile->attest, "none") != 0;
}

static bool binding_fits(const struct profile *profile)
{
    return strcmp(profile->channel_binding, "required") != 0 || profile_speaks(profile, "est");
}

/* --- times ------------------------------------------------------------------------------------ */

static bool validity_given(const struct profile *profile)
{
    return profile->no_end ? profile->validity_hours == 0 : profile->validity_hours > 0;
}

static bool overlap_fits(const struct profile *profile)
{
    return profile->overlap_hours <= profile->validity_hours;
}

static bool late_renewal_fits(const struct profile *profile)
{
    return profile->renew_expired_hours == 0 ||
           (is_device(profile) && !profile->no_end &&
            profile->renew_expired_hours <= profile->validity_hours);
}

/* --- keys and usages -------------------------------------------------------------------------- */

static bool algs_known(const struct profile *profile)
{
    return algs_of(profile) != 0;
}

static bool usage_known(const struct profile *profile)
{
    return usage_of(profile) != 0;
}

static bool no_issuing(const struct profile *profile)
{
    return (usage_of(profile) & MODEL_KU_KEY_CERT_SIGN) == 0;
}

static bool crl_sign_alone(const struct profile *profile)
{
    uint32_t usage = usage_of(profile);

    return (usage & MODEL_KU_CRL_SIGN) == 0 ||
           (usage == MODEL_KU_CRL_SIGN && profile_subject_of(profile) == PROFILE_SUBJECT_SIGNER);
}

static bool encipherment_fits(const struct profile *profile)
{
    const uint32_t rsa_only = MODEL_KU_KEY_ENCIPHERMENT | MODEL_KU_DATA_ENCIPHERMENT;

    return (usage_of(profile) & rsa_only) == 0 ||
           (algs_of(profile) & ~(uint32_t)MODEL_KEY_ALG_RSA_3072) == 0;
}

static bool agreement_fits(const struct profile *profile)
{
    return (usage_of(profile) & MODEL_KU_KEY_AGREEMENT) == 0 ||
           (algs_of(profile) & (MODEL_KEY_ALG_ED25519 | MODEL_KEY_ALG_RSA_3072)) == 0;
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

static bool ekus_fit(const struct profile *profile)
{
    return oids_fit(profile->eku, profile->n_eku, POLICY_EKU_MAX);
}

static bool has_eku(const struct profile *profile, const char *oid)
{
    for (uint32_t i = 0; i < profile->n_eku && i < PROFILE_LIST_MAX; i++) {
        if (strcmp(profile->eku[i], oid) == 0) {
            return true;
        }
    }
    return false;
}

static bool eku_names_purposes(const struct profile *profile)
{
    return !has_eku(profile, "2.5.29.37.0");
}

static bool purposes_fit_usage(const struct profile *profile)
{
    const uint32_t signs = MODEL_KU_DIGITAL_SIGNATURE, agrees = MODEL_KU_KEY_AGREEMENT;
    const struct {
        const char *purpose;
        uint32_t usages;
    } rows[] = {
        {SERVER_AUTH,         signs | agrees | MODEL_KU_KEY_ENCIPHERMENT},
        {"1.3.6.1.5.5.7.3.2", signs | agrees                            },
        {"1.3.6.1.5.5.7.3.3", signs                                     },
        {"1.3.6.1.5.5.7.3.8", signs | MODEL_KU_NON_REPUDIATION          },
        {"1.3.6.1.5.5.7.3.9", signs | MODEL_KU_NON_REPUDIATION          },
    };

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (has_eku(profile, rows[i].purpose) && !(usage_of(profile) & rows[i].usages)) {
            return false;
        }
    }
    return true;
}

static bool vouches_only_as_station(const struct profile *profile)
{
    return !has_eku(profile, "1.3.6.1.5.5.7.3.28") ||
           profile_subject_of(profile) == PROFILE_SUBJECT_STATION;
}

static bool answers_only_as_ocsp(const struct profile *profile)
{
    return has_eku(profile, "1.3.6.1.5.5.7.3.9") ==
           (profile_subject_of(profile) == PROFILE_SUBJECT_OCSP);
}

static bool answers_only_as_cmp(const struct profile *profile)
{
    return has_eku(profile, "1.3.6.1.5.5.7.3.27") ==
           (profile_subject_of(profile) == PROFILE_SUBJECT_CMP);
}

static bool policies_fit(const struct profile *profile)
{
    return oids_fit(profile->policies, profile->n_policies, KW_COUNT(profile->policies));
}

static bool status_findable(const struct profile *profile)
{
    return profile->crl_url || profile->ocsp_url || profile->ocsp_nocheck;
}

static bool nocheck_fits(const struct profile *profile)
{
    return !profile->ocsp_nocheck || profile_subject_of(profile) == PROFILE_SUBJECT_OCSP;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool san_required_fits(const struct profile *profile)
{
    return !profile->san_required || profile->san_from_request;
}

static bool servers_have_names(const struct profile *profile)
{
    return profile->san_required || (profile_subject_of(profile) != PROFILE_SUBJECT_SERVER &&
                                     !has_eku(profile, SERVER_AUTH));
}

static bool hardware_is_a_devices(const struct profile *profile)
{
    return !profile->hardware_module_name || is_device(profile);
}

/* --- subjects --------------------------------------------------------------------------------- */

static unsigned words_of_part(const struct profile *profile, uint32_t i)
{
    unsigned bits = 0;

    return kw_ok(subject_part_words(profile->subject_dn[i], &bits)) ? bits : 0;
}

static unsigned words_of_subject(const struct profile *profile)
{
    unsigned bits = 0;

    for (uint32_t i = 0; i < profile->n_subject_dn && i < SUBJECT_PARTS_MAX; i++) {
        bits |= words_of_part(profile, i);
    }
    return bits;
}

static bool subject_parts_valid(const struct profile *profile)
{
    unsigned bits = 0;

    for (uint32_t i = 0; i < profile->n_subject_dn && i < SUBJECT_PARTS_MAX; i++) {
        if (!kw_ok(subject_part_words(profile->subject_dn[i], &bits))) {
            return false;
        }
    }
    return profile->n_subject_dn <= SUBJECT_PARTS_MAX;
}

static bool subject_within_organization(const struct profile *profile)
{
    return profile->n_subject_dn > 0 && strcmp(profile->subject_dn[0], "O={organization}") == 0;
}

static bool subject_names_the_one(const struct profile *profile)
{
    return (words_of_subject(profile) &
            (is_device(profile) ? SUBJECT_ID | SUBJECT_SERIAL : SUBJECT_NAME)) != 0;
}

static bool is_type(const struct profile *profile, uint32_t i, const char *type)
{
    size_t len = strlen(type);

    return strncmp(profile->subject_dn[i], type, len) == 0 && profile->subject_dn[i][len] == '=';
}

/* How many parts of the name are of this type. */
static unsigned count_type(const struct profile *profile, const char *type)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < profile->n_subject_dn && i < SUBJECT_PARTS_MAX; i++) {
        n += is_type(profile, i, type);
    }
    return n;
}

static bool subject_types_known(const struct profile *profile)
{
    static const char *const once[] = {"C", "O", "CN", "serialNumber"};
    unsigned known = count_type(profile, "OU") + count_type(profile, "DC");

    for (size_t i = 0; i < KW_COUNT(once); i++) {
        unsigned n = count_type(profile, once[i]);
        if (n > 1) {
            return false;
        }
        known += n;
    }
    return known == profile->n_subject_dn;
}

static bool devices_have_serials(const struct profile *profile)
{
    bool by_802_1ar = strcmp(profile->key_class, "device-idevid") == 0 ||
                      strcmp(profile->key_class, "device-ldevid") == 0;

    return !by_802_1ar || count_type(profile, "serialNumber") == 1;
}

static bool subject_of_known_facts(const struct profile *profile)
{
    unsigned known = is_device(profile) ? SUBJECT_ORGANIZATION | SUBJECT_ID | SUBJECT_SERIAL |
                                              SUBJECT_PRODUCT | SUBJECT_BATCH
                                        : SUBJECT_ORGANIZATION | SUBJECT_NAME;

    return (words_of_subject(profile) & ~known) == 0;
}

#define ROW(field, holds, says, source) {(field), (holds), (says), (source)}
/* clang-format off: one law a line, or two */
const struct profile_law profile_laws[] = {
    ROW("name", name_plain, "a name has small letters, digits, '-', '_' and '.', not first a dot",
        "part of URLs (RFC 7030 section 3.2.2) and of file names"),
    ROW("ca", has_ca, "an issuing CA must be named, or \"*\" for any", "decision"),
    ROW("subject", subject_known, "the subject is none of the known ones", "decision"),
    ROW("subject_dn", subject_parts_valid, "a part is not TYPE=VALUE with known words in braces",
        "RFC 4514"),
    ROW("subject_dn", subject_within_organization,
        "every name begins with O={organization}: the CAs are constrained to it",
        "RFC 5280 section 4.2.1.10"),
    ROW("subject_dn", subject_names_the_one,
        "a device's name has its id or serial, another's has its name", "RFC 5280 section 4.1.2.6"),
    ROW("subject_dn", subject_of_known_facts,
        "devices have id, serial, product and batch, all others a name", "decision"),
    ROW("subject_dn", subject_types_known,
        "an attribute is none of C, O, OU, CN, serialNumber and DC, or there twice (OU and DC may be)",
        "X.520"),
    ROW("subject_dn", devices_have_serials,
        "a name for a key of class device-idevid or device-ldevid has a serialNumber",
        "IEEE 802.1AR-2018 clause 8.6"),
    ROW("key_class", class_known, "there is no such class of keys", "SP 800-57 part 1 section 5.3"),
    ROW("enrol", enrol_known, "no known way to enrol", "decision"),
    ROW("enrol", enrol_fits_subject,
        "devices enrol by secret or idevid, all others by none: an operator issues for them",
        "decision"),
    ROW("approval", approval_known, "the approval is neither none nor officer", "decision"),
    ROW("protocols", protocols_known, "a protocol is unknown or named twice", "decision"),
    ROW("protocols", protocols_fit_subject,
        "devices ask over est or cmp, an OCSP or CMP signer is never asked for, all others over rest",
        "decision"),
    ROW("ra", ra_fits, "a station vouches for devices only", "RFC 7030 section 3.7"),
    ROW("unlabelled", unlabelled_fits, "only devices enrol without naming a profile",
        "RFC 7030 section 3.2.2"),
    ROW("server_keygen", keygen_fits,
        "keys are made for devices over est, and not for a certificate without end",
        "RFC 7030 section 4.4"),
    ROW("channel_binding", binding_known, "the channel binding is neither none nor required",
        "decision"),
    ROW("channel_binding", binding_fits, "only requests over est carry the channel's binding",
        "RFC 7030 section 3.5"),
    ROW("attest", attest_known, "attestation is none, required or fresh", "decision"),
    ROW("attest", attest_fits, "only devices that enrol with their IDevID attest before",
        "decision"),
    ROW("attest_level", level_fits, "a level is shown by attestation only", "decision"),
    ROW("validity_hours", validity_given, "either no_end or validity_hours must be given, not both",
        "RFC 5280 section 4.1.2.5"),
    ROW("overlap_hours", overlap_fits, "the overlap is longer than the validity", "decision"),
    ROW("renew_expired_hours", late_renewal_fits,
        "only a device's certificate that ends may renew itself late, at most for its validity once more",
        "RFC 7030 section 3.3.2"),
    ROW("key_algs", algs_known, "there is no key algorithm, an unknown one, or one twice",
        "SP 800-140C"),
    ROW("key_usage", usage_known, "there is no key usage, an unknown one, or one twice",
        "RFC 5280 section 4.2.1.3"),
    ROW("key_usage", no_issuing, "keyCertSign is a CA's: without cA it MUST NOT be asserted",
        "RFC 5280 section 4.2.1.9"),
    ROW("key_usage", crl_sign_alone, "cRLSign is a signer's, and its only usage",
        "RFC 5280 section 6.3.3"),
    ROW("key_usage", encipherment_fits,
        "keyEncipherment and dataEncipherment MUST NOT stand beside an EC key",
        "RFC 8813 section 3"),
    ROW("key_usage", agreement_fits, "Ed25519 and RSA keys agree on nothing",
        "RFC 9295 section 3, RFC 3279 section 2.3.1"),
    ROW("eku", ekus_fit, "an extended key usage is no OID, there twice, or one too many",
        "RFC 5280 section 4.2.1.12"),
    ROW("eku", eku_names_purposes, "anyExtendedKeyUsage makes every other limit void",
        "RFC 5280 section 4.2.1.12"),
    ROW("eku", purposes_fit_usage, "its key usage lets it do nothing of a purpose",
        "RFC 5280 section 4.2.1.12"),
    ROW("eku", vouches_only_as_station, "id-kp-cmcRA is a station's: it may speak for every device",
        "RFC 6402 section 2.10"),
    ROW("eku", answers_only_as_ocsp, "id-kp-OCSPSigning is an OCSP signer's and no other's",
        "RFC 6960 section 4.2.2.2"),
    ROW("eku", answers_only_as_cmp, "id-kp-cmcCA is the CMP signer's and no other's",
        "RFC 9480 section 2.2"),
    ROW("policies", policies_fit, "a policy is no OID, there twice, or one too many",
        "RFC 5280 section 4.2.1.4"),
    ROW("crl_url", status_findable, "nothing says where its status can be asked",
        "RFC 5280 section 4.2.1.13"),
    ROW("ocsp_nocheck", nocheck_fits,
        "a certificate that is never checked for revocation is an OCSP signer's",
        "RFC 6960 section 4.2.2.2.1"),
    ROW("san_required", san_required_fits, "names that must be there need san_from_request",
        "decision"),
    ROW("san_required", servers_have_names, "a server is identified by its alternative names",
        "RFC 9525 section 2"),
    ROW("hardware_module_name", hardware_is_a_devices, "only devices are hardware modules",
        "RFC 4108 section 5"),
};
/* clang-format on */
const size_t profile_laws_count = KW_COUNT(profile_laws);

const struct profile_law *profile_broken(const struct profile *profile)
{
    for (size_t i = 0; i < KW_COUNT(profile_laws); i++) {
        if (!profile_laws[i].holds(profile)) {
            return &profile_laws[i];
        }
    }
    return NULL;
}
