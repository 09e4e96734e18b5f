/* Key classes and the transition table of SP 800-57 part 1 section 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/key.h"

/* Section 7.2 written out a second time, transition by transition; everything else must be refused.
 */
static const struct {
    enum key_state from;
    enum key_event event;
    enum key_state to;
} legal[] = {
    {KEY_PRE_ACTIVE,  KEY_EVENT_DESTROY,    KEY_DESTROYED  }, /* 2 */
    {KEY_PRE_ACTIVE,  KEY_EVENT_COMPROMISE, KEY_COMPROMISED}, /* 3 */
    {KEY_PRE_ACTIVE,  KEY_EVENT_ACTIVATE,   KEY_ACTIVE     }, /* 4 */
    {KEY_ACTIVE,      KEY_EVENT_DESTROY,    KEY_DESTROYED  }, /* 5 */
    {KEY_ACTIVE,      KEY_EVENT_COMPROMISE, KEY_COMPROMISED}, /* 6 */
    {KEY_ACTIVE,      KEY_EVENT_SUSPEND,    KEY_SUSPENDED  }, /* 7 */
    {KEY_ACTIVE,      KEY_EVENT_DEACTIVATE, KEY_DEACTIVATED}, /* 8 */
    {KEY_SUSPENDED,   KEY_EVENT_DESTROY,    KEY_DESTROYED  }, /* 9 */
    {KEY_SUSPENDED,   KEY_EVENT_COMPROMISE, KEY_COMPROMISED}, /* 10 */
    {KEY_SUSPENDED,   KEY_EVENT_ACTIVATE,   KEY_ACTIVE     }, /* 11 */
    {KEY_SUSPENDED,   KEY_EVENT_DEACTIVATE, KEY_DEACTIVATED}, /* 12 */
    {KEY_DEACTIVATED, KEY_EVENT_DESTROY,    KEY_DESTROYED  }, /* 13 */
    {KEY_DEACTIVATED, KEY_EVENT_COMPROMISE, KEY_COMPROMISED}, /* 14 */
    {KEY_COMPROMISED, KEY_EVENT_DESTROY,    KEY_DESTROYED  }, /* 15 */
};

static enum key_state legal_target(enum key_state from, enum key_event event)
{
    for (size_t i = 0; i < KW_COUNT(legal); i++) {
        if (legal[i].from == from && legal[i].event == event) {
            return legal[i].to;
        }
    }
    return KEY_STATE_MAX;
}

static void test_whole_matrix(void **state)
{
    (void)state;
    unsigned n_legal = 0;

    for (unsigned s = 0; s < KEY_STATE_MAX; s++) {
        for (unsigned e = 0; e < KEY_EVENT_MAX; e++) {
            enum key_state to = KEY_STATE_MAX;
            kw_status status = key_step((enum key_state)s, (enum key_event)e, &to);
            assert_int_equal(to, legal_target((enum key_state)s, (enum key_event)e));
            assert_int_equal(status.code, to == KEY_STATE_MAX ? KW_E_STATE : KW_CODE_OK);
            n_legal += kw_ok(status);
        }
    }
    assert_int_equal(n_legal, 14);
}

static void test_numbers_that_are_no_state_are_refused(void **state)
{
    (void)state;
    enum key_state to = KEY_ACTIVE;

    assert_int_equal(key_step(KEY_STATE_MAX, KEY_EVENT_ACTIVATE, &to).code, KW_E_STATE);
    assert_int_equal(key_step((enum key_state) - 1, KEY_EVENT_DESTROY, &to).code, KW_E_STATE);
    assert_int_equal(key_step(KEY_PRE_ACTIVE, KEY_EVENT_MAX, &to).code, KW_E_STATE);
    assert_int_equal(key_step(KEY_PRE_ACTIVE, (enum key_event) - 1, &to).code, KW_E_STATE);
    assert_int_equal(to, KEY_ACTIVE);
    assert_false(key_state_may_sign(KEY_STATE_MAX));
    assert_false(key_state_may_sign((enum key_state) - 1));
    assert_string_equal(key_state_text((enum key_state)77), "unknown");
    assert_string_equal(key_event_text((enum key_event)77), "unknown");
}

static void test_only_active_keys_sign(void **state)
{
    (void)state;
    for (unsigned s = 0; s < KEY_STATE_MAX; s++) {
        assert_int_equal(key_state_may_sign((enum key_state)s), s == KEY_ACTIVE);
    }
}

static void test_state_texts_read_back(void **state)
{
    (void)state;
    for (unsigned s = 0; s < KEY_STATE_MAX; s++) {
        assert_int_equal(key_state_from_text(key_state_text((enum key_state)s)), s);
    }
    assert_string_equal(key_state_text(KEY_PRE_ACTIVE), "pre-active");
    assert_int_equal(key_state_from_text("Active"), KEY_STATE_MAX);
    assert_int_equal(key_state_from_text(""), KEY_STATE_MAX);
}

