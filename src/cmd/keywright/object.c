/* What verbs of all nouns share: one object by its id, shown or changed, and where output goes. */
#include <stdio.h>

#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/files.h"

/* "/api/v1/NOUN/ID[/VERB]" with the id encoded; "devices/00af…" certificates go by their CA. */
kw_status cli_object_path(struct kw_op *op, const char *noun, const char *id, const char *verb,
                          char *path, size_t cap)
{
    AUTO(kw_bytes) *encoded = NULL;
    const char *slash = strchr(id, '/');

    TRY(op, kw_bytes_new(256, &encoded));
    if (slash) {
        ENSURE(op, strcmp(noun, "certs") == 0, KW_E_INPUT, "'%s' is no id", id);
        TRY(op, kw_bytes_printf(encoded, "cas/%.*s/certs/", (int)(slash - id), id));
        TRY(op, kw_uri_encode(slash + 1, encoded));
    } else {
        TRY(op, kw_bytes_printf(encoded, "%s/", noun));
        TRY(op, kw_uri_encode(id, encoded));
    }
    int n = snprintf(path, cap, "/api/v1/%.*s%s%s", (int)encoded->len, (const char *)encoded->p,
                     verb ? "/" : "", verb ? verb : "");
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_INPUT, "'%.40s…' is too long", id);
    return KW_OK;
}

kw_status cli_show_object(struct kw_op *op, struct cli *cli, const char *noun,
                          const struct view *view)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_object_path(op, noun, cli->args[0], NULL, path, sizeof(path)));
    TRY(op, cli_get(op, cli, path, &json));
    return cli_show(op, cli, view, kw_bytes_span(json));
}

kw_status cli_post_reason(struct kw_op *op, struct cli *cli, const char *noun, const char *verb,
                          struct kw_bytes **ret)
{
    char path[KW_URI_MAX];
    const char *reason = cli->options[OPT_REASON];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(64, &json));
    TRY(op, kw_bytes_append_text(json, reason ? "{\"reason\":" : "{}"));
    if (reason) {
        TRY(op, codec_json_string(kw_span_text(reason), json), "--reason");
        TRY(op, kw_bytes_append_text(json, "}"));
    }
    TRY(op, cli_object_path(op, noun, cli->args[0], verb, path, sizeof(path)));
    return cli_post(op, cli, path, kw_bytes_span(json), ret);
}

kw_status cli_write_out(struct kw_op *op, const struct cli *cli, struct kw_span content)
{
    if (cli->options[OPT_OUT]) {
        return os_file_write(op, cli->options[OPT_OUT], 0644, content);
    }
    ENSURE(op, fwrite(content.p, 1, content.len, stdout) == content.len, KW_E_IO,
           "standard output cannot be written");
    return KW_OK;
}
