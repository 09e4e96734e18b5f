/* Attestation: whose endorsement keys are believed, and what a device is bound to. */
#include <stdio.h>

#include "base/b64.h"
#include "base/pem.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/files.h"

enum { ROOT_FILE_MAX = 16384 };

kw_status cli_attest_roots(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "kind", "simulated", "name", "added", NULL};

    return cli_list(op, cli, "/api/v1/attest/roots", &ek_root_page, sizeof(struct ek_root_page),
                    columns);
}

/* PEM of a certificate or public key, or DER as it is. */
static kw_status read_der(struct kw_op *op, const char *path, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *file = NULL;

    TRY(op, os_file_read(op, path, ROOT_FILE_MAX, &file));
    struct kw_span text = kw_bytes_span(file);
    if (kw_ok(kw_pem_next(&text, "CERTIFICATE", ROOT_FILE_MAX, ret))) {
        return KW_OK;
    }
    text = kw_bytes_span(file);
    if (kw_ok(kw_pem_next(&text, "PUBLIC KEY", ROOT_FILE_MAX, ret))) {
        return KW_OK;
    }
    *ret = TAKE(file);
    return KW_OK;
}

kw_status cli_attest_trust(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, read_der(op, cli->args[0], &der), "reading %s", cli->args[0]);
    TRY(op, kw_bytes_new(ROOT_FILE_MAX, &json));
    TRY(op, kw_bytes_append_text(json, "{\"der\":\""));
    TRY(op, kw_b64_encode(kw_bytes_span(der), /* line_len= */ 0, json));
    TRY(op, kw_bytes_printf(json, "\",\"simulated\":%s}",
                            cli->options[OPT_SIMULATED] ? "true" : "false"));
    TRY(op, cli_post(op, cli, "/api/v1/attest/roots", kw_bytes_span(json), &answer));
    (void)printf("endorsement keys are believed by %s%s\n", cli->args[0],
                 cli->options[OPT_SIMULATED] ? ", as SIMULATED" : "");
    return KW_OK;
}

kw_status cli_attest_reset(struct kw_op *op, struct cli *cli)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_object_path(op, "devices", cli->args[0], "attest-reset", path, sizeof(path)));
    TRY(op, cli_post(op, cli, path, kw_span_text("{}"), &answer));
    (void)printf("device %s binds its attestation key anew\n", cli->args[0]);
    return KW_OK;
}
