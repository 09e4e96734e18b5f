/* ca, device, cert and key verbs: each is one REST call. */
#include <stdio.h>

#include "base/secret.h"
#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/clock.h"
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

static kw_status show(struct kw_op *op, struct cli *cli, const char *noun, const struct view *view)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_object_path(op, noun, cli->args[0], NULL, path, sizeof(path)));
    TRY(op, cli_get(op, cli, path, &json));
    return cli_show(op, cli, view, kw_bytes_span(json));
}

/* --- lists ------------------------------------------------------------------------------------ */

kw_status cli_device_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id",        "product",       "serial", "state",
                                          "last_seen", "root_of_trust", NULL};

    return cli_list(op, cli, "/api/v1/devices", &device_page, sizeof(struct device_page), columns);
}

static const struct {
    enum cli_option option;
    const char *key;
} cert_filters[] = {
    {OPT_OWNER,    "owner"       },
    {OPT_CA,       "ca"          },
    {OPT_PROFILE,  "profile"     },
    {OPT_STATE_IS, "state"       },
    {OPT_EXPIRES,  "expires_days"},
};

kw_status cli_cert_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"ca",    "serial",    "owner", "profile",
                                          "state", "not_after", NULL};
    AUTO(kw_bytes) *path = NULL;
    char sign = '?';

    TRY(op, kw_bytes_new(256, &path));
    TRY(op, kw_bytes_append_text(path, "/api/v1/certs"));
    for (unsigned i = 0; i < KW_COUNT(cert_filters); i++) {
        const char *value = cli->options[cert_filters[i].option];
        if (value) {
            TRY(op, kw_bytes_printf(path, "%c%s=", sign, cert_filters[i].key));
            TRY(op, kw_uri_encode(value, path));
            sign = '&';
        }
    }
    TRY(op, kw_bytes_append(path, KW_SPAN("", 1)));
    return cli_list(op, cli, (const char *)path->p, &cert_page, sizeof(struct cert_page), columns);
}

/* --- devices ---------------------------------------------------------------------------------- */

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
    uint32_t hours;
};
static const struct codec_field register_fields[] = {
    FIELD_STRING("id", struct register_body, id, 0, ""),
    FIELD_STRING("product", struct register_body, product, 0, ""),
    FIELD_STRING("serial", struct register_body, serial, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("hw_type", struct register_body, hw_type, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("secret_hours", struct register_body, hours, CODEC_OMIT_EMPTY, 0, 0, ""),
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
    TRY(op, cli_number(op, cli, OPT_HOURS, 0, 87600, &body.hours));
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, register_fields, KW_COUNT(register_fields), &body, json));
    TRY(op, cli_post(op, cli, "/api/v1/devices", kw_bytes_span(json), &answer));
    return tell_secret(op, cli, answer);
}

kw_status cli_device_show(struct kw_op *op, struct cli *cli)
{
    return show(op, cli, "devices", &device_view);
}

kw_status cli_device_secret(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX], query[32];
    unsigned hours = 0;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_number(op, cli, OPT_HOURS, 168, 87600, &hours));
    (void)snprintf(query, sizeof(query), "secret?hours=%u", hours);
    TRY(op, cli_object_path(op, "devices", cli->args[0], query, path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    return tell_secret(op, cli, answer);
}

static kw_status post_reason(struct kw_op *op, struct cli *cli, const char *noun, const char *verb,
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

kw_status cli_device_retire(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, post_reason(op, cli, "devices", "retire", &answer));
    (void)printf("device %s is retired; its certificates are revoked\n", cli->args[0]);
    return KW_OK;
}

/* --- certificates
 * ---------------------------------------------------------------------------------------- */

kw_status cli_cert_show(struct kw_op *op, struct cli *cli)
{
    return show(op, cli, "certs", &cert_view);
}

kw_status cli_write_out(struct kw_op *op, const struct cli *cli, struct kw_span content)
{
    if (cli->options[OPT_OUT]) {
        return os_file_write(op, cli->options[OPT_OUT], 0644, content);
    }
    (void)printf("%.*s", (int)content.len, (const char *)content.p);
    return KW_OK;
}

kw_status cli_cert_pem(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, cli_object_path(op, "certs", cli->args[0], "pem", path, sizeof(path)));
    TRY(op, cli_get(op, cli, path, &pem));
    return cli_write_out(op, cli, kw_bytes_span(pem));
}

kw_status cli_cert_revoke(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, post_reason(op, cli, "certs", "revoke", &answer));
    return cli_show(op, cli, &cert_view, kw_bytes_span(answer));
}
