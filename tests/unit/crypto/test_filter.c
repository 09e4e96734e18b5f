/* The revocation filter: exact about everything that it was made of, small, and nothing else is
 * read. */
#include "kit.h"

#include <stdlib.h>

#include "base/writer.h"
#include "crypto/digest.h"
#include "crypto/filter.h"
#include "crypto/privkey.h"

#define TEST_OP(op)                                                                                \
    struct kw_op op;                                                                               \
    kw_op_init(&op, "test", 0)

static const uint8_t salt[FILTER_SALT_BYTES] = "0123456789abcde";

static struct kw_span serial_of(uint64_t no, uint8_t room[KW_HASH_BYTES])
{
    digest_sha256(KW_SPAN(&no, sizeof(no)), room);
    room[0] |= 0x40;
    return KW_SPAN(room, no % 7 == 0 ? 20 : 16); /* other CAs' lengths, too */
}

/* Those whose number is below `revoked`, of n. */
static struct kw_bytes *make(uint64_t n, uint64_t revoked)
{
    AUTO(filter_maker) *maker = NULL;
    struct kw_bytes *body = NULL;
    uint8_t room[KW_HASH_BYTES];
    TEST_OP(op);

    assert_ok(&op, filter_maker_new(&op, &maker));
    for (uint64_t i = 0; i < n; i++) {
        assert_ok(&op, filter_maker_add(&op, maker, serial_of(i, room), i < revoked));
    }
    assert_ok(&op, filter_maker_make(&op, maker, salt, &body));
    return body;
}

static void check(uint64_t n, uint64_t revoked)
{
    AUTO(kw_bytes) *octets = make(n, revoked);
    struct filter_body body;
    uint8_t room[KW_HASH_BYTES];

    assert_int_equal(filter_body_parse(kw_bytes_span(octets), &body).code, 0);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(filter_body_has(&body, serial_of(i, room)), i < revoked);
    }
}

static void test_exact_about_all(void **state)
{
    static const struct {
        uint64_t n, revoked;
    } cases[] = {
        {0,     0    },
        {1,     0    },
        {1,     1    },
        {2,     1    },
        {3,     3    },
        {100,   1    },
        {100,   99   },
        {1000,  500  },
        {20000, 200  },
        {20000, 20000},
        {50000, 1    },
        {50000, 7000 },
    };

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(cases); i++) {
        check(cases[i].n, cases[i].revoked);
    }
}

/* At one percent, the best that anybody can do is 8.1 bits a revoked one. */
static void test_size(void **state)
{
    AUTO(kw_bytes) *octets = make(100000, 1000);

    (void)state;
    assert_true(octets->len * 8 < (size_t)1000 * 10);
}

/* Nothing revoked: a head and no table. */
static void test_nothing_revoked(void **state)
{
    AUTO(kw_bytes) *octets = make(5000, 0);

    (void)state;
    assert_int_equal(octets->len, FILTER_SALT_BYTES + 9);
}

static void test_one_serial_two_answers(void **state)
{
    AUTO(filter_maker) *maker = NULL;
    AUTO(kw_bytes) *body = NULL;
    uint8_t room[KW_HASH_BYTES];
    TEST_OP(op);

    (void)state;
    assert_ok(&op, filter_maker_new(&op, &maker));
    assert_ok(&op, filter_maker_add(&op, maker, serial_of(1, room), true));
    assert_ok(&op, filter_maker_add(&op, maker, serial_of(1, room), false));
    assert_int_equal(filter_maker_make(&op, maker, salt, &body).code, KW_E_CONFLICT);
    assert_null(body);
}

static void test_no_serial(void **state)
{
    AUTO(filter_maker) *maker = NULL;
    uint8_t room[KW_HASH_BYTES] = {1};
    TEST_OP(op);

    (void)state;
    assert_ok(&op, filter_maker_new(&op, &maker));
    assert_int_equal(filter_maker_add(&op, maker, KW_SPAN(room, 0), true).code, KW_E_INPUT);
    kw_op_clear(&op);
    assert_int_equal(filter_maker_add(&op, maker, KW_SPAN(room, 21), true).code, KW_E_INPUT);
}

/* --- the body --------------------------------------------------------------------------------- */

