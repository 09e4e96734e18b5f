/* Certificate profiles: what a certificate of one kind looks like. Plain data, read from YAML in
 * profiles/. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/policy.h"
#include "model/subject_part.h"

enum { PROFILE_LIST_MAX = 6, PROFILE_PROTOCOLS_MAX = 3 };

/* Whose certificate it is. */
enum profile_subject {
    PROFILE_SUBJECT_DEVICE = 1,
    PROFILE_SUBJECT_SERVER,
    PROFILE_SUBJECT_OPERATOR,
    PROFILE_SUBJECT_OCSP,
    PROFILE_SUBJECT_STATION, /* vouches for devices (RFC 7030 section 3.7: an RA) */
    PROFILE_SUBJECT_GATEWAY, /* speaks for devices behind it */
    PROFILE_SUBJECT_USER,    /* a person who does not operate this server */
    PROFILE_SUBJECT_SIGNER,  /* code, CRLs */
    PROFILE_SUBJECT_SERVICE, /* a program */
    PROFILE_SUBJECT_CMP,     /* the server's signer of CMP answers */
    PROFILE_SUBJECT_BROKER   /* a message broker: follows who may connect */
};

struct profile {
    char name[KW_NAME_MAX];
    char doc[256];
    char ca[KW_NAME_MAX]; /* issuing CA's id */
    char subject[24];     /* enum profile_subject: "device", "server", "operator", … */
    /* "secret": one-time registration secret; "idevid": mTLS with that device's IDevID; "none" */
    char enrol[24];
    char approval[12]; /* "none"; "officer": an RA officer approves each enrolment */
    uint32_t n_protocols;
    char protocols[PROFILE_PROTOCOLS_MAX][8]; /* over which it is asked for: est, cmp, rest */
    bool unlabelled;                          /* an enrolment that names no profile leads to it */
    bool ra;                                  /* a station may ask for it in a device's name */
    bool server_keygen;       /* the server may make the key (RFC 7030 section 4.4) */
    char channel_binding[12]; /* "none"; "required": the request carries the channel's binding */
    char attest[12];          /* "none", "required" (trusted), "fresh" (just now, with the key) */
    uint32_t attest_level;    /* the least assurance level, 0 (AL0) to 3 (AL3) */
    uint32_t n_subject_dn;
    char subject_dn[SUBJECT_PARTS_MAX][SUBJECT_PART_MAX]; /* "O={organization}", "CN={id}" */
    char key_class[24];                                   /* model/key.h text */
    bool no_end;             /* notAfter 99991231235959Z (IEEE 802.1AR) */
    uint32_t validity_hours; /* otherwise */
    uint32_t overlap_hours;  /* how long the old certificate outlives a renewal; 0: to its end */
    uint32_t
        renew_expired_hours; /* after its end it may still renew itself for so long; 0: never */
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
    bool san_required;         /* and there must be one */
    bool crl_url, ocsp_url, ca_issuers_url; /* which pointers the certificate carries */
    bool ocsp_nocheck;
};

/* What a profile must keep to. Rows of one table; docs/PROFILES.md prints it. */
struct profile_law {
    const char *field; /* of the YAML file */
    bool (*holds)(const struct profile *profile);
    const char *says;
    const char *source; /* which standard, or which of our decisions, wants it */
};
extern const struct profile_law profile_laws[];
extern const size_t profile_laws_count;

/* What an absent field stands for: no approval, no binding, the usual name. */
void profile_fill_defaults(struct profile *profile);
/* The first law that the profile breaks; NULL: it breaks none. */
const struct profile_law *profile_broken(const struct profile *profile);
/* The i-th word that a field may have; NULL after the last, or where the field is free text. */
const char *profile_word(const char *field, size_t i);
/* May it be asked for over this protocol ("est", "cmp", "rest")? */
bool profile_speaks(const struct profile *profile, const char *protocol);

/**
 * The keeper's rule for this profile: what the CA key shall refuse to go beyond.
 * subject_within: DER prefix that every subject must have; may be empty.
 * KW_E_INPUT: it breaks a law, or the prefix is too long.
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
