/* Texts of certificate states, device states and revocation reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/cert_state.h"

static void test_revocation_reasons_are_those_of_rfc_5280(void **state)
{
    (void)state;
    /* RFC 5280 section 5.3.1, copied from its ASN.1; 7 is unused, 8 is for delta CRLs. */
    static const struct {
        int number;
        const char *text;
    } rows[] = {
        {0,  "unspecified"         },
        {1,  "keyCompromise"       },
        {2,  "cACompromise"        },
        {3,  "affiliationChanged"  },
        {4,  "superseded"          },
        {5,  "cessationOfOperation"},
        {6,  "certificateHold"     },
        {9,  "privilegeWithdrawn"  },
        {10, "aACompromise"        },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(revoke_reason_text(rows[i].number), rows[i].text);
        assert_int_equal(revoke_reason_from_text(rows[i].text), rows[i].number);
    }
    static const int none[] = {-1, 7, 8, 11, 255, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_string_equal(revoke_reason_text(none[i]), "unknown");
    }
    assert_int_equal(revoke_reason_from_text("unknown"), -1);
    assert_int_equal(revoke_reason_from_text("removeFromCRL"), -1);
    assert_int_equal(revoke_reason_from_text(""), -1);
}

static void test_states_have_their_texts(void **state)
{
    (void)state;
    assert_string_equal(cert_state_text(CERT_STATE_VALID), "valid");
    assert_string_equal(cert_state_text(CERT_STATE_SUPERSEDED), "superseded");
    assert_string_equal(cert_state_text(CERT_STATE_HELD), "held");
    assert_string_equal(cert_state_text(CERT_STATE_REVOKED), "revoked");
    assert_string_equal(cert_state_text((enum cert_state)0), "unknown");
    assert_string_equal(cert_state_text((enum cert_state)99), "unknown");
    assert_string_equal(device_state_text(DEVICE_REGISTERED), "registered");
    assert_string_equal(device_state_text(DEVICE_ACTIVE), "active");
    assert_string_equal(device_state_text(DEVICE_SUSPENDED), "suspended");
    assert_string_equal(device_state_text(DEVICE_RETIRED), "retired");
    assert_string_equal(device_state_text((enum device_state)0), "unknown");
    assert_string_equal(device_state_text((enum device_state) - 1), "unknown");
}

static void test_stored_numbers(void **state)
{
    (void)state;
    assert_int_equal(CERT_STATE_VALID, 1);
    assert_int_equal(CERT_STATE_REVOKED, 4);
    assert_int_equal(DEVICE_REGISTERED, 1);
    assert_int_equal(DEVICE_RETIRED, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revocation_reasons_are_those_of_rfc_5280),
        cmocka_unit_test(test_states_have_their_texts),
        cmocka_unit_test(test_stored_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
