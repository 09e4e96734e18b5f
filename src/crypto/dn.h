/* Distinguished names as DER. */
#ifndef CRYPTO_DN_H
#define CRYPTO_DN_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

struct dn_part {
    const char *type;  /* "C", "O", "OU", "CN", "serialNumber", "DC" */
    const char *value; /* UTF-8; C and serialNumber become PrintableString, DC IA5String */
};

/* Build a Name, one attribute a RDN, in the order given. KW_E_INPUT for characters or lengths that
 * X.520 forbids. */
kw_status dn_build(struct kw_op *op, const struct dn_part parts[], unsigned n, struct kw_out *der);
/* Is it a Name in DER? KW_E_INPUT "WHAT: …". */
kw_status dn_check(struct kw_op *op, struct kw_span der, const char *what);
/* RFC 4514 text for people ("CN=…,O=…"), cut to fit, never for comparison. Returns text; "?" where
 * not DER. */
const char *dn_text(struct kw_span der, char *text, size_t cap);
/* The last value of an attribute type. KW_E_NOT_FOUND, KW_E_INPUT. */
kw_status dn_get(struct kw_op *op, struct kw_span der, const char *type, char *value, size_t cap);
/* True where `name` begins with all RDNs of `prefix` (RFC 5280 section 7.1 for directoryName
 * constraints; octet compare). */
bool dn_within(struct kw_span name, struct kw_span prefix);
/* The same name by RFC 5280 section 7.1 (case, spaces and string types aside), or its RDNs in the
 * opposite order, as clients write them that go by the text form of RFC 4514 (Java's). Not for
 * deciding who somebody is: only to find, among our own names, the one that is meant. */
bool dn_same(struct kw_span a, struct kw_span b);

#endif
