/* Reference sets and secure elements, as operators say them. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/tpm_log.h"
#include "os/clock.h"
#include "service/attest/attest_internal.h"
#include "service/attest/references.h"

/* One change by an operator, with the event that says so. */
struct change {
    struct service *service;
    const struct attest_reference *set;
    const char *name;
    enum attest_reference_deed deed;
    bool has;
};

static kw_status record(struct kw_op *op, struct store_txn *txn, const struct change *it,
                        const char *kind, const char *what)
{
    struct event event = {.type = EVENT_ATTEST_POLICY};

    (void)snprintf(event.object, sizeof(event.object), "%.20s:%.70s", kind, it->name);
    (void)snprintf(event.detail, sizeof(event.detail), "%s", what);
    return service_record(op, it->service, txn, &event);
}

static kw_status add(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct change *it = ctx;
    char what[160];
    unsigned n = 0;

    TRY(op, store_reference_count(op, txn, &n));
    ENSURE(op, n < ATTEST_REFERENCES_MAX, KW_E_LIMIT,
           "there are %u reference sets; forget one that is closed", n);
    TRY(op, store_reference_insert(op, txn, it->set, os_clock_unix_ms()));
    (void)snprintf(what, sizeof(what), "opened with %u events%s%.80s", it->set->n,
                   *it->set->product ? " for product " : "", it->set->product);
    return record(op, txn, it, "attest-reference", what);
}

/* The events of a genuine unit's log, in the PCRs that are judged. */
static kw_status read_log(struct kw_op *op, struct kw_span log, const uint8_t pcrs[ATTEST_PCR_MASK],
                          struct attest_event *events, unsigned *ret_n)
{
    unsigned n = 0;
    struct tpm_log_event *said = calloc(ATTEST_EVENTS_MAX, sizeof(*said));

    ENSURE(op, said, KW_E_MEMORY, "no memory for the event log");
    bool whole = tpm_log_events(log, TPM_LOG_ALL, pcrs, said, ATTEST_EVENTS_MAX, &n);
    for (unsigned i = 0; whole && i < n && n <= ATTEST_EVENTS_MAX; i++) {
        events[i].pcr = (uint8_t)said[i].pcr;
        events[i].type = said[i].type;
        memcpy(events[i].digest, said[i].digest.p, sizeof(events[i].digest));
    }
    free(said);
    ENSURE(op, whole && log.len > 0, KW_E_INPUT,
           "not an event log (crypto-agile TCG PC Client format)");
    ENSURE(op, n > 0, KW_E_INPUT, "the log has no event in these PCRs");
    ENSURE(op, n <= ATTEST_EVENTS_MAX, KW_E_TOO_LARGE, "%u events are too many", n);
    *ret_n = attest_events_sort(events, n);
    return KW_OK;
}

static bool within(const uint8_t pcrs[ATTEST_PCR_MASK], const uint8_t mask[ATTEST_PCR_MASK])
{
    bool any = false, out = false;

    for (unsigned i = 0; i < ATTEST_PCR_MASK; i++) {
        any = any || pcrs[i];
        out = out || pcrs[i] & ~mask[i];
    }
    return any && !out;
}

kw_status attest_reference_add(struct kw_op *op, struct service *service, const char *name,
                               const char *product, const uint8_t pcrs[ATTEST_PCR_MASK],
                               struct kw_span log, struct attest_reference *ret)
{
    struct change it = {.service = service, .set = ret, .name = name};

    ENSURE(op, *name, KW_E_INPUT, "a reference set needs a name");
    ENSURE(op, within(pcrs, attest_pcr_mask), KW_E_INPUT, "only PCRs 0 to 7 are quoted");
    struct attest_event *events = calloc(ATTEST_EVENTS_MAX, sizeof(*events));
    ENSURE(op, events, KW_E_MEMORY, "no memory for the event log");
    *ret = (struct attest_reference){.open = true, .events = events};
    KW_TEXT_SET(ret->name, name);
    KW_TEXT_SET(ret->product, product);
    memcpy(ret->pcrs, pcrs, sizeof(ret->pcrs));
    kw_status status = read_log(op, log, pcrs, events, &ret->n);
    if (kw_ok(status)) {
        status = store_change(op, service->store, add, &it);
    }
    ret->events = NULL;
    free(events);
    return status;
}

static kw_status touch(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    static const char *const words[] = {[ATTEST_REFERENCE_OPEN] = "opened",
                                        [ATTEST_REFERENCE_CLOSE] = "closed",
                                        [ATTEST_REFERENCE_FORGET] = "forgotten",
                                        [ATTEST_REFERENCE_UNTRUST] = "trust taken away",
                                        [ATTEST_REFERENCE_RETRUST] = "trust given back"};
    _Static_assert(KW_COUNT(words) == ATTEST_REFERENCE_DEED_MAX, "a word for each deed");
    const struct change *it = ctx;
    bool open = it->deed == ATTEST_REFERENCE_OPEN || it->deed == ATTEST_REFERENCE_RETRUST;

    TRY(op, it->deed == ATTEST_REFERENCE_FORGET
                ? store_reference_delete(op, txn, it->name)
                : store_reference_set_open(op, txn, it->name, open));
    return record(op, txn, it, "attest-reference", words[it->deed]);
}

kw_status attest_reference_do(struct kw_op *op, struct service *service, const char *name,
                              enum attest_reference_deed deed)
{
    struct change it = {.service = service, .name = name, .deed = deed};

    TRY(op, store_change(op, service->store, touch, &it));
    if (deed == ATTEST_REFERENCE_UNTRUST) {
        return attest_untrust_reference(op, service, name);
    }
    return deed == ATTEST_REFERENCE_RETRUST ? attest_retrust_reference(op, service, name) : KW_OK;
}

static kw_status say(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct change *it = ctx;

    TRY(op, store_element_set(op, txn, it->name, it->has, os_clock_unix_ms()));
    return record(op, txn, it, "product",
                  it->has ? "its units have a secure element" : "its units have no secure element");
}

kw_status attest_element_set(struct kw_op *op, struct service *service, const char *product,
                             bool has)
{
    struct change it = {.service = service, .name = product, .has = has};

    ENSURE(op, *product, KW_E_INPUT, "which product?");
    return store_change(op, service->store, say, &it);
}
