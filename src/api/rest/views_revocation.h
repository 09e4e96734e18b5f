/* What the REST API shows of plans of revocation and of figures. */
#ifndef API_REST_VIEWS_REVOCATION_H
#define API_REST_VIEWS_REVOCATION_H

#include "api/rest/views.h"

enum { VIEW_SUMMARY = 64, VIEW_SAMPLES = 5, VIEW_PARTIES = 32, VIEW_READMIT = 100 };

struct plan_count_view {
    char kind[16], name[KW_NAME_MAX];
    uint64_t n;
};
struct plan_sample_view {
    char ca[KW_NAME_MAX], serial[2 * KW_SERIAL_MAX + 1], owner[KW_NAME_MAX], profile[KW_NAME_MAX],
        state[24];
};
struct plan_party_view {
    char party[KW_NAME_MAX];
    int64_t enforced_ms;
};
struct plan_view {
    uint64_t id;
    char state[16], reason[32], selection[512], digest[VIEW_HEX];
    bool replace_first, needs_approval;
    uint64_t certificates, done, passed_over, waiting, issued_since;
    int64_t created_ms, started_ms, ended_ms, deadline_ms;
    char created_by[KW_NAME_MAX], started_by[KW_NAME_MAX];
    unsigned n_counts, n_samples, n_parties;
    struct plan_count_view counts[VIEW_SUMMARY];
    struct plan_sample_view samples[VIEW_SAMPLES];
    struct plan_party_view parties[VIEW_PARTIES];
};
/* Of lists: without what only one plan shows. */
struct plan_line_view {
    uint64_t id;
    char state[16], reason[32], selection[512];
    uint64_t certificates, done;
    int64_t created_ms;
};
struct plan_line_page {
    unsigned n;
    struct plan_line_view at[VIEW_PAGE];
    char next[KW_NAME_MAX];
};
extern const struct view plan_view, plan_line_view, plan_line_page;

/* One piece of a readmission. */
struct readmit_left_view {
    char device[KW_NAME_MAX], why[80];
};
struct readmit_view {
    uint64_t readmitted, as_it_is, left, after;
    unsigned n_devices;
    struct readmit_left_view devices[VIEW_READMIT];
};
struct readmit_body {
    char reason[128];
    uint64_t after;
    bool dry_run;
};
extern const struct view readmit_view, readmit_body;

/* What a plan is asked for with; the command line encodes it, the server decodes it. */
struct plan_body {
    char serial[3 * KW_SERIAL_MAX + 4], device[KW_NAME_MAX], owner[KW_NAME_MAX], key[VIEW_HEX],
        ca[KW_NAME_MAX], profile[KW_NAME_MAX], product[KW_NAME_MAX], batch[KW_NAME_MAX],
        firmware[FIRMWARE_MAX], firmware_from[FIRMWARE_MAX], firmware_below[FIRMWARE_MAX],
        subject[256], reason[32];
    bool hold, replace_first, dry_run;
    uint32_t deadline_hours;
};
extern const struct view plan_body;

#endif
