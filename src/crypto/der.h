/*
 * DER (X.690) around OpenSSL's ASN.1 templates: strictness, times, text. For crypto/ only.
 * OpenSSL decodes BER; what we trust, compare or hash must have one encoding only.
 */
#ifndef CRYPTO_DER_H
#define CRYPTO_DER_H

#include <openssl/asn1t.h>

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/openssl.h"

/**
 * Exactly one DER element, nothing behind it: definite and minimal lengths, minimal tags, integers
 * and OIDs, normal booleans, zero padding bits, SETs in order, at most DER_DEPTH_MAX deep. Octet
 * strings are not looked into.
 */
bool der_is_strict(struct kw_span der);
enum { DER_DEPTH_MAX = 24 }; /* a certificate needs 10 */

/* The octets of a string type, borrowed. */
struct kw_span der_string(const ASN1_STRING *string);
/* The element at the start of *rest, with its header; *rest moves behind it. False where there is
 * none. */
bool der_take(struct kw_span *rest, struct kw_span *ret);
/* The contents of an element of this universal tag that fills `der` exactly. */
bool der_contents(struct kw_span der, int tag, struct kw_span *ret);

/**
 * Decode an item that is strict DER and encodes to the same octets again, so that explicit defaults
 * are refused too. *ret is a fresh object for ASN1_item_free(). KW_E_INPUT.
 */
kw_status der_decode(struct kw_op *op, const ASN1_ITEM *item, struct kw_span der, const char *what,
                     void *ret);
/* Append the encoding of an object. KW_E_INTERNAL. */
kw_status der_encode(struct kw_op *op, const ASN1_ITEM *item, const void *object,
                     struct kw_bytes *into);
/* Append the header of an element whose contents have len octets. */
kw_status der_header(struct kw_bytes *into, bool constructed, size_t len, int tag, int class_);

/* UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). KW_E_INPUT out of
 * range. */
kw_status der_time_set(struct kw_op *op, ASN1_TIME *time, int64_t unix_s);
/* GeneralizedTime to the second (OCSP). */
kw_status der_gentime_set(struct kw_op *op, ASN1_GENERALIZEDTIME *time, int64_t unix_s);
/* Only YYMMDDHHMMSSZ and YYYYMMDDHHMMSSZ. KW_E_INPUT. */
kw_status der_time_get(struct kw_op *op, const ASN1_TIME *time, int64_t *ret_unix_s);
/* As der_time_get(), and of the type that der_time_set() would choose. */
kw_status der_time_get_strict(struct kw_op *op, const ASN1_TIME *time, int64_t *ret_unix_s);

enum { DER_OID_TEXT = 64 }; /* dotted form with its NUL */
/* KW_E_INPUT where it does not fit. */
kw_status der_oid_text(struct kw_op *op, const ASN1_OBJECT *oid, char text[DER_OID_TEXT]);
/* From dotted digits only; the caller frees. KW_E_INPUT. */
kw_status der_oid_new(struct kw_op *op, const char *dotted, ASN1_OBJECT **ret);

/* A positive INTEGER of 1..max octets, from and to its big-endian magnitude. KW_E_INPUT. */
kw_status der_serial_check(struct kw_op *op, const ASN1_INTEGER *number, size_t max);
kw_status der_serial_set(struct kw_op *op, ASN1_INTEGER *number, struct kw_span magnitude);

/* Whole elements as they are, for templates: ASN1_SEQUENCE as the item. */
typedef ASN1_STRING der_raw;
DEFINE_STACK_OF(der_raw)
/* Append a SEQUENCE's octets; a list that does not exist yet is made. */
kw_status der_raw_add(struct kw_op *op, STACK_OF(der_raw) **list, struct kw_span element);

KW_OWNED(ASN1_OBJECT, ASN1_OBJECT, ASN1_OBJECT_free)
KW_OWNED(ASN1_BIT_STRING, ASN1_BIT_STRING, ASN1_BIT_STRING_free)
KW_OWNED(X509_ALGOR, X509_ALGOR, X509_ALGOR_free)

#endif
