/*
 * Many agents in one process, as fast as they go: each is libkeywright, with a state folder, a
 * clock and a plan of its own.
 *
 *     LD_PRELOAD=warp.so WARP_CLOCK=FILE fleet SERVER TRUST UNITS FOLDER SEED DAYS HELLO_S
 *
 * UNITS: lines "id,secret". The time is moved by whoever writes FILE and then tells us, one line
 * each on standard input; each is answered by one line when it is done:
 *
 *     step UP DOWN   the time moved; since when the server is there (0: it is not), when it went
 *     judge          a last heartbeat of each agent, then a line of figures for each as JSON, then
 *                    "end"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"

enum { UNITS_MAX = 4096 };

static struct fleet fleet;
static struct agent *agents[UNITS_MAX];
static unsigned n_agents;

static int fail(const char *why)
{
    (void)fprintf(stderr, "fleet: %s\n", why);
    return EXIT_FAILURE;
}

static bool add(const char *line)
{
    struct agent *it = calloc(1, sizeof(*it));

    if (!it || n_agents == UNITS_MAX || sscanf(line, "%63[^,],%95[^\n]", it->id, it->secret) != 2) {
        free(it);
        return false;
    }
    it->fleet = &fleet;
    it->number = n_agents;
    agent_plan(it);
    agents[n_agents++] = it;
    return true;
}

static bool read_units(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "re");
    bool good = file != NULL;

    while (good && fgets(line, sizeof(line), file)) {
        good = add(line);
    }
    return file && fclose(file) == 0 && good && n_agents > 0;
}

static void put_agent(const struct agent *it, bool answers)
{
    (void)printf("{\"id\":\"%s\",\"answers\":%d,\"life\":%d,\"away\":%d,\"enrolments\":%u,"
                 "\"renewals\":%u,\"hellos\":%u,\"boots\":%u,\"kills\":%u,\"failures\":%u,"
                 "\"late\":%u,\"early\":%u,\"stranded\":%u,\"lead_s\":%" PRId64
                 ",\"lag_s\":%" PRId64 ",\"serial\":\"%s\",\"not_after\":%" PRId64 ",\"certs\":[",
                 it->id, answers, (int)it->life, it->away_s ? 1 + it->goes_off : 0, it->enrolments,
                 it->renewals, it->hellos, it->boots, it->kills, it->failures, it->late, it->early,
                 it->stranded, it->renewals ? it->lead_s : INT64_MAX, it->lag_s,
                 it->status.ldevid_serial, it->status.ldevid_not_after);
    for (unsigned i = 0; i < it->n_certs; i++) {
        (void)printf("%s\"%s\"", i ? "," : "", it->certs[i]);
    }
    (void)printf("]}\n");
}

static void judge(void)
{
    for (unsigned i = 0; i < n_agents; i++) {
        bool answers = agent_answers(agents[i]);
        put_agent(agents[i], answers);
        agent_stop(agents[i]);
    }
    (void)printf("end\n");
}

static void step(void)
{
    for (unsigned i = 0; i < n_agents; i++) {
        agent_step(agents[i]);
    }
    (void)printf("done\n");
}

static int obey(void)
{
    char line[128];

    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "step %" SCNd64 " %" SCNd64, &fleet.up_since_s, &fleet.down_since_s) ==
            2) {
            step();
        } else if (strncmp(line, "judge", 5) == 0) {
            judge();
        } else {
            return fail("neither step nor judge");
        }
        (void)fflush(stdout);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        return fail("SERVER TRUST UNITS FOLDER SEED DAYS HELLO_S");
    }
    fleet = (struct fleet){.server = argv[1],
                           .trust = argv[2],
                           .folder = argv[4],
                           .seed = strtoull(argv[5], NULL, 10),
                           .begin_s = world_s(),
                           .hello_s = strtoll(argv[7], NULL, 10)};
    fleet.end_s = fleet.begin_s + strtoll(argv[6], NULL, 10) * DAY_S;
    return read_units(argv[3]) ? obey() : fail("these units cannot be read");
}
