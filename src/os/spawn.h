/* Start a program of ours with one end of a socket pair as its descriptor 3. */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <sys/types.h>

#include "base/op.h"
#include "os/sandbox.h"

/**
 * fork and exec argv[0] (absolute path) with an AF_UNIX SOCK_SEQPACKET channel.
 * The child has descriptors 0 (/dev/null), 1, 2 and 3 (its end), nothing else, the given
 * environment variables only (envp may be NULL for PATH and LANG alone), and dies with its parent
 * (PR_SET_PDEATHSIG). The parent-death signal follows the *thread* that calls this: call it on the
 * main thread. Errors: KW_E_NOT_FOUND no such program; KW_E_IO, KW_E_LIMIT. Returns after the exec
 * succeeded. ret_fd: our end, close-on-exec, owned by the caller. ret_pid: to be reaped with
 * os_spawn_wait().
 */
kw_status os_spawn_channel(struct kw_op *op, const char *const argv[], const char *const envp[],
                           int *ret_fd, pid_t *ret_pid);
/* The same as another user (NULL: as we are), which only root can do. */
kw_status os_spawn_channel_as(struct kw_op *op, const char *const argv[], const char *const envp[],
                              const struct os_user *user, int *ret_fd, pid_t *ret_pid);
/* Wait up to timeout_ms for the child to end, then SIGKILL it. ret_status as waitpid(2); may be
 * NULL. */
kw_status os_spawn_wait(struct kw_op *op, pid_t pid, int timeout_ms, int *ret_status);

#endif
