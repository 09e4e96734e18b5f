/* The root's next key: where both roots are, and without the server. */
#include <stdio.h>

#include "base/pem.h"
#include "base/time.h"
#include "cmd/keywright/ca_order.h"
#include "cmd/keywright/ceremony.h"
#include "cmd/keywright/cli.h"
#include "crypto/dn.h"
#include "os/files.h"

enum { CAS_MAX = 64, BUNDLE_ROOM = 65536, REQUEST_MAX = 131072 };

struct succession {
    unsigned n;
    struct cert *certs[CAS_MAX]; /* the root, then the CAs that it signed */
    struct ca_place place;
    struct authority authority;
    struct ceremony_root old, next;
    char crl_url[400], ca_url[400];
};

static void succession_done(struct succession *it)
{
    for (unsigned i = 0; i < it->n; i++) {
        cert_unref(it->certs[i]);
    }
    ceremony_root_done(&it->old);
    ceremony_root_done(&it->next);
}

static kw_status read_request(struct kw_op *op, struct kw_span text, struct succession *it)
{
    const uint8_t *json = memchr(text.p, '{', text.len);

    ENSURE(op, json, KW_E_INPUT, "the request lacks what the next root shall be");
    size_t len = (size_t)(json - text.p);
    TRY(op, cert_parse_pem(op, KW_SPAN(text.p, len), it->certs, CAS_MAX, &it->n));
    TRY(op, ca_order_read(op, KW_SPAN(json, text.len - len), &it->place, &it->authority));
    ENSURE(op, authority_kind_of(&it->authority) == AUTHORITY_ROOT, KW_E_INPUT,
           "the request is for no root");
    (void)snprintf(it->crl_url, sizeof(it->crl_url), "%s/crl/%s.crl", it->place.public_url,
                   it->place.issuer);
    (void)snprintf(it->ca_url, sizeof(it->ca_url), "%s/ca/%s.cer", it->place.public_url,
                   it->place.issuer);
    return KW_OK;
}

/* Whatever the request says: only what the old root itself signed is signed again. */
static kw_status check_request(struct kw_op *op, const struct succession *it)
{
    ENSURE(op, kw_span_equal(cert_der(it->certs[0]), cert_der(it->old.cert)), KW_E_DENIED,
           "the request is for another root than the one in --offline");
    for (unsigned i = 1; i < it->n; i++) {
        ENSURE(op, cert_is_ca(it->certs[i]), KW_E_INPUT, "certificate %u is no CA's", i);
        TRY(op, cert_verify_signature(op, it->certs[i], cert_public(it->old.cert)),
            "certificate %u of the request is not by this root", i);
    }
    return KW_OK;
}

static kw_status make_next(struct kw_op *op, const struct cli *cli, struct succession *it)
{
    const struct ceremony_place place = {.authority = &it->authority,
                                         .organization = it->place.organization,
                                         .public_url = it->place.public_url,
                                         .server_name = it->place.server_name};
    const char *into = cli->options[OPT_INTO];
    struct ceremony_shares shares;
    char sealed[KW_PATH_BYTES];

    ENSURE(op, into, KW_E_INPUT, "--into DIR is missing: where the next root's key and shares go");
    TRY(op, os_path_join(op, sealed, sizeof(sealed), into, "root.key.sealed"));
    ENSURE(op, !os_file_exists(sealed), KW_E_CONFLICT, "%s holds a root key already", into);
    TRY(op, cli_shares(op, cli, &shares.m, &shares.n));
    return ceremony_make_offline(op, into, &place, NULL, &shares, &it->next);
}

/* --- the bundle ------------------------------------------------------------------------------- */

static kw_status put(struct kw_op *op, const struct kw_bytes *der, struct kw_bytes *into)
{
    TRY(op, kw_pem_encode("CERTIFICATE", kw_bytes_span(der), into));
    return KW_OK;
}

static kw_status put_link(struct kw_op *op, const struct ceremony_root *signer,
                          const struct ceremony_root *subject, struct kw_bytes *into)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, ceremony_sign_link(op, signer, subject, &der), "link certificate");
    return put(op, der, into);
}

static kw_status put_cas(struct kw_op *op, const struct succession *it, struct kw_bytes *into)
{
    for (unsigned i = 1; i < it->n; i++) {
        AUTO(kw_bytes) *der = NULL;
        TRY(op, ceremony_sign_again(op, &it->next, it->certs[i], it->crl_url, it->ca_url, &der),
            "certificate %u of the request", i);
        TRY(op, put(op, der, into));
    }
    return KW_OK;
}

