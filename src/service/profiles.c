#include "service/profiles.h"

#include "codec/yaml.h"
#include "os/files.h"

enum { PROFILE_FILE_MAX = 16384 };

static const struct codec_field profile_fields[] = {
    FIELD_STRING("name", struct profile, name, CODEC_REQUIRED, "what it is called"),
    FIELD_STRING("doc", struct profile, doc, 0, "what it is for"),
    FIELD_STRING("ca", struct profile, ca, CODEC_REQUIRED, "issuing CA; \"*\" for any"),
    FIELD_STRING("subject", struct profile, subject, CODEC_REQUIRED,
                 "device, server, operator, ocsp-signer"),
    FIELD_STRING("enrol", struct profile, enrol, CODEC_REQUIRED, "secret, idevid, none"),
    FIELD_STRING("key_class", struct profile, key_class, CODEC_REQUIRED, "class of the key"),
    FIELD_BOOL("no_end", struct profile, no_end, 0, "notAfter 99991231235959Z (IEEE 802.1AR)"),
    FIELD_INT("validity_hours", struct profile, validity_hours, 0, 0, 876000, "validity"),
    FIELD_INT("overlap_hours", struct profile, overlap_hours, 0, 0, 87600,
              "how long a replaced certificate stays valid"),
    FIELD_BOOL("same_key_renewal", struct profile, same_key_renewal, 0, "renewal may keep the key"),
    FIELD_STRINGS("key_algs", struct profile, key_algs, n_key_algs, CODEC_REQUIRED,
                  "key algorithms taken"),
    FIELD_STRINGS("key_usage", struct profile, key_usage, n_key_usage, CODEC_REQUIRED, "KeyUsage"),
    FIELD_STRINGS("eku", struct profile, eku, n_eku, 0, "extended key usage, dotted OIDs"),
    FIELD_STRINGS("policies", struct profile, policies, n_policies, 0,
                  "certificate policies, dotted OIDs"),
    FIELD_BOOL("hardware_module_name", struct profile, hardware_module_name, 0,
               "SAN hardwareModuleName (RFC 4108)"),
    FIELD_BOOL("san_from_request", struct profile, san_from_request, 0,
               "names given by the operator"),
    FIELD_BOOL("crl_url", struct profile, crl_url, 0, "carries the CRL's place"),
    FIELD_BOOL("ocsp_url", struct profile, ocsp_url, 0, "carries the OCSP responder's place"),
    FIELD_BOOL("ca_issuers_url", struct profile, ca_issuers_url, 0,
               "carries the issuer certificate's place"),
    FIELD_BOOL("ocsp_nocheck", struct profile, ocsp_nocheck, 0, "id-pkix-ocsp-nocheck"),
};

struct loading {
    const char *dir;
    struct bound_profile *ret;
    unsigned max, n;
};

static bool is_enrol(const char *text)
{
    return strcmp(text, "secret") == 0 || strcmp(text, "idevid") == 0 || strcmp(text, "none") == 0;
}

static kw_status check(struct kw_op *op, const struct profile *profile)
{
    uint32_t bits = 0;

    TRY(op, profile_key_algs(profile, &bits), "key_algs");
    TRY(op, profile_key_usage(profile, &bits), "key_usage");
    ENSURE(op, key_class_from_text(profile->key_class) != KEY_CLASS_NONE, KW_E_INPUT,
           "no key class '%s'", profile->key_class);
    ENSURE(op, profile->no_end || profile->validity_hours > 0, KW_E_INPUT,
           "neither no_end nor validity_hours");
    ENSURE(op, profile_subject_of(profile) != 0, KW_E_INPUT, "no subject '%s'", profile->subject);
    ENSURE(op, is_enrol(profile->enrol), KW_E_INPUT, "no way to enrol '%s'", profile->enrol);
    return KW_OK;
}

static kw_status refuse_twice(struct kw_op *op, const struct loading *loading,
                              const struct profile *profile)
{
    for (unsigned i = 0; i < loading->n; i++) {
        ENSURE(op, strcmp(loading->ret[i].data.name, profile->name) != 0, KW_E_INPUT,
               "another file has a profile '%s' too", profile->name);
    }
    return KW_OK;
}

static kw_status load_one(struct kw_op *op, const char *name, void *ctx)
{
    struct loading *loading = ctx;
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, loading->n < loading->max, KW_E_LIMIT, "more than %u profiles", loading->max);
    struct profile *profile = &loading->ret[loading->n].data;
    TRY(op, os_path_join(op, path, sizeof(path), loading->dir, name));
    TRY(op, os_file_read(op, path, PROFILE_FILE_MAX, &text));
    TRY(op,
        codec_yaml_decode(op, kw_bytes_span(text), profile_fields, KW_COUNT(profile_fields),
                          profile),
        "%s", path);
    TRY(op, check(op, profile), "%s", path);
    TRY(op, refuse_twice(op, loading, profile), "%s", path);
    loading->n++;
    return KW_OK;
}

kw_status profiles_load(struct kw_op *op, const char *dir, struct bound_profile *ret, unsigned max,
                        unsigned *ret_n)
{
    struct loading loading = {.dir = dir, .ret = ret, .max = max};

    TRY(op, os_dir_each(op, dir, ".yaml", load_one, &loading), "reading profiles");
    ENSURE(op, loading.n > 0, KW_E_NOT_FOUND, "no profile in %s", dir);
    *ret_n = loading.n;
    return KW_OK;
}
