/* The only home of private octets: own pages, locked, left out of core dumps, wiped on free. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

struct kw_secret;

/**
 * Room for len secret octets, zeroed.
 * Errors: KW_E_LIMIT the lock limit (RLIMIT_MEMLOCK) is reached; KW_E_MEMORY; KW_E_UNSUPPORTED a
 * kernel that cannot leave pages out of dumps and forks (Linux before 4.14).
 */
kw_status kw_secret_new(size_t len, struct kw_secret **ret);
/* Copy octets into a new secret; the caller still wipes its own copy with kw_wipe(). */
kw_status kw_secret_copy(struct kw_span from, struct kw_secret **ret);
/* The octets, writable, until kw_secret_free(). Never print, never put into kw_bytes. */
uint8_t *kw_secret_data(struct kw_secret *secret);
size_t kw_secret_len(const struct kw_secret *secret);
struct kw_span kw_secret_span(const struct kw_secret *secret);
/* Shorten (a buffer was larger than the secret that came); the tail is wiped. */
void kw_secret_trim(struct kw_secret *secret, size_t len);
bool kw_secret_equal(const struct kw_secret *a, const struct kw_secret *b);
void kw_secret_free(struct kw_secret *secret);
KW_OWNED(kw_secret, struct kw_secret, kw_secret_free)

/* Overwrite with zeroes in a way that the compiler keeps. */
void kw_wipe(void *p, size_t n);

#endif
