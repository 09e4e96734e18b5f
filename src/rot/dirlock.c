#include "rot/dirlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "os/clock.h"
#include "os/files.h"

enum { WAIT_MAX_MS = 5000, WAIT_STEP_MS = 2 };

kw_status rot_dir_lock(struct kw_op *op, const char *dir, int *ret_fd)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    int64_t until_ms = op->deadline_ms ? op->deadline_ms : os_clock_mono_ms() + WAIT_MAX_MS;
    OS_FD_AUTO int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ENSURE(op, fd >= 0, KW_E_IO, "opening folder '%s': %s", dir, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        ENSURE(op, errno == EWOULDBLOCK || errno == EINTR, KW_E_IO, "locking folder '%s': %s", dir,
               strerror(errno));
        ENSURE(op, os_clock_mono_ms() < until_ms, KW_E_UNAVAILABLE,
               "another process works in '%s'; retry", dir);
        (void)nanosleep(&step, NULL); /* an early wake-up only tries again sooner */
    }
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}
