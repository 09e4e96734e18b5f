/* The whole store into another file. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/files.h"
#include "store/store_internal.h"

static kw_status sync_file(struct kw_op *op, const char *path)
{
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    ENSURE(op, fd >= 0 && fsync(fd) == 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO, "syncing %s: %s",
           path, strerror(errno));
    return KW_OK;
}

kw_status store_backup(struct kw_op *op, struct store *store, const char *path)
{
    ENSURE(op, !os_file_exists(path), KW_E_CONFLICT, "%s is there", path);
    kw_status status = store->driver->backup(op, store->path, path);
    if (kw_ok(status)) {
        status = sync_file(op, path);
    }
    if (!kw_ok(status)) {
        (void)unlink(path); /* half a copy is none */
    }
    return status;
}

kw_status store_verify(struct kw_op *op, const char *path)
{
    return store_driver_sqlite.verify(op, path);
}
