/* The way to a TPM with a deadline, over a TPM that answers what each test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "rot/tpm2/session.h"

enum { SHORT_MS = 50, LONG_MS = 20000 };
enum hangs { HANGS_NOT, HANGS_CONNECTING, HANGS_SENDING, HANGS_ANSWERING, HANGS_HANGING_UP };

/* A TPM that gives a list of response codes, the last one for ever. */
struct fake {
    TSS2_TCTI_CONTEXT_COMMON_V1 common;
    const TPM2_RC *answers;
    unsigned n_answers;
    unsigned n_sent;
    size_t last_size;
    int poll_fd; /* -1: none to wait for */
    bool raises_sigpipe;
    enum hangs hangs;
    int go_on; /* readable once it no longer hangs */
    unsigned n_hung_up;
};

/* In the line's thread, as a TPM that is stopped. */
static void hang_if(const struct fake *fake, enum hangs here)
{
    struct pollfd go_on = {.fd = fake->go_on, .events = POLLIN};
    if (fake->hangs == here) {
        (void)poll(&go_on, 1, -1);
    }
}

static TSS2_RC fake_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct fake *fake = (struct fake *)context;
    (void)command;
    hang_if(fake, HANGS_SENDING);
    fake->n_sent++;
    fake->last_size = size;
    if (fake->raises_sigpipe) {
        (void)raise(SIGPIPE); /* blocked by the caller, as a write to a closed pipe would find it */
        return TSS2_TCTI_RC_IO_ERROR;
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC fake_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response,
                            int32_t timeout)
{
    struct fake *fake = (struct fake *)context;
    unsigned i = fake->n_sent - 1 < fake->n_answers ? fake->n_sent - 1 : fake->n_answers - 1;
    TPM2_RC rc = fake->answers[i];
    const uint8_t answer[] = {
        0x80,       0x01, 0, 0, 0, 10, (uint8_t)(rc >> 24), (uint8_t)(rc >> 16), (uint8_t)(rc >> 8),
        (uint8_t)rc};
    (void)timeout;
    hang_if(fake, HANGS_ANSWERING);
    if (*size < sizeof(answer)) {
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    }
    memcpy(response, answer, sizeof(answer));
    *size = sizeof(answer);
    return TSS2_RC_SUCCESS;
}

static TSS2_RC fake_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles,
                                 size_t *n)
{
    struct fake *fake = (struct fake *)context;
    if (fake->poll_fd < 0) {
        return TSS2_TCTI_RC_NOT_IMPLEMENTED;
    }
    handles[0].fd = fake->poll_fd;
    *n = 1;
    return TSS2_RC_SUCCESS;
}

static struct fake fake_of(const TPM2_RC *answers, unsigned n)
{
    return (struct fake){
        .common = {.version = 1,
                   .transmit = fake_transmit,
                   .receive = fake_receive,
                   .getPollHandles = fake_poll_handles},
        .answers = answers,
        .n_answers = n,
        .poll_fd = -1,
    };
}

