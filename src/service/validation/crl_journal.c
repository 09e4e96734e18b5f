#include "service/validation/crl_journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 250000 }; /* 36 MB; a delta of more would hardly be smaller than the list */

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

/* Copies of what is asked for; NULL and 0 where there is none. The lock is held. */
static bool copy(const struct crl_journal *journal, uint64_t mark, const char *base,
                 struct crl_step **ret, size_t *ret_n)
{
    size_t from = (size_t)(mark - journal->first), n = 0;
    struct crl_step *steps = from < journal->n ? calloc(journal->n - from, sizeof(*steps)) : NULL;

    for (size_t i = from; steps && i < journal->n; i++) {
        if (strcmp(journal->at[i].base, base) == 0) {
            steps[n++] = journal->at[i];
        }
    }
    *ret = steps;
    *ret_n = n;
    return steps || from >= journal->n;
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
    bool known = mark >= journal->first && mark <= journal->first + journal->n;
    bool copied = known && copy(journal, mark, base, ret, ret_n);
    (void)pthread_mutex_unlock(&journal->lock);
    ENSURE(op, known, KW_E_NOT_FOUND, "what was revoked since is not known one by one");
    ENSURE(op, copied, KW_E_MEMORY, "no memory for a delta CRL");
    if (*ret_n > 1) {
        qsort(*ret, *ret_n, sizeof(**ret), compare);
    }
    *ret_n = keep_newest(*ret, *ret_n);
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
