/* What the REST API shows of the dashboard's figures. */
#ifndef API_REST_VIEWS_STATS_H
#define API_REST_VIEWS_STATS_H

#include "api/rest/views.h"

struct template_view {
    char name[KW_NAME_MAX];
    uint64_t issued, issued_7d;
};
struct week_view {
    char week[32];
    uint64_t issued, revoked;
};
struct stats_view {
    int64_t time_ms;
    uint64_t devices, online, offline, without;
    char online_pc[16], offline_pc[16], without_pc[16];
    uint64_t active, issued_7d, revoked_7d, ends_48h, ends_7d, ends_14d;
    unsigned n_templates, n_weeks;
    struct template_view templates[32];
    struct week_view weeks[12];
};
extern const struct view stats_view;

#endif
