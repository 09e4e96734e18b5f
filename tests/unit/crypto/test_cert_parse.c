/* Certificates and TBSCertificates of others: what is not exactly DER or RFC 5280 is refused. */
#include "pki_group.h"

/* Replace the only occurrence of a run of octets by another of equal length. */
static struct kw_bytes *altered(struct kw_span der, const char *from, const char *to)
{
    AUTO(kw_bytes) *old = from_hex(from);
    AUTO(kw_bytes) *new = from_hex(to);
    struct kw_bytes *copy = NULL;

    assert_int_equal(occurrences(der, from), 1);
    assert_int_equal(old->len, new->len);
    assert_true(kw_ok(kw_bytes_copy(der, &copy)));
    for (size_t i = 0; i + old->len <= copy->len; i++) {
        if (memcmp(copy->p + i, old->p, old->len) == 0) {
            memcpy(copy->p + i, new->p, new->len);
            return copy;
        }
    }
    return copy;
}

static void assert_parses(struct kw_span der, enum kw_code want)
{
    AUTO(cert) *cert = NULL;
    AUTO(cert) *tbs = NULL;

    assert_code(cert_parse(NULL, der, &cert), want);
    assert_code(cert_parse_tbs(NULL, tbs_of(der), &tbs), want);
}

static void unusual_encodings_are_refused(void **state)
{
    static const struct {
        const char *from, *to;
    } changes[] = {
        {"0603551d0f0101ff0404", "0603551d0f0101010404"}, /* critical: a TRUE that is not FF */
        {"0603551d0f0101ff0404", "0603551d0f0101000404"}, /* critical FALSE spelt out */
        {"0403020780",           "0403020700"          }, /* key usage without any bit */
        {"0403020780",           "0403020080"          }, /* trailing zero bits */
        {"0403020780",           "0403020781"          }, /* padding bits set */
        {"a003020102",           "a003020100"          }, /* v1 spelt out, and extensions */
        {"a003020102",           "a003020103"          }, /* version 4 */
        {"0210135a",             "0210935a"            }, /* negative serial number */
        {"0210135a",             "0210005a"            }, /* leading zero octet */
        {"0603551d0e",           "0603551d23"          }, /* authorityKeyIdentifier twice */
        {"0603551d23",           "0603551d0e"          }, /* subjectKeyIdentifier twice */
        {"a003020102",           "a103020102"          }, /* another tag */
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(changes); i++) {
        AUTO(kw_bytes) *der = altered(cert_der(pki->ldevid), changes[i].from, changes[i].to);
        AUTO(cert) *cert = NULL;
        kw_status status = cert_parse_tbs(NULL, tbs_of(kw_bytes_span(der)), &cert);
        if (status.code != KW_E_INPUT) {
            fail_msg("change %zu: %s", i, kw_code_text(status.code));
        }
        assert_code(cert_parse(NULL, kw_bytes_span(der), &cert), KW_E_INPUT);
    }
}

static void times_have_one_form(void **state)
{
    /* 261120001320Z: without Z, with an impossible month */
    AUTO(kw_bytes) *no_z =
        altered(cert_der(pki->idevid), "3236313132303030313332305a", "3236313132303030313332302b");
    AUTO(kw_bytes) *month =
        altered(cert_der(pki->idevid), "3236313132303030313332305a", "3236313332303030313332305a");

    (void)state;
    assert_parses(kw_bytes_span(no_z), KW_E_INPUT);
    assert_parses(kw_bytes_span(month), KW_E_INPUT);
}

/* Certificates of others may have GeneralizedTime too early; what we sign must not
 * (section 4.1.2.5). */
static void early_generalized_time_is_not_signed(void **state)
{
    AUTO(kw_bytes) *der = altered(cert_der(pki->idevid), "39393939313233313233353935395a",
                                  "32303439313233313233353935395a");
    AUTO(cert) *cert = NULL;

    (void)state;
    assert_code(cert_parse(NULL, kw_bytes_span(der), &cert), KW_CODE_OK);
    assert_int_equal(cert_not_after(cert), INT64_C(2524607999));
    AUTO(cert) *tbs = NULL;
    assert_code(cert_parse_tbs(NULL, tbs_of(kw_bytes_span(der)), &tbs), KW_E_INPUT);
}

static void inner_and_outer_algorithm_agree(void **state)
{
    struct kw_span der = cert_der(pki->ldevid);
    AUTO(kw_bytes) *copy = NULL;
    AUTO(cert) *cert = NULL;

    (void)state;
    assert_code(kw_bytes_copy(der, &copy), KW_CODE_OK);
    size_t outer = 4 + tbs_of(der).len;
    assert_int_equal(copy->p[outer + 11], 0x02); /* … .2 of ecdsa-with-SHA256 */
    copy->p[outer + 11] = 0x03;
    assert_code(cert_parse(NULL, kw_bytes_span(copy), &cert), KW_E_INPUT);
}

