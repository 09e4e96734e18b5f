#include "service/validation/crl_maker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/cert.h"
#include "crypto/crl.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/authority/expire.h"
#include "service/log/gap.h"

enum { GATHER_MS = 100, RETRY_MS = 2000, IDLE_MS = 30000, MAKE_DEADLINE_MS = 60000 };

struct crl_maker {
    struct service *service;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    bool dirty[SERVICE_CAS_MAX];
    int64_t next_update_s[SERVICE_CAS_MAX]; /* of the newest CRL; 0 = none */
    bool stop, running;
    pthread_t thread;
};

/* --- one CRL ---------------------------------------------------------------------------------- */

struct revoked {
    uint8_t serial[KW_SERIAL_MAX];
    uint8_t serial_len;
    uint8_t reason;
    int64_t at_s;
};

struct revoked_list {
    struct revoked *at;
    size_t n, cap;
    size_t next; /* to be handed to crl_build() */
};

static void revoked_list_done(struct revoked_list *list)
{
    free(list->at);
}

static kw_status grow(struct kw_op *op, struct revoked_list *list)
{
    size_t cap = list->cap ? 2 * list->cap : 256;
    struct revoked *at = realloc(list->at, cap * sizeof(*at));

    ENSURE(op, at, KW_E_MEMORY, "no memory for a CRL of %zu entries", cap);
    list->at = at;
    list->cap = cap;
    return KW_OK;
}

static kw_status gather(struct kw_op *op, void *ctx, const struct store_revoked *one)
{
    struct revoked_list *list = ctx;
    struct kw_span serial = one->serial;

    ENSURE(op, serial.len <= KW_SERIAL_MAX, KW_E_INTEGRITY, "a serial number of %zu octets",
           serial.len);
    if (list->n == list->cap) {
        TRY(op, grow(op, list));
    }
    struct revoked *revoked = &list->at[list->n++];
    memcpy(revoked->serial, serial.p, serial.len);
    revoked->serial_len = (uint8_t)serial.len;
    revoked->reason = (uint8_t)one->reason;
    revoked->at_s = one->revoked_s;
    return KW_OK;
}

static int compare(const void *a, const void *b)
{
    const struct revoked *left = a;
    const struct revoked *right = b;

    if (left->serial_len != right->serial_len) {
        return left->serial_len < right->serial_len ? -1 : 1;
    }
    return memcmp(left->serial, right->serial, left->serial_len);
}

/* One name, one scope: a relying party may judge a certificate by the list of any of the CA's keys,
 * so each lists what all of them issued (RFC 5280 section 5). */
static kw_status gather_all(struct kw_op *op, struct service *service,
                            const struct authorities *all, const struct ca *ca,
                            struct revoked_list *list)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (strcmp(all->at[i].base, ca->base) == 0) {
            TRY(op, store_cert_revoked_each(op, service->store, all->at[i].id, STORE_SHARD_ANY, 0,
                                            gather, list));
        }
    }
    if (list->n > 1) { /* crl_build() takes them as they ascend */
        qsort(list->at, list->n, sizeof(list->at[0]), compare);
    }
    return KW_OK;
}

static kw_status hand_out(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    struct revoked_list *list = ctx;

    (void)op;
    *ret_more = list->next < list->n;
    if (*ret_more) {
        const struct revoked *revoked = &list->at[list->next++];
        *ret = (struct crl_entry){.serial = KW_SPAN(revoked->serial, revoked->serial_len),
                                  .revoked_unix = revoked->at_s,
                                  .reason = revoked->reason};
    }
    return KW_OK;
}

struct crl_change {
    struct service *service;
    const struct ca *ca;
    char name[KW_NAME_MAX + 8], counter[KW_NAME_MAX + 8];
    uint64_t number;
    size_t entries;
    struct kw_span der;
};

static kw_status take_number(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct crl_change *change = ctx;

    return store_counter_next(op, txn, change->counter, &change->number);
}

static kw_status put_crl(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct crl_change *change = ctx;
    struct event event = {.type = EVENT_CRL_SIGN};

    TRY(op, cert_tbs_sha256(op, change->der, event.digest));
    KW_TEXT_SET(event.key, change->ca->key_id);
    TRY(op, store_blob_put(op, txn, change->name, change->number, change->der));
    (void)snprintf(event.object, sizeof(event.object), "ca:%.80s", change->ca->id);
    (void)snprintf(event.detail, sizeof(event.detail), "CRL %llu with %zu entries",
                   (unsigned long long)change->number, change->entries);
    return service_record(op, change->service, txn, &event);
}

