/* Stations, and whose devices they may enrol: each verb is one REST call. */
#include <stdio.h>

#include "cmd/keywright/cli.h"
#include "codec/json.h"

kw_status cli_station_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"station", "product", "granted", NULL};

    return cli_list(op, cli, "/api/v1/stations", &station_page, sizeof(struct station_page),
                    columns);
}

static kw_status post_product(struct kw_op *op, struct cli *cli, const char *verb)
{
    char path[KW_URI_MAX];
    const char *product = cli->options[OPT_PRODUCT];
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, product, KW_E_INPUT, "--product says whose devices");
    TRY(op, kw_bytes_new(128, &json));
    TRY(op, kw_bytes_append_text(json, "{\"product\":"));
    TRY(op, codec_json_string(kw_span_text(product), json), "--product");
    TRY(op, kw_bytes_append_text(json, "}"));
    TRY(op, cli_object_path(op, "stations", cli->args[0], verb, path, sizeof(path)));
    return cli_post(op, cli, path, kw_bytes_span(json), &answer);
}

kw_status cli_station_grant(struct kw_op *op, struct cli *cli)
{
    TRY(op, post_product(op, cli, "grant"));
    (void)printf("station %s may enrol devices of product %s\n", cli->args[0],
                 cli->options[OPT_PRODUCT]);
    return KW_OK;
}

kw_status cli_station_revoke(struct kw_op *op, struct cli *cli)
{
    TRY(op, post_product(op, cli, "revoke"));
    (void)printf("station %s enrols no further device of product %s\n", cli->args[0],
                 cli->options[OPT_PRODUCT]);
    return KW_OK;
}
