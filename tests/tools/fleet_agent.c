#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/api_internal.h"
#include "fleet.h"
#include "os/clock.h"
#include "os/files.h"

enum {
    BOOT_UP_S = 30, /* uptime at which an agent starts */
    AWAY_DAYS = 25,
    HOME_DAYS = 4,       /* before the end every agent is back */
    AGAIN_S = 60,        /* a service manager's pause behind a crash */
    GRACE_S = 18 * 3600, /* some steps */
    CUTS = 40            /* a renewal has about so many operations */
};

/* --- chance: the same for a seed, whatever the order -------------------------------------------
 */

enum decision { LIFE = 1, AWAY, AWAY_FROM, GOES_OFF, BIRTH, BEAT, KILL, CUT, POWER, REBOOT };

static uint64_t chance(const struct agent *it, enum decision what, unsigned n)
{
    uint64_t z = it->fleet->seed * 0x9e3779b97f4a7c15U + it->number * 0xd1342543de82ef95U +
                 (uint64_t)what * 0xaf251af3b0f025b5U + n;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static bool one_in(const struct agent *it, enum decision what, unsigned n)
{
    return chance(it, what, it->tries) % n == 0;
}

/* --- clocks ------------------------------------------------------------------------------------
 */

static const struct agent *acting; /* whose clock it is */
static unsigned long operations;   /* of the process that shall die */

int64_t __real_os_clock_mono_ms(void);
int64_t __real_os_clock_unix_ms(void);
int64_t __wrap_os_clock_mono_ms(void);
int64_t __wrap_os_clock_unix_ms(void);
int64_t __wrap_os_clock_unix_s(void);
int64_t __wrap_os_clock_up_s(void);
void __real_os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES]);
void __wrap_os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES]);

int64_t world_s(void)
{
    return __real_os_clock_unix_ms() / 1000;
}

static int64_t up_ms(void)
{
    return __real_os_clock_unix_ms() - (acting->boot_s - BOOT_UP_S) * 1000;
}

/* Never less than the machine's own: waits of the C library until such a time must not be over. */
int64_t __wrap_os_clock_mono_ms(void)
{
    return acting ? __real_os_clock_unix_ms() : __real_os_clock_mono_ms();
}
int64_t __wrap_os_clock_up_s(void)
{
    return acting ? up_ms() / 1000 : 0;
}
int64_t __wrap_os_clock_unix_ms(void)
{
    return acting ? (acting->clock_s - BOOT_UP_S) * 1000 + up_ms() : __real_os_clock_unix_ms();
}
int64_t __wrap_os_clock_unix_s(void)
{
    return __wrap_os_clock_unix_ms() / 1000;
}
void __wrap_os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES])
{
    __real_os_clock_boot_id(ret);
    if (acting) {
        memcpy(ret, &acting->boots, sizeof(acting->boots));
    }
}

static int64_t clock_at_start(const struct agent *it, int64_t now_s)
{
    static const int64_t odd[LIVES] = {[CLOCKLESS] = 5,
                                       [Y2038] = INT32_MAX + (int64_t)5,
                                       [Y2106] = UINT32_MAX + (int64_t)5,
                                       [STEPPED] = 5};

    return odd[it->life] ? odd[it->life] : now_s;
}

/* By NTP or by hand: how far it is from the right time then. */
static void step_clock(struct agent *it, int64_t now_s)
{
    static const int64_t off_s[] = {0, -3 * DAY_S, 0, 500LL * DAY_S, -20LL * 366 * DAY_S, 3600};
    unsigned epoch = (unsigned)((now_s - it->fleet->begin_s) / (7LL * DAY_S));

    if (it->life == STEPPED && epoch != it->epoch) {
        it->epoch = epoch;
        it->clock_s = it->boot_s + off_s[epoch % KW_COUNT(off_s)];
    }
}

/* --- cuts, and lines that are down -------------------------------------------------------------
 */

static bool is_away(const struct agent *it, int64_t now_s)
{
    return it->away_s && now_s >= it->away_s && now_s < it->back_s;
}

