/* Reading DER element by element with base/reader.h; sticky, as all its functions. For crypto/
 * only. */
#ifndef CRYPTO_DER_READ_H
#define CRYPTO_DER_READ_H

#include "base/reader.h"
#include "crypto/alg.h"

/* The contents of the next element, which must have this tag octet; its length below 2^32 and
 * minimal. */
struct kw_span der_read(struct kw_reader *r, uint8_t tag);
/* The same with its header. */
struct kw_span der_read_whole(struct kw_reader *r, uint8_t tag);
/* Is this the tag of what comes next? */
bool der_read_is(const struct kw_reader *r, uint8_t tag);
/* Contents of an OBJECT IDENTIFIER as dotted text. False where they are not minimal, where an arc
 * is above 2^31 - 1, or where the text does not fit. */
bool der_read_oid(struct kw_span oid, char *text, size_t cap);

/*
 * False for what is not of the usual form: then r is of no use any more.
 */
/* The AlgorithmIdentifier of a signature that our keys make; ret_der with its header. */
bool der_read_sig_alg(struct kw_reader *r, enum key_alg *ret, struct kw_span *ret_der);
/* The same as constant octets; empty for KEY_ALG_NONE. */
struct kw_span der_sig_alg(enum key_alg alg);
/* UTCTime through 2049, GeneralizedTime from 2050 to 9999 (RFC 5280 section 4.1.2.5). */
bool der_read_time(struct kw_reader *r, int64_t *ret_unix_s);
/* GeneralizedTime to the second, from 1970 to 9999. */
bool der_read_gentime(struct kw_reader *r, int64_t *ret_unix_s);
/* The magnitude of a positive INTEGER. */
bool der_read_positive(struct kw_reader *r, struct kw_span *ret);
/* `critical BOOLEAN DEFAULT FALSE` of an extension: absent or TRUE. */
bool der_read_critical(struct kw_reader *r, bool *ret);

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERAL_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

#endif
