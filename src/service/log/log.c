#include "service/log/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "os/clock.h"
#include "service/log/gap.h"
#include "service/log/keys.h"
#include "service/log/lines.h"
#include "service/log/read.h"

enum { SIGN_DEADLINE_MS = 10000, SIGN_RETRY_MS = 500 };

struct log_sequencer {
    struct service *service;
    struct tlog_edge edge;   /* committer thread only */
    struct tlog_edge before; /* the same before the batch in hand, to go back to */

    pthread_mutex_t lock;     /* guards all below */
    pthread_cond_t grew;      /* those who wait for more entries */
    pthread_cond_t ending;    /* the signer, while it lets entries gather */
    bool hurry;               /* the server stops: nobody waits any more */
    struct tlog_edge durable; /* the committed tree; its root is computed when a head is signed */
    struct checkpoint head;   /* the newest signed one; size 0 before the first */
    bool stop, running;
    pthread_t thread;
    pthread_mutex_t signing; /* one signature at a time; guards keys */
    struct log_keys keys;    /* that sign; none: to be read from the keeper */
    uint64_t behind;         /* the keeper signed so many entries, more than there are; 0: no */
};

kw_status log_new(struct kw_op *op, struct log_sequencer **ret)
{
    struct log_sequencer *log = calloc(1, sizeof(*log));

    ENSURE(op, log, KW_E_MEMORY, "no memory for the log");
    tlog_edge_init(&log->edge);
    pthread_mutex_init(&log->lock, NULL);
    pthread_mutex_init(&log->signing, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&log->grew, &monotonic);
    pthread_cond_init(&log->ending, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = log;
    return KW_OK;
}

void log_free(struct log_sequencer *log)
{
    if (!log) {
        return;
    }
    log_stop(log);
    pthread_cond_destroy(&log->grew);
    pthread_cond_destroy(&log->ending);
    pthread_mutex_destroy(&log->lock);
    pthread_mutex_destroy(&log->signing);
    log_keys_done(&log->keys);
    free(log);
}

/* --- within the committer's transaction
 * --------------------------------------------------------------------------- */

static kw_status put_full_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                               const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    struct kw_span span = KW_SPAN(hashes, TLOG_TILE_WIDTH * sizeof(*hashes));

    return store_log_tile_put(op, ctx, level, index, span);
}

/* The partial tiles that grew since `old_size`; complete ones were written by put_full_tile(). */
static kw_status put_partial_tiles(struct kw_op *op, struct store_txn *txn,
                                   const struct tlog_edge *edge, uint64_t old_size)
{
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        uint64_t hashes = edge->size >> (8 * level);

        if (edge->width[level] == 0 || hashes == old_size >> (8 * level)) {
            continue;
        }
        struct kw_span span =
            KW_SPAN(edge->tile[level], edge->width[level] * sizeof(struct tlog_hash));
        TRY(op, store_log_tile_put(op, txn, level, hashes / TLOG_TILE_WIDTH, span));
    }
    return KW_OK;
}

static kw_status seal(struct kw_op *op, struct store_txn *txn, const struct kw_span entries[],
                      unsigned n, void *ctx)
{
    struct log_sequencer *log = ctx;

    tlog_edge_copy(&log->before, &log->edge);
    if (log->service) {
        TRY(op, log_gap_refuse(op, log->service));
    }
    for (unsigned i = 0; i < n; i++) {
        struct tlog_hash leaf = tlog_leaf_hash(entries[i]);
        TRY(op, tlog_edge_append(op, &log->edge, &leaf, put_full_tile, txn), "growing the log");
    }
    return put_partial_tiles(op, txn, &log->edge, log->before.size);
}

static void sealed(bool durable, void *ctx)
{
    struct log_sequencer *log = ctx;

    if (!durable) {
        tlog_edge_copy(&log->edge, &log->before);
        return;
    }
    pthread_mutex_lock(&log->lock);
    tlog_edge_copy(&log->durable, &log->edge);
    pthread_mutex_unlock(&log->lock);
    pthread_cond_broadcast(&log->grew);
}

void log_hooks(struct log_sequencer *log, struct store_config *config)
{
    config->seal = seal;
    config->sealed = sealed;
    config->seal_ctx = log;
}

