/* The log in the service: heads, tiles, proofs, a store put back; and receipts of destruction. */
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/export.h"
#include "base/b64.h"
#include "base/hex.h"
#include "os/clock.h"
#include "rig.h"
#include "service/authority/revoke.h"
#include "service/log/gap.h"
#include "service/log/keys.h"
#include "service/log/log.h"
#include "service/log/replay.h"
#include "service/registration/receipt.h"

static void grow(struct place *place, unsigned n)
{
    struct event event = {.type = EVENT_SYSTEM_START, .detail = "grows"};
    TEST_OP(op);

    for (unsigned i = 0; i < n; i++) {
        assert_ok(&op, service_record_alone(&op, place->service, &event));
    }
}

static uint64_t head_size(struct place *place)
{
    struct checkpoint head;
    AUTO(kw_bytes) *note = NULL;
    TEST_OP(op);

    assert_ok(&op, log_checkpoint(&op, place->service, &note));
    assert_ok(&op, checkpoint_parse(&op, kw_bytes_span(note), &head));
    return head.size;
}

static uint64_t log_size(struct place *place)
{
    return rig_counts(place).log_entries;
}

static void heads(void **state)
{
    struct place *place = *state;
    TEST_OP(op);

    assert_int_equal(head_size(place), log_size(place)); /* confirmed at the start */
    grow(place, 3);
    assert_ok(&op, log_checkpoint_now(&op, place->service));
    assert_int_equal(head_size(place), log_size(place));
    assert_ok(&op, log_checkpoint_now(&op, place->service));
    place_close(place);
    assert_ok(&op, place_open(&op, place));
    assert_int_equal(head_size(place), log_size(place));
}

/* The background task signs by itself. */
static void heads_follow(void **state)
{
    struct place *place = *state;
    TEST_OP(op);

    place->service->config.checkpoint_ms = 10;
    assert_ok(&op, service_start(&op, place->service));
    grow(place, 2);
    uint64_t size = log_size(place);
    for (unsigned i = 0; i < 500 && head_size(place) < size; i++) {
        (void)usleep(10000);
    }
    assert_true(head_size(place) >= size);
}

static enum kw_code tile(struct place *place, const char *path, size_t *ret_len)
{
    AUTO(kw_bytes) *content = NULL;
    TEST_OP(op);

    kw_status status = log_tile(&op, place->service, path, &content);
    *ret_len = content ? content->len : 0;
    return status.code;
}

static void tiles(void **state)
{
    static const char *const never[] = {"tile/0/000",
                                        "tile/0/001.p/1",
                                        "tile/1/000.p/1",
                                        "tile/63/000.p/1",
                                        "tile/entries/000",
                                        "tile/0/x999/999",
                                        "tile/0/000.p/0",
                                        "tile/0/000.p/256",
                                        "tile/0/0",
                                        "tile/entries/../0",
                                        "tile/",
                                        "entries/000.p/1",
                                        "tile/-1/000.p/1",
                                        "tile/0/x18446744073709551615/999.p/1"};
    struct place *place = *state;
    char path[64];
    size_t len = 0;
    unsigned size = (unsigned)head_size(place);

    assert_true(size > 2 && size < 250);
    (void)snprintf(path, sizeof(path), "tile/0/000.p/%u", size);
    assert_int_equal(tile(place, path, &len), KW_CODE_OK);
    assert_int_equal(len, size * KW_HASH_BYTES);
    assert_int_equal(tile(place, "tile/0/000.p/2", &len), KW_CODE_OK);
    assert_int_equal(len, 2 * KW_HASH_BYTES);
    assert_int_equal(tile(place, "tile/entries/000.p/2", &len), KW_CODE_OK);
    assert_true(len > 100);
    for (unsigned i = 0; i < KW_COUNT(never); i++) {
        if (tile(place, never[i], &len) != KW_E_NOT_FOUND) {
            fail_msg("%s", never[i]);
        }
    }
    grow(place, 1); /* recorded, but under no signed head yet */
    (void)snprintf(path, sizeof(path), "tile/0/000.p/%u", size + 1);
    assert_int_equal(tile(place, path, &len), KW_E_NOT_FOUND);
}

