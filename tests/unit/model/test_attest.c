/* How rounds of attestation become a verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/attest.h"

static const struct attest_patience patience = ATTEST_PATIENCE_DEFAULT;
enum { HOUR_MS = 3600 * 1000 };

/* One letter a round: g good, b bad, - one that does not count; verdicts after each: */
static void verdicts_follow(void **state)
{
    static const struct {
        const char *rounds, *verdicts;
    } rows[] = {
        {"g",       "t"      },
        {"b",       "s"      },
        {"gb",      "ts"     },
        {"gbg",     "tst"    }, /* one failure is forgiven at once */
        {"gbbb",    "tssf"   }, /* 3 of 5 */
        {"gbgbgb",  "tststf" },
        {"bbbg",    "ssfs"   }, /* a good round alone does not clear it … */
        {"bbbggg",  "ssfsst" }, /* … until the failures are old enough */
        {"g-----",  "tttttt" }, /* what does not count changes nothing */
        {"b-b-b",   "ssssf"  },
        {"bgggggb", "sttttts"},
    };
    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct attest_standing standing = {0};

        for (size_t j = 0; rows[i].rounds[j]; j++) {
            char c = rows[i].rounds[j];
            attest_round(&standing, &patience,
                         c == 'g'   ? ATTEST_R_OK
                         : c == 'b' ? ATTEST_R_BAD_SIGNATURE
                                    : ATTEST_R_NONCE_EXPIRED,
                         (int64_t)j * 1000 + 1);
            if ("ntsf"[standing.verdict] != rows[i].verdicts[j]) {
                fail_msg("'%s' after %zu rounds: %s", rows[i].rounds, j + 1,
                         attest_verdict_text(standing.verdict));
            }
        }
    }
}

static void trust_runs_out(void **state)
{
    struct attest_standing standing = {0};

    (void)state;
    assert_int_equal(attest_verdict_now(&standing, HOUR_MS), ATTEST_NONE);
    attest_round(&standing, &patience, ATTEST_R_OK, 1000);
    assert_int_equal(standing.valid_until_ms, 1000 + 24LL * HOUR_MS);
    assert_int_equal(attest_verdict_now(&standing, 1000 + 24LL * HOUR_MS), ATTEST_TRUSTED);
    assert_int_equal(attest_verdict_now(&standing, 1001 + 24LL * HOUR_MS), ATTEST_SUSPECT);
    attest_round(&standing, &patience, ATTEST_R_REPLAY, 2000);
    assert_int_equal(standing.valid_until_ms, 0);
    assert_int_equal(standing.trusted_ms, 1000);
}

static void what_an_operator_took_stays_taken(void **state)
{
    struct attest_standing standing = {0};

    (void)state;
    attest_round(&standing, &patience, ATTEST_R_OK, 1000);
    attest_take(&standing, ATTEST_TAKEN_DEVICE);
    assert_int_equal(standing.verdict, ATTEST_FAILED);
    assert_int_equal(standing.reason, ATTEST_R_UNTRUSTED);
    assert_int_equal(standing.valid_until_ms, 0);
    attest_round(&standing, &patience, ATTEST_R_OK, 2000); /* good, and no way back */
    attest_take(&standing, ATTEST_TAKEN_REFERENCE);        /* nor does this change whose it is */
    attest_round(&standing, &patience, ATTEST_R_OK, 3000);
    assert_int_equal(standing.verdict, ATTEST_FAILED);
    assert_int_equal(standing.reason, ATTEST_R_UNTRUSTED);
    attest_give_back(&standing); /* as if nothing had been: the rounds meanwhile counted */
    assert_int_equal(standing.verdict, ATTEST_TRUSTED);
    assert_int_equal(standing.valid_until_ms, 3000 + 24LL * HOUR_MS);
    attest_give_back(&standing);
    assert_int_equal(standing.verdict, ATTEST_TRUSTED);

    attest_take(&standing, ATTEST_TAKEN_DEVICE);
    attest_rebind(&standing);
    assert_int_equal(standing.reason, ATTEST_R_UNTRUSTED);
    attest_give_back(&standing);
    assert_int_equal(standing.verdict, ATTEST_NONE); /* its new keys showed nothing yet */
}

