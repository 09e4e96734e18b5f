/* Records of a device's events, and what a server makes of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/device_event.h"

static struct device_event sample(uint64_t id)
{
    struct device_event event = {.id = id,
                                 .unix_ms = 1795000000123,
                                 .clock = DEVICE_EVENT_CLOCK_SIGNED,
                                 .source = "libkeywright",
                                 .category = "identity",
                                 .type = "identity.renew",
                                 .result = "success",
                                 .detail = "größer"};

    memset(event.previous, 7, sizeof(event.previous));
    return event;
}

static void there_and_back(void **state)
{
    struct device_event event = sample(5), got;
    uint8_t room[2 * DEVICE_EVENT_RECORD_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_span hashed;

    (void)state;
    assert_true(kw_ok(device_event_write(&event, &out)));
    memset(event.hash, 9, sizeof(event.hash));
    size_t n = out.len;
    assert_true(kw_ok(kw_out_append(&out, KW_SPAN_ARRAY(event.hash))));
    struct kw_reader r = kw_reader_of(kw_out_span(&out));
    assert_true(kw_ok(device_event_read(&r, &got, &hashed)));
    assert_int_equal(hashed.len, n);
    assert_int_equal(r.rest.len, 0);
    assert_int_equal(got.id, 5);
    assert_int_equal(got.unix_ms, event.unix_ms);
    assert_string_equal(got.detail, "größer");
    assert_memory_equal(got.previous, event.previous, sizeof(got.previous));
    assert_memory_equal(got.hash, event.hash, sizeof(got.hash));
    for (size_t cut = 0; cut < out.len; cut++) { /* a torn one is none */
        struct kw_reader torn = kw_reader_of(KW_SPAN(room, cut));
        assert_int_equal(device_event_read(&torn, &got, &hashed).code, KW_E_INPUT);
    }
}

static void what_no_record_carries(void **state)
{
    struct device_event event = sample(1);
    uint8_t room[2 * DEVICE_EVENT_RECORD_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    (void)state;
    (void)KW_TEXT_SET(event.detail, "two\nlines");
    assert_int_equal(device_event_write(&event, &out).code, KW_E_INPUT);
    event = sample(1);
    event.type[0] = 0;
    assert_int_equal(device_event_write(&event, &out).code, KW_E_INPUT);
    event = sample(0);
    assert_int_equal(device_event_write(&event, &out).code, KW_E_INPUT);
    event = sample(1);
    event.detail[0] = 0; /* the one that may be */
    assert_true(kw_ok(device_event_write(&event, &out)));
}

/* The longest that can be is within what readers accept. */
static void the_longest(void **state)
{
    struct device_event event = sample(INT64_MAX);
    uint8_t room[2 * DEVICE_EVENT_RECORD_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    (void)state;
    memset(event.source, 's', sizeof(event.source) - 1);
    memset(event.category, 'c', sizeof(event.category) - 1);
    memset(event.type, 't', sizeof(event.type) - 1);
    memset(event.result, 'r', sizeof(event.result) - 1);
    memset(event.detail, 'd', sizeof(event.detail) - 1);
    assert_true(kw_ok(device_event_write(&event, &out)));
    assert_true(out.len + KW_HASH_BYTES < DEVICE_EVENT_RECORD_MAX);
}

static void judged(void **state)
{
    static const struct {
        const char *what;
        uint64_t known, id;
        bool remembered, follows;
        enum device_event_verdict verdict;
        uint64_t lost;
    } rows[] = {
        {"the first of all",              0, 1, false, false, DEVICE_EVENT_NEXT,   0},
        {"the first that came",           0, 4, false, false, DEVICE_EVENT_LOST,   3},
        {"the next",                      7, 8, true,  true,  DEVICE_EVENT_NEXT,   0},
        {"another past",                  7, 8, true,  false, DEVICE_EVENT_BROKEN, 0},
        {"sent again",                    7, 7, true,  false, DEVICE_EVENT_AGAIN,  0},
        {"long held",                     7, 1, true,  false, DEVICE_EVENT_AGAIN,  0},
        {"some could not be written",     7, 9, true,  true,  DEVICE_EVENT_LOST,   1},
        {"some were overwritten",         7, 9, true,  false, DEVICE_EVENT_LOST,   1},
        {"a new chain, where it may be",  7, 1, false, false, DEVICE_EVENT_NEXT,   0},
        {"it goes on, where it was left", 7, 8, false, false, DEVICE_EVENT_NEXT,   0},
    };

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        struct device_event_head known = {.id = rows[i].known, .known = rows[i].remembered};
        struct device_event event = sample(rows[i].id);
        uint64_t lost = 99;
        memset(known.hash, rows[i].follows ? 7 : 8, sizeof(known.hash));
        if (device_event_judge(&known, &event, &lost) != rows[i].verdict || lost != rows[i].lost) {
            fail_msg("%s", rows[i].what);
        }
    }
}

static void diverged(void **state)
{
    struct device_event_head known = {.id = 7, .known = true, .hash = {1}};
    struct device_log_said said = {.last = 7, .head = {1}};

    (void)state;
    assert_false(device_event_diverged(&known, &said));
    said.head[31] = 1;
    assert_true(device_event_diverged(&known, &said));
    said.last = 8; /* more is on its way; only then it shows */
    assert_false(device_event_diverged(&known, &said));
    said.last = 7;
    known.known = false;
    assert_false(device_event_diverged(&known, &said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(what_no_record_carries),
        cmocka_unit_test(the_longest),    cmocka_unit_test(judged),
        cmocka_unit_test(diverged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