static void point(void)
{
    operations++;
    if (acting && operations == acting->cut) {
        (void)kill(getpid(), SIGKILL);
    }
}

#define CUT_AT(type, name, params, args)                                                           \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        point(); /* before */                                                                      \
        type ret_ = __real_##name args;                                                            \
        point(); /* after */                                                                       \
        return ret_;                                                                               \
    }
CUT_AT(kw_status, os_file_write,
       (struct kw_op * op, const char *path, mode_t mode, struct kw_span content),
       (op, path, mode, content))
CUT_AT(kw_status, os_file_remove, (struct kw_op * op, const char *path), (op, path))
CUT_AT(kw_status, rot_key_generate,
       (struct kw_op * op, struct rot *rot, const char *label, enum key_alg alg,
        struct rot_key **ret),
       (op, rot, label, alg, ret))
CUT_AT(kw_status, rot_key_destroy,
       (struct kw_op * op, struct rot *rot, const char *label, char *ret_proof, size_t cap),
       (op, rot, label, ret_proof, cap))

kw_status __real_http_client_call(struct kw_op *op, struct http_client *client,
                                  const struct http_call *call, struct http_answer *ret);
kw_status __wrap_http_client_call(struct kw_op *op, struct http_client *client,
                                  const struct http_call *call, struct http_answer *ret);
kw_status __wrap_http_client_call(struct kw_op *op, struct http_client *client,
                                  const struct http_call *call, struct http_answer *ret)
{
    ENSURE(op, !acting || !is_away(acting, world_s()), KW_E_UNAVAILABLE, "there is no line");
    point();
    kw_status status = __real_http_client_call(op, client, call, ret);
    point(); /* the server has done it, and nobody heard */
    return status;
}

/* --- a life ------------------------------------------------------------------------------------
 */

void agent_plan(struct agent *it)
{
    const struct fleet *fleet = it->fleet;
    int64_t free_s = fleet->end_s - fleet->begin_s - (AWAY_DAYS + HOME_DAYS + 2) * (int64_t)DAY_S;

    it->life = (enum life)(chance(it, LIFE, 0) % LIVES);
    it->wake_s = fleet->begin_s + (int64_t)(chance(it, BIRTH, 0) % DAY_S);
    it->lead_s = INT64_MAX;
    (void)snprintf(it->dir, sizeof(it->dir), "%s/%u", fleet->folder, it->number);
    (void)snprintf(it->rot, sizeof(it->rot), "soft:dir=%s/keys", it->dir);
    if (free_s > 0 && chance(it, AWAY, 0) % 3 == 0) {
        it->goes_off = chance(it, GOES_OFF, 0) % 2 == 0;
        it->away_s =
            fleet->begin_s + 2LL * DAY_S + (int64_t)(chance(it, AWAY_FROM, 0) % (uint64_t)free_s);
        it->back_s = it->away_s + AWAY_DAYS * (int64_t)DAY_S;
    }
}

static void complain(struct agent *it, const char *what)
{
    if (is_away(it, world_s())) { /* as planned */
        return;
    }
    it->failures++;
    (void)fprintf(stderr, "%s day %.2f life %d: %s: %s\n", it->id,
                  (double)(world_s() - it->fleet->begin_s) / DAY_S, (int)it->life, what,
                  keywright_error(it->kw));
}

static void boot(struct agent *it, int64_t now_s)
{
    it->boot_s = now_s;
    it->clock_s = clock_at_start(it, now_s);
    it->boots++;
}

static bool start(struct agent *it)
{
    struct keywright_config config = {.state_dir = it->dir,
                                      .server = it->fleet->server,
                                      .device_id = it->id,
                                      .trust_file = it->fleet->trust,
                                      .root_of_trust = it->rot,
                                      .timeout_ms = 30000};

    it->hello_s = 0; /* as `keywright-agent run` begins */
    if (keywright_open(&config, &it->kw) != KEYWRIGHT_OK) {
        complain(it, "open");
        agent_stop(it);
    }
    return it->kw != NULL;
}

