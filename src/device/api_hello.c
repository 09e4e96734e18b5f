/* keywright/hello.h */
#include <keywright/hello.h>

#include "device/api_internal.h"

static kw_status hello_as(struct kw_op *op, struct device *device, enum keywright_identity identity)
{
    static const enum device_identity identities[] = {[KEYWRIGHT_CURRENT] = DEVICE_LDEVID,
                                                      [KEYWRIGHT_PREVIOUS] = DEVICE_PREVIOUS,
                                                      [KEYWRIGHT_BIRTH] = DEVICE_IDEVID};

    ENSURE(op, (unsigned)identity < KW_COUNT(identities), KW_E_INPUT, "no such identity");
    return device_hello(op, device, identities[identity]);
}

enum keywright_result keywright_hello_as(struct keywright *kw, enum keywright_identity identity)
{
    struct kw_op op;

    return API_TASK(kw, op, DEVICE_TASK_HELLO, hello_as(&op, &kw->device, identity));
}

int64_t keywright_now(const struct keywright *kw)
{
    return device_now_s(&kw->device);
}

enum keywright_result keywright_hello(struct keywright *kw)
{
    return keywright_hello_as(kw, KEYWRIGHT_CURRENT);
}
