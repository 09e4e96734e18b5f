#include "rot/tpm2/line.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "base/limits.h"
#include "base/secret.h"
#include "os/clock.h"

enum { STEP_MIN_MS = 100, ROOM_PAUSE_MS = 5 };

const struct tpm2_wire tpm2_wire_loader = {
    .connect = Tss2_TctiLdr_Initialize,
    .hang_up = Tss2_TctiLdr_Finalize,
};

enum step { STEP_NONE, STEP_CONNECT, STEP_TRANSMIT, STEP_RECEIVE, STEP_HANG_UP };

/* While a step runs, device and io are the thread's, else the owner's; once is_lost is set, all is
 * the thread's. */
struct tpm2_line {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    enum step step; /* asked and not done */
    bool is_over;   /* the thread ends, or has ended */
    bool is_lost;   /* given up: the thread frees this */
    TSS2_RC rc;     /* of the last step */
    const struct tpm2_wire *wire;
    TSS2_TCTI_CONTEXT *device; /* NULL: not connected */
    struct tpm2_io io;
    char tcti[KW_URI_MAX];
};

static atomic_uint n_lost;
static atomic_bool left_something;

/* --- the thread --- */

static TSS2_RC do_nothing(struct tpm2_line *line)
{
    (void)line;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC do_connect(struct tpm2_line *line)
{
    TSS2_TCTI_CONTEXT *device = NULL;
    TSS2_RC rc = line->wire->connect(line->tcti, &device);

    line->device = rc == TSS2_RC_SUCCESS ? device : NULL;
    return rc;
}

static TSS2_RC do_transmit(struct tpm2_line *line)
{
    return Tss2_Tcti_Transmit(line->device, line->io.command_len, line->io.command);
}

static TSS2_RC do_receive(struct tpm2_line *line)
{
    line->io.response_len = sizeof(line->io.response);
    return Tss2_Tcti_Receive(line->device, &line->io.response_len, line->io.response,
                             TSS2_TCTI_TIMEOUT_BLOCK);
}

static TSS2_RC do_hang_up(struct tpm2_line *line)
{
    if (line->device) {
        line->wire->hang_up(&line->device);
    }
    line->device = NULL;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC (*const steps[])(struct tpm2_line *line) = {
    [STEP_NONE] = do_nothing,    [STEP_CONNECT] = do_connect, [STEP_TRANSMIT] = do_transmit,
    [STEP_RECEIVE] = do_receive, [STEP_HANG_UP] = do_hang_up,
};

static void line_free(struct tpm2_line *line)
{
    (void)pthread_cond_destroy(&line->changed); /* nobody waits: there is one user left */
    (void)pthread_mutex_destroy(&line->mutex);
    kw_wipe(line, sizeof(*line)); /* the last command and answer */
    free(line);
}

/* The next step; waits for it. The last one is the hanging up. */
static enum step next_step(struct tpm2_line *line)
{
    while (line->step == STEP_NONE) {
        (void)pthread_cond_wait(&line->changed, &line->mutex); /* fine with a mutex of ours */
    }
    return line->step;
}

static void *serve(void *arg)
{
    struct tpm2_line *line = arg;

    (void)pthread_mutex_lock(&line->mutex); /* plain mutex of ours: none of this fails */
    while (!line->is_over && !line->is_lost) {
        enum step step = next_step(line);
        (void)pthread_mutex_unlock(&line->mutex);
        TSS2_RC rc = steps[step](line);
        (void)pthread_mutex_lock(&line->mutex);
        line->rc = rc;
        line->step = STEP_NONE;
        line->is_over = step == STEP_HANG_UP;
        (void)pthread_cond_signal(&line->changed);
    }
    bool is_ours = line->is_lost;
    (void)pthread_mutex_unlock(&line->mutex);
    if (is_ours) {
        (void)do_hang_up(line);
        line_free(line);
        (void)atomic_fetch_sub(&n_lost, 1);
    }
    return NULL;
}

/* No signal of the program's is handled in a thread that it does not know of; a broken pipe is an
 * error here, not the end of the process. */
static bool start(struct tpm2_line *line)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all); /* none fails with valid arguments */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&line->thread, NULL, serve, line) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* --- the owner --- */

static kw_status line_new(struct kw_op *op, const struct tpm2_wire *wire, const char *tcti,
                          struct tpm2_line **ret)
{
    pthread_condattr_t attr;
    struct tpm2_line *line = calloc(1, sizeof(*line));

