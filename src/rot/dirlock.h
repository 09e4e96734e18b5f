/* One process at a time changes what lies in a root of trust's folder (agent and command line share
 * it). */
#ifndef ROT_DIRLOCK_H
#define ROT_DIRLOCK_H

#include "base/op.h"

/**
 * Lock a folder until *ret_fd is closed (OS_FD_AUTO). Blocks until op's deadline, 5 s where it has
 * none. Errors: KW_E_UNAVAILABLE another process holds it (retry is safe); KW_E_IO.
 */
kw_status rot_dir_lock(struct kw_op *op, const char *dir, int *ret_fd);
/* The same with a file that exists, for a root of trust that has no folder. */
kw_status rot_file_lock(struct kw_op *op, const char *path, int *ret_fd);

#endif