static TSS2_RC fake_connect(const char *tcti, TSS2_TCTI_CONTEXT **ret)
{
    void *fake =
        NULL; /* a line may come late, when others are asked already: its name says whose */

    if (sscanf(tcti, "fake:%p", &fake) != 1) {
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    hang_if(fake, HANGS_CONNECTING);
    *ret = fake;
    return TSS2_RC_SUCCESS;
}

static void fake_hang_up(TSS2_TCTI_CONTEXT **device)
{
    struct fake *fake = (struct fake *)*device;
    hang_if(fake, HANGS_HANGING_UP);
    fake->n_hung_up++;
    *device = NULL;
}

static const struct tpm2_wire fake_wire = {fake_connect, fake_hang_up};

static void await_no_lost_line(void)
{
    const struct timespec step = {.tv_nsec = 1000000};
    while (tpm2_lines_lost() > 0) { /* for ever: the runner's limit ends it */
        (void)nanosleep(&step, NULL);
    }
}

/* One command through ESYS; what became of it as our status. */
static kw_status ask(struct kw_op *op, struct fake *fake, int64_t within_ms)
{
    static struct tpm2_session s;
    struct tpm2_line *line = NULL;
    int64_t connected_ms = fake->hangs == HANGS_CONNECTING ? SHORT_MS : LONG_MS;

    s = (struct tpm2_session){0};
    (void)snprintf(s.name, sizeof(s.name), "fake:%p", (void *)fake);
    kw_op_init(op, "test", 0);
    TRY(op, tpm2_line_open(op, &fake_wire, s.name, os_clock_mono_ms() + connected_ms, &line));
    tpm2_tcti_init(&s.tcti, line, os_clock_mono_ms() + within_ms);
    assert_int_equal(Esys_Initialize(&s.esys, (TSS2_TCTI_CONTEXT *)&s.tcti, NULL), TSS2_RC_SUCCESS);
    TSS2_RC rc = Esys_SelfTest(s.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_YES);
    kw_status status = tpm2_status(op, &s, rc);
    Esys_Finalize(&s.esys);
    tpm2_line_close(TAKE(s.tcti.line), os_clock_mono_ms() + (fake->hangs ? SHORT_MS : LONG_MS));
    if (!fake->hangs && status.code == KW_E_TIMEOUT) {
        await_no_lost_line(); /* no thread uses it any more */
    }
    return status;
}

static void asks_again_while_the_tpm_is_busy(void **state)
{
    static const TPM2_RC answers[] = {TPM2_RC_RETRY, TPM2_RC_YIELDED, TPM2_RC_TESTING, 0};
    struct fake fake = fake_of(answers, 4);
    struct kw_op op;

    (void)state;
    assert_true(kw_ok(ask(&op, &fake, 5000)));
    assert_int_equal(fake.n_sent, 4);
    assert_int_equal(fake.last_size, 11); /* the whole command again */
}

/* Others have all slots for a moment. */
static void asks_again_while_there_is_no_room(void **state)
{
    static const TPM2_RC answers[] = {TPM2_RC_OBJECT_MEMORY, TPM2_RC_SESSION_MEMORY, 0};
    static const TPM2_RC never[] = {TPM2_RC_OBJECT_MEMORY};
    struct fake fake = fake_of(answers, 3), full = fake_of(never, 1);
    struct kw_op op;

    (void)state;
    assert_true(kw_ok(ask(&op, &fake, 5000)));
    assert_int_equal(fake.n_sent, 3);
    assert_int_equal(ask(&op, &full, 400).code, KW_E_UNAVAILABLE); /* its own words, in time */
    assert_true(full.n_sent >= 2);
}

static void gives_up_at_the_deadline(void **state)
{
    static const TPM2_RC answers[] = {TPM2_RC_RETRY};
    struct fake fake = fake_of(answers, 1);
    struct kw_op op;

    (void)state;
    int64_t start = os_clock_mono_ms();
    assert_int_equal(ask(&op, &fake, 400).code, KW_E_TIMEOUT);
    assert_true(os_clock_mono_ms() - start < LONG_MS);
    assert_true(fake.n_sent >= 4);
}

static void silence_ends_at_the_deadline(void **state)
{
    static const TPM2_RC answers[] = {0};
    struct fake fake = fake_of(answers, 1);
    struct kw_op op;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    fake.poll_fd = fds[0];
    int64_t start = os_clock_mono_ms();
    assert_int_equal(ask(&op, &fake, 50).code, KW_E_TIMEOUT);
    int64_t took = os_clock_mono_ms() - start;
    assert_true(took >= 50 && took < LONG_MS);
    assert_int_equal(write(fds[1], "x", 1), 1); /* an answer is there */
    assert_true(kw_ok(ask(&op, &fake, LONG_MS)));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_broken_pipe_does_not_kill(void **state)
{
    static const TPM2_RC answers[] = {0};
    struct fake fake = fake_of(answers, 1);
    struct kw_op op;

    (void)state;
    fake.raises_sigpipe = true;
    assert_int_equal(ask(&op, &fake, 1000).code, KW_E_UNAVAILABLE);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

/* Wherever it hangs; and each connection is hung up once when it goes on. */
static void a_tpm_that_hangs_is_given_up(void **state)
{
    static const TPM2_RC answers[] = {0};
    char text[512];
    struct kw_op op;

    (void)state;
    for (enum hangs where = HANGS_CONNECTING; where <= HANGS_HANGING_UP; where++) {
        int fds[2];
        struct fake fake = fake_of(answers, 1);
        assert_int_equal(pipe(fds), 0);
        fake.hangs = where;
        fake.go_on = fds[0];
        (void)tpm2_lines_left_something();
        bool works = where == HANGS_HANGING_UP;
        kw_status status = ask(&op, &fake, works ? LONG_MS : SHORT_MS);
        assert_int_equal(status.code, works ? KW_CODE_OK : KW_E_TIMEOUT);
        if (!works) {
            assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), "does not answer"));
        }
        assert_true(tpm2_lines_left_something());
        assert_false(tpm2_lines_left_something()); /* said once */
        assert_int_equal(write(fds[1], "x", 1), 1);
        await_no_lost_line();
        assert_int_equal(fake.n_hung_up, 1);
        fake.hangs = HANGS_NOT;
        assert_true(kw_ok(ask(&op, &fake, LONG_MS)));
        assert_int_equal(fake.n_hung_up, 2);
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
}

static void *let_go_on(void *arg)
{
    const struct timespec moment = {.tv_nsec = 50000000};
    (void)nanosleep(&moment, NULL);
    assert_int_equal(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

/* Whoever asks again and again does not collect threads; who has time waits for theirs to end. */
static void no_more_wait_than_may(void **state)
{
    static const TPM2_RC answers[] = {0};
    struct fake fakes[TPM2_LINES_LOST_MAX], other = fake_of(answers, 1);
    struct kw_op op;
    pthread_t helper;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    for (unsigned i = 0; i < TPM2_LINES_LOST_MAX; i++) {
        fakes[i] = fake_of(answers, 1);
        fakes[i].hangs = HANGS_CONNECTING;
        fakes[i].go_on = fds[0];
        assert_int_equal(ask(&op, &fakes[i], 10).code, KW_E_TIMEOUT);
    }
    other.hangs = HANGS_CONNECTING; /* it would, were it asked: a short wait */
    assert_int_equal(ask(&op, &other, SHORT_MS).code, KW_E_TIMEOUT);
    other.hangs = HANGS_NOT;
    assert_int_equal(other.n_sent + other.n_hung_up, 0); /* not even connected */
    assert_int_equal(tpm2_lines_lost(), TPM2_LINES_LOST_MAX);
    assert_int_equal(pthread_create(&helper, NULL, let_go_on, &fds[1]), 0);
    assert_true(kw_ok(ask(&op, &other, LONG_MS)));
    assert_int_equal(pthread_join(helper, NULL), 0);
    await_no_lost_line();
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* Layer 255 made tpm2-tss read out of bounds: CVE-2023-22745. */
static void codes_of_the_tpm_are_told_apart(void **state)
{
    static const struct {
        TPM2_RC rc;
        enum kw_code code;
        const char *text;
    } rows[] = {
        {TPM2_RC_OBJECT_MEMORY,            KW_E_UNAVAILABLE, "no free slot"             },
        {TPM2_RC_SESSION_MEMORY,           KW_E_UNAVAILABLE, "no free slot"             },
        {TPM2_RC_MEMORY,                   KW_E_UNAVAILABLE, "no free slot"             },
        {TPM2_RC_LOCKOUT,                  KW_E_DENIED,      "dictionary-attack lockout"},
        {TPM2_RC_NV_SPACE,                 KW_E_FULL,        "no room"                  },
        {TPM2_RC_NV_RATE,                  KW_E_UNAVAILABLE, "rate"                     },
        {TPM2_RC_INITIALIZE,               KW_E_UNAVAILABLE, "started"                  },
        {TPM2_RC_BAD_AUTH + 0x900,         KW_E_DENIED,      "password"                 },
        {TPM2_RC_AUTH_FAIL + 0x900,        KW_E_DENIED,      "password"                 },
        {TPM2_RC_CURVE + 0x240,            KW_E_UNSUPPORTED, "curve"                    },
        {TPM2_RC_VALUE + 0x140,            KW_E_DEVICE,      "value"                    },
        {TPM2_RC_FAILURE,                  KW_E_DEVICE,      "failure mode"             },
        {0xff0123,                         KW_E_DEVICE,      "nonsense"                 },
        {TSS2_RESMGR_TPM_RC_LAYER | 0x902, KW_E_UNAVAILABLE, "no free slot"             },
    };
    char text[512];
    struct kw_op op;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct fake fake = fake_of(&rows[i].rc, 1);
        assert_int_equal(ask(&op, &fake, 1000).code, rows[i].code);
        assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), rows[i].text));
    }
}