static void a_tbs_reads_as_the_certificate_to_be(void **state)
{
    const struct cert *all[] = {pki->root,   pki->sub,    pki->idevid,
                                pki->ldevid, pki->server, pki->ocsp};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(all); i++) {
        AUTO(cert) *tbs = NULL;
        assert_code(cert_parse_tbs(NULL, tbs_of(cert_der(all[i])), &tbs), KW_CODE_OK);
        assert_span_equal(tbs_of(cert_der(tbs)), tbs_of(cert_der(all[i])));
        assert_span_equal(cert_serial(tbs), cert_serial(all[i]));
        assert_span_equal(cert_issuer(tbs), cert_issuer(all[i]));
        assert_int_equal(cert_sig_alg(tbs), cert_sig_alg(all[i]));
        assert_int_equal(cert_ext_present(tbs), cert_ext_present(all[i]));
        assert_int_equal(cert_san_count(tbs), cert_san_count(all[i]));
        assert_code(cert_verify_signature(NULL, tbs, privkey_public(pki->sub_key)), KW_E_DENIED);
        AUTO(cert) *whole = NULL; /* a certificate is no TBSCertificate, nor the other way round */
        assert_code(cert_parse_tbs(NULL, cert_der(all[i]), &whole), KW_E_INPUT);
        assert_code(cert_parse(NULL, tbs_of(cert_der(all[i])), &whole), KW_E_INPUT);
    }
}

static void octets_behind_are_refused(void **state)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(cert) *cert = NULL;

    (void)state;
    assert_code(kw_bytes_copy(cert_der(pki->root), &der), KW_CODE_OK);
    assert_code(kw_bytes_append(der, kw_span_text("\n")), KW_CODE_OK);
    assert_code(cert_parse(NULL, kw_bytes_span(der), &cert), KW_E_INPUT);
    assert_code(cert_parse(NULL, KW_SPAN(NULL, 0), &cert), KW_E_INPUT);
    static uint8_t large[KW_CERT_MAX + 1] = {0x30, 0x82, 0x1f, 0xfd};
    assert_code(cert_parse(NULL, KW_SPAN_ARRAY(large), &cert), KW_E_INPUT);
}

/* An X509 with one hand-made extension, signed by OpenSSL. */
static struct kw_bytes *with_extension(int nid, const char *oid, const char *value_hex,
                                       int critical)
{
    AUTO(X509) *x = certify(privkey_public(pki->root_key), privkey_evp(pki->root_key), "other");
    AUTO(kw_bytes) *value = from_hex(value_hex);
    AUTO(ASN1_OCTET_STRING) *data = ASN1_OCTET_STRING_new();
    unsigned char *der = NULL;
    struct kw_bytes *bytes = NULL;

    assert_true(ASN1_OCTET_STRING_set(data, value->p, (int)value->len));
    ASN1_OBJECT *object = oid ? OBJ_txt2obj(oid, 1) : OBJ_nid2obj(nid);
    AUTO(X509_EXTENSION) *ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, data);
    ASN1_OBJECT_free(object);
    assert_true(X509_add_ext(x, ext, -1));
    assert_true(X509_sign(x, privkey_evp(pki->root_key), EVP_sha256()) > 0);
    int n = i2d_X509(x, &der);
    assert_true(kw_ok(kw_bytes_copy(KW_SPAN(der, (size_t)n), &bytes)));
    OPENSSL_free(der);
    return bytes;
}

static void unknown_extensions_are_noted(void **state)
{
    AUTO(kw_bytes) *der = with_extension(0, "1.2.3.4", "0500", /* critical= */ 1);
    AUTO(cert) *cert = NULL;

    (void)state;
    assert_code(cert_parse(NULL, kw_bytes_span(der), &cert), KW_CODE_OK);
    assert_int_equal(cert_ext_present(cert), CERT_EXT_OTHER);
    assert_int_equal(cert_ext_critical(cert), CERT_EXT_OTHER);
    assert_code(cert_verify_path(NULL, cert, NULL, 0, &cert, 1, NULL, NOW), KW_E_DENIED);
}

static void extension_values_are_der_too(void **state)
{
    static const struct {
        int nid;
        const char *hex;
    } bad[] = {
        {NID_basic_constraints,       "3003010100"        }, /* cA FALSE spelt out */
        {NID_basic_constraints,       "3003020100"        }, /* a path length without cA */
        {NID_basic_constraints,       "30060101ff0201ff"  }, /* a negative one */
        {NID_basic_constraints,       "30800101ff0000"    }, /* indefinite length */
        {NID_basic_constraints,       "30030101ff00"      }, /* octets behind */
        {NID_subject_alt_name,        "3000"              }, /* no name */
        {NID_subject_alt_name,        "3007820561002e6262"}, /* NUL in a DNS name */
        {NID_subject_alt_name,        "300387017f"        }, /* an address of one octet */
        {NID_subject_alt_name,        "30028200"          }, /* an empty DNS name */
        {NID_subject_alt_name,        "300482020a41"      }, /* a line end */
        {NID_ext_key_usage,           "3000"              }, /* no purpose */
        {NID_subject_key_identifier,  "04010000"          }, /* octets behind */
        {NID_name_constraints,        "0500"              }, /* another type */
        {NID_crl_distribution_points, "3003020100"        }, /* another type */
        {NID_id_pkix_OCSP_noCheck,    "020100"            }, /* another type */
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        AUTO(kw_bytes) *der = with_extension(bad[i].nid, NULL, bad[i].hex, 0);
        AUTO(cert) *cert = NULL;
        kw_status status = cert_parse(NULL, kw_bytes_span(der), &cert);
        if (status.code != KW_E_INPUT) {
            fail_msg("value %zu: %s", i, kw_code_text(status.code));
        }
    }
}

