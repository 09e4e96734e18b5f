#include <ctype.h>

#include "crypto/share.h"
#include "crypto/share_words.h"
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

/* secret: at most 32 characters, the rest is zero */
static struct set split(const char *secret, unsigned m, unsigned n)
{
    uint8_t octets[SHARE_SECRET_BYTES] = {0};
    memcpy(octets, secret, strlen(secret));
    struct set set = {.secret = secret_of(KW_SPAN_ARRAY(octets))};
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
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    SET most = split("x", KW_SHARES_MAX, KW_SHARES_MAX);
    assert_gives(&most, most.shares, KW_SHARES_MAX);

    SET none = {.secret = secret_text("thirty-one octets are not enough")};
    assert_int_equal(kw_secret_len(none.secret), 32);
    kw_secret_trim(none.secret, 31);
    assert_code(share_split(&op, none.secret, 2, 3, none.shares), KW_E_INPUT);
    assert_code(share_split(&op, most.secret, 1, 3, none.shares), KW_E_INPUT);
    assert_code(share_split(&op, most.secret, 4, 3, none.shares), KW_E_INPUT);
    assert_code(share_split(&op, most.secret, 2, KW_SHARES_MAX + 1, none.shares), KW_E_INPUT);
    assert_null(none.shares[0]);
}

static void text_of(const struct kw_secret *share, char text[512])
{
    struct kw_span span = kw_secret_span(share);

    assert_true(span.len < 512);
    memcpy(text, span.p, span.len);
    text[span.len] = '\0';
}

/* What people write down: 35 words of the list; the same beginning tells the set. */
static void a_share_is_35_words(void **state)
{
    char text[512];
    (void)state;
    SET set = split("sixteen octets..", 2, 3);

    for (unsigned i = 0; i < 3; i++) {
        struct share_info info;
        struct kw_op op;
        unsigned n = 1;
        text_of(set.shares[i], text);
        for (const char *p = text; *p; p++) {
            assert_true(*p == ' ' || (*p >= 'a' && *p <= 'z'));
            n += *p == ' ';
        }
        assert_int_equal(n, 35);
        kw_op_init(&op, "test", 0);
        assert_ok(&op, share_check(&op, set.shares[i], &info));
        assert_int_equal(info.m, 2);
        assert_int_equal(info.index, i + 1);
        assert_int_equal(strlen(info.set), 6);
    }
}

static void the_list_is_told_apart_by_four_letters(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SHARE_WORDS; i++) {
        assert_true(strlen(share_words[i]) >= SHARE_WORD_UNIQUE);
        assert_true(i == 0 || strncmp(share_words[i - 1], share_words[i], SHARE_WORD_UNIQUE) < 0);
    }
}

/* The text with word `at` (from 0) replaced. */
static void replace_word(const char *text, unsigned at, const char *word, char ret[512])
{
    const char *p = text;
    size_t n_out = 0;

    for (unsigned i = 0; i < 35; i++) {
        size_t n = strcspn(p, " ");
        int len = snprintf(ret + n_out, 512 - n_out, "%s%.*s", i ? " " : "",
                           i == at ? (int)strlen(word) : (int)n, i == at ? word : p);
        assert_true(len > 0);
        n_out += (size_t)len;
        p += n + (p[n] == ' ');
    }
}

static const char *word_other_than(const char *text, unsigned at)
{
    const char *p = text;

    for (unsigned i = 0; i < at; i++) {
        p = strchr(p, ' ') + 1;
    }
    const char *other = share_words[(at * 29 + 7) % SHARE_WORDS];
    return strncmp(p, other, strlen(other)) == 0 ? share_words[3] : other;
}

