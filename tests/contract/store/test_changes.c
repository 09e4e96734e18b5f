/* How changes behave together: all or nothing each, one order for all, nobody waits in vain. */
#include "env.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/clock.h"

/* --- a change that holds the committer until told --- */

struct gate {
    sem_t entered, leave;
    struct store *store;
    pthread_t thread;
    kw_status status;
    const struct store_device *device; /* inserted before it waits; may be NULL */
};

static kw_status hold(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct gate *gate = ctx;

    if (gate->device) {
        TRY(op, store_device_insert(op, txn, gate->device));
    }
    (void)sem_post(&gate->entered);
    (void)sem_wait(&gate->leave);
    return KW_OK;
}

static void *gate_main(void *ctx)
{
    struct gate *gate = ctx;

    gate->status = store_change(env_op(), gate->store, hold, gate);
    return NULL;
}

static void gate_close(struct gate *gate, struct store *store)
{
    gate->store = store;
    assert_int_equal(sem_init(&gate->entered, 0, 0), 0);
    assert_int_equal(sem_init(&gate->leave, 0, 0), 0);
    assert_int_equal(pthread_create(&gate->thread, NULL, gate_main, gate), 0);
    (void)sem_wait(&gate->entered);
}

static void gate_open(struct gate *gate)
{
    (void)sem_post(&gate->leave);
    assert_int_equal(pthread_join(gate->thread, NULL), 0);
    assert_ok(gate->status);
    (void)sem_destroy(&gate->entered);
    (void)sem_destroy(&gate->leave);
}

/* --- many at once --- */

struct worker {
    struct store *store;
    pthread_t thread;
    unsigned first, n; /* numbers of its certificates */
    enum kw_code fail; /* as each change ends */
    unsigned ok, other;
};

static void insert_one(struct worker *worker, unsigned no)
{
    char entry[32] = "";
    struct store_pubkey key = sample_pubkey(no);
    struct store_cert cert = sample_cert(no);
    struct insertion what = {.pubkey = &key, .cert = &cert, .entry = entry, .fail = worker->fail};

    (void)snprintf(entry, sizeof(entry), "entry of %u", no);
    kw_status status = store_change(env_op(), worker->store, insert_all, &what);
    worker->ok += status.code == worker->fail;
    worker->other += status.code != worker->fail;
}

static void *worker_main(void *ctx)
{
    struct worker *worker = ctx;

    for (unsigned i = 0; i < worker->n; i++) {
        insert_one(worker, worker->first + i);
    }
    return NULL;
}

static void work(struct worker *workers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), 0);
    }
}

static void rest(struct worker *workers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].ok, workers[i].n);
        assert_int_equal(workers[i].other, 0);
    }
}

/* Every log entry names a certificate; the order of entries must be that of rows. */
struct order {
    struct store *store;
    uint64_t next;
    int64_t last_row;
};

static kw_status check_order(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct order *order = ctx;
    unsigned no = 0;
    static struct store_cert got;

    ENSURE(op, index == order->next++, KW_E_INTEGRITY, "a gap before %d", (int)index);
    ENSURE(op, entry.len > 9 && memcmp(entry.p, "entry of ", 9) == 0, KW_E_INTEGRITY, "entry");
    for (size_t i = 9; i < entry.len; i++) {
        no = no * 10 + (unsigned)(entry.p[i] - '0');
    }
    struct store_cert want = sample_cert(no);
    TRY(op, store_cert_by_fingerprint(op, order->store, want.fingerprint, &got));
    ENSURE(op, got.row > order->last_row, KW_E_INTEGRITY, "entry %d is out of order", (int)index);
    order->last_row = got.row;
    return KW_OK;
}

static void assert_log_in_order(struct env *env, unsigned n)
{
    struct order order = {.store = env->store};

    assert_ok(store_log_each(env_op(), env->store, 0, n + 1, check_order, &order));
    assert_int_equal(order.next, n);
}

