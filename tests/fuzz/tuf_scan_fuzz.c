/*
 * TUF metadata. What is taken has one way to be written: with any white space put in, or with an
 * octet taken away at the end, it is refused; and its members lie in the body.
 */
#include <assert.h>
#include <stdlib.h>

#include "cmd/keywright-keeper/tuf_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct kw_span part, const uint8_t *data, size_t size)
{
    return part.len > 0 && part.p > data && part.p + part.len < data + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tuf_head head;
    const char *wrong = NULL;

    if (!kw_ok(tuf_scan(KW_SPAN(data, size), &head, &wrong))) {
        assert(wrong);
        return 0;
    }
    assert(is_inside(head.type, data, size) && is_inside(head.expires, data, size));
    assert(is_inside(head.spec_version, data, size) && head.version > 0);
    bool cut = kw_ok(tuf_scan(KW_SPAN(data, size - 1), &head, &wrong));
    assert(!cut);
    uint8_t *longer = malloc(size + 1);
    if (longer) {
        memcpy(longer + 1, data, size);
        longer[0] = ' ';
        bool before = kw_ok(tuf_scan(KW_SPAN(longer, size + 1), &head, &wrong));
        memcpy(longer, data, size);
        longer[size] = '\n';
        bool behind = kw_ok(tuf_scan(KW_SPAN(longer, size + 1), &head, &wrong));
        free(longer);
        assert(!before && !behind);
    }
    return 0;
}
