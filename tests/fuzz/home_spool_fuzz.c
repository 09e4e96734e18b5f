/* The file of what waits: whatever is in it, the queue holds what it may, and it can be written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spool.h"

enum { CAP = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    struct queue queue;

    if (!file) {
        return 0;
    }
    if (!queue_init(&queue, "t", CAP)) {
        abort();
    }
    spool_read(file, &queue);
    for (const struct queued *one; (one = queue_head(&queue)); queue_pop(&queue)) {
        if (queue.n > CAP || one->len == 0 || strlen(one->payload) != one->len ||
            strchr(one->payload, '\n')) {
            abort();
        }
    }
    queue_done(&queue);
    (void)fclose(file); /* only read */
    return 0;
}
