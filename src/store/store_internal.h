/* The store among its own files. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/readers.h"
#include "store/request.h"
#include "store/txn.h"

struct store {
    const struct store_driver *driver;
    struct store_config config; /* path points to path below */
    char path[KW_PATH_BYTES];
    struct store_conn *writer; /* used by open, close and the committer thread */
    struct store_readers readers;
    struct request_queue queue;
    pthread_t committer;
    bool committer_runs;
    struct request **batch; /* config.batch_max of them */
    struct kw_span *spans;  /* entries for the seal hook */
    size_t n_spans;
    struct store_txn txn; /* the committer's */
};

/* The thread that runs changes. */
kw_status committer_start(struct kw_op *op, struct store *store);
/* Lets queued changes finish. */
void committer_stop(struct store *store);

#endif
