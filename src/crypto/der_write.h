/* Writing DER element by element; sticky: write everything, then ask der_written(). For crypto/
 * only. */
#ifndef CRYPTO_DER_WRITE_H
#define CRYPTO_DER_WRITE_H

#include "crypto/der_read.h"

struct der_writer {
    struct kw_bytes *into;
    bool failed;
};

struct der_writer der_writer_of(struct kw_bytes *into);
/* Begin an element of this tag octet; what is written until der_close() becomes its contents. */
size_t der_open(struct der_writer *w, uint8_t tag);
void der_close(struct der_writer *w, size_t at);
/* A whole element with these contents. */
void der_put(struct der_writer *w, uint8_t tag, struct kw_span contents);
/* Octets as they are: elements that are encoded already. */
void der_copy(struct der_writer *w, struct kw_span octets);
void der_put_int(struct der_writer *w, int64_t value);
/* An INTEGER from its big-endian magnitude. */
void der_put_magnitude(struct der_writer *w, struct kw_span magnitude);
/* A BIT STRING without unused bits. */
void der_put_bits(struct der_writer *w, struct kw_span octets);
/* A GeneralizedTime to the second. */
void der_put_time(struct der_writer *w, int64_t unix_s);
/* KW_E_MEMORY, KW_E_INTERNAL (a time that has no form). */
kw_status der_written(const struct der_writer *w);

#endif
