/* keywright/wipe.h */
#include <keywright/wipe.h>

#include "device/api_internal.h"

enum keywright_result keywright_wipe(struct keywright *kw)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_WIPE, device_wipe(&op, &kw->device));
}
