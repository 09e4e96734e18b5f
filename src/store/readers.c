#include "store/readers.h"

#include <errno.h>
#include <time.h>

#include "store/store_internal.h"

void store_readers_init(struct store_readers *pool, const struct store_driver *driver,
                        const char *path)
{
    pthread_condattr_t attr;

    memset(pool, 0, sizeof(*pool));
    pool->driver = driver;
    pool->path = path;
    (void)pthread_mutex_init(&pool->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->returned, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static void reader_free(struct store_reader *reader)
{
    if (reader->conn) {
        store_conn_close(reader->conn);
    }
    free(reader);
}

void store_readers_done(struct store_readers *pool)
{
    while (pool->free) {
        struct store_reader *reader = pool->free;
        pool->free = reader->next;
        reader_free(reader);
    }
    (void)pthread_cond_destroy(&pool->returned); /* nobody waits */
    (void)pthread_mutex_destroy(&pool->lock);
}

/* One from the stack, or the right to open another; lock is held. False: the deadline passed. */
static bool wait_for_one(struct store_readers *pool, int64_t deadline_ms, struct store_reader **ret)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    int rc = 0;

    while (!pool->free && pool->n >= STORE_READERS_MAX && rc != ETIMEDOUT) {
        rc = deadline_ms == 0 ? pthread_cond_wait(&pool->returned, &pool->lock)
                              : pthread_cond_timedwait(&pool->returned, &pool->lock, &until);
    }
    *ret = pool->free;
    if (pool->free) {
        pool->free = pool->free->next;
        return true;
    }
    if (pool->n >= STORE_READERS_MAX) {
        return false;
    }
    pool->n++;
    return true;
}

static kw_status reader_new(struct kw_op *op, struct store_readers *pool, struct store_reader **ret)
{
    struct store_reader *reader = calloc(1, sizeof(*reader));

    ENSURE(op, reader, KW_E_MEMORY, "no memory for a read connection");
    reader->pool = pool;
    kw_status status = pool->driver->connect(op, pool->path, STORE_READER, &reader->conn);
    if (!kw_ok(status)) {
        reader_free(reader);
        return status;
    }
    *ret = reader;
    return KW_OK;
}

kw_status store_reader_take(struct kw_op *op, struct store *store, struct store_reader **ret)
{
    struct store_readers *pool = &store->readers;
    struct store_reader *reader = NULL;

    (void)pthread_mutex_lock(&pool->lock); /* cannot fail */
    bool may = wait_for_one(pool, op->deadline_ms, &reader);
    (void)pthread_mutex_unlock(&pool->lock);
    ENSURE(op, may, KW_E_TIMEOUT, "no read connection came free in time");
    if (!reader) {
        kw_status status = reader_new(op, pool, &reader);
        if (!kw_ok(status)) {
            (void)pthread_mutex_lock(&pool->lock);
            pool->n--;
            (void)pthread_cond_signal(&pool->returned);
            (void)pthread_mutex_unlock(&pool->lock);
            return status;
        }
    }
    reader->conn->deadline_ms = op->deadline_ms;
    *ret = reader;
    return KW_OK;
}

void store_reader_return(struct store_reader *reader)
{
    struct store_readers *pool = reader->pool;

    (void)pthread_mutex_lock(&pool->lock); /* cannot fail */
    reader->next = pool->free;
    pool->free = reader;
    (void)pthread_cond_signal(&pool->returned);
    (void)pthread_mutex_unlock(&pool->lock);
}
