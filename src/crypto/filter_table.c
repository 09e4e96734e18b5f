#include "crypto/filter_table.h"

#include "base/reader.h"
#include "crypto/digest.h"

enum { ROWS_MAX = INT32_MAX };

void filter_hash(const uint8_t salt[FILTER_SALT_BYTES], struct kw_span serial,
                 struct filter_hash *ret)
{
    uint8_t hash[KW_HASH_BYTES];

    digest_sha256_two(KW_SPAN(salt, FILTER_SALT_BYTES), serial, hash);
    struct kw_reader r = kw_reader_of(KW_SPAN_ARRAY(hash));
    ret->first.at = kw_reader_u32(&r);
    ret->second.at = kw_reader_u32(&r);
    ret->first.band = kw_reader_u64(&r) | 1;
    ret->second.band = kw_reader_u64(&r) | 1;
    ret->first.says = kw_reader_u32(&r);
    ret->second.says = 1;
}

uint32_t filter_row(uint32_t at, uint32_t rows)
{
    return (uint32_t)(((uint64_t)at * rows) >> 32);
}

size_t filter_column_octets(uint32_t rows)
{
    return rows == 0 ? 0 : ((size_t)rows + FILTER_BAND - 1 + 7) / 8;
}

/* 64 bits from a row on; the least significant bit is the row itself. */
static uint64_t bits_from(const uint8_t *column, uint32_t row)
{
    const uint8_t *at = column + row / 8;
    unsigned shift = row % 8;
    uint64_t bits = 0;

    for (unsigned i = 0; i < 8; i++) {
        bits |= (uint64_t)at[i] << (8 * i);
    }
    return shift == 0 ? bits : bits >> shift | (uint64_t)at[8] << (64 - shift);
}

bool filter_column_value(const struct filter_table *table, unsigned column,
                         const struct filter_asks *asks)
{
    const uint8_t *at = table->at + column * filter_column_octets(table->rows);
    uint64_t taken = bits_from(at, filter_row(asks->at, table->rows)) & asks->band;

    return __builtin_parityll(taken) != 0;
}

bool filter_table_agrees(const struct filter_table *table, const struct filter_asks *asks)
{
    for (unsigned i = 0; i < table->columns; i++) {
        if (filter_column_value(table, i, asks) != ((asks->says >> i & 1) != 0)) {
            return false;
        }
    }
    return true;
}

kw_status filter_body_parse(struct kw_span octets, struct filter_body *ret)
{
    struct kw_reader r = kw_reader_of(octets);
    struct filter_body body = {0};

    body.salt = kw_reader_take(&r, FILTER_SALT_BYTES).p;
    body.first.columns = kw_reader_u8(&r);
    body.first.rows = kw_reader_u32(&r);
    body.second.rows = kw_reader_u32(&r);
    body.second.columns = body.second.rows > 0;
    if (body.first.columns > FILTER_COLUMNS_MAX || body.first.rows > ROWS_MAX ||
        body.second.rows > ROWS_MAX || (body.first.columns == 0) != (body.first.rows == 0) ||
        (body.first.rows > 0 && body.second.rows == 0)) {
        return KW_FAIL(KW_E_INPUT);
    }
    body.first.at =
        kw_reader_take(&r, body.first.columns * filter_column_octets(body.first.rows)).p;
    body.second.at = kw_reader_take(&r, filter_column_octets(body.second.rows)).p;
    if (!kw_ok(kw_reader_end(&r))) {
        return KW_FAIL(KW_E_INPUT);
    }
    *ret = body;
    return KW_OK;
}

bool filter_body_has(const struct filter_body *body, struct kw_span serial)
{
    struct filter_hash hash;

    if (body->second.rows == 0) {
        return false;
    }
    filter_hash(body->salt, serial, &hash);
    return filter_table_agrees(&body->first, &hash.first) &&
           filter_column_value(&body->second, 0, &hash.second);
}
