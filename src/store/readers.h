/* Read connections: opened as needed, lent to one call at a time, last returned first lent. */
#ifndef STORE_READERS_H
#define STORE_READERS_H

#include <pthread.h>

#include "store/driver.h"

struct store;

/* Reads take microseconds; a listing or a CRL holds one for longer. About 0.5 to 1.5 MiB each. */
enum { STORE_READERS_MAX = 16 };

struct store_readers {
    const struct store_driver *driver;
    const char *path;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct store_reader *free;
    unsigned n; /* that exist */
};

struct store_reader {
    struct store_readers *pool;
    struct store_reader *next;
    struct store_conn *conn;
};

void store_readers_init(struct store_readers *pool, const struct store_driver *driver,
                        const char *path);
void store_readers_done(struct store_readers *pool);

/* Waits for one until op's deadline (KW_E_TIMEOUT). */
kw_status store_reader_take(struct kw_op *op, struct store *store, struct store_reader **ret);
void store_reader_return(struct store_reader *reader);
KW_OWNED(store_reader, struct store_reader, store_reader_return)

#endif
