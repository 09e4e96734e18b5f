/* Which certificates a selection means, what their revocation would do, and keeping that. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "os/clock.h"
#include "service/revocation/revocation.h"

enum { KINDS_MAX = 64, PAGE = 20000, ADD_AT_ONCE = 2000, OWNER_ROWS = 64, WEEK_S = 7 * 86400 };

/* One that is meant. 24 octets, so that a million are 24 MiB while the plan is made. */
struct meant {
    int64_t row, owner;
    uint32_t ca, profile : 28, state : 4;
};

struct tally_row {
    char kind[12], name[KW_NAME_MAX];
    uint64_t n;
};

struct making {
    const struct revocation_wish *wish;
    struct service *service;
    int64_t now_s;
    struct meant *at;
    size_t n, cap;
    unsigned n_tally;
    struct tally_row tally[KINDS_MAX];
    struct revocation_preview *preview;
};

/* --- gathering -------------------------------------------------------------------------------- */

static bool is_meant(const struct making *making, const struct store_cert_ref *ref)
{
    bool good = ref->state == CERT_STATE_VALID || ref->state == CERT_STATE_SUPERSEDED;
    bool held = ref->state == CERT_STATE_HELD && !making->wish->hold;

    return (good || held) && ref->not_after > making->now_s;
}

static kw_status take(struct kw_op *op, void *ctx, struct store_conn *conn,
                      const struct store_cert_ref *ref)
{
    struct making *making = ctx;

    (void)conn;
    if (!is_meant(making, ref)) {
        return KW_OK;
    }
    if (making->n == making->cap) {
        size_t cap = making->cap ? 2 * making->cap : 1024;
        ENSURE(op, making->n < REVOCATION_PLAN_MAX, KW_E_LIMIT,
               "more than %d certificates; make several plans", REVOCATION_PLAN_MAX);
        struct meant *at = realloc(making->at, cap * sizeof(*at));
        ENSURE(op, at, KW_E_MEMORY, "no memory for a plan of %zu certificates", cap);
        making->at = at;
        making->cap = cap;
    }
    making->at[making->n++] = (struct meant){.row = ref->row,
                                             .owner = ref->owner,
                                             .ca = (uint32_t)ref->ca,
                                             .profile = (uint32_t)ref->profile,
                                             .state = (unsigned)ref->state};
    return KW_OK;
}

static int by_row(const void *a, const void *b)
{
    const struct meant *x = a, *y = b;

    return (x->row > y->row) - (x->row < y->row);
}

static int by_owner(const void *a, const void *b)
{
    const struct meant *x = a, *y = b;

    return x->owner != y->owner ? (x->owner > y->owner) - (x->owner < y->owner) : by_row(a, b);
}

static kw_status gather(struct kw_op *op, struct making *making)
{
    struct store_cert_filter filter = making->wish->filter;
    struct store_cert_cursor next = {0};

    do {
        filter.after_row = next.row;
        filter.after_s = next.s;
        TRY(op, store_cert_find(op, making->service->store, &filter, PAGE, take, making, &next));
    } while (next.row > 0);
    ENSURE(op, making->n > 0, KW_E_NOT_FOUND,
           "no certificate that is good for something is meant by this");
    return KW_OK;
}

/* --- counting --------------------------------------------------------------------------------- */

/* What does not fit into the table is counted together. */
static void count(struct making *making, const char *kind, const char *name, uint64_t n)
{
    struct tally_row *row = NULL;

    for (unsigned i = 0; i < making->n_tally; i++) {
        row = &making->tally[i];
        if (strcmp(row->kind, kind) == 0 && strcmp(row->name, name) == 0) {
            row->n += n;
            return;
        }
    }
    if (making->n_tally >= KINDS_MAX - 4 && strcmp(name, "others") != 0) {
        count(making, kind, "others", n);
        return;
    }
    if (making->n_tally < KINDS_MAX) {
        row = &making->tally[making->n_tally++];
        KW_TEXT_SET(row->kind, kind);
        KW_TEXT_SET(row->name, name);
        row->n = n;
    }
}