static void sixteen_threads_lose_nothing(void **state)
{
    struct env *env = *state;
    enum { THREADS = 16, EACH = 500 };
    struct worker workers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = env->store, .first = i * EACH, .n = EACH};
    }
    work(workers, THREADS);
    rest(workers, THREADS);
    env_reopen(env);
    struct store_counts counts = env_counts(env);
    assert_int_equal(counts.certs, THREADS * EACH);
    assert_int_equal(counts.pubkeys, THREADS * EACH);
    assert_int_equal(counts.log_entries, THREADS * EACH);
    assert_log_in_order(env, THREADS * EACH);
}

static void failing_change_harms_no_neighbour(void **state)
{
    struct env *env = *state;
    enum { THREADS = 24 };
    struct worker workers[THREADS];
    struct gate gate = {0};
    static struct store_cert got;

    gate_close(&gate, env->store);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){
            .store = env->store, .first = i, .n = 1, .fail = i % 3 == 1 ? KW_E_DENIED : KW_CODE_OK};
    }
    work(workers, THREADS);
    (void)usleep(100000); /* most of them wait now, for one batch */
    gate_open(&gate);
    rest(workers, THREADS);
    assert_int_equal(env_counts(env).certs, THREADS - THREADS / 3);
    assert_int_equal(env_counts(env).pubkeys, THREADS - THREADS / 3);
    assert_log_in_order(env, THREADS - THREADS / 3);
    for (unsigned i = 0; i < THREADS; i++) {
        struct store_cert cert = sample_cert(i);
        assert_fails(store_cert_by_fingerprint(env_op(), env->store, cert.fingerprint, &got),
                     i % 3 == 1 ? KW_E_NOT_FOUND : KW_CODE_OK);
    }
}

static void one_of_many_rivals_wins(void **state)
{
    struct env *env = *state;
    enum { THREADS = 12 };
    struct worker workers[THREADS];
    struct gate gate = {0};
    unsigned won = 0;

    gate_close(&gate, env->store);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = env->store, .first = 7, .n = 1};
    }
    work(workers, THREADS);
    (void)usleep(50000);
    gate_open(&gate);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        won += workers[i].ok;
    }
    assert_int_equal(won, 1);
    assert_int_equal(env_counts(env).certs, 1);
    assert_log_in_order(env, 1);
}

static void failure_keeps_its_reason(void **state)
{
    struct env *env = *state;
    struct store_pubkey key = sample_pubkey(1);
    struct insertion what = {.pubkey = &key, .fail = KW_E_DENIED};
    struct kw_op *op = env_op();
    char text[200];

    assert_int_equal(store_change(op, env->store, insert_all, &what).code, KW_E_DENIED);
    assert_int_equal(op->code, KW_E_DENIED);
    assert_string_equal(kw_op_message(op, text, sizeof(text)), "as told");
}

/* --- deadlines --- */

static kw_status count_runs(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    (void)op;
    (void)txn;
    atomic_fetch_add((atomic_int *)ctx, 1);
    return KW_OK;
}

static void late_change_is_never_run(void **state)
{
    struct env *env = *state;
    struct gate gate = {0};
    atomic_int runs = 0;

    gate_close(&gate, env->store);
    assert_fails(store_change(env_op_until(os_clock_mono_ms() + 40), env->store, count_runs, &runs),
                 KW_E_TIMEOUT);
    gate_open(&gate);
    env_add_device(env, 1); /* the queue is behind it now */
    assert_int_equal(atomic_load(&runs), 0);
    assert_fails(store_change(env_op_until(1), env->store, count_runs, &runs), KW_E_TIMEOUT);
    assert_int_equal(atomic_load(&runs), 0);
}

static kw_status sleep_in_change(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    (void)usleep(120000);
    return insert_all(op, txn, ctx);
}

static void begun_change_is_waited_for(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1);
    struct insertion what = {.device = &device};

    assert_ok(
        store_change(env_op_until(os_clock_mono_ms() + 60), env->store, sleep_in_change, &what));
    assert_ok(store_device_get(env_op(), env->store, "DEV00001", &device));
}

static kw_status change_within(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    (void)txn;
    struct env *env = ctx;

    return store_change(op, env->store, count_runs, NULL);
}

