/* Data keys: whatever cuts a rewrapping, doing it again ends it; nothing is lost or left unsaid. */
#include "rig.h"

#include "keeper/wrapped.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/doctor/doctor.h"
#include "service/keys/data.h"
#include "service/keys/policies.h"
#include "service/keys/rotate.h"

enum { N = 40 };

/* The disk fails once when this many more data keys came under another KEK; -1: never. */
static int fail_after = -1;

kw_status __real_store_data_key_rewrap(struct kw_op *op, struct store_txn *txn, const char *id,
                                       uint32_t from, uint32_t to, struct kw_span wrapped,
                                       int64_t at_ms);
kw_status __wrap_store_data_key_rewrap(struct kw_op *op, struct store_txn *txn, const char *id,
                                       uint32_t from, uint32_t to, struct kw_span wrapped,
                                       int64_t at_ms);
kw_status __wrap_store_data_key_rewrap(struct kw_op *op, struct store_txn *txn, const char *id,
                                       uint32_t from, uint32_t to, struct kw_span wrapped,
                                       int64_t at_ms)
{
    if (fail_after >= 0 && fail_after-- == 0) {
        return FAIL(op, KW_E_UNAVAILABLE, "cut");
    }
    return __real_store_data_key_rewrap(op, txn, id, from, to, wrapped, at_ms);
}

/* A KEK of the main vault needs people; this one lives in a vault of its own, without rules. */
static struct keeper *start_kek_vault(struct place *place, bool create)
{
    char program[512], folder[128], unlock[160];
    struct keeper_config config = {
        .program = rig_built("src/cmd/keywright-keeper/keywright-keeper", program),
        .vault = folder,
        .unlock = unlock,
        .create = create,
        .ceremony = create};
    struct keeper *keeper = NULL;
    TEST_OP(op);

    (void)snprintf(folder, sizeof(folder), "%s/kek-vault", place->dir);
    (void)snprintf(unlock, sizeof(unlock), "passphrase-file:%s/kek-passphrase", place->dir);
    assert_ok(&op, os_file_write(&op, unlock + sizeof("passphrase-file:") - 1, 0600,
                                 kw_span_text("a passphrase of the test")));
    assert_ok(&op, keeper_start(&op, &config, &keeper));
    return keeper;
}

static void add_kek_vault(struct place *place)
{
    struct service *service = place->service;
    unsigned n = service->n_vaults;

    service->vaults[n] = start_kek_vault(place, /* create= */ false);
    service->n_vaults = n + 1;
    KW_TEXT_SET(service->config.vaults[n].name, "kek");
    KW_TEXT_SET(service->config.vaults[n].keys[0], "data");
    service->config.vaults[n].n_keys = 1;
}

static void make_kek(struct place *place)
{
    static struct key_policy policy;
    TEST_OP(op);

    struct keeper *keeper = start_kek_vault(place, /* create= */ true);
    AUTO(pubkey) *none = NULL;
    assert_ok(&op, policy_begin(&op, "data", KEY_CLASS_KEK, 0, os_clock_unix_s(), &policy));
    assert_ok(&op, keeper_key_create(&op, keeper, &policy, &none));
    keeper_stop(keeper);
    add_kek_vault(place);
}

static void make_keys(struct place *place, struct kw_secret *plain[N])
{
    struct store_data_key made;
    TEST_OP(op);

    for (unsigned i = 0; i < N; i++) {
        struct data_key_wish wish = {.kek = "data", .context = "test"};
        (void)snprintf(wish.id, sizeof(wish.id), "key%02u", i);
        assert_ok(&op, data_key_create(&op, place->service, &wish, &made, &plain[i]));
    }
}

static void assert_same(struct place *place, struct kw_secret *plain[N])
{
    TEST_OP(op);

    for (unsigned i = 0; i < N; i++) {
        AUTO(kw_secret) *now = NULL;
        struct store_data_key key;
        char id[16];
        (void)snprintf(id, sizeof(id), "key%02u", i);
        assert_ok(&op, data_key_unwrap(&op, place->service, id, &key, &now));
        assert_true(kw_secret_equal(now, plain[i]));
    }
}

static kw_status no_fault(struct kw_op *op, void *ctx, const struct finding *found)
{
    (void)op;
    (void)ctx;
    if (found->level == FINDING_FAULT) {
        fail_msg("%s %s: %s", found->check, found->object, found->text);
    }
    if (strcmp(found->check, "journal") == 0) {
        assert_non_null(strstr(found->text, " 0 without an event, 0 on their way"));
    }
    return KW_OK;
}

static void rotate(struct place *place, const char *key_id)
{
    struct keeper_key_info key;
    TEST_OP(op);

    assert_ok(&op, key_rotate(&op, place->service, key_id, 0, &key));
}

static void cut_in_the_middle(void **state)
{
    struct place *place = *state;
    struct kw_secret *plain[N] = {NULL};
    struct data_rewrap told;
    bool more = false;
    TEST_OP(op);

    make_kek(place);
    make_keys(place, plain);
    assert_ok(&op, data_rewrap(&op, place->service, "data", &told));
    assert_int_equal(told.done + told.left, 0);
    rotate(place, "data");
    fail_after = 21;
    assert_code(&op, data_rewrap(&op, place->service, "data", &told), KW_E_UNAVAILABLE);
    assert_ok(&op, data_rewrap_status(&op, place->service, "data", &told));
    assert_int_equal(told.left, N - 21);
    assert_string_equal(told.unneeded, "");
    assert_same(place, plain); /* of either generation */
    place_close(place);
    assert_ok(&op, place_open(&op, place));
    add_kek_vault(place);
    assert_ok(&op, reconcile_at_start(&op, place->service));
    assert_ok(&op, reconcile(&op, place->service, no_fault, NULL));
    assert_ok(&op, data_settle(&op, place->service, &more));
    assert_false(more);
    assert_ok(&op, data_rewrap(&op, place->service, "data.2", &told));
    assert_int_equal(told.done + told.left + told.failed, 0);
    assert_string_equal(told.newest, "data.2");
    assert_string_equal(told.unneeded, "data");
    assert_same(place, plain);
    assert_ok(&op, reconcile(&op, place->service, no_fault, NULL));
    for (unsigned i = 0; i < N; i++) {
        kw_secret_free(plain[i]);
    }
}

/* One deadline is not enough: what it was enough for is done, the rest next time. */
static void by_and_by(void **state)
{
    struct place *place = *state;
    struct kw_secret *plain[N] = {NULL};
    struct data_rewrap told;
    struct kw_op hurried;
    TEST_OP(op);

    make_kek(place);
    make_keys(place, plain);
    rotate(place, "data");
    kw_op_init(&hurried, "test", os_clock_mono_ms() + 3001);
    assert_ok(&hurried, data_rewrap(&hurried, place->service, "data", &told));
    assert_int_equal(told.done + told.left, N);
    assert_ok(&op, data_rewrap(&op, place->service, "data", &told));
    assert_int_equal(told.left, 0);
    assert_same(place, plain);
    for (unsigned i = 0; i < N; i++) {
        kw_secret_free(plain[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(cut_in_the_middle), TEST(by_and_by)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
