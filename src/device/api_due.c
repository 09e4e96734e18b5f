/* keywright/due.h */
#include <keywright/due.h>

#include "device/api_internal.h"

static const enum keywright_task tasks[DEVICE_TASK_MAX] = {
    [DEVICE_TASK_NONE] = KEYWRIGHT_TASK_NONE,   [DEVICE_TASK_ENROL] = KEYWRIGHT_TASK_ENROL,
    [DEVICE_TASK_RENEW] = KEYWRIGHT_TASK_RENEW, [DEVICE_TASK_HELLO] = KEYWRIGHT_TASK_NONE,
    [DEVICE_TASK_WIPE] = KEYWRIGHT_TASK_WIPE,
};

enum keywright_result keywright_due(struct keywright *kw, struct keywright_due *ret)
{
    struct device_due due = {0};
    struct kw_op op;

    enum keywright_result result = API_CALL(kw, op, device_due(&op, &kw->device, &due));
    if (result == KEYWRIGHT_OK) {
        *ret = (struct keywright_due){.task = tasks[due.task],
                                      .in_ms = due.in_ms,
                                      .hello_in_ms = due.hello_in_ms,
                                      .failures = due.failures};
    }
    return result;
}
