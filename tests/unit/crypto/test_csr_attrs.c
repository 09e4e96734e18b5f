/* What servers ask for in requests: the examples of the RFCs, octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/b64.h"
#include "crypto/csr_attrs.h"
#include "kit.h"

static void assert_b64(const struct kw_bytes *der, const char *want)
{
    AUTO(kw_bytes) *text = NULL;

    assert_true(kw_ok(kw_bytes_new(512, &text)));
    assert_true(kw_ok(kw_b64_encode(kw_bytes_span(der), 0, text)));
    assert_span_equal(kw_bytes_span(text), kw_span_text(want));
}

/* RFC 7030 section 4.5.2, as RFC 8951 section 4 corrects its text. */
static void the_rfcs_example(void **state)
{
    const uint8_t curve[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    const uint8_t mac[] = {0x06, 0x07, 0x2b, 0x06, 0x01, 0x01, 0x01, 0x01, 0x16};
    const struct csr_attr attrs[] = {
        {.oid = "1.2.840.113549.1.9.7"},
        {"1.2.840.10045.2.1", true, KW_SPAN_ARRAY(curve)},
        {"1.2.840.113549.1.9.14", true, KW_SPAN_ARRAY(mac)},
        {.oid = "1.2.840.10045.4.3.3"},
    };
    AUTO(kw_bytes) *der = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, csr_attrs_encode(&op, attrs, KW_COUNT(attrs), &der));
    assert_b64(der, "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJ"
                    "BgcrBgEBAQEWBggqhkjOPQQDAw==");
}

static void nothing_is_an_empty_sequence(void **state)
{
    const uint8_t empty[] = {0x30, 0x00};
    const struct csr_attr bad = {.oid = "no OID"};
    AUTO(kw_bytes) *der = NULL, *none = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, csr_attrs_encode(&op, NULL, 0, &der));
    assert_span_equal(kw_bytes_span(der), KW_SPAN_ARRAY(empty));
    assert_code(csr_attrs_encode(NULL, &bad, 1, &none), KW_E_INPUT);
}

/* RFC 9908 section 3: written out by hand for a client certificate on P-256. */
static void a_clear_wish(void **state)
{
    static const uint8_t want[] = {
        0x30, 0x5d,                                                             /* CsrAttrs */
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07,       /* challenge */
        0x30, 0x15,                                                             /* Attribute */
        0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,                   /* ecPublicKey */
        0x31, 0x0a,                                                             /* SET */
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,             /* P-256 */
        0x30, 0x2f,                                                             /* Attribute */
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e,       /* extensionReq */
        0x31, 0x22, 0x30, 0x20,                                                 /* Extensions */
        0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, /* keyUsage */
        0x03, 0x02, 0x07, 0x80,                                     /* digitalSignature */
        0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x07,       /* extKeyUsage, not critical */
        0x30, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04,                   /* 1.2.3.4 */
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, /* ecdsa-with-SHA256 */
    };
    const struct csr_wish wish = {.alg = KEY_ALG_EC_P256,
                                  .challenge = true,
                                  .key_usage = CERT_KU_DIGITAL_SIGNATURE,
                                  .eku = {"1.2.3.4"}};
    AUTO(kw_bytes) *der = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, csr_attrs_build(&op, &wish, &der));
    assert_span_equal(kw_bytes_span(der), KW_SPAN_ARRAY(want));
}

static void each_kind_of_key(void **state)
{
    static const struct {
        enum key_alg alg;
        const char *want;
    } cases[] = {
        {KEY_ALG_EC_P384,  "MB4wEgYHKoZIzj0CATEHBgUrgQQAIgYIKoZIzj0EAwM="},
        {KEY_ALG_ED25519,  "MA4wBwYDK2VwMQAGAytlcA=="                    },
        {KEY_ALG_RSA_3072, "MB4wEQYJKoZIhvcNAQEBMQQCAgwABgkqhkiG9w0BAQs="},
    };
    struct kw_op op;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        const struct csr_wish wish = {.alg = cases[i].alg};
        AUTO(kw_bytes) *der = NULL;
        kw_op_init(&op, "test", 0);
        assert_ok(&op, csr_attrs_build(&op, &wish, &der));
        assert_b64(der, cases[i].want);
    }
    const struct csr_wish none = {.alg = KEY_ALG_NONE};
    AUTO(kw_bytes) *der = NULL;
    assert_code(csr_attrs_build(NULL, &none, &der), KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_example),
        cmocka_unit_test(nothing_is_an_empty_sequence),
        cmocka_unit_test(a_clear_wish),
        cmocka_unit_test(each_kind_of_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