static void a_wrong_word_is_found_and_named(void **state)
{
    char text[512], wrong[512], want[64];
    struct share_info info;
    struct kw_op op;
    (void)state;
    SET set = split("secret", 2, 3);

    text_of(set.shares[1], text);
    for (unsigned at = 0; at < 35; at++) {
        replace_word(text, at, word_other_than(text, at), wrong);
        AUTO(kw_secret) *typed = secret_text(wrong);
        AUTO(kw_secret) *joined = NULL;
        struct kw_secret *pair[] = {set.shares[0], typed};
        kw_op_init(&op, "test", 0);
        assert_code(share_check(&op, typed, &info), KW_E_INPUT);
        (void)snprintf(want, sizeof(want), "word %u is wrong: the checksum differs", at + 1);
        assert_string_equal(kw_op_cause(&op), want);
        kw_op_init(&op, "test", 0);
        assert_code(join(&op, pair, 2, &joined), KW_E_INPUT);
        assert_non_null(strstr(kw_op_cause(&op), "share 2: word"));
        assert_null(joined);
    }
}

/* Two wrong words, or neighbours in the wrong order: never taken, never blamed on another word. */
static void several_wrong_words_are_found(void **state)
{
    char text[512], once[512], twice[512];
    struct share_info info;
    struct kw_op op;
    (void)state;
    SET set = split("secret", 2, 2);

    text_of(set.shares[0], text);
    for (unsigned at = 0; at + 1 < 35; at++) {
        replace_word(text, at, word_other_than(text, at), once);
        replace_word(once, 34, word_other_than(text, 34), twice);
        AUTO(kw_secret) *typed = secret_text(twice);
        kw_op_init(&op, "test", 0);
        assert_code(share_check(&op, typed, &info), KW_E_INPUT);
        assert_non_null(strstr(kw_op_cause(&op), "several words"));
    }
}

static void a_misspelt_word_is_named_with_the_one_meant(void **state)
{
    char text[512], wrong[512];
    struct share_info info;
    struct kw_op op;
    (void)state;
    SET set = split("secret", 2, 2);
    static const struct {
        const char *typed, *meant;
    } rows[] = {
        {"acadmic",     "'acadmic', is not in the list; did you mean 'academic'?"  },
        {"ACADEMICS",   "'academics', is not in the list; did you mean 'academic'?"},
        {"alcohl",      "'alcohl', is not in the list; did you mean 'alcohol'?"    },
        {"xxxxxxxxxx",  "'xxxxxxxxxx', is not in the list"                         },
        {"caf\xc3\xa9", "'?', is not in the list"                                  },
    };

    text_of(set.shares[0], text);
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        replace_word(text, 6, rows[i].typed, wrong);
        AUTO(kw_secret) *typed = secret_text(wrong);
        kw_op_init(&op, "test", 0);
        assert_code(share_check(&op, typed, &info), KW_E_INPUT);
        assert_non_null(strstr(kw_op_cause(&op), "word 7"));
        assert_non_null(strstr(kw_op_cause(&op), rows[i].meant));
    }
    AUTO(kw_secret) *cut = secret_of(kw_span_sub(kw_span_text(text), 0, strrchr(text, ' ') - text));
    kw_op_init(&op, "test", 0);
    assert_code(share_check(&op, cut, &info), KW_E_INPUT);
    assert_non_null(strstr(kw_op_cause(&op), "it has 34 words; a share has 35"));
}

/* First letters suffice; case, numbers and line ends are the writer's own. */
static void a_share_is_read_as_people_write_it(void **state)
{
    char text[512], typed[1024] = "# from the safe\n\t";
    size_t n = strlen(typed);
    (void)state;
    SET set = split("secret", 2, 2);

    text_of(set.shares[0], text);
    const char *p = text;
    for (unsigned i = 0; i < 35; i++) {
        int len =
            snprintf(typed + n, sizeof(typed) - n, i % 2 ? "%u. %.4s\r\n" : "%u %.4s ", i + 1, p);
        typed[n + 3] = (char)toupper((unsigned char)typed[n + 3]);
        n += (size_t)len;
        p += strcspn(p, " ") + 1;
    }
    AUTO(kw_secret) *short_words = secret_text(typed);
    struct kw_secret *pair[] = {short_words, set.shares[1]};
    assert_gives(&set, pair, 2);
}

