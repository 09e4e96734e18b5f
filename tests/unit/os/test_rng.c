#include "../base/check.h"
#include "os/rng.h"

static void octets_differ_each_time(void **state)
{
    uint8_t a[1000] = {0};
    uint8_t b[1000] = {0};
    bool seen[256] = {false};
    int n_seen = 0;

    (void)state;
    assert_ok(os_random(NULL, a, sizeof(a)));
    assert_ok(os_random(NULL, b, sizeof(b)));
    assert_memory_not_equal(a, b, sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++) {
        n_seen += !seen[a[i]];
        seen[a[i]] = true;
    }
    assert_true(n_seen >
                200); /* 251 are expected; below 200 is not seen in the age of the universe */
}

static void only_the_room_is_filled(void **state)
{
    static uint8_t room[3 << 20]; /* larger than one getrandom(2) is sure to give */

    (void)state;
    assert_ok(os_random(NULL, room, sizeof(room) - 16));
    for (size_t i = sizeof(room) - 16; i < sizeof(room); i++) {
        assert_int_equal(room[i], 0);
    }
    assert_memory_not_equal(room + sizeof(room) - 48, room + sizeof(room) - 16, 16);
    assert_ok(os_random(NULL, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_differ_each_time),
        cmocka_unit_test(only_the_room_is_filled),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
