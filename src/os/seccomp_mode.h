/* Inside os/seccomp.c: whether a forbidden call only makes a line in the kernel's log. */
#ifndef OS_SECCOMP_MODE_H
#define OS_SECCOMP_MODE_H

#include <stdbool.h>

bool os_seccomp_only_logs(void);

#endif
