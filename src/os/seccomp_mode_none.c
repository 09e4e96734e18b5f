/* Builds without tests: a forbidden call always kills. */
#include "os/seccomp_mode.h"

bool os_seccomp_only_logs(void)
{
    return false;
}
