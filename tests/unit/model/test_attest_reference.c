/* Reference sets of measured boots: which events of a device are as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/attest_reference.h"

enum { MAX = 16 };

/* Events from text: a digit for the PCR and a letter for what was measured: "0a4b". Sorted. */
static unsigned events_of(const char *text, struct attest_event ret[MAX])
{
    unsigned n = 0;

    for (; *text; text += 2, n++) {
        ret[n] = (struct attest_event){.pcr = (uint8_t)(text[0] - '0'), .type = 13};
        ret[n].digest[0] = (uint8_t)text[1];
    }
    return attest_events_sort(ret, n);
}

struct sets {
    unsigned n;
    struct attest_reference at[4];
    struct attest_event events[4][MAX];
};

/* Sets from text: product, colon, events; a closed one begins with '-'. */
static void sets_of(const char *const texts[4], struct sets *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (; ret->n < 4 && texts[ret->n]; ret->n++) {
        struct attest_reference *set = &ret->at[ret->n];
        const char *text = texts[ret->n];
        set->open = *text != '-';
        text += !set->open;
        while (*text != ':') {
            set->product[strlen(set->product)] = *text++;
        }
        set->pcrs[0] = 0x95; /* 0, 2, 4, 7 */
        set->name[0] = (char)('1' + ret->n);
        set->n = events_of(text + 1, ret->events[ret->n]);
        set->events = ret->events[ret->n];
    }
}

static void boots_are_judged(void **state)
{
    static const struct {
        const char *sets[4], *product, *events;
        enum attest_reason reason;
        char fits;           /* name of the set, 0 none */
        const char *differs; /* the event that is told */
    } rows[] = {
        {{NULL},                     "hub", "0a4b",     ATTEST_R_OK,               0,   NULL},
        /* of another product */
        {{"lamp:0a"},                "hub", "0x",       ATTEST_R_OK,               0,   NULL},
        {{":0a4b"},                  "hub", "0a4b",     ATTEST_R_OK,               '1', NULL},
        /* order and number are free */
        {{"hub:0a4b"},               "hub", "4b0a0a",   ATTEST_R_OK,               '1', NULL},
        /* PCRs that are not judged */
        {{"hub:0a4b"},               "hub", "0a4b1x5y", ATTEST_R_OK,               '1', NULL},
        {{"hub:0a4b"},               "hub", "0a4b4c",   ATTEST_R_UNKNOWN_EVENT,    '1', "4c"},
        {{"hub:0a4b"},               "hub", "0a",       ATTEST_R_MISSING_EVENT,    '1', "4b"},
        {{"hub:0a4b"},               "hub", "",         ATTEST_R_MISSING_EVENT,    '1', "0a"},
        /* a roll-out, but no mixture; the nearest tells */
        {{"hub:0a4b", "hub:0a4c"},   "hub", "0a4c",     ATTEST_R_OK,               '2', NULL},
        {{"hub:0a4b", "hub:0a4c"},   "hub", "0a4b4c",   ATTEST_R_UNKNOWN_EVENT,    '1', "4c"},
        {{"hub:0a4b", "hub:0a4c7d"}, "hub", "0a4c",     ATTEST_R_MISSING_EVENT,    '2', "7d"},
        {{"-hub:0a4b", "hub:0a4c"},  "hub", "0a4b",     ATTEST_R_REFERENCE_CLOSED, '1', NULL},
        {{"-hub:0a4b", "hub:0a4c"},  "hub", "0a4c",     ATTEST_R_OK,               '2', NULL},
        /* none is open */
        {{"-hub:0a4b"},              "hub", "0a4c",     ATTEST_R_UNKNOWN_EVENT,    0,   NULL},
    };

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        struct attest_event events[MAX], wanted[MAX];
        struct sets sets;
        sets_of(rows[i].sets, &sets);
        unsigned n = events_of(rows[i].events, events);
        struct attest_fit fit =
            attest_references_judge(sets.at, sets.n, rows[i].product, events, n);
        assert_string_equal(attest_reason_text(fit.reason), attest_reason_text(rows[i].reason));
        assert_int_equal(fit.reference ? fit.reference->name[0] : 0, rows[i].fits);
        if (rows[i].differs) {
            (void)events_of(rows[i].differs, wanted);
            assert_int_equal(fit.event.pcr, wanted[0].pcr);
            assert_memory_equal(fit.event.digest, wanted[0].digest, sizeof(wanted[0].digest));
        }
    }
}

static void events_are_sorted_and_kept_once(void **state)
{
    struct attest_event events[MAX];

    (void)state;
    assert_int_equal(events_of("4b0a4b0a7c", events), 3);
    assert_int_equal(events[0].pcr, 0);
    assert_int_equal(events[1].pcr, 4);
    assert_int_equal(events[2].pcr, 7);
    assert_int_equal(attest_events_sort(events, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boots_are_judged),
        cmocka_unit_test(events_are_sorted_and_kept_once),
    };

    return cmocka_run_group_tests_name("attest_reference", tests, NULL, NULL);
}
