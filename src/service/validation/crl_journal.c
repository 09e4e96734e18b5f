#include "service/validation/crl_journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS_MAX = 250000,   /* 36 MB; a delta of more would hardly be smaller than the list */
    STEPS_AT_ONCE = 2048, /* copied under the lock: tens of microseconds */
};

struct crl_journal {
    pthread_mutex_t lock;
    struct crl_step *at;
    size_t n, cap;
    uint64_t first; /* number of at[0] */
};

kw_status crl_journal_new(struct kw_op *op, struct crl_journal **ret)
{
    struct crl_journal *journal = calloc(1, sizeof(*journal));

    ENSURE(op, journal, KW_E_MEMORY, "no memory for revocations");
    (void)pthread_mutex_init(&journal->lock, NULL); /* cannot fail on Linux */
    *ret = journal;
    return KW_OK;
}

void crl_journal_free(struct crl_journal *journal)
{
    if (journal) {
        (void)pthread_mutex_destroy(&journal->lock);
        free(journal->at);
        free(journal);
    }
}

/* The lock is held. */
static void forget(struct crl_journal *journal)
{
    journal->first += journal->n + 1; /* so that no mark of before is the present one */
    journal->n = 0;
}

static bool make_room(struct crl_journal *journal)
{
    if (journal->n < journal->cap) {
        return true;
    }
    size_t cap = journal->cap ? 2 * journal->cap : 64;
    struct crl_step *at = journal->n < STEPS_MAX ? realloc(journal->at, cap * sizeof(*at)) : NULL;
    if (!at) {
        return false;
    }
    journal->at = at;
    journal->cap = cap;
    return true;
}

void crl_journal_add(struct crl_journal *journal, const struct crl_step *step)
{
    (void)pthread_mutex_lock(&journal->lock);
    if (make_room(journal)) {
        journal->at[journal->n] = *step;
        journal->at[journal->n].number = journal->first + journal->n;
        journal->n++;
    } else {
        forget(journal);
    }
    (void)pthread_mutex_unlock(&journal->lock);
}

void crl_journal_forget_all(struct crl_journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    forget(journal);
    (void)pthread_mutex_unlock(&journal->lock);
}

uint64_t crl_journal_mark(struct crl_journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    uint64_t mark = journal->first + journal->n;
    (void)pthread_mutex_unlock(&journal->lock);
    return mark;
}

/* By serial number as it counts, the newest first of one. */
static int compare(const void *a, const void *b)
{
    const struct crl_step *x = a;
    const struct crl_step *y = b;

    if (x->serial_len != y->serial_len) {
        return x->serial_len < y->serial_len ? -1 : 1;
    }
    int order = memcmp(x->serial, y->serial, x->serial_len);
    return order != 0 ? order : (x->number < y->number) - (x->number > y->number);
}

static bool same_serial(const struct crl_step *a, const struct crl_step *b)
{
    return a->serial_len == b->serial_len && memcmp(a->serial, b->serial, a->serial_len) == 0;
}

/* A few steps of that CA from this place on, so that whoever adds one waits for few. False: they
 * are forgotten meanwhile. */
static bool copy_some(struct crl_journal *journal, uint64_t from, uint64_t to, const char *base,
                      struct crl_step *steps, size_t *n)
{
    (void)pthread_mutex_lock(&journal->lock);
    bool known = from >= journal->first && to <= journal->first + journal->n;
    for (uint64_t i = from; known && i < to; i++) {
        const struct crl_step *step = &journal->at[i - journal->first];
        if (strcmp(step->base, base) == 0) {
            steps[(*n)++] = *step;
        }
    }
    (void)pthread_mutex_unlock(&journal->lock);
    return known;
}

static kw_status copy(struct kw_op *op, struct crl_journal *journal, uint64_t from, uint64_t to,
                      const char *base, struct crl_step *steps, size_t *ret_n)
{
    size_t n = 0;

    while (from < to) {
        uint64_t next = to - from > STEPS_AT_ONCE ? from + STEPS_AT_ONCE : to;
        ENSURE(op, copy_some(journal, from, next, base, steps, &n), KW_E_NOT_FOUND,
               "what was revoked since is forgotten");
        from = next;
    }
    *ret_n = n;
    return KW_OK;
}

static size_t keep_newest(struct crl_step *steps, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !same_serial(&steps[kept - 1], &steps[i])) {
            steps[kept++] = steps[i];
        }
    }
    return kept;
}

kw_status crl_journal_since(struct kw_op *op, struct crl_journal *journal, uint64_t mark,
                            const char *base, struct crl_step **ret, size_t *ret_n)
{
    (void)pthread_mutex_lock(&journal->lock);
    uint64_t first = journal->first, end = first + journal->n;
    (void)pthread_mutex_unlock(&journal->lock);
    ENSURE(op, mark >= first && mark <= end, KW_E_NOT_FOUND,
           "what was revoked since is not known one by one");
    *ret = NULL;
    *ret_n = 0;
    if (mark == end) {
        return KW_OK;
    }
    struct crl_step *steps = calloc(end - mark, sizeof(*steps));
    ENSURE(op, steps, KW_E_MEMORY, "no memory for a delta CRL");
    kw_status status = copy(op, journal, mark, end, base, steps, ret_n);
    if (!kw_ok(status)) {
        free(steps);
        return status;
    }
    if (*ret_n > 1) {
        qsort(steps, *ret_n, sizeof(*steps), compare);
    }
    *ret_n = keep_newest(steps, *ret_n);
    *ret = steps;
    return KW_OK;
}

void crl_journal_cut(struct crl_journal *journal, uint64_t mark)
{
    (void)pthread_mutex_lock(&journal->lock);
    if (mark > journal->first && mark <= journal->first + journal->n) {
        size_t gone = (size_t)(mark - journal->first);
        memmove(journal->at, journal->at + gone, (journal->n - gone) * sizeof(*journal->at));
        journal->n -= gone;
        journal->first = mark;
    }
    (void)pthread_mutex_unlock(&journal->lock);
}
