/* Starting the keeper, and starting it anew: one thread per keeper does that and nothing else. */
#include "keeper/client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "keeper/command.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/spawn.h"

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_LAST_MS = 5000,
    STABLE_MS = 10000, /* one that ran so long starts the back-off anew */
    HELLO_MS = 30000,  /* scrypt, or a slow TPM */
    END_MS = 5000,     /* writes its state and ends */
    LOOK_MS = 2000,    /* between two looks whether it still answers */
    SILENT_MS = 10000, /* one that answered nothing so long hangs, in its HSM say */
};

struct keeper {
    atomic_uint refs;
    struct keeper_config config; /* own copies of the texts; program NULL: attached */
    pthread_mutex_t lock;        /* of channel */
    struct channel *channel;     /* NULL while there is none */
    struct channel *starting;    /* of a process that has not said hello; likewise under lock */
    pthread_t thread;            /* the supervisor, where one was started */
    bool supervised;
    int stop_fd; /* eventfd: readable once the keeper shall end */
    pid_t pid;   /* the supervisor's, after the start */
    atomic_uint restarts;
};

/* What the starter waits for; lives on its stack. */
struct start {
    struct keeper *keeper;
    struct kw_op *op;
    kw_status status;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void free_config(struct keeper_config *config)
{
    free((void *)(uintptr_t)config->program); /* made by copy_config() */
    free((void *)(uintptr_t)config->vault);
    free((void *)(uintptr_t)config->unlock);
    free((void *)(uintptr_t)config->custody);
    for (unsigned i = 0; i < KEEPER_CUSTODY_PATHS; i++) {
        free((void *)(uintptr_t)config->paths[i]);
    }
    for (unsigned i = 0; i < KEEPER_CUSTODY_ENV; i++) {
        free((void *)(uintptr_t)config->env[i]);
    }
}

/* NULL stays NULL. */
static bool copy_text(const char *from, const char **ret)
{
    *ret = from ? strdup(from) : NULL;
    return !from || *ret;
}

static kw_status copy_config(struct kw_op *op, const struct keeper_config *from,
                             struct keeper_config *ret)
{
    bool copied = true;

    *ret = *from;
    copied &= copy_text(from->program, &ret->program);
    copied &= copy_text(from->vault, &ret->vault);
    copied &= copy_text(from->unlock, &ret->unlock);
    copied &= copy_text(from->custody, &ret->custody);
    for (unsigned i = 0; i < KEEPER_CUSTODY_PATHS; i++) {
        copied &= copy_text(from->paths[i], &ret->paths[i]);
    }
    for (unsigned i = 0; i < KEEPER_CUSTODY_ENV; i++) {
        copied &= copy_text(from->env[i], &ret->env[i]);
    }
    ENSURE(op, copied, KW_E_MEMORY, "no memory for the keeper");
    return KW_OK;
}

struct keeper *keeper_ref(struct keeper *keeper)
{
    atomic_fetch_add(&keeper->refs, 1);
    return keeper;
}

void keeper_unref(struct keeper *keeper)
{
    if (!keeper || atomic_fetch_sub(&keeper->refs, 1) != 1) {
        return;
    }
    channel_unref(keeper->channel);
    free_config(&keeper->config);
    os_fd_close(&keeper->stop_fd);
    (void)pthread_mutex_destroy(&keeper->lock); /* unlocked: the last reference */
    free(keeper);
}
KW_OWNED(keeper_half, struct keeper, keeper_unref)

static kw_status new_keeper(struct kw_op *op, struct keeper **ret)
{
    AUTO(keeper_half) *keeper = calloc(1, sizeof(*keeper));

    ENSURE(op, keeper, KW_E_MEMORY, "no memory for the keeper");
    atomic_init(&keeper->refs, 1);
    (void)pthread_mutex_init(&keeper->lock, NULL); /* cannot fail with default attributes */
    keeper->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ENSURE(op, keeper->stop_fd >= 0, KW_E_IO, "eventfd: %s", strerror(errno));
    *ret = TAKE(keeper);
    return KW_OK;
}

/* Takes the reference; NULL = none now. */
static void set_channel(struct keeper *keeper, struct channel *channel)
{
    (void)pthread_mutex_lock(&keeper->lock); /* default mutex: cannot fail */
    struct channel *old = keeper->channel;
    keeper->channel = channel;
    (void)pthread_mutex_unlock(&keeper->lock);
    channel_unref(old);
}

static struct channel *get_channel(const struct keeper *keeper)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&keeper->lock; /* const for callers */