static void every_kind_of_name_has_a_text(void **state)
{
    AUTO(kw_bytes) *der =
        with_extension(NID_subject_alt_name, NULL,
                       "3029"
                       "8103614062"               /* rfc822Name a@b */
                       "8803290102"               /* registeredID 1.1.1.2 */
                       "a00a0603290103a0030c0178" /* otherName 1.1.1.3, UTF8String x */
                       "a411300f310d300b06035504030c044e616d65",
                       0);
    AUTO(cert) *cert = NULL;

    (void)state;
    struct kw_op op;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    assert_int_equal(cert_san_count(cert), 4);
    assert_string_equal(cert_san(cert, 0), "email:a@b");
    assert_string_equal(cert_san(cert, 1), "rid:1.1.1.2");
    assert_string_equal(cert_san(cert, 2), "other:1.1.1.3:0c0178");
    assert_string_equal(cert_san(cert, 3), "dn:300f310d300b06035504030c044e616d65");
}

static void take_cert(struct kw_span der, void *ctx)
{
    AUTO(cert) *cert = NULL;
    const struct cert *original = ctx;

    if (kw_ok(cert_parse(NULL, der, &cert))) {
        /* What is read was signed over: damage in the TBS is seen, elsewhere it makes no
         * difference. */
        if (kw_ok(cert_verify_signature(NULL, cert, privkey_public(pki->sub_key)))) {
            assert_span_equal(tbs_of(der), tbs_of(cert_der(original)));
        }
    }
}

static void take_tbs(struct kw_span der, void *ctx)
{
    AUTO(cert) *cert = NULL;

    (void)ctx;
    if (kw_ok(cert_parse_tbs(NULL, der, &cert))) {
        assert_span_equal(tbs_of(cert_der(cert)), der);
    }
}

static void damage_never_passes_unseen(void **state)
{
    (void)state;
    damage_everywhere(cert_der(pki->idevid), take_cert, pki->idevid);
    damage_everywhere(tbs_of(cert_der(pki->sub)), take_tbs, NULL);
    damage_everywhere(tbs_of(cert_der(pki->server)), take_tbs, NULL);
}

static void pem_texts_give_all_certificates(void **state)
{
    AUTO(kw_bytes) *pem = NULL;
    AUTO(BIO) *bio = BIO_new(BIO_s_mem());
    struct cert *certs[3] = {NULL};
    char *text = NULL;
    unsigned n = 0;

    (void)state;
    assert_true(PEM_write_bio_X509(bio, cert_x509(pki->root)));
    assert_true(PEM_write_bio_X509(bio, cert_x509(pki->sub)));
    long len = BIO_get_mem_data(bio, &text);
    assert_code(kw_bytes_copy(KW_SPAN(text, (size_t)len), &pem), KW_CODE_OK);
    assert_code(cert_parse_pem(NULL, kw_bytes_span(pem), certs, 3, &n), KW_CODE_OK);
    assert_int_equal(n, 2);
    assert_span_equal(cert_der(certs[1]), cert_der(pki->sub));
    cert_unref(certs[0]);
    cert_unref(certs[1]);
    certs[0] = certs[1] = NULL;
    assert_code(cert_parse_pem(NULL, kw_bytes_span(pem), certs, 1, &n), KW_E_INPUT);
    assert_null(certs[0]);
    assert_code(cert_parse_pem(NULL, kw_span_text("nothing"), certs, 3, &n), KW_E_NOT_FOUND);
    assert_code(kw_bytes_append_text(pem, "-----BEGIN CERTIFICATE-----\nAA=\n"), KW_CODE_OK);
    assert_code(cert_parse_pem(NULL, kw_bytes_span(pem), certs, 3, &n), KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusual_encodings_are_refused),
        cmocka_unit_test(times_have_one_form),
        cmocka_unit_test(early_generalized_time_is_not_signed),
        cmocka_unit_test(inner_and_outer_algorithm_agree),
        cmocka_unit_test(a_tbs_reads_as_the_certificate_to_be),
        cmocka_unit_test(octets_behind_are_refused),
        cmocka_unit_test(unknown_extensions_are_noted),
        cmocka_unit_test(extension_values_are_der_too),
        cmocka_unit_test(every_kind_of_name_has_a_text),
        cmocka_unit_test(damage_never_passes_unseen),
        cmocka_unit_test(pem_texts_give_all_certificates),
    };

    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
