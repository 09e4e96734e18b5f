/* A gate that wants a key it may not have: of another context, another key, another label. */
#include "crypto/kdf.h"
#include "hostile/keeper/rig_purposes.h"
#include "os/files.h"

static const struct kw_span none = {0};

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static void refused(enum keeper_row_index index, const char *key_id, struct kw_span octets,
                    struct kw_span context, enum kw_code code, const char *reason)
{
    attack_begin();
    struct keeper_reply reply = purpose_ask(index, key_id, octets, context);
    attack_check(row(index), &reply, code, reason);
}

/* A copy that survives the next reply. */
struct copy {
    uint8_t octets[SEALED_MAX];
    size_t len;
};

static struct kw_span span_of(const struct copy *copy)
{
    return KW_SPAN(copy->octets, copy->len);
}

static void keep(struct copy *copy, struct kw_span octets)
{
    assert_true(octets.len <= sizeof(copy->octets));
    memcpy(copy->octets, octets.p, octets.len);
    copy->len = octets.len;
}

static void ask(enum keeper_row_index index, const char *key_id, struct kw_span octets,
                struct kw_span context, struct copy *ret)
{
    struct keeper_reply reply = purpose_ask(index, key_id, octets, context);

    keep(ret, purpose_good(index, &reply).octets);
}

static void data_key(const char *key_id, struct kw_span context, struct copy *plain,
                     struct copy *wrapped)
{
    struct keeper_reply reply = purpose_ask(KEEPER_ROW_DATA_KEY, key_id, none, context);
    struct keeper_answer answer = purpose_good(KEEPER_ROW_DATA_KEY, &reply);

    keep(plain, answer.data_key.plain);
    keep(wrapped, answer.data_key.wrapped);
}

static void data_keys_come_back(void **state)
{
    struct kw_span context = kw_span_text("device DEV1 storage");
    struct copy plain, wrapped, other, again;

    (void)state;
    data_key("kek", context, &plain, &wrapped);
    data_key("kek", context, &other, &again);
    assert_int_equal(plain.len, 32);
    assert_memory_not_equal(plain.octets, other.octets, 32);
    ask(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), context, &again);
    assert_true(kw_span_equal(span_of(&again), span_of(&plain)));
    ask(KEEPER_ROW_DATA_WRAP, "kek", span_of(&plain), context, &again); /* KWP has no nonce */
    assert_true(kw_span_equal(span_of(&again), span_of(&wrapped)));
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    ask(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), context, &again);
    assert_true(kw_span_equal(span_of(&again), span_of(&plain)));
}

static void no_key_of_another_context(void **state)
{
    struct copy plain, wrapped;

    (void)state;
    data_key("kek", kw_span_text("device DEV1"), &plain, &wrapped);
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), kw_span_text("device DEV2"),
            KW_E_INTEGRITY, "blob:");
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), kw_span_text("device DEV"),
            KW_E_INTEGRITY, "blob:");
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), none, KW_E_INTEGRITY, "blob:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek", span_of(&wrapped), none, KW_E_INTEGRITY, "blob:");
}

static void no_key_of_another_kek(void **state)
{
    struct copy plain, wrapped;
    struct wrapped blob;
    uint8_t room[WRAPPED_MAX];
    struct kw_out forged = KW_OUT_ARRAY(room);

    (void)state;
    data_key("kek", none, &plain, &wrapped);
    refused(KEEPER_ROW_DATA_UNWRAP, "kek2", span_of(&wrapped), none, KW_E_DENIED, "blob:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek2", span_of(&wrapped), none, KW_E_DENIED, "rewrap-line:");
    refused(KEEPER_ROW_DATA_UNWRAP, "nobody", span_of(&wrapped), none, KW_E_DENIED, "blob:");
    assert_ok(wrapped_decode(span_of(&wrapped), &blob));
    assert_true(KW_TEXT_SET(blob.key_id, "kek2"));
    assert_ok(wrapped_encode(&blob, &forged));
    refused(KEEPER_ROW_DATA_UNWRAP, "kek2", kw_out_span(&forged), none, KW_E_INTEGRITY, "blob:");
    assert_true(KW_TEXT_SET(blob.key_id, "kek"));
    blob.generation++;
    forged.len = 0;
    assert_ok(wrapped_encode(&blob, &forged));
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", kw_out_span(&forged), none, KW_E_INTEGRITY, "blob:");
    assert_true(KW_TEXT_SET(blob.key_id, "nobody"));
    forged.len = 0;
    assert_ok(wrapped_encode(&blob, &forged));
    refused(KEEPER_ROW_DATA_UNWRAP, "nobody", kw_out_span(&forged), none, KW_E_NOT_FOUND, "key:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek", kw_out_span(&forged), none, KW_E_NOT_FOUND, "key:");
}

