#include "rot/dirlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "os/clock.h"
#include "os/files.h"

enum { WAIT_MAX_MS = 5000 };

static kw_status lock(struct kw_op *op, const char *path, int flags, int *ret_fd)
{
    int64_t until_ms = op->deadline_ms ? op->deadline_ms : os_clock_mono_ms() + WAIT_MAX_MS;
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    ENSURE(op, fd >= 0, KW_E_IO, "opening '%s': %s", path, strerror(errno));
    if (!os_fd_lock(fd, until_ms)) {
        ENSURE(op, errno == EWOULDBLOCK, KW_E_IO, "locking '%s': %s", path, strerror(errno));
        return FAIL(op, KW_E_UNAVAILABLE, "another process holds '%s'; retry", path);
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
