/* Each row of the keeper's journal must have its event in the log, or be a head of the log itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/checkpoint.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/doctor/doctor.h"
#include "service/log/lines.h"

enum {
    PAGE = 48,            /* rows at once */
    BATCH = 4096,         /* entries at once */
    IN_FLIGHT_MS = 15000, /* so long an event may be on its way to the log */
    TOLD_MAX = 100,       /* findings; the rest is counted */
    RECORDED_MAX = 100,   /* events at one start */
};

/* One accountable use. */
struct use {
    struct keeper_journal_row row;
    bool accounted;
    bool recorded; /* an event "key.unaccounted" speaks of it */
    bool excused;  /* an event "key.acknowledge" does: a person found out what it was */
};

struct books {
    struct service *service;
    size_t n, cap;
    struct use *uses; /* sorted by digest */
    uint64_t n_bulk, n_events;
    size_t n_heads; /* rows about checkpoints that are not accounted for yet */
    uint64_t n_rows, last_row;
    struct tlog_edge *edge; /* NULL where heads are not looked at */
};

static void books_done(struct books *books)
{
    free(books->uses);
    free(books->edge);
}

/* --- the journal ------------------------------------------------------------------------------ */

/* The content of a CA's own request is fixed by its sealed policy: there is nothing to account for.
 */
static bool is_accountable(const struct keeper_journal_row *row)
{
    return row->kind == KEEPER_JOURNAL_USE && row->what != KEEPER_SIGN_CERT_REQUEST;
}

static kw_status take_row(struct kw_op *op, struct books *books,
                          const struct keeper_journal_row *row)
{
    books->n_bulk += row->kind == KEEPER_JOURNAL_USES ? row->count : 0;
    if (!is_accountable(row)) {
        return KW_OK;
    }
    if (books->n == books->cap) {
        size_t cap = books->cap == 0 ? 1024 : books->cap * 2;
        struct use *uses = reallocarray(books->uses, cap, sizeof(*uses));
        ENSURE(op, uses, KW_E_MEMORY, "no memory for the journal");
        books->uses = uses;
        books->cap = cap;
    }
    books->uses[books->n++] = (struct use){.row = *row};
    books->n_heads += row->what == KEEPER_SIGN_CHECKPOINT;
    return KW_OK;
}

static int by_digest(const void *a, const void *b)
{
    const struct use *x = a, *y = b;

    return memcmp(x->row.digest, y->row.digest, KW_HASH_BYTES);
}

/* The rows of one vault. */
static kw_status read_rows(struct kw_op *op, struct books *books, struct keeper *keeper,
                           uint64_t from)
{
    struct keeper_journal_row rows[PAGE];
    unsigned n = 0;

    do {
        TRY(op, keeper_journal_read(op, keeper, from, PAGE, rows, &n, &books->last_row),
            "the keeper's journal");
        for (unsigned i = 0; i < n; i++) {
            TRY(op, take_row(op, books, &rows[i]));
        }
        from += n;
        books->n_rows += n;
    } while (n > 0);
    return KW_OK;
}

static void sort_by(struct books *books, int (*order)(const void *a, const void *b))
{
    if (books->n > 0) {
        qsort(books->uses, books->n, sizeof(*books->uses), order);
    }
}

/* --- the log ---------------------------------------------------------------------------------- */

static struct use *first_of(struct books *books, const uint8_t digest[KW_HASH_BYTES])
{
    size_t low = 0, high = books->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(books->uses[middle].row.digest, digest, KW_HASH_BYTES) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &books->uses[low];
}

/* What an event says of a use. */
enum word { WORD_DONE, WORD_UNACCOUNTED, WORD_EXCUSED };

/* Every use with this digest: by this key, or (NULL) as a head of the log by any of its keys. */
static void account(struct books *books, const uint8_t digest[KW_HASH_BYTES], struct kw_span key,
                    enum word word)
{
    const struct use *end = books->uses + books->n;

    for (struct use *use = first_of(books, digest);
         use < end && memcmp(use->row.digest, digest, KW_HASH_BYTES) == 0; use++) {
        bool is_head = key.len == 0 && use->row.what == KEEPER_SIGN_CHECKPOINT;
        if (is_head || kw_span_equal(kw_span_text(use->row.key_id), key)) {
            books->n_heads -= is_head && !use->accounted ? 1 : 0;
            use->accounted |= word == WORD_DONE;
            use->recorded |= word == WORD_UNACCOUNTED;
            use->excused |= word == WORD_EXCUSED;
        }
    }
}

