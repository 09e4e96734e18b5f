/*
 * The key lifecycle table of one backend key, as assessors want it: every column with a value, or,
 * where it is empty, with the reason. An empty cell is a finding; the software reports it first.
 */
#ifndef SERVICE_KEYS_LIFECYCLE_H
#define SERVICE_KEYS_LIFECYCLE_H

#include "service/service.h"

enum { LIFECYCLE_ROWS_MAX = 64, LIFECYCLE_VALUE_MAX = 320 };

struct lifecycle_row {
    char column[32];                 /* "storage.backend" */
    char value[LIFECYCLE_VALUE_MAX]; /* "": empty */
    char why[96];                    /* why it is empty; "" where it is not */
};

struct lifecycle {
    char id[KW_NAME_MAX], class_[24], state[24], custody[KW_NAME_MAX];
    int64_t made_s, due_s, end_s, drill_s, destroyed_s; /* 0: not */
    uint64_t uses;
    bool has_successor;
    unsigned n_empty;
    unsigned n;
    struct lifecycle_row rows[LIFECYCLE_ROWS_MAX];
};

/* KW_E_NOT_FOUND. A destroyed key has its table too. */
kw_status lifecycle_of(struct kw_op *op, struct service *service, const char *key_id,
                       struct lifecycle *ret);

#endif