static kw_status make(struct kw_op *op, struct service *service, const struct authorities *all,
                      const struct ca *ca, int64_t *ret_next_update)
{
    __attribute__((cleanup(revoked_list_done))) struct revoked_list list = {0};
    struct crl_change change = {.service = service, .ca = ca};
    AUTO(kw_bytes) *der = NULL;

    (void)snprintf(change.name, sizeof(change.name), "crl:%s", ca->id);
    /* "a monotonically increasing sequence number for a given CRL scope and CRL issuer" (RFC 5280
     * section 5.2.3): the name is the issuer, whatever the key */
    (void)snprintf(change.counter, sizeof(change.counter), "crl:%s", ca->base);
    TRY(op, store_change(op, service->store, take_number, &change));
    TRY(op, gather_all(op, service, all, ca, &list));
    struct crl_spec spec = {
        .issuer_dn = cert_subject(ca->cert),
        .issuer_key = cert_public(ca->cert),
        .number = change.number,
        .this_update = os_clock_unix_s(),
        .next = hand_out,
        .ctx = &list,
    };
    spec.next_update = spec.this_update + (int64_t)service->config.crl_hours * 3600;
    TRY(op, crl_build(op, &spec, ca->crl_key, &der), "signing CRL %llu",
        (unsigned long long)change.number);
    change.der = kw_bytes_span(der);
    change.entries = list.n;
    TRY(op, store_change(op, service->store, put_crl, &change), "keeping the CRL");
    *ret_next_update = spec.next_update;
    return KW_OK;
}

/* --- when ------------------------------------------------------------------------------------- */

static bool due(struct crl_maker *maker, unsigned ca, int64_t now_s)
{
    int64_t half_life_s = (int64_t)maker->service->config.crl_hours * 1800;

    pthread_mutex_lock(&maker->lock);
    bool is_due = maker->dirty[ca] || maker->next_update_s[ca] - half_life_s <= now_s;
    maker->dirty[ca] = false;
    pthread_mutex_unlock(&maker->lock);
    return is_due;
}

static void settle(struct crl_maker *maker, unsigned ca, bool made, int64_t next_update_s)
{
    pthread_mutex_lock(&maker->lock);
    if (made) {
        maker->next_update_s[ca] = next_update_s;
    } else {
        maker->dirty[ca] = true;
    }
    pthread_mutex_unlock(&maker->lock);
}

static kw_status make_if_due(struct kw_op *op, struct crl_maker *maker,
                             const struct authorities *all, const struct ca *ca)
{
    struct service *service = maker->service;
    int64_t next_update_s = 0;

    if (!due(maker, ca->index, os_clock_unix_s())) {
        return KW_OK;
    }
    kw_status status = make(op, service, all, ca, &next_update_s);
    settle(maker, ca->index, kw_ok(status), next_update_s);
    TRY(op, status, "CRL of CA '%s'", ca->id);
    return KW_OK;
}

/* Every CA has its turn, whatever becomes of another's. The first failure is told. */
static kw_status make_due(struct kw_op *op, struct crl_maker *maker)
{
    kw_status first = KW_OK;

    AUTO(authorities) *all = service_authorities(maker->service);

    for (unsigned i = 0; i < all->n; i++) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        kw_status status = make_if_due(kw_ok(first) ? op : &own, maker, all, &all->at[i]);
        first = kw_ok(first) ? status : first;
    }
    return first;
}

static bool any_dirty(const struct crl_maker *maker)
{
    for (unsigned i = 0; i < SERVICE_CAS_MAX; i++) {
        if (maker->dirty[i]) {
            return true;
        }
    }
    return false;
}

/* Sleep up to `ms`, or until there is work (`until_work`), or the end. True: go on. */
static bool pause_ms(struct crl_maker *maker, unsigned ms, bool until_work)
{
    int64_t until_ns = os_clock_mono_ns() + (int64_t)ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int timed_out = 0;

    pthread_mutex_lock(&maker->lock);
    while (!maker->stop && !timed_out && !(until_work && any_dirty(maker))) {
        timed_out = pthread_cond_timedwait(&maker->work, &maker->lock, &until);
    }
    bool go_on = !maker->stop;
    pthread_mutex_unlock(&maker->lock);
    return go_on;
}

static kw_status work_once(struct crl_maker *maker)
{
    struct kw_op op;

    kw_op_init(&op, "system", os_clock_mono_ms() + MAKE_DEADLINE_MS);
    kw_status status = make_due(&op, maker);
    if (!kw_ok(status)) {
        service_complain(maker->service, &op, "revocation lists could not be made");
        kw_op_clear(&op);
    }
    kw_status expired = expire_superseded(&op, maker->service);
    if (!kw_ok(expired)) {
        service_complain(maker->service, &op, "replaced certificates could not be revoked");
    }
    return kw_ok(status) ? expired : status;
}