bool log_wait(struct service *service, uint64_t size, int64_t until_mono_ms)
{
    struct log_sequencer *log = service->log;
    struct timespec until = {.tv_sec = until_mono_ms / 1000,
                             .tv_nsec = until_mono_ms % 1000 * 1000000};

    pthread_mutex_lock(&log->lock);
    while (log->durable.size <= size && !log->hurry &&
           pthread_cond_timedwait(&log->grew, &log->lock, &until) == 0) {
    }
    bool longer = log->durable.size > size;
    pthread_mutex_unlock(&log->lock);
    return longer;
}

void log_hurry(struct service *service)
{
    struct log_sequencer *log = service->log;

    pthread_mutex_lock(&log->lock);
    log->hurry = true;
    pthread_cond_broadcast(&log->grew);
    pthread_mutex_unlock(&log->lock);
}

/* --- signed heads ----------------------------------------------------------------------------- */

static struct checkpoint signed_head(struct log_sequencer *log)
{
    pthread_mutex_lock(&log->lock);
    struct checkpoint head = log->head;
    pthread_mutex_unlock(&log->lock);
    return head;
}

/* The head of the committed tree, not signed yet. */
static struct checkpoint durable_head(struct log_sequencer *log)
{
    struct checkpoint head = {0};
    struct tlog_edge edge;

    pthread_mutex_lock(&log->lock);
    tlog_edge_copy(&edge, &log->durable);
    pthread_mutex_unlock(&log->lock);
    KW_TEXT_SET(head.origin, log->service->config.log_origin);
    head.size = edge.size;
    head.root = tlog_edge_root(&edge);
    return head;
}

/* One request to the keeper: the new head and the proof that it extends a tree of old_size. */
static kw_status ask_signature(struct kw_op *op, struct service *service, const char *key_id,
                               const struct checkpoint *next, const char *body, uint64_t old_size,
                               struct kw_out *sig, uint64_t *ret_last)
{
    struct tlog_hash proof[TLOG_PROOF_MAX];
    struct tlog_reader reader = log_store_reader(service);
    unsigned n = 0;

    if (old_size > 0 && old_size < next->size) {
        TRY(op, tlog_consistency(op, &reader, old_size, next->size, proof, &n),
            "proving consistency");
    }
    return keeper_sign_checkpoint(op, service_keeper(service, key_id), key_id, kw_span_text(body),
                                  old_size, (const uint8_t(*)[KW_HASH_BYTES])proof, n, sig,
                                  ret_last);
}

/*
 * The keeper remembers the last head that it signed; ours may lag behind it where we were killed
 * between its signature and our commit. A store that is smaller than the keeper's head was put back
 * to an older state: that is never signed over.
 */
static kw_status sign_head(struct kw_op *op, struct log_sequencer *log, const char *key_id,
                           const struct checkpoint *next, const char *body, uint64_t old_size,
                           struct kw_out *sig)
{
    struct service *service = log->service;
    uint64_t last = old_size;
    kw_status status = ask_signature(op, service, key_id, next, body, old_size, sig, &last);

    if (kw_ok(status) || status.code != KW_E_DENIED || last == old_size) {
        return status;
    }
    kw_op_clear(op);
    log->behind = last > next->size ? last : 0;
    ENSURE(op, last <= next->size, KW_E_INTEGRITY,
           "the store holds %llu log entries but %llu were signed: it was put back to an older "
           "state; bring the newest one back",
           (unsigned long long)next->size, (unsigned long long)last);
    status = ask_signature(op, service, key_id, next, body, last, sig, &last);
    if (status.code == KW_E_DENIED) { /* enough entries, but others than those that were signed */
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY,
                    "the log is not the one whose head of %llu entries was signed: the store was "
                    "put back to an older state, then grew",
                    (unsigned long long)last);
    }
    return status;
}

struct head_change {
    uint64_t size;
    struct kw_span note;
};

static kw_status put_head(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct head_change *change = ctx;

    return store_blob_put(op, txn, LOG_CHECKPOINT_BLOB, change->size, change->note);
}

/* With `signing` held. A rotation that was cut is announced now; where that fails, heads are signed
 * all the same. */
static kw_status know_keys(struct kw_op *op, struct log_sequencer *log)
{
    struct kw_op own;

    if (log->keys.n > 0) {
        return KW_OK;
    }
    TRY(op, log_keys_load(op, log->service, &log->keys));
    kw_op_init(&own, op->principal, op->deadline_ms);
    if (!kw_ok(log_announce_all(&own, log->service, &log->keys))) {
        service_complain(log->service, &own, "the log's next key could not be announced");
    }
    return KW_OK;
}