    (void)pthread_mutex_lock(lock);
    struct channel *channel = keeper->channel ? channel_ref(keeper->channel) : NULL;
    (void)pthread_mutex_unlock(lock);
    return channel;
}

kw_status keeper_channel(struct kw_op *op, struct keeper *keeper, struct channel **ret)
{
    AUTO(channel) *channel = get_channel(keeper);

    ENSURE(op, channel && channel_alive(channel), KW_E_UNAVAILABLE,
           "the keeper is away; it is started anew by itself");
    *ret = TAKE(channel);
    return KW_OK;
}

bool keeper_alive(const struct keeper *keeper)
{
    AUTO(channel) *channel = get_channel(keeper);

    return channel && channel_alive(channel);
}

unsigned keeper_restarts(const struct keeper *keeper)
{
    return atomic_load(&keeper->restarts);
}

/* First words on a new channel: same protocol, same build, or none at all. */
static kw_status say_hello(struct kw_op *op, struct channel *channel)
{
    struct keeper_msg msg = {.hello = {.version = KEEPER_VERSION}};
    struct channel_room room;
    struct keeper_answer answer = {0};

    ENSURE(op, KW_TEXT_SET(msg.hello.build, KW_VERSION), KW_E_INTERNAL, "version text too long");
    kw_status status =
        keeper_call_on(op, channel, KEEPER_ROW_HELLO, &msg, -1, &room, NULL, &answer);
    if (channel_is_alien(channel)) {
        kw_op_clear(op);
        return FAIL(op, KW_E_UNSUPPORTED, "the keeper speaks another protocol version than %d",
                    KEEPER_VERSION);
    }
    if (status.code == KW_E_UNSURE) {
        kw_op_clear(op);
        return FAIL(op, KW_E_UNAVAILABLE, "the keeper ended or was silent before it said hello");
    }
    TRY(op, status);
    ENSURE(op,
           answer.hello.version == KEEPER_VERSION && strcmp(answer.hello.build, KW_VERSION) == 0,
           KW_E_UNSUPPORTED, "the keeper is of version '%s', this program of '%s'",
           answer.hello.build, KW_VERSION);
    return KW_OK;
}

static kw_status spawn(struct kw_op *op, struct keeper *keeper, int *ret_fd)
{
    const struct keeper_config *config = &keeper->config;
    struct keeper_command command;

    if (config->spawner) {
        return os_spawner_start(op, config->spawner, config->spawner_row, ret_fd);
    }
    TRY(op, keeper_command_of(op, config, &command));
    return os_spawn_channel(op, command.argv, command.envp, ret_fd, &keeper->pid);
}

/* Its channel is closed or about to be: wait until it has ended, killed where it lingers. */
static void reap(const struct keeper *keeper)
{
    if (keeper->config.spawner) {
        os_spawner_end(keeper->config.spawner, keeper->config.spawner_row);
    } else {
        (void)os_spawn_wait(NULL, keeper->pid, END_MS, NULL); /* ours: it cannot fail */
    }
}

/* The channel on which a new process is waited for; NULL: none any more. Borrowed. */
static void set_starting(struct keeper *keeper, struct channel *channel)
{
    (void)pthread_mutex_lock(&keeper->lock); /* default mutex: cannot fail */
    keeper->starting = channel;
    (void)pthread_mutex_unlock(&keeper->lock);
}

