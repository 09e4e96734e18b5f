/* Strict DER: one encoding for one value. Examples are from X.690 and from what OpenSSL lets pass.
 */
#include "crypto/der.h"

#include <openssl/err.h>

#include "base/time.h"
#include "kit.h"

static bool is_strict(const char *hex)
{
    AUTO(kw_bytes) *der = from_hex(hex);
    return der_is_strict(kw_bytes_span(der));
}

static void good_encodings_pass(void **state)
{
    static const char *const good[] = {
        "0500",
        "0101ff",
        "010100",
        "020100",
        "02017f",
        "02020080",
        "0201ff",
        "0202ff7f",
        "030100",
        "03020780",
        "0400",
        "0603550403",
        "3000",
        "3100",
        "30030201"
        "01",
        "3106020101020102",
        "a003020102",
        "8000",
        "800100",
        "1f1f00",
        "0c0161",
        "30060500"
        "a0020500",
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(good); i++) {
        if (!is_strict(good[i])) {
            fail_msg("%s", good[i]);
        }
    }
}

static void other_encodings_do_not(void **state)
{
    static const char *const bad[] = {
        "",
        "30",
        "3001",
        "0500"
        "00", /* cut, or octets behind */
        "058100",
        "30810100",
        "3082000100",
        "30840000000100", /* lengths not the shortest */
        "30800000",
        "24800401610000", /* indefinite */
        "1f0500",
        "1f801f00", /* tags not the shortest */
        "010101",
        "01020000",
        "0100", /* booleans */
        "0200",
        "02020001",
        "0202ff80",
        "0a020001", /* integers */
        "0300",
        "030101",
        "03020781",
        "030208"
        "00",     /* bit strings */
        "050100", /* NULL with contents */
        "0600",
        "060180",
        "06028001",
        "06025580", /* object identifiers */
        "1000",
        "1100",
        "2400",
        "2101ff",           /* constructed or not */
        "0000",             /* end of contents */
        "3106020102020101", /* SET out of order */
        "3003020101"
        "020101",       /* two elements */
        "300402010102", /* element reaches out */
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        if (is_strict(bad[i])) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void depth_has_a_limit(void **state)
{
    uint8_t deep[2 * 64];
    size_t n = 0;

    (void)state;
    for (size_t levels = 1; levels <= 60; levels++) {
        n = 2 * levels;
        for (size_t i = 0; i < levels; i++) {
            deep[2 * i] = 0x30;
            deep[2 * i + 1] = (uint8_t)(n - 2 * i - 2);
        }
        assert_int_equal(der_is_strict(KW_SPAN(deep, n)), levels <= DER_DEPTH_MAX);
    }
}

static void elements_are_taken_one_by_one(void **state)
{
    AUTO(kw_bytes) *der = from_hex("0201050500"
                                   "3003020107");
    struct kw_span rest = kw_bytes_span(der);
    struct kw_span one;

    (void)state;
    assert_true(der_take(&rest, &one));
    assert_int_equal(one.len, 3);
    assert_true(der_take(&rest, &one));
    assert_int_equal(one.len, 2);
    assert_true(der_take(&rest, &one));
    assert_true(der_contents(one, V_ASN1_SEQUENCE, &one));
    assert_int_equal(one.len, 3);
    assert_false(der_contents(one, V_ASN1_SEQUENCE, &one));
    assert_false(der_take(&rest, &one));
}

static void times_go_there_and_back(void **state)
{
    static const int64_t times[] = {0,
                                    1,
                                    INT64_C(951782399),
                                    INT64_C(2524607999),
                                    INT64_C(2524608000),
                                    INT64_C(4102444800),
                                    KW_TIME_NEVER};
    AUTO(ASN1_TIME) *time = ASN1_TIME_new();
    int64_t back = -1;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(times); i++) {
        assert_code(der_time_set(NULL, time, times[i]), KW_CODE_OK);
        assert_code(der_time_get_strict(NULL, time, &back), KW_CODE_OK);
        assert_int_equal(back, times[i]);
    }
    assert_code(der_time_set(NULL, time, -1), KW_E_INPUT);
    assert_code(der_time_set(NULL, time, KW_TIME_NEVER + 1), KW_E_INPUT);
}

static void failures_leave_no_residue_in_openssl(void **state)
{
    AUTO(kw_bytes) *der = from_hex("3003020101");
    ASN1_INTEGER *number = NULL;

    (void)state;
    ERR_clear_error();
    assert_false(is_strict("3001"));
    assert_code(
        der_decode(NULL, ASN1_ITEM_rptr(ASN1_INTEGER), kw_bytes_span(der), "number", &number),
        KW_E_INPUT);
    assert_null(number);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_encodings_pass),
        cmocka_unit_test(other_encodings_do_not),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(elements_are_taken_one_by_one),
        cmocka_unit_test(times_go_there_and_back),
        cmocka_unit_test(failures_leave_no_residue_in_openssl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