void agent_stop(struct agent *it)
{
    keywright_close(it->kw);
    it->kw = NULL;
}

/* A connection does not outlive hours without a word; and a child may not share it. */
static void hang_up(struct agent *it)
{
    if (it->kw) {
        server_hang_up(&it->kw->device);
    }
}

static void do_task(struct agent *it, enum keywright_task task)
{
    enum keywright_result result = task == KEYWRIGHT_TASK_ENROL
                                       ? keywright_enrol(it->kw, it->secret)
                                       : keywright_renew(it->kw, /* force= */ 0);

    if (result != KEYWRIGHT_OK) {
        complain(it, task == KEYWRIGHT_TASK_ENROL ? "enrol" : "renew");
    }
}

/* The task in a process that dies in the midst of it; after that the agent is started again, by
 * its service manager or with the whole machine. */
static void do_and_die(struct agent *it, enum keywright_task task, int64_t now_s)
{
    int status = 0;

    agent_stop(it); /* secrets do not live in a child: it opens its own */
    pid_t pid = fork();
    if (pid == 0) {
        operations = 0;
        if (start(it)) {
            it->cut = 1 + operations + chance(it, CUT, it->tries) % CUTS;
            do_task(it, task);
        }
        _exit(EXIT_SUCCESS); /* it had fewer operations */
    }
    bool ended = pid > 0 && waitpid(pid, &status, 0) == pid;
    bool killed = ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(ended && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)) {
        abort(); /* the simulator's fault, or the library's */
    }
    it->kills += killed;
    if (one_in(it, POWER, 2)) {
        boot(it, now_s);
    }
}

static void say_hello(struct agent *it, int64_t now_s)
{
    int64_t every_s = it->fleet->hello_s;
    struct keywright_due due = {0};

    it->hello_s =
        now_s + every_s * 9 / 10 + (int64_t)(chance(it, BEAT, it->tries) % (uint64_t)(every_s / 5));
    if (keywright_hello(it->kw) == KEYWRIGHT_OK) {
        it->hellos++;
        return;
    }
    complain(it, "hello");
    if (keywright_due(it->kw, &due) == KEYWRIGHT_OK) {
        it->hello_s = now_s + due.hello_in_ms / 1000;
    }
}

/* One round of `keywright-agent run`. False: the process is gone. */
static bool act(struct agent *it, int64_t now_s)
{
    struct keywright_due due = {0};

    if (keywright_due(it->kw, &due) != KEYWRIGHT_OK) {
        complain(it, "due");
    }
    if (due.task != KEYWRIGHT_TASK_NONE && due.in_ms == 0) {
        it->tries++;
        if (one_in(it, KILL, 8)) {
            do_and_die(it, due.task, now_s);
            return false;
        }
        do_task(it, due.task);
    }
    (void)keywright_get_status(it->kw, &it->status);
    if (now_s >= it->hello_s && it->status.has_ldevid) {
        it->tries++;
        say_hello(it, now_s);
    }
    return true;
}

static void rest(struct agent *it, int64_t now_s)
{
    struct keywright_due due = {0};
    int64_t task_s = INT64_MAX;

    if (keywright_due(it->kw, &due) == KEYWRIGHT_OK && due.task != KEYWRIGHT_TASK_NONE) {
        task_s = now_s + (due.in_ms + 999) / 1000;
    }
    int64_t hello_s = it->status.has_ldevid ? it->hello_s : INT64_MAX;
    it->wake_s = task_s < hello_s ? task_s : hello_s;
}

/* --- judging: by the world's time --------------------------------------------------------------
 */

