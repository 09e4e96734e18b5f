/* A filter's tables, for who reads and who makes them. */
#ifndef CRYPTO_FILTER_TABLE_H
#define CRYPTO_FILTER_TABLE_H

#include "crypto/filter.h"

/* What a serial number asks of a table: at which row, which of the 64 from there, and what the
 * columns are to say. */
struct filter_asks {
    uint64_t band; /* bit 0 is set */
    uint32_t at;   /* of 2^32; the row is this share of all */
    uint32_t says;
};
struct filter_hash {
    struct filter_asks first, second;
};

void filter_hash(const uint8_t salt[FILTER_SALT_BYTES], struct kw_span serial,
                 struct filter_hash *ret);
uint32_t filter_row(uint32_t at, uint32_t rows);
/* Octets of one column. */
size_t filter_column_octets(uint32_t rows);
/* The value of one column; the table has rows. */
bool filter_column_value(const struct filter_table *table, unsigned column,
                         const struct filter_asks *asks);
/* Does each column say what is asked? True where there is none. */
bool filter_table_agrees(const struct filter_table *table, const struct filter_asks *asks);

#endif
