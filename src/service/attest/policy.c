/* What operators said of products and their boots, as one round needs it. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/tpm_log.h"
#include "service/attest/attest_internal.h"

void attest_policy_free(struct attest_policy *policy)
{
    for (unsigned i = 0; policy && i < policy->n_sets; i++) {
        store_reference_done(&policy->sets[i]);
    }
    free(policy);
}

kw_status attest_policy_load(struct kw_op *op, struct service *service,
                             const struct store_attest *row, struct attest_policy **ret)
{
    static const char element[] = "pkcs11 "; /* as the agent's hello names that root of trust */
    struct store_device known;
    bool has = false;
    AUTO(attest_policy) *policy = calloc(1, sizeof(*policy));

    ENSURE(op, policy, KW_E_MEMORY, "no memory for the policy");
    TRY(op, store_device_get(op, service->store, row->device, &known));
    if (row->ek_serial_len > 0) {
        TRY(op, store_ek_is_revoked(op, service->store, row->ek_issuer,
                                    KW_SPAN(row->ek_serial, row->ek_serial_len), &policy->revoked));
    }
    TRY(op, store_element_has(op, service->store, known.product, &has));
    KW_TEXT_SET(policy->product, known.product);
    policy->element = has && strncmp(known.root_of_trust, element, sizeof(element) - 1) == 0;
    policy->simulated = known.simulated;
    TRY(op, store_reference_for(op, service->store, known.product, ATTEST_REFERENCES_MAX,
                                policy->sets, &policy->n_sets));
    *ret = TAKE(policy);
    return KW_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

/* Sorted. Nothing where there are more than a set may have, or no memory. */
static struct attest_event *read_events(struct kw_span log, unsigned entries, unsigned *ret_n)
{
    struct tpm_log_event *said = calloc(ATTEST_EVENTS_MAX, sizeof(*said));
    struct attest_event *events = calloc(ATTEST_EVENTS_MAX, sizeof(*events));
    unsigned n = 0;

    if (!said || !events ||
        !tpm_log_events(log, entries, attest_pcr_mask, said, ATTEST_EVENTS_MAX, &n) ||
        n > ATTEST_EVENTS_MAX) {
        free(said);
        free(events);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        events[i].pcr = (uint8_t)said[i].pcr;
        events[i].type = said[i].type;
        memcpy(events[i].digest, said[i].digest.p, sizeof(events[i].digest));
    }
    free(said);
    *ret_n = attest_events_sort(events, n);
    return events;
}

static void explain(const struct attest_fit *fit, char *ret, size_t cap)
{
    const uint8_t *d = fit->event.digest;
    const char *set = fit->reference ? fit->reference->name : "";

    if (fit->reason == ATTEST_R_REFERENCE_CLOSED) {
        (void)snprintf(ret, cap, "the events are those of '%.60s', which was closed", set);
        return;
    }
    (void)snprintf(
        ret, cap, "PCR %u, event type 0x%x, SHA-256 %02x%02x%02x%02x%02x%02x…, %s '%.40s'",
        fit->event.pcr, fit->event.type, d[0], d[1], d[2], d[3], d[4], d[5],
        fit->reason == ATTEST_R_UNKNOWN_EVENT ? "not in the nearest set" : "of the set", set);
}

enum attest_reason attest_judge_events(struct attest_policy *policy, struct kw_span log,
                                       unsigned entries, char *ret_name, size_t cap)
{
    struct attest_reference sets[ATTEST_REFERENCES_MAX];
    unsigned n = 0;

    *ret_name = 0;
    if (policy->n_sets == 0) {
        return ATTEST_R_OK;
    }
    struct attest_event *events = read_events(log, entries, &n);
    if (!events) {
        return ATTEST_R_LOG_MALFORMED;
    }
    for (unsigned i = 0; i < policy->n_sets; i++) {
        sets[i] = policy->sets[i].set;
    }
    struct attest_fit fit =
        attest_references_judge(sets, policy->n_sets, policy->product, events, n);
    if (fit.reason == ATTEST_R_OK && fit.reference) {
        (void)snprintf(ret_name, cap, "%s", fit.reference->name);
    } else if (fit.reason != ATTEST_R_OK) {
        explain(&fit, policy->detail, sizeof(policy->detail));
    }
    free(events);
    return fit.reason;
}
