/* keywright/files.h */
#include <keywright/files.h>

#include "crypto/cms_file.h"
#include "device/api_internal.h"

_Static_assert(KEYWRIGHT_FILE_MAX == CMS_FILE_MAX, "what the header promises");

static kw_status protect(struct kw_op *op, struct device *device, const char *recipient_pem,
                         struct kw_span data, struct kw_out *out)
{
    AUTO(kw_bytes) *cms = NULL;

    ENSURE(op, recipient_pem, KW_E_INPUT, "for whom is to be said");
    TRY(op, device_protect(op, device, kw_span_text(recipient_pem), data, &cms));
    return api_copy(op, kw_bytes_span(cms), out);
}

enum keywright_result keywright_protect(struct keywright *kw, const char *recipient_pem,
                                        const void *data, size_t len, void *cms, size_t *cms_len)
{
    struct kw_out out = {cms, *cms_len, 0};
    struct kw_op op;

    enum keywright_result result =
        API_CALL(kw, op, protect(&op, &kw->device, recipient_pem, KW_SPAN(data, len), &out));
    *cms_len = result == KEYWRIGHT_OK ? out.len : *cms_len;
    return result;
}
