/* Entry bundles: the entries that are handed out, written again, are the bundle. */
#include <assert.h>

#include "audit/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static kw_status write_again(struct kw_op *op, void *ctx, unsigned i, struct kw_span entry)
{
    uint8_t length[2] = {(uint8_t)(entry.len >> 8), (uint8_t)entry.len};

    assert(i < TLOG_TILE_WIDTH);
    TRY(op, kw_bytes_append(ctx, KW_SPAN_ARRAY(length)));
    return kw_bytes_append(ctx, entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(kw_bytes) *again = NULL;
    struct kw_span bundle = KW_SPAN(data, size);

    if (!kw_ok(kw_bytes_new(size, &again))) {
        return 0;
    }
    bool whole = kw_ok(export_bundle_each(NULL, bundle, write_again, again));
    assert(again->len <= size && (!whole || again->len == size));
    assert(kw_span_equal(kw_bytes_span(again), kw_span_sub(bundle, 0, again->len)));
    return 0;
}