/* A member of an entry that we wrote ourselves: a quote inside a text has a backslash before it, so
 * this cannot be found in one. Empty where absent. */
static struct kw_span member(struct kw_span entry, const char *name)
{
    const uint8_t *at = memmem(entry.p, entry.len, name, strlen(name));

    if (!at) {
        return KW_SPAN(NULL, 0);
    }
    struct kw_span rest = kw_span_sub(entry, (size_t)(at - entry.p) + strlen(name), entry.len);
    const uint8_t *end = rest.len > 0 ? memchr(rest.p, '"', rest.len) : NULL;
    return end ? kw_span_sub(rest, 0, (size_t)(end - rest.p)) : KW_SPAN(NULL, 0);
}

static enum word word_of(struct kw_span type)
{
    if (kw_span_equal(type, kw_span_text("key.unaccounted"))) {
        return WORD_UNACCOUNTED;
    }
    return kw_span_equal(type, kw_span_text("key.acknowledge")) ? WORD_EXCUSED : WORD_DONE;
}

static void take_event(struct books *books, struct kw_span entry)
{
    struct kw_span hex = member(entry, "\"digest\":\"");
    char text[2 * KW_HASH_BYTES + 1] = "";
    uint8_t digest[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(digest);

    if (hex.len != 2 * KW_HASH_BYTES) {
        return;
    }
    memcpy(text, hex.p, hex.len);
    if (kw_ok(kw_unhex(text, &out))) {
        books->n_events++;
        account(books, digest, member(entry, "\"key\":\""), word_of(member(entry, "\"type\":\"")));
    }
}

/* The head of the log as it was then; the keys of each of its lines may have signed it. */
static kw_status take_head(struct kw_op *op, struct books *books)
{
    struct checkpoint head = {.size = books->edge->size, .root = tlog_edge_root(books->edge)};
    char body[512];
    uint8_t digest[KW_HASH_BYTES];

    for (unsigned n = 1; n <= books->service->log_line; n++) {
        TRY(op, log_line_origin(op, books->service, n, head.origin));
        TRY(op, checkpoint_body(op, &head, body, sizeof(body)), "a head of the log");
        digest_sha256(kw_span_text(body), digest);
        account(books, digest, KW_SPAN(NULL, 0), WORD_DONE);
    }
    return KW_OK;
}

static kw_status take_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct books *books = ctx;

    (void)index;
    take_event(books, entry);
    if (!books->edge || books->n_heads == 0) {
        return KW_OK;
    }
    struct tlog_hash leaf = tlog_leaf_hash(entry);
    TRY(op, tlog_edge_append(op, books->edge, &leaf, /* full= */ NULL, NULL));
    return take_head(op, books);
}

static kw_status read_log(struct kw_op *op, struct books *books, uint64_t from)
{
    uint64_t size = 0;

    TRY(op, store_log_size(op, books->service->store, &size), "the log");
    if (books->edge) {
        TRY(op, take_head(op, books)); /* of the empty one */
    }
    for (; from < size; from += BATCH) {
        TRY(op, store_log_each(op, books->service->store, from, BATCH, take_entry, books),
            "the log");
    }
    return KW_OK;
}

