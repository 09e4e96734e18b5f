/* The disk is full: clear refusals, nothing changed, reads go on, and it heals by itself. */
#include "env.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

enum { ENOUGH = 20000 };

static char mount_point[64];

/* A small file system of our own, seen by this process alone. */
static bool mount_small(void)
{
    (void)snprintf(mount_point, sizeof(mount_point), "/tmp/kw-store-full-XXXXXX");
    if (!mkdtemp(mount_point)) {
        return false;
    }
    bool apart = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    return apart && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", mount_point, "tmpfs", 0, "size=4m") == 0;
}

static void resize(const char *size)
{
    assert_int_equal(mount(NULL, mount_point, NULL, MS_REMOUNT, size), 0);
}

static kw_status insert_number(struct env *env, unsigned no)
{
    struct store_pubkey key = sample_pubkey(no);
    struct store_cert cert = sample_cert(no);

    return env_insert(env, &(struct insertion){.pubkey = &key, .cert = &cert, .entry = "an entry"});
}

/* Insert until it is full; the number that did not fit. */
static unsigned fill(struct env *env)
{
    for (unsigned no = 0; no < ENOUGH; no++) {
        kw_status status = insert_number(env, no);
        if (!kw_ok(status)) {
            assert_int_equal(status.code, KW_E_FULL);
            return no;
        }
    }
    fail_msg("it never got full");
    return 0;
}

static void assert_holds(struct env *env, unsigned n)
{
    struct store_counts counts = env_counts(env);
    static struct store_cert got;

    assert_int_equal(counts.certs, n);
    assert_int_equal(counts.pubkeys, n);
    assert_int_equal(counts.log_entries, n);
    struct store_cert last = sample_cert(n - 1);
    assert_ok(store_cert_by_fingerprint(env_op(), env->store, last.fingerprint, &got));
    struct store_cert next = sample_cert(n);
    assert_fails(store_cert_by_fingerprint(env_op(), env->store, next.fingerprint, &got),
                 KW_E_NOT_FOUND);
}

static void full_disk_refuses_and_heals(void **state)
{
    struct env *env = *state;
    unsigned n = fill(env);

    assert_in_range(n, 20, ENOUGH - 1);
    assert_holds(env, n);
    assert_fails(insert_number(env, n), KW_E_FULL);
    assert_holds(env, n);
    resize("size=64m");
    for (unsigned no = n; no < n + 500; no++) {
        assert_ok(insert_number(env, no));
    }
    assert_holds(env, n + 500);
    env_reopen(env);
    assert_holds(env, n + 500);
}

static void full_disk_outlives_a_restart(void **state)
{
    struct env *env = *state;
    unsigned n = fill(env);

    env_close(env);
    kw_status status = store_open(env_op(), &env->config, &env->store);
    if (kw_ok(status)) {
        assert_holds(env, n);
        env_close(env);
    } else {
        assert_int_equal(status.code, KW_E_FULL);
    }
    resize("size=64m");
    env_open(env);
    assert_holds(env, n);
    assert_ok(insert_number(env, n));
}

struct crowd {
    struct env *env;
    pthread_t thread;
    unsigned first, done;
    enum kw_code end;
};

static void *crowd_main(void *ctx)
{
    struct crowd *crowd = ctx;

    while (crowd->end == KW_CODE_OK) {
        crowd->end = insert_number(crowd->env, crowd->first + crowd->done).code;
        crowd->done += crowd->end == KW_CODE_OK;
    }
    return NULL;
}

static void whole_batches_meet_a_full_disk(void **state)
{
    struct env *env = *state;
    struct crowd crowd[8];
    unsigned done = 0;

    for (unsigned i = 0; i < KW_COUNT(crowd); i++) {
        crowd[i] = (struct crowd){.env = env, .first = i * ENOUGH};
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, crowd_main, &crowd[i]), 0);
    }
    for (unsigned i = 0; i < KW_COUNT(crowd); i++) {
        assert_int_equal(pthread_join(crowd[i].thread, NULL), 0);
        assert_int_equal(crowd[i].end, KW_E_FULL);
        done += crowd[i].done;
    }
    assert_int_equal(env_counts(env).certs, done);
    assert_int_equal(env_counts(env).log_entries, done);
}

static int setup(void **state)
{
    if (mount(NULL, mount_point, NULL, MS_REMOUNT, "size=4m") != 0) {
        return -1;
    }
    return env_setup(state);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_disk_refuses_and_heals, setup, env_teardown),
        cmocka_unit_test_setup_teardown(full_disk_outlives_a_restart, setup, env_teardown),
        cmocka_unit_test_setup_teardown(whole_batches_meet_a_full_disk, setup, env_teardown),
    };

    if (!mount_small()) {
        (void)rmdir(mount_point);
        print_message("1..0 # SKIP no right to mount a small file system\n");
        return 77;
    }
    (void)setenv("TMPDIR", mount_point, /* overwrite= */ 1);
    int rc = env_main(argc, argv, tests, KW_COUNT(tests), "store full");
    (void)umount2(mount_point, MNT_DETACH);
    (void)rmdir(mount_point);
    return rc;
}
