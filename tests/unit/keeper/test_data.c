/* The gate's calls for data keys, statements and TUF metadata, against the real keeper. */
#include "base/time.h"
#include "hostile/keeper/rig_purposes.h"
#include "keeper/data.h"
#include "keeper/sign.h"
#include "os/clock.h"

static struct keeper *keeper;

static struct kw_op new_op(void)
{
    struct kw_op op;

    kw_op_init(&op, "test", os_clock_mono_ms() + 30000);
    return op;
}

/* The vault with all keys, and our own client in the place of raw packets. */
static int setup(void **state)
{
    struct kw_op op = new_op();

    (void)purpose_setup(state);
    (void)rig_end(attack_rig);
    struct keeper_config config = {
        .program = attack_rig->program, .vault = attack_rig->vault, .unlock = attack_rig->unlock};
    assert_ok(keeper_start(&op, &config, &keeper));
    return 0;
}

static int teardown(void **state)
{
    keeper_stop(keeper);
    return purpose_teardown(state);
}

static void data_keys(void **state)
{
    AUTO(kw_secret) *plain = NULL;
    AUTO(kw_secret) *again = NULL;
    AUTO(kw_secret) *third = NULL;
    struct kw_secret *nothing = NULL;
    uint8_t rooms[3][WRAPPED_MAX];
    struct kw_out wrapped = KW_OUT_ARRAY(rooms[0]);
    struct kw_out same = KW_OUT_ARRAY(rooms[1]);
    struct kw_out anew = KW_OUT_ARRAY(rooms[2]);
    struct kw_span context = kw_span_text("device DEV1");
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_data_key(&op, keeper, "kek", context, &plain, &wrapped));
    assert_int_equal(kw_secret_len(plain), 32);
    assert_ok(keeper_data_unwrap(&op, keeper, context, kw_out_span(&wrapped), &again));
    assert_true(kw_secret_equal(plain, again));
    assert_ok(keeper_data_wrap(&op, keeper, "kek", context, plain, &same));
    assert_true(kw_span_equal(kw_out_span(&same), kw_out_span(&wrapped)));
    assert_ok(keeper_data_rewrap(&op, keeper, "kek", context, kw_out_span(&wrapped), &anew));
    assert_ok(keeper_data_unwrap(&op, keeper, context, kw_out_span(&anew), &third));
    assert_true(kw_secret_equal(plain, third));
    assert_code(keeper_data_unwrap(&op, keeper, kw_span_text("DEV2"), kw_out_span(&anew), &nothing),
                KW_E_INTEGRITY);
    assert_code(keeper_data_unwrap(&op, keeper, context, kw_span_text("nonsense"), &nothing),
                KW_E_INPUT);
    assert_null(nothing);
}

static void derived_keys_and_codes(void **state)
{
    AUTO(kw_secret) *a = NULL;
    AUTO(kw_secret) *b = NULL;
    struct kw_secret *nothing = NULL;
    uint8_t mac[KW_HASH_BYTES];
    struct kw_span salt = kw_span_text("salt");
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_data_derive(&op, keeper, "kdf", "session/1", salt, salt, 64, &a));
    assert_ok(
        keeper_data_derive(&op, keeper, "kdf", "session/1", (struct kw_span){0}, salt, 64, &b));
    assert_int_equal(kw_secret_len(a), 64);
    assert_false(kw_secret_equal(a, b));
    assert_code(keeper_data_derive(&op, keeper, "kdf", "x", salt, salt, 32, &nothing), KW_E_DENIED);
    assert_ok(keeper_data_mac(&op, keeper, "mac", salt, mac));
    assert_ok(keeper_data_mac_verify(&op, keeper, "mac", salt, mac));
    mac[31] ^= 1;
    assert_code(keeper_data_mac_verify(&op, keeper, "mac", salt, mac), KW_E_INTEGRITY);
}

static void sealed_data(void **state)
{
    AUTO(kw_secret) *plain = NULL;
    uint8_t room[SEALED_MAX];
    struct kw_out sealed = KW_OUT_ARRAY(room);
    struct kw_span aad = kw_span_text("row 7");
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_data_seal(&op, keeper, "kek", aad, kw_span_text("small data"), &sealed));
    assert_ok(keeper_data_open(&op, keeper, aad, kw_out_span(&sealed), &plain));
    assert_span(kw_secret_span(plain), "small data");
}

static void signatures(void **state)
{
    static char large[70000];
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    int64_t now = os_clock_unix_s();
    struct kw_op op = new_op();
    char when[KW_TIME_TEXT];

    (void)state;
    struct kw_span statement = kw_span_text(purpose_evidence(now - 10, now));
    assert_ok(keeper_sign_statement(&op, keeper, "evidence", statement, &sig));
    assert_ok(pubkey_verify(&op, purpose_public[PURPOSE_EVIDENCE], statement, kw_out_span(&sig)));
    assert_code(keeper_sign_firmware(&op, keeper, "firmware",
                                     kw_span_text(purpose_release("2.0.0", "1", RIG_HASH)), 0,
                                     &sig),
                KW_E_APPROVAL);
    kw_op_clear(&op);
    int n = snprintf(large, sizeof(large),
                     "{\"_type\":\"timestamp\",\"expires\":\"%s\",\"m\":\"%060000d\","
                     "\"spec_version\":\"1.0.31\",\"version\":1}",
                     kw_time_text(now + 100, when), 0);
    struct kw_span body = KW_SPAN(large, (size_t)n); /* goes as a memory file */
    assert_ok(keeper_sign_tuf(&op, keeper, "timestamp", body, &sig));
    assert_ok(pubkey_verify(&op, purpose_public[PURPOSE_TIMESTAMP], body, kw_out_span(&sig)));
}

/* A secret has no public half, and says so. */
static void secrets_are_no_key_pairs(void **state)
{
    struct pubkey *nothing = NULL;
    struct keeper_key_info info;
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_key_find(&op, keeper, "kek", &info));
    assert_int_equal(info.spki_len, 8);
    assert_code(keeper_key_public(&op, keeper, "kek", &nothing), KW_E_INPUT);
    assert_null(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_keys),
        cmocka_unit_test(derived_keys_and_codes),
        cmocka_unit_test(sealed_data),
        cmocka_unit_test(signatures),
        cmocka_unit_test(secrets_are_no_key_pairs),
    };

    return cmocka_run_group_tests_name("keeper_data", tests, setup, teardown);
}
