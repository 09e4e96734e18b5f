/* Certificate profiles: what a certificate of one kind looks like. Data from profiles/*.yaml; plain struct here. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/policy.h"

enum { PROFILE_LIST_MAX = 6 };

/* Who may be enrolled with it, and how the first certificate is authorised. */
enum profile_subject { PROFILE_SUBJECT_DEVICE = 1, PROFILE_SUBJECT_SERVER, PROFILE_SUBJECT_OPERATOR, PROFILE_SUBJECT_OCSP };

struct profile {
    char name[KW_NAME_MAX];
    char doc[256];
    char ca[KW_NAME_MAX];          /* issuing CA's id */
    char subject[24];              /* "device", "server", "operator", "ocsp-signer": enum profile_subject as text */
    char enrol[24];                /* "secret": one-time registration secret; "idevid": mTLS with that device's IDevID; "none" */
    char key_class[24];            /* model/key.h text */
    bool no_end;                   /* notAfter 99991231235959Z (IEEE 802.1AR) */
    uint32_t validity_hours;       /* otherwise */
    uint32_t overlap_hours;        /* after a renewal the old certificate stays valid at most so long; 0: until it ends */
    bool same_key_renewal;         /* simplereenroll may keep the key */
    uint32_t n_key_algs;
    char key_algs[PROFILE_LIST_MAX][16];
    uint32_t n_key_usage;
    char key_usage[PROFILE_LIST_MAX][24];   /* "digitalSignature", … */
    uint32_t n_eku;
    char eku[PROFILE_LIST_MAX][POLICY_OID_MAX]; /* dotted OIDs */
    uint32_t n_policies;
    char policies[2][POLICY_OID_MAX]; /* certificatePolicies */
    bool hardware_module_name;     /* SAN otherName (RFC 4108) from the product's hw_type and the unit's serial */
    bool san_from_request;         /* server profiles: SAN given by the operator, checked against the CA's constraints */
    bool crl_url, ocsp_url, ca_issuers_url; /* which pointers the certificate carries */
    bool ocsp_nocheck;
};

/**
 * The keeper's rule for this profile: what the CA key shall refuse to go beyond.
 * subject_within: DER prefix that every subject must have. KW_E_INPUT names nothing; the caller does.
 */
kw_status profile_rule(const struct profile *profile, struct kw_span subject_within, struct policy_rule *ret);
/* Parts as numbers: KEY_ALG_BIT()s and KeyUsage bits (values of crypto/alg.h and crypto/cert.h). KW_E_INPUT unknown word. */
kw_status profile_key_algs(const struct profile *profile, uint32_t *ret);
kw_status profile_key_usage(const struct profile *profile, uint32_t *ret);
/* notAfter for a certificate that begins at not_before. */
int64_t profile_not_after(const struct profile *profile, int64_t not_before);

#endif