/* Every bit of it. */
static void no_altered_blob(void **state)
{
    struct copy plain, wrapped, again;

    (void)state;
    data_key("kek", none, &plain, &wrapped);
    for (size_t bit = 0; bit < wrapped.len * 8; bit += 7) {
        wrapped.octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct keeper_reply reply =
            purpose_ask(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), none);
        assert_true(reply.code == KW_E_INPUT || reply.code == KW_E_INTEGRITY ||
                    reply.code == KW_E_DENIED);
        assert_int_equal(reply.result.len, 0);
        wrapped.octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", kw_span_sub(span_of(&wrapped), 0, wrapped.len - 1), none,
            KW_E_INPUT, "blob:");
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", none, none, KW_E_INPUT, "blob:");
    ask(KEEPER_ROW_DATA_SEAL, "kek", kw_span_text("data"), none, &again);
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&again), none, KW_E_INPUT, "blob:");
    refused(KEEPER_ROW_DATA_OPEN, "kek", span_of(&wrapped), none, KW_E_INPUT, "blob:");
}

static void odd_sizes(void **state)
{
    static const uint8_t much[KEEPER_SEAL_MAX];
    struct copy wrapped, again;

    (void)state;
    refused(KEEPER_ROW_DATA_WRAP, "kek", none, none, KW_E_INPUT, "");
    ask(KEEPER_ROW_DATA_WRAP, "kek", KW_SPAN(much, KEEPER_DATA_KEY_MAX),
        KW_SPAN(much, KEEPER_CONTEXT_MAX), &wrapped);
    ask(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), KW_SPAN(much, KEEPER_CONTEXT_MAX),
        &again);
    assert_int_equal(again.len, KEEPER_DATA_KEY_MAX);
    ask(KEEPER_ROW_DATA_SEAL, "kek", KW_SPAN(much, KEEPER_SEAL_MAX), KW_SPAN(much, KEEPER_AAD_MAX),
        &wrapped);
    ask(KEEPER_ROW_DATA_OPEN, "kek", span_of(&wrapped), KW_SPAN(much, KEEPER_AAD_MAX), &again);
    assert_int_equal(again.len, KEEPER_SEAL_MAX);
    ask(KEEPER_ROW_DATA_SEAL, "kek", none, none, &wrapped);
    ask(KEEPER_ROW_DATA_OPEN, "kek", span_of(&wrapped), none, &again);
    assert_int_equal(again.len, 0);
}

static void sealed_data_is_bound(void **state)
{
    struct copy sealed, again;
    struct kw_span bound = kw_span_text("record 7");

    (void)state;
    ask(KEEPER_ROW_DATA_SEAL, "kek", kw_span_text("data"), bound, &sealed);
    ask(KEEPER_ROW_DATA_SEAL, "kek", kw_span_text("data"), bound, &again);
    assert_false(kw_span_equal(span_of(&sealed), span_of(&again))); /* another nonce */
    refused(KEEPER_ROW_DATA_OPEN, "kek", span_of(&sealed), kw_span_text("record 8"), KW_E_INTEGRITY,
            "blob:");
    refused(KEEPER_ROW_DATA_OPEN, "kek2", span_of(&sealed), bound, KW_E_DENIED, "blob:");
    sealed.octets[sealed.len - 1] ^= 1;
    refused(KEEPER_ROW_DATA_OPEN, "kek", span_of(&sealed), bound, KW_E_INTEGRITY, "blob:");
    sealed.octets[sealed.len - 1] ^= 1;
    ask(KEEPER_ROW_DATA_OPEN, "kek", span_of(&sealed), bound, &again);
    assert_span(span_of(&again), "data");
}

static void derive(const char *label, const char *context, struct copy *ret)
{
    ask(KEEPER_ROW_DATA_DERIVE, "kdf", kw_span_text(label), kw_span_text(context), ret);
}

