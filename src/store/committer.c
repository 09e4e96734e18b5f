/*
 * Group commit. While one batch is being made durable the next one gathers; nobody waits for a
 * timer. A batch runs first without savepoints, which cost a copy of every page that is touched
 * twice; only where a change fails after it has written is the batch undone and run again with one
 * savepoint a change.
 */
#include <signal.h>

#include "store/store_internal.h"

static struct txn_mark mark_of(const struct store_txn *txn)
{
    struct txn_mark mark = {.writes = txn->conn->writes,
                            .log_n = txn->log.n,
                            .notices_n = txn->notices.n,
                            .cert_row = txn->cert_row};

    memcpy(mark.tally, txn->tally, sizeof(mark.tally));
    return mark;
}

static void back_to(struct store_txn *txn, const struct txn_mark *mark)
{
    txn->cert_row = mark->cert_row;
    log_buffer_cut(&txn->log, mark->log_n);
    notice_buffer_cut(&txn->notices, mark->notices_n);
    memcpy(txn->tally, mark->tally, sizeof(txn->tally));
}

static kw_status run_change(struct store_txn *txn, struct request *request)
{
    txn->spoilt = KW_OK;
    txn->in_change = true;
    kw_status status = request->change(request->op, txn, request->ctx);
    txn->in_change = false;
    return kw_ok(status) ? txn->spoilt : status;
}

/* What a batch needs after its first run. */
enum run { RUN_FINE, RUN_AGAIN, RUN_BROKEN };

/* All changes, no savepoints. */
static enum run run_plainly(struct store *store, unsigned n)
{
    struct store_txn *txn = &store->txn;

    for (unsigned i = 0; i < n; i++) {
        struct request *request = store->batch[i];
        if (!request_begin(request)) {
            continue;
        }
        struct txn_mark mark = mark_of(txn);
        request_ran(request, run_change(txn, request));
        if (txn->conn->broken) {
            return RUN_BROKEN;
        }
        if (kw_ok(request->status)) {
            continue;
        }
        if (txn->conn->writes != mark.writes) {
            return RUN_AGAIN;
        }
        back_to(txn, &mark);
    }
    return RUN_FINE;
}

/* Undo a change that failed, by the savepoint before it. */
static kw_status undo(struct kw_op *op, struct store_txn *txn, const struct txn_mark *mark)
{
    back_to(txn, mark);
    names_forget(&txn->names);
    return txn->conn->driver->txn(op, txn->conn, STORE_BACK);
}

static kw_status run_with_savepoint(struct kw_op *op, struct store_txn *txn,
                                    struct request *request)
{
    const struct store_driver *driver = txn->conn->driver;

    TRY(op, driver->txn(op, txn->conn, STORE_SAVE));
    if (!request_begin(request)) {
        return driver->txn(op, txn->conn, STORE_RELEASE);
    }
    struct txn_mark mark = mark_of(txn);
    request_ran(request, run_change(txn, request));
    ENSURE(op, txn->conn->broken == KW_CODE_OK, txn->conn->broken, "a change broke the batch");
    return kw_ok(request->status) ? driver->txn(op, txn->conn, STORE_RELEASE)
                                  : undo(op, txn, &mark);
}

/* Forget what the batch was to change, in memory as in the database. */
static void forget_batch(struct store_txn *txn, const struct txn_mark *start)
{
    back_to(txn, start);
    names_forget(&txn->names);
}

static kw_status start_again(struct kw_op *op, struct store *store, const struct txn_mark *start)
{
    struct store_txn *txn = &store->txn;

    TRY(op, store->driver->txn(op, txn->conn, STORE_ROLLBACK));
    forget_batch(txn, start);
    return store->driver->txn(op, txn->conn, STORE_BEGIN);
}

static kw_status run_batch(struct kw_op *op, struct store *store, unsigned n,
                           const struct txn_mark *start)
{
    struct store_txn *txn = &store->txn;

    TRY(op, store->driver->txn(op, txn->conn, STORE_BEGIN), "beginning a transaction");
    enum run run = run_plainly(store, n);
    ENSURE(op, run != RUN_BROKEN, txn->conn->broken, "the database could not take the changes: %s",
           kw_code_meaning(txn->conn->broken));
    if (run == RUN_FINE) {
        return KW_OK;
    }
    TRY(op, start_again(op, store, start));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, run_with_savepoint(op, txn, store->batch[i]));
    }
    return KW_OK;
}

