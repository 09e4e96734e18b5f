/* Figures for Prometheus's textfile collector. */
#include "mosquitto/feed_internal.h"
#include "os/files.h"

static kw_status put(struct kw_bytes *text, const char *name, const char *type, const char *help,
                     unsigned long long value)
{
    return kw_bytes_printf(text,
                           "# HELP keywright_mqtt_%s %s\n# TYPE keywright_mqtt_%s %s\n"
                           "keywright_mqtt_%s %llu\n",
                           name, help, name, type, name, value);
}

static kw_status put_refusals(struct kw_op *op, const struct feed_figures *figures,
                              struct kw_bytes *text)
{
    TRY(op, kw_bytes_printf(text, "# HELP keywright_mqtt_refusals_total connections, messages and "
                                  "subscriptions refused\n"
                                  "# TYPE keywright_mqtt_refusals_total counter\n"));
    for (unsigned i = 1; feed_reason_name(i); i++) {
        TRY(op, kw_bytes_printf(text, "keywright_mqtt_refusals_total{reason=\"%s\"} %llu\n",
                                feed_reason_name(i), atomic_load(&figures->refused[i])));
    }
    return KW_OK;
}

/* A histogram, in Prometheus's sense; the greatest delay beside it. */
static kw_status put_delays(struct kw_op *op, const struct feed_figures *figures,
                            struct kw_bytes *text)
{
    unsigned long long n = 0;

    TRY(op, kw_bytes_printf(text, "# HELP keywright_mqtt_kick_seconds from a change at the server "
                                  "to the end of the session\n"
                                  "# TYPE keywright_mqtt_kick_seconds histogram\n"));
    for (unsigned i = 0; i < FEED_DELAYS; i++) {
        n += atomic_load(&figures->delays[i]);
        if (i + 1 < FEED_DELAYS) {
            TRY(op, kw_bytes_printf(text, "keywright_mqtt_kick_seconds_bucket{le=\"%g\"} %llu\n",
                                    feed_delay_ms(i) / 1e3, n));
        }
    }
    TRY(op, kw_bytes_printf(text,
                            "keywright_mqtt_kick_seconds_bucket{le=\"+Inf\"} %llu\n"
                            "keywright_mqtt_kick_seconds_sum %.3f\n"
                            "keywright_mqtt_kick_seconds_count %llu\n",
                            n, (double)atomic_load(&figures->delay_sum_ms) / 1e3, n));
    return put(text, "kick_milliseconds_max", "gauge", "the longest of them",
               atomic_load(&figures->delay_max_ms));
}

kw_status feed_metrics_write(struct kw_op *op, struct feed *feed)
{
    const struct feed_figures *figures = &feed->figures;
    int64_t age_ms = feed_age_ms(feed);
    AUTO(kw_bytes) *text = NULL;

    if (!*feed->config.metrics) {
        return KW_OK;
    }
    TRY(op, kw_bytes_new(4096, &text));
    TRY(op, put(text, "sessions", "gauge", "live sessions", atomic_load(&figures->sessions)));
    TRY(op, put(text, "clients", "gauge", "certificates that may connect",
                atomic_load(&figures->clients)));
    TRY(op,
        put(text, "table_bytes", "gauge", "memory of their list", atomic_load(&figures->bytes)));
    TRY(op, put(text, "feed_age_milliseconds", "gauge", "since the server's last word",
                age_ms == INT64_MAX ? 0 : (unsigned long long)age_ms));
    TRY(op, put(text, "feed_known", "gauge", "1: the server was heard of", age_ms != INT64_MAX));
    TRY(op, put(text, "feed_failures_total", "counter", "calls that failed",
                atomic_load(&figures->failures)));
    TRY(op, put(text, "connects_total", "counter", "let in", atomic_load(&figures->connects)));
    TRY(op,
        put(text, "kicks_total", "counter", "live sessions ended", atomic_load(&figures->kicks)));
    TRY(op, put_delays(op, figures, text));
    TRY(op, put_refusals(op, figures, text));
    return os_file_write(op, feed->config.metrics, 0644, kw_bytes_span(text));
}
