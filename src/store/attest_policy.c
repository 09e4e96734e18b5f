#include "store/attest_policy.h"

#include <stdlib.h>

#include "base/reader.h"
#include "base/writer.h"
#include "store/store_internal.h"

enum {
    REFERENCE_INSERT,
    REFERENCE_OPEN,
    REFERENCE_DELETE,
    REFERENCE_LIST,
    REFERENCE_FOR,
    REFERENCE_COUNT,
    ELEMENT_ADD,
    ELEMENT_DROP,
    ELEMENT_HAS,
    ELEMENT_LIST,
};
enum { EVENT_OCTETS = 1 + 4 + KW_HASH_BYTES };

static const char *const sql[] = {
    [REFERENCE_INSERT] = "INSERT INTO attest_reference (name, product, open, pcrs, n, events,"
                         " added_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [REFERENCE_OPEN] = "UPDATE attest_reference SET open = ?2 WHERE name = ?1 RETURNING n",
    [REFERENCE_DELETE] = "DELETE FROM attest_reference WHERE name = ?1 RETURNING n",
    [REFERENCE_LIST] = "SELECT name, product, open, pcrs, n, added_ms, events"
                       " FROM attest_reference WHERE name > ?1 ORDER BY name LIMIT ?2",
    [REFERENCE_FOR] = "SELECT name, product, open, pcrs, n, added_ms, events"
                      " FROM attest_reference WHERE product IN ('', ?1) ORDER BY name LIMIT ?2",
    [REFERENCE_COUNT] = "SELECT count(*) FROM attest_reference",
    [ELEMENT_ADD] = "INSERT INTO attest_element (product, added_ms) VALUES (?1, ?2)"
                    " ON CONFLICT (product) DO NOTHING",
    [ELEMENT_DROP] = "DELETE FROM attest_element WHERE product = ?1",
    [ELEMENT_HAS] = "SELECT 1 FROM attest_element WHERE product = ?1",
    [ELEMENT_LIST] = "SELECT product, added_ms FROM attest_element WHERE product > ?1"
                     " ORDER BY product LIMIT ?2",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST_POLICY, KW_COUNT(sql), sql};

void store_reference_done(struct store_reference *reference)
{
    free(reference->room);
    reference->room = NULL;
}

/* --- events as octets ------------------------------------------------------------------------- */

static kw_status encode(struct kw_op *op, const struct attest_reference *set, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *octets = NULL;

    TRY(op, kw_bytes_new((size_t)set->n * EVENT_OCTETS + 1, &octets));
    struct kw_out out = {octets->p, (size_t)set->n * EVENT_OCTETS + 1, 0};
    struct kw_writer w = kw_writer_of(&out);
    for (unsigned i = 0; i < set->n; i++) {
        kw_writer_u8(&w, set->events[i].pcr);
        kw_writer_u32(&w, set->events[i].type);
        kw_writer_put(&w, KW_SPAN_ARRAY(set->events[i].digest));
    }
    TRY(op, kw_writer_end(&w));
    octets->len = out.len;
    *ret = TAKE(octets);
    return KW_OK;
}

static kw_status decode(struct kw_op *op, struct kw_span octets, struct store_reference *ret)
{
    struct kw_reader r = kw_reader_of(octets);

    ENSURE(op, ret->set.n <= ATTEST_EVENTS_MAX && octets.len == (size_t)ret->set.n * EVENT_OCTETS,
           KW_E_INTEGRITY, "reference set '%s' is damaged", ret->set.name);
    ret->room = calloc(ret->set.n + 1, sizeof(*ret->room));
    ENSURE(op, ret->room, KW_E_MEMORY, "no memory for reference set '%s'", ret->set.name);
    for (unsigned i = 0; i < ret->set.n; i++) {
        ret->room[i].pcr = kw_reader_u8(&r);
        ret->room[i].type = kw_reader_u32(&r);
        struct kw_span digest = kw_reader_take(&r, KW_HASH_BYTES);
        memcpy(ret->room[i].digest, digest.p, KW_HASH_BYTES); /* the length was checked */
    }
    ret->set.events = ret->room;
    return KW_OK;
}

/* --- reference sets --------------------------------------------------------------------------- */