/* By number first: names are read once each. */
static kw_status count_names(struct kw_op *op, struct store_conn *conn, struct making *making,
                             const char *kind, size_t offset)
{
    struct {
        uint32_t id;
        uint64_t n;
    } seen[KINDS_MAX];
    unsigned n = 0;
    char name[KW_NAME_MAX];

    for (size_t i = 0; i < making->n; i++) {
        uint32_t id = offset == 0 ? making->at[i].ca : making->at[i].profile;
        unsigned k = 0;
        while (k < n && seen[k].id != id) {
            k++;
        }
        if (k == n && n < KINDS_MAX) {
            seen[n].id = id;
            seen[n++].n = 0;
        }
        seen[k < n ? k : n - 1].n++;
    }
    for (unsigned k = 0; k < n; k++) {
        TRY(op, store_name_text(op, conn, seen[k].id, name));
        count(making, kind, name, seen[k].n);
    }
    return KW_OK;
}

static bool in_group(const struct meant *group, size_t n, int64_t row)
{
    for (size_t i = 0; i < n; i++) {
        if (group[i].row == row) {
            return true;
        }
    }
    return false;
}

/* One owner's: its device, and what it would have left. */
static kw_status count_owner(struct kw_op *op, struct store_conn *conn, struct making *making,
                             const struct meant *group, size_t n)
{
    char product[KW_NAME_MAX] = "", batch[KW_NAME_MAX] = "";
    int64_t rows[OWNER_ROWS];
    unsigned n_rows = 0, left = 0;
    bool device = false;

    TRY(op, store_owner_device(op, conn, group->owner, product, batch, &device));
    if (!device) {
        count(making, "owners", "no devices", 1);
        return KW_OK;
    }
    count(making, "devices", "all", 1);
    count(making, "product", product, n);
    if (batch[0] != '\0') {
        count(making, "batch", batch, n);
    }
    TRY(op, store_owner_rows(op, conn, group->owner, making->now_s, OWNER_ROWS, rows, &n_rows));
    for (unsigned i = 0; i < n_rows; i++) {
        left += !in_group(group, n, rows[i]);
    }
    if (left == 0) {
        count(making, "devices", "with no certificate left", 1);
    }
    return KW_OK;
}

static bool is_in(const struct making *making, int64_t row)
{
    const struct meant wanted = {.row = row};

    return bsearch(&wanted, making->at, making->n, sizeof(making->at[0]), by_row) != NULL;
}

/* Nobody could end what follows, or issue another credential. */
static kw_status check_operators(struct kw_op *op, struct store_conn *conn,
                                 const struct making *making)
{
    int64_t rows[OWNER_ROWS];
    unsigned n = 0, left = 0;

    TRY(op, store_operator_rows(op, conn, making->now_s, OWNER_ROWS, rows, &n));
    for (unsigned i = 0; i < n; i++) {
        left += !is_in(making, rows[i]);
    }
    ENSURE(op, n == 0 || left > 0, KW_E_STATE,
           "no operator's certificate would be left: issue one that is not meant first (of a CA's "
           "next key, where all of the CA's are: keywright ca rotate)");
    return KW_OK;
}

static kw_status count_all(struct kw_op *op, struct store_conn *conn, void *ctx)
{
    struct making *making = ctx;

    TRY(op, count_names(op, conn, making, "ca", 0));
    TRY(op, count_names(op, conn, making, "profile", 1));
    for (size_t i = 0; i < making->n; i++) {
        count(making, "state", cert_state_text((enum cert_state)making->at[i].state), 1);
    }
    qsort(making->at, making->n, sizeof(making->at[0]), by_owner);
    for (size_t i = 0, next = 0; i < making->n; i = next) {
        while (next < making->n && making->at[next].owner == making->at[i].owner) {
            next++;
        }
        TRY(op, count_owner(op, conn, making, &making->at[i], next - i));
    }
    qsort(making->at, making->n, sizeof(making->at[0]), by_row);
    return check_operators(op, conn, making);
}

