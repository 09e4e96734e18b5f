/* data verbs: keys for data, wrapped by a key of the keeper. */
#include <stdio.h>

#include "base/secret.h"
#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/files.h"

kw_status cli_data_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "wrapped_by", "state", "context", NULL};

    return cli_list(op, cli, "/api/v1/data-keys", &data_key_page, sizeof(struct data_key_page),
                    columns);
}

kw_status cli_data_show(struct kw_op *op, struct cli *cli)
{
    return cli_show_object(op, cli, "data-keys", &data_key_view);
}

/* The key itself into --secret-file, and what is known of it to stdout. */
static kw_status file_secret(struct kw_op *op, struct cli *cli, struct data_key_view *answer)
{
    char line[VIEW_HEX + 1];
    AUTO(kw_bytes) *rest = NULL;

    (void)snprintf(line, sizeof(line), "%s\n", answer->key);
    kw_status status = os_file_write(op, cli->options[OPT_SECRET_FILE], 0600, kw_span_text(line));
    kw_wipe(line, sizeof(line));
    kw_wipe(answer->key, sizeof(answer->key));
    TRY(op, status, "writing the key");
    TRY(op, kw_bytes_new(1024, &rest));
    TRY(op, codec_json_encode(op, data_key_view.fields, data_key_view.n, answer, rest));
    return cli_show(op, cli, &data_key_view, kw_bytes_span(rest));
}

static kw_status tell(struct kw_op *op, struct cli *cli, const struct kw_bytes *json)
{
    struct data_key_view answer = {0};

    if (!cli->options[OPT_SECRET_FILE]) {
        return cli_show(op, cli, &data_key_view, kw_bytes_span(json));
    }
    TRY(op,
        codec_json_decode(op, kw_bytes_span(json), data_key_view.fields, data_key_view.n, &answer));
    return file_secret(op, cli, &answer);
}

struct wish {
    char id[KW_NAME_MAX], kek[KW_NAME_MAX], context[160];
    bool give_key;
};
static const struct codec_field wish_fields[] = {
    FIELD_STRING("id", struct wish, id, 0, ""),
    FIELD_STRING("kek", struct wish, kek, 0, ""),
    FIELD_STRING("context", struct wish, context, CODEC_OMIT_EMPTY, ""),
    FIELD_BOOL("give_key", struct wish, give_key, CODEC_OMIT_EMPTY, ""),
};

kw_status cli_data_create(struct kw_op *op, struct cli *cli)
{
    const char *kek = cli->options[OPT_KEK];
    const char *context = cli->options[OPT_CONTEXT];
    struct wish wish = {.give_key = cli->options[OPT_SECRET_FILE] != NULL};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, KW_TEXT_SET(wish.id, cli->args[0]), KW_E_INPUT, "the id is too long");
    ENSURE(op, kek && KW_TEXT_SET(wish.kek, kek), KW_E_INPUT, "--kek is missing or too long");
    ENSURE(op, !context || KW_TEXT_SET(wish.context, context), KW_E_INPUT, "--context is too long");
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, wish_fields, KW_COUNT(wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/data-keys", kw_bytes_span(json), &answer));
    return tell(op, cli, answer);
}

kw_status cli_data_unwrap(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_object_path(op, "data-keys", cli->args[0], "unwrap", path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    return tell(op, cli, answer);
}

kw_status cli_data_rewrap(struct kw_op *op, struct cli *cli)
{
    struct wish wish = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, KW_TEXT_SET(wish.kek, cli->args[0]), KW_E_INPUT, "the key id is too long");
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, &wish_fields[1], 1, &wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/data-keys/rewrap", kw_bytes_span(json), &answer));
    return cli_show(op, cli, &data_rewrap_view, kw_bytes_span(answer));
}
