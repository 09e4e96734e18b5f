/* Lines of block lists. */
#include <stdlib.h>

#include "service/quality/blocklist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_blocked blocked;

    if (kw_ok(blocklist_parse_line(KW_SPAN(data, size), &blocked)) && blocked.kind != 0 &&
        (blocked.id_len < 10 || blocked.id_len > KW_HASH_BYTES)) {
        abort();
    }
    return 0;
}