static void *work(void *ctx)
{
    struct crl_maker *maker = ctx;

    while (pause_ms(maker, IDLE_MS, /* until_work= */ true) &&
           pause_ms(maker, GATHER_MS, /* until_work= */ false)) {
        while (!kw_ok(work_once(maker)) && pause_ms(maker, RETRY_MS, /* until_work= */ false)) {
        }
    }
    return NULL;
}

kw_status crl_maker_start(struct kw_op *op, struct service *service, struct crl_maker **ret)
{
    struct crl_maker *maker = calloc(1, sizeof(*maker));

    ENSURE(op, maker, KW_E_MEMORY, "no memory for CRLs");
    maker->service = service;
    pthread_mutex_init(&maker->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&maker->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = maker;
    TRY(op, make_due(op, maker));
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
    }
    pthread_cond_destroy(&maker->work);
    pthread_mutex_destroy(&maker->lock);
    free(maker);
}

void crl_maker_wake(struct service *service, const char *ca_id)
{
    struct crl_maker *maker = service->crl_maker;
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *asked = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    if (!maker || !kw_ok(authorities_find(&quiet, all, ca_id, &asked))) {
        return;
    }
    for (unsigned i = 0; i < all->n; i++) { /* every key of it lists what any of them issued */
        if (strcmp(all->at[i].base, asked->base) == 0) {
            pthread_mutex_lock(&maker->lock);
            maker->dirty[i] = true;
            pthread_cond_signal(&maker->work);
            pthread_mutex_unlock(&maker->lock);
        }
    }
}

static bool is_listed(enum cert_state state)
{
    return state == CERT_STATE_HELD || state == CERT_STATE_REVOKED;
}

void crl_maker_notice(struct service *service, const struct store_notice at[], unsigned n)
{
    const char *woken = "";

    for (unsigned i = 0; i < n; i++) {
        if (at[i].what == STORE_NOTICE_CERT &&
            (is_listed(at[i].state) || is_listed(at[i].before)) && strcmp(at[i].ca, woken) != 0) {
            crl_maker_wake(service, at[i].ca);
            woken = at[i].ca;
        }
    }
}

void crl_maker_doubt(struct service *service)
{
    AUTO(authorities) *all = service_authorities(service);

    for (unsigned i = 0; all && i < all->n; i++) {
        crl_maker_wake(service, all->at[i].id);
    }
}

static bool out_of_date(struct service *service, const struct ca *ca)
{
    struct crl_maker *maker = service->crl_maker;
    unsigned i = ca->index;

    if (!maker) {
        return true;
    }
    pthread_mutex_lock(&maker->lock);
    bool old = maker->next_update_s[i] <= os_clock_unix_s();
    pthread_mutex_unlock(&maker->lock);
    return old;
}

/* In a gap none is made: the one that the store holds, for as long as it says itself. */
static kw_status get_old(struct kw_op *op, struct service *service, const char *ca_id,
                         struct kw_bytes **ret)
{
    char name[KW_NAME_MAX + 8];
    uint64_t number = 0;
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;

    (void)snprintf(name, sizeof(name), "crl:%s", ca_id);
    TRY(op, store_blob_get(op, service->store, name, &number, &der));
    TRY(op, crl_parse(op, kw_bytes_span(der), &crl));
    if (os_clock_unix_s() >= crl_next_update(crl)) {
        return log_gap_refuse(op, service);
    }
    *ret = TAKE(der);
    return KW_OK;
}

kw_status crl_get(struct kw_op *op, struct service *service, const char *ca_id,
                  struct kw_bytes **ret)
{
    char name[KW_NAME_MAX + 8];
    uint64_t number = 0;
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *ca = NULL;

    if (strcmp(ca_id, "root") ==
        0) { /* made in the ceremony: the root is not here to make another */
        return store_blob_get(op, service->store, "crl:root", &number, ret);
    }
    TRY(op, authorities_find(op, all, ca_id, &ca));
    if (atomic_load(&service->gap.open)) {
        return get_old(op, service, ca_id, ret);
    }
    ENSURE(op, !out_of_date(service, ca), KW_E_UNAVAILABLE, "the newest CRL of CA '%s' has ended",
           ca_id);
    (void)snprintf(name, sizeof(name), "crl:%s", ca_id);
    return store_blob_get(op, service->store, name, &number, ret);
}
