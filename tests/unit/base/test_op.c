#include "check.h"

static struct kw_op op;

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, "operator:alice", 1234);
    return 0;
}

static const char *message(void)
{
    static char text[1024];

    return kw_op_message(&op, text, sizeof(text));
}

static kw_status lowest(struct kw_op *o, bool good)
{
    ENSURE(o, good, KW_E_FULL, "disk '%s' is full", "sda");
    return KW_OK;
}

static kw_status middle(struct kw_op *o, bool good)
{
    TRY(o, lowest(o, good));
    return KW_OK;
}

static kw_status upper(struct kw_op *o, bool good)
{
    TRY(o, middle(o, good), "recording the certificate of '%s'", "DEV1");
    return KW_OK;
}

static kw_status pure(void)
{
    return KW_FAIL(KW_E_INPUT);
}

static kw_status over_pure(struct kw_op *o)
{
    TRY(o, pure(), "reading the request");
    return KW_OK;
}

static void a_failure_reads_as_a_sentence(void **state)
{
    (void)state;
    assert_code(upper(&op, false), KW_E_FULL);
    assert_int_equal(op.code, KW_E_FULL);
    assert_string_equal(message(), "recording the certificate of 'DEV1': disk 'sda' is full");
    assert_string_equal(kw_op_cause(&op), "disk 'sda' is full");
    assert_non_null(strstr(op.frames[0].file, "test_op.c"));
    assert_true(op.frames[0].line > 0);
}

static void success_leaves_no_trace(void **state)
{
    (void)state;
    assert_ok(upper(&op, true));
    assert_string_equal(message(), "");
    assert_string_equal(kw_op_cause(&op), "");
}

static void without_an_operation_the_code_travels(void **state)
{
    (void)state;
    assert_code(upper(NULL, false), KW_E_FULL);
    assert_code(over_pure(NULL), KW_E_INPUT);
}

static void a_pure_layers_failure_gets_words(void **state)
{
    (void)state;
    assert_code(over_pure(&op), KW_E_INPUT);
    assert_string_equal(message(), "reading the request: the request is malformed");
    assert_string_equal(kw_op_cause(&op), "the request is malformed");
}

static void a_new_failure_replaces_the_old(void **state)
{
    (void)state;
    assert_code(upper(&op, false), KW_E_FULL);
    assert_code(over_pure(&op), KW_E_INPUT);
    assert_string_equal(message(), "reading the request: the request is malformed");
    assert_code(FAIL(&op, KW_E_DENIED, "no"), KW_E_DENIED);
    assert_string_equal(message(), "no");
}

static void a_failure_may_quote_the_one_before(void **state)
{
    (void)state;
    assert_code(upper(&op, false), KW_E_FULL);
    assert_code(FAIL(&op, KW_E_IO, "gave up: %s", kw_op_cause(&op)), KW_E_IO);
    assert_string_equal(message(), "gave up: disk 'sda' is full");
}

static void clear_keeps_who_and_until_when(void **state)
{
    (void)state;
    assert_code(upper(&op, false), KW_E_FULL);
    kw_op_clear(&op);
    assert_string_equal(message(), "");
    assert_string_equal(op.principal, "operator:alice");
    assert_int_equal(op.deadline_ms, 1234);
}

static void a_peers_text_cannot_forge_log_lines(void **state)
{
    (void)state;
    assert_code(FAIL(&op, KW_E_INPUT, "name '%s'", "a\nb\x1b[31m\x7f\xc2\x9bz"), KW_E_INPUT);
    assert_string_equal(message(), "name 'a?b?[31m???z'");
    assert_code(FAIL(&op, KW_E_INPUT, "%s", "\xff gr\xc3\xbc\xc3\x9f \xed\xa0\x80 \xc3"),
                KW_E_INPUT);
    assert_string_equal(message(), "? gr\xc3\xbc\xc3\x9f ??? ?");
}

static void a_long_text_is_cut_and_stays_utf8(void **state)
{
    char name[400];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(name); i += 2) {
        memcpy(name + i, "\xc3\xbc", 2);
    }
    name[sizeof(name) - 2] = '\0';
    assert_code(FAIL(&op, KW_E_INPUT, "%s", name), KW_E_INPUT);
    assert_int_equal(strlen(op.frames[0].text), KW_OP_TEXT_MAX - 1);
    assert_int_equal(op.frames[0].text[KW_OP_TEXT_MAX - 2], '?'); /* half a character */
}

