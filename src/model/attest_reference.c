#include "model/attest_reference.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct attest_event *x = a, *y = b;

    if (x->pcr != y->pcr) {
        return x->pcr < y->pcr ? -1 : 1;
    }
    if (x->type != y->type) {
        return x->type < y->type ? -1 : 1;
    }
    return memcmp(x->digest, y->digest, sizeof(x->digest));
}

unsigned attest_events_sort(struct attest_event events[], unsigned n)
{
    unsigned kept = 0;

    if (n > 0) {
        qsort(events, n, sizeof(*events), compare);
    }
    for (unsigned i = 0; i < n; i++) {
        if (kept == 0 || compare(&events[kept - 1], &events[i]) != 0) {
            events[kept++] = events[i];
        }
    }
    return kept;
}

static bool is_judged(const struct attest_reference *set, const struct attest_event *event)
{
    return event->pcr < 8 * ATTEST_PCR_MASK && (set->pcrs[event->pcr / 8] & 1u << event->pcr % 8);
}

/* How far the events are from a set. */
struct distance {
    unsigned unknown, missing;
    struct attest_event first_unknown, first_missing;
};

static void note(const struct attest_reference *set, const struct attest_event *event,
                 unsigned *count, struct attest_event *first)
{
    if (!is_judged(set, event)) {
        return;
    }
    if ((*count)++ == 0) {
        *first = *event;
    }
}

/* Both are sorted: one walk. */
static struct distance measure(const struct attest_reference *set,
                               const struct attest_event events[], unsigned n)
{
    struct distance d = {0};
    unsigned i = 0, k = 0;

    while (i < n || k < set->n) {
        int order = i == n ? 1 : k == set->n ? -1 : compare(&events[i], &set->events[k]);
        if (order < 0) {
            note(set, &events[i], &d.unknown, &d.first_unknown);
        } else if (order > 0) {
            note(set, &set->events[k], &d.missing, &d.first_missing);
        }
        i += order <= 0;
        k += order >= 0;
    }
    return d;
}

static bool is_for(const struct attest_reference *set, const char *product)
{
    return !*set->product || strcmp(set->product, product) == 0;
}

static bool is_nearer(const struct distance *d, const struct distance *than)
{
    return d->unknown < than->unknown ||
           (d->unknown == than->unknown && d->missing < than->missing);
}

struct attest_fit attest_references_judge(const struct attest_reference sets[], unsigned n_sets,
                                          const char *product, const struct attest_event events[],
                                          unsigned n)
{
    struct attest_fit fit = {.reason = ATTEST_R_OK};
    struct distance nearest = {.unknown = UINT32_MAX};
    const struct attest_reference *closed = NULL;
    unsigned n_asked = 0;

    for (unsigned i = 0; i < n_sets; i++) {
        if (!is_for(&sets[i], product)) {
            continue;
        }
        struct distance d = measure(&sets[i], events, n);
        n_asked++;
        if (!sets[i].open) {
            closed = d.unknown + d.missing == 0 ? &sets[i] : closed;
        } else if (is_nearer(&d, &nearest)) {
            nearest = d;
            fit.reference = &sets[i];
        }
    }
    if (n_asked == 0 || (fit.reference && nearest.unknown + nearest.missing == 0)) {
        return fit;
    }
    if (closed) {
        return (struct attest_fit){.reason = ATTEST_R_REFERENCE_CLOSED, .reference = closed};
    }
    fit.reason = nearest.unknown > 0 ? ATTEST_R_UNKNOWN_EVENT : ATTEST_R_MISSING_EVENT;
    fit.event = nearest.unknown > 0 ? nearest.first_unknown : nearest.first_missing;
    return fit;
}
