/* Certificates in numbers: listings. */
#include "store/cert_row.h"
#include "store/store_internal.h"

enum { LIST_ALL, LIST_OWNER, LAST_ROW };

#define LIST_FROM                                                                                  \
    " FROM cert c JOIN cert_body b ON b.row = c.row JOIN owner o ON o.id = c.owner"                \
    " JOIN name p ON p.id = c.profile JOIN name a ON a.id = c.ca"
#define LIST_WHERE                                                                                 \
    " AND (?3 IS NULL OR c.ca = (SELECT id FROM name WHERE text = ?3))"                            \
    " AND (?4 IS NULL OR c.profile = (SELECT id FROM name WHERE text = ?4))"                       \
    " AND (?5 = 0 OR c.state = ?5) AND (?6 = 0 OR c.not_after < ?6)"                               \
    " ORDER BY c.row LIMIT ?2"

static const char *const sql[] = {
    [LIST_ALL] = CERT_COLUMNS LIST_FROM " WHERE c.row > ?1" LIST_WHERE,
    /* An owner has few: by the index on owner, then sorted. */
    [LIST_OWNER] = CERT_COLUMNS LIST_FROM
    " WHERE c.owner = (SELECT id FROM owner WHERE text = ?7) AND c.row > ?1" LIST_WHERE,
    [LAST_ROW] = "SELECT coalesce(max(row), 0) FROM cert",
};
static const struct store_statements statements = {STORE_NOUN_CERT_LIST, KW_COUNT(sql), sql};

static struct store_value text_or_null(const char *text)
{
    return text ? V_TEXT(text) : V_NULL;
}

kw_status store_cert_list(struct kw_op *op, struct store *store,
                          const struct store_cert_filter *filter, unsigned max,
                          struct store_cert *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    const struct store_value args[] = {
        V_INT(filter->after_row),      V_INT(max),           text_or_null(filter->ca),
        text_or_null(filter->profile), V_INT(filter->state), V_INT(filter->expires_before),
        text_or_null(filter->owner),
    };
    bool by_owner = filter->owner != NULL;
    TRY(op, store_query(op, reader->conn, &statements, by_owner ? LIST_OWNER : LIST_ALL, args,
                        KW_COUNT(args) - !by_owner, &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing certificates");
        if (!row) {
            break;
        }
        TRY(op, cert_row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status cert_read_last_row(struct kw_op *op, struct store_conn *conn, int64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, LAST_ROW, NO_ARGS, &rows));
    ENSURE(op, rows, KW_E_INTERNAL, "no last row");
    *ret = store_row_int(rows, 0);
    return KW_OK;
}
