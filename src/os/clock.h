/* The clocks. Pure code gets times handed in; only callers at the edge read them here. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/* Wall clock, milliseconds since 1970, may jump. KEYWRIGHT_TEST_CLOCK_OFFSET_S and
 * KEYWRIGHT_TEST_CLOCK_JUMP_S are honoured in test builds only. */
int64_t os_clock_unix_ms(void);
int64_t os_clock_unix_s(void);
/* Seconds since the machine's start, its sleep included; no clock that is set can move it. In test
 * builds KEYWRIGHT_TEST_CLOCK_OFFSET_S passes here too, KEYWRIGHT_TEST_CLOCK_JUMP_S does not. */
int64_t os_clock_up_s(void);
/* Which start of the machine this is: random octets of the kernel, all zero where it does not tell.
 * Read at the first call, which has to come before a sandbox. */
enum { OS_BOOT_ID_BYTES = 16 };
void os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES]);
/* Monotonic clock in milliseconds and nanoseconds, for deadlines and measuring. */
int64_t os_clock_mono_ms(void);
int64_t os_clock_mono_ns(void);
/* The same clock as of the kernel's last tick, at most 10 ms ago, at a fifth of the cost. For
 * limits of seconds. */
int64_t os_clock_tick_ms(void);

#endif
