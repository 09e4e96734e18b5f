/* The part of a root-of-trust URI behind its scheme. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rot/params.h"

static char dir[16], key[16], tcti[64];

static const struct rot_param table[] = {
    {.name = "dir", .required = true, .value = dir, .cap = sizeof(dir)},
    {.name = "key", .value = key, .cap = sizeof(key)},
    {.name = "tcti", .rest = true, .value = tcti, .cap = sizeof(tcti)},
};

static enum kw_code parse(const char *text)
{
    return rot_params_parse(NULL, text, table, KW_COUNT(table)).code;
}

static void takes_what_is_right(void **state)
{
    (void)state;
    assert_int_equal(parse("dir=/a"), KW_CODE_OK);
    assert_string_equal(dir, "/a");
    assert_string_equal(key, "");
    assert_int_equal(parse("key=/k,dir=/b"), KW_CODE_OK);
    assert_string_equal(dir, "/b");
    assert_string_equal(key, "/k");
    assert_int_equal(parse("dir=/a,tcti=swtpm:host=127.0.0.1,port=1"), KW_CODE_OK);
    assert_string_equal(tcti, "swtpm:host=127.0.0.1,port=1");
    assert_int_equal(parse("dir=a=b"), KW_CODE_OK);
    assert_string_equal(dir, "a=b");
}

static void refuses_what_is_wrong(void **state)
{
    static const char *const wrong[] = {
        "",
        "dir",
        "dir=",
        "=x",
        ",",
        "dir=/a,",
        ",dir=/a",
        "dir=/a,,key=/k",
        "dir=/a,dir=/b",
        "key=/k",
        "dir=/a,other=1",
        "dir=0123456789012345",
        "dir=/a,tcti=",
        "DIR=/a",
    };
    (void)state;
    for (size_t i = 0; i < KW_COUNT(wrong); i++) {
        assert_int_equal(parse(wrong[i]), KW_E_INPUT);
    }
    assert_int_equal(parse("dir=012345678901234"), KW_CODE_OK); /* just fits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_right),
        cmocka_unit_test(refuses_what_is_wrong),
    };
    return cmocka_run_group_tests_name("rot/params", tests, NULL, NULL);
}
