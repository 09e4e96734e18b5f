/* keywright/service.h */
#include <keywright/service.h>

#include "device/api_internal.h"

static kw_status request(struct kw_op *op, struct device *device, struct kw_out *out)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, device_service_request(op, device, &pem));
    TRY(op, kw_bytes_append(pem, KW_SPAN("", 1)));
    return api_copy(op, kw_bytes_span(pem), out);
}

enum keywright_result keywright_service_request(struct keywright *kw, char *pem, size_t *pem_len)
{
    struct kw_out out = {(uint8_t *)pem, *pem_len, 0};
    struct kw_op op;

    enum keywright_result result = API_CALL(kw, op, request(&op, &kw->device, &out));
    *pem_len = result == KEYWRIGHT_OK ? out.len : *pem_len;
    return result;
}

enum keywright_result keywright_service_install(struct keywright *kw, const char *pem, size_t len)
{
    struct kw_op op;

    return API_CALL(kw, op, device_service_install(&op, &kw->device, KW_SPAN(pem, len)));
}
