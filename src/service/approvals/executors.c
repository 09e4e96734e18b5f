/* What each operation does once it is approved. */
#include "service/approvals/approvals.h"
#include "service/approvals/keys.h"
#include "service/approvals/roster.h"
#include "service/fleet/wipe.h"
#include "service/revocation/revocation.h"

static const approval_executor executors[APPROVE_MAX] = {
    [APPROVE_KEY_CREATE] = key_birth_execute, [APPROVE_KEY_ROTATE] = key_wish_execute,
    [APPROVE_KEY_REVOKE] = key_wish_execute,  [APPROVE_KEY_DESTROY] = key_wish_execute,
    [APPROVE_ROSTER] = roster_execute,        [APPROVE_REVOKE_PLAN] = revocation_execute,
    [APPROVE_DEVICE_WIPE] = wipe_execute,
};

approval_executor approval_executor_of(enum approval_op op)
{
    return (unsigned)op < APPROVE_MAX ? executors[op] : NULL;
}