/* --- what was found --------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct use *x = a, *y = b;

    return (x->row.time_ms > y->row.time_ms) - (x->row.time_ms < y->row.time_ms);
}

static bool in_flight(const struct use *use, int64_t now_ms)
{
    return use->row.time_ms > now_ms - IN_FLIGHT_MS;
}

static struct finding describe(const struct use *use)
{
    const struct keeper_journal_row *row = &use->row;
    struct finding found = {.level = use->excused ? FINDING_NOTE : FINDING_FAULT,
                            .time_ms = row->time_ms};

    KW_TEXT_SET(found.check, use->excused ? "acknowledged" : "unaccounted");
    KW_TEXT_SET(found.object, row->key_id);
    KW_TEXT_SET(found.request_id, row->who);
    kw_hex(KW_SPAN_ARRAY(row->digest), found.digest, sizeof(found.digest));
    (void)snprintf(found.text, sizeof(found.text),
                   "key '%.95s' was used for a %s (row %llu) that the log has no event of%s",
                   row->key_id, keeper_journal_what(row), (unsigned long long)row->seq,
                   use->excused    ? "; somebody found out what it was, see key.acknowledge"
                   : use->recorded ? "; recorded as key.unaccounted when the server started"
                                   : "; find out who asked for it");
    return found;
}

static kw_status tell(struct kw_op *op, struct books *books, finding_fn each, void *ctx)
{
    struct finding sum = {.level = FINDING_OK, .check = "journal"};
    int64_t now_ms = os_clock_unix_ms();
    uint64_t n_wrong = 0, n_waiting = 0, n_excused = 0;

    for (size_t i = 0; i < books->n; i++) {
        const struct use *use = &books->uses[i];
        if (use->accounted) {
            continue;
        }
        if (!use->recorded && in_flight(use, now_ms)) {
            n_waiting++;
            continue;
        }
        n_excused += use->excused;
        n_wrong += !use->excused;
        if (n_wrong + n_excused <= TOLD_MAX) {
            struct finding found = describe(use);
            TRY(op, each(op, ctx, &found));
        }
    }
    sum.level = n_wrong > 0 ? FINDING_FAULT : FINDING_OK;
    (void)snprintf(sum.text, sizeof(sum.text),
                   "%zu signatures and openings of %llu rows: %llu without an event, %llu on their "
                   "way, %llu acknowledged; %llu more in bulk (TLS, OCSP)",
                   books->n, (unsigned long long)books->n_rows, (unsigned long long)n_wrong,
                   (unsigned long long)n_waiting, (unsigned long long)n_excused,
                   (unsigned long long)books->n_bulk);
    return each(op, ctx, &sum);
}

/* A vault that is sealed or away is a finding, and no reason not to look at the others. */
static kw_status read_vault(struct kw_op *op, struct books *books, unsigned i, finding_fn each,
                            void *ctx)
{
    struct finding found = {.level = FINDING_WARNING, .check = "journal"};
    const char *name = books->service->config.vaults[i].name;

    if (kw_ok(read_rows(op, books, books->service->vaults[i], 1))) {
        return KW_OK;
    }
    KW_TEXT_SET(found.object, name);
    (void)snprintf(found.text, sizeof(found.text), "the journal of vault '%.31s': %.200s", name,
                   kw_op_cause(op));
    kw_op_clear(op);
    return each(op, ctx, &found);
}

kw_status reconcile(struct kw_op *op, struct service *service, finding_fn each, void *ctx)
{
    __attribute__((cleanup(books_done))) struct books books = {.service = service};

    books.edge = malloc(sizeof(*books.edge));
    ENSURE(op, books.edge, KW_E_MEMORY, "no memory for the log's head");
    tlog_edge_init(books.edge);
    for (unsigned i = 0; i < service->n_vaults; i++) {
        TRY(op, read_vault(op, &books, i, each, ctx));
    }
    sort_by(&books, by_digest);
    TRY(op, read_log(op, &books, 0));
    sort_by(&books, by_time);
    return tell(op, &books, each, ctx);
}

/* --- what a person found out ------------------------------------------------------------------ */

/* All rows and all of the log, sorted by digest. */
static kw_status read_all(struct kw_op *op, struct books *books)
{
    books->edge = malloc(sizeof(*books->edge));
    ENSURE(op, books->edge, KW_E_MEMORY, "no memory for the log's head");
    tlog_edge_init(books->edge);
    for (unsigned i = 0; i < books->service->n_vaults; i++) {
        TRY(op, read_rows(op, books, books->service->vaults[i], 1), "vault '%s'",
            books->service->config.vaults[i].name);
    }
    sort_by(books, by_digest);
    return read_log(op, books, 0);
}

/* NULL where each one is accounted for, or still on its way. */
static const struct use *find_unaccounted(struct books *books, const uint8_t digest[KW_HASH_BYTES])
{
    const struct use *end = books->uses + books->n;
    int64_t now_ms = os_clock_unix_ms();

    for (const struct use *use = first_of(books, digest);
         use < end && memcmp(use->row.digest, digest, KW_HASH_BYTES) == 0; use++) {
        if (!use->accounted && !use->excused && (use->recorded || !in_flight(use, now_ms))) {
            return use;
        }
    }
    return NULL;
}

