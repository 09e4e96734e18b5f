#include <ctype.h>

#include "crypto/share.h"
#include "kit.h"

struct set {
    struct kw_secret *secret;
    struct kw_secret *shares[KW_SHARES_MAX];
};

static void set_done(struct set *set)
{
    kw_secret_free(set->secret);
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        kw_secret_free(set->shares[i]);
    }
}
#define SET __attribute__((cleanup(set_done))) struct set

static struct set split(const char *secret, unsigned m, unsigned n)
{
    struct set set = {.secret = secret_text(secret)};
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, share_split(&op, set.secret, m, n, set.shares));
    return set;
}

static kw_status join(struct kw_op *op, struct kw_secret *const shares[], unsigned n,
                      struct kw_secret **ret)
{
    const struct kw_secret *given[KW_SHARES_MAX + 1];
    for (unsigned i = 0; i < n; i++) {
        given[i] = shares[i];
    }
    return share_join(op, given, n, ret);
}

static void assert_gives(const struct set *set, struct kw_secret *const shares[], unsigned n)
{
    AUTO(kw_secret) *joined = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, join(&op, shares, n, &joined));
    assert_true(kw_secret_equal(joined, set->secret));
}

static void any_m_of_n_and_more_give_it_back(void **state)
{
    (void)state;
    SET set = split("the key under the root", 3, 5);

    for (unsigned picked = 0; picked < 1u << 5; picked++) {
        struct kw_secret *some[5];
        unsigned n = 0;
        for (unsigned i = 5; i-- > 0;) {
            if ((picked & 1u << i) != 0) {
                some[n++] = set.shares[i];
            }
        }
        if (n >= 3) {
            assert_gives(&set, some, n);
            continue;
        }
        AUTO(kw_secret) *joined = NULL;
        struct kw_op op;
        kw_op_init(&op, "test", 0);
        assert_code(join(&op, some, n, &joined), KW_E_DENIED);
        assert_null(joined);
    }
}

static void sizes_and_bounds(void **state)
{
    char longest[SHARE_SECRET_MAX + 1];
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    memset(longest, 'x', SHARE_SECRET_MAX);
    longest[SHARE_SECRET_MAX] = '\0';
    SET big = split(longest, 2, 2);
    assert_gives(&big, big.shares, 2);
    SET small = split("x", KW_SHARES_MAX, KW_SHARES_MAX);
    assert_gives(&small, small.shares, KW_SHARES_MAX);

    SET none = {.secret = secret_text("")};
    assert_code(share_split(&op, none.secret, 2, 3, none.shares), KW_E_INPUT);
    assert_code(share_split(&op, small.secret, 1, 3, none.shares), KW_E_INPUT);
    assert_code(share_split(&op, small.secret, 4, 3, none.shares), KW_E_INPUT);
    assert_code(share_split(&op, small.secret, 2, KW_SHARES_MAX + 1, none.shares), KW_E_INPUT);
    assert_null(none.shares[0]);
}

/* The form that share.h promises, since people write it down and other versions must read it. */
static void the_text_is_as_documented(void **state)
{
    (void)state;
    SET set = split("sixteen octets..", 2, 3);

    for (unsigned i = 0; i < 3; i++) {
        char text[128] = "";
        struct kw_span span = kw_secret_span(set.shares[i]);
        char head[8];
        assert_int_equal(span.len, strlen("kwshare1-01234567-2-1-") + 2 * (16 + 8) + 1 + 8);
        memcpy(text, span.p, span.len);
        assert_memory_equal(text, "kwshare1-", 9);
        (void)snprintf(head, sizeof(head), "-2-%u-", i + 1);
        assert_memory_equal(text + 17, head, 5);
        assert_memory_equal(text + 9, kw_secret_span(set.shares[0]).p + 9, 8);
        assert_null(strpbrk(text, "ABCDEF\n "));
    }
}

static struct kw_secret *changed(const struct kw_secret *share, size_t at, char c)
{
    struct kw_secret *copy = secret_of(kw_secret_span(share));
    kw_secret_data(copy)[at] = (uint8_t)c;
    return copy;
}

