#include "store/store.h"

#include "store/store_internal.h"

enum { BATCH_DEFAULT = 512, BATCH_MAX = STORE_QUEUE_MAX };

static kw_status take_config(struct kw_op *op, struct store *store,
                             const struct store_config *config)
{
    store->config = *config;
    ENSURE(op, config->path && KW_TEXT_SET(store->path, config->path), KW_E_INPUT,
           "the path of the store is missing or too long");
    store->config.path = store->path;
    if (store->config.batch_max == 0) {
        store->config.batch_max = BATCH_DEFAULT;
    }
    ENSURE(op, store->config.batch_max <= BATCH_MAX, KW_E_INPUT, "a batch has at most %d changes",
           BATCH_MAX);
    store->batch = calloc(store->config.batch_max, sizeof(struct request *));
    ENSURE(op, store->batch, KW_E_MEMORY, "no memory for a batch");
    return KW_OK;
}

/* What the committer keeps in memory, as the database has it. */
static kw_status load_txn(struct kw_op *op, struct store *store)
{
    store->txn.conn = store->writer;
    TRY(op, log_read_size(op, store->writer, &store->txn.log_size));
    return cert_read_last_row(op, store->writer, &store->txn.cert_row);
}

kw_status store_open(struct kw_op *op, const struct store_config *config, struct store **ret)
{
    struct store *fresh = calloc(1, sizeof(*fresh));
    ENSURE(op, fresh, KW_E_MEMORY, "no memory for the store");

    fresh->driver = &store_driver_sqlite;
    request_queue_init(&fresh->queue);
    store_readers_init(&fresh->readers, fresh->driver, fresh->path);
    AUTO(store) *store = fresh;
    TRY(op, take_config(op, store, config));
    TRY(op, store->driver->connect(op, store->path, STORE_WRITER, &store->writer));
    TRY(op, load_txn(op, store));
    TRY(op, committer_start(op, store));
    *ret = TAKE(store);
    return KW_OK;
}

void store_close(struct store *store)
{
    committer_stop(store);
    store_readers_done(&store->readers);
    if (store->writer) {
        store_conn_close(store->writer);
    }
    request_queue_done(&store->queue);
    log_buffer_free(&store->txn.log);
    notice_buffer_free(&store->txn.notices);
    free(store->spans);
    free(store->batch);
    free(store);
}

kw_status store_change(struct kw_op *op, struct store *store,
                       kw_status (*change)(struct kw_op *op, struct store_txn *txn, void *ctx),
                       void *ctx)
{
    AUTO(request) *request = NULL;

    ENSURE(op, !pthread_equal(pthread_self(), store->committer), KW_E_INTERNAL,
           "a change within a change");
    TRY(op, request_new(op, change, ctx, &request));
    TRY(op, request_queue_push(op, &store->queue, request));
    return request_wait(op, request);
}
