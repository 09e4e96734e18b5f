/* The connection to the gate, and the CAs that come over it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/pem.h"
#include "base/secret.h"
#include "mosquitto/feed_internal.h"
#include "os/clock.h"
#include "os/files.h"

#include <openssl/x509.h>

enum { PEM_MAX = 65536, ANSWER_MAX = 1 << 20 };

static kw_status take_key(struct kw_op *op, struct kw_span pem, struct privkey **ret)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;

    TRY(op, kw_pem_next(&pem, "PRIVATE KEY", PEM_MAX, &der), "no private key");
    kw_status status = kw_secret_copy(kw_bytes_span(der), &pkcs8);
    kw_wipe(der->p, der->len);
    TRY(op, status, "private key");
    return privkey_from_pkcs8(op, pkcs8, ret);
}

static kw_status read_files(struct kw_op *op, const struct feed_config *config,
                            struct feed_link *link)
{
    AUTO(kw_bytes) *roots = NULL;
    AUTO(kw_secret) *own = NULL;

    TRY(op, os_file_read(op, config->root, PEM_MAX, &roots), "roots");
    TRY(op, cert_parse_pem(op, kw_bytes_span(roots), link->roots, FEED_CERTS_MAX, &link->n_roots),
        "%s", config->root);
    TRY(op, os_file_read_secret(op, config->credential, PEM_MAX, &own), "the broker's credential");
    TRY(op, cert_parse_pem(op, kw_secret_span(own), link->chain, FEED_CERTS_MAX, &link->n_chain),
        "%s", config->credential);
    return take_key(op, kw_secret_span(own), &link->key);
}

kw_status feed_link_open(struct kw_op *op, const struct feed_config *config, unsigned timeout_ms,
                         struct feed_link *link)
{
    TRY(op, read_files(op, config, link));
    const struct http_client_config client = {
        .base_url = config->gate,
        .roots = link->roots,
        .n_roots = link->n_roots,
        .chain = link->chain,
        .n_chain = link->n_chain,
        .key = link->key,
        .total_timeout_ms = timeout_ms,
        .response_max = ANSWER_MAX,
    };
    return http_client_new(op, &client, &link->client);
}

void feed_link_close(struct feed_link *link)
{
    http_client_free(link->client);
    privkey_unref(link->key);
    for (unsigned i = 0; i < link->n_chain; i++) {
        cert_unref(link->chain[i]);
    }
    for (unsigned i = 0; i < link->n_roots; i++) {
        cert_unref(link->roots[i]);
    }
    memset(link, 0, sizeof(*link));
}

/* --- CAs -------------------------------------------------------------------------------------- */

/* OpenSSL looks a CA up there when it meets one that it does not know: HASH.0, HASH.1 … */
static kw_status put_ca(struct kw_op *op, const char *dir, const struct cert *ca)
{
    const X509 *x509 = cert_x509(ca);
    AUTO(kw_bytes) *pem = NULL;

    ENSURE(op, x509, KW_E_INPUT, "a CA that OpenSSL does not take");
    TRY(op, kw_bytes_new(2048, &pem), "CA");
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(ca), pem), "CA");
    for (unsigned i = 0; i < FEED_CERTS_MAX; i++) {
        char name[32], path[KW_PATH_BYTES];
        AUTO(kw_bytes) *there = NULL;
        (void)snprintf(name, sizeof(name), "%08lx.%u",
                       X509_NAME_hash_ex(X509_get_subject_name(x509), NULL, NULL, NULL), i);
        TRY(op, os_path_join(op, path, sizeof(path), dir, name));
        if (!os_file_exists(path)) {
            return os_file_write(op, path, 0644, kw_bytes_span(pem));
        }
        TRY(op, os_file_read(op, path, PEM_MAX, &there), "CA");
        if (there->len == pem->len && memcmp(there->p, pem->p, pem->len) == 0) {
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_LIMIT, "more than %d CAs of one name", (int)FEED_CERTS_MAX);
}

/* A root's own certificate, or another one for a root of ours: no step on a path to ours. */
static bool leads_nowhere(const struct feed_link *link, const struct cert *ca)
{
    for (unsigned i = 0; i < link->n_roots; i++) {
        if (kw_span_equal(cert_subject(ca), cert_subject(link->roots[i])) &&
            kw_span_equal(pubkey_spki(cert_public(ca)), pubkey_spki(cert_public(link->roots[i])))) {
            return true;
        }
    }
    return kw_span_equal(cert_subject(ca), cert_issuer(ca));
}

/* OpenSSL tries one path: of a root that is not ours it would take the certificate that ends it,
 * not the link to ours, and where both roots have links it would go in a circle. */
static void believe(const struct feed_link *link, struct cert *const said[], unsigned n_said,
                    struct feed_cas *ret)
{
    struct cert *steps[FEED_CAS_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < n_said; i++) {
        if (!leads_nowhere(link, said[i])) {
            steps[n++] = said[i];
        }
    }
    for (unsigned i = 0; i < n; i++) {
        struct kw_op own;
        kw_op_init(&own, NULL, 0);
        if (kw_ok(cert_verify_path(&own, steps[i], steps, n, link->roots, link->n_roots, NULL,
                                   os_clock_unix_s()))) {
            ret->at[ret->n++] = cert_ref(steps[i]);
        }
    }
    for (; ret->n_roots < link->n_roots; ret->n_roots++) {
        ret->roots[ret->n_roots] = cert_ref(link->roots[ret->n_roots]);
    }
}

static kw_status put_all(struct kw_op *op, const char *dir, const struct feed_cas *cas)
{
    for (unsigned i = 0; *dir && i < cas->n; i++) {
        TRY(op, put_ca(op, dir, cas->at[i]), "keeping a CA");
    }
    return KW_OK;
}

void feed_cas_drop(struct feed_cas *cas)
{
    for (unsigned i = 0; i < cas->n; i++) {
        cert_unref(cas->at[i]);
    }
    for (unsigned i = 0; i < cas->n_roots; i++) {
        cert_unref(cas->roots[i]);
    }
    *cas = (struct feed_cas){0};
}

kw_status feed_cas_fetch(struct kw_op *op, const struct feed_config *config,
                         const struct feed_link *link, struct feed_cas *ret)
{
    const struct http_call call = {.method = HTTP_GET, .path = "/broker/v1/trust"};
    struct http_answer answer = {0};
    struct cert *cas[FEED_CAS_MAX] = {0};
    unsigned n = 0;

    TRY(op, http_client_call(op, link->client, &call, &answer), "fetching the CAs");
    kw_status status = answer.status == 200
                           ? cert_parse_pem(op, kw_bytes_span(answer.body), cas, KW_COUNT(cas), &n)
                           : FAIL(op, KW_E_DEVICE, "the CAs: status %d", answer.status);
    if (kw_ok(status)) {
        believe(link, cas, n, ret);
        status = put_all(op, config->trust, ret);
    }
    for (unsigned i = 0; i < n; i++) {
        cert_unref(cas[i]);
    }
    http_answer_done(&answer);
    return status;
}
