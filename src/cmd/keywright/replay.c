/* `keywright restore replay`: a store that was put back learns from an exported log what happened
 * since. Works on the state folder itself, while the server is stopped. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/keywright/stopped.h"
#include "service/log/gap.h"
#include "service/log/log.h"
#include "service/log/replay.h"

static void print_replay(const struct replay_result *it)
{
    (void)printf("%" PRIu64 " entries replayed: %u certificates revoked, %u put on hold (issued "
                 "meanwhile; only the log knows them), %u devices registered, %u retired, %u keys "
                 "destroyed, %" PRIu64 " blocked\n",
                 it->entries, it->revoked, it->held, it->devices, it->retired, it->destroyed,
                 it->blocked);
}

/* From here on the log goes on. */
static kw_status tell(struct kw_op *op, struct service *service, const struct replay_result *it)
{
    struct event event = {
        .type = EVENT_BACKUP_RESTORE, .source = "keywright restore", .object = "store"};

    (void)snprintf(event.detail, sizeof(event.detail),
                   "the store was put back, then %" PRIu64 " entries were replayed", it->entries);
    TRY(op, service_record_alone(op, service, &event));
    return log_checkpoint_now(op, service);
}

static kw_status replay(struct kw_op *op, struct cli *cli, struct service *service, void *ctx)
{
    char text[KW_OP_TEXT_MAX];
    struct replay_result result = {0};

    (void)ctx;
    TRY(op, log_replay(op, service, cli->options[OPT_LOG], &result));
    print_replay(&result);
    ENSURE(op, result.whole, KW_E_UNAVAILABLE, "not whole yet: %s",
           log_gap_text(service, text, sizeof(text)));
    TRY(op, tell(op, service, &result));
    (void)puts("the store is whole: the log is the one that was signed");
    return KW_OK;
}

kw_status cli_restore_replay(struct kw_op *op, struct cli *cli)
{
    ENSURE(op, cli->options[OPT_STATE] && cli->options[OPT_LOG], KW_E_INPUT,
           "--state DIR and --log DIR are needed");
    return stopped_do(op, cli, /* ceremony= */ false, replay, NULL);
}
