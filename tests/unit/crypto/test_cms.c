#include "crypto/cms.h"

#include "pki_group.h"

static void unref_all(struct cert *certs[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        cert_unref(certs[i]);
        certs[i] = NULL;
    }
}

static bool contains(struct cert *certs[], unsigned n, const struct cert *wanted)
{
    for (unsigned i = 0; i < n; i++) {
        if (kw_span_equal(cert_der(certs[i]), cert_der(wanted))) {
            return true;
        }
    }
    return false;
}

static void certificates_go_there_and_back(void **state)
{
    struct cert *in[] = {pki->ldevid, pki->sub, pki->root};
    struct cert *out[3] = {NULL};
    AUTO(kw_bytes) *der = NULL;
    unsigned n = 0;

    (void)state;
    assert_code(cms_certs_build(NULL, in, 3, &der), KW_CODE_OK);
    assert_code(cms_certs_parse(NULL, kw_bytes_span(der), out, 3, &n), KW_CODE_OK);
    assert_int_equal(n, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(contains(out, n, in[i]));
    }
    unref_all(out, n);
    assert_code(cms_certs_parse(NULL, kw_bytes_span(der), out, 2, &n), KW_E_INPUT);
    assert_null(out[0]);
}

/* As many as a server hands out at most, with keys as large as we certify them. */
static void all_that_a_device_holds(void **state)
{
    struct cert *in[KW_CA_CERTS_MAX + 1], *out[KW_CA_CERTS_MAX] = {NULL};
    struct pki *large = pki_new(KEY_ALG_RSA_3072);
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *more = NULL;
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(in); i++) {
        in[i] = large->sub;
    }
    assert_code(cms_certs_build(NULL, in, KW_CA_CERTS_MAX, &der), KW_CODE_OK);
    assert_code(cms_certs_parse(NULL, kw_bytes_span(der), out, KW_CA_CERTS_MAX, &n), KW_CODE_OK);
    assert_int_equal(n, KW_CA_CERTS_MAX);
    unref_all(out, n);
    assert_code(cms_certs_build(NULL, in, KW_CA_CERTS_MAX + 1, &more), KW_E_INPUT);
    pki_free(large);
}

/* RFC 7030 section 4.1.3, RFC 5652 section 5.1: version 1, no digest, id-data without content, no
 * signer. */
static void the_message_is_degenerate(void **state)
{
    struct cert *one[] = {pki->ldevid};
    AUTO(kw_bytes) *der = NULL;

    (void)state;
    assert_code(cms_certs_build(NULL, one, 1, &der), KW_CODE_OK);
    assert_int_equal(occurrences(kw_bytes_span(der), "02010131"
                                                     "00"
                                                     "300b06092a864886f70d010701"
                                                     "a0"),
                     1);
    assert_memory_equal(der->p + der->len - 2, "\x31\x00", 2);
    const unsigned char *p = der->p;
    AUTO(CMS_ContentInfo) *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der->len);
    assert_non_null(cms);
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    assert_int_equal(sk_X509_num(certs), 1);
    sk_X509_pop_free(certs, X509_free);
}

static void nothing_to_send_is_refused(void **state)
{
    AUTO(kw_bytes) *der = NULL;

    (void)state;
    assert_code(cms_certs_build(NULL, NULL, 0, &der), KW_E_INPUT);
}

static void other_objects_are_refused(void **state)
{
    struct cert *out[3] = {NULL};
    unsigned n = 0;
    /* id-data, and SignedData without certificates */
    AUTO(kw_bytes) *data = from_hex("300f06092a864886f70d010701a0020400");
    AUTO(kw_bytes) *empty = from_hex("302306092a864886f70d010702a0163014020101"
                                     "3100300b06092a864886f70d0107013100");

    (void)state;
    assert_code(cms_certs_parse(NULL, kw_bytes_span(data), out, 3, &n), KW_E_INPUT);
    assert_code(cms_certs_parse(NULL, kw_bytes_span(empty), out, 3, &n), KW_E_INPUT);
    assert_code(cms_certs_parse(NULL, cert_der(pki->root), out, 3, &n), KW_E_INPUT);
    assert_code(cms_certs_parse(NULL, KW_SPAN(NULL, 0), out, 3, &n), KW_E_INPUT);
}

static void take(struct kw_span der, void *ctx)
{
    struct cert *out[4] = {NULL};
    unsigned n = 0;

    (void)ctx;
    if (kw_ok(cms_certs_parse(NULL, der, out, 4, &n))) {
        assert_true(n >= 1);
        unref_all(out, n);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_null(out[i]);
    }
}

static void damage_leaves_nothing_behind(void **state)
{
    struct cert *in[] = {pki->root};
    AUTO(kw_bytes) *der = NULL;

    (void)state;
    assert_code(cms_certs_build(NULL, in, 1, &der), KW_CODE_OK);
    damage_everywhere(kw_bytes_span(der), take, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_go_there_and_back),
        cmocka_unit_test(all_that_a_device_holds),
        cmocka_unit_test(the_message_is_degenerate),
        cmocka_unit_test(nothing_to_send_is_refused),
        cmocka_unit_test(other_objects_are_refused),
        cmocka_unit_test(damage_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
