/* keywright/seal.h */
#include <keywright/seal.h>

#include "device/api_internal.h"
#include "device/events.h"

static kw_status seal(struct kw_op *op, struct device *device, const char *name,
                      struct kw_span plain, struct kw_out *out)
{
    AUTO(kw_bytes) *sealed = NULL;

    TRY(op, device_seal(op, device, name, plain, &sealed));
    return api_copy(op, kw_bytes_span(sealed), out);
}

static kw_status unseal(struct kw_op *op, struct device *device, const char *name,
                        struct kw_span sealed, struct kw_out *out)
{
    AUTO(kw_secret) *plain = NULL;

    TRY(op, device_unseal(op, device, name, sealed, &plain));
    return api_copy(op, kw_secret_span(plain), out);
}

enum keywright_result keywright_seal(struct keywright *kw, const char *name, const void *data,
                                     size_t len, void *sealed, size_t *sealed_len)
{
    struct kw_out out = {sealed, *sealed_len, 0};
    struct kw_op op;

    enum keywright_result result =
        API_CALL(kw, op, seal(&op, &kw->device, name, KW_SPAN(data, len), &out));
    *sealed_len = result == KEYWRIGHT_OK ? out.len : *sealed_len;
    return result;
}

enum keywright_result keywright_unseal(struct keywright *kw, const char *name, const void *sealed,
                                       size_t sealed_len, void *data, size_t *data_len)
{
    struct kw_out out = {data, *data_len, 0};
    struct kw_op op;

    enum keywright_result result = API_CALL(
        kw, op,
        events_note_data(&kw->device, &op,
                         unseal(&op, &kw->device, name, KW_SPAN(sealed, sealed_len), &out)));
    *data_len = result == KEYWRIGHT_OK ? out.len : *data_len;
    return result;
}
