/* Which heartbeats one device can send, and which only two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/heartbeat.h"

static struct heartbeat beat(uint64_t counter, uint8_t link, uint8_t previous)
{
    struct heartbeat it = {.counter = counter};

    memset(it.link, link, sizeof(it.link));
    memset(it.previous, previous, sizeof(it.previous));
    return it;
}

static void every_case(void **state)
{
    static const struct {
        const char *what;
        uint64_t known, said;
        uint8_t known_link, known_previous, link, previous;
        enum heartbeat_verdict verdict;
    } rows[] = {
        {"the first",                       0,  1,         0, 0, 1, 0, HEARTBEAT_FIRST   },
        {"the first known is no first",     0,  9,         0, 0, 9, 8, HEARTBEAT_FIRST   },
        {"the next",                        5,  6,         5, 4, 6, 5, HEARTBEAT_NEXT    },
        {"its answer was lost",             5,  5,         5, 4, 5, 4, HEARTBEAT_AGAIN   },
        {"late on the way",                 5,  4,         5, 4, 4, 3, HEARTBEAT_LATE    },
        {"the store was restored",          5,  7,         5, 4, 7, 6, HEARTBEAT_AHEAD   },
        {"the highest number",              5,  INT64_MAX, 5, 4, 7, 6, HEARTBEAT_AHEAD   },
        {"a copy went on before us",        5,  6,         5, 4, 6, 9, HEARTBEAT_DIVERGED},
        {"a copy's own of the same number", 5,  5,         5, 4, 9, 4, HEARTBEAT_DIVERGED},
        {"a copy's own of the one before",  5,  4,         5, 4, 9, 3, HEARTBEAT_DIVERGED},
        {"an old snapshot",                 5,  2,         5, 4, 2, 1, HEARTBEAT_DIVERGED},
        {"one that lost its file",          50, 1,         5, 4, 1, 0, HEARTBEAT_DIVERGED},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct heartbeat known = beat(rows[i].known, rows[i].known_link, rows[i].known_previous);
        struct heartbeat said = beat(rows[i].said, rows[i].link, rows[i].previous);
        if (heartbeat_judge(&known, &said) != rows[i].verdict) {
            fail_msg("%s", rows[i].what);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