static void change_within_a_change_is_refused(void **state)
{
    struct env *env = *state;

    assert_fails(store_change(env_op(), env->store, change_within, env), KW_E_INTERNAL);
}

static void close_waits_for_changes(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1);
    struct gate gate = {.device = &device};

    gate_close(&gate, env->store);
    (void)sem_post(&gate.leave);
    env_close(env);
    (void)sem_post(&gate.leave); /* whichever comes first */
    assert_int_equal(pthread_join(gate.thread, NULL), 0);
    assert_ok(gate.status);
    env_open(env);
    assert_ok(store_device_get(env_op(), env->store, "DEV00001", &device));
}

/* --- readers --- */

static void readers_do_not_wait_for_the_committer(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1), got = {0};
    struct gate gate = {.device = &device};

    gate_close(&gate, env->store);
    assert_fails(
        store_device_get(env_op_until(os_clock_mono_ms() + 2000), env->store, "DEV00001", &got),
        KW_E_NOT_FOUND); /* not committed, so not seen */
    gate_open(&gate);
    assert_ok(store_device_get(env_op(), env->store, "DEV00001", &got));
}

struct nest {
    struct store *store;
    unsigned depth;
};

static kw_status go_deeper(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct nest *nest = ctx;

    (void)index;
    (void)entry;
    nest->depth++;
    return store_log_each(op, nest->store, 0, 1, go_deeper, nest);
}

static void readers_run_out_with_a_deadline(void **state)
{
    struct env *env = *state;
    struct nest nest = {.store = env->store};

    assert_ok(env_insert(env, &(struct insertion){.entry = "one"}));
    assert_fails(
        store_log_each(env_op_until(os_clock_mono_ms() + 300), env->store, 0, 1, go_deeper, &nest),
        KW_E_TIMEOUT);
    assert_in_range(nest.depth, 8, 64);
    assert_int_equal(env_counts(env).log_entries, 1); /* all came back */
}

/* --- the log and its seal hook --- */

struct sealer {
    kw_status verdict;
    unsigned calls, durable, undone;
    uint64_t size; /* as the hook saw it */
    char entries[256];
};

static kw_status seal(struct kw_op *op, struct store_txn *txn, const struct kw_span entries[],
                      unsigned n, void *ctx)
{
    struct sealer *sealer = ctx;
    uint8_t hash[KW_HASH_BYTES] = {0};

    sealer->calls++;
    TRY(op, store_log_size_txn(op, txn, &sealer->size));
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(sealer->entries);
        (void)snprintf(sealer->entries + len, sizeof(sealer->entries) - len, "%.*s;",
                       (int)entries[i].len, (const char *)entries[i].p);
    }
    hash[0] = (uint8_t)sealer->calls;
    TRY(op, store_log_tile_put(op, txn, 0, 0, KW_SPAN_ARRAY(hash)));
    TRY(op, store_blob_put(op, txn, "checkpoint", sealer->size + n, kw_span_text("signed")));
    ENSURE(op, kw_ok(sealer->verdict), sealer->verdict.code, "the keeper is away");
    return KW_OK;
}

static void sealed(bool durable, void *ctx)
{
    struct sealer *sealer = ctx;

    sealer->durable += durable;
    sealer->undone += !durable;
}

static void use_sealer(struct env *env, struct sealer *sealer)
{
    env->config.seal = seal;
    env->config.sealed = sealed;
    env->config.seal_ctx = sealer;
    env_reopen(env);
}

static kw_status append_two(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    TRY(op, store_log_append(op, txn, kw_span_text("a")));
    TRY(op, store_log_append(op, txn, kw_span_text("b")));
    return insert_all(op, txn, ctx);
}

