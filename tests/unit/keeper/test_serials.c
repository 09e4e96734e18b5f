/* Serial numbers: random, handed out once, used once. */
#include "cmd/keywright-keeper/serials.h"
#include "unit/base/check.h"

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
    assert_ok(serials_make(&op, serials, serial));
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
        assert_ok(serials_make(&op, serials, made[i]));
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

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets; and each bit but the top one varies. */
static void positive_and_random(void **state)
{
    enum { N = 20000 };
    AUTO(serials) *serials = NULL;
    unsigned n_ones[KW_SERIAL_BYTES * 8] = {0};
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(serials_new(&op, &serials));
    for (unsigned i = 0; i < N; i++) {
        uint8_t serial[KW_SERIAL_BYTES];
        assert_ok(serials_make(&op, serials, serial));
        assert_true(serial[0] > 0 && serial[0] < 0x80);
        for (unsigned bit = 0; bit < KW_COUNT(n_ones); bit++) {
            n_ones[bit] += serial[bit / 8] >> (7 - bit % 8) & 1;
        }
    }
    assert_int_equal(n_ones[0], 0);
    for (unsigned bit = 1; bit < KW_COUNT(n_ones); bit++) {
        assert_in_range(n_ones[bit], N * 47 / 100, N * 53 / 100); /* 8 sigma */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handed_out_once_used_once),
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(positive_and_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
