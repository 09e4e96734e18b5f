/*
 * Weeks in minutes: so many agents, each with a clock of its own, against one gate, under a clock
 * that this program moves. The agents are libkeywright itself; the gate is the tests' (gate.c).
 *
 *     test_warp AGENTS DAYS
 *
 * Lives: a right clock; none (1970 at each start); 2038; 2106; one that NTP sets forward and that
 * somebody sets back; 25 days without a line; the same, switched off.
 * Ends with status 1 where one was stranded (its line is up and it has no certificate in force), or
 * renewed late (later than two steps behind what was due, while the line was up).
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <keywright/keywright.h>

#include "gate.h"
#include "os/clock.h"
#include "os/files.h"

enum {
    STEP_S = 6 * 3600,
    DAY_S = 86400,
    LIFE_HOURS = 24 * 24, /* 24 days: shorter than the time without a line */
    AWAY_DAYS = 25,
    BOOT_UP_S = 30, /* uptime at which an agent starts */
    START_FLOOR_S = 60
};

enum life { RIGHT, CLOCKLESS, Y2038, Y2106, STEPPED, OFFLINE, OFF, LIVES };
static const char *const life_names[] = {
    "a right clock",   "1970 at each start",  "2038", "2106", "NTP steps",
    "25 days offline", "25 days switched off"};

struct agent {
    struct keywright *kw;
    enum life life;
    char dir[96], rot[128];
    int64_t boot_s;  /* world's time of its last start */
    int64_t clock_s; /* what its clock showed then */
    int64_t away_s;  /* world's time at which its line, or it, goes; 0 = never */
    int64_t online_since_s;
    unsigned renewals, late, stranded, failures;
    char ldevid[65];
};

/* --- clocks ----------------------------------------------------------------------------------- */

static _Atomic int64_t *world_s;   /* shared with the gate */
static const struct agent *acting; /* whose clock it is; NULL in the gate */

int64_t __real_os_clock_mono_ms(void);
int64_t __wrap_os_clock_mono_ms(void);
int64_t __wrap_os_clock_unix_ms(void);
int64_t __wrap_os_clock_unix_s(void);
int64_t __wrap_os_clock_up_s(void);

int64_t __wrap_os_clock_up_s(void)
{
    return acting ? atomic_load(world_s) - acting->boot_s + BOOT_UP_S : 0;
}
int64_t __wrap_os_clock_unix_s(void)
{
    return acting ? acting->clock_s + __wrap_os_clock_up_s() - BOOT_UP_S : atomic_load(world_s);
}
int64_t __wrap_os_clock_unix_ms(void)
{
    return __wrap_os_clock_unix_s() * 1000;
}
int64_t __wrap_os_clock_mono_ms(void)
{
    return acting ? __wrap_os_clock_up_s() * 1000 : __real_os_clock_mono_ms();
}

/* --- one agent -------------------------------------------------------------------------------- */

static struct gate *gate;
static char base[64], server[64];
static int64_t begin_s;

static int64_t clock_at_start(const struct agent *it, int64_t now_s)
{
    static const int64_t odd[LIVES] = {[CLOCKLESS] = 5,
                                       [Y2038] = INT32_MAX + (int64_t)5,
                                       [Y2106] = UINT32_MAX + (int64_t)5,
                                       [STEPPED] = 5};

    return odd[it->life] ? odd[it->life] : now_s;
}

static void start(struct agent *it)
{
    int64_t now_s = atomic_load(world_s);
    struct keywright_config config = {.state_dir = it->dir,
                                      .server = server,
                                      .device_id = GATE_DEVICE,
                                      .trust_file = gate->trust,
                                      .root_of_trust = it->rot,
                                      .timeout_ms = 20000};

    it->boot_s = now_s;
    it->clock_s = clock_at_start(it, now_s);
    acting = it;
    if (keywright_open(&config, &it->kw) != KEYWRIGHT_OK) {
        (void)fprintf(stderr, "%s: %s\n", it->dir, keywright_error(it->kw));
        exit(EXIT_FAILURE);
    }
    acting = NULL;
}

static void stop(struct agent *it)
{
    keywright_close(it->kw);
    it->kw = NULL;
}

static bool is_away(const struct agent *it, int64_t now_s)
{
    return it->away_s && now_s >= it->away_s && now_s < it->away_s + (int64_t)AWAY_DAYS * DAY_S;
}

static void tell(struct agent *it, const char *what)
{
    it->failures++;
    if (it->failures <= 3) {
        (void)printf("# %s, day %.1f: %s: %s\n", life_names[it->life],
                     (double)(atomic_load(world_s) - begin_s) / DAY_S, what,
                     keywright_error(it->kw));
    }
}

/* What a loop of a program does: what is due, and now and then a hello. */
static void live(struct agent *it, bool hello)
{
    struct keywright_due due = {0};

    for (unsigned i = 0; i < 3; i++) {
        if (keywright_due(it->kw, &due) != KEYWRIGHT_OK || due.in_ms > 0) {
            break;
        }
        bool enrol = due.task == KEYWRIGHT_TASK_ENROL;
        enum keywright_result result =
            enrol ? keywright_enrol(it->kw, GATE_SECRET) : keywright_renew(it->kw, /* force= */ 0);
        if (result != KEYWRIGHT_OK) {
            tell(it, enrol ? "enrol" : "renew");
        }
    }
    if (hello && keywright_hello(it->kw) != KEYWRIGHT_OK) {
        tell(it, "hello");
    }
}

