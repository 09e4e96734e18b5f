#include <stdlib.h>
#include <time.h>

#include "os/clock.h"
#include "service/authorities.h"
#include "service/authority/expire.h"
#include "service/validation/crl_make.h"
#include "service/validation/crl_maker_internal.h"

enum {
    GATHER_MS = 100,
    RETRY_MS = 2000,
    IDLE_MS = 30000,
    MAKE_DEADLINE_MS = 60000,
    REST_FACTOR = 20, /* making a list may take a twentieth of the time */
    SHARDS_LISTED_MAX = SHARD_MAX + 1,
};

static struct crl_pace pace_now(const struct crl_maker *maker)
{
    return (struct crl_pace){
        .now_s = os_clock_unix_s(),
        .now_ms = os_clock_mono_ms(),
        .life_s = (int64_t)maker->service->config.crl_hours * 3600,
        .gather_ms = GATHER_MS,
    };
}

/* --- which lists ------------------------------------------------------------------------------ */

static kw_status add_shards(struct kw_op *op, struct crl_maker *maker, const struct ca *ca)
{
    const struct config *config = &maker->service->config;
    struct crl_list_id id = {.ca = ca->index};
    unsigned n = 0;
    AUTO(kw_bytes) *room = NULL;

    TRY(op, kw_bytes_new(SHARDS_LISTED_MAX * sizeof(uint32_t), &room));
    uint32_t *shards = (uint32_t *)(void *)room->p;
    TRY(op, store_cert_shards(op, maker->service->store, ca->id, SHARDS_LISTED_MAX, shards, &n));
    for (unsigned i = 0; i < n; i++) { /* of what was issued, whatever the configuration says now */
        id.shard = shards[i];
        crl_lists_add(maker->lists, &id);
    }
    for (id.shard = 1; id.shard <= config->crl_shards; id.shard++) {
        crl_lists_add(maker->lists, &id);
    }
    return KW_OK;
}

/* A CA that came by a rotation has its lists at once. */
static kw_status add_lists(struct kw_op *op, struct crl_maker *maker, const struct ca *ca)
{
    struct crl_list_id whole = {.ca = ca->index};
    struct crl_list_id life = {.ca = ca->index, .shard = SHARD_LIFE};

    if (crl_lists_has(maker->lists, &whole)) {
        return KW_OK;
    }
    crl_lists_add(maker->lists, &whole);
    crl_lists_add(maker->lists, &life);
    return add_shards(op, maker, ca);
}

/* --- one list --------------------------------------------------------------------------------- */

/* The older one of the last two complete lists: whoever holds either can use the delta. */
static struct crl_base base_of(struct crl_maker *maker, unsigned ca)
{
    const struct crl_base *bases = crl_lists_bases(maker->lists, ca);

    return bases[0].number > 0 ? bases[0] : bases[1];
}

static void note_base(struct crl_maker *maker, unsigned ca, uint64_t number, uint64_t mark)
{
    struct crl_base *bases = crl_lists_bases(maker->lists, ca);

    bases[0] = bases[1];
    bases[1] = (struct crl_base){.number = number, .mark = mark};
    crl_journal_cut(maker->journal, crl_lists_oldest_mark(maker->lists));
}

/* The keeper may have signed a complete list that nobody has: it is no base, and those before may
 * be too old for the keeper. */
static void forget_bases(struct crl_maker *maker, unsigned ca)
{
    struct crl_base *bases = crl_lists_bases(maker->lists, ca);

    bases[0] = bases[1] = (struct crl_base){0};
}

/* Entries leave behind their end once a list that was made later had them (RFC 5280 section 5.1).
 * One of a clock that ran ahead proves nothing: they come back. */
static int64_t ended_before(const struct crl_doc *old)
{
    int64_t now_s = os_clock_unix_s();

    if (!old) {
        return 0;
    }
    return old->this_update < now_s ? old->this_update : now_s;
}

/* For the next start. A delta is made anew then. */
static void save(struct crl_maker *maker, const struct crl_order *order, struct crl_doc *doc)
{
    char name[SHARD_NAME_MAX];

    if (!order->id.delta) {
        crl_list_name(order->ca->id, &order->id, name);
        crl_saver_put(maker->saver, name, doc);
    }
}

static kw_status make_complete(struct kw_op *op, struct crl_maker *maker, struct crl_order *order,
                               struct crl_doc **ret)
{
    AUTO(crl_doc) *old = crl_lists_get(maker->lists, &order->id);
    bool whole = order->id.shard == SHARD_WHOLE;
    uint64_t mark = crl_journal_mark(maker->journal); /* before the store is read */

