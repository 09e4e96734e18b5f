#include "service/validation/crl_make.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/cert.h"
#include "crypto/crl.h"
#include "model/object.h"
#include "os/clock.h"

/* --- entries ---------------------------------------------------------------------------------- */

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

static kw_status add(struct kw_op *op, struct revoked_list *list, struct kw_span serial,
                     int64_t at_s, int reason)
{
    ENSURE(op, serial.len <= KW_SERIAL_MAX, KW_E_INTEGRITY, "a serial number of %zu octets",
           serial.len);
    if (list->n == list->cap) {
        TRY(op, grow(op, list));
    }
    struct revoked *revoked = &list->at[list->n++];
    memcpy(revoked->serial, serial.p, serial.len);
    revoked->serial_len = (uint8_t)serial.len;
    revoked->reason = (uint8_t)reason;
    revoked->at_s = at_s;
    return KW_OK;
}

static kw_status gather(struct kw_op *op, void *ctx, const struct store_revoked *one)
{
    return add(op, ctx, one->serial, one->revoked_s, one->reason);
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

/* One name, one scope: a relying party may judge a certificate by the whole list of any of the CA's
 * keys, so each lists what all of them issued (RFC 5280 section 5). A part is named by the very key
 * that issued. */
static kw_status gather_complete(struct kw_op *op, const struct crl_order *order,
                                 struct revoked_list *list)
{
    const struct authorities *all = order->all;
    bool whole = order->id.shard == SHARD_WHOLE;

    for (unsigned i = 0; i < all->n; i++) {
        const struct ca *ca = &all->at[i];
        if (ca == order->ca || (whole && strcmp(ca->base, order->ca->base) == 0)) {
            TRY(op, store_cert_revoked_each(op, order->service->store, ca->id,
                                            whole ? STORE_SHARD_ANY : (int)order->id.shard,
                                            order->not_after_from, gather, list));
        }
    }
    if (list->n > 1) { /* crl_build() takes them as they ascend */
        qsort(list->at, list->n, sizeof(list->at[0]), compare);
    }
    return KW_OK;
}

enum { REMOVE_FROM_CRL = 8 };

/* What was released is listed as well: whoever has it from the base, or from a delta before, is to
 * strike it out (RFC 5280 section 5.3.1). */
static kw_status gather_delta(struct kw_op *op, const struct crl_order *order,
                              struct revoked_list *list)
{
    struct crl_step *steps = NULL;
    size_t n = 0;

    TRY(op, crl_journal_since(op, order->journal, order->base_mark, order->ca->base, &steps, &n));
    kw_status status = KW_OK;
    for (size_t i = 0; i < n && kw_ok(status); i++) {
        const struct crl_step *step = &steps[i];
        status = add(op, list, KW_SPAN(step->serial, step->serial_len), step->at_s,
                     step->listed ? step->reason : REMOVE_FROM_CRL);
    }
    free(steps);
    return status;
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

/* --- number and record ------------------------------------------------------------------------ */

struct crl_change {
    const struct crl_order *order;
    char counter[KW_NAME_MAX + 8];
    uint64_t number;
    size_t entries;
    uint8_t digest[KW_HASH_BYTES];
};

static kw_status take_number(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct crl_change *change = ctx;

    return store_counter_next(op, txn, change->counter, &change->number);
}

static kw_status record(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct crl_change *change = ctx;
    const struct crl_order *order = change->order;
    struct event event = {.type = EVENT_CRL_SIGN};
    char name[SHARD_NAME_MAX];

    memcpy(event.digest, change->digest, sizeof(event.digest));
    crl_list_name(order->ca->id, &order->id, name);
    KW_TEXT_SET(event.key, order->ca->key_id);
    object_write(OBJECT_CA, order->ca->id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "CRL %llu with %zu entries, list %s",
                   (unsigned long long)change->number, change->entries, name);
    return service_record(op, order->service, txn, &event);
}

/* --- the list --------------------------------------------------------------------------------- */

static kw_status set_places(struct kw_op *op, const struct crl_order *order,
                            struct crl_scope *scope, char delta_url[SHARD_URL_MAX],
                            struct crl_spec *spec)
{
    const char *base = order->service->config.public_url;

    if (order->id.shard != SHARD_WHOLE) {
        char url[SHARD_URL_MAX];
        shard_url(order->service, order->ca->id, order->id.shard, url);
        ENSURE(op, KW_TEXT_SET(scope->url, url), KW_E_INPUT, "public_url is too long for CRLs");
        spec->scope = scope;
    }
    if (order->has_delta) {
        (void)snprintf(delta_url, SHARD_URL_MAX, "%.255s/crl/%.90s.delta.crl", base, order->ca->id);
        spec->delta_url = delta_url;
    }
    return KW_OK;
}

static kw_status build(struct kw_op *op, const struct crl_order *order, uint64_t number,
                       struct revoked_list *list, struct crl_spec *spec, struct kw_bytes **ret)
{
    struct crl_scope scope = {0};
    char delta_url[SHARD_URL_MAX];

    *spec = (struct crl_spec){
        .issuer_dn = cert_subject(order->ca->cert),
        .issuer_key = cert_public(order->ca->cert),
        .number = number,
        .base_number = order->base_number,
        .this_update = os_clock_unix_s(),
        .next = hand_out,
        .ctx = list,
    };
    spec->next_update = spec->this_update + (int64_t)order->service->config.crl_hours * 3600;
    TRY(op, set_places(op, order, &scope, delta_url, spec));
    kw_status status = crl_build(op, spec, order->ca->crl_key, ret);
    spec->scope = NULL; /* they end here */
    spec->delta_url = NULL;
    TRY(op, status, "signing CRL %llu", (unsigned long long)number);
    return KW_OK;
}

kw_status crl_make(struct kw_op *op, const struct crl_order *order, struct crl_doc **ret)
{
    __attribute__((cleanup(revoked_list_done))) struct revoked_list list = {0};
    struct crl_change change = {.order = order};
    struct crl_spec spec;
    AUTO(kw_bytes) *der = NULL;
    int64_t begun_ms = os_clock_mono_ms();

    /* "a monotonically increasing sequence number for a given CRL scope and CRL issuer" (RFC 5280
     * section 5.2.3): one counter for all lists of a name, so it rises for each of them */
    (void)snprintf(change.counter, sizeof(change.counter), "crl:%s", order->ca->base);
    TRY(op, order->id.delta ? gather_delta(op, order, &list) : gather_complete(op, order, &list));
    TRY(op, store_change(op, order->service->store, take_number, &change));
    change.entries = list.n;
    TRY(op, build(op, order, change.number, &list, &spec, &der));
    TRY(op, cert_tbs_sha256(op, kw_bytes_span(der), change.digest));
    TRY(op, store_change(op, order->service->store, record, &change), "recording the CRL");
    TRY(op, crl_doc_new(op, &der, change.number, change.entries, spec.this_update, spec.next_update,
                        ret));
    (*ret)->making_ms = os_clock_mono_ms() - begun_ms;
    return KW_OK;
}
