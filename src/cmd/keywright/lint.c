/* lint verbs: any certificate by the rules that hold for each one before it is signed. Offline. */
#include <stdio.h>

#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "crypto/cert_lint.h"
#include "os/files.h"

enum { CERT_FILE_MAX = 65536 };

struct lint_view {
    char rule[32], source[64], says[128];
};
static const struct codec_field rule_fields[] = {
    FIELD_STRING("rule", struct lint_view, rule, 0, "name of the rule"),
    FIELD_STRING("source", struct lint_view, source, 0, "where it stands"),
    FIELD_STRING("says", struct lint_view, says, 0, "what is wrong where it is broken"),
};

static kw_status print_rule(struct kw_op *op, const struct cli *cli, const struct cert_lint *lint)
{
    struct lint_view view = {0};
    AUTO(kw_bytes) *json = NULL;

    if (!cli->options[OPT_JSON]) {
        (void)printf("%-18s %s (%s)\n", lint->name, lint->says, lint->source);
        return KW_OK;
    }
    KW_TEXT_SET(view.rule, lint->name);
    KW_TEXT_SET(view.source, lint->source);
    KW_TEXT_SET(view.says, lint->says);
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, rule_fields, KW_COUNT(rule_fields), &view, json));
    (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
    return KW_OK;
}

kw_status cli_lint_rules(struct kw_op *op, struct cli *cli)
{
    for (unsigned i = 0; i < cert_lints_n; i++) {
        TRY(op, print_rule(op, cli, &cert_lints[i]));
    }
    return KW_OK;
}

kw_status cli_read_cert(struct kw_op *op, const char *path, struct cert **ret)
{
    unsigned n = 0;
    AUTO(kw_bytes) *content = NULL;

    TRY(op, os_file_read(op, path, CERT_FILE_MAX, &content));
    struct kw_span span = kw_bytes_span(content);
    if (span.len > 0 && span.p[0] == 0x30) {
        TRY(op, cert_parse(op, span, ret), "%s", path);
        return KW_OK;
    }
    kw_status status = cert_parse_pem(op, span, ret, 1, &n);
    ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_INPUT, "%s holds no certificate", path);
    TRY(op, status, "%s", path);
    return KW_OK;
}

kw_status cli_lint_cert(struct kw_op *op, struct cli *cli)
{
    const char *issuer_path = cli->options[OPT_ISSUER];
    unsigned broken = 0;
    AUTO(cert) *cert = NULL;
    AUTO(cert) *issuer = NULL;

    TRY(op, cli_read_cert(op, cli->args[0], &cert));
    if (issuer_path) {
        TRY(op, cli_read_cert(op, issuer_path, &issuer));
    }
    struct cert_lint_case c = {.cert = cert, .issuer = issuer};
    for (unsigned i = cert_lint_next(&c, 0); i < cert_lints_n; i = cert_lint_next(&c, i + 1)) {
        TRY(op, print_rule(op, cli, &cert_lints[i]));
        broken++;
    }
    ENSURE(op, broken == 0, KW_E_DENIED, "%s breaks %u of %u rules", cli->args[0], broken,
           cert_lints_n);
    (void)fprintf(stderr, "%s keeps all %u rules%s\n", cli->args[0], cert_lints_n,
                  issuer ? "" : " (those about its issuer need --issuer FILE)");
    return KW_OK;
}
