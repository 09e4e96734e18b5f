/* What may be wrong with a Name (RFC 5280 section 4.1.2.4, appendix A.1). For crypto/ only. */
#ifndef CRYPTO_CERT_LINT_NAME_H
#define CRYPTO_CERT_LINT_NAME_H

#include "base/bytes.h"

enum name_fault {
    NAME_FAULT_FORM = 1 << 0,      /* not a Name, or several attributes in one RDN */
    NAME_FAULT_TYPE = 1 << 1,      /* a string type that the attribute may not have */
    NAME_FAULT_LENGTH = 1 << 2,    /* empty, or over the attribute's upper bound */
    NAME_FAULT_COUNTRY = 1 << 3,   /* not two capital letters */
    NAME_FAULT_CHARACTER = 1 << 4, /* control characters, or none of its string type */
    NAME_FAULT_SPACE = 1 << 5,     /* white space before or behind a value */
    NAME_FAULT_TWICE = 1 << 6,     /* more than one of an attribute that has one value */
    NAME_HAS_SERIAL = 1 << 8,      /* no fault: there is a serialNumber */
};

/* Bits of enum name_fault. */
unsigned name_faults(struct kw_span name);

#endif
