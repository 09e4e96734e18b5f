/* PEM: reading block after block always ends, and what was read is written and read the same. */
#include <assert.h>

#include "base/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_block(struct kw_span der)
{
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *again = NULL;

    bool written = kw_ok(kw_bytes_new(0, &text)) && kw_ok(kw_pem_encode("A", der, text));
    assert(written);
    struct kw_span rest = kw_bytes_span(text);
    bool same = kw_ok(kw_pem_next(&rest, "A", der.len, &again)) && rest.len == 0 &&
                kw_span_equal(kw_bytes_span(again), der);
    assert(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_span rest = KW_SPAN(data, size);

    for (;;) {
        AUTO(kw_bytes) *der = NULL;
        size_t before = rest.len;
        if (!kw_ok(kw_pem_next(&rest, "A", 1000, &der))) {
            assert(rest.len == before && !der);
            return 0;
        }
        assert(rest.len < before);
        check_block(kw_bytes_span(der));
    }
}
