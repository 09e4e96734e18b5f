/* Certificates: each verb is one REST call. */
#include <stdio.h>

#include "base/uri.h"
#include "cmd/keywright/cli.h"

static const struct {
    enum cli_option option;
    const char *key;
} cert_filters[] = {
    {OPT_OWNER,          "owner"         },
    {OPT_DEVICE,         "device"        },
    {OPT_SERIAL,         "serial"        },
    {OPT_KEY_HASH,       "key"           },
    {OPT_SUBJECT_IS,     "subject"       },
    {OPT_CA,             "ca"            },
    {OPT_PROFILE,        "profile"       },
    {OPT_PRODUCT,        "product"       },
    {OPT_BATCH,          "batch"         },
    {OPT_FIRMWARE,       "firmware"      },
    {OPT_FIRMWARE_FROM,  "firmware_from" },
    {OPT_FIRMWARE_BELOW, "firmware_below"},
    {OPT_STATE_IS,       "state"         },
    {OPT_EXPIRES,        "expires_days"  },
    {OPT_EXPIRES_HOURS,  "expires_hours" },
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
    const char *format = cli->options[OPT_FORMAT];
    if (format && strcmp(format, "table") != 0) {
        return cli_export(op, cli, (const char *)path->p, &cert_page, sizeof(struct cert_page));
    }
    return cli_list(op, cli, (const char *)path->p, &cert_page, sizeof(struct cert_page), columns);
}

kw_status cli_cert_show(struct kw_op *op, struct cli *cli)
{
    return cli_show_object(op, cli, "certs", &cert_view);
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

    TRY(op, cli_post_reason(op, cli, "certs", "revoke", &answer));
    return cli_show(op, cli, &cert_view, kw_bytes_span(answer));
}

static kw_status change_hold(struct kw_op *op, struct cli *cli, const char *verb)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "certs", verb, &answer));
    return cli_show(op, cli, &cert_view, kw_bytes_span(answer));
}

kw_status cli_cert_hold(struct kw_op *op, struct cli *cli)
{
    return change_hold(op, cli, "hold");
}

kw_status cli_cert_release(struct kw_op *op, struct cli *cli)
{
    return change_hold(op, cli, "release");
}

kw_status cli_cert_download(struct kw_op *op, struct cli *cli)
{
    const char *format = cli->options[OPT_FORMAT];
    char verb[64], path[KW_URI_MAX];
    AUTO(kw_bytes) *content = NULL;

    (void)snprintf(verb, sizeof(verb), "download?format=%.16s%s", format ? format : "pem",
                   cli->options[OPT_CHAIN] ? "&chain=1" : "");
    TRY(op, cli_object_path(op, "certs", cli->args[0], verb, path, sizeof(path)));
    TRY(op, cli_get(op, cli, path, &content));
    return cli_write_out(op, cli, kw_bytes_span(content));
}
