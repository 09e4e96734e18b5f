/* What a new key of each class begins with. */
#ifndef SERVICE_KEYS_POLICIES_H
#define SERVICE_KEYS_POLICIES_H

#include "base/op.h"
#include "model/policy.h"

enum { KEY_BACKDATE_S = 300 }; /* a keeper whose clock is a little slow takes it at once */

/**
 * Fill a policy: id, class, the class's algorithm (alg 0) or another one, its originator-usage
 * period from now on, the recipient-usage period, and the overlap of a rotation. What a class needs
 * besides (names, rules) is the caller's.
 * KW_E_INPUT: keys of this class are not made here.
 */
kw_status policy_begin(struct kw_op *op, const char *key_id, enum key_class class_, uint32_t alg,
                       int64_t now_s, struct key_policy *ret);

#endif
