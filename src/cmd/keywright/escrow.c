/* `keywright restore secrets`: escrowed keys for data, out of a backup into the vaults of a server.
 * A ceremony beside the stopped server. */
#include <stdio.h>

#include "cmd/keywright/scratch.h"
#include "cmd/keywright/stopped.h"
#include "cmd/keywright/unpack.h"
#include "service/backup/escrow.h"

static void print_fate(void *ctx, const char *key_id, enum escrow_fate fate)
{
    (void)ctx;
    (void)printf("key            %-20s %s\n", key_id, escrow_fate_text(fate));
}

struct escrowed {
    const struct kw_secret *recovery;
    const char *dir; /* the backup's state */
};

static kw_status bring(struct kw_op *op, struct cli *cli, struct service *service, void *ctx)
{
    const struct escrowed *it = ctx;
    unsigned n_data_keys = 0;

    (void)cli;
    TRY(op, escrow_bring(op, service, it->dir, it->recovery, print_fate, NULL, &n_data_keys));
    (void)printf("data keys      %u brought back\n", n_data_keys);
    return KW_OK;
}

kw_status cli_restore_secrets(struct kw_op *op, struct cli *cli)
{
    __attribute__((cleanup(backup_file_done))) struct backup_file file = {.fd = -1};
    AUTO_SCRATCH scratch = {0};
    AUTO(kw_secret) *recovery = NULL;
    char inner[96];
    uint64_t size = 0;

    ENSURE(op, cli->options[OPT_STATE], KW_E_INPUT, "--state DIR is missing");
    TRY(op, backup_file_open(op, cli, cli->args[0], &file));
    TRY(op, scratch_new(op, &scratch));
    TRY(op, backup_join_shares(op, cli, &recovery));
    (void)snprintf(inner, sizeof(inner), "%s/state", scratch.dir);
    TRY(op, backup_unpack(op, &file, recovery, inner, &size));
    struct escrowed escrowed = {.recovery = recovery, .dir = inner};
    return stopped_do(op, cli, /* ceremony= */ true, bring, &escrowed);
}
