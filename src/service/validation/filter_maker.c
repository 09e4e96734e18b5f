#include "service/validation/filter_maker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/worker.h"
#include "service/validation/shard.h"

enum { MINUTE_MS = 60000, RETRY_MS = 2000, MAKE_DEADLINE_MS = 120000 };

/* What is given out, and the thread that makes it. */
struct filter_shelf {
    struct service *service;
    pthread_mutex_t lock; /* guards the next */
    struct crl_doc *docs[SERVICE_CAS_MAX];
    struct os_worker worker;
};

static void put(struct filter_shelf *shelf, unsigned ca, struct crl_doc *doc)
{
    (void)pthread_mutex_lock(&shelf->lock);
    struct crl_doc *old = shelf->docs[ca];
    shelf->docs[ca] = doc;
    (void)pthread_mutex_unlock(&shelf->lock);
    crl_doc_unref(old);
}

static void name_of(const struct ca *ca, char ret[SHARD_NAME_MAX])
{
    (void)snprintf(ret, SHARD_NAME_MAX, "%s.filter", ca->id);
}

/* What a restart finds; nothing is lost where there is none. */
static void load_kept(struct filter_shelf *shelf)
{
    AUTO(authorities) *all = service_authorities(shelf->service);

    for (unsigned i = 0; i < all->n; i++) {
        struct crl_doc *doc = NULL;
        char name[SHARD_NAME_MAX];
        struct kw_op quiet;
        kw_op_init(&quiet, NULL, 0);
        name_of(&all->at[i], name);
        if (kw_ok(crl_doc_load(&quiet, shelf->service, name, &doc))) {
            put(shelf, i, doc);
        }
    }
}

static kw_status make_one(struct kw_op *op, struct filter_shelf *shelf, const struct ca *ca)
{
    char name[SHARD_NAME_MAX];
    struct crl_doc *doc = NULL;

    name_of(ca, name);
    TRY(op, filter_make(op, shelf->service, ca, &doc));
    AUTO(crl_doc) *kept = crl_doc_ref(doc);
    put(shelf, ca->index, doc);
    TRY(op, crl_doc_save(op, shelf->service, name, kept, NULL, NULL), "keeping filter %s", name);
    return KW_OK;
}

/* Each has its turn, whatever becomes of another's. False: come again soon. */
static bool make_all(struct filter_shelf *shelf)
{
    AUTO(authorities) *all = service_authorities(shelf->service);
    bool good = true;

    for (unsigned i = 0; i < all->n; i++) {
        struct kw_op op;
        kw_op_init(&op, "system", os_clock_mono_ms() + MAKE_DEADLINE_MS);
        kw_status status = make_one(&op, shelf, &all->at[i]);
        if (!kw_ok(status) && status.code != KW_E_UNAVAILABLE) { /* that is a start's own time */
            service_complain(shelf->service, &op, "a revocation filter could not be made");
        }
        good = good && (kw_ok(status) || status.code == KW_E_STATE);
    }
    return good;
}

static void *work(void *ctx)
{
    struct filter_shelf *shelf = ctx;
    int64_t every_ms = (int64_t)shelf->service->config.filter_minutes * MINUTE_MS;

    while (os_worker_sleep(&shelf->worker, make_all(shelf) ? every_ms : RETRY_MS, NULL)) {
    }
    return NULL;
}

static void release(struct filter_shelf *shelf)
{
    for (unsigned i = 0; i < SERVICE_CAS_MAX; i++) {
        crl_doc_unref(shelf->docs[i]);
    }
    (void)pthread_mutex_destroy(&shelf->lock);
    free(shelf);
}

kw_status filter_shelf_start(struct kw_op *op, struct service *service)
{
    if (service->config.filter_minutes == 0) {
        return KW_OK;
    }
    struct filter_shelf *shelf = calloc(1, sizeof(*shelf));
    ENSURE(op, shelf, KW_E_MEMORY, "no memory for revocation filters");
    shelf->service = service;
    (void)pthread_mutex_init(&shelf->lock, NULL); /* cannot fail on Linux */
    load_kept(shelf);
    kw_status status = os_worker_start(op, &shelf->worker, work, shelf, "revocation filters");
    if (!kw_ok(status)) {
        release(shelf);
        return status;
    }
    atomic_store(&service->filters, shelf);
    return KW_OK;
}

void filter_shelf_stop(struct filter_shelf *shelf)
{
    if (shelf) {
        os_worker_stop(&shelf->worker);
        release(shelf);
    }
}

kw_status filter_lend(struct kw_op *op, struct service *service, const char *ca_id,
                      struct crl_doc **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    struct filter_shelf *shelf = atomic_load(&service->filters);
    const struct ca *ca = NULL;

    TRY(op, authorities_find(op, all, ca_id, &ca));
    ENSURE(op, service->config.filter_minutes > 0, KW_E_NOT_FOUND,
           "no filters are made here (filter_minutes)");
    ENSURE(op, shelf, KW_E_UNAVAILABLE, "no filter is made yet");
    (void)pthread_mutex_lock(&shelf->lock);
    AUTO(crl_doc) *doc = crl_doc_ref(shelf->docs[ca->index]);
    (void)pthread_mutex_unlock(&shelf->lock);
    ENSURE(op, doc, KW_E_UNAVAILABLE, "filter '%s' is not made yet", ca_id);
    ENSURE(op, os_clock_unix_s() < doc->next_update, KW_E_UNAVAILABLE,
           "the newest filter '%s' has ended", ca_id);
    *ret = TAKE(doc);
    return KW_OK;
}
