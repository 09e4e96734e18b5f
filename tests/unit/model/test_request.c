/* Requests that wait for an officer: the whole table of transitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/request.h"

/* What may happen; everything else is refused. */
static const struct {
    enum ra_state from;
    enum ra_event event;
    enum ra_state to;
} steps[] = {
    {RA_NONE,     RA_OPEN,    RA_WAITING },
    {RA_WAITING,  RA_APPROVE, RA_APPROVED},
    {RA_WAITING,  RA_REFUSE,  RA_REFUSED },
    {RA_WAITING,  RA_LAPSE,   RA_LAPSED  },
    {RA_APPROVED, RA_REFUSE,  RA_REFUSED },
    {RA_APPROVED, RA_ISSUE,   RA_ISSUED  },
    {RA_APPROVED, RA_LAPSE,   RA_LAPSED  },
};

static enum ra_state expected(enum ra_state from, enum ra_event event)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].from == from && steps[i].event == event) {
            return steps[i].to;
        }
    }
    return RA_NONE;
}

static void test_only_these_steps_are_possible(void **state)
{
    (void)state;
    for (int from = -1; from <= RA_STATE_MAX; from++) {
        for (int event = -1; event <= RA_EVENT_MAX; event++) {
            enum ra_state to = RA_NONE;
            enum ra_state want = expected((enum ra_state)from, (enum ra_event)event);
            kw_status status = ra_step((enum ra_state)from, (enum ra_event)event, &to);
            assert_int_equal(status.code, want == RA_NONE ? KW_E_STATE : KW_CODE_OK);
            assert_int_equal(to, want);
        }
    }
}

/* Where nothing may happen any more, the state says so. */
static void test_a_state_is_open_where_something_may_happen(void **state)
{
    (void)state;
    for (enum ra_state s = RA_WAITING; s < RA_STATE_MAX; s++) {
        bool leads_on = false;
        for (enum ra_event e = 0; e < RA_EVENT_MAX; e++) {
            leads_on = leads_on || expected(s, e) != RA_NONE;
        }
        assert_int_equal(ra_state_open(s), leads_on);
        assert_int_equal(ra_state_from_text(ra_state_text(s)), s);
    }
    assert_int_equal(ra_state_from_text("none"), RA_STATE_MAX);
    assert_int_equal(ra_state_from_text(""), RA_STATE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_these_steps_are_possible),
        cmocka_unit_test(test_a_state_is_open_where_something_may_happen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
