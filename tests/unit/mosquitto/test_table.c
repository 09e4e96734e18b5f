#include <stdio.h>

#include "../base/check.h"
#include "mosquitto/table.h"

enum { MANY = 20000, NOW_S = 1800000000 };

static struct kw_op op;
static struct table *table;

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, NULL, 0);
    return kw_ok(table_new(&op, &table)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    table_free(table);
    return 0;
}

/* The i-th certificate; its hash differs from others' in the octets that place it. */
static struct broker_item_view item_of(unsigned i)
{
    struct broker_item_view item = {.ends_s = NOW_S + 1000, .level = 1};
    uint64_t random = i;

    for (unsigned k = 0; k < sizeof(item.sha256); k++) {
        item.sha256[k] = (uint8_t)check_random(&random);
    }
    (void)snprintf(item.owner, sizeof(item.owner), "device:DEV%u", i);
    KW_TEXT_SET(item.profile, "ldevid");
    KW_TEXT_SET(item.state, "good");
    KW_TEXT_SET(item.attestation, "trusted");
    return item;
}

static bool put(const struct broker_item_view *item)
{
    bool lowered = false;

    assert_false(table_full(table, item));
    assert_ok(table_put(&op, table, item, /* now_ms= */ 5000, &lowered));
    return lowered;
}

static void grow(void)
{
    struct table *bigger = NULL;

    assert_ok(table_copy(&op, table, NOW_S, &bigger));
    table_free(table);
    table = bigger;
}

static void what_is_put_is_found_as_it_was(void **state)
{
    struct broker_item_view item = item_of(1);
    struct known known;

    (void)state;
    assert_false(table_find(table, item.sha256, &known));
    assert_false(put(&item));
    assert_true(table_find(table, item.sha256, &known));
    assert_string_equal(known.owner, "device:DEV1");
    assert_string_equal(known.kind, "device");
    assert_string_equal(known.profile, "ldevid");
    assert_int_equal(known.standing, STANDING_GOOD);
    assert_int_equal(known.ends_s, NOW_S + 1000);
    assert_int_equal(known.verdict, VERDICT_TRUSTED);
    assert_int_equal(known.level, 1);
    assert_int_equal(table_count(table), 1);
}

static void each_loss_of_standing_is_told(void **state)
{
    struct broker_item_view item = item_of(1), less;

    (void)state;
    assert_false(put(&item));
    assert_false(put(&item));
    less = item;
    KW_TEXT_SET(less.attestation, "suspect");
    assert_true(put(&less));
    less.level = 0;
    assert_true(put(&less));
    less.ends_s--;
    assert_true(put(&less));
    KW_TEXT_SET(less.state, "suspended");
    assert_true(put(&less));
    assert_int_equal(table_count(table), 0);
    KW_TEXT_SET(less.state, "a word of a later server");
    assert_true(put(&less));
    struct known known;
    assert_true(table_find(table, less.sha256, &known));
    assert_int_equal(known.standing, STANDING_OTHER);
}

static void who_was_never_good_takes_no_room(void **state)
{
    struct broker_item_view item = item_of(1);
    struct known known;

    (void)state;
    KW_TEXT_SET(item.state, "revoked");
    assert_false(put(&item));
    assert_false(table_find(table, item.sha256, &known));
}

static void no_certificate_changes_its_owner(void **state)
{
    struct broker_item_view item = item_of(1);
    bool lowered = false;

    (void)state;
    assert_false(put(&item));
    KW_TEXT_SET(item.owner, "device:DEV2");
    assert_code(table_put(&op, table, &item, /* now_ms= */ 5000, &lowered), KW_E_DEVICE);
}

static void owners_without_a_kind_are_refused(void **state)
{
    static const char *const wrong[] = {"", "DEV1", "averyveryverylongkind:DEV1"};
    bool lowered = false;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(wrong); i++) {
        struct broker_item_view item = item_of(1);
        KW_TEXT_SET(item.owner, wrong[i]);
        assert_code(table_put(&op, table, &item, /* now_ms= */ 5000, &lowered), KW_E_DEVICE);
    }
}

static void it_grows_and_loses_nobody_but_the_dead(void **state)
{
    struct known known;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        struct broker_item_view item = item_of(i);
        if (i % 4 == 0) {
            item.ends_s = NOW_S - 1;
        }
        if (table_full(table, &item)) {
            grow();
        }
        assert_false(put(&item));
    }
    grow();
    for (unsigned i = 0; i < MANY; i++) {
        struct broker_item_view item = item_of(i);
        assert_int_equal(table_find(table, item.sha256, &known), i % 4 != 0);
        assert_true(i % 4 == 0 || strcmp(known.owner, item.owner) == 0);
    }
    assert_int_equal(table_count(table), MANY / 4 * 3);
}

static void kinds_and_profiles_have_a_limit(void **state)
{
    bool lowered = false;

    (void)state;
    for (unsigned i = 0; i <= TABLE_CLASSES_MAX; i++) {
        struct broker_item_view item = item_of(i);
        (void)snprintf(item.profile, sizeof(item.profile), "p%u", i);
        assert_code(table_put(&op, table, &item, /* now_ms= */ 5000, &lowered),
                    i < TABLE_CLASSES_MAX ? KW_CODE_OK : KW_E_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_is_found_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(each_loss_of_standing_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_never_good_takes_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(no_certificate_changes_its_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(owners_without_a_kind_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(it_grows_and_loses_nobody_but_the_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_and_profiles_have_a_limit, setup, teardown),
    };
    return cmocka_run_group_tests_name("mosquitto_table", tests, NULL, NULL);
}
