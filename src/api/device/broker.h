/* Handlers for brokers; their rows stand with the devices'. */
#ifndef API_DEVICE_BROKER_H
#define API_DEVICE_BROKER_H

#include "api/api.h"

kw_status broker_get_snapshot(struct kw_op *op, void *ctx, const struct http_request *request,
                              struct http_response *response);
kw_status broker_get_changes(struct kw_op *op, void *ctx, const struct http_request *request,
                             struct http_response *response);
kw_status broker_get_trust(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response);

#endif
