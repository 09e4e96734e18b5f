#include "service/authority/lint.h"

#include <string.h>

#include "base/time.h"
#include "crypto/cert_lint.h"
#include "crypto/dn.h"
#include "model/key.h"

struct lint_case {
    const struct cert *cert;
    const struct profile *profile;
};

static bool usage_of_profile(const struct lint_case *c)
{
    uint32_t usage = 0;

    return kw_ok(profile_key_usage(c->profile, &usage)) && cert_key_usage(c->cert) == usage;
}

static bool key_of_profile(const struct lint_case *c)
{
    uint32_t algs = 0;

    return kw_ok(profile_key_algs(c->profile, &algs)) &&
           (algs & KEY_ALG_BIT(pubkey_alg(cert_public(c->cert))));
}

static bool eku_of_profile(const struct lint_case *c)
{
    if (cert_eku_count(c->cert) != c->profile->n_eku) {
        return false;
    }
    for (unsigned i = 0; i < c->profile->n_eku; i++) {
        if (strcmp(cert_eku(c->cert, i), c->profile->eku[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool ends_as_profile(const struct lint_case *c)
{
    return cert_not_after(c->cert) <= profile_not_after(c->profile, cert_not_before(c->cert)) &&
           (cert_not_after(c->cert) == KW_TIME_NEVER) == c->profile->no_end;
}

static bool pointers_of_profile(const struct lint_case *c)
{
    const struct profile *profile = c->profile;
    unsigned ext = cert_ext_present(c->cert);

    return ((ext & CERT_EXT_CRL_DP) != 0) == profile->crl_url &&
           ((ext & CERT_EXT_AIA) != 0) == (profile->ocsp_url || profile->ca_issuers_url) &&
           ((ext & CERT_EXT_OCSP_NOCHECK) != 0) == profile->ocsp_nocheck;
}

/* hardwareModuleName exactly where the profile has it; other names only from requests. */
static bool names_of_profile(const struct lint_case *c)
{
    unsigned hw = 0;

    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        hw += strncmp(cert_san(c->cert, i), "hw:", 3) == 0;
    }
    return (hw == 1) == c->profile->hardware_module_name &&
           (c->profile->san_from_request || cert_san_count(c->cert) == hw);
}

static bool is_device(const struct lint_case *c)
{
    enum key_class class_ = key_class_from_text(c->profile->key_class);

    return class_ == KEY_CLASS_DEVICE_IDEVID || class_ == KEY_CLASS_DEVICE_LDEVID;
}

static bool device_has_serial(const struct lint_case *c)
{
    char serial[KW_NAME_MAX];

    return !is_device(c) ||
           (kw_ok(dn_get(NULL, cert_subject(c->cert), "serialNumber", serial, sizeof(serial))) &&
            *serial);
}

static bool idevid_signs_only(const struct lint_case *c)
{
    return key_class_from_text(c->profile->key_class) != KEY_CLASS_DEVICE_IDEVID ||
           !(cert_key_usage(c->cert) &
             ~(unsigned)(CERT_KU_DIGITAL_SIGNATURE | CERT_KU_KEY_ENCIPHERMENT));
}

static bool leaf(const struct lint_case *c)
{
    return !cert_is_ca(c->cert);
}

/* clang-format off */
static const struct {
    const char *name, *source;
    bool (*holds)(const struct lint_case *c);
    const char *says;
} lints[] = {
    {"leaf",             "the profile",             leaf,                "it is a CA's"},
    {"profile-key",      "the profile",             key_of_profile,      "its kind of key is not the profile's"},
    {"profile-usage",    "the profile",             usage_of_profile,    "its key usage is not the profile's"},
    {"profile-eku",      "the profile",             eku_of_profile,      "its purposes are not the profile's"},
    {"profile-end",      "the profile",             ends_as_profile,     "it ends later than the profile says"},
    {"profile-pointers", "the profile",             pointers_of_profile, "it says otherwise than the profile where its status can be asked"},
    {"profile-names",    "the profile",             names_of_profile,    "it has alternative names that the profile has not, or lacks one"},
    {"device-serial",    "IEEE 802.1AR-2018 clause 8.6", device_has_serial, "a device without serialNumber in its subject"},
    {"idevid-usage",     "IEEE 802.1AR-2018 clause 8", idevid_signs_only, "an IDevID for more than signing and key transport"},
};
/* clang-format on */

kw_status lint_before_signing(struct kw_op *op, struct kw_span tbs, void *ctx)
{
    const struct lint_subject *subject = ctx;
    AUTO(cert) *cert = NULL;

    TRY(op, cert_parse_tbs(op, tbs, &cert));
    struct cert_lint_case by_standard = {.cert = cert, .issuer = subject->issuer};
    struct lint_case by_profile = {.cert = cert, .profile = subject->profile};
    unsigned broken = cert_lint_next(&by_standard, 0);
    ENSURE(op, broken == cert_lints_n, KW_E_INTERNAL, "%s (rule %s, %s)", cert_lints[broken].says,
           cert_lints[broken].name, cert_lints[broken].source);
    for (unsigned i = 0; i < KW_COUNT(lints); i++) {
        ENSURE(op, lints[i].holds(&by_profile), KW_E_INTERNAL, "%s (rule %s, %s)", lints[i].says,
               lints[i].name, lints[i].source);
    }
    return KW_OK;
}
