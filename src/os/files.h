/* Files that must not be half-written, and folders that must not be readable by others. */
#ifndef OS_FILES_H
#define OS_FILES_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

/* Join two parts of a path into path[cap]; KW_E_TOO_LARGE rather than cutting. */
kw_status os_path_join(struct kw_op *op, char *path, size_t cap, const char *dir, const char *name);
/* Make a folder (and its parents) with this mode; fine where it exists. */
kw_status os_dir_make(struct kw_op *op, const char *path, mode_t mode);
/* Read a whole regular file of at most max octets. KW_E_NOT_FOUND, KW_E_TOO_LARGE, KW_E_IO. */
kw_status os_file_read(struct kw_op *op, const char *path, size_t max, struct kw_bytes **ret);
/* The same into a secret. Refuses (KW_E_DENIED) a file that group or others may use, or that is
 * another user's. */
kw_status os_file_read_secret(struct kw_op *op, const char *path, size_t max,
                              struct kw_secret **ret);
/**
 * Replace a file atomically and durably: temporary file, fsync, rename, fsync of the folder.
 * After a failure (KW_E_FULL, KW_E_IO) the old content stands and no temporary file is left;
 * KW_E_UNSURE: the new content is in place, but a power cut may bring the old one back.
 */
kw_status os_file_write(struct kw_op *op, const char *path, mode_t mode, struct kw_span content);
/**
 * Append one whole record to an open append-only file (O_APPEND, one writer) and make it durable.
 * Errors: KW_E_FULL, KW_E_IO nothing was appended; KW_E_UNSURE it may or may not be there after a
 * power cut.
 */
kw_status os_fd_append(struct kw_op *op, int fd, struct kw_span record);
/* Unlink, fsync the folder: at a cut the file is there whole or not at all. Fine where it is
 * absent. */
kw_status os_file_remove(struct kw_op *op, const char *path);
/* Overwrite with zeroes, fsync, unlink, fsync the folder; fine where it is absent. */
kw_status os_file_shred(struct kw_op *op, const char *path);
/* Remove what os_file_write() left half-written in a folder when its process was killed; nobody
 * else may write there meanwhile. KW_E_IO. */
kw_status os_dir_clear_temporaries(struct kw_op *op, const char *dir);
/* Remove a folder and all below it; links are not followed. Fine where it is absent. After a
 * failure (KW_E_IO) some of it is left. */
kw_status os_tree_remove(struct kw_op *op, const char *dir);
bool os_file_exists(const char *path);
/* Call each(name) for every regular file in a folder whose name ends in suffix, sorted by name.
 * Hidden files (leading dot) are passed over; the first failure of each() ends the walk.
 * KW_E_NOT_FOUND no such folder. */
kw_status os_dir_each(struct kw_op *op, const char *path, const char *suffix,
                      kw_status (*each)(struct kw_op *op, const char *name, void *ctx), void *ctx);

/* The exclusive lock of an open file (flock(2)), waiting for it until then (os_clock_mono_ms()):
 * who has it may be ending. False, and errno, where there is none: EWOULDBLOCK it is still held. */
bool os_fd_lock(int fd, int64_t until_ms);
/* A descriptor that closes itself when its scope is left: OS_FD_AUTO int fd = -1; */
void os_fd_close(int *fd);
#define OS_FD_AUTO __attribute__((cleanup(os_fd_close)))

#endif
