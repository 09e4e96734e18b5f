/* The list of what a root, or another offline CA, takes back: made where its key is, and given to
 * the server. */
#include <stdio.h>
#include <stdlib.h>

#include "api/rest/views.h"
#include "base/pem.h"
#include "base/time.h"
#include "cmd/keywright/ca_order.h"
#include "cmd/keywright/ceremony.h"
#include "codec/json.h"
#include "crypto/dn.h"
#include "model/cert_state.h"
#include "os/clock.h"
#include "os/files.h"

enum { FILE_MAX = 1 << 20, PEM_ROOM = 4096 };

/* A list on its way to the next one. */
struct listing {
    struct ceremony_root root;
    struct crl *last;
    struct cert *revoked; /* NULL: only renewed */
    int reason;
    struct crl_entry *at;
    size_t n;
};

static void listing_done(struct listing *it)
{
    ceremony_root_done(&it->root);
    crl_free(it->last);
    cert_unref(it->revoked);
    free(it->at);
}

/* PEM, or DER as it is served. */
static kw_status read_list(struct kw_op *op, const char *path, struct crl **ret)
{
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, os_file_read(op, path, FILE_MAX, &text));
    struct kw_span rest = kw_bytes_span(text);
    bool pem = kw_ok(kw_pem_next(&rest, "X509 CRL", FILE_MAX, &der));
    TRY(op, crl_parse(op, kw_bytes_span(pem ? der : text), ret), "%s is no CRL", path);
    return KW_OK;
}

/* Its number and entries are gone on from, so it must be the root's own. */
static kw_status check_last(struct kw_op *op, const struct listing *it, uint64_t *ret_number)
{
    ENSURE(op, kw_span_equal(crl_issuer(it->last), cert_subject(it->root.cert)), KW_E_INPUT,
           "the last list is not of the CA in --offline");
    TRY(op, crl_verify_signature(op, it->last, cert_public(it->root.cert)),
        "the last list is not of the CA in --offline");
    ENSURE(op, crl_number(it->last, ret_number), KW_E_INPUT, "the last list has no number");
    ENSURE(op, crl_this_update(it->last) <= os_clock_unix_s(), KW_E_STATE,
           "the last list is younger than this machine's clock");
    return KW_OK;
}

static kw_status read_revoked(struct kw_op *op, const struct cli *cli, struct listing *it)
{
    const char *path = cli->options[OPT_REVOKE], *reason = cli->options[OPT_REASON];
    AUTO(kw_bytes) *pem = NULL;
    unsigned n = 0;
    int64_t when = 0;
    int why = 0;

    ENSURE(op, path || !reason, KW_E_INPUT, "--reason goes with --revoke CERT");
    if (!path) {
        return KW_OK;
    }
    it->reason = reason ? revoke_reason_from_text(reason) : REVOKE_UNSPECIFIED;
    ENSURE(op, it->reason >= 0 && it->reason != REVOKE_CERTIFICATE_HOLD, KW_E_INPUT,
           "'%s' is no reason for a final revocation", reason ? reason : "");
    TRY(op, os_file_read(op, path, FILE_MAX, &pem));
    TRY(op, cert_parse_pem(op, kw_bytes_span(pem), &it->revoked, 1, &n), "%s", path);
    ENSURE(op, kw_span_equal(cert_issuer(it->revoked), cert_subject(it->root.cert)), KW_E_INPUT,
           "%s was not issued by the CA in --offline", path);
    TRY(op, cert_verify_signature(op, it->revoked, cert_public(it->root.cert)),
        "%s was not issued by the CA in --offline", path);
    ENSURE(op, !kw_span_equal(cert_subject(it->revoked), cert_subject(it->root.cert)), KW_E_INPUT,
           "a root does not revoke itself: see 'keywright ca rotate root'");
    ENSURE(op, !kw_ok(crl_find(it->last, cert_serial(it->revoked), &why, &when)), KW_E_CONFLICT,
           "%s is on the list already", path);
    return KW_OK;
}

static int ascending(const void *a, const void *b)
{
    const struct crl_entry *x = a, *y = b;

    if (x->serial.len != y->serial.len) {
        return x->serial.len < y->serial.len ? -1 : 1;
    }
    return memcmp(x->serial.p, y->serial.p, x->serial.len);
}

/* What was taken back once stays so: nothing leaves this list. */
static kw_status gather(struct kw_op *op, struct listing *it)
{
    size_t before = crl_count(it->last);

    it->at = calloc(before + 1, sizeof(*it->at));
    ENSURE(op, it->at, KW_E_MEMORY, "no memory for a CRL of %zu entries", before);
    for (it->n = 0; it->n < before; it->n++) {
        crl_entry_at(it->last, it->n, &it->at[it->n]);
    }
    if (it->revoked) {
        it->at[it->n++] = (struct crl_entry){.serial = cert_serial(it->revoked),
                                             .revoked_unix = os_clock_unix_s(),
                                             .reason = it->reason};
    }
    if (it->n > 1) {
        qsort(it->at, it->n, sizeof(*it->at), ascending);
    }
    return KW_OK;
}

static kw_status tell(struct kw_op *op, struct kw_span der, const struct listing *it)
{
    char name[256], until[KW_TIME_TEXT];
    uint64_t number = 0;
    AUTO(crl) *crl = NULL;

    TRY(op, crl_parse(op, der, &crl));
    (void)crl_number(crl, &number); /* it has one */
    (void)fprintf(stderr, "CRL %llu of %s: %zu certificates, until %s\n",
                  (unsigned long long)number,
                  dn_text(cert_subject(it->root.cert), name, sizeof(name)), crl_count(crl),
                  kw_time_text(crl_next_update(crl), until));
    if (it->revoked) {
        (void)fprintf(stderr, "taken back: %s\n",
                      dn_text(cert_subject(it->revoked), name, sizeof(name)));
    }
    (void)fprintf(stderr, "Take it to the server: keywright ca install CRL\n");
    return KW_OK;
}

kw_status cli_ca_crl(struct kw_op *op, struct cli *cli)
{
    __attribute__((cleanup(listing_done))) struct listing it = {0};
    uint64_t number = 0;
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *pem = NULL;

    ENSURE(op, cli->options[OPT_OFFLINE], KW_E_INPUT,
           "--offline DIR is missing: where the root key and its shares are");
    TRY(op, read_list(op, cli->args[0], &it.last));
    TRY(op, ceremony_open_root(op, cli->options[OPT_OFFLINE], &it.root));
    TRY(op, check_last(op, &it, &number));
    TRY(op, read_revoked(op, cli, &it));
    TRY(op, gather(op, &it));
    TRY(op, ceremony_sign_crl(op, &it.root, number + 1, it.at, it.n, &der));
    TRY(op, kw_bytes_new(2 * der->len + 128, &pem));
    TRY(op, kw_pem_encode("X509 CRL", kw_bytes_span(der), pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    return tell(op, kw_bytes_span(der), &it);
}

kw_status ca_crl_install(struct kw_op *op, struct cli *cli, struct kw_span pem)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_text(op, cli, "/api/v1/roots", "application/x-pem-file", pem, &answer));
    return cli_show(op, cli, &root_crl_view, kw_bytes_span(answer));
}
