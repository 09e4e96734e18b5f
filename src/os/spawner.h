/*
 * A small process that stays behind with the privileges that ours gives up, and does one thing:
 * start a program of a fixed table anew. It is made before anything is read from a peer; no
 * argument, path or user can be given to it later, only a row's number.
 */
#ifndef OS_SPAWNER_H
#define OS_SPAWNER_H

#include "base/bytes.h"
#include "base/op.h"

enum { OS_SPAWNER_ROWS_MAX = 16 };

struct os_spawner_row {
    const char *const *argv; /* as of os_spawn_channel() */
    const char *const *envp; /* may be NULL */
    const char *user;        /* become this user first; NULL or "": as we are */
};

struct os_spawner; /* shared by all threads */

/**
 * Make the process. rows (1..OS_SPAWNER_ROWS_MAX) are borrowed for the call. Call it before other
 * threads, landlock and seccomp: the programs would inherit those. Where each row has a user, it
 * keeps only the capabilities to change user and to end what it started.
 * Errors: KW_E_NOT_FOUND, KW_E_DENIED a row's user is not there or is root; KW_E_LIMIT; KW_E_IO.
 */
kw_status os_spawner_new(struct kw_op *op, const struct os_spawner_row rows[], unsigned n,
                         struct os_spawner **ret);
/* End the row's program where it still runs, then start it. ret_fd as of os_spawn_channel(). Waits
 * for at most some seconds. KW_E_UNAVAILABLE: the process is gone; and those of
 * os_spawn_channel(). */
kw_status os_spawner_start(struct kw_op *op, struct os_spawner *spawner, unsigned row, int *ret_fd);
/* Wait some seconds for the row's program to end by itself, then kill it; fine where none runs. */
void os_spawner_end(struct os_spawner *spawner, unsigned row);
/* Kills what still runs, and reaps the process. The same happens should our process die. */
void os_spawner_free(struct os_spawner *spawner);
KW_OWNED(os_spawner, struct os_spawner, os_spawner_free)

#endif
