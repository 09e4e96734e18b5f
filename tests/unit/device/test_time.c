/* What time a device takes it to be, whatever its clock shows and however often it starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/device.h"
#include "os/clock.h"

enum { HOUR = 3600, DAY = 86400 };
static const int64_t YEAR = 366 * (int64_t)DAY;
static const int64_t CLOCK_2106 = 4294967300;

/* --- clocks that a test sets ------------------------------------------------------------------ */

static int64_t unix_s, up_s, begin_s; /* begin: of all time, for this library */
static uint8_t boot;

int64_t __wrap_os_clock_unix_ms(void);
int64_t __wrap_os_clock_unix_ms(void)
{
    return unix_s * 1000;
}

int64_t __wrap_os_clock_up_s(void);
int64_t __wrap_os_clock_up_s(void)
{
    return up_s;
}

void __wrap_os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES]);
void __wrap_os_clock_boot_id(uint8_t ret[OS_BOOT_ID_BYTES])
{
    memset(ret, boot, OS_BOOT_ID_BYTES);
}

static void pass(int64_t seconds)
{
    unix_s += seconds;
    up_s += seconds;
}

/* The machine was off for a while; its clock shows this. */
static void start_anew(int64_t shows_s)
{
    boot++;
    up_s = 20;
    unix_s = shows_s;
}

static int setup(void **state)
{
    static const struct device none;

    (void)state;
    unix_s = 0;
    begin_s = device_floor_ms(&none) / 1000;
    unix_s = begin_s + DAY;
    up_s = 1000;
    return 0;
}

/* --- the floor -------------------------------------------------------------------------------- */

static void nothing_is_before_the_build(void **state)
{
    struct device device = {0};

    (void)state;
    unix_s = 5;
    assert_int_equal(device_now_s(&device), begin_s);
    assert_false(device_believes_clock(&device));
}

static void the_floor_goes_on_with_the_uptime(void **state)
{
    struct device device = {0};

    (void)state;
    int64_t told_s = begin_s + 30 * DAY;
    device_take_fact(&device, told_s);
    unix_s = 5; /* the clock was lost; the machine runs on */
    pass(10 * DAY);
    assert_in_range(device_now_s(&device), told_s + 10 * DAY - 2, told_s + 10 * DAY);
    start_anew(5);
    assert_in_range(device_now_s(&device), told_s, told_s + up_s); /* as long as it runs again */
    pass(3 * DAY);
    assert_in_range(device_now_s(&device), told_s + 3 * DAY, told_s + 3 * DAY + 20);
}

static void it_never_goes_back(void **state)
{
    struct device device = {0};

    (void)state;
    device_take_fact(&device, begin_s + 30 * DAY);
    device_take_time(&device, (begin_s + 10 * DAY) * 1000);
    device_take_fact(&device, begin_s + 20 * DAY);
    assert_int_equal(device_now_s(&device), begin_s + 30 * DAY);
    device_take_fact(&device, begin_s + 40 * DAY); /* a certificate begins then */
    assert_int_equal(device_now_s(&device), begin_s + 40 * DAY);
}

static void one_signed_word_moves_it_by_a_year_at_most(void **state)
{
    struct device device = {0};

    (void)state;
    device_take_fact(&device, begin_s + YEAR + DAY);
    assert_int_equal(device_floor_ms(&device), begin_s * 1000);
    device_take_fact(&device, begin_s + YEAR - DAY);
    assert_int_equal(device_floor_ms(&device), (begin_s + YEAR - DAY) * 1000);
}

/* A year with each hello would leave a fleet in 2106: a welcome is not signed. (Nobody can be asked
 * here for a statement.) */
static void words_without_a_signature_do_not_add_up(void **state)
{
    struct device device = {0};

    (void)state;
    for (unsigned i = 0; i < 80; i++) {
        device_take_time(&device, device_floor_ms(&device) + 364LL * DAY * 1000);
    }
    for (unsigned i = 0; i < 80; i++) {
        device_take_time(&device, device_floor_ms(&device) + HOUR * 1000LL);
    }
    assert_int_equal(device_floor_ms(&device), begin_s * 1000);
}

/* --- the clock -------------------------------------------------------------------------------- */

static void a_clock_is_believed_where_it_may_be_right(void **state)
{
    struct device device = {0};
    static const struct {
        int64_t off_s; /* against the floor */
        bool believed;
    } rows[] = {
        {-2LL * HOUR, false},
        {-HOUR / 2,   true }, /* the server's is a little ahead */
        {0,           true },
        {300LL * DAY, true },
        {400LL * DAY, false},
    };

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        unix_s = begin_s + rows[i].off_s;
        assert_int_equal(device_believes_clock(&device), rows[i].believed);
        int64_t expected_s = rows[i].believed && rows[i].off_s > 0 ? unix_s : begin_s;
        assert_int_equal(device_now_s(&device), expected_s);
    }
}

/* Certificates are not ended by a clock that jumped. */
static void nobody_vouches_for_2106(void **state)
{
    struct device device = {0};

    (void)state;
    unix_s = CLOCK_2106;
    assert_int_equal(device_now_s(&device), begin_s);
    device.base_ms = CLOCK_2106 * 1000; /* two statements said so */
    device.base_up_s = up_s;
    pass(DAY);
    unix_s = 5;
    assert_int_equal(device_now_s(&device), CLOCK_2106 + DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_before_the_build, setup),
        cmocka_unit_test_setup(the_floor_goes_on_with_the_uptime, setup),
        cmocka_unit_test_setup(it_never_goes_back, setup),
        cmocka_unit_test_setup(one_signed_word_moves_it_by_a_year_at_most, setup),
        cmocka_unit_test_setup(words_without_a_signature_do_not_add_up, setup),
        cmocka_unit_test_setup(a_clock_is_believed_where_it_may_be_right, setup),
        cmocka_unit_test_setup(nobody_vouches_for_2106, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
