/* Certificate revocation lists (RFC 5280 section 5). */
#ifndef CRYPTO_CRL_H
#define CRYPTO_CRL_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/privkey.h"

struct crl_entry {
    struct kw_span serial;
    int64_t revoked_unix;
    int reason; /* RFC 5280 CRLReason; 0 (unspecified) leaves the extension out; 8 in deltas only */
};

/* The part of the issuer's certificates that a list speaks of (issuingDistributionPoint, section
 * 5.2.5): those whose distribution point is this URL. */
enum { KW_CRL_URL_MAX = 224 };
struct crl_scope {
    char url[KW_CRL_URL_MAX]; /* as in their cRLDistributionPoints; "": all */
    bool only_users;          /* onlyContainsUserCerts */
    bool only_cas;            /* onlyContainsCACerts */
};

struct crl_spec {
    struct kw_span issuer_dn;         /* DER */
    const struct pubkey *issuer_key;  /* AKI */
    uint64_t number;                  /* CRLNumber, strictly increasing for issuer and scope */
    int64_t this_update, next_update; /* Unix seconds */
    const struct crl_scope *scope;    /* NULL: all that the issuer issues, no extension */
    uint64_t base_number;  /* of the complete list that this delta is to; 0: a complete list */
    const char *delta_url; /* freshestCRL of a complete list: where its deltas are; or NULL */
    /* One entry a call, serial numbers strictly ascending as numbers, until *ret_more is false; the
     * span may be reused by the next call. */
    kw_status (*next)(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more);
    void *ctx;
};

/**
 * Build and sign; revokedCertificates is absent where there is none. A remote key gets the DER
 * TBSCertList. Takes the list's size in memory; docs/BENCH.md says how long.
 * Errors: KW_E_INPUT cannot be encoded (reasons 7 and, in a complete list, 8 too), serial numbers
 *         that do not ascend, or another issuer key than the one that signs; KW_E_TOO_LARGE over
 *         KW_CRL_MAX; those of next() and of the sign function.
 */
kw_status crl_build(struct kw_op *op, const struct crl_spec *spec, const struct privkey *issuer,
                    struct kw_bytes **ret);

struct crl; /* parsed */
/* Strict DER. KW_E_INPUT also for a serial number that is listed twice. */
kw_status crl_parse(struct kw_op *op, struct kw_span der, struct crl **ret);
/* A DER TBSCertList as a CRL with an empty signature; also refuses one without nextUpdate. */
kw_status crl_parse_tbs(struct kw_op *op, struct kw_span tbs, struct crl **ret);
void crl_free(struct crl *crl);
KW_OWNED(crl, struct crl, crl_free)

struct kw_span crl_issuer(const struct crl *crl);
struct kw_span crl_aki(const struct crl *crl);
int64_t crl_this_update(const struct crl *crl);
int64_t crl_next_update(const struct crl *crl);        /* 0 = absent */
bool crl_number(const struct crl *crl, uint64_t *ret); /* false: absent, or above 64 bits */
enum key_alg crl_sig_alg(const struct crl *crl);
unsigned crl_version(const struct crl *crl); /* 2 for v2 */
/* Any list extension but AKI, CRLNumber and the three of struct crl_spec as crl_build() writes
 * them. */
bool crl_has_unknown_ext(const struct crl *crl);
const struct crl_scope *crl_scope_of(const struct crl *crl); /* NULL: all of the issuer's */
uint64_t crl_base_number(const struct crl *crl);             /* 0: a complete list */
const char *crl_delta_url(const struct crl *crl);            /* NULL: none told */
size_t crl_count(const struct crl *crl);
/* Below crl_count(), as serial numbers ascend; the span lives as long as the list. */
void crl_entry_at(const struct crl *crl, size_t i, struct crl_entry *ret);
/* KW_OK listed (reason and time set), KW_E_NOT_FOUND not listed. */
kw_status crl_find(const struct crl *crl, struct kw_span serial, int *ret_reason,
                   int64_t *ret_unix);
kw_status crl_verify_signature(struct kw_op *op, const struct crl *crl,
                               const struct pubkey *issuer);

#endif
