#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Each secret has its own mapping: an unreadable page, the data pages, an unreadable page. The
 * octets end at the last page (but for alignment), so that reading beyond them faults at once.
 */
struct kw_secret {
    uint8_t *map;  /* the whole mapping */
    size_t n_map;  /* its length */
    uint8_t *data; /* inside the data pages */
    size_t n_data; /* as asked for, or trimmed */
};

enum { ALIGNMENT = 16 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uint8_t *data_pages(const struct kw_secret *s)
{
    return s->map + page_size();
}

static size_t n_data_pages(const struct kw_secret *s)
{
    return s->n_map - 2 * page_size();
}

static kw_status map_pages(struct kw_secret *s, size_t len)
{
    size_t page = page_size();
    size_t n_pages = len == 0 ? page : (len + page - 1) / page * page;

    void *map = mmap(NULL, n_pages + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return KW_FAIL(KW_E_MEMORY);
    }
    s->map = map;
    s->n_map = n_pages + 2 * page;
    if (mprotect(data_pages(s), n_pages, PROT_READ | PROT_WRITE) != 0) {
        return KW_FAIL(KW_E_MEMORY);
    }
    return KW_OK;
}

/* Never in swap, in a core dump, or in a child of fork(2). */
static kw_status confine_pages(const struct kw_secret *s)
{
    if (mlock(data_pages(s), n_data_pages(s)) != 0) {
        return KW_FAIL(KW_E_LIMIT);
    }
    /* A kernel without these cannot keep the promise of secret.h: refuse rather than pretend. */
    if (madvise(data_pages(s), n_data_pages(s), MADV_DONTDUMP) != 0 ||
        madvise(data_pages(s), n_data_pages(s), MADV_WIPEONFORK) != 0) {
        return KW_FAIL(errno == ENOMEM ? KW_E_MEMORY : KW_E_UNSUPPORTED);
    }
    return KW_OK;
}

kw_status kw_secret_new(size_t len, struct kw_secret **ret)
{
    if (len > SIZE_MAX / 2) {
        return KW_FAIL(KW_E_MEMORY);
    }
    AUTO(kw_secret) *s = calloc(1, sizeof(*s));
    if (!s) {
        return KW_FAIL(KW_E_MEMORY);
    }
    kw_status status = map_pages(s, len);
    if (kw_ok(status)) {
        status = confine_pages(s);
    }
    if (!kw_ok(status)) {
        return status;
    }
    size_t n_aligned = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    s->data = data_pages(s) + (n_data_pages(s) - n_aligned);
    s->n_data = len;
    *ret = TAKE(s);
    return KW_OK;
}

kw_status kw_secret_copy(struct kw_span from, struct kw_secret **ret)
{
    AUTO(kw_secret) *s = NULL;

    kw_status status = kw_secret_new(from.len, &s);
    if (!kw_ok(status)) {
        return status;
    }
    if (from.len > 0) {
        memcpy(s->data, from.p, from.len);
    }
    *ret = TAKE(s);
    return KW_OK;
}

uint8_t *kw_secret_data(struct kw_secret *secret)
{
    return secret->data;
}

size_t kw_secret_len(const struct kw_secret *secret)
{
    return secret->n_data;
}

struct kw_span kw_secret_span(const struct kw_secret *secret)
{
    return secret ? KW_SPAN(secret->data, secret->n_data) : KW_SPAN(NULL, 0);
}

void kw_secret_trim(struct kw_secret *secret, size_t len)
{
    if (len < secret->n_data) {
        kw_wipe(secret->data + len, secret->n_data - len);
        secret->n_data = len;
    }
}

bool kw_secret_equal(const struct kw_secret *a, const struct kw_secret *b)
{
    return kw_equal_consttime(kw_secret_span(a), kw_secret_span(b));
}

void kw_secret_free(struct kw_secret *secret)
{
    if (!secret) {
        return;
    }
    if (secret->map) {
        if (secret->data) { /* otherwise the pages may not be writable yet, and hold nothing */
            kw_wipe(data_pages(secret), n_data_pages(secret));
        }
        (void)munmap(secret->map, secret->n_map); /* unlocks too; can only fail on a bad address */
    }
    free(secret);
}

void kw_wipe(void *p, size_t n)
{
    if (n > 0) {
        explicit_bzero(p, n);
    }
}