/* It could not have come earlier: its plan, or the server's, kept it away when that ended. */
static bool excused(const struct agent *it, int64_t at_s)
{
    const struct fleet *fleet = it->fleet;

    return (it->away_s && at_s >= it->away_s && at_s < it->back_s + GRACE_S) ||
           fleet->up_since_s == 0 ||
           (fleet->down_since_s && at_s >= fleet->down_since_s &&
            at_s < fleet->up_since_s + GRACE_S);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void note_renewal(struct agent *it, const struct keywright_status *before, int64_t now_s)
{
    const struct fleet *fleet = it->fleet;
    int64_t lead_s = before->ldevid_not_after - now_s;
    int64_t could_s =
        later(before->renew_at, later(it->back_s < now_s ? it->back_s : 0, fleet->up_since_s));

    it->renewals++;
    it->early += now_s < before->renew_at - GRACE_S;
    it->lag_s = later(it->lag_s, now_s - could_s);
    if (!excused(it, before->ldevid_not_after)) {
        it->late += lead_s < 0;
        it->lead_s = lead_s < it->lead_s ? lead_s : it->lead_s;
    }
}

static void note_cert(struct agent *it, const struct keywright_status *before, int64_t now_s)
{
    if (strcmp(before->ldevid_sha256, it->status.ldevid_sha256) == 0) {
        return;
    }
    if (it->n_certs < AGENT_CERTS) {
        memcpy(it->certs[it->n_certs++], it->status.ldevid_sha256, sizeof(it->certs[0]));
    }
    if (before->has_ldevid) {
        note_renewal(it, before, now_s);
    } else {
        it->enrolments++;
    }
}

static bool in_force(const struct agent *it, int64_t now_s)
{
    return it->status.has_ldevid && it->status.ldevid_not_after >= now_s;
}

/* Hours after line, server and machine are there it has what it needs, or it is stranded. */
static void judge(struct agent *it, int64_t now_s)
{
    const struct fleet *fleet = it->fleet;
    int64_t since_s = later(later(fleet->up_since_s, it->back_s < now_s ? it->back_s : 0),
                            fleet->begin_s + DAY_S);
    bool there = fleet->up_since_s && !is_away(it, now_s);

    if (there && now_s > since_s + GRACE_S && !in_force(it, now_s)) {
        it->stranded++;
    }
}

/* --- steps -------------------------------------------------------------------------------------
 */

static bool wakes(struct agent *it, int64_t now_s)
{
    if (it->goes_off && is_away(it, now_s)) {
        agent_stop(it);
        it->wake_s = it->back_s;
    }
    if (now_s < it->wake_s) {
        return false;
    }
    it->tries++;
    bool reboots = it->kw && one_in(it, REBOOT, it->life == CLOCKLESS ? 8 : 40);
    if (reboots) {
        agent_stop(it);
    }
    if (!it->boots || reboots || (it->goes_off && now_s >= it->back_s && it->boot_s < it->back_s)) {
        boot(it, now_s);
    }
    return true;
}

static void live(struct agent *it, int64_t now_s)
{
    struct keywright_status before = it->status;

    it->wake_s = now_s + AGAIN_S;
    if ((it->kw || start(it)) && act(it, now_s)) {
        rest(it, now_s);
    }
    if (it->kw) {
        (void)keywright_get_status(it->kw, &it->status);
        note_cert(it, &before, now_s);
    }
    hang_up(it);
}

void agent_step(struct agent *it)
{
    int64_t now_s = world_s();

    acting = it;
    if (wakes(it, now_s)) {
        step_clock(it, now_s);
        live(it, now_s);
    }
    acting = NULL;
    judge(it, now_s);
}

/* What a cut left is finished first: no plan kills it any more. */
static void finish(struct agent *it)
{
    struct keywright_due due = {0};

    if (keywright_due(it->kw, &due) == KEYWRIGHT_OK && due.in_ms == 0 &&
        due.task != KEYWRIGHT_TASK_NONE) {
        do_task(it, due.task);
    }
}

bool agent_answers(struct agent *it)
{
    int64_t now_s = world_s();
    struct keywright_status before = it->status;
    bool good = false;

    acting = it;
    if (it->kw || start(it)) {
        finish(it);
        good = keywright_hello(it->kw) == KEYWRIGHT_OK &&
               keywright_get_status(it->kw, &it->status) == KEYWRIGHT_OK && in_force(it, now_s);
        note_cert(it, &before, now_s);
    }
    if (!good && it->kw) {
        complain(it, "at the end");
    }
    acting = NULL;
    return good;
}
