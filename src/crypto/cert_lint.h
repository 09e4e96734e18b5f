/*
 * Is a certificate as the standards want it? One table of rules, each with its source, asked of the
 * very octets that are about to be signed, or of any certificate. Another pair of eyes: it shares
 * no code with what builds them.
 */
#ifndef CRYPTO_CERT_LINT_H
#define CRYPTO_CERT_LINT_H

#include "crypto/cert.h"

struct cert_lint_case {
    const struct cert *cert;
    const struct cert *issuer; /* NULL: what needs it is not asked */
};

struct cert_lint {
    const char *name;
    const char *source; /* "RFC 5280 section 4.1.2.4" */
    bool (*holds)(const struct cert_lint_case *c);
    const char *says; /* what is wrong where it does not hold */
};
extern const struct cert_lint cert_lints[];
extern const unsigned cert_lints_n;

/* The first rule from `from` on that does not hold, as a place in the table; cert_lints_n where all
 * do. Any thread. */
unsigned cert_lint_next(const struct cert_lint_case *c, unsigned from);

#endif
