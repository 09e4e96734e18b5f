#include "base/pem.h"
#include "check.h"

static kw_status next(const char *text, const char *label, size_t max, size_t *ret_used,
                      struct kw_bytes **ret)
{
    struct kw_span rest = kw_span_text(text);

    kw_status status = kw_pem_next(&rest, label, max, ret);
    *ret_used = strlen(text) - rest.len;
    return status;
}

static void blocks_go_there_and_back(void **state)
{
    uint8_t octets[150];
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_new(0, &text));
    for (size_t i = 0; i < sizeof(octets); i++) {
        octets[i] = (uint8_t)(i * 7);
    }
    for (size_t n = 0; n <= sizeof(octets); n++) {
        assert_ok(kw_pem_encode("CERTIFICATE", KW_SPAN(octets, n), text));
    }
    struct kw_span rest = kw_bytes_span(text);
    for (size_t n = 0; n <= sizeof(octets); n++) {
        AUTO(kw_bytes) *der = NULL;
        assert_ok(kw_pem_next(&rest, "CERTIFICATE", sizeof(octets), &der));
        assert_true(kw_span_equal(kw_bytes_span(der), KW_SPAN(octets, n)));
    }
    struct kw_bytes *none = NULL;
    assert_code(kw_pem_next(&rest, "CERTIFICATE", 10, &none), KW_E_NOT_FOUND);
}

static void the_text_is_as_rfc_7468_shows_it(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_new(0, &text));
    assert_ok(kw_pem_encode("X509 CRL", kw_span_text("foobar"), text));
    assert_span(kw_bytes_span(text),
                "-----BEGIN X509 CRL-----\nZm9vYmFy\n-----END X509 CRL-----\n");
}

static void other_blocks_and_text_are_passed_over(void **state)
{
    AUTO(kw_bytes) *der = NULL;
    size_t used = 0;

    (void)state;
    assert_ok(next("subject: CN=x\r\n-----BEGIN A-----\r\nZm9v\r\n-----END A-----\r\n"
                   " -----BEGIN B-----\n-----BEGIN B----- \t\r\nZm9v\nYmFy\n-----END B-----",
                   "B", 6, &used, &der));
    assert_span(kw_bytes_span(der), "foobar");
}

static void damaged_blocks_are_refused_in_place(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN A-----\nZm9v\n",
        "-----BEGIN A-----\nZm9v\n-----END B-----\n",
        "-----BEGIN A-----\nZm9v\n -----END A-----\n",
        "-----BEGIN A-----\nZm9v\n-----END A---- -\n",
        "-----BEGIN A-----\nZm9\n-----END A-----\n",
        "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n-----END A-----\n",
        "-----BEGIN A-----\nZm9v\n-----BEGIN A-----\nZm9v\n-----END A-----\n",
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        struct kw_bytes *der = NULL;
        size_t used = 1;
        kw_status status = next(bad[i], "A", 100, &used, &der);
        if (status.code != KW_E_INPUT) {
            fail_msg("'%s': %s", bad[i], kw_code_text(status.code));
        }
        assert_int_equal(used, 0);
        assert_null(der);
    }
}

static void every_cut_block_is_refused(void **state)
{
    static const char text[] = "-----BEGIN A-----\nZm9vYmFy\n-----END A-----";

    (void)state;
    for (size_t n = 0; n + 1 < sizeof(text); n++) {
        struct kw_span rest = KW_SPAN(text, n);
        struct kw_bytes *der = NULL;
        assert_false(kw_ok(kw_pem_next(&rest, "A", 100, &der)));
        assert_int_equal(rest.len, n);
    }
}

static void limits_hold(void **state)
{
    struct kw_bytes *der = NULL;
    char label[200];
    size_t used = 0;

    (void)state;
    assert_code(next("-----BEGIN A-----\nZm9vYmFy\n-----END A-----", "A", 5, &used, &der),
                KW_E_TOO_LARGE);
    assert_code(next("", "A", 5, &used, &der), KW_E_NOT_FOUND);
    memset(label, 'L', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    assert_code(next("", label, 5, &used, &der), KW_E_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_go_there_and_back),
        cmocka_unit_test(the_text_is_as_rfc_7468_shows_it),
        cmocka_unit_test(other_blocks_and_text_are_passed_over),
        cmocka_unit_test(damaged_blocks_are_refused_in_place),
        cmocka_unit_test(every_cut_block_is_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests_name("pem", tests, NULL, NULL);
}
