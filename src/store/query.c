#include "store/query.h"

enum { KEY_BYTES = 8 };

kw_status store_run(struct kw_op *op, struct store_conn *conn, const struct store_statements *table,
                    unsigned number, const struct store_value *args, size_t n_args)
{
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_query(op, conn, table, number, args, n_args, &rows));
    TRY(op, store_next(op, rows, &row));
    ENSURE(op, !row, KW_E_INTERNAL, "statement %u of noun %d gives rows", number, (int)table->noun);
    return KW_OK;
}

kw_status store_first(struct kw_op *op, struct store_conn *conn,
                      const struct store_statements *table, unsigned number,
                      const struct store_value *args, size_t n_args, struct store_rows **ret)
{
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_query(op, conn, table, number, args, n_args, &rows));
    TRY(op, store_next(op, rows, &row));
    *ret = row ? TAKE(rows) : NULL;
    return KW_OK;
}

kw_status store_row_text(struct kw_op *op, const struct store_rows *rows, unsigned column,
                         char *array, size_t cap)
{
    struct kw_span text = store_row_bytes(rows, column);

    ENSURE(op, text.len < cap, KW_E_INTEGRITY, "column %u holds %zu octets, at most %zu are known",
           column, text.len, cap - 1);
    if (text.len > 0) {
        memcpy(array, text.p, text.len);
    }
    array[text.len] = '\0';
    return KW_OK;
}

kw_status store_row_fixed(struct kw_op *op, const struct store_rows *rows, unsigned column,
                          uint8_t *array, size_t n)
{
    struct kw_span octets = store_row_bytes(rows, column);

    ENSURE(op, octets.len == n || octets.len == 0, KW_E_INTEGRITY,
           "column %u holds %zu octets instead of %zu", column, octets.len, n);
    memset(array, 0, n);
    if (octets.len > 0) {
        memcpy(array, octets.p, n);
    }
    return KW_OK;
}

kw_status store_row_upto(struct kw_op *op, const struct store_rows *rows, unsigned column,
                         uint8_t *array, size_t cap, uint32_t *ret_len)
{
    struct kw_span octets = store_row_bytes(rows, column);

    ENSURE(op, octets.len <= cap, KW_E_INTEGRITY,
           "column %u holds %zu octets, at most %zu are known", column, octets.len, cap);
    if (octets.len > 0) {
        memcpy(array, octets.p, octets.len);
    }
    *ret_len = (uint32_t)octets.len;
    return KW_OK;
}

struct store_value store_value_hash(const uint8_t hash[KW_HASH_BYTES])
{
    static const uint8_t none[KW_HASH_BYTES];

    return memcmp(hash, none, KW_HASH_BYTES) == 0 ? V_NULL : V_BLOB(KW_SPAN(hash, KW_HASH_BYTES));
}

int64_t store_key_head(struct kw_span octets)
{
    size_t n = octets.len < KEY_BYTES ? octets.len : KEY_BYTES;
    uint64_t key = 0;

    for (size_t i = 0; i < n; i++) {
        key = key << 8 | octets.p[i];
    }
    /* The top bit is turned, so that signed numbers sort as the octets do. */
    return (int64_t)(key ^ UINT64_C(1) << 63);
}
