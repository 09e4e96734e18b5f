/*
 * The policy that is sealed with a backend key and enforced by the process that holds it.
 * Encoded form (docs/protocol/keeper.md) is the associated data of the sealed key: altering it
 * makes the key unreadable.
 */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/key.h"

enum { POLICY_RULES_MAX = 16, POLICY_EKU_MAX = 4, POLICY_OID_MAX = 48, POLICY_ENCODED_MAX = 15872 };
enum {
    POLICY_SCOPES_MAX = 8,
    POLICY_SCOPE_MAX = 128,
    POLICY_ROLE_MAX = 16,
    POLICY_PATTERN_MAX = 64
};

/* SAN kinds a rule lets through (bits). */
enum policy_san { POLICY_SAN_DNS = 1, POLICY_SAN_IP = 2, POLICY_SAN_URI = 4, POLICY_SAN_HW = 8 };

/* One kind of certificate that a CA key may sign; named after the profile it was made from. */
struct policy_rule {
    char name[KW_NAME_MAX];
    uint8_t is_ca; /* 1: a sub-CA, then path_len is the most it may have */
    uint8_t path_len;
    /* notAfter - notBefore at most; 0: notAfter must be exactly 99991231235959Z */
    int64_t max_validity_s;
    /* notBefore may lie at most so far before the keeper's clock (and 300 s after it) */
    uint32_t max_backdate_s;
    uint32_t key_algs;     /* KEY_ALG_BIT()s (crypto/alg.h) that the subject's key may have */
    uint32_t key_usage;    /* exactly this (crypto/cert.h enum cert_key_usage) */
    uint32_t ext_required; /* crypto/cert.h enum cert_ext bits */
    uint32_t ext_allowed;  /* a superset of ext_required; anything else present is refused */
    uint32_t san_kinds;    /* enum policy_san */
    uint8_t key_birth;     /* 1: the keeper makes keys for such certificates (KEY_BIRTH) */
    uint32_t n_eku;
    char eku[POLICY_EKU_MAX][POLICY_OID_MAX]; /* exactly this set, dotted OIDs */
    uint8_t subject_within[KW_DN_MAX]; /* DER: the subject must begin with these RDNs; empty: any */
    uint32_t subject_within_len;
};

/* When a new key becomes active. */
enum policy_activate {
    POLICY_ACTIVATE_AT_ONCE = 0,
    POLICY_ACTIVATE_AT_NOT_BEFORE = 1, /* by time alone */
    POLICY_ACTIVATE_BY_HAND = 2,       /* by KEY_STEP, inside the period */
    POLICY_ACTIVATE_MAX
};

struct key_policy {
    char key_id[KW_NAME_MAX];
    enum key_class class_;
    uint32_t alg;       /* enum key_alg of crypto/alg.h; KEY_ALG_SECRET_256 where symmetric */
    int64_t not_before; /* originator-usage period, Unix seconds: refused to sign outside */
    int64_t not_after;
    /* Recipient-usage period: until then a deactivated key still reads what it protected (unwrap,
     * verify; a CA: CRLs). 0: none; otherwise not before not_after */
    int64_t processing_until;
    uint64_t usage_max;       /* uses in all; 0: no limit */
    uint32_t rate_per_minute; /* uses; 0: no limit */
    uint32_t overlap_s;       /* after a rotation both keys are active for so long */
    uint8_t activate;         /* enum policy_activate */
    uint8_t escrow;           /* 1: a backup may hold its secret part; never a signing key's */
    /* "ca-devices", 3 for the key "ca-devices.3"; the first's id is its lineage. "", 0: not of a
     * line yet (the keeper makes it the first of its own) */
    char lineage[KW_NAME_MAX];
    uint32_t generation;
    uint8_t issuer_dn[KW_DN_MAX]; /* CA and OCSP: DER name of the CA; CMP: its own, as sender */
    uint32_t issuer_dn_len;
    /* SHA-1 of the BIT STRING of the CA's key. OCSP signer: the CA it answers for; CA: filled by
     * the keeper */
    uint8_t ca_key_sha1[20];
    uint8_t ca_key_sha256[32];    /* the same with SHA-256, for SHA-256 CertIDs */
    int64_t crl_max_s;            /* CA: nextUpdate - thisUpdate at most */
    int64_t ocsp_max_s;           /* OCSP signer: the same for single responses */
    char log_origin[KW_NAME_MAX]; /* log signer: first line of every checkpoint */
    uint32_t n_rules;
    struct policy_rule rules[POLICY_RULES_MAX];
    char tuf_role[POLICY_ROLE_MAX]; /* TUF role key: "root", "targets", "snapshot", "timestamp" */
    int64_t tuf_max_s;              /* its metadata expires at most so long after it is signed */
    char
        fw_version[POLICY_PATTERN_MAX]; /* firmware signer: versions (version_pattern.h); "": any */
    /* Firmware signer: its one product; master key: what labels of derived keys begin with; CA:
     * what URLs of its CRLs' distribution points begin with (none: no such CRLs). */
    uint32_t n_scopes;
    char scopes[POLICY_SCOPES_MAX][POLICY_SCOPE_MAX];
};

/* Appends. KW_E_TOO_LARGE (room of POLICY_ENCODED_MAX always suffices); KW_E_INPUT a member is out
 * of range. */
kw_status policy_encode(const struct key_policy *policy, struct kw_out *out);
/* Strict: KW_E_INPUT for anything that policy_encode() would not have written. */
kw_status policy_decode(struct kw_span encoded, struct key_policy *ret);
/* Id of a line's n-th key: "ca-devices", "ca-devices.2", … False where it is too long or n is 0. */
bool policy_key_id(const char *lineage, uint32_t generation, char ret[KW_NAME_MAX]);
/* NULL where there is none. */
const struct policy_rule *policy_rule_find(const struct key_policy *policy, const char *name);
/* Do they say the same? */
bool policy_rule_equal(const struct policy_rule *a, const struct policy_rule *b);
/* A dotted OID of at least two arcs, below POLICY_OID_MAX octets, no leading zeros. */
bool policy_oid_valid(const char *oid);

#endif
