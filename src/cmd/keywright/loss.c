/* `keywright restore accept-loss`: the log goes on as a new line, as nobody can bring the rest of
 * the old one back. A ceremony beside the stopped server. */
#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "cmd/keywright/people.h"
#include "cmd/keywright/stopped.h"
#include "service/log/loss.h"

static const char ADVICE[] =
    "Nobody knows what happened in the gap:\n"
    "  certificates issued in it are unknown here, never good; their devices enrol anew\n"
    "  REVOCATIONS MADE IN IT ARE LOST: revoke again what people, tickets or an older export of\n"
    "    the log name; until then such a certificate is good\n"
    "  devices retired in it are active again: retire them again\n"
    "  registration secrets given before may have been used: give new ones\n"
    "  `keywright doctor` names what the vault signed in it and no log knows\n"
    "Give the new verifier key to everybody who checks the log, then make a backup.\n";

static void say(const struct loss *loss)
{
    char since[KW_TIME_TEXT], until[KW_TIME_TEXT];

    (void)kw_time_text_ms(loss->since_ms, since);
    (void)kw_time_text_ms(loss->until_ms, until);
    (void)printf("accepted       %" PRIu64 " entries are kept, %" PRIu64 " were signed as %s\n"
                 "gap            %s to %s\n"
                 "log            goes on as %s\n"
                 "verifier key   %s\n%s",
                 loss->have, loss->lost_size, loss->old_origin, since, until, loss->new_origin,
                 loss->vkey, ADVICE);
}

/* --- others' consent ---------------------------------------------------------------------------
 */

static kw_status sign(struct kw_op *op, struct keeper *keeper, enum approval_verdict verdict,
                      const char *name, const char *key, struct keeper_approval *request)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);

    TRY(op, cli_approval_sign_text(op, key, verdict, request->text, &sig), "signing as '%s'", name);
    return keeper_approval_sign(op, keeper, request->what.id, verdict, name, kw_out_span(&sig),
                                request);
}

/* "NAME=KEY" */
static kw_status approve_as(struct kw_op *op, struct keeper *keeper, const char *text,
                            struct keeper_approval *request)
{
    const char *key = strchr(text, '=');
    char name[KW_NAME_MAX];

    ENSURE(op, key && (size_t)(key - text) < sizeof(name), KW_E_INPUT,
           "--approver %.40s: NAME=KEY is expected, the key that signs", text);
    (void)snprintf(name, sizeof(name), "%.*s", (int)(key - text), text);
    return sign(op, keeper, APPROVAL_APPROVE, name, key + 1, request);
}

/* All are there, beside the stopped server: the text is shown, and each signs it. */
static kw_status ask(struct kw_op *op, struct keeper *keeper,
                     const struct approval_subject *subject, void *ctx, uint64_t *ret_id)
{
    const struct cli *cli = ctx;
    const char *as = cli->options[OPT_AS], *key = cli->options[OPT_KEY];
    struct keeper_approval request;

    ENSURE(op, as && key && cli->n_approvers > 0, KW_E_APPROVAL,
           "others have to approve: --as NAME --key KEY of who asks, --approver NAME=KEY for each "
           "of the others");
    TRY(op, keeper_approval_open(op, keeper, subject, as, &request));
    (void)printf("%s\n", request.text);
    TRY(op, sign(op, keeper, APPROVAL_REQUEST, as, key, &request));
    for (unsigned i = 0; i < cli->n_approvers; i++) {
        TRY(op, approve_as(op, keeper, cli->approvers[i], &request));
    }
    *ret_id = request.what.id;
    return KW_OK;
}

static kw_status accept_loss(struct kw_op *op, struct cli *cli, struct service *service, void *ctx)
{
    const struct loss_approval approval = {.ask = ask, .ctx = cli};
    struct loss loss;

    (void)ctx;
    TRY(op, log_accept_loss(op, service, cli->options[OPT_REASON], &approval, &loss));
    say(&loss);
    return KW_OK;
}

kw_status cli_restore_accept_loss(struct kw_op *op, struct cli *cli)
{
    const char *why = cli->options[OPT_REASON];

    ENSURE(op, cli->options[OPT_STATE] && why && *why, KW_E_INPUT,
           "--state DIR and --reason TEXT are needed");
    people_at_machine(op);
    return stopped_do(op, cli, /* ceremony= */ true, accept_loss, NULL);
}
