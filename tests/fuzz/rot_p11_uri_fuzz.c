/* A "pkcs11:" URI from a configuration: p11-kit reads it, we judge what came out. */
#include <stdlib.h>

#include "rot/pkcs11/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[KW_URI_MAX];
    struct p11_uri uri = {0};
    struct kw_op op;

    if (size >= sizeof(text)) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    kw_op_init(&op, "fuzz", 0);
    kw_status status = p11_uri_parse(&op, text, &uri);
    if (kw_ok(status) &&
        (uri.module_path[0] != '/' || (uri.pin_path[0] && uri.pin_path[0] != '/') ||
         strstr(text, "?pin-value=") || strstr(text, "&pin-value="))) {
        abort();
    }
    p11_uri_done(&uri);
    return 0;
}