/* TEST-KEY-04: other labels, contexts and salts give other keys, the same ones the same. */
static void derived_keys_differ(void **state)
{
    static const char *const rows[][2] = {
        {"session/a", "" },
        {"session/a", "x"},
        {"session/b", "" },
        {"osdp/a",    "" },
        {"session/",  "a"}
    };
    struct copy keys[KW_COUNT(rows)];
    struct copy again;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        derive(rows[i][0], rows[i][1], &keys[i]);
        derive(rows[i][0], rows[i][1], &again);
        assert_int_equal(keys[i].len, 32);
        assert_true(kw_span_equal(span_of(&keys[i]), span_of(&again)));
        for (size_t j = 0; j < i; j++) {
            assert_false(kw_span_equal(span_of(&keys[i]), span_of(&keys[j])));
        }
    }
}

static void no_label_outside_the_policy(void **state)
{
    static const char *const labels[] = {"",          "session",  "Session/a",        "xsession/",
                                         " session/", "backup/x", "keywright wrap v1"};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(labels); i++) {
        refused(KEEPER_ROW_DATA_DERIVE, "kdf", kw_span_text(labels[i]), none, KW_E_DENIED,
                "label:");
    }
}

static void no_odd_length(void **state)
{
    static const uint8_t lengths[] = {0, 1, 15, 65, 255};
    struct keeper_msg msg;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths); i++) {
        attack_begin();
        rig_msg(attack_rig, &msg, "kdf");
        assert_true(KW_TEXT_SET(msg.derive.label, "session/a"));
        msg.derive.len = lengths[i];
        struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_DATA_DERIVE), &msg, -1);
        attack_check(row(KEEPER_ROW_DATA_DERIVE), &reply, KW_E_INPUT, "length:");
    }
}

static bool mac_is_good(struct kw_span message, struct kw_span mac)
{
    struct keeper_reply reply = purpose_ask(KEEPER_ROW_DATA_MAC_VERIFY, "mac", message, mac);

    return purpose_good(KEEPER_ROW_DATA_MAC_VERIFY, &reply).valid;
}

static void no_false_code(void **state)
{
    struct kw_span message = kw_span_text("command 7");
    struct copy mac;

    (void)state;
    ask(KEEPER_ROW_DATA_MAC, "mac", message, none, &mac);
    assert_int_equal(mac.len, KW_HASH_BYTES);
    assert_true(mac_is_good(message, span_of(&mac)));
    assert_false(mac_is_good(kw_span_text("command 8"), span_of(&mac)));
    for (size_t i = 0; i < mac.len; i++) {
        mac.octets[i] ^= 0x10;
        assert_false(mac_is_good(message, span_of(&mac)));
        mac.octets[i] ^= 0x10;
    }
    refused(KEEPER_ROW_DATA_MAC_VERIFY, "mac", message, none, KW_E_INPUT, "mac:");
    refused(KEEPER_ROW_DATA_MAC_VERIFY, "mac", message, kw_span_sub(span_of(&mac), 0, 16),
            KW_E_INPUT, "mac:");
}

/* The check value is all that the gate ever sees of a secret, and it is one way. */
static void secrets_show_their_check_value(void **state)
{
    static const char *const ids[] = {"kek", "kek2", "mac", "kdf"};
    struct copy seen[KW_COUNT(ids)];
    struct keeper_msg msg;
    struct keeper_answer answer;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(ids); i++) {
        rig_msg(attack_rig, &msg, ids[i]);
        struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_KEY_FIND), &msg, -1);
        answer = purpose_good(KEEPER_ROW_KEY_FIND, &reply);
        assert_int_equal(answer.key.spki_len, 8);
        assert_int_equal(answer.key.alg, KEY_ALG_SECRET_256);
        keep(&seen[i], KW_SPAN(answer.key.spki, answer.key.spki_len));
        for (size_t j = 0; j < i; j++) {
            assert_false(kw_span_equal(span_of(&seen[i]), span_of(&seen[j])));
        }
    }
}

