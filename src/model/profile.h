/* Certificate profiles: what a certificate of one kind looks like. Plain data, read from YAML in
 * profiles/. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/policy.h"

enum { PROFILE_LIST_MAX = 6 };

/* Who may be enrolled with it, and how the first certificate is authorised. */
enum profile_subject {
    PROFILE_SUBJECT_DEVICE = 1,
    PROFILE_SUBJECT_SERVER,
    PROFILE_SUBJECT_OPERATOR,
    PROFILE_SUBJECT_OCSP
};

struct profile {
    char name[KW_NAME_MAX];
    char doc[256];
    char ca[KW_NAME_MAX]; /* issuing CA's id */
    char subject[24];     /* enum profile_subject: "device", "server", "operator", "ocsp-signer" */
    /* "secret": one-time registration secret; "idevid": mTLS with that device's IDevID; "none" */
    char enrol[24];
    char key_class[24];      /* model/key.h text */
    bool no_end;             /* notAfter 99991231235959Z (IEEE 802.1AR) */
    uint32_t validity_hours; /* otherwise */
    uint32_t overlap_hours;  /* how long the old certificate outlives a renewal; 0: to its end */
    bool same_key_renewal;   /* simplereenroll may keep the key */
    uint32_t n_key_algs;
    char key_algs[PROFILE_LIST_MAX][16];
    uint32_t n_key_usage;
    char key_usage[PROFILE_LIST_MAX][24]; /* "digitalSignature", … */
    uint32_t n_eku;
    char eku[PROFILE_LIST_MAX][POLICY_OID_MAX]; /* dotted OIDs */
    uint32_t n_policies;
    char policies[2][POLICY_OID_MAX]; /* certificatePolicies */
    bool hardware_module_name; /* SAN otherName (RFC 4108): product's hw_type, unit's serial */
    bool san_from_request;     /* servers: SAN given by the operator, within the CA's constraints */
    bool crl_url, ocsp_url, ca_issuers_url; /* which pointers the certificate carries */
    bool ocsp_nocheck;
};

/**
 * The keeper's rule for this profile: what the CA key shall refuse to go beyond.
 * subject_within: DER prefix that every subject must have; may be empty.
 * KW_E_INPUT names nothing, the caller does: unknown or repeated words, usages that do not fit the
 * keys (RFC 8813), no or contradictory validity, ocsp_nocheck for anybody but an OCSP signer, too
 * many EKUs.
 */
kw_status profile_rule(const struct profile *profile, struct kw_span subject_within,
                       struct policy_rule *ret);
/* Parts as numbers: KEY_ALG_BIT()s and KeyUsage bits (values of crypto/alg.h and crypto/cert.h).
 * KW_E_INPUT unknown word. */
kw_status profile_key_algs(const struct profile *profile, uint32_t *ret);
kw_status profile_key_usage(const struct profile *profile, uint32_t *ret);
/* 0 where the word is unknown. */
enum profile_subject profile_subject_of(const struct profile *profile);
/* notAfter for a certificate that begins at not_before. */
int64_t profile_not_after(const struct profile *profile, int64_t not_before);

#endif
