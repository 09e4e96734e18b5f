/* How far the wall clock is moved: the build takes either clock_offset_none.c or
 * clock_offset_env.c. */
#ifndef OS_CLOCK_OFFSET_H
#define OS_CLOCK_OFFSET_H

#include <stdint.h>

/* Seconds that have passed without waiting, and seconds by which the wall clock alone is wrong; 0
 * in every build that is not for tests. */
int64_t os_clock_offset_s(void);
int64_t os_clock_jump_s(void);

#endif
