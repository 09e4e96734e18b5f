/* `keywright restore operator`: where no operator's certificate is good any more, nobody can ask
 * the server for one. A ceremony beside the stopped server. */
#include <stdio.h>

#include "base/pem.h"
#include "cmd/keywright/people.h"
#include "cmd/keywright/stopped.h"
#include "service/authority/grant.h"
#include "service/log/log.h"

static kw_status issue(struct kw_op *op, struct cli *cli, struct service *service, void *ctx)
{
    const struct grant_request request = {
        .profile = "operator", .name = cli->options[OPT_NAME], .csr = kw_bytes_span(ctx)};
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
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *csr = NULL;

    ENSURE(op, cli->options[OPT_STATE] && cli->options[OPT_NAME] && cli->options[OPT_CSR],
           KW_E_INPUT, "--state DIR, --name NAME and --csr FILE are needed");
    people_at_machine(op);
    TRY(op, cli_read_csr(op, cli, &text, &csr));
    return stopped_do(op, cli, /* ceremony= */ false, issue, csr);
}
