/* Which versions a firmware key's policy lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/version_pattern.h"

static void matching(void **state)
{
    static const struct {
        const char *pattern, *version;
        bool matches;
    } rows[] = {
        {"",       "anything-1", true },
        {"1.2.3",  "1.2.3",      true },
        {"1.2.3",  "1.2.30",     false},
        {"1.2.3",  "1.2",        false},
        {"2.#.#",  "2.0.17",     true },
        {"2.#.#",  "2.0.",       false},
        {"2.#.#",  "2.0.x",      false},
        {"2.#.#",  "20.0.1",     false},
        {"2.#.#",  "2.0.1+rc",   false},
        {"2.#.#",  "12.0.1",     false},
        {"1.4.*",  "1.4.0-rc1",  true },
        {"1.4.*",  "1.4.",       true },
        {"1.4.*",  "1.40",       false},
        {"*",      "x",          true },
        {"#",      "",           false},
        {"v#-dev", "v12-dev",    true },
        {"v#-dev", "v12-prod",   false},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (version_pattern_matches(rows[i].pattern, kw_span_text(rows[i].version)) !=
            rows[i].matches) {
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].version);
        }
    }
}

static void valid_ones(void **state)
{
    static const char *const good[] = {"", "1.2.3", "#.#.#", "v#*", "*", "a_b+c-d"};
    static const char *const bad[] = {"**", "1*2", "##", "1 2", "1/2", "?", "[0-9]", "1.\n"};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(good); i++) {
        assert_true(version_pattern_valid(good[i]));
    }
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_false(version_pattern_valid(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching),
        cmocka_unit_test(valid_ones),
    };
    return cmocka_run_group_tests_name("model_version_pattern", tests, NULL, NULL);
}
