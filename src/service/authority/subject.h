/* Subjects of certificates: as the profile writes them, filled with what the registry knows. */
#ifndef SERVICE_AUTHORITY_SUBJECT_H
#define SERVICE_AUTHORITY_SUBJECT_H

#include "base/bytes.h"
#include "base/op.h"
#include "model/subject_part.h"

/**
 * Parts ("CN={id}") as a DER Name. KW_E_INPUT a part is none, or X.520 forbids the value;
 * KW_E_STATE names the part whose word nobody knows of this one.
 */
kw_status subject_fill(struct kw_op *op, const char (*parts)[SUBJECT_PART_MAX], uint32_t n,
                       const struct subject_facts *facts, struct kw_out *der);
/* Its beginning that is the same for all: what the keeper's rule demands of every subject. */
kw_status subject_fixed(struct kw_op *op, const char (*parts)[SUBJECT_PART_MAX], uint32_t n,
                        const char *organization, struct kw_out *der);

#endif
