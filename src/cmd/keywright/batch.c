/* Batches of units, and devices out of use: each verb is one REST call. */
#include <stdio.h>

#include "cmd/keywright/cli.h"
#include "codec/json.h"

kw_status cli_batch_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"name",   "product", "state",   "units",
                                          "opened", "closed",  "finding", NULL};

    return cli_list(op, cli, "/api/v1/batches", &batch_page, sizeof(struct batch_page), columns);
}

kw_status cli_batch_show(struct kw_op *op, struct cli *cli)
{
    return cli_show_object(op, cli, "batches", &batch_view);
}

struct open_body {
    char name[KW_NAME_MAX], product[KW_NAME_MAX];
    uint32_t quota;
};
static const struct codec_field open_fields[] = {
    FIELD_STRING("name", struct open_body, name, 0, ""),
    FIELD_STRING("product", struct open_body, product, 0, ""),
    FIELD_INT("quota", struct open_body, quota, CODEC_OMIT_EMPTY, 0, 0, ""),
};

kw_status cli_batch_open(struct kw_op *op, struct cli *cli)
{
    const char *product = cli->options[OPT_PRODUCT];
    struct open_body body = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, product, KW_E_INPUT, "--product is missing");
    ENSURE(op, KW_TEXT_SET(body.name, cli->args[0]) && KW_TEXT_SET(body.product, product),
           KW_E_INPUT, "a name is too long");
    TRY(op, cli_number(op, cli, OPT_QUOTA, 0, 10000000, &body.quota));
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, open_fields, KW_COUNT(open_fields), &body, json));
    TRY(op, cli_post(op, cli, "/api/v1/batches", kw_bytes_span(json), &answer));
    return cli_show(op, cli, &batch_view, kw_bytes_span(answer));
}

static kw_status change(struct kw_op *op, struct cli *cli, const char *verb)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "batches", verb, &answer));
    return cli_show(op, cli, &batch_view, kw_bytes_span(answer));
}

kw_status cli_batch_close(struct kw_op *op, struct cli *cli)
{
    return change(op, cli, "close");
}

kw_status cli_batch_quarantine(struct kw_op *op, struct cli *cli)
{
    return change(op, cli, "quarantine");
}

kw_status cli_batch_release(struct kw_op *op, struct cli *cli)
{
    return change(op, cli, "release");
}

kw_status cli_device_suspend(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "devices", "suspend", &answer));
    (void)printf("device %s is suspended; its certificates are held\n", cli->args[0]);
    return KW_OK;
}

kw_status cli_device_readmit(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "devices", "readmit", &answer));
    (void)printf("device %s may enrol anew\n", cli->args[0]);
    return KW_OK;
}

kw_status cli_device_resume(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "devices", "resume", &answer));
    (void)printf("device %s is in use again\n", cli->args[0]);
    return KW_OK;
}
