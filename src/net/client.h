/* The HTTP client: one server, limits on everything, TLS 1.3 with our roots only. No proxies, no
 * redirects. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/cert.h"
#include "crypto/privkey.h"
#include "net/http.h"

struct http_client; /* one thread at a time; keeps its connection alive between calls */

struct http_client_config {
    const char *base_url;      /* "https://host:8443" or "http://…" */
    struct cert *const *roots; /* the only trust anchors; system ones are never used */
    unsigned n_roots;
    struct cert *const *chain; /* own certificate and its issuers for mTLS; NULL = none */
    unsigned n_chain;
    const struct privkey *key;
    /* Judge the server's leaf after its path is valid (revocation, pins); NULL = path and host name
     * only. */
    kw_status (*judge)(struct kw_op *op, void *ctx, const struct cert *leaf,
                       const struct cert *issuer);
    void *judge_ctx;
    /* Label of the TLS exporter (RFC 8446 section 7.5, no context) for http_client_exporter();
     * static text, NULL = none. */
    const char *exporter_label;
    int64_t (*now_s)(void *judge_ctx); /* the time to judge paths by; NULL = the plain clock */
    bool any_time; /* no time is asked of the server's path: only where its answer proves itself */
    uint32_t connect_timeout_ms; /* 0 = 5000 */
    uint32_t total_timeout_ms;   /* 0 = 15000, never beyond the operation's deadline */
    size_t response_max;         /* octets; 0 = 1 MiB; more is KW_E_TOO_LARGE */
};

struct http_call {
    enum http_method method;
    const char *path;         /* with query, encoded by the caller */
    const char *content_type; /* of body */
    struct kw_span body;
    const char *user, *password; /* HTTP Basic, NULL = none */
    const char *accept;
    const char *headers[4]; /* further "Name: value" lines; NULL-terminated where fewer */
    /* HTTP_EXPORTER octets: send it over the connection with this exporter or not at all
     * (KW_E_UNAVAILABLE; nothing was sent). NULL = over any. */
    const uint8_t *exporter;
};
enum { HTTP_EXPORTER = 32 };
struct http_answer {
    int status;
    char content_type[64];  /* lower case, without parameters */
    uint32_t retry_after_s; /* 0 = absent */
    struct kw_bytes *body;  /* never NULL after success; free with http_answer_done() */
};
void http_answer_done(struct http_answer *answer);

kw_status http_client_new(struct kw_op *op, const struct http_client_config *config,
                          struct http_client **ret);
void http_client_free(struct http_client *client);
KW_OWNED(http_client, struct http_client, http_client_free)
/**
 * One exchange. Any HTTP status is KW_OK here; look at ret->status.
 * Errors: KW_E_UNAVAILABLE no connection (retry is safe), KW_E_TIMEOUT, KW_E_AUTH the server's
 * certificate is not trusted or the server refused ours (TLS alert), KW_E_REVOKED/KW_E_DENIED the
 * judge's word, a remote key's own codes, KW_E_UNSURE connection lost or time over after the
 * request was sent (GET and HEAD may be sent again: there it is KW_E_UNAVAILABLE or KW_E_TIMEOUT),
 * KW_E_TOO_LARGE, KW_E_INPUT a path or header with control characters, KW_E_DEVICE nonsense.
 * A request other than GET and HEAD is sent at most once, whatever happens to the connection.
 * Blocks up to the total time limit.
 */
kw_status http_client_call(struct kw_op *op, struct http_client *client,
                           const struct http_call *call, struct http_answer *ret);
/* The exporter of the connection that the last call went over. False: it had none. */
bool http_client_exporter(const struct http_client *client, uint8_t ret[HTTP_EXPORTER]);
/* What the server's TLS alert said of our certificate where the last call failed by one. */
enum http_refusal {
    HTTP_REFUSAL_NONE,
    HTTP_REFUSAL_REVOKED,
    HTTP_REFUSAL_EXPIRED,
    HTTP_REFUSAL_OTHER
};
enum http_refusal http_client_refusal(const struct http_client *client);
/* Forget the connection (new identity, or to force a fresh handshake). */
void http_client_disconnect(struct http_client *client);

#endif
