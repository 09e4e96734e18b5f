/* Shared by the parts of crypto/cmp.h: object identifiers by their octets, and small readers. */
#ifndef CRYPTO_CMP_INTERNAL_H
#define CRYPTO_CMP_INTERNAL_H

#include "crypto/cmp.h"
#include "crypto/der_read.h"
#include "crypto/der_write.h"

/* Context tags: constructed, and primitive. */
#define CMP_TAG(n) ((uint8_t)(0xa0 | (n)))
#define CMP_TAG_PLAIN(n) ((uint8_t)(0x80 | (n)))
enum { CMP_NULL_TAG = 0x05, CMP_ENUMERATED_TAG = 0x0a };

#define CMP_OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}
/* id-it and id-regCtrl of RFC 9810 and RFC 4211: one arc behind the prefix. */
#define CMP_IT(n) CMP_OCTETS("\x2b\x06\x01\x05\x05\x07\x04" n)
#define CMP_REG_CTRL(n) CMP_OCTETS("\x2b\x06\x01\x05\x05\x07\x05\x01" n)

/* A whole number of at most eight octets. Rejects others. */
int64_t cmp_read_int(struct kw_reader *r, uint8_t tag);
/* The magnitude of a positive INTEGER. */
struct kw_span cmp_read_magnitude(struct kw_reader *r, uint8_t tag);
/* GeneralizedTime (or UTCTime) to the second. */
int64_t cmp_read_time(struct kw_reader *r);
/* The one element of a SEQUENCE OF, contents of the SEQUENCE that it is. */
struct kw_reader cmp_read_only(struct kw_span content);
/* Whole next element, whatever its tag. */
struct kw_span cmp_read_any(struct kw_reader *r);

/* Fields of a CertTemplate (RFC 4211 section 5). */
struct cmp_template {
    struct kw_span serial, issuer, subject, key; /* magnitude, DER Names, contents of the SPKI */
    bool other;                                  /* signingAlg, UIDs: an issuer's alone */
};
void cmp_template_read(struct kw_reader *r, struct cmp_template *ret);

/* The code of a protected part under the MAC of this AlgorithmIdentifier; room of CMP_MAC_MAX. */
kw_status cmp_compute_mac(struct kw_op *op, struct kw_span alg, struct kw_span part,
                          const struct kw_secret *secret, struct kw_out *ret);

#endif