/* From here on keys come to their ends: these run last. */
static void a_rotated_kek_rewraps(void **state)
{
    struct kw_span context = kw_span_text("device DEV1");
    struct copy plain, old, anew, again;
    struct wrapped blob;

    (void)state;
    data_key("kek", context, &plain, &old);
    purpose_rotate(PURPOSE_KEK, "kek.2");
    ask(KEEPER_ROW_DATA_REWRAP, "kek.2", span_of(&old), context, &anew);
    assert_ok(wrapped_decode(span_of(&anew), &blob));
    assert_string_equal(blob.key_id, "kek.2");
    assert_int_equal(blob.generation, 2);
    ask(KEEPER_ROW_DATA_UNWRAP, "kek.2", span_of(&anew), context, &again);
    assert_true(kw_span_equal(span_of(&again), span_of(&plain)));
    ask(KEEPER_ROW_DATA_REWRAP, "kek.2", span_of(&anew), context, &again); /* done already */
    assert_true(kw_span_equal(span_of(&again), span_of(&anew)));
    refused(KEEPER_ROW_DATA_REWRAP, "kek", span_of(&anew), context, KW_E_DENIED, "rewrap-back:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek2", span_of(&anew), context, KW_E_DENIED, "rewrap-line:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek.2", span_of(&old), none, KW_E_INTEGRITY, "blob:");
}

/* What a deactivated key protected is still read; it protects nothing more. */
static void a_deactivated_kek_only_reads(void **state)
{
    struct copy plain, wrapped, sealed, again;

    (void)state;
    data_key("kek", none, &plain, &wrapped);
    ask(KEEPER_ROW_DATA_SEAL, "kek", kw_span_text("data"), none, &sealed);
    purpose_deactivate("kek");
    refused(KEEPER_ROW_DATA_KEY, "kek", none, none, KW_E_STATE, "state:");
    refused(KEEPER_ROW_DATA_WRAP, "kek", span_of(&plain), none, KW_E_STATE, "state:");
    refused(KEEPER_ROW_DATA_SEAL, "kek", kw_span_text("data"), none, KW_E_STATE, "state:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek", span_of(&wrapped), none, KW_E_STATE, "state:");
    ask(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), none, &again);
    assert_true(kw_span_equal(span_of(&again), span_of(&plain)));
    ask(KEEPER_ROW_DATA_OPEN, "kek", span_of(&sealed), none, &again);
    assert_span(span_of(&again), "data");
    ask(KEEPER_ROW_DATA_REWRAP, "kek.2", span_of(&wrapped), none, &again);
    purpose_destroy(PURPOSE_KEK);
    refused(KEEPER_ROW_DATA_UNWRAP, "kek", span_of(&wrapped), none, KW_E_STATE, "state:");
    refused(KEEPER_ROW_DATA_REWRAP, "kek.2", span_of(&wrapped), none, KW_E_STATE, "state:");
    ask(KEEPER_ROW_DATA_UNWRAP, "kek.2", span_of(&again), none, &wrapped);
    assert_true(kw_span_equal(span_of(&wrapped), span_of(&plain)));
}

static void a_deactivated_mac_key_only_verifies(void **state)
{
    struct kw_span message = kw_span_text("command 7");
    struct copy mac;

    (void)state;
    ask(KEEPER_ROW_DATA_MAC, "mac", message, none, &mac);
    purpose_deactivate("mac");
    refused(KEEPER_ROW_DATA_MAC, "mac", message, none, KW_E_STATE, "state:");
    assert_true(mac_is_good(message, span_of(&mac)));
    purpose_deactivate("kdf");
    refused(KEEPER_ROW_DATA_DERIVE, "kdf", kw_span_text("session/a"), none, KW_E_STATE, "state:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_keys_come_back),
        cmocka_unit_test(no_key_of_another_context),
        cmocka_unit_test(no_key_of_another_kek),
        cmocka_unit_test(no_altered_blob),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(sealed_data_is_bound),
        cmocka_unit_test(derived_keys_differ),
        cmocka_unit_test(no_label_outside_the_policy),
        cmocka_unit_test(no_odd_length),
        cmocka_unit_test(no_false_code),
        cmocka_unit_test(secrets_show_their_check_value),
        cmocka_unit_test(a_rotated_kek_rewraps),
        cmocka_unit_test(a_deactivated_kek_only_reads),
        cmocka_unit_test(a_deactivated_mac_key_only_verifies),
    };

    return cmocka_run_group_tests_name("hostile_keeper_data", tests, purpose_setup,
                                       purpose_teardown);
}
