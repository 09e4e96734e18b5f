/* The clocks. Pure code gets times handed in; only callers at the edge read them here. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/* Wall clock, milliseconds since 1970, may jump. KEYWRIGHT_TEST_CLOCK_OFFSET_S is honoured in test
 * builds only. */
int64_t os_clock_unix_ms(void);
int64_t os_clock_unix_s(void);
/* Monotonic clock in milliseconds and nanoseconds, for deadlines and measuring. */
int64_t os_clock_mono_ms(void);
int64_t os_clock_mono_ns(void);

#endif
