/* "name=value,name=value": the part of a root-of-trust URI behind its scheme. */
#ifndef ROT_PARAMS_H
#define ROT_PARAMS_H

#include "base/bytes.h"
#include "base/op.h"

struct rot_param {
    const char *name;
    bool required;
    bool rest;   /* takes everything up to the end, commas too: only the last one can */
    char *value; /* the caller's room, "" where absent */
    size_t cap;
};

/* Fill the table's values. KW_E_INPUT: unknown, repeated, empty, too long or missing. */
kw_status rot_params_parse(struct kw_op *op, const char *text, const struct rot_param table[],
                           size_t n);

#endif