/* --- exactly which ---------------------------------------------------------------------------- */

static kw_status digest_all(struct kw_op *op, struct store_conn *conn, void *ctx)
{
    struct making *making = ctx;
    struct revocation_preview *preview = making->preview;
    char hex[2 * KW_SERIAL_MAX + 1], line[KW_NAME_MAX + sizeof(hex) + 2];
    AUTO(digest_stream) *stream = NULL;
    struct store_cert_brief cert;

    TRY(op, digest_stream_new(op, &stream));
    for (size_t i = 0; i < making->n; i++) {
        TRY(op, store_cert_brief(op, conn, making->at[i].row, &cert));
        (void)snprintf(line, sizeof(line), "%s/%s\n", cert.ca,
                       kw_hex(KW_SPAN(cert.serial, cert.serial_len), hex, sizeof(hex)));
        digest_stream_add(stream, kw_span_text(line));
        if (preview->n_samples < REVOCATION_SAMPLES) {
            preview->samples[preview->n_samples++] = cert;
        }
    }
    digest_stream_now(stream, preview->plan.digest);
    return KW_OK;
}

/* --- in words --------------------------------------------------------------------------------- */

static void say(struct store_plan *plan, const char *name, const char *value)
{
    size_t n = strlen(plan->selection);

    if (value) {
        (void)snprintf(plan->selection + n, sizeof(plan->selection) - n, "%s%s=%.120s",
                       n > 0 ? " " : "", name, value);
    }
}

static void say_selection(const struct store_cert_filter *f, struct store_plan *plan)
{
    char serial[2 * KW_SERIAL_MAX + 1] = "", key[2 * KW_HASH_BYTES + 1] = "";

    if (f->serial.len > 0) {
        say(plan, "serial", kw_hex(f->serial, serial, sizeof(serial)));
    }
    if (f->key) {
        say(plan, "key", kw_hex(KW_SPAN(f->key, KW_HASH_BYTES), key, sizeof(key)));
    }
    const struct {
        const char *name, *value;
    } said[] = {
        {"ca",             f->ca            },
        {"profile",        f->profile       },
        {"owner",          f->owner         },
        {"product",        f->product       },
        {"batch",          f->batch         },
        {"firmware",       f->firmware      },
        {"firmware-from",  f->firmware_from },
        {"firmware-below", f->firmware_below},
        {"subject",        f->subject       },
    };
    for (unsigned i = 0; i < KW_COUNT(said); i++) {
        say(plan, said[i].name, said[i].value);
    }
}

static void say_summary(const struct making *making, struct store_plan *plan)
{
    size_t n = 0;

    for (unsigned i = 0; i < making->n_tally && n < sizeof(plan->summary); i++) {
        const struct tally_row *row = &making->tally[i];
        int len = snprintf(plan->summary + n, sizeof(plan->summary) - n, "%s\t%s\t%" PRIu64 "\n",
                           row->kind, row->name, row->n);
        if (len < 0 || (size_t)len >= sizeof(plan->summary) - n) {
            plan->summary[n] = '\0'; /* whole lines only */
            return;
        }
        n += (size_t)len;
    }
}

/* --- keeping ---------------------------------------------------------------------------------- */

struct keeping {
    struct making *making;
    size_t from, n;
};

static kw_status begin(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct keeping *keeping = ctx;

    return store_plan_insert(op, txn, &keeping->making->preview->plan);
}

static kw_status add(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct keeping *keeping = ctx;
    int64_t rows[ADD_AT_ONCE];

    for (size_t i = 0; i < keeping->n; i++) {
        rows[i] = keeping->making->at[keeping->from + i].row;
    }
    return store_plan_add(op, txn, keeping->making->preview->plan.id, rows, keeping->n);
}

