#include "os/clock.h"

#include <time.h>

#include "os/clock_offset.h"

static int64_t read_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now); /* cannot fail for these clocks and a good address */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t os_clock_unix_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000 + os_clock_offset_s() * 1000;
}

int64_t os_clock_unix_s(void)
{
    return os_clock_unix_ms() / 1000;
}

int64_t os_clock_mono_ms(void)
{
    return os_clock_mono_ns() / 1000000;
}

int64_t os_clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}