static bool shall_stop(const struct keeper *keeper)
{
    struct pollfd fd = {.fd = keeper->stop_fd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* keeper_stop() does not wait for a process that is slow to say hello. */
static kw_status greet(struct kw_op *op, struct keeper *keeper, struct channel *channel)
{
    set_starting(keeper, channel);
    kw_status status = KW_OK;
    if (shall_stop(keeper)) {
        status = FAIL(op, KW_E_UNAVAILABLE, "the keeper is being stopped");
    } else {
        status = say_hello(op, channel);
    }
    set_starting(keeper, NULL);
    return status;
}

/* Start the process once; on failure nothing is left of it. */
static kw_status start_once(struct kw_op *op, struct keeper *keeper)
{
    AUTO(channel) *channel = NULL;
    int fd = -1;

    TRY(op, spawn(op, keeper, &fd));
    kw_status status = channel_new(op, fd, &channel);
    if (kw_ok(status)) {
        status = greet(op, keeper, channel);
    }
    if (!kw_ok(status)) {
        if (channel) {
            channel_break(channel);
        }
        reap(keeper);
        return status;
    }
    keeper->config.create = false; /* from now on the vault is there */
    set_channel(keeper, TAKE(channel));
    return KW_OK;
}

enum waited { WAITED_TIME, WAITED_HANGUP, WAITED_STOP };

/* Sleep until the time is over, the channel hangs up, or the keeper shall stop. */
static enum waited wait_for(const struct keeper *keeper, const struct channel *channel, int ms)
{
    struct pollfd fds[2] = {
        {.fd = keeper->stop_fd,                    .events = POLLIN   },
        {.fd = channel ? channel_fd(channel) : -1, .events = POLLRDHUP}
    };

    while (poll(fds, KW_COUNT(fds), ms) < 0 && errno == EINTR) {
    }
    if (fds[0].revents & POLLIN) {
        return WAITED_STOP;
    }
    return fds[1].revents ? WAITED_HANGUP : WAITED_TIME;
}

/* Any answer will do, to whomever; one that is busy answers others. */
static bool answers(struct channel *channel)
{
    int64_t now_ms = os_clock_mono_ms();
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;
    struct kw_op op;

    if (now_ms - channel_heard_mono_ms(channel) < LOOK_MS) {
        return true;
    }
    kw_op_init(&op, "system", now_ms + SILENT_MS);
    kw_status status =
        keeper_call_on(&op, channel, KEEPER_ROW_INFO, &msg, -1, &room, NULL, &answer);
    return kw_ok(status) || channel_heard_mono_ms(channel) > now_ms;
}

/* The process is gone or broken: let the waiting go, reap it, try again ever more rarely. True to
 * stop. */
static bool restart(struct keeper *keeper, int *backoff_ms)
{
    set_channel(keeper, NULL);
    reap(keeper);
    for (;;) {
        if (wait_for(keeper, NULL, *backoff_ms) == WAITED_STOP) {
            return true;
        }
        *backoff_ms = *backoff_ms * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : *backoff_ms * 2;
        struct kw_op op;
        kw_op_init(&op, "system", os_clock_mono_ms() + HELLO_MS);
        if (kw_ok(start_once(&op, keeper))) {
            (void)atomic_fetch_add(&keeper->restarts, 1);
            return false;
        }
    }
}

/* Until the process ends, hangs, or shall end. True: shall. */
static bool watch(const struct keeper *keeper, struct channel *channel)
{
    for (;;) {
        enum waited waited = wait_for(keeper, channel, LOOK_MS);
        if (waited == WAITED_STOP) {
            return true;
        }
        if (waited == WAITED_HANGUP) {
            channel_hangup(channel);
            return false;
        }
        if (!answers(channel)) {
            channel_break(channel); /* whoever waits goes; it is killed where it lingers */
            return shall_stop(keeper);
        }
    }
}

/* Watch the process until the keeper shall stop. */
static void supervise(struct keeper *keeper)
{
    int backoff_ms = BACKOFF_FIRST_MS;

    for (;;) {
        AUTO(channel) *channel = get_channel(keeper);
        int64_t started_ms = os_clock_mono_ms();
        if (watch(keeper, channel)) {
            channel_break(channel); /* the keeper reads the end, saves its state and ends */
            reap(keeper);
            return;
        }
        if (os_clock_mono_ms() - started_ms > STABLE_MS) {
            backoff_ms = BACKOFF_FIRST_MS;
        }
        if (restart(keeper, &backoff_ms)) {
            return;
        }
    }
}

/* The thread: the parent-death signal of the keeper hangs on it, so it lives as long as the keeper.
 */
static void *supervisor(void *ctx)
{
    struct start *start = ctx;
    struct keeper *keeper = start->keeper;
    struct kw_op op;

    kw_op_init(&op, "system",
               start->op->deadline_ms ? start->op->deadline_ms : os_clock_mono_ms() + HELLO_MS);
    kw_status status = start_once(&op, keeper);
    (void)pthread_mutex_lock(&start->lock);
    if (!kw_ok(status)) {
        start->status = FAIL(start->op, op.code, "%s", kw_op_cause(&op));
    }
    start->done = true;
    (void)pthread_cond_signal(&start->wake);
    (void)pthread_mutex_unlock(&start->lock); /* start is gone from here on */
    if (kw_ok(status)) {
        supervise(keeper);
    }
    return NULL;
}

static kw_status run_supervisor(struct kw_op *op, struct keeper *keeper)
{
    struct start start = {.keeper = keeper,
                          .op = op,
                          .status = KW_OK,
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .wake = PTHREAD_COND_INITIALIZER};

    int error = pthread_create(&keeper->thread, NULL, supervisor, &start);
    ENSURE(op, error == 0, KW_E_LIMIT, "no thread for the keeper: %s", strerror(error));
    (void)pthread_mutex_lock(&start.lock);
    while (!start.done) {
        (void)pthread_cond_wait(&start.wake, &start.lock); /* a wake without cause does no harm */
    }
    (void)pthread_mutex_unlock(&start.lock);
    if (!kw_ok(start.status)) {
        (void)pthread_join(keeper->thread, NULL); /* it ends by itself */
    }
    return start.status;
}

kw_status keeper_start(struct kw_op *op, const struct keeper_config *config, struct keeper **ret)
{
    AUTO(keeper_half) *keeper = NULL;

    TRY(op, new_keeper(op, &keeper));
    TRY(op, copy_config(op, config, &keeper->config));
    TRY(op, run_supervisor(op, keeper), "starting the keeper");
    keeper->supervised = true;
    *ret = TAKE(keeper);
    return KW_OK;
}

kw_status keeper_attach(struct kw_op *op, int fd, struct keeper **ret)
{
    AUTO(keeper_half) *keeper = NULL;
    AUTO(channel) *channel = NULL;

    TRY(op, channel_new(op, fd, &channel));
    TRY(op, new_keeper(op, &keeper));
    TRY(op, say_hello(op, channel), "greeting the keeper");
    set_channel(keeper, TAKE(channel));
    *ret = TAKE(keeper);
    return KW_OK;
}

/* The supervisor waits for no answer any more. */
static void interrupt(struct keeper *keeper)
{
    AUTO(channel) *channel = get_channel(keeper);

    if (channel) {
        channel_break(channel);
    }
    (void)pthread_mutex_lock(&keeper->lock); /* default mutex: cannot fail */
    if (keeper->starting) {
        channel_break(keeper->starting);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper) {
        return;
    }
    if (keeper->supervised) {
        uint64_t one = 1;
        ssize_t n = write(keeper->stop_fd, &one, sizeof(one));
        (void)n; /* an eventfd at 0 always takes 1 */
        interrupt(keeper);
        (void)pthread_join(keeper->thread, NULL);
        keeper->supervised = false;
    }
    AUTO(channel) *channel = get_channel(keeper);
    if (channel) {
        channel_break(channel);
    }
    set_channel(keeper, NULL);
    keeper_unref(keeper);
}