static void test_class_texts_read_back(void **state)
{
    (void)state;
    for (unsigned c = KEY_CLASS_NONE + 1; c < KEY_CLASS_MAX; c++) {
        assert_int_equal(key_class_from_text(key_class_text((enum key_class)c)), c);
        assert_string_not_equal(key_class_type((enum key_class)c), "none");
    }
    assert_int_equal(key_class_from_text("none"), KEY_CLASS_NONE);
    assert_int_equal(key_class_from_text("ROOT-CA"), KEY_CLASS_NONE);
    assert_string_equal(key_class_text(KEY_CLASS_MAX), "none");
    assert_string_equal(key_class_text((enum key_class) - 1), "none");
    assert_int_equal(key_class_oup_days((enum key_class)4000), 0);
}

/* Exactly three classes are secrets; every other holds a private key that no backup may have. */
static void test_symmetric_classes(void **state)
{
    (void)state;
    for (unsigned c = KEY_CLASS_NONE; c <= KEY_CLASS_MAX; c++) {
        bool secret = c == KEY_CLASS_KEK || c == KEY_CLASS_MAC || c == KEY_CLASS_KDF;
        bool is_class = c != KEY_CLASS_NONE && c != KEY_CLASS_MAX;
        assert_int_equal(key_class_symmetric((enum key_class)c), secret);
        assert_int_equal(key_class_signs((enum key_class)c), is_class && !secret);
    }
}

/* Stored on disk and in sealed policies: a change of these numbers makes old keys something else.
 */
static void test_stored_numbers(void **state)
{
    (void)state;
    assert_int_equal(KEY_CLASS_ROOT_CA, 1);
    assert_int_equal(KEY_CLASS_ISSUING_CA, 2);
    assert_int_equal(KEY_CLASS_OCSP_SIGNER, 3);
    assert_int_equal(KEY_CLASS_TLS_SERVER, 4);
    assert_int_equal(KEY_CLASS_LOG_SIGNER, 5);
    assert_int_equal(KEY_CLASS_OPERATOR, 6);
    assert_int_equal(KEY_CLASS_DEVICE_IDEVID, 7);
    assert_int_equal(KEY_CLASS_DEVICE_LDEVID, 8);
    assert_int_equal(KEY_CLASS_KEK, 9);
    assert_int_equal(KEY_CLASS_MAC, 10);
    assert_int_equal(KEY_CLASS_KDF, 11);
    assert_int_equal(KEY_CLASS_FIRMWARE, 12);
    assert_int_equal(KEY_CLASS_TUF, 13);
    assert_int_equal(KEY_CLASS_PROVISIONING, 14);
    assert_int_equal(KEY_CLASS_EVIDENCE, 15);
    assert_int_equal(KEY_CLASS_CMP, 23);
    assert_int_equal(KEY_PRE_ACTIVE, 0);
    assert_int_equal(KEY_DESTROYED, 5);
    assert_int_equal(key_class_oup_days(KEY_CLASS_DEVICE_LDEVID), 90);
    assert_int_equal(key_class_oup_days(KEY_CLASS_DEVICE_IDEVID), 0);
}

static void append(void *ctx, const char *text)
{
    assert_true(kw_ok(kw_bytes_append_text(ctx, text)));
}

static void test_diagram_has_each_transition_once(void **state)
{
    (void)state;
    static const char *const ids[] = {"PreActive",   "Active",      "Suspended",
                                      "Deactivated", "Compromised", "Destroyed"};
    AUTO(kw_bytes) *text = NULL;

    assert_true(kw_ok(kw_bytes_new(0, &text)));
    key_states_mermaid(append, text);
    assert_true(kw_ok(kw_bytes_append(text, KW_SPAN("", 1))));
    const char *diagram = (const char *)text->p;
    assert_ptr_equal(strstr(diagram, "stateDiagram-v2\n    [*] --> PreActive : generate\n"),
                     diagram);
    unsigned n_arrows = 0;
    for (const char *at = strstr(diagram, " --> "); at; at = strstr(at + 1, " --> ")) {
        n_arrows++;
    }
    assert_int_equal(n_arrows, KW_COUNT(legal) + 2);
    for (size_t i = 0; i < KW_COUNT(legal); i++) {
        char line[80];
        (void)snprintf(line, sizeof(line), "    %s --> %s : %s\n", ids[legal[i].from],
                       ids[legal[i].to], key_event_text(legal[i].event));
        assert_non_null(strstr(diagram, line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_matrix),
        cmocka_unit_test(test_numbers_that_are_no_state_are_refused),
        cmocka_unit_test(test_only_active_keys_sign),
        cmocka_unit_test(test_state_texts_read_back),
        cmocka_unit_test(test_class_texts_read_back),
        cmocka_unit_test(test_symmetric_classes),
        cmocka_unit_test(test_stored_numbers),
        cmocka_unit_test(test_diagram_has_each_transition_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
