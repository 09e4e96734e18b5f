/*
 * Is the server's or a signer's certificate revoked? Hard fail: what cannot be found out counts as
 * revoked. A good answer is kept (flash, so it survives restarts) and spares the question while it
 * is in force and at most a day old; for the grace that the policy sets beyond its nextUpdate, and
 * no longer, it also stands in where no responder can be reached. For signers the caller may set
 * both shorter, from when the answer was given.
 */
#include <stdio.h>

#include "base/hex.h"
#include "base/uri.h"
#include "crypto/ocsp.h"
#include "device/device.h"
#include "os/files.h"
#include "os/rng.h"

enum { ANSWER_MAX = 65536, ANSWER_LIFE_S = 86400, NONCE_BYTES = 32 };

/* How long a good answer counts. */
struct terms {
    const char *kept_as; /* how the names of its files begin */
    int64_t age_s;       /* since thisUpdate: it spares the question */
    int64_t late_s;      /* where nobody answers: so long after nextUpdate … */
    int64_t late_age_s;  /* … and since thisUpdate */
};

static void cache_name(const struct terms *terms, const struct cert *leaf, char name[64])
{
    char hex[33];

    kw_hex(KW_SPAN(cert_sha256(leaf), 16), hex, sizeof(hex));
    (void)snprintf(name, 64, "%s%s.der", terms->kept_as, hex);
}

/* --- answers that were kept ------------------------------------------------------------------- */

/* A kept answer, checked at the last moment at which it was in force: its signature and its times
 * are right then. */
static kw_status read_kept(struct kw_op *op, struct device *device, const struct terms *terms,
                           const struct cert *leaf, const struct cert *issuer, int64_t now_s,
                           struct ocsp_single *ret)
{
    char name[64];
    AUTO(kw_bytes) *kept = NULL;
    struct ocsp_single said;

    cache_name(terms, leaf, name);
    TRY(op, state_read(op, device, name, ANSWER_MAX, &kept));
    TRY(op, ocsp_answer_peek(op, kw_bytes_span(kept), leaf, issuer, &said));
    return ocsp_answer_check(op, kw_bytes_span(kept), leaf, issuer, KW_SPAN(NULL, 0),
                             now_s < said.next_update ? now_s : said.next_update, ret);
}

/* Good, and not longer than this after its end. */
static bool known_good(struct device *device, const struct terms *terms, const struct cert *leaf,
                       const struct cert *issuer, int64_t late_s, int64_t age_max_s)
{
    struct ocsp_single single;
    struct kw_op quiet;
    int64_t now_s = device_now_s(device);

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(read_kept(&quiet, device, terms, leaf, issuer, now_s, &single)) &&
           single.status == OCSP_CERT_GOOD && now_s < single.next_update + late_s &&
           now_s - single.this_update < age_max_s;
}

struct purge {
    const struct device *device;
    const char *kept_as, *keep;
};

static kw_status purge_one(struct kw_op *op, const char *name, void *ctx)
{
    const struct purge *it = ctx;
    bool other =
        strncmp(name, it->kept_as, strlen(it->kept_as)) == 0 && strcmp(name, it->keep) != 0;

    return other ? state_remove(op, it->device, name) : KW_OK;
}

/* One answer a kind: those of certificates that came before would fill the flash. An answer that
 * cannot be kept is asked for again. */
static void keep(struct device *device, const struct terms *terms, const struct cert *leaf,
                 struct kw_span answer)
{
    char name[64];
    struct purge purge = {device, terms->kept_as, name};
    struct kw_op own;

    kw_op_init(&own, NULL, 0);
    cache_name(terms, leaf, name);
    if (kw_ok(state_write(&own, device, name, answer))) {
        (void)kw_ok(os_dir_each(&own, device->dir, ".der", purge_one, &purge));
    }
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* "http://host:port/path" → base and path, for the client. */
static kw_status split_url(struct kw_op *op, const char *url, char *base, size_t cap,
                           const char **ret_path)
{
    static const char scheme[] = "http://";

    ENSURE(op, strncmp(url, scheme, sizeof(scheme) - 1) == 0, KW_E_UNSUPPORTED,
           "OCSP responder '%s'", url);
    const char *path = strchr(url + sizeof(scheme) - 1, '/');
    path = path ? path : url + strlen(url);
    int n = snprintf(base, cap, "%.*s", (int)(path - url), url);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "OCSP responder '%.60s…'", url);
    *ret_path = *path ? path : "/";
    return KW_OK;
}

