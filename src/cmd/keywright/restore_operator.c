/* `keywright restore operator`: where no operator's certificate is good any more, nobody can ask
 * the server for one. A ceremony beside the stopped server. */
#include <stdio.h>

#include "base/pem.h"
#include "cmd/keywright/cli.h"
#include "cmd/keywright/owners.h"
#include "cmd/keywright/people.h"
#include "crypto/csr.h"
#include "os/files.h"
#include "service/authority/grant.h"
#include "service/log/log.h"

static kw_status read_request(struct kw_op *op, const char *path, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, os_file_read(op, path, 2 * KW_CSR_MAX, &text));
    ENSURE(op, csr_find_pem(kw_bytes_span(text), ret), KW_E_INPUT,
           "%s holds no certification request in PEM", path);
    return KW_OK;
}

static kw_status issue(struct kw_op *op, struct cli *cli, struct service *service,
                       struct kw_span csr)
{
    const struct grant_request request = {
        .profile = "operator", .name = cli->options[OPT_NAME], .csr = csr};
    AUTO(kw_bytes) *pem = NULL;
    struct store_cert cert;

    TRY(op, grant_issue(op, service, &request, NULL, &cert), "certificate for '%s'", request.name);
    TRY(op, log_checkpoint_now(op, service));
    TRY(op, kw_bytes_new(KW_CERT_MAX, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", KW_SPAN(cert.der, cert.der_len), pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    (void)fprintf(stderr, "%s, %s\n", cert.owner, cert.subject);
    return KW_OK;
}

kw_status cli_restore_operator(struct kw_op *op, struct cli *cli)
{
    char program[KEEPER_PROGRAM_MAX];
    struct keeper_config config = {.program = program};
    AUTO(service) *service = NULL;
    AUTO(kw_bytes) *csr = NULL;

    ENSURE(op, cli->options[OPT_STATE] && cli->options[OPT_NAME] && cli->options[OPT_CSR],
           KW_E_INPUT, "--state DIR, --name NAME and --csr FILE are needed");
    people_at_machine(op);
    TRY(op, read_request(op, cli->options[OPT_CSR], &csr));
    TRY(op, keeper_program_find(op, cli->options[OPT_KEEPER], program));
    TRY(op, service_open(op, cli->options[OPT_STATE], &config, &service), "opening %s",
        cli->options[OPT_STATE]);
    kw_status status = issue(op, cli, service, kw_bytes_span(csr));
    struct kw_op own;
    kw_op_init(&own, NULL, 0);
    kw_status given = owners_set(&own, &service->config); /* what a part of it wrote, too */
    return kw_ok(status) ? given : status;
}