    order->not_after_from = ended_before(old);
    order->has_delta = whole && old && old->entries >= maker->service->config.crl_delta_from;
    kw_status status = crl_make(op, order, ret);
    if (whole && kw_ok(status)) {
        note_base(maker, order->ca->index, (*ret)->number, mark);
    } else if (whole) {
        forget_bases(maker, order->ca->index);
    }
    return status;
}

static kw_status make_delta(struct kw_op *op, struct crl_maker *maker, struct crl_order *order,
                            struct crl_doc **ret)
{
    struct crl_base base = base_of(maker, order->ca->index);

    ENSURE(op, base.number > 0, KW_E_NOT_FOUND, "there is no complete list yet");
    order->base_number = base.number;
    order->base_mark = base.mark;
    return crl_make(op, order, ret);
}

/* A list that has deltas has its first one at once. */
static void begin_delta(struct crl_maker *maker, const struct crl_order *order,
                        const struct crl_doc *doc)
{
    struct crl_list_id delta = {.ca = order->id.ca, .delta = true};

    if (!order->id.delta && order->id.shard == SHARD_WHOLE &&
        doc->entries >= maker->service->config.crl_delta_from) {
        crl_lists_touch(maker->lists, &delta, os_clock_mono_ms());
    }
}

static kw_status make_one(struct kw_op *op, struct crl_maker *maker, const struct authorities *all,
                          const struct crl_list_id *id)
{
    AUTO(crl_doc) *doc = NULL;
    int64_t begun_ms = os_clock_mono_ms();

    if (id->ca >= all->n) {
        return KW_OK;
    }
    struct crl_order order = {
        .service = maker->service,
        .all = all,
        .ca = &all->at[id->ca],
        .id = *id,
        .journal = maker->journal,
    };
    kw_status status =
        id->delta ? make_delta(op, maker, &order, &doc) : make_complete(op, maker, &order, &doc);
    int64_t now_ms = os_clock_mono_ms();
    int64_t rest_ms = kw_ok(status) ? REST_FACTOR * (now_ms - begun_ms) : RETRY_MS;
    crl_lists_settle(maker->lists, id, doc, now_ms + rest_ms);
    if (id->delta && status.code == KW_E_NOT_FOUND) { /* with the next complete list */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status, "CRL of CA '%s'", order.ca->id);
    begin_delta(maker, &order, doc);
    save(maker, &order, doc);
    return KW_OK;
}

/* Every list has its turn, whatever becomes of another's. The first failure is told. */
static kw_status make_due(struct kw_op *op, struct crl_maker *maker)
{
    AUTO(authorities) *all = service_authorities(maker->service);
    struct crl_list_id id;
    kw_status first = KW_OK;

    for (unsigned i = 0; i < all->n; i++) {
        TRY(op, add_lists(op, maker, &all->at[i]));
    }
    struct crl_pace pace = pace_now(maker); /* once: what comes now has its turn at the next look */
    while (crl_lists_take_due(maker->lists, &pace, &id)) {
        struct kw_op own;
        kw_op_init(&own, op->principal, os_clock_mono_ms() + MAKE_DEADLINE_MS);
        kw_status status = make_one(kw_ok(first) ? op : &own, maker, all, &id);
        first = kw_ok(first) ? status : first;
    }
    return first;
}

/* --- when ------------------------------------------------------------------------------------- */

/* Sleep until a list may be due, or something new is. False: the end. */
static bool wait_for_work(struct crl_maker *maker, int64_t ms)
{
    int64_t until_ns = os_clock_mono_ns() + ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int timed_out = 0;

    pthread_mutex_lock(&maker->lock);
    while (!maker->stop && !timed_out && !maker->touched) {
        timed_out = pthread_cond_timedwait(&maker->work, &maker->lock, &until);
    }
    maker->touched = false;
    bool go_on = !maker->stop;
    pthread_mutex_unlock(&maker->lock);
    return go_on;
}

static void work_once(struct crl_maker *maker)
{
    struct kw_op op;

    kw_op_init(&op, "system", os_clock_mono_ms() + MAKE_DEADLINE_MS);
    if (!kw_ok(make_due(&op, maker))) {
        service_complain(maker->service, &op, "revocation lists could not be made");
        kw_op_clear(&op);
    }
    if (!kw_ok(expire_superseded(&op, maker->service))) {
        service_complain(maker->service, &op, "replaced certificates could not be revoked");
    }
}