static kw_status finish(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct keeping *keeping = ctx;
    struct store_plan *plan = &keeping->making->preview->plan;
    struct event event = {.type = EVENT_REVOKE_PLAN};

    plan->state = PLAN_READY;
    char digest[2 * KW_HASH_BYTES + 1];
    (void)snprintf(event.object, sizeof(event.object), "plan:%lld", (long long)plan->id);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%" PRIu64 " certificates of %.300s, reason %s, digest %s", plan->n,
                   plan->selection, revoke_reason_text(plan->reason),
                   kw_hex(KW_SPAN_ARRAY(plan->digest), digest, sizeof(digest)));
    TRY(op, store_plan_update(op, txn, plan));
    return service_record(op, keeping->making->service, txn, &event);
}

static kw_status keep(struct kw_op *op, struct making *making)
{
    struct keeping keeping = {.making = making};
    struct store *store = making->service->store;

    TRY(op, store_change(op, store, begin, &keeping), "keeping the plan");
    for (size_t from = 0; from < making->n; from += ADD_AT_ONCE) {
        size_t left = making->n - from;
        keeping.from = from;
        keeping.n = left < ADD_AT_ONCE ? left : ADD_AT_ONCE;
        TRY(op, store_change(op, store, add, &keeping), "keeping the plan");
    }
    return store_change(op, store, finish, &keeping);
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool says_something(const struct store_cert_filter *f)
{
    return f->serial.len > 0 || f->key || f->ca || f->profile || f->owner || f->product ||
           f->batch || f->subject;
}

static kw_status check_wish(struct kw_op *op, const struct revocation_wish *wish)
{
    bool compromise = wish->reason == REVOKE_KEY_COMPROMISE ||
                      wish->reason == REVOKE_CA_COMPROMISE || wish->reason == REVOKE_AA_COMPROMISE;

    ENSURE(op, says_something(&wish->filter), KW_E_INPUT,
           "say which certificates: by serial number, device, key, batch, product, CA, profile or "
           "subject");
    ENSURE(op, wish->hold == (wish->reason == REVOKE_CERTIFICATE_HOLD), KW_E_INPUT,
           "a hold has the reason certificateHold, and nothing else has");
    ENSURE(op, !wish->replace_first || !wish->hold, KW_E_INPUT,
           "what is on hold is not replaced first");
    ENSURE(op, !wish->replace_first || !compromise, KW_E_INPUT,
           "a compromised key must not ask for its successor: revoke, and enrol anew");
    return KW_OK;
}

static void describe(const struct kw_op *op, const struct making *making, struct store_plan *plan)
{
    const struct revocation_wish *wish = making->wish;

    *plan = (struct store_plan){.reason = wish->reason,
                                .hold = wish->hold,
                                .replace_first = wish->replace_first,
                                .deadline_s = wish->deadline_s,
                                .created_ms = os_clock_unix_ms()};
    if (wish->replace_first && plan->deadline_s == 0) {
        plan->deadline_s = WEEK_S;
    }
    KW_TEXT_SET(plan->created_by, *op->principal ? op->principal : "system");
    say_selection(&wish->filter, plan);
}

static kw_status make(struct kw_op *op, struct making *making)
{
    struct store_plan *plan = &making->preview->plan;
    struct store *store = making->service->store;

    TRY(op, gather(op, making));
    describe(op, making, plan);
    TRY(op, store_read(op, store, count_all, making));
    TRY(op, store_read(op, store, digest_all, making));
    plan->n = making->n;
    say_summary(making, plan);
    making->preview->needs_approval = revocation_needs_approval(making->service, plan);
    return making->wish->dry_run ? KW_OK : keep(op, making);
}

kw_status revocation_plan(struct kw_op *op, struct service *service,
                          const struct revocation_wish *wish, struct revocation_preview *ret)
{
    struct making making = {
        .wish = wish, .service = service, .now_s = os_clock_unix_s(), .preview = ret};

    memset(ret, 0, sizeof(*ret));
    TRY(op, check_wish(op, wish));
    kw_status status = make(op, &making);
    free(making.at);
    return status;
}
