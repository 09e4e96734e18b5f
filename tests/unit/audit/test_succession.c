/* A log whose signing key was replaced: who trusts the first key alone follows to the newest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "audit/note.h"
#include "log_files.h"

static struct kw_op op;

struct signer {
    struct privkey *key;
    char vkey[CHECKPOINT_VKEY_MAX];
};

static void make_signer(struct signer *signer)
{
    ok(&op, privkey_generate(&op, KEY_ALG_ED25519, &signer->key));
    ok(&op,
       note_vkey(&op, LOG_ORIGIN, privkey_public(signer->key), signer->vkey, sizeof(signer->vkey)));
}

/* "by" says that "next" follows. */
static struct kw_bytes *announce(const struct signer *by, const struct signer *next,
                                 const char *origin)
{
    char body[SUCCESSION_TEXT_MAX];
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_bytes *note = NULL;

    ok(&op, succession_body(&op, origin, privkey_public(next->key), body, sizeof(body)));
    ok(&op, privkey_sign(&op, by->key, kw_span_text(body), &sig));
    ok(&op,
       checkpoint_note(&op, body, LOG_ORIGIN, privkey_public(by->key), kw_out_span(&sig), &note));
    return note;
}

static bool take(struct succession *keys, const struct kw_bytes *note)
{
    bool taken = false;

    ok(&op, succession_take(&op, keys, kw_bytes_span(note), &taken));
    return taken;
}

static void test_follow(void **state)
{
    (void)state;
    struct signer first, second, third;
    struct succession keys;
    struct checkpoint cp = {.origin = LOG_ORIGIN, .size = 3}, got;
    AUTO(kw_bytes) *head = NULL;

    make_signer(&first);
    make_signer(&second);
    make_signer(&third);
    AUTO(kw_bytes) *to_second = announce(&first, &second, LOG_ORIGIN);
    AUTO(kw_bytes) *to_third = announce(&second, &third, LOG_ORIGIN);
    ok(&op, checkpoint_sign(&op, &cp, third.key, &head));

    ok(&op, succession_begin(&op, first.vkey, &keys));
    assert_int_equal(succession_verify(&op, &keys, kw_bytes_span(head), &got).code, KW_E_DENIED);
    kw_op_clear(&op);
    assert_false(take(&keys, to_third)); /* by a key that nobody vouched for yet */
    assert_int_equal(succession_verify(&op, &keys, kw_bytes_span(head), &got).code, KW_E_DENIED);
    kw_op_clear(&op);
    assert_true(take(&keys, to_second));
    assert_true(take(&keys, to_third));
    assert_false(take(&keys, to_third)); /* heard already */
    assert_int_equal(keys.n, 3);
    ok(&op, succession_verify(&op, &keys, kw_bytes_span(head), &got));
    assert_int_equal(got.size, 3);
    privkey_unref(first.key);
    privkey_unref(second.key);
    privkey_unref(third.key);
}

/* During the overlap both sign; a bad signature by the newest known key is not outvoted by a good
 * one of the old key. */
static void test_overlap(void **state)
{
    (void)state;
    struct signer first, second;
    struct succession keys;
    struct checkpoint cp = {.origin = LOG_ORIGIN, .size = 3}, got;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    char body[256];
    AUTO(kw_bytes) *head = NULL;

    make_signer(&first);
    make_signer(&second);
    AUTO(kw_bytes) *to_second = announce(&first, &second, LOG_ORIGIN);
    ok(&op, checkpoint_body(&op, &cp, body, sizeof(body)));
    ok(&op, checkpoint_sign(&op, &cp, first.key, &head));
    ok(&op, privkey_sign(&op, second.key, kw_span_text(body), &sig));
    AUTO(kw_bytes) *forged = NULL;
    ok(&op, kw_bytes_copy(kw_bytes_span(head), &forged));
    ok(&op, checkpoint_add(&op, LOG_ORIGIN, privkey_public(second.key), kw_out_span(&sig), head));
    room[5] ^= 1;
    ok(&op, checkpoint_add(&op, LOG_ORIGIN, privkey_public(second.key), kw_out_span(&sig), forged));

    ok(&op, succession_begin(&op, first.vkey, &keys));
    ok(&op, succession_verify(&op, &keys, kw_bytes_span(head), &got));
    ok(&op, checkpoint_verify(&op, kw_bytes_span(head), second.vkey, &got));
    assert_true(take(&keys, to_second));
    ok(&op, succession_verify(&op, &keys, kw_bytes_span(head), &got));
    assert_int_equal(succession_verify(&op, &keys, kw_bytes_span(forged), &got).code, KW_E_DENIED);
    kw_op_clear(&op);
    privkey_unref(first.key);
    privkey_unref(second.key);
}

