/* ca verbs: a CA more, and one that changes its key. `ca sign` is in ca_sign.c. */
#include <stdio.h>

#include "cmd/keywright/ca_order.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/files.h"

kw_status cli_ca_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "subject", "not_after", "fingerprint", NULL};

    return cli_list(op, cli, "/api/v1/cas", &ca_page, sizeof(struct ca_page), columns);
}

/* --- create, rotate: the request -------------------------------------------------------------- */

struct wish {
    char reason[128];
    uint32_t approval;
};
static const struct codec_field wish_fields[] = {
    FIELD_STRING("reason", struct wish, reason, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("approval", struct wish, approval, CODEC_OMIT_EMPTY, 0, UINT32_MAX, ""),
};

/* Ask for the keys, where they are not there yet, and write the request that the root signs. */
static kw_status make_request(struct kw_op *op, struct cli *cli, const char *verb)
{
    const char *reason = cli->options[OPT_REASON];
    struct wish wish = {0};
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *pem = NULL;

    ENSURE(op, !reason || KW_TEXT_SET(wish.reason, reason), KW_E_INPUT, "--reason is too long");
    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, UINT32_MAX, &wish.approval));
    TRY(op, cli_object_path(op, "cas", cli->args[0], verb, path, sizeof(path)));
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, wish_fields, KW_COUNT(wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, path, kw_bytes_span(json), &pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    (void)fprintf(stderr,
                  "Take this to the root: keywright ca sign REQUEST --offline DIR --out CERT, then "
                  "keywright ca install CERT\n");
    return KW_OK;
}

kw_status cli_ca_create(struct kw_op *op, struct cli *cli)
{
    return make_request(op, cli, "create");
}

kw_status cli_ca_rotate(struct kw_op *op, struct cli *cli)
{
    return make_request(op, cli, "rotate");
}

/* --- install ---------------------------------------------------------------------------------- */

enum { BUNDLE_MAX = 131072 };

struct install {
    char pem[KW_CERT_MAX];
};
static const struct codec_field install_fields[] = {
    FIELD_STRING("pem", struct install, pem, CODEC_LINES, ""),
};

kw_status cli_ca_install(struct kw_op *op, struct cli *cli)
{
    struct install install = {0};
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, os_file_read(op, cli->args[0], BUNDLE_MAX, &text));
    if (memmem(text->p, text->len, "X509 CRL", strlen("X509 CRL"))) {
        bool alone = !memmem(text->p, text->len, "BEGIN CERTIFICATE", strlen("BEGIN CERTIFICATE"));
        return (alone ? ca_crl_install : ca_root_install)(op, cli, kw_bytes_span(text));
    }
    ENSURE(op, text->len < sizeof(install.pem), KW_E_TOO_LARGE, "%s is no single certificate",
           cli->args[0]);
    memcpy(install.pem, text->p, text->len);
    TRY(op, kw_bytes_new(2 * text->len + 64, &json));
    TRY(op, codec_json_encode(op, install_fields, KW_COUNT(install_fields), &install, json));
    TRY(op, cli_post(op, cli, "/api/v1/cas", kw_bytes_span(json), &answer));
    return cli_show(op, cli, &ca_view, kw_bytes_span(answer));
}
