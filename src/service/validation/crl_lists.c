#include "service/validation/crl_lists.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/authorities.h"

enum { BASES = 2, CLOCK_STEP_S = 5 };

struct list {
    bool there;
    bool dirty;
    int64_t dirty_ms, again_ms; /* of the steady clock: since when; not before */
    struct crl_doc *doc;
};

struct ca_lists {
    struct list whole, delta, life;
    struct list *shards; /* number 1 first */
    unsigned n_shards;
    struct crl_base bases[BASES]; /* the maker's thread's */
};

struct crl_lists {
    pthread_mutex_t lock; /* guards all but bases */
    struct ca_lists cas[SERVICE_CAS_MAX];
};

/* --- names ------------------------------------------------------------------------------------ */

void crl_list_name(const char *ca, const struct crl_list_id *id, char ret[SHARD_NAME_MAX])
{
    if (id->delta) {
        (void)snprintf(ret, SHARD_NAME_MAX, "%.95s.delta", ca);
        return;
    }
    shard_name(ca, id->shard, ret);
}

static bool read_part(const char *part, struct crl_list_id *id)
{
    char *end = NULL;

    id->delta = strcmp(part, "delta") == 0;
    id->shard = strcmp(part, "life") == 0 ? SHARD_LIFE : SHARD_WHOLE;
    if (id->delta || id->shard == SHARD_LIFE) {
        return true;
    }
    if (part[0] != 's' || part[1] < '1' || part[1] > '9' || strlen(part) > 6) {
        return false;
    }
    id->shard = (unsigned)strtoul(part + 1, &end, 10);
    return *end == 0 && id->shard <= SHARD_MAX;
}

kw_status crl_list_find(struct kw_op *op, const struct authorities *all, const char *stem,
                        struct crl_list_id *ret)
{
    const char *dot = strrchr(stem, '.');
    const struct ca *ca = NULL;
    char name[KW_NAME_MAX];

    *ret = (struct crl_list_id){0};
    if (kw_ok(authorities_find(op, all, stem, &ca))) {
        ret->ca = ca->index;
        return KW_OK;
    }
    kw_op_clear(op);
    ENSURE(op,
           dot && (size_t)(dot - stem) < sizeof(name) && read_part(dot + 1, ret) &&
               snprintf(name, sizeof(name), "%.*s", (int)(dot - stem), stem) > 0,
           KW_E_NOT_FOUND, "no list '%s'", stem);
    TRY(op, authorities_find(op, all, name, &ca));
    ret->ca = ca->index;
    return KW_OK;
}

/* --- lists; the lock is held ------------------------------------------------------------------ */

static struct list *find(struct crl_lists *lists, const struct crl_list_id *id)
{
    struct ca_lists *ca = &lists->cas[id->ca % SERVICE_CAS_MAX];

    if (id->delta) {
        return &ca->delta;
    }
    if (id->shard == SHARD_WHOLE) {
        return &ca->whole;
    }
    if (id->shard == SHARD_LIFE) {
        return &ca->life;
    }
    return id->shard <= ca->n_shards ? &ca->shards[id->shard - 1] : NULL;
}

static struct list *find_or_add(struct crl_lists *lists, const struct crl_list_id *id)
{
    struct ca_lists *ca = &lists->cas[id->ca % SERVICE_CAS_MAX];
    struct list *list = find(lists, id);

    if (!list && id->shard <= SHARD_MAX) {
        struct list *shards = realloc(ca->shards, id->shard * sizeof(*shards));
        if (!shards) {
            return NULL;
        }
        memset(shards + ca->n_shards, 0, (id->shard - ca->n_shards) * sizeof(*shards));
        ca->shards = shards;
        ca->n_shards = id->shard;
        list = &shards[id->shard - 1];
    }
    if (list && !list->there) {
        list->there = true;
        list->dirty = true;
    }
    return list;
}

void crl_lists_add(struct crl_lists *lists, const struct crl_list_id *id)
{
    (void)pthread_mutex_lock(&lists->lock);
    (void)find_or_add(lists, id); /* no memory: as promised */
    (void)pthread_mutex_unlock(&lists->lock);
}

void crl_lists_touch(struct crl_lists *lists, const struct crl_list_id *id, int64_t now_ms)
{
    (void)pthread_mutex_lock(&lists->lock);
    struct list *list = find_or_add(lists, id);
    if (list && (!list->dirty || list->dirty_ms == 0)) {
        list->dirty = true;
        list->dirty_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&lists->lock);
}

/* When, by the steady clock. Something new is gathered for a moment; at half of its life each is
 * made again, and at once where the clock ran ahead when it was made: nobody believes it. */
static int64_t due_ms(const struct list *list, const struct crl_pace *pace)
{
    int64_t due = INT64_MAX;

    if (!list->there) {
        return due;
    }
    if (list->dirty) {
        due = list->dirty_ms == 0 ? 0 : list->dirty_ms + pace->gather_ms;
    }
    if (list->doc) {
        int64_t half_s = list->doc->next_update - pace->life_s / 2 - pace->now_s;
        bool to_come = list->doc->this_update > pace->now_s + CLOCK_STEP_S;
        int64_t half_ms = pace->now_ms + (half_s > 0 && !to_come ? half_s * 1000 : 0);
        due = half_ms < due ? half_ms : due;
    }
    return due < list->again_ms ? list->again_ms : due;
}

