/* Extensions of certificates, revocation lists and OCSP (RFC 5280 section 4.2). For crypto/ only.
 */
#ifndef CRYPTO_EXT_H
#define CRYPTO_EXT_H

#include "crypto/der.h"
#include "crypto/pubkey.h"

/*
 * Our own template instead of X509_EXTENSION: here an explicit `critical FALSE` does not survive
 * der_decode(), and the octets are at hand without copies.
 */
struct ext {
    ASN1_OBJECT *oid;
    ASN1_BOOLEAN critical;
    ASN1_OCTET_STRING *value;
};
typedef struct ext ext;
DEFINE_STACK_OF(ext)
DECLARE_ASN1_ITEM(ext)

DECLARE_ASN1_ITEM(ext_list) /* Extensions ::= SEQUENCE OF Extension, as STACK_OF(ext) */
void ext_list_free(STACK_OF(ext) *list);
KW_OWNED(ext_list, STACK_OF(ext), ext_list_free)

enum { EXT_COUNT_MAX = 32 }; /* we make 11 kinds; more in one object is an attack on us */

/* Append; `object` is of `item`. A list that does not exist yet is made. */
kw_status ext_add(struct kw_op *op, STACK_OF(ext) **list, int nid, bool critical,
                  const ASN1_ITEM *item, const void *object);
/* The same with the value's DER at hand. */
kw_status ext_add_der(struct kw_op *op, STACK_OF(ext) **list, int nid, bool critical,
                      struct kw_span value);
/* keyUsage, critical; usage: enum cert_key_usage bits. KW_E_INPUT. */
kw_status ext_add_key_usage(struct kw_op *op, STACK_OF(ext) **list, unsigned usage);
/* extKeyUsage, not critical: dotted OIDs up to max or the first NULL. KW_E_INPUT. */
kw_status ext_add_eku(struct kw_op *op, STACK_OF(ext) **list, const char *const eku[],
                      unsigned max);
/* authorityKeyIdentifier with the SHA-1 of the key as its keyid, not critical. */
kw_status ext_add_aki(struct kw_op *op, STACK_OF(ext) **list, const struct pubkey *issuer);
/* The value as a fresh object for ASN1_item_free(). KW_E_INPUT. */
kw_status ext_decode(struct kw_op *op, const struct ext *one, const ASN1_ITEM *item, void *ret);
/* keyid of an authorityKeyIdentifier into room; nothing where it has none. KW_E_INPUT. */
kw_status ext_read_aki(struct kw_op *op, const struct ext *one, struct kw_out *ret);

int ext_count(const STACK_OF(ext) *list); /* 0 for an absent list too */
int ext_nid(const struct ext *one);
/* "A certificate MUST NOT include more than one instance of a particular extension"; nor too many.
 */
kw_status ext_check_list(struct kw_op *op, const STACK_OF(ext) *list);
/* NULL where absent. */
const struct ext *ext_find(const STACK_OF(ext) *list, int nid);

#endif
