#include <string.h>

#include "../base/check.h"
#include "mosquitto/topic.h"

struct row {
    const char *pattern, *filter;
    bool covers;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (topic_covers(rows[i].pattern, "DEV1", rows[i].filter) != rows[i].covers) {
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].filter);
        }
    }
}

static void topics_are_covered_as_mqtt_says(void **state)
{
    static const struct row rows[] = {
        {"devices/{id}/data", "devices/DEV1/data",  true },
        {"devices/{id}/data", "devices/DEV2/data",  false},
        {"devices/{id}/data", "devices/dev1/data",  false},
        {"devices/{id}/data", "devices/DEV1",       false},
        {"devices/{id}/data", "devices/DEV1/data/", false},
        {"devices/{id}/data", "/devices/DEV1/data", false},
        {"devices/{id}/data", "devices//data",      false},
        {"devices/{id}/data", "devices/{id}/data",  false},
        {"devices/+/data",    "devices/DEV2/data",  true },
        {"devices/+/data",    "devices//data",      true },
        {"devices/+/data",    "devices/a/b/data",   false},
        {"devices/#",         "devices",            true },
        {"devices/#",         "devices/a/b",        true },
        {"devices/#",         "devicesa",           false},
        {"#",                 "a/b",                true },
        {"#",                 "$SYS/broker",        false},
        {"+/broker",          "$SYS/broker",        false},
        {"$SYS/#",            "$SYS/broker",        true },
        {"a/+",               "a/$SYS",             true },
    };

    (void)state;
    check_rows(rows, KW_COUNT(rows));
}

static void a_filter_is_covered_only_where_all_of_it_is(void **state)
{
    static const struct row rows[] = {
        {"devices/+/data",    "devices/+/data",   true },
        {"devices/+/data",    "devices/#",        false},
        {"devices/+/data",    "devices/+/#",      false},
        {"devices/+/data",    "+/+/data",         false},
        {"devices/+/data",    "#",                false},
        {"devices/{id}/data", "devices/+/data",   false},
        {"devices/{id}/data", "devices/DEV1/+",   false},
        {"devices/{id}/data", "devices/DEV1/#",   false},
        {"devices/{id}/#",    "devices/DEV1/#",   true },
        {"devices/{id}/#",    "devices/DEV1/+/#", true },
        {"devices/{id}/#",    "devices/+/#",      false},
        {"#",                 "#",                true },
        {"+/#",               "#",                false},
        {"a/b",               "a/b/#",            false},
    };

    (void)state;
    check_rows(rows, KW_COUNT(rows));
}

static void a_plus_stands_for_no_first_level_with_a_dollar(void **state)
{
    (void)state;
    assert_false(topic_covers("+", "DEV1", "$SYS"));
    assert_false(topic_covers("#", "DEV1", "$share"));
    assert_true(topic_covers("+", "DEV1", "SYS$"));
}

static void names_filters_and_patterns_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool name, filter, pattern;
    } rows[] = {
        {"a/b",        true,  true,  true },
        {"a//b",       true,  true,  true },
        {"a/+/b",      false, true,  true },
        {"a/#",        false, true,  true },
        {"a/#/b",      false, false, false},
        {"a+/b",       false, false, false},
        {"a/b#",       false, false, false},
        {"",           false, false, false},
        {"a\nb",       false, false, false},
        {"a/\xc3\x28", false, false, false},
        {"a/\xc3\xbc", true,  true,  true },
        {"a/{id}",     true,  true,  true },
        {"a/{id}x",    true,  true,  false},
        {"a/{name}",   true,  true,  false},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (topic_is_name(rows[i].text) != rows[i].name ||
            topic_is_filter(rows[i].text) != rows[i].filter ||
            topic_is_pattern(rows[i].text) != rows[i].pattern) {
            fail_msg("'%s'", rows[i].text);
        }
    }
}

static void depth_and_length_have_limits(void **state)
{
    char deep[2 * TOPIC_DEPTH_MAX + 2] = "";
    char longest[TOPIC_MAX + 1];

    (void)state;
    for (unsigned i = 0; i < TOPIC_DEPTH_MAX - 1; i++) {
        memcpy(deep + strlen(deep), "a/", 3);
    }
    memcpy(deep + strlen(deep), "a", 2);
    assert_true(topic_is_name(deep));
    memcpy(deep + strlen(deep), "/a", 3);
    assert_false(topic_is_name(deep));
    memset(longest, 'a', TOPIC_MAX);
    longest[TOPIC_MAX] = '\0';
    assert_true(topic_is_name(longest));
    assert_false(topic_is_pattern(longest));
    longest[TOPIC_MAX - 1] = '\0';
    assert_true(topic_is_pattern(longest));
}

static void a_shared_subscription_is_judged_by_its_filter(void **state)
{
    (void)state;
    assert_string_equal(topic_of_subscription("a/b"), "a/b");
    assert_string_equal(topic_of_subscription("$share/g/a/+"), "a/+");
    assert_string_equal(topic_of_subscription("$shared/g/a"), "$shared/g/a");
    for (const char *const *at =
             (const char *const[]){"$share", "$share/", "$share/g", "$share/g/", "$share//a",
                                   "$share/+/a", "$share/#/a", NULL};
         *at; at++) {
        assert_null(topic_of_subscription(*at));
    }
}

static void an_identity_stands_for_one_level_only(void **state)
{
    (void)state;
    assert_true(topic_is_level("DEV-1"));
    for (const char *const *at =
             (const char *const[]){"", "a/b", "+", "#", "a+", "$SYS", "a\nb", "\xff", NULL};
         *at; at++) {
        assert_false(topic_is_level(*at));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_covered_as_mqtt_says),
        cmocka_unit_test(a_filter_is_covered_only_where_all_of_it_is),
        cmocka_unit_test(a_plus_stands_for_no_first_level_with_a_dollar),
        cmocka_unit_test(names_filters_and_patterns_are_told_apart),
        cmocka_unit_test(depth_and_length_have_limits),
        cmocka_unit_test(a_shared_subscription_is_judged_by_its_filter),
        cmocka_unit_test(an_identity_stands_for_one_level_only),
    };
    return cmocka_run_group_tests_name("mosquitto_topic", tests, NULL, NULL);
}
