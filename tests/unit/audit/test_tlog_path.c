/* Paths of tiles as C2SP tlog-tiles writes them, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/tlog.h"

static const struct {
    int level;
    uint64_t index;
    unsigned width;
    const char *path;
} rows[] = {
    {0,  0,                             256, "tile/0/000"                         },
    {0,  0,                             1,   "tile/0/000.p/1"                     },
    {0,  999,                           255, "tile/0/999.p/255"                   },
    {0,  1000,                          256, "tile/0/x001/000"                    },
    {3,  1234067,                       256, "tile/3/x001/x234/067"               },
    {-1, 1234067,                       112, "tile/entries/x001/x234/067.p/112"   },
    {-1, 0,                             256, "tile/entries/000"                   },
    {7,  0,                             16,  "tile/7/000.p/16"                    },
    {0,  (UINT64_C(1) << 60) / 256 - 1, 256, "tile/0/x004/x503/x599/x627/x370/495"},
};

static void test_known_paths(void **state)
{
    (void)state;
    char path[KW_PATH_BYTES];

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        int level = 99;
        uint64_t index = 99;
        unsigned width = 99;
        assert_true(
            kw_ok(tlog_tile_path(rows[i].level, rows[i].index, rows[i].width, path, sizeof(path))));
        assert_string_equal(path, rows[i].path);
        assert_true(kw_ok(tlog_tile_parse(path, &level, &index, &width)));
        assert_int_equal(level, rows[i].level);
        assert_int_equal(index, rows[i].index);
        assert_int_equal(width, rows[i].width);
    }
}

static void test_paths_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "tile",
        "tile/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1",
        "tile/0/x000/001",  /* leading zeros */
        "tile/0/x001/x067", /* the last group has no x */
        "tile/0/001/067",
        "tile/0/X001/067",
        "tile/00/000",
        "tile/8/000", /* no tree has such a level */
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/entries/000.p/0",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1000",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/0/000.p/-1",
        "tile/0/../0/000",
        "tile/0/x001/x002/x003/x004/x005/x006/007",
        "tile/7/001",
        "tile/0/x004/x503/x599/x627/x370/496",
        "tile/0/x999/x999/x999/x999/x999/999", /* above 2^60 */
        "tile/data/000",
        "tile/8/0/000", /* Go's form has a height */
        "tile/0/000 ",
        " tile/0/000",
        "tile/0/000\n",
        "checkpoint",
    };
    int level = 7;
    uint64_t index = 7;
    unsigned width = 7;

    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_int_equal(tlog_tile_parse(bad[i], &level, &index, &width).code, KW_E_INPUT);
    }
    assert_true(level == 7 && index == 7 && width == 7);
}

static void test_places_that_are_none(void **state)
{
    (void)state;
    char path[KW_PATH_BYTES];

    assert_int_equal(tlog_tile_path(0, 0, 0, path, sizeof(path)).code, KW_E_INPUT);
    assert_int_equal(tlog_tile_path(0, 0, 257, path, sizeof(path)).code, KW_E_INPUT);
    assert_int_equal(tlog_tile_path(-2, 0, 1, path, sizeof(path)).code, KW_E_INPUT);
    assert_int_equal(tlog_tile_path(8, 0, 1, path, sizeof(path)).code, KW_E_INPUT);
    assert_int_equal(tlog_tile_path(0, UINT64_MAX, 1, path, sizeof(path)).code, KW_E_INPUT);
    assert_string_equal(path, "");
}

static void test_room_too_small_is_never_cut(void **state)
{
    (void)state;
    static const char whole[] = "tile/0/x001/000.p/12";
    char path[KW_PATH_BYTES];

    for (size_t cap = 0; cap < sizeof(whole); cap++) {
        memset(path, '#', sizeof(path));
        assert_int_equal(tlog_tile_path(0, 1000, 12, path, cap).code, KW_E_TOO_LARGE);
        assert_int_equal(path[cap], '#');
        assert_true(cap == 0 || path[0] == '\0');
    }
    assert_true(kw_ok(tlog_tile_path(0, 1000, 12, path, sizeof(whole))));
    assert_string_equal(path, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_paths),
        cmocka_unit_test(test_paths_that_are_none),
        cmocka_unit_test(test_places_that_are_none),
        cmocka_unit_test(test_room_too_small_is_never_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