static void refusals_are_told_apart(void **state)
{
    (void)state;
    assert_true(tpm2_rc_is(0x18b, TPM2_RC_HANDLE));
    assert_true(tpm2_rc_is(TSS2_RESMGR_TPM_RC_LAYER | 0x18b, TPM2_RC_HANDLE));
    assert_false(tpm2_rc_is(0x18b, TPM2_RC_VALUE));
    assert_false(tpm2_rc_is(0, 0));
    assert_false(tpm2_rc_is(TSS2_TCTI_RC_IO_ERROR, TPM2_RC_HANDLE));
    assert_true(tpm2_rc_is_refusal(0x1df));
    assert_false(tpm2_rc_is_refusal(TPM2_RC_RETRY));
    assert_false(tpm2_rc_is_refusal(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_again_while_the_tpm_is_busy),
        cmocka_unit_test(asks_again_while_there_is_no_room),
        cmocka_unit_test(gives_up_at_the_deadline),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(a_broken_pipe_does_not_kill),
        cmocka_unit_test(a_tpm_that_hangs_is_given_up),
        cmocka_unit_test(no_more_wait_than_may),
        cmocka_unit_test(codes_of_the_tpm_are_told_apart),
        cmocka_unit_test(refusals_are_told_apart),
    };
    return cmocka_run_group_tests_name("rot/tpm2/tcti", tests, NULL, NULL);
}
