/* Serial numbers: led by the time, random, handed out once, used once. */
#include "cmd/keywright-keeper/serials.h"
#include "unit/base/check.h"

enum { TIME_BITS = 8 * SERIALS_TIME_OCTETS };
static const int64_t now_ms = INT64_C(1795000000000); /* in November 2026 */

static struct kw_span span(const uint8_t serial[KW_SERIAL_BYTES])
{
    return KW_SPAN(serial, KW_SERIAL_BYTES);
}

static void handed_out_once_used_once(void **state)
{
    AUTO(serials) *serials = NULL;
    uint8_t serial[KW_SERIAL_BYTES];
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(serials_new(&op, &serials));
    memset(serial, 0x11, sizeof(serial));
    assert_false(serials_outstanding(serials, span(serial)));
    assert_ok(serials_make(&op, serials, now_ms, serial));
    assert_true(serials_outstanding(serials, span(serial)));
    assert_false(serials_outstanding(serials, KW_SPAN(serial, KW_SERIAL_BYTES - 1)));
    serials_use(serials, span(serial));
    assert_false(serials_outstanding(serials, span(serial)));
    serials_use(serials, span(serial)); /* nothing */
}

/* All of 4096 can be used, in any order; one more, and the oldest is gone. */
static void the_oldest_is_forgotten(void **state)
{
    static uint8_t made[SERIALS_OUTSTANDING + 1][KW_SERIAL_BYTES];
    AUTO(serials) *serials = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(serials_new(&op, &serials));
    for (unsigned i = 0; i < KW_COUNT(made); i++) {
        assert_ok(serials_make(&op, serials, now_ms, made[i]));
    }
    assert_false(serials_outstanding(serials, span(made[0])));
    for (unsigned i = SERIALS_OUTSTANDING; i > 0; i -= 2) {
        assert_true(serials_outstanding(serials, span(made[i])));
        serials_use(serials, span(made[i]));
    }
    for (unsigned i = 1; i < SERIALS_OUTSTANDING; i += 2) {
        assert_true(serials_outstanding(serials, span(made[i])));
        serials_use(serials, span(made[i]));
    }
    for (unsigned i = 0; i < KW_COUNT(made); i++) {
        assert_false(serials_outstanding(serials, span(made[i])));
    }
}

/* CA/Browser Forum Baseline Requirements section 7.1: at least 64 bits of a random generator. */
static void random_behind_the_time(void **state)
{
    enum { N = 20000 };
    AUTO(serials) *serials = NULL;
    unsigned n_ones[KW_SERIAL_BYTES * 8] = {0};
    struct kw_op op;

    (void)state;
    _Static_assert(KW_SERIAL_BYTES * 8 - TIME_BITS >= 64, "room for 64 bits");
    kw_op_init(&op, "test", 0);
    assert_ok(serials_new(&op, &serials));
    for (unsigned i = 0; i < N; i++) {
        uint8_t serial[KW_SERIAL_BYTES];
        assert_ok(serials_make(&op, serials, now_ms, serial));
        for (unsigned bit = 0; bit < KW_COUNT(n_ones); bit++) {
            n_ones[bit] += serial[bit / 8] >> (7 - bit % 8) & 1;
        }
    }
    for (unsigned bit = 0; bit < TIME_BITS; bit++) {
        assert_true(n_ones[bit] == 0 || n_ones[bit] == N);
    }
    for (unsigned bit = TIME_BITS; bit < KW_COUNT(n_ones); bit++) {
        assert_in_range(n_ones[bit], N * 47 / 100, N * 53 / 100); /* 8 sigma */
    }
}

/* What comes later is greater, and the store's index (the first 8 octets) goes by it. */
static void later_is_greater(void **state)
{
    AUTO(serials) *serials = NULL;
    uint8_t before[KW_SERIAL_BYTES], serial[KW_SERIAL_BYTES];
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(serials_new(&op, &serials));
    assert_ok(serials_make(&op, serials, now_ms, before));
    for (unsigned i = 1; i < 1000; i++) {
        assert_ok(serials_make(&op, serials, now_ms + (int64_t)i * i * 3600, serial));
        assert_true(memcmp(before, serial, sizeof(serial)) < 0);
        memcpy(before, serial, sizeof(serial));
    }
}

/* RFC 5280 section 4.1.2.2: positive; and 16 octets in DER, whatever the clock says. */
static void positive_at_any_time(void **state)
{
    static const int64_t times_ms[] = {
        INT64_MIN, -1, 0, 1, INT64_C(1) << 46, (INT64_C(1) << 47) - 1, INT64_C(1) << 47, INT64_MAX,
    };
    AUTO(serials) *serials = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(serials_new(&op, &serials));
    for (unsigned i = 0; i < KW_COUNT(times_ms); i++) {
        uint8_t serial[KW_SERIAL_BYTES];
        assert_ok(serials_make(&op, serials, times_ms[i], serial));
        assert_in_range(serial[0], 0x40, 0x7f);
        assert_true(serials_outstanding(serials, span(serial)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handed_out_once_used_once), cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(random_behind_the_time),    cmocka_unit_test(later_is_greater),
        cmocka_unit_test(positive_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
