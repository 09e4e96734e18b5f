/* kill -9 in mid-load: whatever was acknowledged is there, and nothing is there by halves. */
#include "env.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20, WRITERS = 8, NUMBERS_MAX = 1 << 20 };

struct load {
    struct env *env;
    int fd; /* acknowledged numbers go there */
    atomic_uint next;
};

static bool insert_number(struct env *env, unsigned no)
{
    char entry[32] = "";
    struct store_pubkey key = sample_pubkey(no);
    struct store_cert cert = sample_cert(no);
    struct insertion what = {.pubkey = &key, .cert = &cert, .entry = entry};

    (void)snprintf(entry, sizeof(entry), "entry of %u", no);
    return kw_ok(store_change(env_op(), env->store, insert_all, &what));
}

static void *load_main(void *ctx)
{
    struct load *load = ctx;

    for (;;) {
        unsigned no = atomic_fetch_add(&load->next, 1);
        if (!insert_number(load->env, no) ||
            write(load->fd, &no, sizeof(no)) != (ssize_t)sizeof(no)) {
            return NULL;
        }
    }
}

/* Never returns: it is killed, or ends with 1 where a change failed. */
static void child_main(struct env *env, int fd, unsigned first)
{
    static struct load load;
    pthread_t threads[WRITERS];
    struct kw_op op;

    kw_op_init(&op, "child", 0);
    load.env = env;
    load.fd = fd;
    atomic_init(&load.next, first);
    if (!kw_ok(store_open(&op, &env->config, &env->store))) {
        _exit(1);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        if (pthread_create(&threads[i], NULL, load_main, &load) != 0) {
            _exit(1);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    _exit(1);
}

/* Numbers that were acknowledged, into seen[]; how many. */
static unsigned drain(int fd, uint8_t *seen)
{
    unsigned n = 0, no = 0;

    while (read(fd, &no, sizeof(no)) == (ssize_t)sizeof(no)) {
        assert_in_range(no, 0, NUMBERS_MAX - 1);
        seen[no] = 1;
        n++;
    }
    return n;
}

/* One child: started, killed in mid-load, its acknowledgements taken. */
static unsigned run_round(struct env *env, unsigned first, useconds_t us, uint8_t *seen)
{
    int ends[2];
    unsigned no = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        child_main(env, ends[1], first);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &no, sizeof(no)), sizeof(no)); /* it works by now */
    seen[no] = 1;
    (void)usleep(us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    unsigned n = 1 + drain(ends[0], seen);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(ends[0]);
    return n;
}

static void assert_all_there(struct env *env, const uint8_t *seen, unsigned end)
{
    static struct store_cert got;
    struct store_pubkey key;

    for (unsigned no = 0; no < end; no++) {
        if (!seen[no]) {
            continue;
        }
        struct store_cert want = sample_cert(no);
        assert_ok(store_cert_by_serial(env_op(), env->store, "devices",
                                       KW_SPAN(want.serial, want.serial_len), &got));
        assert_int_equal(got.der_len, want.der_len);
        assert_memory_equal(got.der, want.der, want.der_len);
        assert_ok(store_pubkey_get(env_op(), env->store, want.pubkey, &key));
    }
}

static kw_status count_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    uint64_t *next = ctx;

    ENSURE(op, index == *next && entry.len > 9, KW_E_INTEGRITY, "entry %d", (int)index);
    (*next)++;
    return KW_OK;
}

/* Certificates, keys and entries were made together, so there are as many of each. */
static void assert_nothing_by_halves(struct env *env, unsigned at_least)
{
    struct store_counts counts = env_counts(env);
    uint64_t entries = 0;

    assert_true(counts.certs >= at_least);
    assert_int_equal(counts.pubkeys, counts.certs);
    assert_int_equal(counts.log_entries, counts.certs);
    assert_ok(store_log_each(env_op(), env->store, 0, UINT32_MAX, count_entry, &entries));
    assert_int_equal(entries, counts.certs);
}

static void acknowledged_changes_survive_kill(void **state)
{
    struct env *env = *state;
    uint8_t *seen = calloc(NUMBERS_MAX, 1);
    unsigned acknowledged = 0, first = 0;

    assert_non_null(seen);
    for (unsigned round = 0; round < ROUNDS; round++) {
        env_close(env); /* the child shall be the only one */
        acknowledged += run_round(env, first, 5000 + round * 7919 % 90000, seen);
        env->backend->check(env);
        env_open(env);
        assert_nothing_by_halves(env, acknowledged);
        first = (round + 1) * (NUMBERS_MAX / ROUNDS); /* numbers of their own for each round */
    }
    assert_all_there(env, seen, NUMBERS_MAX);
    free(seen);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {STORE_TEST(acknowledged_changes_survive_kill)};

    return env_main(argc, argv, tests, KW_COUNT(tests), "store crash");
}
