/* Subjects from the registry: a part is filled, or refused, never guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/subject_part.h"

static const struct subject_facts pump = {
    .organization = "Example GmbH", .id = "PUMP1", .serial = "S-1", .product = "pump"};

static void assert_filled(const char *part, const char *want_type, const char *want_value)
{
    char type[SUBJECT_TYPE_MAX], value[KW_NAME_MAX];

    assert_int_equal(subject_part_fill(part, &pump, type, value).code, KW_CODE_OK);
    assert_string_equal(type, want_type);
    assert_string_equal(value, want_value);
}

static void test_words_are_replaced(void **state)
{
    (void)state;
    assert_filled("O={organization}", "O", "Example GmbH");
    assert_filled("CN={id}", "CN", "PUMP1");
    assert_filled("CN={product}-{serial}!", "CN", "pump-S-1!");
    assert_filled("DC=CPO", "DC", "CPO");
}

static void test_what_is_no_part_is_refused(void **state)
{
    static const char *const bad[] = {"",     "CN",    "=x",     "CN=",      "CN={",     "CN={id",
                                      "CN=}", "CN={}", "CN={x}", "CN={id}}", "CN={{id}}"};
    char type[SUBJECT_TYPE_MAX], value[KW_NAME_MAX];
    unsigned bits = 0;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_int_equal(subject_part_words(bad[i], &bits).code, KW_E_INPUT);
        assert_int_equal(subject_part_fill(bad[i], &pump, type, value).code, KW_E_INPUT);
    }
}

/* A device without a batch gets no certificate with an empty one. */
static void test_unknown_facts_are_refused(void **state)
{
    char type[SUBJECT_TYPE_MAX], value[KW_NAME_MAX];

    (void)state;
    assert_int_equal(subject_part_fill("OU={batch}", &pump, type, value).code, KW_E_NOT_FOUND);
    assert_int_equal(subject_part_fill("CN={name}", &pump, type, value).code, KW_E_NOT_FOUND);
}

static void test_too_long_is_refused(void **state)
{
    char type[SUBJECT_TYPE_MAX], value[KW_NAME_MAX], long_id[KW_NAME_MAX];
    struct subject_facts facts = {.id = long_id};

    (void)state;
    memset(long_id, 'a', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = 0;
    assert_int_equal(subject_part_fill("CN={id}", &facts, type, value).code, KW_CODE_OK);
    assert_int_equal(subject_part_fill("CN={id}b", &facts, type, value).code, KW_E_TOO_LARGE);
}

/* What the facts hold is never read as words again. */
static void test_facts_are_not_words(void **state)
{
    char type[SUBJECT_TYPE_MAX], value[KW_NAME_MAX];
    struct subject_facts facts = {.id = "{serial}", .serial = "S"};

    (void)state;
    assert_int_equal(subject_part_fill("CN={id}", &facts, type, value).code, KW_CODE_OK);
    assert_string_equal(value, "{serial}");
}

static void test_bits_tell_the_words(void **state)
{
    unsigned bits = 0;

    (void)state;
    assert_int_equal(subject_part_words("CN={id}{id}-{batch}", &bits).code, KW_CODE_OK);
    assert_int_equal(bits, SUBJECT_ID | SUBJECT_BATCH);
    assert_string_equal(subject_word_text(0), "organization");
    assert_null(subject_word_text(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_replaced),
        cmocka_unit_test(test_what_is_no_part_is_refused),
        cmocka_unit_test(test_unknown_facts_are_refused),
        cmocka_unit_test(test_too_long_is_refused),
        cmocka_unit_test(test_facts_are_not_words),
        cmocka_unit_test(test_bits_tell_the_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