kw_status reconcile_acknowledge(struct kw_op *op, struct service *service,
                                const uint8_t digest[KW_HASH_BYTES], const char *reason)
{
    __attribute__((cleanup(books_done))) struct books books = {.service = service};
    struct event event = {.type = EVENT_KEY_ACKNOWLEDGE};

    ENSURE(op, *reason, KW_E_INPUT, "a reason is needed: what it was, and how that was found out");
    TRY(op, read_all(op, &books));
    const struct use *use = find_unaccounted(&books, digest);
    ENSURE(op, use, KW_E_NOT_FOUND, "no unaccounted use has this digest");
    object_write(OBJECT_KEY, use->row.key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%s (row %llu) acknowledged: %.300s",
                   keeper_journal_what(&use->row), (unsigned long long)use->row.seq, reason);
    memcpy(event.digest, digest, sizeof(event.digest));
    KW_TEXT_SET(event.key, use->row.key_id);
    return service_record_alone(op, service, &event);
}

/* --- at the start ----------------------------------------------------------------------------- */

/* Where the last start stopped: a row of the journal, and an entry of the log. */
struct mark {
    struct service *service;
    char name[48]; /* of the blob: one for each vault */
    uint64_t row, entry;
};

static kw_status load_mark(struct kw_op *op, struct mark *mark)
{
    AUTO(kw_bytes) *octets = NULL;
    uint64_t version = 0;

    kw_status status = store_blob_get(op, mark->service->store, mark->name, &version, &octets);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    struct kw_reader r = kw_reader_of(kw_bytes_span(octets));
    mark->row = kw_reader_u64(&r);
    mark->entry = kw_reader_u64(&r);
    return kw_reader_end(&r);
}

static kw_status put_mark(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct mark *mark = ctx;
    uint8_t room[16];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_u64(&w, mark->row);
    kw_writer_u64(&w, mark->entry);
    TRY(op, kw_writer_end(&w));
    return store_blob_put(op, txn, mark->name, mark->row, kw_out_span(&out));
}

static kw_status record(struct kw_op *op, struct service *service, const struct use *use)
{
    const struct keeper_journal_row *row = &use->row;
    struct event event = {.type = EVENT_KEY_UNACCOUNTED, .result = "unsure"};

    object_write(OBJECT_KEY, row->key_id, event.object);
    (void)snprintf(
        event.detail, sizeof(event.detail),
        "the keeper made a %s for request '%.63s' (row %llu of its journal) that was not "
        "recorded",
        keeper_journal_what(row), row->who, (unsigned long long)row->seq);
    memcpy(event.digest, row->digest, sizeof(event.digest));
    KW_TEXT_SET(event.key, row->key_id);
    return service_record_alone(op, service, &event);
}

static kw_status record_all(struct kw_op *op, const struct books *books)
{
    unsigned n = 0;

    for (size_t i = 0; i < books->n && n < RECORDED_MAX; i++) {
        const struct use *use = &books->uses[i];
        /* Heads of the log need all of it: `keywright doctor` looks at them. */
        if (!use->accounted && !use->recorded && !use->excused &&
            use->row.what != KEEPER_SIGN_CHECKPOINT) {
            TRY(op, record(op, books->service, use), "recording an unaccounted signature");
            n++;
        }
    }
    return KW_OK;
}

static kw_status look_at_vault(struct kw_op *op, struct service *service, unsigned i)
{
    __attribute__((cleanup(books_done))) struct books books = {.service = service};
    struct mark mark = {.service = service};

    (void)snprintf(mark.name, sizeof(mark.name), "doctor:%.31s", service->config.vaults[i].name);
    TRY(op, load_mark(op, &mark), "the mark of the last start");
    if (!kw_ok(read_rows(op, &books, service->vaults[i], mark.row + 1))) {
        kw_op_clear(op); /* sealed, or away: looked at when the server starts the next time */
        return KW_OK;
    }
    if (books.last_row < mark.row) { /* another vault in its place: after a restore, all is new */
        mark.row = mark.entry = 0;
        TRY(op, read_rows(op, &books, service->vaults[i], 1));
    }
    sort_by(&books, by_digest);
    TRY(op, read_log(op, &books, mark.entry));
    TRY(op, record_all(op, &books));
    mark.row = books.last_row;
    TRY(op, store_log_size(op, service->store, &mark.entry));
    return store_change(op, service->store, put_mark, &mark);
}

kw_status reconcile_at_start(struct kw_op *op, struct service *service)
{
    for (unsigned i = 0; i < service->n_vaults; i++) {
        TRY(op, look_at_vault(op, service, i), "vault '%s'", service->config.vaults[i].name);
    }
    return KW_OK;
}