static void trust_in_a_reference_set_ends_with_the_set(void **state)
{
    struct attest_standing standing = {0};

    (void)state;
    attest_round(&standing, &patience, ATTEST_R_OK, 1000);
    attest_take(&standing, ATTEST_TAKEN_REFERENCE);
    assert_int_equal(standing.reason, ATTEST_R_REFERENCE_UNTRUSTED);
    attest_round(&standing, &patience, ATTEST_R_REFERENCE_CLOSED, 2000);
    assert_int_equal(standing.verdict, ATTEST_FAILED);
    attest_round(&standing, &patience, ATTEST_R_OK, 3000); /* by another set */
    assert_int_equal(standing.verdict, ATTEST_TRUSTED);
    assert_int_equal(standing.taken, ATTEST_NOT_TAKEN);
}

static void a_revoked_endorsement_key_fails_at_once(void **state)
{
    struct attest_standing standing = {0};

    (void)state;
    attest_round(&standing, &patience, ATTEST_R_OK, 1000);
    attest_round(&standing, &patience, ATTEST_R_EK_REVOKED, 2000);
    assert_int_equal(standing.verdict, ATTEST_FAILED);
    assert_int_equal(standing.valid_until_ms, 0);
}

static void patience_has_bounds(void **state)
{
    static const struct attest_patience bad[] = {
        {0, 5,  24,   10  },
        {6, 5,  24,   10  },
        {3, 17, 24,   10  },
        {3, 5,  0,    10  },
        {3, 5,  9000, 10  },
        {3, 5,  24,   0   },
        {3, 5,  24,   1441},
    };

    (void)state;
    assert_true(attest_patience_fits(&patience));
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_false(attest_patience_fits(&bad[i]));
    }
}

static void a_long_history_fits(void **state)
{
    const struct attest_patience longest = {.failed = 16, .rounds = 16, .trusted_hours = 1};
    struct attest_standing standing = {0};

    (void)state;
    for (unsigned i = 1; i <= 40; i++) {
        attest_round(&standing, &longest, ATTEST_R_LOG_MISMATCH, i);
        assert_int_equal(standing.verdict, i < 16 ? ATTEST_SUSPECT : ATTEST_FAILED);
    }
}

static void reasons_have_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ATTEST_REASON_MAX; i++) {
        const char *text = attest_reason_text((enum attest_reason)i);

        assert_int_equal(attest_reason_from_text(text), i); /* no two are alike */
        assert_true(strlen(text) > 1 && strlen(text) < 32); /* the store's room */
        assert_true(strlen(attest_reason_meaning((enum attest_reason)i)) > 10);
    }
    assert_int_equal(attest_reason_from_text("nonsense"), ATTEST_REASON_MAX);
    assert_true(attest_reason_counts(ATTEST_REASON_MAX)); /* what is not known is no excuse */
}

static void levels_tell_stand_ins(void **state)
{
    char text[ATTEST_LEVEL_TEXT];

    (void)state;
    attest_level_text(ATTEST_AL3, false, text);
    assert_string_equal(text, "AL3");
    attest_level_text(ATTEST_AL1, true, text);
    assert_string_equal(text, "AL1 SIMULATED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow),
        cmocka_unit_test(trust_runs_out),
        cmocka_unit_test(a_long_history_fits),
        cmocka_unit_test(reasons_have_texts),
        cmocka_unit_test(levels_tell_stand_ins),
        cmocka_unit_test(what_an_operator_took_stays_taken),
        cmocka_unit_test(trust_in_a_reference_set_ends_with_the_set),
        cmocka_unit_test(patience_has_bounds),
        cmocka_unit_test(a_revoked_endorsement_key_fails_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
