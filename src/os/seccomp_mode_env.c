/* Only in builds with tests: finding out what a new library needs. */
#include <stdlib.h>
#include <string.h>

#include "os/seccomp_mode.h"

bool os_seccomp_only_logs(void)
{
    const char *given = getenv("KEYWRIGHT_SECCOMP");

    return given && strcmp(given, "log") == 0;
}
