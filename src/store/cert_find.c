/*
 * Finding certificates. Each way reads narrow rows in the order of one index; what the index does
 * not tell is judged here, row by row, so that a page is bounded by the rows that it looks at and
 * not only by those that it finds.
 */
#include "store/cert_find.h"

#include <stdio.h>

#include "model/version_pattern.h"
#include "store/cert_row.h"
#include "store/store_internal.h"
#include "store/subject.h"

enum { LOOK_MAX = 200000 }; /* rows that one page looks at: some 100 ms */

/* The order of columns that judge() takes; the last three of the device, where it was asked for. */
#define NARROW                                                                                     \
    "SELECT c.row, c.ca, c.profile, c.state, c.not_after, c.owner, c.issued_ms, c.revoked_s"
#define WITH_DEVICE NARROW ", d.product, d.batch, d.firmware"
/* A page less to read where the filter asks for nothing of the device's. */
#define DEVICE_IF(asked) " LEFT JOIN device d ON d.owner = CASE WHEN " asked " THEN c.owner END"
/* Where the page before ended: ?1 is its last row; NULL: there was none. */
#define LAST(column) "(SELECT " column " FROM cert WHERE row = ?1)"
#define BY_SUBJECT                                                                                 \
    " FROM subject s JOIN cert c ON c.owner = s.owner JOIN cert_body b ON b.row = c.row"
/* ?3 … ?5: common name, subject and owner of the last one. */
#define BEHIND_SUBJECT                                                                             \
    " AND lower(b.subject) = s.text AND (?1 IS NULL"                                               \
    " OR (s.cn, s.text, s.owner, c.row) > (?3, ?4, ?5, ?1))"                                       \
    " ORDER BY s.cn, s.text, s.owner, c.row"

