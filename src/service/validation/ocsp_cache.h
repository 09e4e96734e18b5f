/* Signed OCSP answers by the octets of their requests, each with what it was signed about. */
#ifndef SERVICE_VALIDATION_OCSP_CACHE_H
#define SERVICE_VALIDATION_OCSP_CACHE_H

#include <stdatomic.h>

#include "base/time.h"
#include "crypto/ocsp.h"
#include "service/validation/status_table.h"

struct ocsp_subject {
    struct ocsp_certid id;
    bool known; /* we issued it; else `standing` says nothing */
    struct status_standing standing;
};

struct ocsp_entry {
    atomic_uint refs;
    uint8_t key[KW_HASH_BYTES];
    uint64_t epoch;
    atomic_llong asked_s; /* when it was last given; 0 = never since it was made */
    int64_t signed_s, expires_s;
    char ca[KW_NAME_MAX];
    struct kw_bytes *der;
    char etag[2 * KW_HASH_BYTES + 3], last_modified[KW_TIME_TEXT], expires[KW_TIME_TEXT];
    unsigned n;
    struct ocsp_subject at[];
};
struct ocsp_entry *ocsp_entry_ref(struct ocsp_entry *entry);
void ocsp_entry_unref(struct ocsp_entry *entry);
KW_OWNED(ocsp_entry, struct ocsp_entry, ocsp_entry_unref)

enum { OCSP_CACHE_SLOTS = 8192, OCSP_CACHE_REQUEST_MAX = 256 };

struct ocsp_cache;
kw_status ocsp_cache_new(struct kw_op *op, struct ocsp_cache **ret);
void ocsp_cache_free(struct ocsp_cache *cache);

/* A reference, or NULL: none that is still to be given at now_s. */
struct ocsp_entry *ocsp_cache_get(struct ocsp_cache *cache, const uint8_t key[KW_HASH_BYTES],
                                  int64_t now_s);
/* Takes a reference of its own. epoch: of before its subjects were looked up. */
void ocsp_cache_put(struct ocsp_cache *cache, struct ocsp_entry *entry);
uint64_t ocsp_cache_epoch(struct ocsp_cache *cache);
void ocsp_cache_raise(struct ocsp_cache *cache);
/* A reference to the entry in this slot, or NULL. For who renews. */
struct ocsp_entry *ocsp_cache_slot(struct ocsp_cache *cache, unsigned slot);

#endif
