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
    bool has_pin = false;
    for (const char *at = strchr(text, '?'); at; at = strchr(at + 1, '&')) {
        has_pin = has_pin || strncmp(at + 1, "pin-value=", 10) == 0;
    }
    bool paths = uri.module_path[0] == '/' && (!uri.pin_path[0] || uri.pin_path[0] == '/');
    if (kw_ok(status) && (has_pin || !paths)) {
        abort();
    }
    p11_uri_done(&uri);
    return 0;
}