static const char *const sql[PATH_MAX] = {
    [PATH_ALL] = NARROW " FROM cert c WHERE c.row > coalesce(?1, 0) ORDER BY c.row",
    [PATH_SERIAL] =
        WITH_DEVICE " FROM cert c" DEVICE_IF("?4") " WHERE c.serial8 = ?2 AND c.serial = ?3"
                                                   " AND c.row > coalesce(?1, 0) ORDER BY c.row",
    /* A key has one owner for ever, and an owner has few certificates. */
    [PATH_KEY] = WITH_DEVICE " FROM cert c JOIN cert_body b ON b.row = c.row" DEVICE_IF(
        "?4") " WHERE c.owner IN (SELECT owner FROM pubkey WHERE id8 = ?2)"
              " AND b.pubkey = ?3 AND c.row > coalesce(?1, 0) ORDER BY c.row",
    [PATH_OWNER] = WITH_DEVICE
    " FROM cert c" DEVICE_IF("?3") " WHERE c.owner = ?2 AND c.row > coalesce(?1, 0) ORDER BY c.row",
    [PATH_BATCH] =
        WITH_DEVICE " FROM device d JOIN cert c ON c.owner = d.owner"
                    " WHERE d.batch = ?2 AND d.id >= coalesce((SELECT id FROM device"
                    " WHERE owner = " LAST("owner") "), '')"
                                                    " AND (?1 IS NULL OR d.owner <> " LAST(
                                                        "owner") " OR c.row > ?1)"
                                                                 " ORDER BY d.id, c.row",
    [PATH_PRODUCT] = WITH_DEVICE
    " FROM device d JOIN cert c ON c.owner = d.owner"
    " WHERE d.product = ?2 AND d.serial >= coalesce((SELECT serial"
    " FROM device WHERE owner = " LAST("owner") "), '')"
                                                " AND (?1 IS NULL OR d.owner <> " LAST(
                                                    "owner") " OR c.row > ?1)"
                                                             " ORDER BY d.serial, c.row",
    [PATH_ENDS] = NARROW " FROM cert c INDEXED BY cert_ends WHERE c.state = 1"
                         " AND c.not_after >= max(?2, coalesce(" LAST(
                             "not_after") ", ?2))"
                                          " AND c.not_after < ?3"
                                          " AND (?1 IS NULL OR c.not_after > " LAST(
                                              "not_after") " OR c.row > ?1)"
                                                           " ORDER BY c.not_after, c.row",
    /* ?3: when the last one came into this state; it may have left it since. */
    [PATH_STATE] = NARROW " FROM cert c INDEXED BY cert_state WHERE c.state <> 1 AND c.state = ?2"
                          " AND c.revoked_s >= ?3"
                          " AND (?1 IS NULL OR c.revoked_s > ?3 OR c.row > ?1)"
                          " ORDER BY c.revoked_s, c.row",
    [PATH_PROFILE] = NARROW " FROM cert c INDEXED BY cert_profile WHERE c.profile = ?2"
                            " AND c.issued_ms >= coalesce(" LAST(
                                "issued_ms") ", 0)"
                                             " AND (?1 IS NULL OR c.issued_ms > " LAST(
                                                 "issued_ms") " OR c.row > ?1)"
                                                              " ORDER BY c.issued_ms, c.row",
    [PATH_SUBJECT] = NARROW BY_SUBJECT " WHERE s.cn >= ?3 AND s.cn < ?2" BEHIND_SUBJECT,
    [PATH_SUBJECT_PART] =
        NARROW BY_SUBJECT " WHERE s.cn >= ?3 AND instr(s.text, ?2) > 0" BEHIND_SUBJECT,
};
static const struct store_statements statements = {STORE_NOUN_CERT_LIST, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

enum { ROW_WHOLE, NAME_ID, OWNER_ID, LAST_ROW };
static const char *const whole_sql[] = {
    [ROW_WHOLE] = CERT_WHOLE "WHERE c.row = ?1",
    [NAME_ID] = "SELECT id FROM name WHERE text = ?1",
    [OWNER_ID] = "SELECT id FROM owner WHERE text = ?1",
    [LAST_ROW] = "SELECT coalesce(max(row), 0) FROM cert",
};
static const struct store_statements whole = {STORE_NOUN_CERT_WHOLE, KW_COUNT(whole_sql),
                                              whole_sql};

const char *cert_path_sql(enum cert_path path)
{
    return sql[path];
}

enum cert_path cert_path_of(const struct store_cert_filter *f)
{
    const struct {
        bool given;
        enum cert_path path;
    } ways[] = {
        {f->serial.len > 0,                                 PATH_SERIAL      },
        {f->key != NULL,                                    PATH_KEY         },
        {f->owner != NULL,                                  PATH_OWNER       },
        {f->batch != NULL,                                  PATH_BATCH       },
        {f->product != NULL,                                PATH_PRODUCT     },
        {f->subject && f->subject[0] == '*',                PATH_SUBJECT_PART},
        {f->subject != NULL,                                PATH_SUBJECT     },
        {f->expires_before && f->state == CERT_STATE_VALID, PATH_ENDS        },
        {f->state > CERT_STATE_VALID,                       PATH_STATE       },
        {f->profile != NULL,                                PATH_PROFILE     },
    };

    for (unsigned i = 0; i < KW_COUNT(ways); i++) {
        if (ways[i].given) {
            return ways[i].path;
        }
    }
    return PATH_ALL;
}

static kw_status read_whole(struct kw_op *op, struct store_conn *conn, int64_t row,
                            struct store_cert *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &whole, ROW_WHOLE, ARGS(V_INT(row)), &rows));
    ENSURE(op, rows, KW_E_INTEGRITY, "certificate %lld is half there", (long long)row);
    return cert_row_read(op, rows, ret);
}

/* --- names as numbers ------------------------------------------------------------------------- */

/* A filter with the numbers of its names; `none`: one of them is not known, so nothing matches. */
struct search {
    const struct store_cert_filter *filter;
    enum cert_path path;
    int64_t ca, profile, owner, product, batch; /* 0 = any */
    bool none;
    char part[SUBJECT_MAX], to[SUBJECT_MAX + 8];       /* the subject's, in small letters */
    char last_cn[SUBJECT_MAX], last_text[SUBJECT_MAX]; /* where the page before ended */
    int64_t last_owner;
};

