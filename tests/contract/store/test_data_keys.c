/* Rows of keys for data: an id for ever, and forward only from the generation they have. */
#include "env.h"

#include <stdio.h>

/* A change that runs one of the calls below. */
struct call {
    kw_status (*run)(struct kw_op *op, struct store_txn *txn, struct call *call);
    const struct store_data_key *data_key;
    const char *name;
    struct kw_span content;
    uint32_t from, to;
    int64_t at;
    bool is_new;
};

static kw_status run_call(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct call *call = ctx;

    return call->run(op, txn, call);
}

static kw_status change(struct env *env, struct call *call)
{
    return store_change(env_op(), env->store, run_call, call);
}

static struct store_data_key sample_data_key(unsigned no)
{
    struct store_data_key key = {.generation = 1,
                                 .asked = 1,
                                 .wrapped_len = 99,
                                 .created_ms = 1000 + no,
                                 .state = KEY_ACTIVE};

    (void)snprintf(key.id, sizeof(key.id), "key%05u", no);
    (void)snprintf(key.kek, sizeof(key.kek), no % 2 ? "odd" : "even");
    (void)snprintf(key.context, sizeof(key.context), "context %u", no);
    sample_octets(key.wrapped, key.wrapped_len, no);
    return key;
}

static kw_status insert_data_key(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_data_key_insert(op, txn, call->data_key);
}

static kw_status ask_data_key(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_data_key_ask(op, txn, call->name, call->to, &call->is_new);
}

static kw_status rewrap_data_key(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_data_key_rewrap(op, txn, call->name, call->from, call->to, call->content,
                                 call->at);
}

static kw_status add_data_key(struct env *env, const struct store_data_key *key)
{
    return change(env, &(struct call){.run = insert_data_key, .data_key = key});
}

static void assert_same_data_key(const struct store_data_key *a, const struct store_data_key *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->kek, b->kek);
    assert_string_equal(a->context, b->context);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->asked, b->asked);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->rewrapped_ms, b->rewrapped_ms);
    assert_int_equal(a->wrapped_len, b->wrapped_len);
    assert_memory_equal(a->wrapped, b->wrapped, a->wrapped_len);
}

static void data_key_has_its_id_for_ever(void **state)
{
    struct env *env = *state;
    struct store_data_key key = sample_data_key(1), got = {0};

    assert_fails(store_data_key_get(env_op(), env->store, key.id, &got), KW_E_NOT_FOUND);
    assert_ok(add_data_key(env, &key));
    assert_fails(add_data_key(env, &key), KW_E_CONFLICT);
    env_reopen(env);
    assert_ok(store_data_key_get(env_op(), env->store, key.id, &got));
    assert_same_data_key(&key, &got);
    key.id[0] = '\0';
    assert_fails(add_data_key(env, &key), KW_E_INPUT);
    key = sample_data_key(2);
    key.wrapped_len = 0;
    assert_fails(add_data_key(env, &key), KW_E_INPUT);
    key.wrapped_len = 1;
    key.state = KEY_STATE_MAX;
    assert_fails(add_data_key(env, &key), KW_E_INPUT);
}

static void data_key_is_rewrapped_from_the_generation_it_has(void **state)
{
    struct env *env = *state;
    struct store_data_key key = sample_data_key(1), got = {0};
    struct call ask = {.run = ask_data_key, .name = key.id, .to = 2};
    struct call call = {.run = rewrap_data_key, .name = key.id, .from = 1, .to = 2, .at = 7};

    call.content = kw_span_text("other octets");
    assert_fails(change(env, &call), KW_E_CONFLICT);
    assert_ok(add_data_key(env, &key));
    assert_ok(change(env, &ask));
    assert_true(ask.is_new);
    assert_ok(change(env, &ask));
    assert_false(ask.is_new);
    assert_ok(change(env, &call));
    assert_fails(change(env, &call), KW_E_CONFLICT); /* done already */
    assert_ok(store_data_key_get(env_op(), env->store, key.id, &got));
    assert_int_equal(got.generation, 2);
    assert_int_equal(got.asked, 2);
    assert_int_equal(got.rewrapped_ms, 7);
    assert_true(kw_span_equal(KW_SPAN(got.wrapped, got.wrapped_len), call.content));
    call.from = 2;
    call.to = 1;
    assert_fails(change(env, &call), KW_E_STATE); /* never back */
}

static void data_keys_list_by_id_and_by_generation(void **state)
{
    struct env *env = *state;
    static struct store_data_key got[8];
    char kek[KW_NAME_MAX];
    unsigned n = 0;
    uint64_t count = 0;

    for (unsigned no = 9; no > 0; no--) {
        struct store_data_key key = sample_data_key(no);
        key.generation = key.asked = no < 5 ? 2 : 1;
        assert_ok(add_data_key(env, &key));
    }
    assert_ok(store_data_key_list(env_op(), env->store, "", 4, got, &n));
    assert_int_equal(n, 4);
    assert_string_equal(got[3].id, "key00004");
    assert_ok(store_data_key_list(env_op(), env->store, "key00008", 4, got, &n));
    assert_int_equal(n, 1);
    /* odd: 5 7 9 under 1, 1 3 under 2 */
    assert_ok(store_data_key_list_old(env_op(), env->store, "odd", 2, NULL, 8, got, &n));
    assert_int_equal(n, 3);
    assert_ok(store_data_key_list_old(env_op(), env->store, "odd", 3, NULL, 2, got, &n));
    assert_int_equal(n, 2);
    assert_string_equal(got[1].id, "key00007");
    assert_ok(store_data_key_list_old(env_op(), env->store, "odd", 3, &got[1], 8, got + 2, &n));
    assert_int_equal(n, 3);
    assert_string_equal(got[2].id, "key00009");
    assert_string_equal(got[3].id, "key00001");
    assert_ok(store_data_key_count(env_op(), env->store, "odd", 1, 2, &count));
    assert_int_equal(count, 3);
    assert_ok(store_data_key_count(env_op(), env->store, "even", 1, 9, &count));
    assert_int_equal(count, 4);
    assert_ok(store_data_key_next_kek(env_op(), env->store, "", kek));
    assert_string_equal(kek, "even");
    assert_ok(store_data_key_next_kek(env_op(), env->store, kek, kek));
    assert_string_equal(kek, "odd");
    assert_fails(store_data_key_next_kek(env_op(), env->store, kek, kek), KW_E_NOT_FOUND);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(data_key_has_its_id_for_ever),
        STORE_TEST(data_key_is_rewrapped_from_the_generation_it_has),
        STORE_TEST(data_keys_list_by_id_and_by_generation),
    };

    return env_main(argc, argv, tests, KW_COUNT(tests), "store data keys");
}