static void seal_hook_sees_entries_in_order(void **state)
{
    struct env *env = *state;
    struct sealer sealer = {0};
    struct insertion nothing = {0};
    AUTO(kw_bytes) *tile = NULL;
    AUTO(kw_bytes) *checkpoint = NULL;
    uint64_t version = 0;

    use_sealer(env, &sealer);
    assert_ok(env_insert(env, &(struct insertion){.entry = "first"}));
    assert_int_equal(sealer.size, 0);
    assert_ok(store_change(env_op(), env->store, append_two, &nothing));
    assert_int_equal(sealer.size, 1);
    assert_string_equal(sealer.entries, "first;a;b;");
    env_add_device(env, 1); /* no entry: nothing to seal */
    assert_int_equal(sealer.calls, 2);
    assert_int_equal(sealer.durable, 2);
    assert_int_equal(sealer.undone, 0);
    assert_ok(store_log_tile_get(env_op(), env->store, 0, 0, &tile));
    assert_int_equal(tile->p[0], 2);
    assert_ok(store_blob_get(env_op(), env->store, "checkpoint", &version, &checkpoint));
    assert_int_equal(version, 3);
}

static void seal_failure_undoes_the_batch(void **state)
{
    struct env *env = *state;
    struct sealer sealer = {.verdict = KW_FAIL(KW_E_TIMEOUT)};
    struct store_device device = sample_device(1);
    struct insertion what = {.device = &device, .entry = "lost"};
    AUTO(kw_bytes) *tile = NULL;
    uint64_t size = 9;

    use_sealer(env, &sealer);
    assert_fails(env_insert(env, &what), KW_E_UNAVAILABLE);
    assert_int_equal(sealer.undone, 1);
    assert_fails(store_device_get(env_op(), env->store, "DEV00001", &device), KW_E_NOT_FOUND);
    assert_fails(store_log_tile_get(env_op(), env->store, 0, 0, &tile), KW_E_NOT_FOUND);
    assert_ok(store_log_size(env_op(), env->store, &size));
    assert_int_equal(size, 0);
    assert_int_equal(env_counts(env).devices, 0);
    sealer.verdict = KW_OK;
    assert_ok(env_insert(env, &what));
    assert_int_equal(sealer.size, 0);
    assert_int_equal(sealer.durable, 1);
}

static void failed_changes_leave_no_entries(void **state)
{
    struct env *env = *state;
    struct sealer sealer = {0};
    struct store_pubkey key = sample_pubkey(1);

    use_sealer(env, &sealer);
    assert_fails(env_insert(env, &(struct insertion){.entry = "no", .fail = KW_E_DENIED}),
                 KW_E_DENIED);
    assert_fails(
        env_insert(env, &(struct insertion){.pubkey = &key, .entry = "no", .fail = KW_E_STATE}),
        KW_E_STATE);
    assert_int_equal(sealer.calls, 0);
    assert_ok(env_insert(env, &(struct insertion){.entry = "yes"}));
    assert_string_equal(sealer.entries, "yes;");
    assert_int_equal(env_counts(env).log_entries, 1);
}

static kw_status put_tile(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    uint8_t hash[KW_HASH_BYTES] = {0};

    (void)ctx;
    return store_log_tile_put(op, txn, 0, 0, KW_SPAN_ARRAY(hash));
}

static void tiles_come_from_the_seal_hook_alone(void **state)
{
    struct env *env = *state;

    assert_fails(store_change(env_op(), env->store, put_tile, NULL), KW_E_INTERNAL);
}

struct tiler {
    unsigned level;
    uint64_t index;
    size_t len;
};

static kw_status tile_seal(struct kw_op *op, struct store_txn *txn, const struct kw_span entries[],
                           unsigned n, void *ctx)
{
    static const uint8_t hashes[257 * KW_HASH_BYTES];
    const struct tiler *tiler = ctx;

    (void)entries;
    (void)n;
    return store_log_tile_put(op, txn, tiler->level, tiler->index, KW_SPAN(hashes, tiler->len));
}

