/* Devices: each verb is one REST call. */
#include <stdio.h>

#include "base/secret.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/files.h"

kw_status cli_device_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {
        "id",        "product",       "serial",      "batch",           "state", "firmware",
        "last_seen", "root_of_trust", "attestation", "assurance_level", NULL};

    return cli_list(op, cli, "/api/v1/devices", &device_page, sizeof(struct device_page), columns);
}

static kw_status tell_secret(struct kw_op *op, const struct cli *cli, struct kw_bytes *json)
{
    struct secret_view answer = {0};
    char line[80];

    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
        return KW_OK;
    }
    TRY(op, codec_json_decode(op, kw_bytes_span(json), secret_view.fields, secret_view.n, &answer));
    if (cli->options[OPT_SECRET_FILE]) {
        (void)snprintf(line, sizeof(line), "%s\n", answer.secret);
        TRY(op, os_file_write(op, cli->options[OPT_SECRET_FILE], 0600, kw_span_text(line)),
            "writing the secret");
        (void)printf("device %s registered; its one-time secret is in %s\n", answer.id,
                     cli->options[OPT_SECRET_FILE]);
    } else {
        (void)printf("device         %s\nsecret         %s\n", answer.id, answer.secret);
    }
    kw_wipe(&answer, sizeof(answer));
    kw_wipe(line, sizeof(line));
    return KW_OK;
}

struct register_body {
    char id[KW_NAME_MAX], product[KW_NAME_MAX], serial[KW_NAME_MAX], hw_type[64];
    char batch[KW_NAME_MAX];
    uint32_t hours;
    bool cmp;
};
static const struct codec_field register_fields[] = {
    FIELD_STRING("id", struct register_body, id, 0, ""),
    FIELD_STRING("product", struct register_body, product, 0, ""),
    FIELD_STRING("serial", struct register_body, serial, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("hw_type", struct register_body, hw_type, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("batch", struct register_body, batch, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("secret_hours", struct register_body, hours, CODEC_OMIT_EMPTY, 0, 0, ""),
    FIELD_BOOL("cmp", struct register_body, cmp, CODEC_OMIT_EMPTY, ""),
};

static kw_status copy_option(struct kw_op *op, const struct cli *cli, enum cli_option option,
                             char *text, size_t cap)
{
    const char *given = cli->options[option];

    ENSURE(op, !given || kw_text_copy(text, cap, given), KW_E_INPUT, "'%.40s…' is too long", given);
    return KW_OK;
}

kw_status cli_device_register(struct kw_op *op, struct cli *cli)
{
    struct register_body body = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, KW_TEXT_SET(body.id, cli->args[0]), KW_E_INPUT, "the device id is too long");
    ENSURE(op, cli->options[OPT_PRODUCT], KW_E_INPUT, "--product is missing");
    TRY(op, copy_option(op, cli, OPT_PRODUCT, body.product, sizeof(body.product)));
    TRY(op, copy_option(op, cli, OPT_SERIAL, body.serial, sizeof(body.serial)));
    TRY(op, copy_option(op, cli, OPT_HW_TYPE, body.hw_type, sizeof(body.hw_type)));
    TRY(op, copy_option(op, cli, OPT_BATCH, body.batch, sizeof(body.batch)));
    TRY(op, cli_number(op, cli, OPT_HOURS, 0, 87600, &body.hours));
    body.cmp = cli->options[OPT_CMP] != NULL;
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, register_fields, KW_COUNT(register_fields), &body, json));
    TRY(op, cli_post(op, cli, "/api/v1/devices", kw_bytes_span(json), &answer));
    return tell_secret(op, cli, answer);
}

kw_status cli_device_show(struct kw_op *op, struct cli *cli)
{
    return cli_show_object(op, cli, "devices", &device_view);
}

kw_status cli_device_events(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id",   "time",   "clock",  "category",
                                          "type", "result", "detail", NULL};
    char path[KW_URI_MAX];

    TRY(op, cli_object_path(op, "devices", cli->args[0], "events", path, sizeof(path)));
    return cli_list(op, cli, path, &device_event_page, sizeof(struct device_event_page), columns);
}

kw_status cli_device_secret(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX], query[32];
    unsigned hours = 0;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_number(op, cli, OPT_HOURS, 168, 87600, &hours));
    (void)snprintf(query, sizeof(query), "secret?hours=%u&cmp=%d", hours,
                   cli->options[OPT_CMP] ? 1 : 0);
    TRY(op, cli_object_path(op, "devices", cli->args[0], query, path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    return tell_secret(op, cli, answer);
}

kw_status cli_device_retire(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "devices", "retire", &answer));
    (void)printf("device %s is retired; its certificates are revoked\n", cli->args[0]);
    return KW_OK;
}

/* --- a wipe from afar ---------------------------------------------------------------------------
 */

struct wipe {
    char reason[128];
    uint32_t hours;
};
static const struct codec_field wipe_fields[] = {
    FIELD_STRING("reason", struct wipe, reason, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("hours", struct wipe, hours, CODEC_OMIT_EMPTY, 0, 0, ""),
};

kw_status cli_device_wipe(struct kw_op *op, struct cli *cli)
{
    struct wipe wipe = {0};
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, copy_option(op, cli, OPT_REASON, wipe.reason, sizeof(wipe.reason)));
    TRY(op, cli_number(op, cli, OPT_HOURS, 0, 87600, &wipe.hours));
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, wipe_fields, KW_COUNT(wipe_fields), &wipe, json));
    TRY(op, cli_object_path(op, "devices", cli->args[0], "wipe", path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_bytes_span(json), &answer));
    (void)printf("device %s is ordered to wipe itself; 'device show' tells when it did\n",
                 cli->args[0]);
    return KW_OK;
}

kw_status cli_device_unwipe(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "devices", "wipe/cancel", &answer));
    (void)printf("the order to device %s is taken back\n", cli->args[0]);
    return KW_OK;
}