static void assert_proven(struct place *place, uint64_t index)
{
    struct tlog_hash proof[TLOG_PROOF_MAX];
    struct checkpoint head, noted;
    AUTO(kw_bytes) *entry = NULL;
    AUTO(kw_bytes) *note = NULL;
    unsigned n = 0;
    TEST_OP(op);

    assert_ok(&op, log_prove(&op, place->service, index, &head, &note, &entry, proof, &n));
    assert_ok(&op, checkpoint_parse(&op, kw_bytes_span(note), &noted));
    assert_int_equal(noted.size, head.size);
    assert_memory_equal(&noted.root, &head.root, sizeof(head.root));
    struct tlog_hash leaf = tlog_leaf_hash(kw_bytes_span(entry));
    assert_true(kw_ok(tlog_inclusion_verify(&leaf, index, head.size, proof, n, &head.root)));
}

static void *keep_growing(void *ctx)
{
    struct place *place = ctx;
    TEST_OP(op);

    for (unsigned i = 0; i < 30; i++) {
        grow(place, 1);
        assert_ok(&op, log_checkpoint_now(&op, place->service));
    }
    return NULL;
}

/* Proof and signed head belong together, also while the log grows. */
static void proofs(void **state)
{
    struct place *place = *state;
    struct checkpoint head;
    struct tlog_hash proof[TLOG_PROOF_MAX];
    AUTO(kw_bytes) *entry = NULL;
    AUTO(kw_bytes) *note = NULL;
    pthread_t thread;
    unsigned n = 0;
    TEST_OP(op);

    for (uint64_t i = 0; i < log_size(place); i++) {
        assert_proven(place, i);
    }
    assert_int_equal(pthread_create(&thread, NULL, keep_growing, place), 0);
    for (unsigned i = 0; i < 30; i++) {
        assert_proven(place, i % 5);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_code(&op,
                log_prove(&op, place->service, log_size(place), &head, &note, &entry, proof, &n),
                KW_E_NOT_FOUND);
    assert_code(&op, log_prove(&op, place->service, UINT64_MAX, &head, &note, &entry, proof, &n),
                KW_E_NOT_FOUND);
}

/* --- a store put back ------------------------------------------------------------------------- */

static void copy_store(const struct place *place, const char *from, const char *to)
{
    char source[128], target[128];

    (void)snprintf(source, sizeof(source), "%s/%s", place->dir, from);
    (void)snprintf(target, sizeof(target), "%s/%s", place->dir, to);
    const char *const away[] = {"/bin/rm", "-rf", target, NULL};
    const char *const copy[] = {"/bin/cp", "-a", source, target, NULL};
    assert_int_equal(rig_run(away), 0);
    assert_int_equal(rig_run(copy), 0);
}

/* In a gap nothing is appended and no head is signed. */
static void assert_gap(struct place *place, bool expected)
{
    enum kw_code code = expected ? KW_E_UNAVAILABLE : KW_CODE_OK;
    struct event event = {.type = EVENT_SYSTEM_START, .detail = "grows"};
    uint64_t size = log_size(place);
    char text[KW_OP_TEXT_MAX];
    TEST_OP(op);

    assert_code(&op, log_gap_refuse(&op, place->service), code);
    assert_code(&op, log_checkpoint_now(&op, place->service), code);
    assert_code(&op, service_record_alone(&op, place->service, &event), code);
    assert_int_equal(log_size(place), size + (expected ? 0 : 1));
    assert_int_equal(*log_gap_text(place->service, text, sizeof(text)) != 0, expected);
}

/* The log as an auditor gets it. */
static void put_tile(const struct place *place, const char *dir, int level, uint64_t hashes)
{
    char path[KW_PATH_BYTES];
    TEST_OP(op);

    for (uint64_t i = 0; i * TLOG_TILE_WIDTH < hashes; i++) {
        uint64_t rest = hashes - i * TLOG_TILE_WIDTH;
        AUTO(kw_bytes) *tile = NULL;
        unsigned width = rest < TLOG_TILE_WIDTH ? (unsigned)rest : TLOG_TILE_WIDTH;
        assert_ok(&op, tlog_tile_path(level, i, width, path, sizeof(path)));
        assert_ok(&op, log_tile(&op, place->service, path, &tile));
        assert_ok(&op, export_write(&op, dir, path, kw_bytes_span(tile)));
    }
}

static void export_log(struct place *place, const char *dir)
{
    char vkey[CHECKPOINT_VKEY_MAX];
    AUTO(kw_bytes) *note = NULL;
    TEST_OP(op);

    assert_ok(&op, log_checkpoint_now(&op, place->service));
    assert_ok(&op, log_checkpoint(&op, place->service, &note));
    assert_ok(&op, log_vkey(&op, place->service, vkey, sizeof(vkey)));
    assert_ok(&op, export_write(&op, dir, "vkey", kw_span_text(vkey)));
    assert_ok(&op, export_write(&op, dir, "checkpoint", kw_bytes_span(note)));
    put_tile(place, dir, -1, log_size(place));
    put_tile(place, dir, 0, log_size(place));
}

/* Yesterday's store and today's log: the very same tree again. */
static void gap_replayed(void **state)
{
    struct place *place = *state;
    struct replay_result result;
    char half[128], all[128];
    TEST_OP(op);

    (void)snprintf(half, sizeof(half), "%s/half", place->dir);
    (void)snprintf(all, sizeof(all), "%s/all", place->dir);
    place_close(place);
    copy_store(place, "state/store", "backup");
    assert_ok(&op, place_open(&op, place));
    grow(place, 2);
    export_log(place, half);
    grow(place, 3);
    export_log(place, all);
    struct checkpoint newest = log_head_now(place->service);
    place_close(place);
    copy_store(place, "backup", "state/store");
    assert_ok(&op, place_open(&op, place));
    assert_ok(&op, log_replay(&op, place->service, half, &result));
    assert_int_equal(result.entries, 2);
    assert_false(result.whole);
    assert_gap(place, true);
    assert_code(&op, log_replay(&op, place->service, half, &result), KW_E_CONFLICT);
    assert_ok(&op, log_replay(&op, place->service, all, &result));
    assert_true(result.whole);
    struct checkpoint healed = log_head_now(place->service);
    assert_int_equal(healed.size, newest.size);
    assert_memory_equal(healed.root.b, newest.root.b, sizeof(newest.root.b));
    assert_gap(place, false);
}

static void store_put_back(void **state)
{
    struct place *place = *state;
    TEST_OP(op);

    place_close(place);
    copy_store(place, "state/store", "backup");
    assert_ok(&op, place_open(&op, place));
    grow(place, 2);
    assert_ok(&op, log_checkpoint_now(&op, place->service));
    place_close(place);
    copy_store(place, "state/store", "newest");
    copy_store(place, "backup", "state/store");
    assert_ok(&op, place_open(&op, place)); /* to be looked at, and made whole */
    assert_gap(place, true);
    place_close(place);
    copy_store(place, "newest", "state/store"); /* one way out of it */
    assert_ok(&op, place_open(&op, place));
    assert_gap(place, false);
}

/* A fresh store in the place of one that was lost. */
static void store_emptied(void **state)
{
    struct place *place = *state;
    char store[128];
    TEST_OP(op);

    place_close(place);
    (void)snprintf(store, sizeof(store), "%s/store", place->state);
    const char *const away[] = {"/bin/rm", "-rf", store, NULL};
    assert_int_equal(rig_run(away), 0);
    assert_int_equal(mkdir(store, 0700), 0);
    assert_code(&op, place_open(&op, place), KW_E_INTEGRITY);
}

/* Put back under a running keeper, then grown as long as before: other entries, no signature. */
static void store_forked(void **state)
{
    struct place *place = *state;
    struct place other = *place;
    TEST_OP(op);

    place_close(place);
    copy_store(place, "state", "other");
    assert_ok(&op, place_open(&op, place));
    grow(place, 2);
    assert_ok(&op, log_checkpoint_now(&op, place->service));
    place_close(place);
    (void)snprintf(other.state, sizeof(other.state), "%s/other", place->dir);
    assert_ok(&op, place_open(&op, &other));
    grow(&other, 2);
    place_close(&other);
    copy_store(place, "other/store", "state/store");
    assert_code(&op, place_open(&op, place), KW_E_INTEGRITY);
}

/* --- receipts --------------------------------------------------------------------------------- */

static void make_receipt(const struct unit *unit, const char *id, struct device_receipt *ret)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *encoded = NULL;
    TEST_OP(op);

    *ret = (struct device_receipt){.action = "wipe", .proof = "proof", .readback = "gone"};
    ret->unix_ms = os_clock_unix_ms();
    kw_hex(KW_SPAN(pubkey_id(privkey_public(unit->key)), KW_HASH_BYTES), ret->key_id,
           sizeof(ret->key_id));
    assert_ok(&op, kw_bytes_new(512, &text));
    assert_ok(&op, device_receipt_text(id, ret, text));
    assert_ok(&op, privkey_sign(&op, unit->key, kw_bytes_span(text), &sig));
    assert_ok(&op, kw_bytes_new(512, &encoded));
    assert_ok(&op, kw_b64_encode(kw_out_span(&sig), 0, encoded));
    (void)snprintf(ret->signature, sizeof(ret->signature), "%.*s", (int)encoded->len,
                   (const char *)encoded->p);
}

