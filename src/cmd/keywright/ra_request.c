/* Enrolments that wait for an officer: each verb is one REST call. */
#include <stdio.h>

#include "base/uri.h"
#include "cmd/keywright/cli.h"

kw_status cli_request_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id",     "state",  "owner", "profile",
                                          "opened", "lapses", "via",   NULL};
    const char *state = cli->options[OPT_STATE_IS];
    const char *owner = cli->options[OPT_OWNER];
    AUTO(kw_bytes) *path = NULL;

    TRY(op, kw_bytes_new(256, &path));
    TRY(op, kw_bytes_append_text(path, "/api/v1/requests?state="));
    TRY(op, kw_uri_encode(state ? state : "", path));
    TRY(op, kw_bytes_append_text(path, "&owner="));
    TRY(op, kw_uri_encode(owner ? owner : "", path));
    TRY(op, kw_bytes_append(path, KW_SPAN("", 1)));
    return cli_list(op, cli, (const char *)path->p, &request_page, sizeof(struct request_page),
                    columns);
}

kw_status cli_request_show(struct kw_op *op, struct cli *cli)
{
    return cli_show_object(op, cli, "requests", &request_view);
}

static kw_status decide(struct kw_op *op, struct cli *cli, const char *verb)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "requests", verb, &answer));
    return cli_show(op, cli, &request_view, kw_bytes_span(answer));
}

kw_status cli_request_approve(struct kw_op *op, struct cli *cli)
{
    return decide(op, cli, "approve");
}

kw_status cli_request_refuse(struct kw_op *op, struct cli *cli)
{
    return decide(op, cli, "refuse");
}