kw_status store_reference_insert(struct kw_op *op, struct store_txn *txn,
                                 const struct attest_reference *set, int64_t now_ms)
{
    AUTO(kw_bytes) *events = NULL;

    TRY(op, encode(op, set, &events));
    kw_status status = store_run(op, txn->conn, &statements, REFERENCE_INSERT,
                                 ARGS(V_TEXT(set->name), V_TEXT(set->product), V_INT(set->open),
                                      V_BLOB(KW_SPAN_ARRAY(set->pcrs)), V_INT(set->n),
                                      V_BLOB(kw_bytes_span(events)), V_INT(now_ms)));
    ENSURE(op, status.code != KW_E_CONFLICT, KW_E_CONFLICT, "reference set '%s' is there already",
           set->name);
    TRY(op, status, "reference set '%s'", set->name);
    return KW_OK;
}

static kw_status found(struct kw_op *op, const char *name, const struct store_rows *rows)
{
    ENSURE(op, rows, KW_E_NOT_FOUND, "no reference set '%s'", name);
    return KW_OK;
}

kw_status store_reference_set_open(struct kw_op *op, struct store_txn *txn, const char *name,
                                   bool open)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, REFERENCE_OPEN, ARGS(V_TEXT(name), V_INT(open)),
                        &rows));
    return found(op, name, rows);
}

kw_status store_reference_delete(struct kw_op *op, struct store_txn *txn, const char *name)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, REFERENCE_DELETE, ARGS(V_TEXT(name)), &rows));
    return found(op, name, rows);
}

kw_status store_reference_count(struct kw_op *op, struct store_txn *txn, unsigned *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, REFERENCE_COUNT, NO_ARGS, &rows));
    *ret = rows ? (unsigned)store_row_int(rows, 0) : 0;
    return KW_OK;
}

static kw_status read_reference(struct kw_op *op, const struct store_rows *rows, bool with_events,
                                struct store_reference *ret)
{
    *ret = (struct store_reference){
        .set = {.open = store_row_int(rows, 2) != 0, .n = (unsigned)store_row_int(rows, 4)},
        .added_ms = store_row_int(rows, 5)
    };
    TRY(op, store_row_text(op, rows, 0, ret->set.name, sizeof(ret->set.name)));
    TRY(op, store_row_text(op, rows, 1, ret->set.product, sizeof(ret->set.product)));
    TRY(op, store_row_fixed(op, rows, 3, ret->set.pcrs, sizeof(ret->set.pcrs)));
    return with_events ? decode(op, store_row_bytes(rows, 6), ret) : KW_OK;
}

static kw_status walk(struct kw_op *op, struct store *store, unsigned which, const char *text,
                      unsigned max, struct store_reference *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    *ret_n = 0;
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_query(op, reader->conn, &statements, which, ARGS(V_TEXT(text), V_INT(max)), &rows));
    while (*ret_n < max) {
        TRY(op, store_next(op, rows, &row), "listing reference sets");
        if (!row) {
            break;
        }
        memset(&ret[*ret_n], 0, sizeof(ret[*ret_n]));
        TRY(op, read_reference(op, rows, which == REFERENCE_FOR, &ret[(*ret_n)++]));
    }
    return KW_OK;
}

kw_status store_reference_list(struct kw_op *op, struct store *store, const char *after,
                               unsigned max, struct store_reference *ret, unsigned *ret_n)
{
    return walk(op, store, REFERENCE_LIST, after, max, ret, ret_n);
}

kw_status store_reference_for(struct kw_op *op, struct store *store, const char *product,
                              unsigned max, struct store_reference *ret, unsigned *ret_n)
{
    return walk(op, store, REFERENCE_FOR, product, max, ret, ret_n);
}

/* --- secure elements -------------------------------------------------------------------------- */

kw_status store_element_set(struct kw_op *op, struct store_txn *txn, const char *product, bool has,
                            int64_t now_ms)
{
    return has ? store_run(op, txn->conn, &statements, ELEMENT_ADD,
                           ARGS(V_TEXT(product), V_INT(now_ms)))
               : store_run(op, txn->conn, &statements, ELEMENT_DROP, ARGS(V_TEXT(product)));
}

kw_status store_element_has(struct kw_op *op, struct store *store, const char *product, bool *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, ELEMENT_HAS, ARGS(V_TEXT(product)), &rows));
    *ret = rows != NULL;
    return KW_OK;
}

kw_status store_element_list(struct kw_op *op, struct store *store, const char *after, unsigned max,
                             struct store_element *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, ELEMENT_LIST,
                        ARGS(V_TEXT(after), V_INT(max)), &rows));
    for (*ret_n = 0; *ret_n < max; (*ret_n)++) {
        TRY(op, store_next(op, rows, &row), "listing products with a secure element");
        if (!row) {
            break;
        }
        struct store_element *at = &ret[*ret_n];
        at->added_ms = store_row_int(rows, 1);
        TRY(op, store_row_text(op, rows, 0, at->product, sizeof(at->product)));
    }
    return KW_OK;
}
