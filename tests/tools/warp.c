/*
 * Another time for programs that know nothing of it.
 *
 *     LD_PRELOAD=warp.so WARP_CLOCK=FILE keywrightd …
 *
 * FILE holds one int64_t: the seconds by which the wall clock and CLOCK_BOOTTIME are ahead, as if
 * the machine had slept for so long; CLOCK_MONOTONIC does not count sleep (clock_gettime(2)), so no
 * deadline passes by it. Who writes it moves all programs at once while they run. The file is
 * mapped when the program starts: what it is confined to later does not matter.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define WARP_API __attribute__((visibility("default")))

static const _Atomic int64_t *ahead;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("WARP_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (at == MAP_FAILED) { /* a test that ran in the wrong time would say nothing */
        abort();
    }
    (void)close(fd); /* was only read */
    ahead = at;
}

static int64_t ahead_s(void)
{
    return ahead ? atomic_load(ahead) : 0;
}

static int real_time(clockid_t clock, struct timespec *ret)
{
    static __typeof__(clock_gettime) *real;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    return real(clock, ret);
}

static bool moves(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_TAI;
}

WARP_API int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int result = real_time(clock, ret);

    if (result == 0 && moves(clock)) {
        ret->tv_sec += ahead_s();
    }
    return result;
}

WARP_API time_t time(time_t *ret)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    if (ret) {
        *ret = now.tv_sec;
    }
    return now.tv_sec;
}

WARP_API int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now = {0};

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
