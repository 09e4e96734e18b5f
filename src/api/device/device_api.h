/* The device API's handlers; the table of routes is device.c. */
#ifndef API_DEVICE_DEVICE_API_H
#define API_DEVICE_DEVICE_API_H

#include "api/api.h"

enum { DEVICE_DEADLINE_MS = 10000 };

#define DEVICE_HANDLER(name)                                                                       \
    kw_status name(struct kw_op *op, void *ctx, const struct http_request *request,                \
                   struct http_response *response)

DEVICE_HANDLER(device_api_hello);
DEVICE_HANDLER(device_api_attest_enrol);
DEVICE_HANDLER(device_api_attest_activate);
DEVICE_HANDLER(device_api_attest_challenge);
DEVICE_HANDLER(device_api_attest_evidence);
DEVICE_HANDLER(device_api_time);
DEVICE_HANDLER(device_api_wipe);
DEVICE_HANDLER(device_api_events);

#endif
