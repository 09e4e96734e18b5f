/* Paths of tiles, as requests bring them: what is read is what would be written. */
#include <assert.h>

#include "audit/tlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(kw_bytes) *path = NULL;
    char again[KW_PATH_BYTES];
    uint64_t index = 0;
    unsigned width = 0;
    int level = 0;

    if (!kw_ok(kw_bytes_copy(KW_SPAN(data, size), &path)) ||
        !kw_ok(kw_bytes_append(path, KW_SPAN("", 1)))) {
        return 0;
    }
    if (kw_ok(tlog_tile_parse((const char *)path->p, &level, &index, &width))) {
        bool written = kw_ok(tlog_tile_path(level, index, width, again, sizeof(again)));
        assert(written && strcmp(again, (const char *)path->p) == 0);
    }
    return 0;
}
