/* The hand-over between who waits and the committer, step by step. */
#include "store/request.h"

#include <unistd.h>

#include "check.h"
#include "os/clock.h"

static kw_status nothing(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    (void)op;
    (void)txn;
    (void)ctx;
    return KW_OK;
}

struct scene {
    struct kw_op op;
    struct request_queue queue;
    struct request *request;
};

static void begin(struct scene *scene, int64_t deadline_ms)
{
    kw_op_init(&scene->op, "test", deadline_ms);
    request_queue_init(&scene->queue);
    assert_ok(request_new(&scene->op, nothing, NULL, &scene->request));
    assert_ok(request_queue_push(&scene->op, &scene->queue, scene->request));
    struct request *taken[2] = {NULL, NULL};
    assert_int_equal(request_queue_take(&scene->queue, 2, taken), 1);
    assert_ptr_equal(taken[0], scene->request);
}

static void end(struct scene *scene)
{
    request_unref(scene->request);
    request_queue_done(&scene->queue);
}

static void outcome_reaches_who_waits(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, 0);
    assert_true(request_begin(scene.request));
    request_ran(scene.request, KW_FAIL(KW_E_CONFLICT));
    request_done(scene.request);
    assert_fails(request_wait(&scene.op, scene.request), KW_E_CONFLICT);
    end(&scene);
}

static void failure_of_the_batch_goes_first(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, 0);
    assert_true(request_begin(scene.request));
    request_ran(scene.request, KW_FAIL(KW_E_CONFLICT));
    request_fail(scene.request, KW_E_FULL, "no room");
    request_fail(scene.request, KW_E_IO, "later");
    request_done(scene.request);
    assert_fails(request_wait(&scene.op, scene.request), KW_E_FULL);
    assert_string_equal(kw_op_cause(&scene.op), "no room");
    end(&scene);
}

static void second_run_starts_clean(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, 0);
    assert_true(request_begin(scene.request));
    request_ran(scene.request, kw_op_fail(&scene.op, KW_E_STATE, __FILE__, __LINE__, "first"));
    assert_true(request_begin(scene.request));
    assert_int_equal(scene.op.code, KW_CODE_OK);
    request_ran(scene.request, KW_OK);
    request_done(scene.request);
    assert_ok(request_wait(&scene.op, scene.request));
    end(&scene);
}

static void left_request_is_passed_over(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, os_clock_mono_ms() + 20);
    assert_fails(request_wait(&scene.op, scene.request), KW_E_TIMEOUT);
    assert_false(request_begin(scene.request));
    request_fail(scene.request, KW_E_IO, "nobody hears it");
    request_done(scene.request);
    end(&scene);
}

static void late_request_does_not_begin(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, os_clock_mono_ms() - 1);
    assert_false(request_begin(scene.request));
    request_done(scene.request);
    assert_fails(request_wait(&scene.op, scene.request), KW_E_TIMEOUT);
    end(&scene);
}

/* A deadline long past stands for a commit that takes longer than the grace period. */
static void commit_that_never_ends_is_unsure(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, os_clock_mono_ms() + 5000);
    assert_true(request_begin(scene.request));
    request_ran(scene.request, KW_OK);
    scene.op.deadline_ms = os_clock_mono_ms() - STORE_GRACE_MS;
    assert_fails(request_wait(&scene.op, scene.request), KW_E_UNSURE);
    assert_false(request_begin(scene.request)); /* its ctx is gone */
    request_done(scene.request);
    end(&scene);
}

static void full_queue_refuses(void **state)
{
    struct scene scene;
    static struct request *taken[STORE_QUEUE_MAX];

    (void)state;
    begin(&scene, 0);
    request_done(scene.request);
    for (unsigned i = 0; i < STORE_QUEUE_MAX; i++) {
        struct request *one = NULL;
        assert_ok(request_new(&scene.op, nothing, NULL, &one));
        assert_ok(request_queue_push(&scene.op, &scene.queue, one));
        request_unref(one);
    }
    assert_fails(request_queue_push(&scene.op, &scene.queue, scene.request), KW_E_LIMIT);
    unsigned n = request_queue_take(&scene.queue, 100, taken);
    assert_int_equal(n, 100);
    n += request_queue_take(&scene.queue, STORE_QUEUE_MAX, taken + n);
    assert_int_equal(n, STORE_QUEUE_MAX);
    for (unsigned i = 0; i < n; i++) {
        request_done(taken[i]);
    }
    end(&scene);
}

static void closed_queue_refuses_and_empties(void **state)
{
    struct scene scene;
    struct request *taken[2];

    (void)state;
    begin(&scene, 0);
    request_done(scene.request);
    struct request *one = NULL;
    assert_ok(request_new(&scene.op, nothing, NULL, &one));
    assert_ok(request_queue_push(&scene.op, &scene.queue, one));
    request_unref(one);
    request_queue_close(&scene.queue);
    assert_fails(request_queue_push(&scene.op, &scene.queue, scene.request), KW_E_UNAVAILABLE);
    assert_int_equal(request_queue_take(&scene.queue, 2, taken), 1);
    request_done(taken[0]);
    assert_int_equal(request_queue_take(&scene.queue, 2, taken), 0);
    end(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcome_reaches_who_waits),
        cmocka_unit_test(failure_of_the_batch_goes_first),
        cmocka_unit_test(second_run_starts_clean),
        cmocka_unit_test(left_request_is_passed_over),
        cmocka_unit_test(late_request_does_not_begin),
        cmocka_unit_test(commit_that_never_ends_is_unsure),
        cmocka_unit_test(full_queue_refuses),
        cmocka_unit_test(closed_queue_refuses_and_empties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
