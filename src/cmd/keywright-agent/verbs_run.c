/* Verbs that keep in touch with the server. */
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

/* Up to a quarter more or less, so that a fleet does not come all at once. */
static double jitter(double seconds)
{
    uint16_t random = 0;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    (void)kw_ok(
        os_random(&op, &random, sizeof(random))); /* without it there is no jitter, that is all */
    return seconds * (0.75 + (double)random / 131072);
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

static enum keywright_result once(struct keywright *kw)
{
    enum keywright_result result = keywright_renew(kw, /* force= */ 0);

    if (result != KEYWRIGHT_OK) {
        tell("renewal refused", keywright_error(kw));
    }
    result = keywright_hello(kw);
    tell(result == KEYWRIGHT_OK ? "hello" : "hello refused",
         result == KEYWRIGHT_OK ? NULL : keywright_error(kw));
    return result;
}

enum keywright_result verb_run(struct keywright *kw, const struct options *options)
{
    enum { BACK_OFF_MAX_S = 3600 };
    double wait_s = options->interval_s;

    (void)signal(SIGTERM, stop);
    (void)signal(SIGINT, stop);
    while (!stopping) {
        enum keywright_result result = once(kw);
        if (hopeless(result)) {
            return result;
        }
        wait_s = result == KEYWRIGHT_OK ? options->interval_s : wait_s * 2;
        wait_s = wait_s > BACK_OFF_MAX_S ? BACK_OFF_MAX_S : wait_s;
        sleep_s(result == KEYWRIGHT_OK ? options->interval_s : jitter(wait_s));
    }
    return KEYWRIGHT_OK;
}
