/* Who approves what: shown, and changed by asking for it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/b64.h"
#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "cmd/keywright/people.h"
#include "codec/json.h"
#include "model/roster.h"

/* The path with the vault that is meant, and its NUL. */
static kw_status path_in(struct kw_op *op, const struct cli *cli, struct kw_bytes *path)
{
    if (cli->options[OPT_IN_VAULT]) {
        TRY(op, kw_bytes_append_text(path, "?vault="));
        TRY(op, kw_uri_encode(cli->options[OPT_IN_VAULT], path));
    }
    return kw_bytes_append(path, KW_SPAN("", 1));
}

kw_status cli_approval_roster(struct kw_op *op, struct cli *cli)
{
    struct roster_view view = {0};
    AUTO(kw_bytes) *path = NULL;
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(128, &path));
    TRY(op, kw_bytes_append_text(path, "/api/v1/roster"));
    TRY(op, path_in(op, cli, path));
    TRY(op, cli_get(op, cli, (const char *)path->p, &json));
    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
        return KW_OK;
    }
    TRY(op, codec_json_decode(op, kw_bytes_span(json), roster_view.fields, roster_view.n, &view));
    for (unsigned i = 0; i < view.n; i++) {
        (void)printf("%-20s %-40s key %.32s\n", view.people[i].name, view.people[i].roles,
                     view.people[i].spki);
    }
    for (unsigned i = 0; i < view.n_rules; i++) {
        const struct rule_view *rule = &view.rules[i];
        (void)printf("%-14s %-14s %u of %s within %u s%s\n", rule->operation, rule->class_,
                     (unsigned)rule->needed, rule->roles, (unsigned)rule->deadline_s,
                     rule->can_be_met ? "" : "  (too few people enrolled)");
    }
    return KW_OK;
}

/* "name":"value" with a comma before it where it is not the first. */
static kw_status put_text(struct kw_op *op, struct kw_bytes *json, const char *name,
                          const char *value)
{
    TRY(op, kw_bytes_printf(json, "%c\"%s\":", json->len == 0 ? '{' : ',', name));
    return codec_json_string(kw_span_text(value), json);
}

static kw_status done(struct kw_op *op, struct cli *cli, const char *where, struct kw_bytes *json)
{
    AUTO(kw_bytes) *path = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, kw_bytes_append_text(json, "}"));
    TRY(op, kw_bytes_new(128, &path));
    TRY(op, kw_bytes_append_text(path, where));
    TRY(op, path_in(op, cli, path));
    return cli_post(op, cli, (const char *)path->p, kw_bytes_span(json), &answer);
}

kw_status cli_approval_enroll(struct kw_op *op, struct cli *cli)
{
    const char *file = cli->options[OPT_PUBLIC], *roles = cli->options[OPT_ROLES];
    AUTO(pubkey) *key = NULL;
    AUTO(kw_bytes) *json = NULL;

    ENSURE(op, file, KW_E_INPUT, "--public FILE is missing: the person's certificate or key");
    TRY(op, people_read_key(op, file, &key));
    TRY(op, kw_bytes_new(1024, &json));
    TRY(op, put_text(op, json, "name", cli->args[0]), "the name");
    TRY(op, put_text(op, json, "roles", roles ? roles : "security-officer"), "--roles");
    TRY(op, kw_bytes_append_text(json, ",\"public_key\":\""));
    TRY(op, kw_b64_encode(pubkey_spki(key), 0, json));
    TRY(op, kw_bytes_append_text(json, "\""));
    return done(op, cli, "/api/v1/roster/people", json);
}

kw_status cli_approval_dismiss(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *path = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, kw_bytes_new(256, &path));
    TRY(op, kw_bytes_append_text(path, "/api/v1/roster/people/"));
    TRY(op, kw_uri_encode(cli->args[0], path));
    TRY(op, kw_bytes_append_text(path, "/dismiss"));
    TRY(op, path_in(op, cli, path));
    return cli_post(op, cli, (const char *)path->p, kw_span_text("{}"), &answer);
}

kw_status cli_approval_rule(struct kw_op *op, struct cli *cli)
{
    const char *roles = cli->options[OPT_ROLES];
    unsigned needed = 0, hours = 0;
    AUTO(kw_bytes) *json = NULL;

    ENSURE(op, cli->options[OPT_APPROVALS], KW_E_INPUT, "--approvals M is missing");
    TRY(op, cli_number(op, cli, OPT_APPROVALS, 1, ROSTER_NEEDED_MAX, &needed));
    TRY(op, cli_number(op, cli, OPT_HOURS, 24, ROSTER_DEADLINE_MAX_S / 3600, &hours));
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, put_text(op, json, "operation", cli->args[0]), "the operation");
    TRY(op, put_text(op, json, "roles", roles ? roles : "security-officer"), "--roles");
    if (cli->options[OPT_CLASS]) {
        TRY(op, put_text(op, json, "class", cli->options[OPT_CLASS]), "--class");
    }
    TRY(op, kw_bytes_printf(json, ",\"needed\":%u,\"deadline_s\":%u", needed,
                            (hours > 0 ? hours : 1) * 3600));
    return done(op, cli, "/api/v1/roster/rules", json);
}