static kw_status seal(struct kw_op *op, struct store *store, bool *ret_sealed)
{
    struct store_txn *txn = &store->txn;
    unsigned n = txn->log.n;

    if (!store->config.seal || n == 0) {
        return KW_OK;
    }
    if (n > store->n_spans) {
        struct kw_span *more = realloc(store->spans, n * sizeof(*more));
        ENSURE(op, more, KW_E_MEMORY, "no memory for %u log entries", n);
        store->spans = more;
        store->n_spans = n;
    }
    for (unsigned i = 0; i < n; i++) {
        store->spans[i] = log_buffer_at(&txn->log, i);
    }
    txn->sealing = true;
    *ret_sealed = true;
    kw_status status = store->config.seal(op, txn, store->spans, n, store->config.seal_ctx);
    txn->sealing = false;
    if (kw_ok(status) || txn->conn->broken) {
        return txn->conn->broken ? KW_FAIL(txn->conn->broken) : KW_OK;
    }
    char why[KW_OP_TEXT_MAX] = "";
    (void)kw_op_message(op, why, sizeof(why)); /* returns why */
    return FAIL(op, KW_E_UNAVAILABLE, "the log could not be sealed: %s", why);
}

static kw_status close_batch(struct kw_op *op, struct store *store, bool *ret_sealed)
{
    struct store_txn *txn = &store->txn;

    TRY(op, log_write(op, txn), "writing the log");
    TRY(op, tally_write(op, txn), "counting");
    TRY(op, seal(op, store, ret_sealed));
    return store->driver->txn(op, txn->conn, STORE_COMMIT);
}

static void tell(struct store *store, unsigned n, struct kw_op *op, kw_status status)
{
    char why[KW_OP_TEXT_MAX] = "";

    if (!kw_ok(status)) {
        (void)kw_op_message(op, why, sizeof(why)); /* returns why */
    }
    for (unsigned i = 0; i < n; i++) {
        if (!kw_ok(status)) {
            request_fail(store->batch[i], status.code, why);
        }
        request_done(store->batch[i]);
    }
}

/* Nobody may hear of a change before those that keep its standing in memory. */
static void give_notice(struct store *store, kw_status committed)
{
    struct notice_buffer *notices = &store->txn.notices;
    bool sure = committed.code != KW_E_UNSURE;

    if (store->config.noticed && (notices->n > 0 || !sure)) {
        store->config.noticed(notices->at, notices->n, sure, store->config.noticed_ctx);
    }
    notice_buffer_cut(notices, 0);
}

static void commit_batch(struct store *store, unsigned n)
{
    struct store_txn *txn = &store->txn;
    struct txn_mark start = mark_of(txn);
    struct kw_op op, quiet;
    bool sealed = false;

    kw_op_init(&op, "system", 0);
    kw_op_init(&quiet, "system", 0);
    kw_status status = run_batch(&op, store, n, &start);
    if (kw_ok(status)) {
        status = close_batch(&op, store, &sealed);
    }
    if (kw_ok(status)) {
        txn->log_size += txn->log.n;
    } else {
        (void)store->driver->txn(&quiet, txn->conn, STORE_ROLLBACK); /* status tells why */
        forget_batch(txn, &start);
    }
    log_buffer_cut(&txn->log, 0);
    memset(txn->tally, 0, sizeof(txn->tally));
    give_notice(store, status);
    if (sealed && store->config.sealed) {
        store->config.sealed(kw_ok(status), store->config.seal_ctx);
    }
    tell(store, n, &op, status);
}

static void *committer_main(void *ctx)
{
    struct store *store = ctx;

    for (;;) {
        unsigned n = request_queue_take(&store->queue, store->config.batch_max, store->batch);
        if (n == 0) {
            return NULL;
        }
        commit_batch(store, n);
    }
}

kw_status committer_start(struct kw_op *op, struct store *store)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int rc = pthread_create(&store->committer, NULL, committer_main, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ENSURE(op, rc == 0, KW_E_MEMORY, "no thread for the committer: %s", strerror(rc));
    (void)pthread_setname_np(store->committer, "kw-committer"); /* for people only */
    store->committer_runs = true;
    return KW_OK;
}

void committer_stop(struct store *store)
{
    if (!store->committer_runs) {
        return;
    }
    request_queue_close(&store->queue);
    (void)pthread_join(store->committer, NULL); /* it has been started and is joined once */
    store->committer_runs = false;
}
