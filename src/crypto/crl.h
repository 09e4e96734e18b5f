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
    int reason; /* RFC 5280 CRLReason; 0 (unspecified) leaves the extension out */
};

struct crl_spec {
    struct kw_span issuer_dn;         /* DER */
    const struct pubkey *issuer_key;  /* AKI */
    uint64_t number;                  /* CRLNumber, strictly increasing for the issuer's life */
    int64_t this_update, next_update; /* Unix seconds */
    /* One entry a call, until *ret_more is false; the span may be reused by the next call. */
    kw_status (*next)(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more);
    void *ctx;
};

/**
 * Build and sign; revokedCertificates is absent where there is none. A remote key gets the DER
 * TBSCertList. Takes about a second and three times the list's size per million entries.
 * Errors: KW_E_INPUT cannot be encoded (reasons 7 and 8 too), or another issuer key than the one
 *         that signs; KW_E_TOO_LARGE over KW_CRL_MAX; those of next() and of the sign function.
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
unsigned crl_version(const struct crl *crl);     /* 2 for v2 */
bool crl_has_unknown_ext(const struct crl *crl); /* any list extension but AKI and CRLNumber */
size_t crl_count(const struct crl *crl);
/* KW_OK listed (reason and time set), KW_E_NOT_FOUND not listed. */
kw_status crl_find(const struct crl *crl, struct kw_span serial, int *ret_reason,
                   int64_t *ret_unix);
kw_status crl_verify_signature(struct kw_op *op, const struct crl *crl,
                               const struct pubkey *issuer);

#endif