static void a_typing_error_anywhere_is_found(void **state)
{
    struct kw_op op;
    (void)state;
    SET set = split("secret", 2, 3);
    size_t len = kw_secret_len(set.shares[0]);

    for (size_t at = 0; at < len; at++) {
        char old = (char)kw_secret_data(set.shares[1])[at];
        AUTO(kw_secret) *wrong = changed(set.shares[1], at, old == '7' ? '3' : '7');
        AUTO(kw_secret) *joined = NULL;
        struct kw_secret *pair[] = {set.shares[0], wrong};
        kw_op_init(&op, "test", 0);
        assert_code(join(&op, pair, 2, &joined), KW_E_INPUT);
        assert_non_null(strstr(kw_op_cause(&op), "share 2"));
    }
    for (size_t n = 0; n < len; n++) {
        AUTO(kw_secret) *cut = secret_of(kw_span_sub(kw_secret_span(set.shares[1]), 0, n));
        AUTO(kw_secret) *joined = NULL;
        struct kw_secret *pair[] = {set.shares[0], cut};
        assert_code(join(&op, pair, 2, &joined), KW_E_INPUT);
    }
}

static void white_space_and_capitals_do_no_harm(void **state)
{
    char text[256] = " \t";
    (void)state;
    SET set = split("secret", 2, 2);
    struct kw_span span = kw_secret_span(set.shares[0]);

    memcpy(text + 2, span.p, span.len);
    for (size_t i = 2 + strlen("kwshare1"); i < 2 + span.len; i++) {
        text[i] = (char)toupper((unsigned char)text[i]);
    }
    memcpy(text + 2 + span.len, "\r\n", 3);
    AUTO(kw_secret) *typed = secret_text(text);
    struct kw_secret *pair[] = {typed, set.shares[1]};
    assert_gives(&set, pair, 2);
}

static void the_same_or_a_foreign_share_is_refused(void **state)
{
    AUTO(kw_secret) *joined = NULL;
    struct kw_op op;
    (void)state;
    SET set = split("secret", 2, 3);
    SET other = split("secret", 2, 3);
    struct kw_secret *twice[] = {set.shares[1], set.shares[1]};
    struct kw_secret *foreign[] = {set.shares[0], set.shares[1], other.shares[2]};

    kw_op_init(&op, "test", 0);
    assert_code(join(&op, twice, 2, &joined), KW_E_INPUT);
    assert_string_equal(kw_op_cause(&op), "shares 1 and 2 are the same one");
    assert_code(join(&op, foreign, 3, &joined), KW_E_INPUT);
    assert_string_equal(kw_op_cause(&op), "share 3 is of another set than share 1");
    assert_code(join(&op, set.shares, 0, &joined), KW_E_DENIED);
    assert_null(joined);
}

/* Two splittings that got the same set id (or a forger who knows the checksum): the hash inside
 * tells. */
static void shares_that_only_look_alike_give_nothing(void **state)
{
    AUTO(kw_secret) *forged = secret_text("kwshare1-00000000-2-1-000000000000000000-a42c4bfc");
    AUTO(kw_secret) *partner = secret_text("kwshare1-00000000-2-2-010000000000000000-576711c7");
    AUTO(kw_secret) *joined = NULL;
    struct kw_secret *pair[] = {forged, partner};
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_code(join(&op, pair, 2, &joined), KW_E_INTEGRITY);
    assert_null(joined);
}

/* Made by other code (GF(256) modulo x^8+x^4+x^3+x^2+1): a share must be readable without this
 * program. */
static void shares_of_another_program_are_joined(void **state)
{
    static const char *const texts[] = {
        "kwshare1-0a1b2c3d-3-1-505152956905ae9810bc9b-0fde228c",
        "kwshare1-0a1b2c3d-3-7-f23544307e440d75df5b0e-f8ce43c7",
        "kwshare1-0a1b2c3d-3-16-c8bab81d0f78bad32ad1f7-23d9a861",
    };
    struct kw_secret *shares[KW_COUNT(texts)];
    AUTO(kw_secret) *want = secret_text("abc");
    AUTO(kw_secret) *joined = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    for (size_t i = 0; i < KW_COUNT(texts); i++) {
        shares[i] = secret_text(texts[i]);
    }
    assert_ok(&op, join(&op, shares, KW_COUNT(texts), &joined));
    assert_true(kw_secret_equal(joined, want));
    for (size_t i = 0; i < KW_COUNT(texts); i++) {
        kw_secret_free(shares[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_m_of_n_and_more_give_it_back),
        cmocka_unit_test(sizes_and_bounds),
        cmocka_unit_test(the_text_is_as_documented),
        cmocka_unit_test(a_typing_error_anywhere_is_found),
        cmocka_unit_test(white_space_and_capitals_do_no_harm),
        cmocka_unit_test(the_same_or_a_foreign_share_is_refused),
        cmocka_unit_test(shares_of_another_program_are_joined),
        cmocka_unit_test(shares_that_only_look_alike_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
