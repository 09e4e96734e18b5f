/* What a policy must say before a key is made under it. */
#ifndef KEEPER_CMD_POLICY_CHECKS_H
#define KEEPER_CMD_POLICY_CHECKS_H

#include "base/op.h"
#include "model/policy.h"

/* KW_E_DENIED naming the check. A ceremony is trusted with the rules, not with nonsense. */
kw_status policy_check(struct kw_op *op, const struct key_policy *policy, int64_t now_unix);

#endif
