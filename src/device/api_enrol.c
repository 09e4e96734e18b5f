/* keywright/enrol.h */
#include <keywright/enrol.h>

#include "device/api_internal.h"
#include "device/events.h"

enum keywright_result keywright_enrol(struct keywright *kw, const char *secret)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_ENROL,
                    events_note_outcome(&kw->device, DEVICE_EVENT_ENROL, &op,
                                        device_enrol(&op, &kw->device, secret),
                                        "both identities are in place"));
}

enum keywright_result keywright_renew(struct keywright *kw, int force)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_RENEW,
                    events_note_outcome(&kw->device, DEVICE_EVENT_RENEW, &op,
                                        device_renew(&op, &kw->device, force), NULL));
}
