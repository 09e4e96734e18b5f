/* filter check: what a CA's revocation filter says of a certificate. Offline. */
#include <stdio.h>

#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "crypto/cert.h"
#include "crypto/filter.h"
#include "os/clock.h"
#include "os/files.h"

static void print_answer(const struct cli *cli, const struct filter *filter,
                         enum filter_answer answer)
{
    const struct filter_said *said = &filter->said;
    const char *form =
        cli->options[OPT_JSON]
            ? "{\"answer\":\"%s\",\"ca\":\"%s\",\"number\":%llu,\"this_update\":\"%s\","
              "\"next_update\":\"%s\",\"certificates\":%llu,\"revoked\":%llu}\n"
            : "%s (filter of CA %s, number %llu, from %s to %s, %llu certificates, %llu revoked)\n";
    char from[KW_TIME_TEXT], to[KW_TIME_TEXT];

    (void)printf(form, filter_answer_text(answer), said->ca, (unsigned long long)said->number,
                 kw_time_text(said->this_update, from), kw_time_text(said->next_update, to),
                 (unsigned long long)said->certs, (unsigned long long)said->revoked);
}

/* Only "good" is a success. */
static kw_status conclude(struct kw_op *op, const char *path, enum filter_answer answer)
{
    ENSURE(op, answer != FILTER_REVOKED, KW_E_DENIED, "%s is revoked or on hold", path);
    ENSURE(op, answer == FILTER_GOOD, KW_E_UNAVAILABLE,
           "the filter does not say: it is %s; ask OCSP or a CRL",
           answer == FILTER_STALE ? "stale" : "not about this certificate");
    return KW_OK;
}

kw_status cli_filter_check(struct kw_op *op, struct cli *cli)
{
    const char *filter_path = cli->options[OPT_FILTER], *issuer_path = cli->options[OPT_ISSUER];
    AUTO(kw_bytes) *file = NULL;
    AUTO(cert) *cert = NULL;
    AUTO(cert) *issuer = NULL;
    struct filter filter;

    ENSURE(op, filter_path && issuer_path, KW_E_INPUT,
           "--filter FILE and --issuer FILE are needed: the filter, and the CA's certificate");
    TRY(op, os_file_read(op, filter_path, KW_CRL_MAX, &file));
    TRY(op, cli_read_cert(op, cli->args[0], &cert));
    TRY(op, cli_read_cert(op, issuer_path, &issuer));
    TRY(op, filter_parse(op, kw_bytes_span(file), &filter), "%s", filter_path);
    TRY(op, filter_verify(op, &filter, cert_public(issuer)), "%s", filter_path);
    TRY(op, cert_verify_signature(op, cert, cert_public(issuer)), "%s", cli->args[0]);
    enum filter_answer answer = filter_ask(&filter, cert_serial(cert), cert_not_before(cert),
                                           cert_not_after(cert), os_clock_unix_s());
    print_answer(cli, &filter, answer);
    return conclude(op, cli->args[0], answer);
}