/* The note with one signature line for each key. */
static kw_status sign_by_all(struct kw_op *op, struct log_sequencer *log,
                             const struct checkpoint *next, const char *body, struct kw_bytes **ret)
{
    uint64_t old_size = signed_head(log).size;
    AUTO(kw_bytes) *note = NULL;

    TRY(op, know_keys(op, log));
    for (unsigned i = 0; i < log->keys.n; i++) {
        const struct log_key *key = &log->keys.at[i];
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        TRY(op, sign_head(op, log, key->id, next, body, old_size, &sig),
            "signing the log's head by '%s'", key->id);
        if (note) {
            TRY(op, checkpoint_add(op, next->origin, key->key, kw_out_span(&sig), note));
        } else {
            TRY(op, checkpoint_note(op, body, next->origin, key->key, kw_out_span(&sig), &note));
        }
    }
    *ret = TAKE(note);
    return KW_OK;
}

/* A key may have been retired since we read which ones sign. */
static kw_status make_note(struct kw_op *op, struct log_sequencer *log,
                           const struct checkpoint *next, struct kw_bytes **ret)
{
    char body[CHECKPOINT_TEXT_MAX];

    TRY(op, checkpoint_body(op, next, body, sizeof(body)));
    kw_status status = sign_by_all(op, log, next, body, ret);
    if (status.code != KW_E_STATE && status.code != KW_E_EXPIRED) {
        return status;
    }
    kw_op_clear(op);
    log_keys_done(&log->keys);
    return sign_by_all(op, log, next, body, ret);
}

static kw_status sign_and_keep(struct kw_op *op, struct log_sequencer *log,
                               const struct checkpoint *next)
{
    AUTO(kw_bytes) *note = NULL;

    TRY(op, make_note(op, log, next, &note));
    struct head_change change = {.size = next->size, .note = kw_bytes_span(note)};
    TRY(op, store_change(op, log->service->store, put_head, &change), "keeping the checkpoint");
    pthread_mutex_lock(&log->lock);
    log->head = *next;
    pthread_mutex_unlock(&log->lock);
    return KW_OK;
}

static bool has_key(const struct log_keys *keys, const char *key_id)
{
    for (unsigned i = 0; i < keys->n; i++) {
        if (strcmp(keys->at[i].id, key_id) == 0) {
            return true;
        }
    }
    return false;
}

kw_status log_takes_key(struct kw_op *op, struct service *service, const char *key_id)
{
    struct log_sequencer *log = service->log;

    pthread_mutex_lock(&log->signing);
    if (!has_key(&log->keys, key_id)) {
        log_keys_done(&log->keys);
    }
    kw_status status = know_keys(op, log);
    pthread_mutex_unlock(&log->signing);
    return status;
}

kw_status log_checkpoint_now(struct kw_op *op, struct service *service)
{
    struct log_sequencer *log = service->log;
    kw_status status = KW_OK;

    TRY(op, log_gap_refuse(op, service));
    pthread_mutex_lock(&log->signing);
    struct checkpoint next = durable_head(log);
    if (next.size > signed_head(log).size) {
        status = sign_and_keep(op, log, &next);
    }
    pthread_mutex_unlock(&log->signing);
    return status;
}

/* A head that a witness kept: ours goes beyond it and agrees with it, or we are behind it. */
static kw_status compare_seen(struct kw_op *op, struct log_sequencer *log,
                              const struct checkpoint *now)
{
    struct tlog_reader reader = log_store_reader(log->service);
    struct checkpoint seen;
    struct tlog_hash root;

    TRY(op, log_gap_seen(op, log->service, &seen), "the checkpoint that was seen elsewhere");
    if (seen.size == 0) {
        return KW_OK;
    }
    if (seen.size > now->size) {
        log_gap_begin(log->service, now->size, seen.size);
        return KW_OK;
    }
    TRY(op, tlog_root(op, &reader, seen.size, &root));
    ENSURE(op, kw_span_equal(KW_SPAN_ARRAY(root.b), KW_SPAN_ARRAY(seen.root.b)), KW_E_INTEGRITY,
           "the log is not the one of which %llu entries were seen: the store was put back to an "
           "older state, then grew",
           (unsigned long long)seen.size);
    return KW_OK;
}

