/* Test builds: certificates expire and clocks jump without waiting. Never part of a shipped build.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "os/clock_offset.h"

static int64_t number_of(const char *name)
{
    /* Read each time: a test moves the clock while it runs. A hundred years are enough. */
    static const long long max_s = 100LL * 366 * 86400;
    const char *text = getenv(name);
    char *end = NULL;

    if (!text || *text == '\0') {
        return 0;
    }
    errno = 0;
    long long offset_s = strtoll(text, &end, 10);
    bool good = errno == 0 && *end == '\0' && offset_s >= -max_s && offset_s <= max_s;
    return good ? offset_s : 0;
}

int64_t os_clock_offset_s(void)
{
    return number_of("KEYWRIGHT_TEST_CLOCK_OFFSET_S");
}

int64_t os_clock_jump_s(void)
{
    return number_of("KEYWRIGHT_TEST_CLOCK_JUMP_S");
}
