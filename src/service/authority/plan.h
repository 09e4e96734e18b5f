/* The plan of the authorities: the YAML files of STATE/authorities. */
#ifndef SERVICE_AUTHORITY_PLAN_H
#define SERVICE_AUTHORITY_PLAN_H

#include "base/op.h"
#include "codec/fields.h"
#include "model/authority.h"

enum { PLAN_MAX = 24 };

struct plan {
    unsigned n;
    struct authority at[PLAN_MAX]; /* who signs stands before those that it signs */
};

/* The fields of an authority's file; docs/PROFILES.md prints them. */
extern const struct codec_field authority_fields[];
extern const size_t authority_fields_count;

/**
 * Read every file of a folder. KW_E_INPUT names file and field, the law that is broken, an issuer
 * that is not there, or one that may not sign; KW_E_NOT_FOUND there is none at all.
 */
kw_status plan_load(struct kw_op *op, const char *dir, struct plan *ret);
/* One file. KW_E_INPUT. */
kw_status plan_read(struct kw_op *op, const char *path, struct authority *ret);
/* NULL where there is none. */
const struct authority *plan_find(const struct plan *plan, const char *name);

#endif
