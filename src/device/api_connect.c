/* keywright/connect.h */
#include <keywright/connect.h>
#include <stdio.h>

#include "device/api_internal.h"
#include "net/tls_context.h"

enum keywright_result keywright_tls_context(struct keywright *kw, const char *host,
                                            struct ssl_ctx_st **ret)
{
    struct kw_op op;

    return API_CALL(kw, op, device_tls_context(&op, &kw->device, host, ret));
}

enum keywright_result keywright_tls_reason(struct keywright *kw, const struct ssl_ctx_st *ctx,
                                           char *text, size_t cap)
{
    struct kw_op op;

    return API_CALL(kw, op, tls_context_reason(&op, ctx, text, cap));
}
