#include "service/revocation/enforced.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/crl.h"
#include "os/clock.h"
#include "service/validation/crl_maker.h"
#include "store/registration.h"

enum { LOOK_FOR_MS = 7 * 86400000, OFTEN_FOR_MS = 300000, SELDOM_MS = 60000 };

bool plan_summary_next(const char **at, char kind[16], char name[KW_NAME_MAX], uint64_t *ret_n)
{
    const char *tab = strchr(*at, '\t');
    const char *second = tab ? strchr(tab + 1, '\t') : NULL;
    char *end = NULL;

    if (!second || tab - *at >= 16 || second - tab - 1 >= KW_NAME_MAX) {
        return false;
    }
    (void)snprintf(kind, 16, "%.*s", (int)(tab - *at), *at);
    (void)snprintf(name, KW_NAME_MAX, "%.*s", (int)(second - tab - 1), tab + 1);
    *ret_n = strtoull(second + 1, &end, 10);
    *at = *end == '\n' ? end + 1 : end;
    return true;
}

/* The next CA of a plan. */
static bool next_ca(const char **at, char name[KW_NAME_MAX])
{
    char kind[16];
    uint64_t n = 0;

    while (plan_summary_next(at, kind, name, &n)) {
        if (strcmp(kind, "ca") == 0) {
            return true;
        }
    }
    return false;
}

struct seen {
    const struct store_plan *plan;
    const char *party;
    int64_t at_ms;
};

static kw_status note(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct seen *seen = ctx;

    return store_plan_party(op, txn, seen->plan->id, seen->party, seen->at_ms);
}

static bool known(const struct store_party parties[], unsigned n, const char *party)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(parties[i].name, party) == 0) {
            return true;
        }
    }
    return false;
}

/* Is the last of the plan's certificates by this CA on the newest list? */
static kw_status crl_has(struct kw_op *op, struct service *service, const struct store_plan *plan,
                         const char *ca, bool *ret)
{
    uint8_t serial[KW_SERIAL_MAX];
    uint32_t len = 0;
    int reason = 0;
    int64_t at_s = 0;
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;

    kw_status status = store_plan_last_of(op, service->store, plan->id, ca, serial, &len);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        *ret = false;
        return KW_OK;
    }
    TRY(op, status);
    TRY(op, crl_get(op, service, ca, &der), "CRL of CA '%s'", ca);
    TRY(op, crl_parse(op, kw_bytes_span(der), &crl), "CRL of CA '%s'", ca);
    *ret = kw_ok(crl_find(crl, KW_SPAN(serial, len), &reason, &at_s));
    return KW_OK;
}

static kw_status look_at_crls(struct kw_op *op, struct service *service,
                              const struct store_plan *plan, const struct store_party parties[],
                              unsigned n)
{
    const char *at = plan->summary;
    char ca[KW_NAME_MAX], party[KW_NAME_MAX + 8];
    bool has = false;

    while (next_ca(&at, ca)) {
        (void)snprintf(party, sizeof(party), "crl:%.90s", ca);
        if (known(parties, n, party)) {
            continue;
        }
        TRY(op, crl_has(op, service, plan, ca, &has));
        if (has) {
            struct seen seen = {.plan = plan, .party = party, .at_ms = os_clock_unix_ms()};
            TRY(op, store_change(op, service->store, note, &seen));
        }
    }
    return KW_OK;
}

/* Who follows the log has heard of it when it has taken the plan's last entry. */
static kw_status look_at_consumers(struct kw_op *op, struct service *service,
                                   const struct store_plan *plan,
                                   const struct store_party parties[], unsigned n)
{
    struct store_consumer consumer;
    char after[KW_NAME_MAX] = "", party[KW_NAME_MAX + 16];
    unsigned got = 0;

    for (;;) {
        TRY(op, store_consumer_list(op, service->store, after, 1, &consumer, &got));
        if (got == 0) {
            return KW_OK;
        }
        KW_TEXT_SET(after, consumer.name);
        (void)snprintf(party, sizeof(party), "consumer:%.80s", consumer.name);
        if (known(parties, n, party)) {
            continue;
        }
        struct seen seen = {.plan = plan, .party = party};
        kw_status status = store_consumer_passed(op, service->store, consumer.name,
                                                 plan->log_size - 1, &seen.at_ms);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            continue;
        }
        TRY(op, status);
        TRY(op, store_change(op, service->store, note, &seen));
    }
}

