/* Making a filter's tables: linear equations over GF(2) in a band of 64 rows. */
#include <stdlib.h>

#include "base/writer.h"
#include "crypto/filter_table.h"

enum {
    MADE_MAX = 1 << 30,
    TRIES = 40,
    SPARE_ROWS = 16, /* beside a share of all: few equations need some, too */
    HEAD_BYTES = FILTER_SALT_BYTES + 1 + 4 + 4,
};

struct entry {
    uint8_t serial[KW_SERIAL_MAX];
    uint8_t len;
    bool revoked;
};

struct filter_maker {
    struct entry *at;
    size_t n, cap;
    uint64_t revoked;
};

kw_status filter_maker_new(struct kw_op *op, struct filter_maker **ret)
{
    struct filter_maker *maker = calloc(1, sizeof(*maker));

    ENSURE(op, maker, KW_E_MEMORY, "no memory for a filter");
    *ret = maker;
    return KW_OK;
}

void filter_maker_free(struct filter_maker *maker)
{
    if (maker) {
        free(maker->at);
        free(maker);
    }
}

static kw_status grow(struct kw_op *op, struct filter_maker *maker)
{
    size_t cap = maker->cap ? maker->cap + maker->cap / 2 : 256;

    ENSURE(op, maker->n < MADE_MAX, KW_E_LIMIT, "a filter of more than %d certificates",
           (int)MADE_MAX);
    struct entry *at = reallocarray(maker->at, cap, sizeof(*at));
    ENSURE(op, at, KW_E_MEMORY, "no memory for a filter of %zu certificates", cap);
    maker->at = at;
    maker->cap = cap;
    return KW_OK;
}

kw_status filter_maker_add(struct kw_op *op, struct filter_maker *maker, struct kw_span serial,
                           bool revoked)
{
    ENSURE(op, serial.len > 0 && serial.len <= KW_SERIAL_MAX, KW_E_INPUT,
           "a serial number of %zu octets", serial.len);
    if (maker->n == maker->cap) {
        TRY(op, grow(op, maker));
    }
    struct entry *entry = &maker->at[maker->n++];
    memcpy(entry->serial, serial.p, serial.len);
    entry->len = (uint8_t)serial.len;
    entry->revoked = revoked;
    maker->revoked += revoked;
    return KW_OK;
}

uint64_t filter_maker_count(const struct filter_maker *maker, uint64_t *ret_revoked)
{
    *ret_revoked = maker->revoked;
    return maker->n;
}

static struct kw_span serial_of(const struct entry *entry)
{
    return KW_SPAN(entry->serial, entry->len);
}

/* --- equations -------------------------------------------------------------------------------- */

struct equations {
    struct filter_asks *at;
    size_t n;
};

static void equations_done(struct equations *equations)
{
    free(equations->at);
}
#define EQUATIONS __attribute__((cleanup(equations_done))) struct equations

static kw_status equations_room(struct kw_op *op, struct equations *equations, size_t n)
{
    equations->at = calloc(n + 1, sizeof(equations->at[0]));
    ENSURE(op, equations->at, KW_E_MEMORY, "no memory for %zu equations", n);
    return KW_OK;
}

/* A triangle of rows, each beginning with its own unknown: Gaussian elimination as they come. */
struct band {
    uint64_t *taken; /* bit t: unknown row + t; 0 = the row is free */
    uint32_t *says;
    size_t n; /* rows and the band behind the last one */
};

static void band_done(struct band *band)
{
    free(band->taken);
    free(band->says);
}
#define BAND __attribute__((cleanup(band_done))) struct band

static kw_status band_room(struct kw_op *op, struct band *band, uint32_t rows)
{
    band->n = (size_t)rows + FILTER_BAND - 1;
    band->taken = calloc(band->n, sizeof(band->taken[0]));
    band->says = calloc(band->n, sizeof(band->says[0]));
    ENSURE(op, band->taken && band->says, KW_E_MEMORY, "no memory for a table of %u rows", rows);
    return KW_OK;
}

/* False: it contradicts those before it. */
static bool band_add(struct band *band, size_t row, uint64_t taken, uint32_t says)
{
    while (band->taken[row] != 0) {
        taken ^= band->taken[row];
        says ^= band->says[row];
        if (taken == 0) {
            return says == 0;
        }
        unsigned zeroes = (unsigned)__builtin_ctzll(taken);
        row += zeroes;
        taken >>= zeroes;
    }
    band->taken[row] = taken;
    band->says[row] = says;
    return true;
}

static bool band_fill(struct band *band, const struct equations *equations, uint32_t rows,
                      uint32_t mask)
{
    for (size_t i = 0; i < equations->n; i++) {
        const struct filter_asks *asks = &equations->at[i];
        if (!band_add(band, filter_row(asks->at, rows), asks->band, asks->says & mask)) {
            return false;
        }
    }
    return true;
}

/* From the last unknown to the first; what nothing depends on is 0. */
static void band_column(const struct band *band, unsigned column, uint8_t *ret)
{
    uint64_t behind = 0; /* bit t: unknown i + 1 + t */

    for (size_t i = band->n; i-- > 0;) {
        unsigned value = 0;
        if (band->taken[i] != 0) {
            value = (band->says[i] >> column & 1) ^
                    (unsigned)__builtin_parityll(band->taken[i] >> 1 & behind);
        }
        behind = behind << 1 | value;
        ret[i / 8] |= (uint8_t)(value << (i % 8));
    }
}

