/* `keywright restore secrets`: escrowed keys for data, out of a backup into the vaults of a server.
 * A ceremony beside the stopped server. */
#include <stdio.h>

#include "cmd/keywright/owners.h"
#include "cmd/keywright/scratch.h"
#include "cmd/keywright/unpack.h"
#include "service/backup/escrow.h"

static void print_fate(void *ctx, const char *key_id, enum escrow_fate fate)
{
    (void)ctx;
    (void)printf("key            %-20s %s\n", key_id, escrow_fate_text(fate));
}

static kw_status bring(struct kw_op *op, struct cli *cli, const struct kw_secret *recovery,
                       const char *dir)
{
    char program[KEEPER_PROGRAM_MAX];
    struct keeper_config config = {.program = program, .ceremony = true};
    unsigned n_data_keys = 0;
    AUTO(service) *service = NULL;

    TRY(op, keeper_program_find(op, cli->options[OPT_KEEPER], program));
    TRY(op, service_open(op, cli->options[OPT_STATE], &config, &service), "opening %s",
        cli->options[OPT_STATE]);
    kw_status status = escrow_bring(op, service, dir, recovery, print_fate, NULL, &n_data_keys);
    struct kw_op own;
    kw_op_init(&own, NULL, 0);
    kw_status given = owners_set(&own, &service->config); /* what a part of it wrote, too */
    TRY(op, status);
    (void)printf("data keys      %u brought back\n", n_data_keys);
    return given;
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
    return bring(op, cli, recovery, inner);
}
