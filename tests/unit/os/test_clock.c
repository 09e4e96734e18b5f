#include <stdlib.h>
#include <time.h>

#include "../base/check.h"
#include "os/clock.h"

static int restore(void **state)
{
    (void)state;
    return unsetenv("KEYWRIGHT_TEST_CLOCK_OFFSET_S");
}

static void wall_clock_is_the_systems(void **state)
{
    (void)state;
    int64_t before = time(NULL);
    int64_t got = os_clock_unix_s();
    int64_t got_ms = os_clock_unix_ms();
    int64_t after = time(NULL) + 1; /* time(2) may be a tick behind */
    assert_true(got >= before && got <= after);
    assert_true(got_ms / 1000 >= got && got_ms / 1000 <= after);
}

static void monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t last = os_clock_mono_ns();
    for (int i = 0; i < 100000; i++) {
        int64_t now = os_clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(os_clock_mono_ms() >= last / 1000000);
}

static void tests_may_move_the_wall_clock_only(void **state)
{
    static const int64_t year_s = 366 * 86400;

    (void)state;
    int64_t mono = os_clock_mono_ms();
    int64_t wall = os_clock_unix_s();
    assert_int_equal(setenv("KEYWRIGHT_TEST_CLOCK_OFFSET_S", "31622400", 1), 0);
    assert_true(os_clock_unix_s() - wall >= year_s);
    assert_true(os_clock_unix_s() - wall < year_s + 600);
    assert_int_equal(setenv("KEYWRIGHT_TEST_CLOCK_OFFSET_S", "-31622400", 1), 0);
    assert_true(os_clock_unix_s() - wall < -year_s + 600);
    assert_true(os_clock_mono_ms() - mono < 600 * 1000);
}

static void nonsense_moves_nothing(void **state)
{
    static const char *const bad[] = {"", "x", "1h", "99999999999999999999", "31622400000", " "};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_int_equal(setenv("KEYWRIGHT_TEST_CLOCK_OFFSET_S", bad[i], 1), 0);
        assert_true(os_clock_unix_s() - (int64_t)time(NULL) < 600);
        assert_true((int64_t)time(NULL) - os_clock_unix_s() < 600);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clock_is_the_systems),
        cmocka_unit_test(monotonic_clock_never_goes_back),
        cmocka_unit_test_teardown(tests_may_move_the_wall_clock_only, restore),
        cmocka_unit_test_teardown(nonsense_moves_nothing, restore),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