    ENSURE(op, line, KW_E_MEMORY);
    line->wire = wire;
    (void)KW_TEXT_SET(line->tcti, tcti); /* checked by the caller */
    /* With Linux' C libraries none of these can fail. */
    (void)pthread_mutex_init(&line->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&line->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = line;
    return KW_OK;
}

static void give_up_locked(struct tpm2_line *line)
{
    line->is_lost = true;
    (void)atomic_fetch_add(&n_lost, 1);
    tpm2_lines_leave_something();
    (void)pthread_detach(line->thread);
}

/* A step that was begun gets a moment at least: giving up costs the connection. */
static struct timespec end_of_step(int64_t deadline_ms)
{
    int64_t soonest_ms = os_clock_mono_ms() + STEP_MIN_MS;
    int64_t end_ms = deadline_ms > soonest_ms ? deadline_ms : soonest_ms;

    return (struct timespec){.tv_sec = (time_t)(end_ms / 1000),
                             .tv_nsec = (long)(end_ms % 1000) * 1000000};
}

/* Where the step is not done at the deadline: *line is NULL, and TSS2_TCTI_RC_IO_ERROR. */
static TSS2_RC ask(struct tpm2_line **line, enum step step, int64_t deadline_ms)
{
    const struct timespec until = end_of_step(deadline_ms);
    struct tpm2_line *self = *line;
    int error = 0;

    (void)pthread_mutex_lock(&self->mutex);
    self->step = step;
    (void)pthread_cond_signal(&self->changed);
    while (self->step != STEP_NONE && error == 0) {
        error = pthread_cond_timedwait(&self->changed, &self->mutex, &until);
    }
    bool is_done = self->step == STEP_NONE;
    TSS2_RC rc = is_done ? self->rc : TSS2_TCTI_RC_IO_ERROR;
    if (!is_done) {
        give_up_locked(self);
        *line = NULL;
    }
    (void)pthread_mutex_unlock(&self->mutex);
    return rc;
}

kw_status tpm2_line_silent(struct kw_op *op, const char *tcti)
{
    return FAIL(op, KW_E_TIMEOUT,
                "the TPM at '%.80s' does not answer; see whether it, its simulator or its resource "
                "manager hangs, then retry",
                tcti);
}

/* Until fewer wait for their TPM than may; false where the deadline came first. */
static bool await_room(int64_t deadline_ms)
{
    const struct timespec pause = {.tv_nsec = ROOM_PAUSE_MS * 1000000L};

    while (tpm2_lines_lost() >= TPM2_LINES_LOST_MAX) {
        if (os_clock_mono_ms() >= deadline_ms) {
            return false;
        }
        (void)nanosleep(&pause, NULL); /* waking early only asks again sooner */
    }
    return true;
}

kw_status tpm2_line_open(struct kw_op *op, const struct tpm2_wire *wire, const char *tcti,
                         int64_t deadline_ms, struct tpm2_line **ret)
{
    struct tpm2_line *line = NULL;

    ENSURE(op, strlen(tcti) < sizeof(line->tcti), KW_E_INPUT, "the TCTI's name is too long");
    if (!await_room(deadline_ms)) {
        return tpm2_line_silent(op, tcti);
    }
    TRY(op, line_new(op, wire, tcti, &line));
    if (!start(line)) {
        line_free(line);
        return FAIL(op, KW_E_MEMORY, "no thread for the TPM");
    }
    TSS2_RC rc = ask(&line, STEP_CONNECT, deadline_ms);
    if (!line) {
        return tpm2_line_silent(op, tcti);
    }
    if (rc != TSS2_RC_SUCCESS) {
        tpm2_line_close(line, deadline_ms);
        return FAIL(op, KW_E_UNAVAILABLE,
                    "the TPM at '%.80s' cannot be reached (%s); retry when it is there", tcti,
                    Tss2_RC_Decode(rc));
    }
    *ret = line;
    return KW_OK;
}

void tpm2_line_close(struct tpm2_line *line, int64_t deadline_ms)
{
    if (!line) {
        return;
    }
    (void)ask(&line, STEP_HANG_UP, deadline_ms); /* it cannot fail, but hang */
    if (line) {
        (void)pthread_join(line->thread, NULL); /* it ends now */
        line_free(line);
    }
}

TSS2_RC tpm2_line_transmit(struct tpm2_line **line, int64_t deadline_ms)
{
    return ask(line, STEP_TRANSMIT, deadline_ms);
}

TSS2_RC tpm2_line_receive(struct tpm2_line **line, int64_t deadline_ms)
{
    return ask(line, STEP_RECEIVE, deadline_ms);
}

struct tpm2_io *tpm2_line_io(struct tpm2_line *line)
{
    return &line->io;
}

TSS2_TCTI_CONTEXT *tpm2_line_device(const struct tpm2_line *line)
{
    return line->device;
}

unsigned tpm2_lines_lost(void)
{
    return atomic_load(&n_lost);
}

void tpm2_lines_leave_something(void)
{
    atomic_store(&left_something, true);
}

bool tpm2_lines_left_something(void)
{
    return atomic_exchange(&left_something, false);
}
