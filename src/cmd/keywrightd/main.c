/*
 * keywrightd: the gate. Serves devices (8443), operators (9443) and relying parties (8080).
 *
 * Promises of this process: it holds no private key (the keeper does), writes below its state
 * folder only, listens on the three configured addresses, and starts one program, the keeper,
 * before it gives its privileges up.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/time.h"
#include "cmd/keywrightd/confine.h"
#include "cmd/keywrightd/listeners.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/sandbox.h"
#include "service/doctor/doctor.h"
#include "service/log/gap.h"
#include "service/log/log.h"

enum { EXIT_USAGE = 2, START_DEADLINE_MS = 60000 };

struct options {
    const char *state;
    const char *keeper;
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, 's'},
    {"keeper", required_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {0},
};

static const char usage[] =
    "usage: keywrightd --state DIR [--keeper PROGRAM]\n"
    "Serves the state folder that 'keywright init' made, until SIGTERM.\n"
    "  --state DIR       state folder\n"
    "  --keeper PROGRAM  keywright-keeper; beside this program where absent\n";

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
    for (int c = 0; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (c) {
        case 's':
            options->state = optarg;
            break;
        case 'k':
            options->keeper = optarg;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return EXIT_SUCCESS;
        case 'v':
            (void)puts("keywrightd " KW_VERSION);
            return EXIT_SUCCESS;
        default:
            (void)fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (!options->state || optind != argc) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static void log_line(const char *what, const struct kw_op *op)
{
    char when[KW_TIME_TEXT], why[1024];

    (void)fprintf(stderr, "%s keywrightd: %s%s%s\n", kw_time_text_ms(os_clock_unix_ms(), when),
                  what, op ? ": " : "", op ? kw_op_message(op, why, sizeof(why)) : "");
}

static kw_status write_pid(struct kw_op *op, const struct config *config)
{
    char path[KW_PATH_BYTES], text[24];

    TRY(op, config_path(op, config, "run", path, sizeof(path)));
    TRY(op, os_dir_make(op, path, 0755));
    TRY(op, config_path(op, config, "run/keywrightd.pid", path, sizeof(path)));
    (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
    return os_file_write(op, path, 0644, kw_span_text(text));
}

static kw_status record(struct kw_op *op, struct service *service, enum event_type type)
{
    struct event event = {.type = type, .detail = "keywrightd " KW_VERSION};

    if (atomic_load(&service->gap.open)) {
        return KW_OK; /* the log waits to be made whole */
    }
    return service_record_alone(op, service, &event);
}

/* Background work first (it makes the first CRLs), then the doors open. */
static kw_status start(struct kw_op *op, struct service *service, struct api *api,
                       struct listeners **ret)
{
    AUTO(listeners) *listeners = NULL;

    TRY(op, record(op, service, EVENT_SYSTEM_START), "recording the start");
    TRY(op, service_start(op, service));
    TRY(op, listeners_open(op, api, &listeners));
    TRY(op, os_sandbox_drop(op, *service->config.user ? service->config.user : NULL));
    TRY(op, confine_calls(op)); /* before the first connection */
    TRY(op, listeners_start(op, listeners));
    TRY(op, write_pid(op, &service->config));
    *ret = TAKE(listeners);
    return KW_OK;
}

static void warn_of_end(struct service *service)
{
    enum { WARN_DAYS = 30, DAY_S = 86400 };
    char text[128], when[KW_TIME_TEXT];
    int64_t end_s = atomic_load(&service->own_certs_end_s);

    if (end_s - service_now_ms() / 1000 < WARN_DAYS * DAY_S) {
        (void)snprintf(text, sizeof(text), "warning: a certificate of this server ends at %s",
                       kw_time_text(end_s, when));
        log_line(text, NULL);
    }
}

static void warn_of_gap(const struct service *service)
{
    char text[KW_OP_TEXT_MAX];

    if (*log_gap_text(service, text, sizeof(text))) {
        log_line(text, NULL);
    }
}

