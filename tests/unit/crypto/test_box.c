/* Boxes for one recipient, and long data in sealed pieces. */
#include "crypto/box.h"
#include "crypto/chunk.h"
#include "kit.h"

static void box_there_and_back(void **state)
{
    uint8_t to[BOX_KEY_BYTES];
    struct kw_op op;
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_secret) *other = NULL;
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *box = NULL;
    AUTO(kw_bytes) *again = NULL;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(box_key_new(&op, &key)) && kw_ok(box_key_new(&op, &other)));
    assert_true(kw_ok(box_key_public(&op, key, to)));
    assert_true(kw_ok(box_seal(&op, to, kw_span_text("for"), kw_span_text("secret"), &box)));
    assert_true(kw_ok(box_seal(&op, to, kw_span_text("for"), kw_span_text("secret"), &again)));
    assert_int_equal(box->len, BOX_OVERHEAD_BYTES + 6);
    assert_false(kw_span_equal(kw_bytes_span(box), kw_bytes_span(again))); /* a fresh key each */
    assert_true(kw_ok(box_open(&op, key, kw_span_text("for"), kw_bytes_span(box), &opened)));
    assert_true(kw_span_equal(kw_secret_span(opened), kw_span_text("secret")));
    AUTO(kw_secret) *none = NULL;
    assert_int_equal(box_open(&op, other, kw_span_text("for"), kw_bytes_span(box), &none).code,
                     KW_E_INTEGRITY);
    assert_int_equal(box_open(&op, key, kw_span_text("FOR"), kw_bytes_span(box), &none).code,
                     KW_E_INTEGRITY);
    for (size_t i = 0; i < box->len; i++) { /* any bit of it; the top one of a point says nothing */
        box->p[i] ^= 1;
        assert_int_equal(box_open(&op, key, kw_span_text("for"), kw_bytes_span(box), &none).code,
                         KW_E_INTEGRITY);
        assert_int_equal(box_open(&op, key, kw_span_text("for"), KW_SPAN(box->p, i), &none).code,
                         KW_E_INTEGRITY);
        box->p[i] ^= 1;
    }
    assert_null(none);
}

static void pieces_keep_their_place(void **state)
{
    struct chunk_place place = {.index = 7, .last = false, .aad = kw_span_text("head")};
    struct kw_op op;
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_bytes) *plain = NULL;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(box_key_new(&op, &key)));
    assert_true(kw_ok(kw_bytes_new(64, &sealed)) && kw_ok(kw_bytes_new(64, &plain)));
    assert_true(kw_ok(chunk_seal(&op, key, &place, kw_span_text("piece"), sealed)));
    assert_true(kw_ok(chunk_open(&op, key, &place, kw_bytes_span(sealed), plain)));
    assert_true(kw_span_equal(kw_bytes_span(plain), kw_span_text("piece")));
    const struct chunk_place others[] = {
        {8, false, place.aad            },
        {7, true,  place.aad            },
        {7, false, kw_span_text("other")},
    };
    for (size_t i = 0; i < KW_COUNT(others); i++) {
        assert_int_equal(chunk_open(&op, key, &others[i], kw_bytes_span(sealed), plain).code,
                         KW_E_INTEGRITY);
        assert_int_equal(plain->len, 5); /* nothing unproven comes out */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_there_and_back),
        cmocka_unit_test(pieces_keep_their_place),
    };

    return cmocka_run_group_tests_name("box", tests, NULL, NULL);
}
