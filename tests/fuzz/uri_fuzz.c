/* Request targets: path against templates, query, percent-decoding there and back. */
#include <assert.h>
#include <stdlib.h>

#include "base/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const templates[] = {
    "/v1/certs/{id}/revoke", "/{a}/{b}/{c}/{d}", "/tile/{path...}", "/", "/v1/certs",
};

static void check_decode(const char *text)
{
    char plain[KW_URI_MAX];
    char again[KW_URI_MAX];
    AUTO(kw_bytes) *encoded = NULL;

    if (!kw_ok(kw_uri_decode(kw_span_text(text), plain, sizeof(plain)))) {
        return;
    }
    bool same = kw_ok(kw_bytes_new(0, &encoded)) && kw_ok(kw_uri_encode(plain, encoded)) &&
                kw_ok(kw_uri_decode(kw_bytes_span(encoded), again, sizeof(again))) &&
                strcmp(plain, again) == 0;
    assert(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kw_uri_params params;
    char value[16];
    char *text = malloc(size + 1);

    if (!text) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    for (size_t i = 0; i < KW_COUNT(templates); i++) {
        if (kw_uri_match(templates[i], text, &params)) {
            for (unsigned k = 0; k < params.n; k++) {
                assert(strlen(params.at[k].value) < KW_URI_MAX);
                assert(kw_uri_param(&params, params.at[k].name));
            }
        }
    }
    (void)kw_ok(kw_uri_query(text, "a", value, sizeof(value))); /* only must not harm */
    check_decode(text);
    free(text);
    return 0;
}