/* What one takes first lies near what the one before took: the memory is walked through once. */
static int by_place(const void *a, const void *b)
{
    const struct filter_asks *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

/* Append the columns to `into`. */
static kw_status solve(struct kw_op *op, struct equations *equations, unsigned columns,
                       struct kw_bytes *into, uint32_t *ret_rows)
{
    uint32_t mask = columns == FILTER_COLUMNS_MAX ? UINT32_MAX : (UINT32_C(1) << columns) - 1;
    uint32_t step = (uint32_t)(equations->n / 64) + SPARE_ROWS;
    uint32_t rows = (uint32_t)equations->n + step;

    qsort(equations->at, equations->n, sizeof(equations->at[0]), by_place);
    for (unsigned i = 0; i < TRIES; i++, rows += step) {
        BAND band = {0};
        TRY(op, band_room(op, &band, rows));
        if (!band_fill(&band, equations, rows, mask)) {
            continue;
        }
        size_t octets = filter_column_octets(rows);
        TRY(op, kw_bytes_reserve(into, columns * octets));
        memset(into->p + into->len, 0, columns * octets);
        for (unsigned k = 0; k < columns; k++) {
            band_column(&band, k, into->p + into->len + k * octets);
        }
        into->len += columns * octets;
        *ret_rows = rows;
        return KW_OK;
    }
    return FAIL(op, KW_E_CONFLICT, "a filter of %zu equations has no solution", equations->n);
}

/* --- the two tables --------------------------------------------------------------------------- */

/* The smallest whole: k columns for the revoked ones, and one for them and for 2^-k of the others.
 */
static unsigned best_columns(uint64_t revoked, uint64_t others)
{
    unsigned k = 0;

    while (k < FILTER_COLUMNS_MAX && revoked < (others >> k) - (others >> (k + 1))) {
        k++;
    }
    return k;
}

static kw_status first_table(struct kw_op *op, const struct filter_maker *maker,
                             const uint8_t *salt, unsigned columns, struct kw_bytes *into,
                             uint32_t *ret_rows)
{
    EQUATIONS equations = {0};

    TRY(op, equations_room(op, &equations, maker->revoked));
    for (size_t i = 0; i < maker->n; i++) {
        if (maker->at[i].revoked) {
            struct filter_hash hash;
            filter_hash(salt, serial_of(&maker->at[i]), &hash);
            equations.at[equations.n++] = hash.first;
        }
    }
    return solve(op, &equations, columns, into, ret_rows);
}

/* Who passes the first table. */
static kw_status second_table(struct kw_op *op, const struct filter_maker *maker,
                              const uint8_t *salt, const struct filter_table *first,
                              struct kw_bytes *into, uint32_t *ret_rows)
{
    EQUATIONS equations = {0};

    TRY(op, equations_room(op, &equations, maker->n));
    for (size_t i = 0; i < maker->n; i++) {
        struct filter_hash hash;
        filter_hash(salt, serial_of(&maker->at[i]), &hash);
        if (filter_table_agrees(first, &hash.first)) {
            hash.second.says = maker->at[i].revoked;
            equations.at[equations.n++] = hash.second;
        }
    }
    return solve(op, &equations, 1, into, ret_rows);
}

static kw_status write_head(struct kw_bytes *body, const uint8_t *salt, unsigned columns,
                            uint32_t first_rows, uint32_t second_rows)
{
    struct kw_out head = {.p = body->p, .cap = HEAD_BYTES};
    struct kw_writer w = kw_writer_of(&head);

    kw_writer_put(&w, KW_SPAN(salt, FILTER_SALT_BYTES));
    kw_writer_u8(&w, (uint8_t)columns);
    kw_writer_u32(&w, first_rows);
    kw_writer_u32(&w, second_rows);
    return kw_writer_end(&w);
}

/* A relying party's very look-up, for everyone. */
static kw_status prove(struct kw_op *op, const struct filter_maker *maker, struct kw_span octets)
{
    struct filter_body body;

    TRY(op, filter_body_parse(octets, &body), "a filter that was just made");
    for (size_t i = 0; i < maker->n; i++) {
        ENSURE(op, filter_body_has(&body, serial_of(&maker->at[i])) == maker->at[i].revoked,
               KW_E_CONFLICT, "a filter that does not hold what it was made of");
    }
    return KW_OK;
}

static kw_status make_tables(struct kw_op *op, struct filter_maker *maker, const uint8_t *salt,
                             struct kw_bytes *body)
{
    struct filter_table first = {0};
    uint32_t second_rows = 0;

    if (maker->revoked > 0) {
        first.columns = best_columns(maker->revoked, maker->n - maker->revoked);
        if (first.columns > 0) {
            TRY(op, first_table(op, maker, salt, first.columns, body, &first.rows));
        }
        first.at = body->p + HEAD_BYTES;
        AUTO(kw_bytes) *second = NULL;
        TRY(op, kw_bytes_new(0, &second));
        TRY(op, second_table(op, maker, salt, &first, second, &second_rows));
        TRY(op, kw_bytes_append(body, kw_bytes_span(second)));
    }
    return write_head(body, salt, first.columns, first.rows, second_rows);
}

kw_status filter_maker_make(struct kw_op *op, struct filter_maker *maker,
                            const uint8_t salt[FILTER_SALT_BYTES], struct kw_bytes **ret)
{
    AUTO(kw_bytes) *body = NULL;

    TRY(op, kw_bytes_new(HEAD_BYTES, &body));
    body->len = HEAD_BYTES; /* written last */
    TRY(op, make_tables(op, maker, salt, body));
    TRY(op, prove(op, maker, kw_bytes_span(body)));
    *ret = TAKE(body);
    return KW_OK;
}
