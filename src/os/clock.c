#include "os/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "os/clock_offset.h"

static int64_t read_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now); /* cannot fail for these clocks and a good address */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t os_clock_unix_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000 + (os_clock_offset_s() + os_clock_jump_s()) * 1000;
}

int64_t os_clock_unix_s(void)
{
    return os_clock_unix_ms() / 1000;
}

int64_t os_clock_up_s(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000000000 + os_clock_offset_s();
}

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */
static void read_boot_id(uint8_t ret[OS_BOOT_ID_BYTES])
{
    char text[64] = "", hex[64] = "";
    struct kw_out out = {.p = ret, .cap = OS_BOOT_ID_BYTES};
    size_t n = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd); /* was only read */
    for (ssize_t i = 0; i < len && text[i] != '\n'; i++) {
        if (text[i] != '-') {
            hex[n++] = text[i];
        }
    }
    if (!kw_ok(kw_unhex(hex, &out)) || out.len != OS_BOOT_ID_BYTES) {
        memset(ret, 0, OS_BOOT_ID_BYTES);
    }
}

void os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES])
{
    static uint8_t id[OS_BOOT_ID_BYTES];
    static bool read_before;

    if (!read_before) {
        read_boot_id(id);
        read_before = true;
    }
    memcpy(ret, id, sizeof(id));
}

int64_t os_clock_mono_ms(void)
{
    return os_clock_mono_ns() / 1000000;
}

int64_t os_clock_tick_ms(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

int64_t os_clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}
