/* Attestation: the patience with failed rounds, and trust that operators or makers take away. */
#include <stdio.h>

#include "base/b64.h"
#include "base/pem.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "os/files.h"

static kw_status show(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"product",       "failed",  "rounds", "trusted_hours",
                                          "fresh_minutes", "changed", NULL};

    return cli_list(op, cli, "/api/v1/attest/policies", &attest_rule_page,
                    sizeof(struct attest_rule_page), columns);
}

/* What the file leaves out is as it is built in. */
static kw_status set(struct kw_op *op, struct cli *cli, const char *path)
{
    struct attest_rule_view rule = {.patience = ATTEST_PATIENCE_DEFAULT};
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, os_file_read(op, path, KW_YAML_DOC_MAX, &text), "reading %s", path);
    TRY(op,
        codec_yaml_decode(op, kw_bytes_span(text), attest_rule_file.fields, attest_rule_file.n,
                          &rule),
        "%s", path);
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, attest_rule_file.fields, attest_rule_file.n, &rule, json));
    TRY(op, cli_post(op, cli, "/api/v1/attest/policies", kw_bytes_span(json), &answer));
    (void)printf("%s%s: failed after %u of %u rounds, trusted for %u hours, fresh for %u minutes\n",
                 *rule.product ? "product " : "all products", rule.product, rule.patience.failed,
                 rule.patience.rounds, rule.patience.trusted_hours, rule.patience.fresh_minutes);
    return KW_OK;
}

kw_status cli_attest_policy(struct kw_op *op, struct cli *cli)
{
    const char *path = cli->args[0];

    return path && strcmp(path, "show") != 0 ? set(op, cli, path) : show(op, cli);
}

kw_status cli_attest_drop_policy(struct kw_op *op, struct cli *cli)
{
    struct attest_rule_view rule = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, KW_TEXT_SET(rule.product, cli->args[0]), KW_E_INPUT, "the name is too long");
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, attest_rule_file.fields, 1, &rule, json)); /* product */
    TRY(op, cli_post(op, cli, "/api/v1/attest/policies/drop", kw_bytes_span(json), &answer));
    (void)printf("product %s has no patience of its own\n", rule.product);
    return KW_OK;
}

static kw_status turn(struct kw_op *op, struct cli *cli, const char *verb, const char *verb_device,
                      const char *is)
{
    bool set = cli->options[OPT_REFERENCE] != NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, !set || !cli->options[OPT_REASON], KW_E_INPUT,
           "--reason is for devices; a reference set's is its name");
    TRY(op, cli_post_reason(op, cli, set ? "attest/references" : "devices",
                            set ? verb : verb_device, &answer));
    (void)printf("%s %s %s\n", set ? "reference set" : "device", cli->args[0], is);
    return KW_OK;
}

kw_status cli_attest_untrust(struct kw_op *op, struct cli *cli)
{
    return turn(op, cli, "untrust", "attest-untrust", "is trusted no more");
}

kw_status cli_attest_retrust(struct kw_op *op, struct cli *cli)
{
    return turn(op, cli, "retrust", "attest-retrust", "stands as before");
}

/* --- makers' CRLs ----------------------------------------------------------------------------- */

enum { CRL_FILE_MAX = 98304 };

static kw_status read_crl(struct kw_op *op, const char *path, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *file = NULL;

    TRY(op, os_file_read(op, path, CRL_FILE_MAX, &file), "reading %s", path);
    struct kw_span text = kw_bytes_span(file);
    if (!kw_ok(kw_pem_next(&text, "X509 CRL", CRL_FILE_MAX, ret))) {
        *ret = TAKE(file);
    }
    return KW_OK;
}

static kw_status add_crl(struct kw_op *op, struct cli *cli, const char *path)
{
    struct ek_crl_view crl = {0};
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, read_crl(op, path, &der));
    TRY(op, kw_bytes_new(2 * CRL_FILE_MAX, &json));
    TRY(op, kw_bytes_append_text(json, "{\"der\":\""));
    TRY(op, kw_b64_encode(kw_bytes_span(der), /* line_len= */ 0, json));
    TRY(op, kw_bytes_append_text(json, "\"}"));
    TRY(op, cli_post(op, cli, "/api/v1/attest/crls", kw_bytes_span(json), &answer));
    TRY(op, codec_json_decode(op, kw_bytes_span(answer), ek_crl_view.fields, ek_crl_view.n, &crl));
    (void)printf("CRL of %s: %u taken back; %u devices here failed by it\n", crl.name, crl.entries,
                 crl.failed);
    return KW_OK;
}

kw_status cli_attest_crl(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"name",        "entries", "this_update",
                                          "next_update", "added",   NULL};

    return cli->args[0] ? add_crl(op, cli, cli->args[0])
                        : cli_list(op, cli, "/api/v1/attest/crls", &ek_crl_page,
                                   sizeof(struct ek_crl_page), columns);
}
