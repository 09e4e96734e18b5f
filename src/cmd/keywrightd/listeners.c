#include "cmd/keywrightd/listeners.h"

#include <stdlib.h>

#include "net/tls.h"
#include "os/files.h"
#include "service/authorities.h"
#include "service/keys/own.h"
#include "service/validation/status.h"

enum { DOORS = 3 };

struct door {
    const char *name;
    const char *scheme;
    char address[64];
    uint16_t port;
};

struct listeners {
    struct api *api;
    struct tls_server *tls[2]; /* devices, operators */
    struct http_server *server;
    struct door doors[DOORS];
    unsigned device_rows[3], relying_rows[2]; /* of the tables; borrowed by the server */
};

void listeners_free(struct listeners *listeners)
{
    if (!listeners) {
        return;
    }
    service_on_certs_changed(listeners->api->service, NULL, NULL);
    http_server_free(listeners->server);
    tls_server_unref(listeners->tls[0]);
    tls_server_unref(listeners->tls[1]);
    free(listeners);
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* What the listeners show and believe, as it stands now. */
struct tls_identity_now {
    struct authorities *all;
    struct cert *cert;
    struct privkey *key;
    struct cert *chain[1 + AUTHORITIES_PATH_MAX], *intermediates[SERVICE_CAS_MAX + PLAN_MAX];
    struct authorities_tops tops;
    struct tls_server_config config;
};

static void tls_identity_now_done(struct tls_identity_now *now)
{
    privkey_unref(now->key);
    cert_unref(now->cert);
    authorities_unref(now->all);
}

static void fill_config(struct tls_identity_now *now, struct service *service)
{
    const struct ca *issuer = authorities_issuer_of(now->all, now->cert);
    unsigned n = 0, n_between = 0;

    now->chain[n++] = now->cert;
    if (issuer) {
        n += authorities_path(now->all, issuer, now->chain + n);
    }
    authorities_tops(now->all, &now->tops);
    for (unsigned i = 0; i < now->all->n; i++) {
        now->intermediates[n_between++] = now->all->at[i].cert;
    }
    for (unsigned i = 0; i < now->tops.n_between; i++) {
        now->intermediates[n_between++] = now->tops.between[i];
    }
    now->config = (struct tls_server_config){
        .chain = now->chain,
        .n_chain = n,
        .key = now->key,
        .client_roots = now->tops.roots,
        .n_client_roots = now->tops.n_roots,
        .client_intermediates = now->intermediates,
        .n_client_intermediates = n_between,
        .client_late_s = status_late_max_s(service),
        .client_required = false, /* the route decides */
        .judge = api_judge_client,
        .judge_ctx = service,
    };
}

static kw_status load_identity(struct kw_op *op, struct service *service,
                               struct tls_identity_now *now)
{
    struct keeper_key_info key;

    now->all = service_authorities(service);
    TRY(op, service_cert_load(op, service, "tls-server", &now->cert));
    TRY(op, own_tls_key(op, service, &key));
    TRY(op, keeper_privkey(op, service_keeper(service, key.key_id), key.key_id, KEEPER_SIGN_TLS,
                           NULL, &now->key));
    fill_config(now, service);
    return KW_OK;
}

static kw_status open_tls(struct kw_op *op, struct listeners *it)
{
    __attribute__((cleanup(tls_identity_now_done))) struct tls_identity_now now = {0};

    TRY(op, load_identity(op, it->api->service, &now));
    TRY(op, tls_server_new(op, &now.config, &it->tls[0]), "TLS for devices");
    TRY(op, tls_server_new(op, &now.config, &it->tls[1]), "TLS for operators");
    return KW_OK;
}

/* service_on_certs_changed(): connections that come from now on; those that are there stay. */
static kw_status replace_tls(struct kw_op *op, void *ctx)
{
    __attribute__((cleanup(tls_identity_now_done))) struct tls_identity_now now = {0};
    struct listeners *it = ctx;

    TRY(op, load_identity(op, it->api->service, &now));
    TRY(op, tls_server_replace(op, it->tls[0], &now.config), "TLS for devices");
    TRY(op, tls_server_replace(op, it->tls[1], &now.config), "TLS for operators");
    return KW_OK;
}

/* --- doors ------------------------------------------------------------------------------------ */

static kw_status open_door(struct kw_op *op, struct listeners *it, unsigned i,
                           const struct config_listener *where, const struct http_listener *what)
{
    struct http_listener listener = *what;
    struct door *door = &it->doors[i];

    listener.address = where->address;
    listener.port = (uint16_t)where->port;
    listener.authenticate = api_authenticate;
    listener.observe = api_observe;
    listener.observe_handshake = api_observe_handshake;
    listener.ctx = it->api;
    listener.connections_max = it->api->service->config.connections_max;
    TRY(op, http_server_listen(op, it->server, &listener, &door->port),
        "listening for %s on %s port %u", what->name, where->address, where->port);
    door->name = what->name;
    door->scheme = what->tls ? "https" : "http";
    KW_TEXT_SET(door->address, where->address);
    return KW_OK;
}

static kw_status open_doors(struct kw_op *op, struct listeners *it)
{
    const struct config *config = &it->api->service->config;
    static const struct route *const device_tables[] = {est_routes, device_routes, cmp_routes,
                                                        NULL};
    static const struct route *const operator_tables[] = {rest_routes, NULL};
    static const struct route *const relying_tables[] = {relying_routes, cmp_routes, NULL};

    it->device_rows[0] = est_routes_n;
    it->device_rows[1] = device_routes_n;
    it->device_rows[2] = cmp_routes_n;
    it->relying_rows[0] = relying_routes_n;
    it->relying_rows[1] = cmp_routes_n;
    struct http_listener devices = {
        .name = "devices", .tls = it->tls[0], .tables = device_tables, .n_rows = it->device_rows};
    struct http_listener operators = {.name = "operators",
                                      .tls = it->tls[1],
                                      .tables = operator_tables,
                                      .n_rows = &rest_routes_n};
    struct http_listener relying = {
        .name = "relying", .tables = relying_tables, .n_rows = it->relying_rows};
    TRY(op, open_door(op, it, 0, &config->devices, &devices));
    TRY(op, open_door(op, it, 1, &config->operators, &operators));
    return open_door(op, it, 2, &config->relying, &relying);
}

kw_status listeners_open(struct kw_op *op, struct api *api, struct listeners **ret)
{
    const struct config *config = &api->service->config;
    struct http_server_config limits = {.loop_threads = config->loop_threads,
                                        .pool_threads = config->pool_threads};
    AUTO(listeners) *it = calloc(1, sizeof(*it));

    ENSURE(op, it, KW_E_MEMORY, "no memory for the listeners");
    it->api = api;
    TRY(op, open_tls(op, it));
    TRY(op, http_server_new(op, &limits, &it->server));
    api->server = it->server;
    TRY(op, open_doors(op, it));
    *ret = TAKE(it);
    return KW_OK;
}

static kw_status write_endpoints(struct kw_op *op, const struct listeners *it)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(256, &text));
    for (unsigned i = 0; i < DOORS; i++) {
        const struct door *door = &it->doors[i];
        TRY(op, kw_bytes_printf(text, "%s %s://%s:%u\n", door->name, door->scheme, door->address,
                                door->port));
    }
    TRY(op, config_path(op, &it->api->service->config, "run", path, sizeof(path)));
    TRY(op, os_dir_make(op, path, 0755));
    TRY(op, config_path(op, &it->api->service->config, "run/endpoints", path, sizeof(path)));
    return os_file_write(op, path, 0644, kw_bytes_span(text));
}

kw_status listeners_start(struct kw_op *op, struct listeners *listeners)
{
    TRY(op, http_server_start(op, listeners->server));
    service_on_certs_changed(listeners->api->service, replace_tls, listeners);
    TRY(op, replace_tls(op, listeners)); /* they may have changed since they were read */
    return write_endpoints(op, listeners);
}

void listeners_print(const struct listeners *listeners, FILE *out)
{
    for (unsigned i = 0; i < DOORS; i++) {
        const struct door *door = &listeners->doors[i];
        (void)fprintf(out, "%-9s %s://%s:%u\n", door->name, door->scheme, door->address,
                      door->port);
    }
}