static kw_status tell_fault(struct kw_op *op, void *ctx, const struct finding *finding)
{
    char text[512];

    (void)op; /* cannot fail */
    (void)ctx;
    if (finding->level == FINDING_FAULT) {
        (void)snprintf(text, sizeof(text), "fault: profile '%.60s': %.400s", finding->object,
                       finding->text);
        log_line(text, NULL);
    }
    return KW_OK;
}

/* An edited file counts from this start on; who asks by it would only hear "denied". */
static void warn_of_profiles(struct kw_op *op, struct service *service)
{
    if (!kw_ok(profiles_look(op, service, tell_fault, NULL))) {
        log_line("the profiles cannot be looked at", op);
        kw_op_clear(op);
    }
}

static kw_status tell_confinement(struct kw_op *op, struct service *service)
{
    struct keeper_info keeper;
    char text[320];

    TRY(op, keeper_info(op, service->keeper, &keeper));
    log_line(confine_text(&keeper, text, sizeof(text)), NULL);
    return KW_OK;
}

static kw_status serve(struct kw_op *op, struct service *service, const sigset_t *stop)
{
    struct api api = {.service = service, .started_ms = service_now_ms()};
    AUTO(listeners) *listeners = NULL;
    int signal = 0;

    TRY(op, start(op, service, &api, &listeners));
    listeners_print(listeners, stderr);
    warn_of_end(service);
    warn_of_gap(service);
    warn_of_profiles(op, service);
    TRY(op, tell_confinement(op, service));
    log_line("serving", NULL);
    (void)sigwait(stop, &signal); /* fails only for a bad set, which is ours */
    log_line("stopping", NULL);
    log_hurry(service);
    listeners_free(TAKE(listeners));
    kw_op_init(op, "system", os_clock_mono_ms() + START_DEADLINE_MS);
    return record(op, service, EVENT_SYSTEM_STOP);
}

/* The start waits for it. */
static kw_status tell_sealed(struct kw_op *op, const char *name, const char *folder,
                             const char *unlock, void *ctx)
{
    char text[160];

    (void)op; /* cannot fail */
    (void)folder;
    (void)unlock;
    (void)ctx;
    (void)snprintf(text, sizeof(text),
                   "vault '%.40s' is sealed: waiting for 'keywright vault open %.40s'", name, name);
    log_line(text, NULL);
    return KW_OK;
}

/* Likewise. */
static void tell_doubt(const char *name, int64_t clock_off_s)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "vault '%.40s' doubts this machine's clock, %lld s %s: waiting until it is "
                   "right, or for 'keywright vault clock %.40s'",
                   name, (long long)(clock_off_s > 0 ? clock_off_s : -clock_off_s),
                   clock_off_s > 0 ? "later than it can be" : "behind a time that was here", name);
    log_line(text, NULL);
}

static kw_status run(struct kw_op *op, const struct options *options, const sigset_t *stop)
{
    char keeper[KEEPER_PROGRAM_MAX];
    struct keeper_config config = {.program = keeper, .sealed = tell_sealed, .doubted = tell_doubt};
    AUTO(os_spawner) *spawner = NULL; /* freed after the service, which uses it */
    AUTO(service) *service = NULL;

    TRY(op, os_sandbox_harden(op), "hardening this process");
    TRY(op, keeper_program_find(op, options->keeper, keeper));
    TRY(op, service_spawner_new(op, options->state, &config), "opening %s", options->state);
    spawner = config.spawner;
    TRY(op, confine_files(op, options->state));
    TRY(op, service_open(op, options->state, &config, &service), "opening %s", options->state);
    service->complain = log_line;
    return serve(op, service, stop);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct kw_op op;
    sigset_t stop;

    int done = parse_options(argc, argv, &options);
    if (done >= 0) {
        return done;
    }
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &stop,
                          NULL); /* before any thread: all inherit it, sigwait() gets them */
    (void)signal(SIGPIPE, SIG_IGN);
    kw_op_init(&op, "system", os_clock_mono_ms() + START_DEADLINE_MS);
    if (!kw_ok(run(&op, &options, &stop))) {
        log_line("ended", &op);
        return EXIT_FAILURE;
    }
    log_line("ended", NULL);
    return EXIT_SUCCESS;
}