static kw_status find_id(struct kw_op *op, struct store_conn *conn, unsigned number,
                         const char *text, struct search *search, int64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    if (!text) {
        return KW_OK;
    }
    TRY(op, store_first(op, conn, &whole, number, ARGS(V_TEXT(text)), &rows));
    search->none |= rows == NULL;
    *ret = rows ? store_row_int(rows, 0) : 0;
    return KW_OK;
}

static bool asks_firmware(const struct store_cert_filter *f)
{
    return f->firmware || f->firmware_from || f->firmware_below;
}

static kw_status check_filter(struct kw_op *op, const struct store_cert_filter *f)
{
    ENSURE(op, !asks_firmware(f) || f->product || f->batch || f->owner, KW_E_INPUT,
           "versions of firmware are a product's: say which product, or batch");
    ENSURE(op, !f->firmware || version_pattern_valid(f->firmware), KW_E_INPUT,
           "'%.64s' is no pattern of versions: # for digits, * at the end", f->firmware);
    ENSURE(op, !f->subject || strlen(f->subject) < SUBJECT_MAX, KW_E_INPUT,
           "the subject is too long");
    ENSURE(op, !f->subject || (f->subject[0] != '\0' && strcmp(f->subject, "*") != 0), KW_E_INPUT,
           "the subject is empty");
    return KW_OK;
}

/* Octets above F4 are in no text: behind all that begin so. */
static kw_status prepare_subject(struct kw_op *op, struct store_conn *conn, struct search *search)
{
    const struct store_cert_filter *f = search->filter;
    bool anywhere = search->path == PATH_SUBJECT_PART;
    struct store_cert last;

    subject_lower(f->subject + anywhere, search->part);
    (void)snprintf(search->to, sizeof(search->to), "%s\xf7", search->part);
    if (!anywhere) {
        KW_TEXT_SET(search->last_cn, search->part);
    }
    if (f->after_row > 0) {
        TRY(op, read_whole(op, conn, f->after_row, &last));
        subject_lower(last.subject, search->last_text);
        subject_cn(search->last_text, search->last_cn);
        TRY(op, find_id(op, conn, OWNER_ID, last.owner, search, &search->last_owner));
    }
    return KW_OK;
}

static kw_status prepare(struct kw_op *op, struct store_conn *conn, struct search *search)
{
    const struct store_cert_filter *f = search->filter;

    TRY(op, check_filter(op, f));
    search->path = cert_path_of(f);
    TRY(op, find_id(op, conn, NAME_ID, f->ca, search, &search->ca));
    TRY(op, find_id(op, conn, NAME_ID, f->profile, search, &search->profile));
    TRY(op, find_id(op, conn, NAME_ID, f->product, search, &search->product));
    TRY(op, find_id(op, conn, NAME_ID, f->batch, search, &search->batch));
    TRY(op, find_id(op, conn, OWNER_ID, f->owner, search, &search->owner));
    return f->subject ? prepare_subject(op, conn, search) : KW_OK;
}

/* --- judging ---------------------------------------------------------------------------------- */

static bool times_fit(const struct store_cert_filter *f, const struct store_cert_ref *ref)
{
    return (f->expires_before == 0 || ref->not_after < f->expires_before) &&
           ref->not_after >= f->expires_from &&
           (f->issued_from_ms == 0 || ref->issued_ms >= f->issued_from_ms);
}

static bool numbers_fit(const struct search *search, const struct store_cert_ref *ref)
{
    return (!search->ca || ref->ca == search->ca) &&
           (!search->profile || ref->profile == search->profile) &&
           (!search->owner || ref->owner == search->owner) &&
           (!search->filter->state || ref->state == search->filter->state) &&
           times_fit(search->filter, ref);
}

