#include "store/sqlite/internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum {
    IDLE_S = 1,          /* without a commit for so long the WAL is carried over, however short */
    PASSES_MAX = 4,      /* beside the writer; then it does the rest, however much that is */
    REST_PAGES_MAX = 512 /* what the writer carries over itself without being missed */
};

struct checkpointer {
    struct sqlite_conn reader; /* own connection, used by the thread only */
    sqlite3 *writer;           /* borrowed; used on the writer's thread only */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted, stop;
    atomic_int pages;   /* in the WAL */
    atomic_int carried; /* of them by the last pass */
    atomic_uint passes; /* since the WAL last started from its top */
    atomic_bool busy;   /* a pass is wanted or under way */
};

static int count_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct checkpointer *cp = ctx;

    (void)db;
    (void)name;
    atomic_store(&cp->pages, pages);
    return SQLITE_OK;
}

/* Carry over what can be; what cannot (readers, disk) waits for the next time. True: it has come
 * further. */
static bool pass(struct checkpointer *cp, sqlite3 *db)
{
    int in_log = 0, carried = 0;

    if (sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &carried) !=
            SQLITE_OK ||
        carried < 0) {
        return false;
    }
    return atomic_exchange(&cp->carried, carried) != carried;
}

/*
 * SQLite syncs the database in a pass that has carried over the whole WAL, and in no other: without
 * this the writer's own pass waited for the disk to take all that the passes before it had written.
 * An error is not lost: the kernel tells it to the writer's descriptor as well.
 */
static void sync_database(struct checkpointer *cp)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(cp->reader.db, "main", SQLITE_FCNTL_FILE_POINTER, &file) ==
            SQLITE_OK &&
        file && file->pMethods) {
        (void)file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    }
}

/* True: there is work; false: stop. */
static bool wait_for_work(struct checkpointer *cp)
{
    bool idle = false;

    (void)pthread_mutex_lock(&cp->lock);
    while (!cp->stop && !cp->wanted && !idle) {
        int before = atomic_load(&cp->pages);
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until); /* cannot fail */
        until.tv_sec += IDLE_S;
        int rc = pthread_cond_timedwait(&cp->wake, &cp->lock, &until);
        idle = rc == ETIMEDOUT && atomic_load(&cp->pages) == before &&
               before > atomic_load(&cp->carried);
    }
    cp->wanted = false;
    bool go_on = !cp->stop;
    (void)pthread_mutex_unlock(&cp->lock);
    return go_on;
}

static void *checkpointer_main(void *ctx)
{
    struct checkpointer *cp = ctx;

    while (wait_for_work(cp)) {
        atomic_store(&cp->busy, true);
        if (pass(cp, cp->reader.db)) {
            sync_database(cp);
        }
        atomic_fetch_add(&cp->passes, 1);
        atomic_store(&cp->busy, false);
    }
    return NULL;
}

static void want_pass(struct checkpointer *cp)
{
    atomic_store(&cp->busy, true);
    (void)pthread_mutex_lock(&cp->lock);
    cp->wanted = true;
    (void)pthread_cond_signal(&cp->wake);
    (void)pthread_mutex_unlock(&cp->lock);
}

void checkpointer_committed(struct checkpointer *cp)
{
    int pages = atomic_load(&cp->pages);

    if (pages < SQLITE_CHECKPOINT_PAGES || atomic_load(&cp->busy)) {
        if (pages < atomic_load(&cp->carried)) { /* the WAL has started from its top */
            atomic_store(&cp->carried, 0);
            atomic_store(&cp->passes, 0);
        }
        return;
    }
    int rest = pages - atomic_load(&cp->carried);
    unsigned passes = atomic_load(&cp->passes);
    if (passes > 0 && (rest <= REST_PAGES_MAX || passes >= PASSES_MAX)) {
        (void)pass(cp, cp->writer); /* SQLite has synced what it wrote */
        atomic_store(&cp->passes, 0);
        return;
    }
    want_pass(cp);
}

static kw_status start_thread(struct kw_op *op, struct checkpointer *cp)
{
    pthread_condattr_t attr;
    sigset_t all, before;

    (void)pthread_mutex_init(&cp->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cp->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int rc = pthread_create(&cp->thread, NULL, checkpointer_main, cp);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ENSURE(op, rc == 0, KW_E_MEMORY, "no thread for checkpoints: %s", strerror(rc));
    (void)pthread_setname_np(cp->thread, "kw-checkpoint"); /* for people only */
    return KW_OK;
}

static void checkpointer_free(struct checkpointer *cp)
{
    (void)sqlite3_close(cp->reader.db); /* has no statements */
    free(cp);
}
KW_OWNED(checkpointer, struct checkpointer, checkpointer_free)

kw_status checkpointer_start(struct kw_op *op, struct sqlite_conn *writer, const char *path,
                             struct checkpointer **ret)
{
    AUTO(checkpointer) *cp = calloc(1, sizeof(*cp));
    ENSURE(op, cp, KW_E_MEMORY, "no memory for the checkpoint thread");

    cp->writer = writer->db;
    int rc =
        sqlite3_open_v2(path, &cp->reader.db,
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE, NULL);
    ENSURE(op, rc == SQLITE_OK, KW_E_IO, "opening '%s' for checkpoints (%d)", path, rc);
    TRY(op, sqlite_harden(op, &cp->reader, STORE_READER));
    TRY(op, sqlite_exec(op, &cp->reader, "PRAGMA wal_autocheckpoint = 0"));
    sqlite3_wal_hook(writer->db, count_pages, cp);
    TRY(op, start_thread(op, cp));
    *ret = TAKE(cp);
    return KW_OK;
}

void checkpointer_stop(struct checkpointer *cp)
{
    (void)pthread_mutex_lock(&cp->lock);
    cp->stop = true;
    (void)pthread_cond_signal(&cp->wake);
    (void)pthread_mutex_unlock(&cp->lock);
    (void)pthread_join(cp->thread, NULL); /* it has been started and is joined once */
    (void)sqlite3_wal_hook(cp->writer, NULL, NULL);
    (void)pthread_cond_destroy(&cp->wake);
    (void)pthread_mutex_destroy(&cp->lock);
    checkpointer_free(cp);
}
