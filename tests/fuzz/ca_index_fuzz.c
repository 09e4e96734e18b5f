/* Lines of another CA's index. */
#include <stdlib.h>

#include "base/utf8.h"
#include "service/sync/ca_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_index_entry entry;

    if (kw_ok(ca_index_parse(KW_SPAN(data, size), &entry)) && entry.state != 0 &&
        (entry.serial_len == 0 || entry.serial_len > KW_SERIAL_MAX ||
         strlen(entry.subject) >= sizeof(entry.subject))) {
        abort();
    }
    return 0;
}