bool store_firmware_fits(const struct store_cert_filter *f, const char *version)
{
    if (!asks_firmware(f)) {
        return true;
    }
    return version[0] != '\0' &&
           (!f->firmware || version_pattern_matches(f->firmware, kw_span_text(version))) &&
           (!f->firmware_from || firmware_compare(version, f->firmware_from) >= 0) &&
           (!f->firmware_below || firmware_compare(version, f->firmware_below) < 0);
}

static kw_status device_fits(struct kw_op *op, const struct search *search,
                             const struct store_rows *rows, bool *ret)
{
    char firmware[FIRMWARE_MAX];
    bool has_device = search->path >= PATH_SERIAL && search->path <= PATH_PRODUCT;

    *ret = true;
    if (!has_device) {
        return KW_OK; /* a filter that asks for the device's goes by one of those */
    }
    TRY(op, store_row_text(op, rows, 10, firmware, sizeof(firmware)));
    *ret = (!search->product || store_row_int(rows, 8) == search->product) &&
           (!search->batch || store_row_int(rows, 9) == search->batch) &&
           store_firmware_fits(search->filter, firmware);
    return KW_OK;
}

/* Where another way than the subject's was taken: read it. */
static kw_status subject_fits(struct kw_op *op, struct store_conn *conn,
                              const struct search *search, int64_t row, bool *ret)
{
    bool judged = search->path == PATH_SUBJECT || search->path == PATH_SUBJECT_PART;
    struct store_cert cert;

    *ret = true;
    if (!search->filter->subject || judged) {
        return KW_OK;
    }
    TRY(op, read_whole(op, conn, row, &cert));
    *ret = subject_matches(cert.subject, search->filter->subject);
    return KW_OK;
}

static kw_status judge(struct kw_op *op, struct store_conn *conn, const struct search *search,
                       const struct store_rows *rows, struct store_cert_ref *ret, bool *ret_fits)
{
    *ret = (struct store_cert_ref){
        .row = store_row_int(rows, 0),
        .ca = store_row_int(rows, 1),
        .profile = store_row_int(rows, 2),
        .state = (enum cert_state)store_row_int(rows, 3),
        .not_after = store_row_int(rows, 4),
        .owner = store_row_int(rows, 5),
        .issued_ms = store_row_int(rows, 6),
        .revoked_s = store_row_int(rows, 7),
    };
    *ret_fits = numbers_fit(search, ret);
    if (*ret_fits) {
        TRY(op, device_fits(op, search, rows, ret_fits));
    }
    return *ret_fits ? subject_fits(op, conn, search, ret->row, ret_fits) : KW_OK;
}

#define BEHIND V_TEXT(search->last_cn), V_TEXT(search->last_text), V_INT(search->last_owner)

/* --- walking ---------------------------------------------------------------------------------- */

static kw_status start(struct kw_op *op, struct store_conn *conn, const struct search *search,
                       struct store_rows **ret)
{
    const struct store_cert_filter *f = search->filter;
    struct store_value after = f->after_row > 0 ? V_INT(f->after_row) : V_NULL;
    struct kw_span key = f->key ? KW_SPAN(f->key, KW_HASH_BYTES) : KW_SPAN("", 0);
    struct store_value device = V_INT(f->product || f->batch || asks_firmware(f));
    const struct {
        struct store_value at[4];
        unsigned n;
    } args[PATH_MAX] = {
        [PATH_ALL] = {.n = 0},
        [PATH_SERIAL] = {{V_INT(store_key_head(f->serial)), V_BLOB(f->serial), device}, 3},
        [PATH_KEY] = {{V_INT(store_key_head(key)), V_BLOB(key), device}, 3},
        [PATH_OWNER] = {{V_INT(search->owner), device}, 2},
        [PATH_BATCH] = {{V_INT(search->batch)}, 1},
        [PATH_PRODUCT] = {{V_INT(search->product)}, 1},
        [PATH_SUBJECT] = {{V_TEXT(search->to), BEHIND}, 4},
        [PATH_SUBJECT_PART] = {{V_TEXT(search->part), BEHIND}, 4},
        [PATH_ENDS] = {{V_INT(f->expires_from), V_INT(f->expires_before)}, 2},
        [PATH_STATE] = {{V_INT(f->state), V_INT(f->after_row > 0 ? f->after_s : -1)}, 2},
        [PATH_PROFILE] = {{V_INT(search->profile)}, 1},
    };
    struct store_value values[5] = {after};

