#include <stdatomic.h>
#include <stdio.h>

#include "api/rest/rest.h"
#include "service/log/gap.h"

/* --- what runs -------------------------------------------------------------------------------- */

struct about_view {
    char product[24], version[24], organization[64], server_name[128], transports[64];
    uint32_t devices_port;
};
static const struct codec_field about_fields[] = {
    FIELD_STRING("product", struct about_view, product, 0, "product"),
    FIELD_STRING("version", struct about_view, version, 0, "version"),
    FIELD_STRING("organization", struct about_view, organization, 0, "whose server"),
    FIELD_STRING("server_name", struct about_view, server_name, 0, "its name"),
    FIELD_STRING("transports", struct about_view, transports, 0, "transports"),
    FIELD_INT("devices_port", struct about_view, devices_port, 0, 0, 65535,
              "where devices and brokers connect"),
};
static const struct view about_view = {about_fields, KW_COUNT(about_fields)};

REST_HANDLER(rest_about)
{
    struct service *service = rest_service(ctx);
    struct about_view shown = {
        .product = "keywright", .version = KW_VERSION, .transports = "TLS 1.3, HTTP 1.1"};

    (void)request;
    KW_TEXT_SET(shown.organization, service->config.organization);
    KW_TEXT_SET(shown.server_name, service->config.server_name);
    shown.devices_port = service->config.devices.port;
    return rest_answer(op, &about_view, &shown, response);
}

struct health_view {
    char status[16];
    bool keeper, store;
    char gap[KW_OP_TEXT_MAX];
};
static const struct codec_field health_fields[] = {
    FIELD_STRING("status", struct health_view, status, 0, "ok or degraded"),
    FIELD_BOOL("keeper", struct health_view, keeper, 0, "the keeper answers"),
    FIELD_BOOL("store", struct health_view, store, 0, "the store answers"),
    FIELD_STRING("gap", struct health_view, gap, CODEC_OMIT_EMPTY,
                 "what the store does not know since it was put back"),
};
static const struct view health_view = {health_fields, KW_COUNT(health_fields)};

REST_HANDLER(rest_health)
{
    struct service *service = rest_service(ctx);
    struct health_view shown = {.keeper = service_keepers_alive(service)};
    uint64_t size = 0;

    (void)request;
    shown.store = kw_ok(store_log_size(op, service->store, &size));
    kw_op_clear(op);
    log_gap_text(service, shown.gap, sizeof(shown.gap));
    bool well = shown.keeper && shown.store && !*shown.gap;
    KW_TEXT_SET(shown.status, well ? "ok" : "degraded");
    response->status = well ? 200 : 503;
    return rest_answer(op, &health_view, &shown, response);
}

/* --- figures ---------------------------------------------------------------------------------- */

enum { STATUS_CLASSES = 6 };
static atomic_uint_fast64_t answers[STATUS_CLASSES]; /* by the status' first digit */
static atomic_uint_fast64_t micros_total;

void api_observe(void *ctx, const struct route *route, const struct http_request *request,
                 const struct kw_op *op, int status, int64_t micros)
{
    unsigned class_ = (unsigned)status / 100;
    const struct api *api = ctx;

    (void)request;
    if (status == 500) { /* the peer is told no more than that it was us */
        char what[160];
        (void)snprintf(what, sizeof(what), "request %.40s (%.80s) failed", op->request_id,
                       route ? route->path : "?");
        service_complain(api->service, op, what);
    }
    atomic_fetch_add(&answers[class_ < STATUS_CLASSES ? class_ : 0], 1);
    atomic_fetch_add(&micros_total, (uint64_t)micros);
}

static kw_status put_gauge(struct kw_bytes *text, const char *name, const char *help,
                           uint64_t value)
{
    return kw_bytes_printf(text,
                           "# HELP keywright_%s %s\n# TYPE keywright_%s gauge\nkeywright_%s %llu\n",
                           name, help, name, name, (unsigned long long)value);
}

static kw_status put_counts(struct kw_op *op, struct service *service, struct kw_bytes *text)
{
    struct store_counts counts;

    TRY(op, store_counts(op, service->store, &counts));
    TRY(op, put_gauge(text, "devices", "registered devices", counts.devices));
    TRY(op, put_gauge(text, "devices_active", "devices with an identity", counts.devices_active));
    TRY(op, put_gauge(text, "certificates", "certificates ever issued", counts.certs));
    TRY(op, put_gauge(text, "certificates_valid", "certificates in force", counts.certs_valid));
    TRY(op, put_gauge(text, "certificates_revoked", "revoked certificates", counts.certs_revoked));
    TRY(op, put_gauge(text, "public_keys", "public keys ever seen", counts.pubkeys));
    TRY(op, put_gauge(text, "log_entries", "entries of the log", counts.log_entries));
    return put_gauge(text, "keeper_up", "1 while the keeper answers",
                     service_keepers_alive(service));
}

static kw_status put_answers(struct kw_op *op, struct kw_bytes *text)
{
    TRY(op, kw_bytes_append_text(text,
                                 "# HELP keywright_http_answers_total answers by class of status\n"
                                 "# TYPE keywright_http_answers_total counter\n"));
    for (unsigned i = 1; i < STATUS_CLASSES; i++) {
        TRY(op, kw_bytes_printf(text, "keywright_http_answers_total{class=\"%uxx\"} %llu\n", i,
                                (unsigned long long)atomic_load(&answers[i])));
    }
    return KW_OK;
}

REST_HANDLER(rest_metrics)
{
    struct api *api = ctx;

    (void)request;
    TRY(op, kw_bytes_new(4096, &response->body));
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    TRY(op, put_counts(op, api->service, response->body));
    TRY(op, put_answers(op, response->body));
    struct http_server_stats stats = http_server_stats(api->server);
    TRY(op,
        put_gauge(response->body, "connections_open", "open connections", stats.connections_open));
    TRY(op, api_put_handshakes(&stats, response->body));
    TRY(op, put_gauge(response->body, "own_certificates_end_time_seconds",
                      "when the first of the server's own certificates ends",
                      (uint64_t)atomic_load(&api->service->own_certs_end_s)));
    return put_gauge(response->body, "uptime_seconds", "since start",
                     (uint64_t)(service_now_ms() - api->started_ms) / 1000);
}
