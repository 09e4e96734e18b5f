/* libmosquitto judges: every short pattern against every short topic. */
#include <mosquitto.h>
#include <string.h>

#include "../base/check.h"
#include "mosquitto/topic.h"

static const char *const levels[] = {"", "a", "b", "+", "#", "$a"};

enum { N_LEVELS = KW_COUNT(levels), N_TEXTS = N_LEVELS + N_LEVELS * N_LEVELS * (1 + N_LEVELS) };

/* The i-th text of one to three levels. */
static void text_of(unsigned i, char ret[16])
{
    unsigned depth = i < N_LEVELS ? 1 : i < N_LEVELS + N_LEVELS * N_LEVELS ? 2 : 3;

    i -= depth == 1 ? 0 : depth == 2 ? N_LEVELS : N_LEVELS + N_LEVELS * N_LEVELS;
    *ret = '\0';
    for (unsigned k = 0; k < depth; k++, i /= N_LEVELS) {
        const char *parts[] = {k ? "/" : "", levels[i % N_LEVELS]};
        for (unsigned p = 0; p < KW_COUNT(parts); p++) {
            memcpy(ret + strlen(ret), parts[p], strlen(parts[p]) + 1);
        }
    }
}

static bool judge(const char *filter, const char *topic)
{
    bool covers = false;

    assert_int_equal(mosquitto_topic_matches_sub(filter, topic, &covers), MOSQ_ERR_SUCCESS);
    return covers;
}

static void topics_are_matched_as_the_broker_does(void **state)
{
    char pattern[16], topic[16];
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < N_TEXTS; i++) {
        text_of(i, pattern);
        for (unsigned k = 0; topic_is_pattern(pattern) && k < N_TEXTS; k++) {
            text_of(k, topic);
            if (!topic_is_name(topic)) {
                continue;
            }
            n++;
            if (topic_covers(pattern, "-", topic) != judge(pattern, topic)) {
                fail_msg("'%s' and '%s'", pattern, topic);
            }
        }
    }
    assert_true(n > 5000);
}

/* What is covered lets nothing in that the pattern does not: checked with the broker's own matcher.
 */
static void no_covered_filter_reaches_further_than_the_pattern(void **state)
{
    char pattern[16], filter[16], topic[16];
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < N_TEXTS; i++) {
        text_of(i, pattern);
        for (unsigned j = 0; topic_is_pattern(pattern) && j < N_TEXTS; j++) {
            text_of(j, filter);
            if (!topic_is_filter(filter) || !topic_covers(pattern, "-", filter)) {
                continue;
            }
            n++;
            for (unsigned k = 0; k < N_TEXTS; k++) {
                text_of(k, topic);
                if (topic_is_name(topic) && judge(filter, topic) && !judge(pattern, topic)) {
                    fail_msg("'%s' covers '%s', not '%s'", pattern, filter, topic);
                }
            }
        }
    }
    assert_true(n > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_matched_as_the_broker_does),
        cmocka_unit_test(no_covered_filter_reaches_further_than_the_pattern),
    };
    return cmocka_run_group_tests_name("mosquitto_topic_judge", tests, NULL, NULL);
}
