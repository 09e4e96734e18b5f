/* keywright/wipe.h */
#include <keywright/wipe.h>

#include "device/api_internal.h"
#include "device/events.h"

enum keywright_result keywright_wipe(struct keywright *kw)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_WIPE,
                    events_note_outcome(&kw->device, DEVICE_EVENT_WIPE, &op,
                                        device_wipe(&op, &kw->device), "every key is destroyed"));
}
