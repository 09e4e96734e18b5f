/* `ca sign`: where the root is, or another offline CA, and without the server. */
#include <stdio.h>

#include "base/pem.h"
#include "base/time.h"
#include "cmd/keywright/ca_order.h"
#include "cmd/keywright/ceremony.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "crypto/csr.h"
#include "crypto/dn.h"
#include "os/files.h"
#include "service/authority/subject.h"
#include "service/keys/ca_birth.h"

enum { REQUEST_FILE_MAX = 131072 };

/* What came to be signed: the next key of a CA, or a CA more. */
struct order {
    struct csr *csr;
    struct cert *before; /* its present certificate; NULL: a CA more, which these describe */
    struct ca_place place;
    struct authority authority;
};

static void order_done(struct order *order)
{
    csr_free(order->csr);
    cert_unref(order->before);
}

static kw_status read_line(struct kw_op *op, struct kw_span *rest, const struct codec_field *fields,
                           size_t n, void *ret)
{
    const uint8_t *end = memchr(rest->p, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->p) : rest->len;

    TRY(op, codec_json_decode(op, KW_SPAN(rest->p, len), fields, n, ret));
    *rest = KW_SPAN(rest->p + len + (end != NULL), rest->len - len - (end != NULL));
    return KW_OK;
}

kw_status ca_order_read(struct kw_op *op, struct kw_span rest, struct ca_place *ret_place,
                        struct authority *ret)
{
    TRY(op, read_line(op, &rest, ca_place_fields, ca_place_fields_count, ret_place),
        "where the CA will live");
    TRY(op, read_line(op, &rest, authority_fields, authority_fields_count, ret), "the authority");
    const struct authority_law *broken = authority_broken(ret);
    ENSURE(op, !broken, KW_E_INPUT, "the authority: %s: %s (%s)", broken->field, broken->says,
           broken->source);
    ENSURE(op, rest.len == 0, KW_E_INPUT, "there is more after the authority");
    return KW_OK;
}

static kw_status read_order(struct kw_op *op, const char *path, struct kw_span text,
                            struct order *ret)
{
    unsigned n = 0;
    AUTO(kw_bytes) *der = NULL;

    struct kw_span rest = text;
    ENSURE(op, kw_ok(kw_pem_next(&rest, "CERTIFICATE REQUEST", KW_CSR_MAX, &der)), KW_E_INPUT,
           "%s holds no certification request (PEM)", path);
    TRY(op, csr_parse(op, kw_bytes_span(der), &ret->csr), "request in %s", path);
    while (rest.len > 0 && (rest.p[0] == '\n' || rest.p[0] == '\r')) {
        rest = KW_SPAN(rest.p + 1, rest.len - 1);
    }
    if (rest.len > 0 && rest.p[0] == '{') {
        TRY(op, ca_order_read(op, rest, &ret->place, &ret->authority), "%s", path);
        return KW_OK;
    }
    TRY(op, cert_parse_pem(op, rest, &ret->before, 1, &n),
        "%s lacks the CA's present certificate, or what a further CA shall be", path);
    return KW_OK;
}

/* The name is the present certificate's, which the root itself has signed. */
static kw_status sign_next(struct kw_op *op, const struct ceremony_root *root,
                           const struct order *order, struct kw_bytes **ret)
{
    ENSURE(op, kw_span_equal(csr_subject(order->csr), cert_subject(order->before)), KW_E_INPUT,
           "the request is for another name than the certificate beside it");
    ENSURE(op, !pubkey_equal(csr_public(order->csr), cert_public(order->before)), KW_E_INPUT,
           "the request is for the present key");
    return ceremony_sign_next(op, root, order->before, csr_public(order->csr), ret);
}

static kw_status sign_first(struct kw_op *op, const struct ceremony_root *root,
                            const struct order *order, struct kw_bytes **ret)
{
    const struct authority *authority = &order->authority;
    const struct subject_facts facts = {.organization = order->place.organization};
    const struct ceremony_place place = {.authority = authority,
                                         .organization = order->place.organization,
                                         .public_url = order->place.public_url,
                                         .server_name = order->place.server_name,
                                         .issuer = order->place.issuer};
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);

    ENSURE(op, authority_kind_of(authority) == AUTHORITY_ISSUING, KW_E_INPUT,
           "only issuing CAs are made after the ceremony");
    TRY(op, subject_fill(op, authority->subject_dn, authority->n_subject_dn, &facts, &name));
    ENSURE(op, kw_span_equal(csr_subject(order->csr), kw_out_span(&name)), KW_E_INPUT,
           "the request is for another name than the authority beside it");
    ENSURE(op, cert_path_len(root->cert) != 0, KW_E_DENIED,
           "the CA in that folder may have no CA below it");
    return ceremony_sign_ca(op, root, &place, csr_public(order->csr), ret);
}

/* What those who hold the shares have let through: to be read before the file goes back. */
static kw_status tell(struct kw_op *op, struct kw_span der, const struct order *order)
{
    char name[256], until[KW_TIME_TEXT];
    AUTO(cert) *cert = NULL;

    TRY(op, cert_parse(op, der, &cert));
    (void)fprintf(stderr, "signed by the root: %s, until %s%s%s\n",
                  dn_text(cert_subject(cert), name, sizeof(name)),
                  kw_time_text(cert_not_after(cert), until),
                  order->before ? "" : "; a further CA, names of its certificates: ",
                  order->before ? "" : order->authority.names);
    for (uint32_t i = 0; i < order->authority.n_hosts; i++) {
        (void)fprintf(stderr, "  permitted: %s\n", order->authority.hosts[i]);
    }
    return KW_OK;
}

static kw_status sign(struct kw_op *op, struct cli *cli, struct kw_span text)
{
    __attribute__((cleanup(ceremony_root_done))) struct ceremony_root root = {0};
    __attribute__((cleanup(order_done))) struct order order = {0};
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, read_order(op, cli->args[0], text, &order));
    TRY(op, ceremony_open_root(op, cli->options[OPT_OFFLINE], &root));
    TRY(op, (order.before ? sign_next : sign_first)(op, &root, &order, &der));
    TRY(op, kw_bytes_new(2 * der->len + 128, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", kw_bytes_span(der), pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    return tell(op, kw_bytes_span(der), &order);
}

kw_status cli_ca_sign(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, cli->options[OPT_OFFLINE], KW_E_INPUT,
           "--offline DIR is missing: where the root key and its shares are");
    TRY(op, os_file_read(op, cli->args[0], REQUEST_FILE_MAX, &text));
    if (ca_root_is_request(kw_bytes_span(text))) {
        return ca_root_sign(op, cli, kw_bytes_span(text));
    }
    return sign(op, cli, kw_bytes_span(text));
}
