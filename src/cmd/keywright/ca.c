/* ca verbs: a CA changes its key. `sign` runs where the root is, without the server. */
#include <stdio.h>

#include "base/pem.h"
#include "cmd/keywright/ceremony.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "crypto/csr.h"
#include "crypto/dn.h"
#include "os/files.h"

enum { REQUEST_FILE_MAX = 16384 };

kw_status cli_ca_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "subject", "not_after", "fingerprint", NULL};

    return cli_list(op, cli, "/api/v1/cas", &ca_page, sizeof(struct ca_page), columns);
}

/* --- rotate: the request ---------------------------------------------------------------------- */

struct wish {
    char reason[128];
    uint32_t approval;
};
static const struct codec_field wish_fields[] = {
    FIELD_STRING("reason", struct wish, reason, CODEC_OMIT_EMPTY, ""),
    FIELD_INT("approval", struct wish, approval, CODEC_OMIT_EMPTY, 0, UINT32_MAX, ""),
};

kw_status cli_ca_rotate(struct kw_op *op, struct cli *cli)
{
    const char *reason = cli->options[OPT_REASON];
    struct wish wish = {0};
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *pem = NULL;

    ENSURE(op, !reason || KW_TEXT_SET(wish.reason, reason), KW_E_INPUT, "--reason is too long");
    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, UINT32_MAX, &wish.approval));
    TRY(op, cli_object_path(op, "cas", cli->args[0], "rotate", path, sizeof(path)));
    TRY(op, kw_bytes_new(256, &json));
    TRY(op, codec_json_encode(op, wish_fields, KW_COUNT(wish_fields), &wish, json));
    TRY(op, cli_post(op, cli, path, kw_bytes_span(json), &pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    (void)fprintf(stderr,
                  "Take this to the root: keywright ca sign REQUEST --offline DIR --out CERT, then "
                  "keywright ca install CERT\n");
    return KW_OK;
}

/* --- sign: where the root is ------------------------------------------------------------------ */

static kw_status read_request(struct kw_op *op, const char *path, struct csr **ret_csr,
                              struct cert **ret_before)
{
    struct kw_span rest;
    unsigned n = 0;
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, os_file_read(op, path, REQUEST_FILE_MAX, &text));
    rest = kw_bytes_span(text);
    TRY(op, kw_pem_next(&rest, "CERTIFICATE REQUEST", KW_CSR_MAX, &der), "%s holds no request",
        path);
    TRY(op, csr_parse(op, kw_bytes_span(der), ret_csr), "request in %s", path);
    TRY(op, cert_parse_pem(op, kw_bytes_span(text), ret_before, 1, &n),
        "%s lacks the CA's present certificate", path);
    return KW_OK;
}

/* The name is the present certificate's, which the root itself has signed. */
static kw_status sign(struct kw_op *op, const struct ceremony_root *root, const struct csr *csr,
                      const struct cert *before, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *pem = NULL;

    ENSURE(op, kw_span_equal(csr_subject(csr), cert_subject(before)), KW_E_INPUT,
           "the request is for another name than the certificate beside it");
    ENSURE(op, !pubkey_equal(csr_public(csr), cert_public(before)), KW_E_INPUT,
           "the request is for the present key");
    TRY(op, ceremony_sign_next(op, root, before, csr_public(csr), &der));
    TRY(op, kw_bytes_new(2 * der->len + 128, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", kw_bytes_span(der), pem));
    *ret = TAKE(pem);
    return KW_OK;
}

kw_status cli_ca_sign(struct kw_op *op, struct cli *cli)
{
    __attribute__((cleanup(ceremony_root_done))) struct ceremony_root root = {0};
    char name[256];
    AUTO(csr) *csr = NULL;
    AUTO(cert) *before = NULL;
    AUTO(kw_bytes) *pem = NULL;

    ENSURE(op, cli->options[OPT_OFFLINE], KW_E_INPUT,
           "--offline DIR is missing: where the root key and its shares are");
    TRY(op, read_request(op, cli->args[0], &csr, &before));
    TRY(op, ceremony_open_root(op, cli->options[OPT_OFFLINE], &root));
    TRY(op, sign(op, &root, csr, before, &pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    (void)fprintf(stderr, "signed by the root: %s\n",
                  dn_text(cert_subject(before), name, sizeof(name)));
    return KW_OK;
}

/* --- install ---------------------------------------------------------------------------------- */

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

    TRY(op, os_file_read(op, cli->args[0], sizeof(install.pem) - 1, &text));
    memcpy(install.pem, text->p, text->len);
    TRY(op, kw_bytes_new(2 * text->len + 64, &json));
    TRY(op, codec_json_encode(op, install_fields, KW_COUNT(install_fields), &install, json));
    TRY(op, cli_post(op, cli, "/api/v1/cas", kw_bytes_span(json), &answer));
    return cli_show(op, cli, &ca_view, kw_bytes_span(answer));
}
