#include "service/validation/ocsp_responder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/ocsp.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/log/gap.h"

/* --- the cache: answers by the request's octets
 * ------------------------------------------------------------------- */

enum { SLOTS = 8192, CACHE_REQUEST_MAX = 256, KEEP_BACK_S = 60 };

struct entry {
    atomic_uint refs;
    uint8_t key[KW_HASH_BYTES];
    uint64_t epoch;
    int64_t expires_s;
    struct kw_bytes *der;
};

struct ocsp_cache {
    pthread_mutex_t lock;       /* guards slots */
    atomic_uint_fast64_t epoch; /* raised by every revocation: answers from before are void */
    struct entry *slots[SLOTS];
};

static void entry_unref(struct entry *entry)
{
    if (entry && atomic_fetch_sub(&entry->refs, 1) == 1) {
        kw_bytes_free(entry->der);
        free(entry);
    }
}

kw_status ocsp_cache_new(struct kw_op *op, struct ocsp_cache **ret)
{
    struct ocsp_cache *cache = calloc(1, sizeof(*cache));

    ENSURE(op, cache, KW_E_MEMORY, "no memory for OCSP answers");
    pthread_mutex_init(&cache->lock, NULL);
    *ret = cache;
    return KW_OK;
}

void ocsp_cache_free(struct ocsp_cache *cache)
{
    if (!cache) {
        return;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        entry_unref(cache->slots[i]);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void ocsp_cache_forget(struct service *service)
{
    atomic_fetch_add(&service->ocsp_cache->epoch, 1);
}

static struct entry **slot_of(struct ocsp_cache *cache, const uint8_t key[KW_HASH_BYTES])
{
    unsigned slot = ((unsigned)key[0] << 8 | key[1]) % SLOTS;

    return &cache->slots[slot];
}

static void lend(struct entry *entry, int64_t now_s, struct ocsp_reply *ret)
{
    ret->der = kw_bytes_span(entry->der);
    ret->max_age_s = entry->expires_s - now_s;
    ret->entry = entry;
}

static bool cache_get(struct ocsp_cache *cache, const uint8_t key[KW_HASH_BYTES],
                      struct ocsp_reply *ret)
{
    int64_t now_s = os_clock_unix_s();
    bool hit = false;

    pthread_mutex_lock(&cache->lock);
    struct entry *entry = *slot_of(cache, key);
    if (entry && memcmp(entry->key, key, KW_HASH_BYTES) == 0 &&
        entry->epoch == atomic_load(&cache->epoch) && now_s < entry->expires_s) {
        atomic_fetch_add(&entry->refs, 1);
        lend(entry, now_s, ret);
        hit = true;
    }
    pthread_mutex_unlock(&cache->lock);
    return hit;
}

static void cache_put(struct ocsp_cache *cache, struct entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    struct entry **slot = slot_of(cache, entry->key);
    struct entry *old = *slot;
    atomic_fetch_add(&entry->refs, 1);
    *slot = entry;
    pthread_mutex_unlock(&cache->lock);
    entry_unref(old);
}

void ocsp_reply_release(struct ocsp_reply *reply)
{
    entry_unref(reply->entry);
    reply->entry = NULL;
}

bool ocsp_respond_cached(struct service *service, const char *ca, struct kw_span request,
                         struct ocsp_reply *ret)
{
    uint8_t key[KW_HASH_BYTES];

    if (request.len > CACHE_REQUEST_MAX) {
        return false;
    }
    digest_sha256_two(kw_span_text(ca), request, key);
    return cache_get(service->ocsp_cache, key, ret);
}

/* --- answers ---------------------------------------------------------------------------------- */

enum { OCSP_MALFORMED = 1, OCSP_INTERNAL = 2, OCSP_TRY_LATER = 3, OCSP_UNAUTHORIZED = 6 };

struct kw_span ocsp_reply_failed(bool may_retry)
{
    return ocsp_answer_error(may_retry ? OCSP_TRY_LATER : OCSP_INTERNAL);
}

static void reply_error(int status, struct ocsp_reply *ret)
{
    *ret = (struct ocsp_reply){.der = ocsp_answer_error(status)};
}

/* Is the question about this CA? Name and key hash are both looked at (PEERS.md: the nearest rival
 * ignores them). */
static bool asks_ca(const struct ocsp_certid *id, const struct ca *ca)
{
    uint8_t hash[KW_HASH_BYTES];
    size_t len = id->sha256 ? KW_HASH_BYTES : 20;

    if (id->sha256) {
        digest_sha256(cert_subject(ca->cert), hash);
    } else {
        digest_sha1(cert_subject(ca->cert), hash);
    }
    const uint8_t *key =
        id->sha256 ? pubkey_bits_sha256(cert_public(ca->cert)) : pubkey_sha1(cert_public(ca->cert));
    return memcmp(id->name_hash, hash, len) == 0 && memcmp(id->key_hash, key, len) == 0;
}

static void fill_single(const struct store_cert_status *status, struct ocsp_single *single)
{
    bool revoked = status->state == CERT_STATE_REVOKED || status->state == CERT_STATE_HELD;

    single->status = revoked ? OCSP_CERT_REVOKED : OCSP_CERT_GOOD;
    single->revoked_unix = revoked ? status->revoked_s : 0;
    single->reason = revoked ? status->reason : 0;
}

/* One answer; *ret_known is false where we never issued such a serial. */
static kw_status answer_one(struct kw_op *op, struct service *service, const struct ca *ca,
                            struct ocsp_single *single, bool *ret_known)
{
    struct store_cert_status status;
    struct kw_span serial = KW_SPAN(single->id.serial, single->id.serial_len);
    kw_status found = store_cert_status(op, service->store, ca->id, serial, &status);

    *ret_known = kw_ok(found);
    if (found.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        TRY(op, log_gap_refuse(op, service)); /* it may have been issued in the gap */
        single->status = OCSP_CERT_UNKNOWN;
        return KW_OK;
    }
    TRY(op, found, "asking the registry");
    fill_single(&status, single);
    /* what was revoked stays so; of anything else nobody knows what happened in the gap */
    return single->status == OCSP_CERT_REVOKED ? KW_OK : log_gap_refuse(op, service);
}

static kw_status sign_answer(struct kw_op *op, struct service *service, const struct ca *ca,
                             const struct ocsp_query *query, struct ocsp_reply *ret)
{
    struct ocsp_single singles[OCSP_CERTIDS_MAX];
    int64_t now_s = os_clock_unix_s();
    bool any_known = false;

    memset(singles, 0, sizeof(singles));
    for (unsigned i = 0; i < query->n; i++) {
        bool known = false;
        singles[i].id = query->at[i];
        singles[i].this_update = now_s;
        singles[i].next_update = now_s + (int64_t)service->config.ocsp_minutes * 60;
        TRY(op, answer_one(op, service, ca, &singles[i], &known));
        any_known |= known;
    }
    if (!any_known) { /* RFC 9919: no authoritative record; never "good" for what we did not issue
                       */
        reply_error(OCSP_UNAUTHORIZED, ret);
        return KW_OK;
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    ENSURE(op, entry, KW_E_MEMORY, "no memory for an OCSP answer");
    atomic_init(&entry->refs, 1);
    entry->expires_s = singles[0].next_update - KEEP_BACK_S;
    lend(entry, now_s, ret);
    TRY(op, ocsp_answer_build(op, singles, query->n, KW_SPAN(query->nonce, query->nonce_len), now_s,
                              ca->ocsp_cert, ca->ocsp_key, &entry->der));
    ret->der = kw_bytes_span(entry->der);
    return KW_OK;
}

static bool asks_only(const struct ocsp_query *query, const struct ca *ca)
{
    for (unsigned i = 0; i < query->n; i++) {
        if (!asks_ca(&query->at[i], ca)) {
            return false;
        }
    }
    return query->n > 0;
}

static void keep(struct service *service, const char *ca, struct kw_span request, uint64_t epoch,
                 const struct ocsp_query *query, struct ocsp_reply *reply)
{
    struct entry *entry = reply->entry;

    if (!entry || query->nonce_len > 0 || request.len > CACHE_REQUEST_MAX) {
        reply->max_age_s = query->nonce_len > 0 ? 0 : reply->max_age_s;
        return;
    }
    digest_sha256_two(kw_span_text(ca), request, entry->key);
    entry->epoch = epoch;
    cache_put(service->ocsp_cache, entry);
}

kw_status ocsp_respond(struct kw_op *op, struct service *service, const char *ca_id,
                       struct kw_span request, struct ocsp_reply *ret)
{
    struct ocsp_query query;
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *ca = NULL;
    uint64_t epoch = atomic_load(&service->ocsp_cache->epoch); /* before the registry is asked */

    memset(ret, 0, sizeof(*ret));
    TRY(op, authorities_find(op, all, ca_id, &ca));
    ENSURE(op, ca->ocsp_key, KW_E_UNAVAILABLE, "CA '%s' has no OCSP signer", ca_id);
    if (!kw_ok(ocsp_query_parse(op, request, &query))) {
        kw_op_clear(op);
        reply_error(OCSP_MALFORMED, ret);
        return KW_OK;
    }
    if (!asks_only(&query, ca)) {
        reply_error(OCSP_UNAUTHORIZED, ret);
        return KW_OK;
    }
    kw_status status = sign_answer(op, service, ca, &query, ret);
    if (!kw_ok(status)) {
        ocsp_reply_release(ret);
        TRY(op, status, "OCSP answer of CA '%s'", ca_id);
    }
    keep(service, ca_id, request, epoch, &query, ret);
    return KW_OK;
}