static kw_status make_bundle(struct kw_op *op, const struct succession *it, struct kw_bytes *into)
{
    AUTO(kw_bytes) *crl = NULL;

    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(it->next.cert), into));
    TRY(op, put_link(op, &it->old, &it->next, into));
    TRY(op, put_link(op, &it->next, &it->old, into));
    TRY(op, put_cas(op, it, into));
    TRY(op, ceremony_sign_crl(op, &it->next, /* number= */ 1, NULL, 0, &crl));
    return kw_pem_encode("X509 CRL", kw_bytes_span(crl), into);
}

static void tell(const struct succession *it)
{
    char name[256], until[KW_TIME_TEXT];

    (void)fprintf(stderr, "the next root: %s, until %s\nlinked with %s; signed by it again:\n",
                  dn_text(cert_subject(it->next.cert), name, sizeof(name)),
                  kw_time_text(cert_not_after(it->next.cert), until), "the one before");
    for (unsigned i = 1; i < it->n; i++) {
        (void)fprintf(stderr, "  %s\n", dn_text(cert_subject(it->certs[i]), name, sizeof(name)));
    }
    (void)fprintf(stderr, "Take it to the server: keywright ca install BUNDLE\n");
}

static kw_status succeed(struct kw_op *op, const struct cli *cli, struct succession *it)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, make_next(op, cli, it), "the next root");
    TRY(op, kw_bytes_new(BUNDLE_ROOM, &pem));
    TRY(op, make_bundle(op, it, pem));
    TRY(op, cli_write_out(op, cli, kw_bytes_span(pem)));
    tell(it);
    return KW_OK;
}

kw_status ca_root_sign(struct kw_op *op, const struct cli *cli, struct kw_span text)
{
    __attribute__((cleanup(succession_done))) struct succession it = {0};

    TRY(op, read_request(op, text, &it));
    TRY(op, ceremony_open_root(op, cli->options[OPT_OFFLINE], &it.old));
    TRY(op, check_request(op, &it));
    kw_status status = succeed(op, cli, &it);
    if (!kw_ok(status) && it.next.key) { /* nothing half-done stays */
        ceremony_discard(cli->options[OPT_INTO]);
    }
    return status;
}

bool ca_root_is_request(struct kw_span text)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";

    return text.len > sizeof(begin) && memcmp(text.p, begin, sizeof(begin) - 1) == 0;
}

/* --- with the server -------------------------------------------------------------------------- */

/* This operator's own trust: the newest root first, those in force alone. */
static kw_status put_trust(struct kw_op *op, struct cli *cli, struct cert *const roots[],
                           unsigned n)
{
    AUTO(kw_bytes) *pem = NULL;
    char path[KW_PATH_BYTES];

    TRY(op, kw_bytes_new(4096, &pem));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", cert_der(roots[i]), pem));
    }
    TRY(op, os_path_join(op, path, sizeof(path), cli_admin_dir(cli), "root.pem"));
    return os_file_write(op, path, 0644, kw_bytes_span(pem));
}

kw_status ca_root_install(struct kw_op *op, struct cli *cli, struct kw_span bundle)
{
    struct cert *trust[CLI_ROOTS_MAX + 1] = {0};
    AUTO(kw_bytes) *answer = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(cert) *next = NULL;
    struct kw_span rest = bundle;
    unsigned n = 0;

    TRY(op, kw_pem_next(&rest, "CERTIFICATE", KW_CERT_MAX, &der), "the bundle");
    TRY(op, cert_parse(op, kw_bytes_span(der), &next), "the bundle");
    TRY(op, cli_post_text(op, cli, "/api/v1/roots", "application/x-pem-file", bundle, &answer));
    trust[n++] = next;
    for (unsigned i = 0; i < cli->n_roots && n < CLI_ROOTS_MAX; i++) {
        if (!kw_span_equal(cert_der(cli->root[i]), cert_der(next))) {
            trust[n++] = cli->root[i];
        }
    }
    TRY(op, put_trust(op, cli, trust, n), "keeping the next root beside the credential");
    return cli_show(op, cli, &ca_view, kw_bytes_span(answer));
}

kw_status cli_ca_retire(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_post_reason(op, cli, "cas", "retire", &answer));
    if (cli->n_roots > 1) {
        TRY(op, put_trust(op, cli, cli->root, 1), "keeping the root that is left");
    }
    return cli_show(op, cli, &ca_view, kw_bytes_span(answer));
}