static void test_body_of_any_other_length(void **state)
{
    AUTO(kw_bytes) *octets = make(3000, 100);
    struct filter_body body;

    (void)state;
    for (size_t n = 0; n < octets->len; n++) {
        assert_int_equal(filter_body_parse(KW_SPAN(octets->p, n), &body).code, KW_E_INPUT);
    }
    assert_int_equal(kw_bytes_append_text(octets, "x").code, 0);
    assert_int_equal(filter_body_parse(kw_bytes_span(octets), &body).code, KW_E_INPUT);
}

static kw_status parse_head(unsigned columns, uint32_t first, uint32_t second, size_t rest)
{
    uint8_t room[256] = {0};
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    struct filter_body body;

    kw_writer_put(&w, KW_SPAN_ARRAY(salt));
    kw_writer_u8(&w, (uint8_t)columns);
    kw_writer_u32(&w, first);
    kw_writer_u32(&w, second);
    return filter_body_parse(KW_SPAN(room, out.len + rest), &body);
}

static void test_heads_that_lie(void **state)
{
    (void)state;
    assert_int_equal(parse_head(1, 1, 1, 16).code, 0);
    assert_int_equal(parse_head(0, 1, 1, 8).code, KW_E_INPUT);
    assert_int_equal(parse_head(1, 0, 1, 8).code, KW_E_INPUT);
    assert_int_equal(parse_head(1, 1, 0, 8).code, KW_E_INPUT);
    assert_int_equal(parse_head(33, 1, 1, 34 * 8).code, KW_E_INPUT);
    assert_int_equal(parse_head(32, UINT32_MAX, UINT32_MAX, 64).code, KW_E_INPUT);
    assert_int_equal(parse_head(32, INT32_MAX, INT32_MAX, 64).code, KW_E_INPUT);
}

/* --- the file --------------------------------------------------------------------------------- */

struct rig {
    struct privkey *key, *other;
    struct kw_bytes *body;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    TEST_OP(op);

    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &rig->key));
    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &rig->other));
    rig->body = make(1000, 10);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    privkey_unref(rig->key);
    privkey_unref(rig->other);
    kw_bytes_free(rig->body);
    free(rig);
    return 0;
}

static void hex_of(const uint8_t hash[KW_HASH_BYTES], char text[2 * KW_HASH_BYTES + 1])
{
    kw_hex(KW_SPAN(hash, KW_HASH_BYTES), text, 2 * KW_HASH_BYTES + 1);
}

static struct kw_bytes *statement_of(const struct rig *rig, const char *revoked)
{
    char issuer[2 * KW_HASH_BYTES + 1], body[2 * KW_HASH_BYTES + 1];
    uint8_t hash[KW_HASH_BYTES];
    struct kw_bytes *text = NULL;

    hex_of(pubkey_id(privkey_public(rig->key)), issuer);
    digest_sha256(kw_bytes_span(rig->body), hash);
    hex_of(hash, body);
    assert_int_equal(kw_bytes_new(0, &text).code, 0);
    assert_int_equal(kw_bytes_printf(text,
                                     "revocation-filter v1\nca: devices\nissuer-spki-sha256: %s\n"
                                     "number: 7\nthis-update: 2026-11-21T13:00:00Z\n"
                                     "next-update: 2026-11-22T13:00:00Z\n"
                                     "begin-until: 2026-11-21T12:49:00Z\n"
                                     "end-from: 2026-11-20T13:00:00Z\ncertificates: 1000\n"
                                     "revoked: %s\nbody-sha256: %s\n",
                                     issuer, revoked, body)
                         .code,
                     0);
    return text;
}

static struct kw_bytes *file_of(const struct rig *rig, const struct privkey *signer,
                                const char *revoked)
{
    AUTO(kw_bytes) *statement = statement_of(rig, revoked);
    struct kw_bytes *file = NULL;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    TEST_OP(op);

    assert_ok(&op, privkey_sign(&op, signer, kw_bytes_span(statement), &sig));
    assert_ok(&op, filter_join(&op, kw_bytes_span(statement), kw_out_span(&sig),
                               kw_bytes_span(rig->body), &file));
    return file;
}

enum { NOON = 1795262400, HOUR = 3600 }; /* 2026-11-21T12:00:00Z */