static void test_what_is_no_announcement(void **state)
{
    (void)state;
    struct signer first, second, thief;
    struct succession keys;
    struct checkpoint cp = {.origin = LOG_ORIGIN, .size = 3};
    AUTO(kw_bytes) *head = NULL;
    bool taken = false;

    make_signer(&first);
    make_signer(&second);
    make_signer(&thief);
    ok(&op, succession_begin(&op, first.vkey, &keys));
    AUTO(kw_bytes) *good = announce(&first, &second, LOG_ORIGIN);
    AUTO(kw_bytes) *other = announce(&first, &second, "log.example/other");
    AUTO(kw_bytes) *stolen = announce(&thief, &second, LOG_ORIGIN);
    ok(&op, checkpoint_sign(&op, &cp, first.key, &head));

    assert_int_equal(succession_take(&op, &keys, kw_bytes_span(head), &taken).code, KW_E_INPUT);
    kw_op_clear(&op);
    assert_int_equal(succession_take(&op, &keys, kw_bytes_span(other), &taken).code, KW_E_DENIED);
    kw_op_clear(&op);
    assert_false(take(&keys, stolen));
    char *key = strchr((char *)good->p, '+');
    key[12] = key[12] == 'A' ? 'B' : 'A'; /* the announced key, another one now */
    assert_true(succession_take(&op, &keys, kw_bytes_span(good), &taken).code != KW_CODE_OK);
    kw_op_clear(&op);
    assert_int_equal(keys.n, 1);
    privkey_unref(first.key);
    privkey_unref(second.key);
    privkey_unref(thief.key);
}

/* A whole export, its head signed by the second key only, verified with the first. */
static void test_export(void **state)
{
    (void)state;
    static struct log_files log;
    struct signer second;
    struct export_result result;

    log_files_begin(&log);
    log_files_add_many(&log, 300);
    log_files_sign(&log);
    struct signer first = {.key = log.key};
    make_signer(&second);
    AUTO(kw_bytes) *to_second = announce(&first, &second, LOG_ORIGIN);
    log.key = second.key;
    log_files_add_many(&log, 20);
    log_files_sign(&log);
    assert_int_equal(export_verify(&op, log.dir, log.vkey, &result).code, KW_E_DENIED);
    kw_op_clear(&op);
    ok(&op, export_write(&op, log.dir, "successor.2", kw_bytes_span(to_second)));
    ok(&op, export_verify(&op, log.dir, log.vkey, &result));
    ok(&op, export_verify(&op, log.dir, NULL, &result));
    ok(&op, export_verify(&op, log.dir, second.vkey, &result));
    assert_int_equal(result.head.size, 320);
    assert_int_equal(export_write(&op, log.dir, "successor.2/x", KW_SPAN("", 0)).code, KW_E_INPUT);
    kw_op_clear(&op);
    privkey_unref(first.key);
    log_files_end(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_what_is_no_announcement),
        cmocka_unit_test(test_export),
    };

    kw_op_init(&op, NULL, 0);
    return cmocka_run_group_tests_name("succession", tests, NULL, NULL);
}