/* By the world's time, and by what it held before this step. */
static void judge(struct agent *it, const struct keywright_status *before, int64_t now_s)
{
    struct keywright_status after = {0};

    (void)keywright_get_status(it->kw, &after);
    bool renewed = *it->ldevid && strcmp(it->ldevid, after.ldevid_sha256) != 0;
    it->renewals += renewed;
    if (renewed && before->has_ldevid) {
        int64_t due_s =
            before->renew_at > it->online_since_s ? before->renew_at : it->online_since_s;
        it->late += now_s > due_s + 2 * STEP_S;
    }
    it->stranded += !after.has_ldevid || after.ldevid_not_after < now_s;
    memcpy(it->ldevid, after.ldevid_sha256, sizeof(it->ldevid));
}

static void step_agent(struct agent *it, int64_t now_s, unsigned number, unsigned n_step)
{
    struct keywright_status before = {0};

    if (is_away(it, now_s)) {
        it->online_since_s = 0;
        if (it->life == OFF && it->kw) {
            stop(it);
        }
        return;
    }
    it->online_since_s = it->online_since_s ? it->online_since_s : now_s;
    bool started = !it->kw;
    if (started) {
        start(it);
    }
    if (it->life == STEPPED && (n_step == 20 || n_step == 90)) { /* right; then three days back */
        it->clock_s = it->boot_s - (n_step == 20 ? 0 : 3 * DAY_S);
    }
    acting = it;
    (void)keywright_get_status(it->kw, &before);
    live(it, started || (n_step + number) % 8 == 0); /* as keywright-agent run does */
    judge(it, &before, now_s);
    acting = NULL;
    if (it->life == CLOCKLESS && (n_step + number) % 28 == 27) { /* switched off and on */
        stop(it);
    }
}

/* --- all -------------------------------------------------------------------------------------- */

static void set_up(struct agent *it, unsigned number)
{
    it->life = (enum life)(number % LIVES);
    (void)snprintf(it->dir, sizeof(it->dir), "%s/%u", base, number);
    (void)snprintf(it->rot, sizeof(it->rot), "soft:dir=%s/keys", it->dir);
    bool goes = it->life == OFFLINE || it->life == OFF;
    it->away_s = goes ? begin_s + (int64_t)(5 + number % 7) * DAY_S : 0;
}

static int sum_up(const struct agent *agents, unsigned n, unsigned days)
{
    unsigned renewals = 0, late = 0, stranded = 0;

    for (unsigned i = 0; i < n; i++) {
        renewals += agents[i].renewals;
        late += agents[i].late > 0;
        stranded += agents[i].stranded > 0;
        if (agents[i].late || agents[i].stranded || agents[i].renewals == 0) {
            (void)printf("# agent %u (%s): %u renewals, %u late, stranded at %u steps\n", i,
                         life_names[agents[i].life], agents[i].renewals, agents[i].late,
                         agents[i].stranded);
        }
    }
    (void)printf("%u agents, %u days: %u renewals, %u signed times; stranded: %u, renewed late: "
                 "%u\n",
                 n, days, renewals, atomic_load(&gate->n_times), stranded, late);
    return stranded || late || renewals < n ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int simulate(unsigned n, unsigned days)
{
    struct agent *agents = calloc(n, sizeof(*agents));
    unsigned steps = days * (DAY_S / STEP_S);

    if (!agents) {
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < n; i++) {
        set_up(&agents[i], i);
    }
    for (unsigned s = 0; s < steps; s++) {
        int64_t now_s = begin_s + (int64_t)s * STEP_S;
        atomic_store(world_s, now_s);
        for (unsigned i = 0; i < n; i++) {
            step_agent(&agents[i], now_s, i, s);
        }
    }
    int result = sum_up(agents, n, days);
    for (unsigned i = 0; i < n; i++) {
        if (agents[i].kw) {
            stop(&agents[i]);
        }
    }
    free(agents);
    return result;
}

/* Each agent keeps a connection, and the gate its other end. */
static void take_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* where it may not: fewer agents go */
    }
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : LIVES;
    unsigned days = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 60;
    struct kw_op op;

    world_s =
        mmap(NULL, sizeof(*world_s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)snprintf(base, sizeof(base), "/tmp/keywright-warp-XXXXXX");
    if (world_s == MAP_FAILED || !mkdtemp(base)) {
        return EXIT_FAILURE;
    }
    begin_s = (int64_t)time(NULL) + START_FLOOR_S;
    atomic_store(world_s, begin_s);
    take_descriptors();
    gate_hours = (int64_t)24 * (days + 400);
    gate = gate_start(base);
    atomic_store(&gate->leaf_hours, LIFE_HOURS);
    (void)snprintf(server, sizeof(server), "https://127.0.0.1:%u", gate->port);
    int result = simulate(n, days);
    gate_stop(gate);
    kw_op_init(&op, NULL, 0);
    (void)kw_ok(os_tree_remove(&op, base));
    return result;
}