static kw_status confirm(struct kw_op *op, struct log_sequencer *log, const struct checkpoint *now)
{
    TRY(op, compare_seen(op, log, now));
    if (atomic_load(&log->service->gap.open)) {
        return KW_OK; /* not to be signed over */
    }
    log->behind = 0;
    kw_status status = sign_and_keep(op, log, now);
    if (kw_ok(status) || log->behind == 0) {
        return status;
    }
    kw_op_clear(op);
    log_gap_begin(log->service, now->size, log->behind);
    return KW_OK;
}

struct checkpoint log_head_signed(struct service *service)
{
    return signed_head(service->log);
}

struct checkpoint log_head_now(struct service *service)
{
    return durable_head(service->log);
}

kw_status log_confirm(struct kw_op *op, struct service *service)
{
    struct log_sequencer *log = service->log;
    kw_status status = KW_OK;

    pthread_mutex_lock(&log->signing);
    struct checkpoint now = durable_head(log);
    status = now.size > 0 ? confirm(op, log, &now)
                          : FAIL(op, KW_E_INTEGRITY,
                                 "the store is empty, though 'keywright init' filled it: bring it "
                                 "back");
    pthread_mutex_unlock(&log->signing);
    return status;
}

/* Wait until the tree grew beyond the signed head, or the end. True: go on. */
static bool wait_growth(struct log_sequencer *log)
{
    pthread_mutex_lock(&log->lock);
    while (!log->stop && log->durable.size <= log->head.size) {
        pthread_cond_wait(&log->grew, &log->lock);
    }
    bool go_on = !log->stop;
    pthread_mutex_unlock(&log->lock);
    return go_on;
}

/* Sleep, but end early at a stop. */
static void pause_ms(struct log_sequencer *log, unsigned ms)
{
    int64_t until_ns = os_clock_mono_ns() + (int64_t)ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};

    pthread_mutex_lock(&log->lock);
    while (!log->stop && pthread_cond_timedwait(&log->ending, &log->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&log->lock);
}

static void *sign_heads(void *ctx)
{
    struct log_sequencer *log = ctx;

    while (wait_growth(log)) {
        struct kw_op op;
        pause_ms(log, log->service->config.checkpoint_ms);
        kw_op_init(&op, "system", os_clock_mono_ms() + SIGN_DEADLINE_MS);
        if (!kw_ok(log_checkpoint_now(&op, log->service))) {
            service_complain(log->service, &op, "the log's head could not be signed");
            pause_ms(log, SIGN_RETRY_MS);
        }
    }
    return NULL;
}

kw_status log_start(struct kw_op *op, struct log_sequencer *log)
{
    ENSURE(op, pthread_create(&log->thread, NULL, sign_heads, log) == 0, KW_E_MEMORY,
           "no thread for the log");
    log->running = true;
    return KW_OK;
}

void log_stop(struct log_sequencer *log)
{
    if (!log->running) {
        return;
    }
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_broadcast(&log->grew);
    pthread_cond_broadcast(&log->ending);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    log->running = false;
}

static kw_status load_head(struct kw_op *op, struct log_sequencer *log)
{
    AUTO(kw_bytes) *note = NULL;
    uint64_t version = 0;
    kw_status status =
        store_blob_get(op, log->service->store, LOG_CHECKPOINT_BLOB, &version, &note);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "reading the last checkpoint");
    return checkpoint_parse(op, kw_bytes_span(note), &log->head);
}

kw_status log_bind(struct kw_op *op, struct log_sequencer *log, struct service *service)
{
    struct tlog_reader reader = log_store_reader(service);
    uint64_t size = 0;

    log->service = service;
    TRY(op, log_line_load(op, service));
    TRY(op, store_log_size(op, service->store, &size));
    TRY(op, tlog_edge_load(op, &reader, size, &log->edge), "loading the log of %llu entries",
        (unsigned long long)size);
    tlog_edge_copy(&log->durable, &log->edge);
    TRY(op, load_head(op, log));
    ENSURE(op, log->head.size <= size, KW_E_INTEGRITY,
           "the store holds %llu log entries but its last checkpoint says %llu",
           (unsigned long long)size, (unsigned long long)log->head.size);
    return KW_OK;
}