static void tiles_grow_to_full_width(void **state)
{
    struct env *env = *state;
    struct tiler tiler = {.level = 5, .index = (UINT64_C(1) << 56) - 1};
    AUTO(kw_bytes) *tile = NULL;

    env->config.seal = tile_seal;
    env->config.seal_ctx = &tiler;
    env_reopen(env);
    struct insertion entry = {.entry = "x"};
    for (tiler.len = 0; tiler.len <= (size_t)257 * KW_HASH_BYTES; tiler.len += 16) {
        bool fine = tiler.len > 0 && tiler.len % 32 == 0 && tiler.len <= 8192;
        if (tiler.len % 1024 < 64 || tiler.len > 8000) {
            assert_fails(env_insert(env, &entry), fine ? KW_CODE_OK : KW_E_UNAVAILABLE);
        }
    }
    tiler.len = 4096; /* narrower than before */
    assert_fails(env_insert(env, &entry), KW_E_UNAVAILABLE);
    assert_ok(store_log_tile_get(env_op(), env->store, 5, tiler.index, &tile));
    assert_int_equal(tile->len, 8192);
    assert_fails(store_log_tile_get(env_op(), env->store, 4, tiler.index, &tile), KW_E_NOT_FOUND);
    assert_fails(store_log_tile_get(env_op(), env->store, 0, UINT64_MAX, &tile), KW_E_INPUT);
}

struct slice {
    uint64_t first, n;
};

static kw_status take_slice(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct slice *slice = ctx;

    ENSURE(op, entry.len == 1 && entry.p[0] == 'a' + index, KW_E_INTEGRITY, "wrong entry");
    if (slice->n++ == 0) {
        slice->first = index;
    }
    return KW_OK;
}

static void log_is_read_in_slices(void **state)
{
    struct env *env = *state;
    struct slice slice = {0};
    static char large[KW_LOG_ENTRY_MAX + 2];

    for (char c = 'a'; c <= 'j'; c++) {
        char entry[2] = {c, '\0'};
        assert_ok(env_insert(env, &(struct insertion){.entry = entry}));
    }
    assert_ok(store_log_each(env_op(), env->store, 4, 3, take_slice, &slice));
    assert_int_equal(slice.first, 4);
    assert_int_equal(slice.n, 3);
    slice.n = 0;
    assert_ok(store_log_each(env_op(), env->store, 8, 100, take_slice, &slice));
    assert_int_equal(slice.n, 2);
    assert_ok(store_log_each(env_op(), env->store, 10, 100, take_slice, &slice));
    assert_int_equal(slice.n, 2);
    assert_fails(env_insert(env, &(struct insertion){.entry = ""}), KW_E_TOO_LARGE);
    memset(large, 'x', KW_LOG_ENTRY_MAX + 1);
    assert_fails(env_insert(env, &(struct insertion){.entry = large}), KW_E_TOO_LARGE);
    large[KW_LOG_ENTRY_MAX] = '\0';
    assert_ok(env_insert(env, &(struct insertion){.entry = large}));
}

static void small_batches_work_as_well(void **state)
{
    struct env *env = *state;
    enum { THREADS = 8 };
    struct worker workers[THREADS];

    env->config.batch_max = 2;
    env_reopen(env);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = env->store, .first = i * 50, .n = 50};
    }
    work(workers, THREADS);
    rest(workers, THREADS);
    assert_log_in_order(env, THREADS * 50);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(sixteen_threads_lose_nothing),
        STORE_TEST(failing_change_harms_no_neighbour),
        STORE_TEST(one_of_many_rivals_wins),
        STORE_TEST(failure_keeps_its_reason),
        STORE_TEST(late_change_is_never_run),
        STORE_TEST(begun_change_is_waited_for),
        STORE_TEST(change_within_a_change_is_refused),
        STORE_TEST(close_waits_for_changes),
        STORE_TEST(readers_do_not_wait_for_the_committer),
        STORE_TEST(readers_run_out_with_a_deadline),
        STORE_TEST(seal_hook_sees_entries_in_order),
        STORE_TEST(seal_failure_undoes_the_batch),
        STORE_TEST(failed_changes_leave_no_entries),
        STORE_TEST(tiles_come_from_the_seal_hook_alone),
        STORE_TEST(tiles_grow_to_full_width),
        STORE_TEST(log_is_read_in_slices),
        STORE_TEST(small_batches_work_as_well),
    };

    return env_main(argc, argv, tests, KW_COUNT(tests), "store changes");
}
