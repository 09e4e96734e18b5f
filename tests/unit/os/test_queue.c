#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "../base/check.h"
#include "os/queue.h"

static atomic_int n_done;
static sem_t gate;
static sem_t arrived;

static int setup(void **state)
{
    (void)state;
    atomic_store(&n_done, 0);
    return sem_init(&gate, 0, 0) + sem_init(&arrived, 0, 0);
}

static void count(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_done, 1);
}

static void wait_at_the_gate(void *ctx)
{
    (void)ctx;
    (void)sem_post(&arrived);
    while (sem_wait(&gate) != 0) {
    }
    atomic_fetch_add(&n_done, 1);
}

static void every_job_runs_once(void **state)
{
    enum { JOBS = 20000 };
    struct os_pool *pool = NULL;
    int n_taken = 0;

    (void)state;
    assert_ok(os_pool_new(NULL, "test", 4, 64, &pool));
    while (n_taken < JOBS) {
        kw_status status = os_pool_submit(pool, count, NULL);
        assert_true(kw_ok(status) || status.code == KW_E_LIMIT);
        n_taken += kw_ok(status);
    }
    os_pool_free(pool);
    assert_int_equal(atomic_load(&n_done), JOBS);
}

static void a_full_queue_is_told_at_once(void **state)
{
    struct os_pool *pool = NULL;

    (void)state;
    assert_ok(os_pool_new(NULL, "test", 1, 2, &pool));
    assert_ok(os_pool_submit(pool, wait_at_the_gate, NULL));
    assert_int_equal(sem_wait(&arrived), 0); /* it left the queue */
    assert_ok(os_pool_submit(pool, count, NULL));
    assert_ok(os_pool_submit(pool, count, NULL));
    assert_code(os_pool_submit(pool, count, NULL), KW_E_LIMIT);
    assert_int_equal(sem_post(&gate), 0);
    os_pool_free(pool);
    assert_int_equal(atomic_load(&n_done),
                     3); /* queued jobs are finished, the refused one is not */
}

static void jobs_run_beside_each_other(void **state)
{
    struct os_pool *pool = NULL;

    (void)state;
    assert_ok(os_pool_new(NULL, "test", 3, 3, &pool));
    for (int i = 0; i < 3; i++) {
        assert_ok(os_pool_submit(pool, wait_at_the_gate, NULL));
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sem_wait(&arrived), 0); /* all three wait inside at one time */
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sem_post(&gate), 0);
    }
    os_pool_free(pool);
    assert_int_equal(atomic_load(&n_done), 3);
}

static void submit_count_again(void *ctx)
{
    kw_status status = os_pool_submit(ctx, count, NULL);

    atomic_store(&n_done, (int)status.code);
    (void)sem_post(&arrived);
    while (sem_wait(&gate) != 0) {
    }
    status = os_pool_submit(ctx, count, NULL);
    atomic_store(&n_done, (int)status.code);
}

static void *open_gate_later(void *ctx)
{
    (void)ctx;
    struct timespec a_while = {.tv_nsec = 50 * 1000000L};
    (void)nanosleep(&a_while, NULL);
    (void)sem_post(&gate);
    return NULL;
}

static void a_pool_that_ends_takes_no_jobs(void **state)
{
    struct os_pool *pool = NULL;
    pthread_t opener;

    (void)state;
    assert_ok(os_pool_new(NULL, "test", 1, 4, &pool));
    assert_ok(os_pool_submit(pool, submit_count_again, pool));
    assert_int_equal(sem_wait(&arrived), 0); /* its first submit, before the end, was taken */
    assert_int_equal(pthread_create(&opener, NULL, open_gate_later, NULL), 0);
    os_pool_free(pool);
    assert_int_equal(pthread_join(opener, NULL), 0);
    /* The second submit came while ending; then the first one's job ran. */
    assert_int_equal(atomic_load(&n_done), KW_E_UNAVAILABLE + 1);
}

static void note_mask_and_name(void *ctx)
{
    sigset_t mask;
    char *name = ctx;

    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    (void)pthread_getname_np(pthread_self(), name, 16);
    atomic_store(&n_done, sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP));
}

static void threads_have_names_and_take_no_signals(void **state)
{
    char name[16] = "";
    struct os_pool *pool = NULL;
    sigset_t mask;

    (void)state;
    assert_ok(os_pool_new(NULL, "handler-of-x", 1, 1, &pool));
    assert_ok(os_pool_submit(pool, note_mask_and_name, name));
    os_pool_free(pool);
    assert_string_equal(name, "handler-of--0");
    assert_int_equal(atomic_load(&n_done), 1);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0); /* the caller's mask is as before */
}

static void impossible_pools_are_refused(void **state)
{
    struct os_pool *pool = NULL;

    (void)state;
    assert_code(os_pool_new(NULL, "test", 0, 1, &pool), KW_E_INPUT);
    assert_code(os_pool_new(NULL, "test", KW_POOL_THREADS_MAX + 1, 1, &pool), KW_E_INPUT);
    assert_code(os_pool_new(NULL, "test", 1, 0, &pool), KW_E_INPUT);
    assert_code(os_pool_new(NULL, "test", 1, KW_POOL_WAITING_MAX + 1, &pool), KW_E_INPUT);
    assert_null(pool);
    os_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_job_runs_once, setup),
        cmocka_unit_test_setup(a_full_queue_is_told_at_once, setup),
        cmocka_unit_test_setup(jobs_run_beside_each_other, setup),
        cmocka_unit_test_setup(a_pool_that_ends_takes_no_jobs, setup),
        cmocka_unit_test_setup(threads_have_names_and_take_no_signals, setup),
        cmocka_unit_test_setup(impossible_pools_are_refused, setup),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
