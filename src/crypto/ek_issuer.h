/* Who issued an endorsement key's certificate, and what its maker took back. */
#ifndef CRYPTO_EK_ISSUER_H
#define CRYPTO_EK_ISSUER_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

enum { EK_SERIAL_MAX = 20, EK_TEXT_MAX = 200 };

struct ek_issuer {
    bool known;                 /* its certificate is among those that were given */
    uint8_t key[KW_HASH_BYTES]; /* then: SHA-256 of its SubjectPublicKeyInfo */
    uint8_t serial[EK_SERIAL_MAX];
    unsigned serial_len;
    /* Where no root was reached: the first CA on the way whose certificate was not given, and where
     * the certificate below it says it is (AIA caIssuers; "": nowhere). Printable. */
    char missing[EK_TEXT_MAX], url[EK_TEXT_MAX];
};
/* cas: DER certificates. KW_E_INPUT not a certificate, or its serial number is too long. */
kw_status ek_issuer_of(struct kw_op *op, struct kw_span ek_cert, const struct kw_span cas[],
                       unsigned n_cas, struct ek_issuer *ret);

struct ek_crl {
    uint8_t issuer[KW_HASH_BYTES];    /* SHA-256 of its SubjectPublicKeyInfo */
    char name[EK_TEXT_MAX];           /* of the issuer; printable */
    int64_t this_update, next_update; /* Unix seconds; next_update 0: none */
    unsigned n;
};
enum { EK_CRL_ENTRIES_MAX = 4096 };
typedef kw_status (*ek_crl_fn)(struct kw_op *op, void *ctx, const uint8_t issuer[KW_HASH_BYTES],
                               struct kw_span serial);
/**
 * Read a complete CRL (DER) that one of these CAs signed.
 * KW_E_INPUT no CRL, a delta, or one of a part only; KW_E_DENIED of none of them, or its signature
 * does not hold; KW_E_TOO_LARGE.
 */
kw_status ek_crl_read(struct kw_op *op, struct kw_span der, const struct kw_span cas[],
                      unsigned n_cas, struct ek_crl *ret);
/* Its entries, after ek_crl_read() took it. */
kw_status ek_crl_each(struct kw_op *op, struct kw_span der, const struct ek_crl *crl,
                      ek_crl_fn each, void *ctx);

#endif
