/* keywright/sign.h */
#include <keywright/sign.h>

#include "device/api_internal.h"

enum keywright_result keywright_sign(struct keywright *kw, const void *data, size_t len, void *sig,
                                     size_t *sig_len)
{
    struct kw_out out = {sig, *sig_len, 0};
    struct kw_op op;

    enum keywright_result result =
        API_CALL(kw, op, device_sign(&op, &kw->device, KW_SPAN(data, len), &out));
    if (result == KEYWRIGHT_OK) {
        *sig_len = out.len;
    }
    return result;
}
