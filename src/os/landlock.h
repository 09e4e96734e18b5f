/* The files that a process keeps, whatever its user might open (landlock(7)). */
#ifndef OS_LANDLOCK_H
#define OS_LANDLOCK_H

#include "base/bytes.h"
#include "base/op.h"

enum os_access {
    OS_ACCESS_READ = 1,     /* files and lists of folders, from here down */
    OS_ACCESS_WRITE = 2,    /* also write, make, rename and remove */
    OS_ACCESS_IF_THERE = 4, /* a path that is not there is no fault */
};

struct os_path {
    const char *path;   /* a folder or a file */
    unsigned access;    /* of enum os_access; READ is in WRITE */
    const char *reason; /* why; for the reader of the table */
};

struct os_paths {
    const struct os_path *rows;
    size_t n;
};

/**
 * From now on this thread, and those that it makes later, open only what the tables name, execute
 * nothing, and reach no process outside by signal or abstract socket; what is open stays open.
 * Call it before other threads are made. Cannot be undone. Needs os_sandbox_harden().
 *
 * tcp      false: no TCP connection and no TCP port any more, either
 * ret_abi  version of the kernel's landlock, 0 where it has none (or this is a sanitizer
 *          build) and nothing was done. Below 3
 *          truncate(2), below 4 TCP and below 6 signals and abstract sockets are not restricted.
 * Errors   KW_E_NOT_FOUND a path is not there; KW_E_IO the kernel refuses.
 */
kw_status os_landlock_enforce(struct kw_op *op, const struct os_paths tables[], size_t n, bool tcp,
                              unsigned *ret_abi);

#endif
