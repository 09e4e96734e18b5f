/* TLS handshakes that came to nothing: the log's lines and the figures. */
#include <stdio.h>

#include "api/api.h"

enum { LINE_EVERY_MS = 10000, LINE_MAX = 320 };

/* clang-format off */
/* What anybody can bring about by sending garbage, or nothing, is counted only. */
static const struct {
    const char *name; /* in the figures */
    const char *next; /* what an operator does about it; NULL: no line in the log */
} ends[] = {
    [TLS_END_GONE]        = {"client_gone", NULL},
    [TLS_END_ALERT]       = {"client_alert", NULL},
    [TLS_END_PROTOCOL]    = {"protocol", NULL},
    [TLS_END_CERTIFICATE] = {"client_certificate", "of ours? see 'keywright cert show SERIAL'"},
    [TLS_END_SERVER]      = {"server", "see 'keywright doctor', and whether the keeper runs"},
};
/* clang-format on */
_Static_assert(KW_COUNT(ends) == TLS_END_MAX, "a row for each end");

/* May a line be logged now? One thread of several gets it. */
static bool take_turn(struct api_refusals *kind)
{
    long long now_ms = service_now_ms();
    long long said_ms = atomic_load(&kind->said_ms);
    bool turned_back = now_ms < said_ms; /* the clock */

    return (turned_back || now_ms - said_ms >= LINE_EVERY_MS) &&
           atomic_compare_exchange_strong(&kind->said_ms, &said_ms, now_ms);
}

void api_observe_handshake(void *ctx, enum tls_end end, const char *peer, const struct kw_op *op)
{
    struct api *api = ctx;
    struct api_refusals *kind = &api->refused_handshakes[end];
    char line[LINE_MAX], more[64] = "";

    if (!ends[end].next || !api->service->complain) {
        return;
    }
    if (!take_turn(kind)) {
        atomic_fetch_add(&kind->unsaid, 1);
        return;
    }
    unsigned unsaid = atomic_exchange(&kind->unsaid, 0);
    if (unsaid > 0) {
        (void)snprintf(more, sizeof(more), " (and %u since the last such line)", unsaid);
    }
    (void)snprintf(line, sizeof(line), "TLS handshake with %s refused%s (%s)", peer, more,
                   ends[end].next);
    api->service->complain(line, op);
}

kw_status api_put_handshakes(const struct http_server_stats *stats, struct kw_bytes *text)
{
    static const char head[] =
        "# HELP keywright_handshakes_failed_total failed TLS handshakes by reason\n"
        "# TYPE keywright_handshakes_failed_total counter\n";

    TRY(NULL, kw_bytes_append_text(text, head));
    for (unsigned i = 0; i < TLS_END_MAX; i++) {
        TRY(NULL, kw_bytes_printf(text, "keywright_handshakes_failed_total{reason=\"%s\"} %llu\n",
                                  ends[i].name, (unsigned long long)stats->handshakes_failed[i]));
    }
    return KW_OK;
}