static kw_status look_at_plan(struct kw_op *op, struct service *service,
                              const struct store_plan *plan)
{
    struct store_party parties[REVOCATION_PARTIES_MAX];
    unsigned n = 0;

    TRY(op, store_plan_parties(op, service->store, plan->id, REVOCATION_PARTIES_MAX, parties, &n));
    TRY(op, look_at_crls(op, service, plan, parties, n));
    return plan->log_size > 0 ? look_at_consumers(op, service, plan, parties, n) : KW_OK;
}

/* --- as told ---------------------------------------------------------------------------------- */

static void expect(struct store_party parties[], unsigned *n, const char *kind, const char *name)
{
    if (*n < REVOCATION_PARTIES_MAX) {
        (void)snprintf(parties[*n].name, sizeof(parties[*n].name), "%s%.80s", kind, name);
        parties[*n].at_ms = 0;
        (*n)++;
    }
}

static kw_status expect_consumers(struct kw_op *op, struct service *service,
                                  struct store_party parties[], unsigned *n)
{
    struct store_consumer consumer;
    char after[KW_NAME_MAX] = "";
    unsigned got = 0;

    while (*n < REVOCATION_PARTIES_MAX) {
        TRY(op, store_consumer_list(op, service->store, after, 1, &consumer, &got));
        if (got == 0) {
            return KW_OK;
        }
        KW_TEXT_SET(after, consumer.name);
        expect(parties, n, "consumer:", consumer.name);
    }
    return KW_OK;
}

kw_status enforced_parties(struct kw_op *op, struct service *service, const struct store_plan *plan,
                           struct store_party ret[], unsigned *ret_n)
{
    struct store_party seen[REVOCATION_PARTIES_MAX];
    const char *at = plan->summary;
    char ca[KW_NAME_MAX];
    unsigned n_seen = 0;

    *ret_n = 0;
    expect(ret, ret_n, "gate", "");
    expect(ret, ret_n, "ocsp", "");
    while (next_ca(&at, ca)) {
        expect(ret, ret_n, "crl:", ca);
    }
    TRY(op, expect_consumers(op, service, ret, ret_n));
    if (plan->id == 0) {
        return KW_OK;
    }
    TRY(op,
        store_plan_parties(op, service->store, plan->id, REVOCATION_PARTIES_MAX, seen, &n_seen));
    for (unsigned i = 0; i < n_seen; i++) {
        for (unsigned k = 0; k < *ret_n; k++) {
            if (strcmp(ret[k].name, seen[i].name) == 0) {
                ret[k].at_ms = seen[i].at_ms;
            }
        }
    }
    return KW_OK;
}

/* --- as seen ---------------------------------------------------------------------------------- */

kw_status enforced_look(struct kw_op *op, struct service *service)
{
    static _Atomic int64_t seldom_ms; /* one worker a process; another one only looks twice */
    int64_t now_ms = os_clock_unix_ms(), after = 0;
    bool seldom = os_clock_mono_ms() - seldom_ms > SELDOM_MS;
    struct store_plan plan;

    seldom_ms = seldom ? os_clock_mono_ms() : seldom_ms;
    for (;;) {
        kw_status status = store_plan_next(op, service->store, after, 1U << PLAN_DONE, &plan);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        after = plan.id;
        int64_t since_ms = now_ms - plan.ended_ms;
        if (since_ms < OFTEN_FOR_MS || (seldom && since_ms < LOOK_FOR_MS)) {
            TRY(op, look_at_plan(op, service, &plan));
        }
    }
}