/* One after the other: the delta first, for it is short and most awaited. */
static bool next_id(const struct crl_lists *lists, struct crl_list_id *id)
{
    const struct ca_lists *ca = &lists->cas[id->ca];

    if (id->delta) {
        id->delta = false;
        id->shard = SHARD_LIFE;
        return true;
    }
    if (id->shard == SHARD_LIFE && ca->n_shards > 0) {
        id->shard = 1;
        return true;
    }
    if (id->shard != SHARD_WHOLE) {
        id->shard = id->shard < ca->n_shards ? id->shard + 1 : SHARD_WHOLE;
        return true;
    }
    id->ca++;
    id->delta = true;
    return id->ca < SERVICE_CAS_MAX;
}

static struct list *first_due(struct crl_lists *lists, const struct crl_pace *pace,
                              struct crl_list_id *ret, int64_t *ret_ms)
{
    struct crl_list_id id = {.delta = true};
    struct list *first = NULL;

    *ret_ms = INT64_MAX;
    do {
        struct list *list = find(lists, &id);
        int64_t ms = list ? due_ms(list, pace) : INT64_MAX;
        if (ms < *ret_ms) {
            *ret_ms = ms;
            *ret = id;
            first = list;
        }
    } while (next_id(lists, &id));
    return first;
}

bool crl_lists_take_due(struct crl_lists *lists, const struct crl_pace *pace,
                        struct crl_list_id *ret)
{
    int64_t ms = 0;

    (void)pthread_mutex_lock(&lists->lock);
    struct list *list = first_due(lists, pace, ret, &ms);
    bool due = list && ms <= pace->now_ms;
    if (due) {
        list->dirty = false;
    }
    (void)pthread_mutex_unlock(&lists->lock);
    return due;
}

int64_t crl_lists_wait_ms(struct crl_lists *lists, const struct crl_pace *pace, int64_t most)
{
    struct crl_list_id id;
    int64_t ms = 0;

    (void)pthread_mutex_lock(&lists->lock);
    bool any = first_due(lists, pace, &id, &ms) != NULL;
    (void)pthread_mutex_unlock(&lists->lock);
    int64_t wait = any ? ms - pace->now_ms : most;
    return wait < 0 ? 0 : wait > most ? most : wait;
}

void crl_lists_settle(struct crl_lists *lists, const struct crl_list_id *id, struct crl_doc *doc,
                      int64_t again_ms)
{
    struct crl_doc *old = NULL;

    (void)pthread_mutex_lock(&lists->lock);
    struct list *list = find_or_add(lists, id);
    if (list) {
        list->again_ms = again_ms;
        if (doc) {
            old = list->doc;
            list->doc = crl_doc_ref(doc);
        } else {
            list->dirty = true;
        }
    }
    (void)pthread_mutex_unlock(&lists->lock);
    crl_doc_unref(old);
}

struct crl_doc *crl_lists_get(struct crl_lists *lists, const struct crl_list_id *id)
{
    (void)pthread_mutex_lock(&lists->lock);
    const struct list *list = find(lists, id);
    struct crl_doc *doc = list ? crl_doc_ref(list->doc) : NULL;
    (void)pthread_mutex_unlock(&lists->lock);
    return doc;
}

bool crl_lists_has(struct crl_lists *lists, const struct crl_list_id *id)
{
    (void)pthread_mutex_lock(&lists->lock);
    const struct list *list = find(lists, id);
    bool there = list && list->there;
    (void)pthread_mutex_unlock(&lists->lock);
    return there;
}

/* --- bases ------------------------------------------------------------------------------------ */

struct crl_base *crl_lists_bases(struct crl_lists *lists, unsigned ca)
{
    return lists->cas[ca % SERVICE_CAS_MAX].bases;
}

uint64_t crl_lists_oldest_mark(struct crl_lists *lists)
{
    uint64_t oldest = UINT64_MAX;

    for (unsigned i = 0; i < SERVICE_CAS_MAX; i++) {
        for (unsigned k = 0; k < BASES; k++) {
            const struct crl_base *base = &lists->cas[i].bases[k];
            oldest = base->number > 0 && base->mark < oldest ? base->mark : oldest;
        }
    }
    return oldest;
}

/* --- making ----------------------------------------------------------------------------------- */

kw_status crl_lists_new(struct kw_op *op, struct crl_lists **ret)
{
    struct crl_lists *lists = calloc(1, sizeof(*lists));

    ENSURE(op, lists, KW_E_MEMORY, "no memory for CRLs");
    (void)pthread_mutex_init(&lists->lock, NULL); /* cannot fail on Linux */
    *ret = lists;
    return KW_OK;
}

void crl_lists_free(struct crl_lists *lists)
{
    if (!lists) {
        return;
    }
    for (unsigned i = 0; i < SERVICE_CAS_MAX; i++) {
        struct ca_lists *ca = &lists->cas[i];
        crl_doc_unref(ca->whole.doc);
        crl_doc_unref(ca->delta.doc);
        crl_doc_unref(ca->life.doc);
        for (unsigned k = 0; k < ca->n_shards; k++) {
            crl_doc_unref(ca->shards[k].doc);
        }
        free(ca->shards);
    }
    (void)pthread_mutex_destroy(&lists->lock);
    free(lists);
}