static void a_page_is_read_back(void **state)
{
    AUTO(kw_secret) *page = NULL;
    struct kw_op op;
    char text[1024];
    (void)state;
    SET set = split("secret", 2, 3);

    kw_op_init(&op, "test", 0);
    assert_ok(&op, share_page(&op, set.shares[2], "vault 'issuing'", &page));
    struct kw_span span = kw_secret_span(page);
    assert_true(span.len < sizeof(text));
    memcpy(text, span.p, span.len);
    text[span.len] = '\0';
    assert_non_null(strstr(text, "# vault 'issuing': share 3, set "));
    assert_non_null(strstr(text, "\n 6. "));
    assert_non_null(strstr(text, "35. "));
    struct kw_secret *pair[] = {page, set.shares[0]};
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

/* Two splittings that got the same set id: the hash inside tells. */
static void shares_that_only_look_alike_give_nothing(void **state)
{
    AUTO(kw_secret) *forged =
        secret_text("ancestor herald ruin belong herald mixture mental lift helpful remind ancient "
                    "parcel broken demand sweater rainbow prepare safari reunion video dominant "
                    "ruin submit scandal birthday hybrid invasion replace reaction boring meaning "
                    "music laden counter aviation");
    AUTO(kw_secret) *partner = secret_text(
        "ancestor herald ruin greatest sunlight exclude medal emission space flame lips "
        "likely darkness decent analysis traveler injury dish stick parking episode "
        "havoc devote salt alcohol filter pregnant welfare extend frost sweater home "
        "faint disaster silver");
    AUTO(kw_secret) *joined = NULL;
    struct kw_secret *pair[] = {forged, partner};
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_code(join(&op, pair, 2, &joined), KW_E_INTEGRITY);
    assert_null(joined);
}

/* Made by other code from what share.h says: a share must be readable without this program. */
static void shares_of_another_program_are_joined(void **state)
{
    static const char *const texts[] = {
        "ancestor herald safari aspect gesture angel aluminum eyebrow maximum traveler "
        "legal legs charity bulb human dining sprinkle preach wrap rescue island coal "
        "equation general indicate valuable marathon painting involve erode bucket "
        "likely dramatic fatal vexed",
        "ancestor herald salary muscle machine penalty friendly yield fantasy eclipse "
        "diminish profile sidewalk timely daughter switch unkind industry walnut yelp "
        "provide coal training slavery mixed kind thank valuable crystal therapy move "
        "holiday smug both lyrics",
        "ancestor herald salt scared crush daisy involve decrease easel finance elegant "
        "silent prayer extra tenant exchange wisdom window meaning dragon salon fiction "
        "guard stay listen priority living home script furl mountain reunion robin coal "
        "trash",
    };
    struct kw_secret *shares[KW_COUNT(texts)];
    uint8_t octets[SHARE_SECRET_BYTES];
    AUTO(kw_secret) *joined = NULL;
    struct kw_op op;
    (void)state;

    for (uint8_t i = 0; i < sizeof(octets); i++) {
        octets[i] = i;
    }
    AUTO(kw_secret) *want = secret_of(KW_SPAN_ARRAY(octets));
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
        cmocka_unit_test(a_share_is_35_words),
        cmocka_unit_test(the_list_is_told_apart_by_four_letters),
        cmocka_unit_test(a_wrong_word_is_found_and_named),
        cmocka_unit_test(several_wrong_words_are_found),
        cmocka_unit_test(a_misspelt_word_is_named_with_the_one_meant),
        cmocka_unit_test(a_share_is_read_as_people_write_it),
        cmocka_unit_test(a_page_is_read_back),
        cmocka_unit_test(the_same_or_a_foreign_share_is_refused),
        cmocka_unit_test(shares_of_another_program_are_joined),
        cmocka_unit_test(shares_that_only_look_alike_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
