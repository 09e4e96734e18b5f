/* The dashboard's figures. */
#include <stdio.h>

#include "api/rest/rest.h"
#include "api/rest/views_stats.h"
#include "model/iso_week.h"
#include "service/revocation/figures.h"

enum { ONLINE_MINUTES = 60 };

static const struct codec_field template_fields[] = {
    FIELD_STRING("template", struct template_view, name, 0, "profile"),
    FIELD_INT("issued", struct template_view, issued, 0, 0, 0, "certificates ever"),
    FIELD_INT("issued_7d", struct template_view, issued_7d, 0, 0, 0, "in the last 7 days"),
};
static const struct codec_field week_fields[] = {
    FIELD_STRING("week", struct week_view, week, 0, "ISO 8601, in UTC"),
    FIELD_INT("issued", struct week_view, issued, 0, 0, 0, "certificates issued"),
    FIELD_INT("revoked", struct week_view, revoked, 0, 0, 0, "certificates revoked"),
};
static const struct codec_field stats_fields[] = {
    FIELD_TIME("time", struct stats_view, time_ms, 0, "when this was counted"),
    FIELD_INT("devices", struct stats_view, devices, 0, 0, 0, "that are not retired"),
    FIELD_INT("devices_online", struct stats_view, online, 0, 0, 0,
              "with a certificate in force, and a sign of life in the last online_minutes"),
    FIELD_INT("devices_offline", struct stats_view, offline, 0, 0, 0,
              "with a certificate in force, and none"),
    FIELD_INT("devices_no_certificate", struct stats_view, without, 0, 0, 0,
              "without a certificate in force"),
    FIELD_STRING("online_percent", struct stats_view, online_pc, 0, "of devices"),
    FIELD_STRING("offline_percent", struct stats_view, offline_pc, 0, "of devices"),
    FIELD_STRING("no_certificate_percent", struct stats_view, without_pc, 0, "of devices"),
    FIELD_INT("active_certificates", struct stats_view, active, 0, 0, 0,
              "in force: not ended, superseded, held or revoked"),
    FIELD_INT("issued_7d", struct stats_view, issued_7d, 0, 0, 0, "in the last 7 days"),
    FIELD_INT("revoked_7d", struct stats_view, revoked_7d, 0, 0, 0, "in the last 7 days"),
    FIELD_INT("expiring_48h", struct stats_view, ends_48h, 0, 0, 0,
              "active, end within 48 hours; cumulative with the next two"),
    FIELD_INT("expiring_7d", struct stats_view, ends_7d, 0, 0, 0, "within 7 days"),
    FIELD_INT("expiring_14d", struct stats_view, ends_14d, 0, 0, 0, "within 14 days"),
    FIELD_ARRAY("templates", struct stats_view, templates, n_templates, 0, template_fields,
                "issued by profile"),
    FIELD_ARRAY("weeks", struct stats_view, weeks, n_weeks, 0, week_fields,
                "by ISO week, oldest first; the last one is under way"),
};
const struct view stats_view = {.fields = stats_fields, .n = KW_COUNT(stats_fields)};

/* One decimal; the three add up to 100.0 but for rounding. */
static void percent(uint64_t n, uint64_t of, char text[16])
{
    uint64_t tenths = of > 0 ? (n * 1000 + of / 2) / of : 0;

    (void)snprintf(text, 16, "%u.%u", (unsigned)(tenths / 10), (unsigned)(tenths % 10));
}

static void view_devices(const struct store_stats *stats, struct stats_view *ret)
{
    ret->online = stats->devices_online;
    ret->offline = stats->devices_offline;
    ret->without = stats->devices_without;
    ret->devices = ret->online + ret->offline + ret->without;
    percent(ret->online, ret->devices, ret->online_pc);
    percent(ret->offline, ret->devices, ret->offline_pc);
    percent(ret->without, ret->devices, ret->without_pc);
}

static void view(const struct store_stats *stats, struct stats_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->time_ms = stats->now_ms;
    view_devices(stats, ret);
    ret->active = stats->certs_active;
    ret->issued_7d = stats->issued_7d;
    ret->revoked_7d = stats->revoked_7d;
    ret->ends_48h = stats->ends_48h;
    ret->ends_7d = stats->ends_7d;
    ret->ends_14d = stats->ends_14d;
    for (unsigned i = 0; i < stats->n_profiles; i++) {
        struct template_view *one = &ret->templates[ret->n_templates++];
        KW_TEXT_SET(one->name, stats->profiles[i].name);
        one->issued = stats->profiles[i].issued;
        one->issued_7d = stats->profiles[i].issued_7d;
    }
    for (unsigned i = 0; i < STATS_WEEKS; i++) {
        struct week_view *week = &ret->weeks[ret->n_weeks++];
        (void)iso_week_text(stats->weeks[i].start_s, week->week);
        week->issued = stats->weeks[i].issued;
        week->revoked = stats->weeks[i].revoked;
    }
}

REST_HANDLER(rest_stats)
{
    struct store_stats stats;
    struct stats_view shown;
    uint64_t minutes = 0;

    TRY(op, rest_query_u64(op, request, "online_minutes", ONLINE_MINUTES, 525600, &minutes));
    TRY(op, figures_now(op, rest_service(ctx), (int64_t)minutes * 60000, &stats));
    view(&stats, &shown);
    return rest_answer(op, &stats_view, &shown, response);
}
