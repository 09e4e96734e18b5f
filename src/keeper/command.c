#include "keeper/command.h"

#include <stdio.h>
#include <stdlib.h>

/* Only builds with tests listen to these (os/clock.h, os/seccomp.h). */
static kw_status hand_on(struct kw_op *op, const char *name, char *room, size_t cap,
                         struct keeper_command *command, unsigned *n)
{
    const char *given = getenv(name);

    if (given) {
        int len = snprintf(room, cap, "%s=%s", name, given);
        ENSURE(op, len > 0 && (size_t)len < cap, KW_E_INPUT, "%s is too long", name);
        command->envp[(*n)++] = room;
    }
    return KW_OK;
}

kw_status keeper_command_of(struct kw_op *op, const struct keeper_config *config,
                            struct keeper_command *ret)
{
    unsigned n_args = 5, n_env = 2;

    *ret = (struct keeper_command){
        .argv = {config->program, "--vault", config->vault, "--unlock", config->unlock},
        .envp = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 "LANG=C.UTF-8"},
    };
    if (config->custody && config->custody[0]) {
        ret->argv[n_args++] = "--custody";
        ret->argv[n_args++] = config->custody;
    }
    for (unsigned i = 0; i < KEEPER_CUSTODY_PATHS && config->paths[i]; i++) {
        ret->argv[n_args++] = "--path";
        ret->argv[n_args++] = config->paths[i];
    }
    for (unsigned i = 0; i < KEEPER_CUSTODY_ENV && config->env[i]; i++) {
        ret->envp[n_env++] = config->env[i];
    }
    if (config->create) {
        ret->argv[n_args++] = "--create";
    }
    if (config->ceremony) {
        ret->argv[n_args++] = "--ceremony";
    }
    TRY(op,
        hand_on(op, "KEYWRIGHT_TEST_CLOCK_OFFSET_S", ret->clock, sizeof(ret->clock), ret, &n_env));
    TRY(op, hand_on(op, "KEYWRIGHT_TEST_CLOCK_JUMP_S", ret->jump, sizeof(ret->jump), ret, &n_env));
    return hand_on(op, "KEYWRIGHT_SECCOMP", ret->seccomp, sizeof(ret->seccomp), ret, &n_env);
}

kw_status keeper_spawner_new(struct kw_op *op, const struct keeper_config configs[],
                             const char *const users[], unsigned n, struct os_spawner **ret)
{
    struct keeper_command commands[OS_SPAWNER_ROWS_MAX];
    struct os_spawner_row rows[OS_SPAWNER_ROWS_MAX];

    ENSURE(op, n <= OS_SPAWNER_ROWS_MAX, KW_E_LIMIT, "at most %d keepers", OS_SPAWNER_ROWS_MAX);
    for (unsigned i = 0; i < n; i++) {
        ENSURE(op, !configs[i].create && !configs[i].ceremony, KW_E_INTERNAL,
               "a ceremony is started by its own program");
        TRY(op, keeper_command_of(op, &configs[i], &commands[i]));
        rows[i] = (struct os_spawner_row){commands[i].argv, commands[i].envp, users[i]};
    }
    return os_spawner_new(op, rows, n, ret);
}