static void the_cause_survives_any_depth(void **state)
{
    (void)state;
    kw_status status = FAIL(&op, KW_E_IO, "cause");
    for (int i = 0; i < 30; i++) {
        status = kw_op_context(&op, status, __FILE__, __LINE__, "level %d", i);
        status = kw_op_context(&op, status, __FILE__, __LINE__, "%s", "");
    }
    assert_code(status, KW_E_IO);
    assert_string_equal(kw_op_cause(&op), "cause");
    assert_non_null(strstr(message(), "level 29: "));
    assert_int_equal(op.n_frames, KW_OP_FRAMES_MAX);
}

static void silent_frames_make_room_for_words(void **state)
{
    (void)state;
    kw_status status = FAIL(&op, KW_E_IO, "cause");
    for (int i = 0; i < 20; i++) {
        status = kw_op_context(&op, status, __FILE__, __LINE__, "%s", "");
    }
    for (int i = 0; i < 3; i++) {
        status = kw_op_context(&op, status, __FILE__, __LINE__, "level %d", i);
    }
    assert_code(status, KW_E_IO);
    assert_string_equal(message(), "level 2: level 1: level 0: cause");
}

static void a_message_fits_any_room(void **state)
{
    char text[64];

    (void)state;
    assert_code(upper(&op, false), KW_E_FULL);
    for (size_t cap = 0; cap <= sizeof(text); cap++) {
        memset(text, 'x', sizeof(text));
        assert_ptr_equal(kw_op_message(&op, text, cap), text);
        if (cap > 0) {
            assert_true(strlen(text) < cap);
            assert_memory_equal(text, message(), strlen(text));
        }
        assert_true(cap == sizeof(text) || text[cap] == 'x');
    }
}

static void a_failure_without_words_has_its_meaning(void **state)
{
    (void)state;
    assert_code(FAIL(&op, KW_E_TIMEOUT), KW_E_TIMEOUT);
    assert_string_equal(message(), "the deadline passed; nothing was done");
}

static void failing_with_success_is_our_bug(void **state)
{
    (void)state;
    assert_code(FAIL(&op, KW_CODE_OK, "the peer said 0"), KW_E_INTERNAL);
    assert_int_equal(op.code, KW_E_INTERNAL);
    assert_code(FAIL(NULL, KW_CODE_OK, "the peer said 0"), KW_E_INTERNAL);
}

static void a_long_principal_is_cut(void **state)
{
    char name[KW_NAME_MAX * 2];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    kw_op_init(&op, name, 0);
    assert_int_equal(strlen(op.principal), KW_NAME_MAX - 1);
    kw_op_init(&op, NULL, 0);
    assert_string_equal(op.principal, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_failure_reads_as_a_sentence, setup),
        cmocka_unit_test_setup(success_leaves_no_trace, setup),
        cmocka_unit_test_setup(without_an_operation_the_code_travels, setup),
        cmocka_unit_test_setup(a_pure_layers_failure_gets_words, setup),
        cmocka_unit_test_setup(a_new_failure_replaces_the_old, setup),
        cmocka_unit_test_setup(a_failure_may_quote_the_one_before, setup),
        cmocka_unit_test_setup(clear_keeps_who_and_until_when, setup),
        cmocka_unit_test_setup(a_peers_text_cannot_forge_log_lines, setup),
        cmocka_unit_test_setup(a_long_text_is_cut_and_stays_utf8, setup),
        cmocka_unit_test_setup(the_cause_survives_any_depth, setup),
        cmocka_unit_test_setup(silent_frames_make_room_for_words, setup),
        cmocka_unit_test_setup(a_message_fits_any_room, setup),
        cmocka_unit_test_setup(a_failure_without_words_has_its_meaning, setup),
        cmocka_unit_test_setup(failing_with_success_is_our_bug, setup),
        cmocka_unit_test_setup(a_long_principal_is_cut, setup),
    };
    return cmocka_run_group_tests_name("op", tests, NULL, NULL);
}
