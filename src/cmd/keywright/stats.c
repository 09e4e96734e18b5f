/* The dashboard's figures on a terminal. */
#include <inttypes.h>
#include <stdio.h>

#include "api/rest/views_stats.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"

enum { BAR = 40 };

static uint64_t most(const struct stats_view *stats)
{
    uint64_t max = 1;

    for (unsigned i = 0; i < stats->n_weeks; i++) {
        max = stats->weeks[i].issued > max ? stats->weeks[i].issued : max;
        max = stats->weeks[i].revoked > max ? stats->weeks[i].revoked : max;
    }
    return max;
}

static void print_bar(const char *label, uint64_t n, uint64_t max)
{
    static const char bar[] = "########################################";

    (void)printf("  %-9s %-8s %10" PRIu64 "  %.*s\n", label, "", n,
                 (int)((n * BAR + max - 1) / max), bar);
}

static void print_weeks(const struct stats_view *stats)
{
    uint64_t max = most(stats);

    (void)printf("\nCertificate issue (weekly)\n");
    for (unsigned i = 0; i < stats->n_weeks; i++) {
        print_bar(stats->weeks[i].week, stats->weeks[i].issued, max);
    }
    (void)printf("\nCertificate revoke (weekly)\n");
    for (unsigned i = 0; i < stats->n_weeks; i++) {
        print_bar(stats->weeks[i].week, stats->weeks[i].revoked, max);
    }
}

static void print(const struct stats_view *s)
{
    (void)printf("Device status       %10" PRIu64 "\n", s->devices);
    (void)printf("  Online            %10" PRIu64 "  %5s %%\n", s->online, s->online_pc);
    (void)printf("  Offline           %10" PRIu64 "  %5s %%\n", s->offline, s->offline_pc);
    (void)printf("  No Certificate    %10" PRIu64 "  %5s %%\n", s->without, s->without_pc);
    (void)printf("\nCertificate status\n");
    (void)printf("  Active                   %10" PRIu64 "\n", s->active);
    (void)printf("  Issued in last 7 days    %10" PRIu64 "\n", s->issued_7d);
    (void)printf("  Revoked in last 7 days   %10" PRIu64 "\n", s->revoked_7d);
    (void)printf("  Expiring in 48 hours     %10" PRIu64 "\n", s->ends_48h);
    (void)printf("  Expiring in 7 days       %10" PRIu64 "  (with those above)\n", s->ends_7d);
    (void)printf("  Expiring in 14 days      %10" PRIu64 "  (with those above)\n", s->ends_14d);
    (void)printf("\nCertificate template issue        all   last 7 days\n");
    for (unsigned i = 0; i < s->n_templates; i++) {
        (void)printf("  %-24s %10" PRIu64 "    %10" PRIu64 "\n", s->templates[i].name,
                     s->templates[i].issued, s->templates[i].issued_7d);
    }
    print_weeks(s);
}

kw_status cli_stats(struct kw_op *op, struct cli *cli)
{
    struct stats_view stats = {0};
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_get(op, cli, "/api/v1/stats", &json));
    if (cli->options[OPT_JSON]) {
        return cli_show(op, cli, &stats_view, kw_bytes_span(json));
    }
    TRY(op, codec_json_decode(op, kw_bytes_span(json), stats_view.fields, stats_view.n, &stats));
    print(&stats);
    return KW_OK;
}