    memcpy(&values[1], args[search->path].at, sizeof(args[search->path].at));
    return store_query(op, conn, &statements, search->path, values, 1 + args[search->path].n, ret);
}

struct walk {
    unsigned max;
    store_cert_each_fn each;
    void *ctx;
    unsigned n;                    /* found */
    struct store_cert_cursor next; /* the last row that was looked at */
    bool more;                     /* there may be */
};

static kw_status walk_on(struct kw_op *op, struct store_conn *conn, const struct search *search,
                         struct walk *walk)
{
    AUTO(store_rows) *rows = NULL;
    struct store_cert_ref ref;
    bool row = false, fits = false;

    TRY(op, start(op, conn, search, &rows));
    for (unsigned looked = 0; walk->n < walk->max && looked < LOOK_MAX; looked++) {
        TRY(op, store_next(op, rows, &row), "looking for certificates");
        if (!row) {
            walk->more = false;
            return KW_OK;
        }
        TRY(op, judge(op, conn, search, rows, &ref, &fits));
        walk->next = (struct store_cert_cursor){ref.row, ref.revoked_s};
        if (fits) {
            walk->n++;
            TRY(op, walk->each(op, walk->ctx, conn, &ref));
        }
    }
    walk->more = true;
    return KW_OK;
}

static kw_status one_page(struct kw_op *op, struct store *store,
                          const struct store_cert_filter *filter, struct walk *walk)
{
    struct search search = {.filter = filter};
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, prepare(op, reader->conn, &search));
    if (search.none) {
        walk->more = false;
        return KW_OK;
    }
    return walk_on(op, reader->conn, &search, walk);
}

kw_status store_cert_find(struct kw_op *op, struct store *store,
                          const struct store_cert_filter *filter, unsigned max,
                          store_cert_each_fn each, void *ctx, struct store_cert_cursor *ret_next)
{
    struct walk walk = {.max = max, .each = each, .ctx = ctx};

    TRY(op, one_page(op, store, filter, &walk));
    *ret_next = walk.more ? walk.next : (struct store_cert_cursor){0};
    return KW_OK;
}

kw_status store_cert_whole(struct kw_op *op, struct store_conn *conn,
                           const struct store_cert_ref *ref, struct store_cert *ret)
{
    return read_whole(op, conn, ref->row, ret);
}

/* --- as arrays -------------------------------------------------------------------------------- */

struct array {
    struct store_cert *at;
    unsigned n;
};

static kw_status add(struct kw_op *op, void *ctx, struct store_conn *conn,
                     const struct store_cert_ref *ref)
{
    struct array *array = ctx;

    TRY(op, read_whole(op, conn, ref->row, &array->at[array->n]));
    array->n++;
    return KW_OK;
}

kw_status store_cert_list(struct kw_op *op, struct store *store,
                          const struct store_cert_filter *filter, unsigned max,
                          struct store_cert *ret, unsigned *ret_n)
{
    struct array array = {.at = ret};
    struct store_cert_filter on = *filter;
    struct store_cert_cursor next = {on.after_row, on.after_s};

    do {
        on.after_row = next.row;
        on.after_s = next.s;
        TRY(op, store_cert_find(op, store, &on, max - array.n, add, &array, &next));
    } while (next.row > 0 && array.n < max);
    *ret_n = array.n;
    return KW_OK;
}

kw_status cert_read_last_row(struct kw_op *op, struct store_conn *conn, int64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &whole, LAST_ROW, NO_ARGS, &rows));
    ENSURE(op, rows, KW_E_INTERNAL, "no last row");
    *ret = store_row_int(rows, 0);
    return KW_OK;
}