static void test_asking(void **state)
{
    const struct rig *rig = *state;
    AUTO(kw_bytes) *file = file_of(rig, rig->key, "10");
    uint8_t room[KW_HASH_BYTES];
    struct filter filter;
    TEST_OP(op);

    assert_ok(&op, filter_parse(&op, kw_bytes_span(file), &filter));
    assert_ok(&op, filter_verify(&op, &filter, privkey_public(rig->key)));
    assert_string_equal(filter.said.ca, "devices");
    assert_int_equal(filter.said.number, 7);
    assert_int_equal(filter.said.this_update, NOON + HOUR);
    assert_int_equal(filter.said.revoked, 10);
    struct kw_span revoked = serial_of(3, room);
    int64_t now = NOON + 2 * HOUR, begin = NOON - HOUR, end = NOON + 100 * HOUR;
    assert_int_equal(filter_ask(&filter, revoked, begin, end, now), FILTER_REVOKED);
    assert_int_equal(filter_ask(&filter, serial_of(30, room), begin, end, now), FILTER_GOOD);
    /* the borders, both sides of each */
    int64_t until = filter.said.begin_until, from = filter.said.end_from;
    revoked = serial_of(3, room);
    assert_int_equal(filter_ask(&filter, revoked, until, end, now), FILTER_REVOKED);
    assert_int_equal(filter_ask(&filter, revoked, until + 1, end, now), FILTER_NOT_COVERED);
    assert_int_equal(filter_ask(&filter, revoked, begin, from, now), FILTER_REVOKED);
    assert_int_equal(filter_ask(&filter, revoked, begin, from - 1, now), FILTER_NOT_COVERED);
    int64_t last = filter.said.next_update, first = filter.said.this_update - 300;
    assert_int_equal(filter_ask(&filter, revoked, begin, end, last - 1), FILTER_REVOKED);
    assert_int_equal(filter_ask(&filter, revoked, begin, end, last), FILTER_STALE);
    assert_int_equal(filter_ask(&filter, revoked, begin, end, first), FILTER_REVOKED);
    assert_int_equal(filter_ask(&filter, revoked, begin, end, first - 1), FILTER_STALE);
}

static void test_another_signer(void **state)
{
    const struct rig *rig = *state;
    AUTO(kw_bytes) *file = file_of(rig, rig->other, "10");
    struct filter filter;
    TEST_OP(op);

    assert_ok(&op, filter_parse(&op, kw_bytes_span(file), &filter));
    assert_int_equal(filter_verify(&op, &filter, privkey_public(rig->key)).code, KW_E_DENIED);
    kw_op_clear(&op);
    assert_int_equal(filter_verify(&op, &filter, privkey_public(rig->other)).code, KW_E_DENIED);
}

/* Whatever octet is another one: it is refused, at one step or the other. */
static void test_every_octet_counts(void **state)
{
    const struct rig *rig = *state;
    AUTO(kw_bytes) *file = file_of(rig, rig->key, "10");

    for (size_t i = 0; i < file->len; i++) {
        struct filter filter;
        TEST_OP(op);
        file->p[i] ^= 0x01;
        assert_false(kw_ok(filter_parse(&op, kw_bytes_span(file), &filter)) &&
                     kw_ok(filter_verify(&op, &filter, privkey_public(rig->key))));
        file->p[i] ^= 0x01;
    }
}

static void test_statements_that_are_none(void **state)
{
    static const char *const numbers[] = {"",    "-1", "010", "1 ",
                                          "0x1", "1k", " 10", "99999999999999999999"};
    const struct rig *rig = *state;

    for (unsigned i = 0; i < KW_COUNT(numbers); i++) {
        AUTO(kw_bytes) *file = file_of(rig, rig->key, numbers[i]);
        struct filter filter;
        TEST_OP(op);
        assert_int_equal(filter_parse(&op, kw_bytes_span(file), &filter).code, KW_E_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_about_all),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_nothing_revoked),
        cmocka_unit_test(test_one_serial_two_answers),
        cmocka_unit_test(test_no_serial),
        cmocka_unit_test(test_body_of_any_other_length),
        cmocka_unit_test(test_heads_that_lie),
        cmocka_unit_test_setup_teardown(test_asking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_signer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_octet_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statements_that_are_none, setup, teardown),
    };

    return cmocka_run_group_tests_name("crypto_filter", tests, NULL, NULL);
}
