#include "rot/dirlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "os/clock.h"
#include "os/files.h"

enum { WAIT_MAX_MS = 5000, WAIT_STEP_MS = 2 };

static kw_status lock(struct kw_op *op, const char *path, int flags, int *ret_fd)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    int64_t until_ms = op->deadline_ms ? op->deadline_ms : os_clock_mono_ms() + WAIT_MAX_MS;
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    ENSURE(op, fd >= 0, KW_E_IO, "opening '%s': %s", path, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        ENSURE(op, errno == EWOULDBLOCK || errno == EINTR, KW_E_IO, "locking '%s': %s", path,
               strerror(errno));
        ENSURE(op, os_clock_mono_ms() < until_ms, KW_E_UNAVAILABLE,
               "another process holds '%s'; retry", path);
        (void)nanosleep(&step, NULL); /* an early wake-up only tries again sooner */
    }
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}

kw_status rot_dir_lock(struct kw_op *op, const char *dir, int *ret_fd)
{
    return lock(op, dir, O_DIRECTORY, ret_fd);
}

kw_status rot_file_lock(struct kw_op *op, const char *path, int *ret_fd)
{
    return lock(op, path, O_NONBLOCK | O_NOCTTY, ret_fd);
}