static void receipts(void **state)
{
    struct place *place = *state;
    struct service *service = place->service;
    struct unit one, two;
    struct store_cert idevid[2], ldevid[2], room;
    struct device_receipt receipt, bad;
    struct store_pubkey key;
    TEST_OP(op);

    unit_both(place, "D1", &one, &idevid[0], &ldevid[0]);
    unit_both(place, "D2", &two, &idevid[1], &ldevid[1]);
    make_receipt(&one, "D1", &receipt);
    assert_code(&op, device_take_receipt(&op, service, "D2", &receipt), KW_E_DENIED);
    assert_code(&op, device_take_receipt(&op, service, "none", &receipt), KW_E_DENIED);
    bad = receipt;
    KW_TEXT_SET(bad.proof, "another");
    assert_code(&op, device_take_receipt(&op, service, "D1", &bad), KW_E_DENIED);
    bad = receipt;
    KW_TEXT_SET(bad.signature, "AAAA");
    assert_true(device_take_receipt(&op, service, "D1", &bad).code != KW_CODE_OK);
    kw_op_clear(&op);
    make_receipt(&two, "D1", &bad); /* another device's key */
    assert_code(&op, device_take_receipt(&op, service, "D1", &bad), KW_E_DENIED);
    bad = receipt;
    KW_TEXT_SET(bad.action, "sell");
    assert_code(&op, device_take_receipt(&op, service, "D1", &bad), KW_E_INPUT);
    bad = receipt;
    KW_TEXT_SET(bad.key_id, "00");
    assert_code(&op, device_take_receipt(&op, service, "D1", &bad), KW_E_INPUT);
    assert_int_equal(rig_reload(place, &ldevid[0], &room)->state, CERT_STATE_VALID);
    assert_ok(&op, device_take_receipt(&op, service, "D1", &receipt));
    assert_int_equal(rig_reload(place, &ldevid[0], &room)->state, CERT_STATE_REVOKED);
    assert_int_equal(room.reason, REVOKE_CESSATION_OF_OPERATION);
    assert_int_equal(rig_reload(place, &idevid[0], &room)->state, CERT_STATE_VALID);
    assert_ok(&op, store_pubkey_get(&op, service->store, ldevid[0].pubkey, &key));
    assert_int_equal(key.state, KEY_DESTROYED);
    uint64_t entries = log_size(place);
    assert_ok(&op, device_take_receipt(&op, service, "D1", &receipt)); /* replayed: no news */
    assert_int_equal(log_size(place), entries);
    unit_done(&one);
    unit_done(&two);
}

