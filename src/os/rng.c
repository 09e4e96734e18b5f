#include "os/rng.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

kw_status os_random(struct kw_op *op, void *p, size_t n)
{
    uint8_t *at = p;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, got > 0, KW_E_UNAVAILABLE, "the kernel has no random octets: %s",
               strerror(errno));
        at += got;
        n -= (size_t)got;
    }
    return KW_OK;
}
