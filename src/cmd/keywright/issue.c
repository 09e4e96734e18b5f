/* cert issue: a certificate by the operator's word; profile check: what it would become. */
#include <stdio.h>

#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "os/files.h"

struct wish {
    char profile[KW_NAME_MAX], name[KW_NAME_MAX], device[KW_NAME_MAX];
    char csr[CLI_CSR_TEXT_MAX + 1];
    uint32_t n_san;
    char san[CERT_SAN_MAX][CERT_NAME_TEXT];
};
static const struct codec_field wish_fields[] = {
    FIELD_STRING("profile", struct wish, profile, 0, ""),
    FIELD_STRING("name", struct wish, name, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("device", struct wish, device, CODEC_OMIT_EMPTY, ""),
    FIELD_STRING("csr", struct wish, csr, CODEC_LINES, ""),
    FIELD_STRINGS("san", struct wish, san, n_san, 0, ""),
};

static kw_status take(struct kw_op *op, const struct cli *cli, enum cli_option option,
                      const char *what, char *room, size_t cap)
{
    const char *given = cli->options[option];

    ENSURE(op, given, KW_E_INPUT, "--%s is missing", what);
    ENSURE(op, *given && kw_text_copy(room, cap, given), KW_E_INPUT, "--%s cannot be '%.60s'", what,
           given);
    return KW_OK;
}

/* "dns:a.example,ip:10.0.0.1" */
static kw_status take_san(struct kw_op *op, const char *given, struct wish *wish)
{
    while (given && *given) {
        size_t len = strcspn(given, ",");
        ENSURE(op, wish->n_san < CERT_SAN_MAX && len > 0 && len < CERT_NAME_TEXT, KW_E_INPUT,
               "--san takes at most %d names, separated by commas", (int)CERT_SAN_MAX);
        memcpy(wish->san[wish->n_san++], given, len);
        given += given[len] ? len + 1 : len;
    }
    return KW_OK;
}

kw_status cli_read_csr(struct kw_op *op, const struct cli *cli, struct kw_bytes **ret_text,
                       struct kw_bytes **ret_der)
{
    const char *path = cli->options[OPT_CSR];
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, path, KW_E_INPUT, "--csr FILE is missing: the certification request (PEM)");
    TRY(op, os_file_read(op, path, CLI_CSR_TEXT_MAX, &text));
    ENSURE(op, csr_find_pem(kw_bytes_span(text), ret_der), KW_E_INPUT,
           "%s holds no certification request in PEM (openssl req -inform DER makes it of DER)",
           path);
    *ret_text = TAKE(text);
    return KW_OK;
}

static kw_status take_csr(struct kw_op *op, const struct cli *cli, struct wish *wish)
{
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, cli_read_csr(op, cli, &text, &der));
    memcpy(wish->csr, text->p, text->len);
    return KW_OK;
}

kw_status cli_issue(struct kw_op *op, struct cli *cli, const char *profile, const char *name,
                    const char *san, struct kw_span csr, struct issued_view *ret)
{
    struct wish wish = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, csr.len < sizeof(wish.csr), KW_E_TOO_LARGE, "certification request");
    KW_TEXT_SET(wish.profile, profile);
    KW_TEXT_SET(wish.name, name);
    memcpy(wish.csr, csr.p, csr.len);
    TRY(op, take_san(op, san, &wish));
    TRY(op, kw_bytes_new(4096, &json));
    TRY(op, codec_json_encode(op, wish_fields, KW_COUNT(wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/certs", kw_bytes_span(json), &answer));
    return codec_json_decode(op, kw_bytes_span(answer), issued_view.fields, issued_view.n, ret);
}

kw_status cli_cert_issue(struct kw_op *op, struct cli *cli)
{
    struct wish wish = {0};
    struct issued_view issued = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, take(op, cli, OPT_PROFILE, "profile", wish.profile, sizeof(wish.profile)));
    TRY(op, take(op, cli, OPT_NAME, "name", wish.name, sizeof(wish.name)));
    TRY(op, take_san(op, cli->options[OPT_SAN], &wish));
    TRY(op, take_csr(op, cli, &wish));
    TRY(op, kw_bytes_new(4096, &json));
    TRY(op, codec_json_encode(op, wish_fields, KW_COUNT(wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/certs", kw_bytes_span(json), &answer));
    if (cli->options[OPT_JSON]) {
        return cli_show(op, cli, &issued_view, kw_bytes_span(answer));
    }
    TRY(op,
        codec_json_decode(op, kw_bytes_span(answer), issued_view.fields, issued_view.n, &issued));
    (void)fprintf(stderr, "%s, %s, serial %s\n", issued.owner, issued.subject, issued.serial);
    return cli_write_out(op, cli, kw_span_text(issued.pem));
}

/* --- profile check ---------------------------------------------------------------------------- */

static kw_status print_terms(struct kw_op *op, const struct kw_bytes *answer)
{
    static struct terms_page page;
    unsigned n_refused = 0;

    TRY(op, codec_json_decode(op, kw_bytes_span(answer), terms_page.fields, terms_page.n, &page));
    for (unsigned i = 0; i < page.n; i++) {
        const struct terms_view *line = &page.at[i];
        (void)printf("%-12s %-9s %s%s%s%s\n%23s%s (%s)\n", line->field, line->verdict, line->gets,
                     *line->asked ? "; asked: " : "", line->asked, "", "", line->rule,
                     line->source);
        n_refused += strcmp(line->verdict, "refused") == 0;
    }
    ENSURE(op, n_refused == 0, KW_E_DENIED, "it would be refused, for %u reason%s", n_refused,
           n_refused == 1 ? "" : "s");
    return KW_OK;
}

kw_status cli_profile_check(struct kw_op *op, struct cli *cli)
{
    struct wish wish = {0};
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, take(op, cli, OPT_PROFILE, "profile", wish.profile, sizeof(wish.profile)));
    if (cli->options[OPT_DEVICE]) {
        TRY(op, take(op, cli, OPT_DEVICE, "device", wish.device, sizeof(wish.device)));
    } else {
        TRY(op, take(op, cli, OPT_NAME, "name (or --device)", wish.name, sizeof(wish.name)));
    }
    TRY(op, take_san(op, cli->options[OPT_SAN], &wish));
    TRY(op, take_csr(op, cli, &wish));
    TRY(op, kw_bytes_new(4096, &json));
    TRY(op, codec_json_encode(op, wish_fields, KW_COUNT(wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, "/api/v1/profiles/check", kw_bytes_span(json), &answer));
    if (cli->options[OPT_JSON]) {
        (void)printf("%.*s\n", (int)answer->len, (const char *)answer->p);
        return KW_OK;
    }
    return print_terms(op, answer);
}
