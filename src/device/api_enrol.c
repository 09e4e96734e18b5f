/* keywright/enrol.h */
#include <keywright/enrol.h>

#include "device/api_internal.h"

enum keywright_result keywright_enrol(struct keywright *kw, const char *secret)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_ENROL, device_enrol(&op, &kw->device, secret));
}

enum keywright_result keywright_renew(struct keywright *kw, int force)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_RENEW, device_renew(&op, &kw->device, force));
}
