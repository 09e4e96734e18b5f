/*
 * What becomes of a request, line by line. Issuance walks its checks with or without a list of
 * terms: without, the first refusal ends it; with, every check adds a line, and nothing is signed.
 * So an explanation is the issuance itself, not a second opinion about it.
 */
#ifndef SERVICE_AUTHORITY_TERMS_H
#define SERVICE_AUTHORITY_TERMS_H

#include "base/op.h"

enum { TERMS_MAX = 48, TERMS_TEXT_MAX = 256 };

struct terms_line {
    char field[32];             /* of the profile or the certificate: "key_algs", "subject" */
    char asked[TERMS_TEXT_MAX]; /* by the request; "" where it says nothing */
    char gets[TERMS_TEXT_MAX];  /* the certificate; where refused: why */
    char verdict[12];           /* "as asked", "set", "replaced", "ignored", "refused" */
    char rule[TERMS_TEXT_MAX];
    char source[96];
};

struct terms {
    unsigned n, n_refused;
    struct terms_line lines[TERMS_MAX];
};

/* Where a check stands in the list. */
struct terms_place {
    const char *field, *rule, *source;
};

/**
 * A check's outcome. terms NULL: handed on. Else a refusal becomes a line and KW_OK, so that the
 * next check is looked at too; failures that are nobody's refusal (5xx) are handed on.
 */
kw_status terms_check(struct kw_op *op, struct terms *terms, const struct terms_place *place,
                      kw_status status);
/* What the certificate gets. asked "" or NULL: nothing was said. terms may be NULL. */
void terms_tell(struct terms *terms, const struct terms_place *place, const char *asked,
                const char *gets);

#endif
