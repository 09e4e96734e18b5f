#include "service/profiles.h"

#include "codec/yaml.h"
#include "os/files.h"

enum { PROFILE_FILE_MAX = 16384 };

const struct codec_field profile_fields[] = {
    FIELD_STRING("name", struct profile, name, CODEC_REQUIRED, "what it is called, its EST label"),
    FIELD_STRING("doc", struct profile, doc, 0, "what it is for"),
    FIELD_STRING("ca", struct profile, ca, CODEC_REQUIRED, "issuing CA; \"*\" for any"),
    FIELD_STRING("subject", struct profile, subject, CODEC_REQUIRED, "whose certificate it is"),
    FIELD_STRING("enrol", struct profile, enrol, CODEC_REQUIRED,
                 "proof for the first certificate: a one-time secret, or the IDevID; none where an "
                 "operator issues"),
    FIELD_STRING("approval", struct profile, approval, 0,
                 "officer: an RA officer approves each enrolment; none where absent"),
    FIELD_STRINGS("protocols", struct profile, protocols, n_protocols, 0,
                  "over which it may be asked for"),
    FIELD_BOOL("unlabelled", struct profile, unlabelled, 0,
               "an enrolment that names no profile (EST without a label) leads to it"),
    FIELD_BOOL("ra", struct profile, ra, 0, "a station may ask for it in a device's name"),
    FIELD_BOOL("server_keygen", struct profile, server_keygen, 0, "the server may make the key"),
    FIELD_STRING("channel_binding", struct profile, channel_binding, 0,
                 "required: the request must carry the TLS channel's binding; none where absent"),
    FIELD_STRING("attest", struct profile, attest, 0,
                 "required: only a device whose attestation is trusted gets it; fresh: and whose "
                 "last good round is just over, in which its TPM certified the key; none where "
                 "absent"),
    FIELD_INT("attest_level", struct profile, attest_level, 0, 0, 3,
              "the least assurance level of such a device: 3 where it must have a TPM; 0 where "
              "absent"),
    FIELD_STRINGS("subject_dn", struct profile, subject_dn, n_subject_dn, 0,
                  "the name, a TYPE=VALUE an attribute; {organization} and what the registry knows "
                  "of the one in braces. Absent: O, serialNumber and CN of a device, O and CN of "
                  "all others"),
    FIELD_STRING("key_class", struct profile, key_class, CODEC_REQUIRED, "class of the key"),
    FIELD_BOOL("no_end", struct profile, no_end, 0, "notAfter 99991231235959Z (IEEE 802.1AR)"),
    FIELD_INT("validity_hours", struct profile, validity_hours, 0, 0, 876000, "validity"),
    FIELD_INT("overlap_hours", struct profile, overlap_hours, 0, 0, 87600,
              "how long a replaced certificate stays valid; 0: to its end"),
    FIELD_INT("renew_expired_hours", struct profile, renew_expired_hours, 0, 0, 87600,
              "how long after its end a certificate may still authenticate its own renewal; 0: "
              "never"),
    FIELD_BOOL("same_key_renewal", struct profile, same_key_renewal, 0, "renewal may keep the key"),
    FIELD_STRINGS("key_algs", struct profile, key_algs, n_key_algs, CODEC_REQUIRED,
                  "key algorithms taken"),
    FIELD_STRINGS("key_usage", struct profile, key_usage, n_key_usage, CODEC_REQUIRED, "KeyUsage"),
    FIELD_STRINGS("eku", struct profile, eku, n_eku, 0, "extended key usage, dotted OIDs"),
    FIELD_STRINGS("policies", struct profile, policies, n_policies, 0,
                  "certificate policies, dotted OIDs"),
    FIELD_BOOL("hardware_module_name", struct profile, hardware_module_name, 0,
               "SAN hardwareModuleName (RFC 4108): the product's hw_type, the unit's serial"),
    FIELD_BOOL("san_from_request", struct profile, san_from_request, 0,
               "names given by the operator, within the CA's constraints"),
    FIELD_BOOL("san_required", struct profile, san_required, 0, "at least one name must be given"),
    FIELD_BOOL("crl_url", struct profile, crl_url, 0, "carries the CRL's place"),
    FIELD_BOOL("ocsp_url", struct profile, ocsp_url, 0, "carries the OCSP responder's place"),
    FIELD_BOOL("ca_issuers_url", struct profile, ca_issuers_url, 0,
               "carries the issuer certificate's place"),
    FIELD_BOOL("ocsp_nocheck", struct profile, ocsp_nocheck, 0, "id-pkix-ocsp-nocheck"),
};
const size_t profile_fields_count = KW_COUNT(profile_fields);

struct loading {
    const char *dir;
    struct bound_profile *ret;
    unsigned max, n;
};

static kw_status check(struct kw_op *op, struct kw_span text, const struct profile *profile)
{
    const struct profile_law *broken = profile_broken(profile);

    return broken ? codec_yaml_refuse(op, text, broken->field, broken->says, broken->source)
                  : KW_OK;
}

static bool share_a_protocol(const struct profile *a, const struct profile *b)
{
    for (uint32_t i = 0; i < a->n_protocols; i++) {
        if (profile_speaks(b, a->protocols[i])) {
            return true;
        }
    }
    return false;
}

/* Which of two it would be, files' names would decide. */
static kw_status refuse_ambiguous(struct kw_op *op, const struct loading *loading,
                                  const struct profile *profile)
{
    for (unsigned i = 0; i < loading->n; i++) {
        const struct profile *other = &loading->ret[i].data;
        ENSURE(op,
               !profile->unlabelled || !other->unlabelled ||
                   strcmp(profile->enrol, other->enrol) != 0 || !share_a_protocol(profile, other),
               KW_E_INPUT,
               "unlabelled: an enrolment without a label, by the same proof, leads to profile '%s' "
               "already",
               other->name);
    }
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
    profile_fill_defaults(profile);
    TRY(op, check(op, kw_bytes_span(text), profile), "%s", path);
    TRY(op, refuse_twice(op, loading, profile), "%s", path);
    TRY(op, refuse_ambiguous(op, loading, profile), "%s", path);
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
