/* Inside the gate's side: the command line that starts a keeper. */
#ifndef KEEPER_COMMAND_H
#define KEEPER_COMMAND_H

#include "keeper/keeper.h"

enum { KEEPER_ARGS_MAX = 11 + 2 * KEEPER_CUSTODY_PATHS, KEEPER_ENV_MAX = 6 + KEEPER_CUSTODY_ENV };

struct keeper_command {
    const char *argv[KEEPER_ARGS_MAX]; /* borrows from the configuration */
    const char *envp[KEEPER_ENV_MAX];  /* borrows from this struct: do not copy it */
    char clock[64], jump[64], seccomp[64];
};

/* Its environment is ours to choose: nothing of the caller's but what test builds of the keeper
 * read. */
kw_status keeper_command_of(struct kw_op *op, const struct keeper_config *config,
                            struct keeper_command *ret);

#endif