static kw_status fetch(struct kw_op *op, const char *url, struct kw_span query,
                       struct kw_bytes **ret)
{
    char base[KW_URI_MAX];
    const char *path = NULL;
    struct http_answer answer = {0};
    AUTO(http_client) *client = NULL;

    TRY(op, split_url(op, url, base, sizeof(base), &path));
    struct http_client_config config = {.base_url = base, .response_max = ANSWER_MAX};
    TRY(op, http_client_new(op, &config, &client));
    struct http_call call = {.method = HTTP_POST,
                             .path = path,
                             .content_type = "application/ocsp-request",
                             .body = query};
    TRY(op, http_client_call(op, client, &call, &answer), "OCSP responder %s", base);
    *ret = TAKE(answer.body);
    int status = answer.status;
    http_answer_done(&answer);
    ENSURE(op, status == 200, KW_E_UNAVAILABLE, "OCSP responder %s answered with status %d", base,
           status);
    return KW_OK;
}

/* What the responder says; only what it signed counts, whatever it says. */
static kw_status ask(struct kw_op *op, struct device *device, const struct terms *terms,
                     const struct cert *leaf, const struct cert *issuer, enum ocsp_cert_status *ret)
{
    char url[KW_URI_MAX];
    uint8_t nonce[NONCE_BYTES];
    struct ocsp_single single;
    AUTO(kw_bytes) *query = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cert_ocsp_url(op, leaf, url, sizeof(url)));
    TRY(op, os_random(op, nonce, sizeof(nonce)));
    TRY(op, ocsp_query_build(op, leaf, issuer, /* sha256= */ true, KW_SPAN_ARRAY(nonce), &query));
    TRY(op, fetch(op, url, kw_bytes_span(query), &answer));
    TRY(op, ocsp_answer_check(op, kw_bytes_span(answer), leaf, issuer, KW_SPAN_ARRAY(nonce),
                              device_now_s(device), &single));
    device_take_fact(device, single.this_update);
    *ret = single.status;
    if (single.status == OCSP_CERT_GOOD) {
        keep(device, terms, leaf, kw_bytes_span(answer));
    }
    return KW_OK;
}

/* The word "revoked" is final; silence is not, for as long as the grace lasts. */
static kw_status judge(struct kw_op *op, struct device *device, const struct terms *terms,
                       const struct cert *leaf, const struct cert *issuer)
{
    enum ocsp_cert_status said = OCSP_CERT_UNKNOWN;
    char why[512];

    if (known_good(device, terms, leaf, issuer, 0, terms->age_s)) {
        return KW_OK;
    }
    kw_status status = ask(op, device, terms, leaf, issuer, &said);
    if (kw_ok(status)) {
        ENSURE(op, said == OCSP_CERT_GOOD, KW_E_AUTH, "OCSP says that the certificate is %s",
               said == OCSP_CERT_REVOKED ? "revoked" : "unknown");
        return KW_OK;
    }
    kw_op_explain(op, status);
    kw_op_message(op, why, sizeof(why));
    kw_op_clear(op);
    if (known_good(device, terms, leaf, issuer, terms->late_s, terms->late_age_s)) {
        return KW_OK;
    }
    return FAIL(op, KW_E_AUTH, "whether it is revoked cannot be found out: %.120s", why);
}

kw_status server_judge(struct kw_op *op, void *ctx, const struct cert *leaf,
                       const struct cert *issuer)
{
    const struct device *device = ctx;
    const struct terms terms = {"ocsp-", ANSWER_LIFE_S, device->config.revocation_grace_s,
                                INT64_MAX};

    TRY(op, judge(op, ctx, &terms, leaf, issuer), "the server's certificate");
    roots_judge(ctx, leaf, issuer);
    return KW_OK;
}

kw_status signer_judge(struct kw_op *op, struct device *device, const struct cert *leaf,
                       const struct cert *issuer, int64_t age_s, int64_t grace_s)
{
    const struct terms usual = {"signer-", ANSWER_LIFE_S, device->config.revocation_grace_s,
                                INT64_MAX};
    const struct terms shorter = {"signer-", age_s, grace_s, age_s + grace_s};

    return judge(op, device, age_s > 0 ? &shorter : &usual, leaf, issuer);
}
