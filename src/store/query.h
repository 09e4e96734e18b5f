/* Statements as the nouns use them: run, read one row, take columns into fixed arrays. */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "store/driver.h"

/* Run a statement that gives no rows. */
kw_status store_run(struct kw_op *op, struct store_conn *conn, const struct store_statements *table,
                    unsigned number, const struct store_value *args, size_t n_args);
/* Run a query and stand on its first row; *ret stays NULL where there is none. */
kw_status store_first(struct kw_op *op, struct store_conn *conn,
                      const struct store_statements *table, unsigned number,
                      const struct store_value *args, size_t n_args, struct store_rows **ret);

/* A text into a fixed array. KW_E_INTEGRITY where it does not fit. */
kw_status store_row_text(struct kw_op *op, const struct store_rows *rows, unsigned column,
                         char *array, size_t cap);
/* Exactly n octets; all zero for NULL. KW_E_INTEGRITY for any other length. */
kw_status store_row_fixed(struct kw_op *op, const struct store_rows *rows, unsigned column,
                          uint8_t *array, size_t n);
/* At most cap octets. KW_E_INTEGRITY where they do not fit. */
kw_status store_row_upto(struct kw_op *op, const struct store_rows *rows, unsigned column,
                         uint8_t *array, size_t cap, uint32_t *ret_len);

/* NULL for all zero, otherwise the octets: absent hashes cost no room. */
struct store_value store_value_hash(const uint8_t hash[KW_HASH_BYTES]);
/*
 * The number under which octets are indexed: the first 8 of them, in an order that is theirs; all
 * of fewer. 18 octets an index entry instead of 28 or 43; the statement compares the whole as well.
 * The first ones, so that serial numbers which begin with a time would lie side by side.
 */
int64_t store_key_head(struct kw_span octets);

#endif
