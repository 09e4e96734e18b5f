/* Verbs that keep in touch with the server. */
#include <malloc.h>
#include <signal.h>
#include <time.h>

#include "base/time.h"
#include "cmd/keywright-agent/agent.h"
#include "os/clock.h"
#include "os/rng.h"

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

enum keywright_result verb_hello(struct keywright *kw, const struct options *options)
{
    enum keywright_result result = keywright_hello_as(kw, options->with);

    if (result != KEYWRIGHT_OK) {
        return conclude("hello", kw, result);
    }
    (void)puts("hello: the server knows this device");
    return KEYWRIGHT_OK;
}

static void sleep_s(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

    (void)nanosleep(&t, NULL); /* a signal ends it early, as it should */
}

/* Up to a tenth more or less, so that a fleet does not come all at once. */
static int64_t spread(double seconds)
{
    uint16_t random = 0;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    (void)kw_ok(
        os_random(&op, &random, sizeof(random))); /* without it all come at once: so be it */
    return (int64_t)(seconds * 1000 * (0.9 + 0.2 * (double)random / 65536));
}

static void tell(const char *what, const char *why)
{
    char when[KW_TIME_TEXT];

    (void)printf("%s %s%s%s\n", kw_time_text_ms(os_clock_unix_ms(), when), what, why ? ": " : "",
                 why ? why : "");
    (void)fflush(stdout);
}

static bool hopeless(enum keywright_result result)
{
    return result == KEYWRIGHT_NO_IDENTITY || result == KEYWRIGHT_LOST;
}

/* One at a time; what is due and when, the library knows. */
struct loop {
    struct keywright *kw;
    double interval_s;
    int64_t hello_at_ms; /* monotonic clock */
};

static enum keywright_result renew_if_due(struct keywright *kw, const struct keywright_due *due)
{
    if (due->task != KEYWRIGHT_TASK_RENEW || due->in_ms > 0) {
        return KEYWRIGHT_OK;
    }
    enum keywright_result result = keywright_renew(kw, /* force= */ 0);
    tell(result == KEYWRIGHT_OK ? "renewed" : "renewal refused",
         result == KEYWRIGHT_OK ? NULL : keywright_error(kw));
    return result;
}

/* One that was ordered or begun and cut: it is ended, and its receipts are delivered. */
static void wipe_if_due(struct keywright *kw, const struct keywright_due *due)
{
    if (due->task == KEYWRIGHT_TASK_WIPE && due->in_ms <= 0) {
        enum keywright_result result = keywright_wipe(kw);
        tell(result == KEYWRIGHT_OK ? "wiped" : "the wipe goes on later",
             result == KEYWRIGHT_OK ? NULL : keywright_error(kw));
    }
}

static enum keywright_result hello_if_due(struct loop *loop)
{
    struct keywright_due due = {0};

    if (os_clock_mono_ms() < loop->hello_at_ms) {
        return KEYWRIGHT_OK;
    }
    enum keywright_result result = keywright_hello(loop->kw);
    tell(result == KEYWRIGHT_OK ? "hello" : "hello refused",
         result == KEYWRIGHT_OK ? NULL : keywright_error(loop->kw));
    int64_t wait_ms = spread(loop->interval_s);
    if (result != KEYWRIGHT_OK && keywright_due(loop->kw, &due) == KEYWRIGHT_OK) {
        wait_ms = due.hello_in_ms;
    }
    loop->hello_at_ms = os_clock_mono_ms() + wait_ms;
    return result;
}

/* Until the next hello, or until the renewal. */
static void rest(const struct loop *loop)
{
    struct keywright_due due = {0};
    int64_t wait_ms = loop->hello_at_ms - os_clock_mono_ms();

    if (keywright_due(loop->kw, &due) == KEYWRIGHT_OK && due.task == KEYWRIGHT_TASK_RENEW &&
        due.in_ms < wait_ms) {
        wait_ms = due.in_ms;
    }
    (void)malloc_trim(0); /* what a handshake took is the machine's again; 0: nothing was */
    sleep_s(wait_ms > 0 ? (double)wait_ms / 1000 : 0);
}

enum keywright_result verb_run(struct keywright *kw, const struct options *options)
{
    struct loop loop = {.kw = kw, .interval_s = options->interval_s};

    (void)signal(SIGTERM, stop);
    (void)signal(SIGINT, stop);
    while (!stopping) {
        struct keywright_due due = {0};
        (void)keywright_due(kw, &due); /* where it cannot tell, hello says why */
        wipe_if_due(kw, &due);
        if (due.task == KEYWRIGHT_TASK_WIPE) { /* it has no identity to greet with */
            sleep_s(due.in_ms > 0 ? (double)due.in_ms / 1000 : 0);
            continue;
        }
        enum keywright_result renewed = renew_if_due(kw, &due);
        enum keywright_result greeted = hopeless(renewed) ? renewed : hello_if_due(&loop);
        if (hopeless(greeted)) {
            return greeted;
        }
        rest(&loop);
    }
    return KEYWRIGHT_OK;
}
