/* A worker sleeps until it is asked or ended, and forgets neither. An hour is never waited for. */
#include <sched.h>
#include <stdatomic.h>

#include "../base/check.h"
#include "os/worker.h"

enum { HOUR_MS = 3600000 };

struct bench {
    struct os_worker worker;
    atomic_uint rounds, asked;
    atomic_bool went_on;
};

static void *work(void *ctx)
{
    struct bench *bench = ctx;
    bool asked = false;

    while (os_worker_sleep(&bench->worker, HOUR_MS, &asked)) {
        atomic_fetch_add(&bench->asked, asked);
        atomic_fetch_add(&bench->rounds, 1);
    }
    return NULL;
}

static void wait_for(const atomic_uint *count, unsigned n)
{
    while (atomic_load(count) < n) {
        (void)sched_yield();
    }
}

static void asked_it_does_a_round(void **state)
{
    struct bench bench = {0};

    (void)state;
    assert_ok(os_worker_start(NULL, &bench.worker, work, &bench, "a test"));
    for (unsigned i = 1; i <= 3; i++) {
        os_worker_ask(&bench.worker);
        wait_for(&bench.rounds, i);
    }
    os_worker_stop(&bench.worker);
    assert_int_equal(bench.rounds, 3);
    assert_int_equal(bench.asked, 3);
}

/* Works on for as long as it may. */
static void *work_long(void *ctx)
{
    struct bench *bench = ctx;

    do {
        atomic_fetch_add(&bench->rounds, 1);
    } while (os_worker_goes_on(&bench->worker));
    atomic_store(&bench->went_on, os_worker_sleep(&bench->worker, HOUR_MS, NULL));
    return NULL;
}

static void long_work_ends_and_does_not_sleep_again(void **state)
{
    struct bench bench = {.went_on = true};

    (void)state;
    assert_ok(os_worker_start(NULL, &bench.worker, work_long, &bench, "a test"));
    wait_for(&bench.rounds, 2);
    os_worker_stop(&bench.worker);
    assert_false(bench.went_on);
}

static void *work_once(void *ctx)
{
    struct bench *bench = ctx;
    bool asked = true;

    atomic_store(&bench->went_on, os_worker_sleep(&bench->worker, /* ms= */ 1, &asked));
    atomic_store(&bench->asked, asked);
    atomic_store(&bench->rounds, 1);
    return NULL;
}

static void time_wakes_it_unasked(void **state)
{
    struct bench bench = {0};

    (void)state;
    assert_ok(os_worker_start(NULL, &bench.worker, work_once, &bench, "a test"));
    wait_for(&bench.rounds, 1);
    assert_true(bench.went_on);
    assert_int_equal(bench.asked, 0);
    os_worker_stop(&bench.worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_it_does_a_round),
        cmocka_unit_test(long_work_ends_and_does_not_sleep_again),
        cmocka_unit_test(time_wakes_it_unasked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
