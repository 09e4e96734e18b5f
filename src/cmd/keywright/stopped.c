#include "cmd/keywright/stopped.h"

#include "cmd/keywright/owners.h"

kw_status stopped_do(struct kw_op *op, struct cli *cli, bool ceremony, stopped_fn work, void *ctx)
{
    char program[KEEPER_PROGRAM_MAX];
    struct keeper_config config = {.program = program, .ceremony = ceremony};
    AUTO(service) *service = NULL;
    struct kw_op own;

    TRY(op, keeper_program_find(op, cli->options[OPT_KEEPER], program));
    TRY(op, service_open(op, cli->options[OPT_STATE], &config, &service), "opening %s",
        cli->options[OPT_STATE]);
    kw_status status = work(op, cli, service, ctx);
    kw_op_init(&own, NULL, 0); /* the first failure is the one to tell */
    kw_status given = owners_set(kw_ok(status) ? op : &own, &service->config);
    return kw_ok(status) ? given : status;
}