static kw_status suspend(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, ctx, &device));
    device.state = DEVICE_SUSPENDED;
    return store_device_update(op, txn, &device);
}

/* Without its birth identity a device starts over, but not out of a suspension. */
static void receipt_of_the_idevid(void **state)
{
    static char second[] = "D2";
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid;
    struct store_device device;
    struct device_receipt receipt;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    make_receipt(&unit, "D1", &receipt);
    assert_ok(&op, device_take_receipt(&op, place->service, "D1", &receipt));
    assert_ok(&op, store_device_get(&op, place->service->store, "D1", &device));
    assert_int_equal(device.state, DEVICE_REGISTERED);
    unit_done(&unit);
    unit_register(place, second, &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    assert_ok(&op, store_change(&op, place->service->store, suspend, second));
    make_receipt(&unit, second, &receipt);
    assert_ok(&op, device_take_receipt(&op, place->service, second, &receipt));
    assert_ok(&op, store_device_get(&op, place->service->store, second, &device));
    assert_int_equal(device.state, DEVICE_SUSPENDED);
    unit_done(&unit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(heads),          TEST(heads_follow),          TEST(tiles),        TEST(proofs),
        TEST(store_put_back), TEST(store_emptied),         TEST(store_forked), TEST(gap_replayed),
        TEST(receipts),       TEST(receipt_of_the_idevid),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
