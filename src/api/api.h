/* What every handler gets, and the tables of routes that the listeners serve. */
#ifndef API_API_H
#define API_API_H

#include "net/http.h"
#include "net/server.h"
#include "service/service.h"

struct api {
    struct service *service;
    struct http_server *server; /* for its figures; set before it starts */
    int64_t started_ms;
    struct api_refusals {
        atomic_llong said_ms; /* when the last line was logged, Unix time; 0: none yet */
        atomic_uint unsaid;   /* since then */
    } refused_handshakes[TLS_END_MAX];
};

/* One table a protocol; each with its length. */
extern const struct route cmp_routes[], est_routes[], device_routes[], rest_routes[],
    relying_routes[];
extern const unsigned cmp_routes_n, est_routes_n, device_routes_n, rest_routes_n, relying_routes_n;

/* http_authenticate: certificate of the connection, or HTTP Basic with a registration secret. ctx:
 * struct api. */
kw_status api_authenticate(struct kw_op *op, void *ctx, const struct http_request *request,
                           unsigned allowed, struct http_principal *ret);
/* tls_judge_client: the same question within the handshake. ctx: struct service. */
kw_status api_judge_client(struct kw_op *op, void *ctx, const struct cert *client);
/* http_observe: counts for /metrics. ctx: struct api. */
void api_observe(void *ctx, const struct route *route, const struct http_request *request,
                 const struct kw_op *op, int status, int64_t micros);
/* http_observe_handshake: logs what is refused by us, a line in ten seconds for each kind. ctx:
 * struct api. */
void api_observe_handshake(void *ctx, enum tls_end end, const char *peer, const struct kw_op *op);
/* Failed handshakes by reason, for /metrics. */
kw_status api_put_handshakes(const struct http_server_stats *stats, struct kw_bytes *text);

#endif
