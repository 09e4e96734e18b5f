#include "service/validation/ocsp_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ocsp_cache {
    pthread_mutex_t lock;       /* guards slots */
    atomic_uint_fast64_t epoch; /* answers of an older one are void */
    struct ocsp_entry *slots[OCSP_CACHE_SLOTS];
};

struct ocsp_entry *ocsp_entry_ref(struct ocsp_entry *entry)
{
    atomic_fetch_add(&entry->refs, 1);
    return entry;
}

void ocsp_entry_unref(struct ocsp_entry *entry)
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
    for (unsigned i = 0; i < OCSP_CACHE_SLOTS; i++) {
        ocsp_entry_unref(cache->slots[i]);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

uint64_t ocsp_cache_epoch(struct ocsp_cache *cache)
{
    return atomic_load(&cache->epoch);
}

void ocsp_cache_raise(struct ocsp_cache *cache)
{
    atomic_fetch_add(&cache->epoch, 1);
}

static struct ocsp_entry **slot_of(struct ocsp_cache *cache, const uint8_t key[KW_HASH_BYTES])
{
    unsigned slot = ((unsigned)key[0] << 8 | key[1]) % OCSP_CACHE_SLOTS;

    return &cache->slots[slot];
}

struct ocsp_entry *ocsp_cache_get(struct ocsp_cache *cache, const uint8_t key[KW_HASH_BYTES],
                                  int64_t now_s)
{
    struct ocsp_entry *found = NULL;

    pthread_mutex_lock(&cache->lock);
    struct ocsp_entry *entry = *slot_of(cache, key);
    if (entry && memcmp(entry->key, key, KW_HASH_BYTES) == 0 &&
        entry->epoch == atomic_load(&cache->epoch) && now_s < entry->expires_s &&
        now_s >= entry->signed_s) {
        found = ocsp_entry_ref(entry);
    }
    pthread_mutex_unlock(&cache->lock);
    if (found) {
        atomic_store_explicit(&found->asked_s, now_s, memory_order_relaxed);
    }
    return found;
}

void ocsp_cache_put(struct ocsp_cache *cache, struct ocsp_entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    struct ocsp_entry **slot = slot_of(cache, entry->key);
    struct ocsp_entry *old = *slot;
    *slot = ocsp_entry_ref(entry);
    pthread_mutex_unlock(&cache->lock);
    ocsp_entry_unref(old);
}

struct ocsp_entry *ocsp_cache_slot(struct ocsp_cache *cache, unsigned slot)
{
    pthread_mutex_lock(&cache->lock);
    struct ocsp_entry *entry = cache->slots[slot];
    if (entry) {
        (void)ocsp_entry_ref(entry);
    }
    pthread_mutex_unlock(&cache->lock);
    return entry;
}