static void *work(void *ctx)
{
    struct crl_maker *maker = ctx;
    struct crl_pace pace = pace_now(maker);

    while (wait_for_work(maker, crl_lists_wait_ms(maker->lists, &pace, IDLE_MS))) {
        work_once(maker);
        pace = pace_now(maker);
    }
    return NULL;
}

/* --- starting --------------------------------------------------------------------------------- */

/* What was published before is served until there is something newer. */
static void load_kept(struct crl_maker *maker, const struct authorities *all,
                      const struct crl_list_id *id)
{
    char name[SHARD_NAME_MAX];
    struct kw_op quiet;
    AUTO(crl_doc) *doc = NULL;

    kw_op_init(&quiet, NULL, 0);
    crl_list_name(all->at[id->ca].id, id, name);
    if (kw_ok(crl_doc_load(&quiet, maker->service, name, &doc)) &&
        doc->next_update > os_clock_unix_s()) {
        crl_lists_settle(maker->lists, id, doc, 0);
        crl_lists_touch(maker->lists, id, os_clock_mono_ms());
    }
}

static kw_status prepare(struct kw_op *op, struct crl_maker *maker)
{
    AUTO(authorities) *all = service_authorities(maker->service);

    for (unsigned i = 0; i < all->n; i++) {
        TRY(op, add_lists(op, maker, &all->at[i]));
        struct crl_list_id id = {.ca = i};
        load_kept(maker, all, &id);
        id.shard = SHARD_LIFE;
        load_kept(maker, all, &id);
        for (id.shard = 1; id.shard <= SHARD_MAX; id.shard++) {
            if (crl_lists_has(maker->lists, &id)) {
                load_kept(maker, all, &id);
            }
        }
    }
    return KW_OK;
}

kw_status crl_maker_new(struct kw_op *op, struct service *service, struct crl_maker **ret)
{
    struct crl_maker *maker = calloc(1, sizeof(*maker));
    pthread_condattr_t monotonic;

    ENSURE(op, maker, KW_E_MEMORY, "no memory for CRLs");
    maker->service = service;
    pthread_mutex_init(&maker->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&maker->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = maker;
    TRY(op, crl_lists_new(op, &maker->lists));
    TRY(op, crl_saver_new(op, service, &maker->saver));
    return crl_journal_new(op, &maker->journal);
}

static bool has_whole_lists(struct crl_maker *maker)
{
    AUTO(authorities) *all = service_authorities(maker->service);

    for (unsigned i = 0; i < all->n; i++) {
        AUTO(crl_doc) *doc = crl_lists_get(maker->lists, &(struct crl_list_id){.ca = i});
        if (!doc) {
            return false;
        }
    }
    return true;
}

/* What was not kept; the rest when the thread runs. A part that cannot be made (a key whose policy
 * knows no parts, say) is told and tried again: the whole list is there. */
static kw_status make_first(struct kw_op *op, struct crl_maker *maker)
{
    kw_status status = make_due(op, maker);

    if (!kw_ok(status) && has_whole_lists(maker)) {
        service_complain(maker->service, op, "revocation lists could not be made");
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

kw_status crl_maker_start(struct kw_op *op, struct crl_maker *maker)
{
    TRY(op, prepare(op, maker));
    TRY(op, make_first(op, maker));
    TRY(op, crl_saver_start(op, maker->saver));
    atomic_store(&maker->started, true);
    ENSURE(op, pthread_create(&maker->thread, NULL, work, maker) == 0, KW_E_MEMORY,
           "no thread for CRLs");
    maker->running = true;
    return KW_OK;
}

void crl_maker_stop(struct crl_maker *maker)
{
    if (!maker) {
        return;
    }
    if (maker->running) {
        pthread_mutex_lock(&maker->lock);
        maker->stop = true;
        pthread_cond_broadcast(&maker->work);
        pthread_mutex_unlock(&maker->lock);
        pthread_join(maker->thread, NULL);
        maker->running = false;
    }
    if (maker->saver) { /* the last one who puts something is gone */
        crl_saver_stop(maker->saver);
    }
}

void crl_maker_free(struct crl_maker *maker)
{
    if (maker) {
        crl_lists_free(maker->lists);
        crl_journal_free(maker->journal);
        crl_saver_free(maker->saver);
        pthread_cond_destroy(&maker->work);
        pthread_mutex_destroy(&maker->lock);
        free(maker);
    }
}
