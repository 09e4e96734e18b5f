/* Base64: what decodes goes back to the same octets, within the limit, whatever the line length. */
#include <assert.h>

#include "base/b64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX = 1000 };
    AUTO(kw_bytes) *plain = NULL;
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *again = NULL;

    if (!kw_ok(kw_b64_decode(KW_SPAN(data, size), MAX, &plain))) {
        assert(!plain);
        return 0;
    }
    assert(plain->len <= MAX);
    bool same = kw_ok(kw_bytes_new(0, &text)) &&
                kw_ok(kw_b64_encode(kw_bytes_span(plain), size % 80, text)) &&
                kw_ok(kw_b64_decode(kw_bytes_span(text), plain->len, &again)) &&
                kw_span_equal(kw_bytes_span(again), kw_bytes_span(plain));
    assert(same);
    return 0;
}
