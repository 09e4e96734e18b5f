/* Building certificates and reading them back; what RFC 5280 and IEEE 802.1AR fix, octet by octet.
 */
#include "crypto/digest.h"
#include "pki_group.h"

static void a_root_says_what_was_asked(void **state)
{
    const struct cert *root = pki->root;
    uint8_t sum[KW_HASH_BYTES];

    (void)state;
    assert_int_equal(cert_version(root), 3);
    assert_span_equal(cert_serial(root), serial_of(1));
    assert_span_equal(cert_subject(root), kw_out_span(&pki->root_dn.der));
    assert_span_equal(cert_issuer(root), cert_subject(root));
    assert_true(cert_is_ca(root));
    assert_int_equal(cert_path_len(root), -1);
    assert_int_equal(cert_key_usage(root), CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN);
    assert_int_equal(cert_ext_present(root),
                     CERT_EXT_BASIC_CONSTRAINTS | CERT_EXT_KEY_USAGE | CERT_EXT_SKI);
    assert_int_equal(cert_ext_critical(root), CERT_EXT_BASIC_CONSTRAINTS | CERT_EXT_KEY_USAGE);
    assert_int_equal(cert_aki(root).len, 0);
    assert_int_equal(cert_not_before(root), NOW - DAY);
    assert_int_equal(cert_not_after(root), NOW + 3650 * DAY);
    assert_true(pubkey_equal(cert_public(root), privkey_public(pki->root_key)));
    assert_int_equal(cert_sig_alg(root), KEY_ALG_EC_P256);
    digest_sha256(cert_der(root), sum);
    assert_memory_equal(cert_sha256(root), sum, sizeof(sum));
    assert_code(cert_verify_signature(NULL, root, privkey_public(pki->root_key)), KW_CODE_OK);
    assert_code(cert_verify_signature(NULL, root, privkey_public(pki->sub_key)), KW_E_DENIED);
}

static void an_issuing_ca_is_bound_to_its_names(void **state)
{
    const struct cert *sub = pki->sub;
    const unsigned critical =
        CERT_EXT_BASIC_CONSTRAINTS | CERT_EXT_KEY_USAGE | CERT_EXT_NAME_CONSTRAINTS;

    (void)state;
    assert_int_equal(cert_path_len(sub), 0);
    assert_int_equal(cert_ext_critical(sub), critical);
    assert_int_equal(cert_ext_present(sub), critical | CERT_EXT_SKI | CERT_EXT_AKI |
                                                CERT_EXT_POLICIES | CERT_EXT_CRL_DP | CERT_EXT_AIA);
    assert_span_equal(cert_aki(sub), cert_ski(pki->root));
    assert_span_equal(cert_ski(sub), KW_SPAN(pubkey_sha1(privkey_public(pki->sub_key)), 20));
}

/* IEEE 802.1AR: no end of validity, the hardware's name as RFC 4108 section 5 writes it. */
static void an_idevid_is_as_802_1ar_wants_it(void **state)
{
    struct kw_span der = cert_der(pki->idevid);

    (void)state;
    assert_int_equal(cert_not_after(pki->idevid), KW_TIME_NEVER);
    assert_int_equal(occurrences(der, "180f39393939313233313233353935395a"), 1);
    assert_int_equal(cert_san_count(pki->idevid), 1);
    assert_string_equal(cert_san(pki->idevid, 0), "hw:" OID_HW_TYPE ":534e2d30303031");
    assert_null(cert_san(pki->idevid, 1));
    /* otherName [0] { 1.3.6.1.5.5.7.8.4, [0] EXPLICIT SEQUENCE { OID, OCTET STRING } } */
    assert_int_equal(occurrences(der, "a02206082b06010505070804a016301406092b0601040183a83101"
                                      "0407534e2d30303031"),
                     1);
    assert_false(cert_is_ca(pki->idevid));
    assert_int_equal(cert_ext_present(pki->idevid) & CERT_EXT_BASIC_CONSTRAINTS, 0);
    assert_int_equal(cert_ext_critical(pki->idevid), CERT_EXT_KEY_USAGE);
}

static void names_of_a_server_are_read_back(void **state)
{
    static const char *const want[] = {"dns:gate.example.test", "dns:localhost", "ip:127.0.0.1",
                                       "ip:fd00::1"};

    (void)state;
    assert_int_equal(cert_san_count(pki->server), KW_COUNT(want));
    for (unsigned i = 0; i < KW_COUNT(want); i++) {
        assert_string_equal(cert_san(pki->server, i), want[i]);
    }
    assert_int_equal(cert_eku_count(pki->server), 1);
    assert_string_equal(cert_eku(pki->server, 0), OID_SERVER_AUTH);
    assert_null(cert_eku(pki->server, 1));
}

static void an_ocsp_signer_is_not_asked_about(void **state)
{
    (void)state;
    assert_true(cert_ext_present(pki->ocsp) & CERT_EXT_OCSP_NOCHECK);
    assert_int_equal(occurrences(cert_der(pki->ocsp), "06092b06010505073001050402"
                                                      "0500"),
                     1);
}

/* X.690 section 11.5: no `critical FALSE`, no `cA FALSE`; section 11.2.2: no trailing zero bits. */
static void defaults_are_left_out(void **state)
{
    const struct cert *all[] = {pki->root,   pki->sub,    pki->idevid,
                                pki->ldevid, pki->server, pki->ocsp};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(all); i++) {
        assert_int_equal(occurrences(cert_der(all[i]), "010100"), 0);
    }
    assert_int_equal(occurrences(cert_der(pki->root), "0603551d0f0101ff040403020106"), 1);
    assert_int_equal(occurrences(cert_der(pki->ldevid), "0603551d0f0101ff040403020780"), 1);
    assert_int_equal(occurrences(cert_der(pki->root), "30030101ff"), 1);
    assert_int_equal(occurrences(cert_der(pki->sub), "30060101ff020100"), 1);
}

/* RFC 5280 section 4.2.1.6 */
static void an_empty_subject_makes_the_alternative_name_critical(void **state)
{
    struct cert_spec spec = idevid_spec(pki);

    (void)state;
    spec.subject_dn = empty_name();
    AUTO(cert) *cert = issue(&spec, pki->sub_key);
    assert_int_equal(cert_ext_critical(cert), CERT_EXT_KEY_USAGE | CERT_EXT_SAN);
    assert_int_equal(cert_subject(cert).len, 2);
    spec.hw_type = NULL;
    AUTO(kw_bytes) *der = NULL;
    assert_code(cert_build(NULL, &spec, pki->sub_key, &der), KW_E_INPUT);
}

/* RFC 5280 section 4.1.2.5 */
static void the_year_2050_changes_the_type_of_time(void **state)
{
    const int64_t year_2050 = INT64_C(2524608000);
    struct cert_spec spec = root_spec(pki);

    (void)state;
    spec.not_before = year_2050 - 1;
    spec.not_after = year_2050;
    AUTO(cert) *cert = issue(&spec, pki->root_key);
    assert_int_equal(occurrences(cert_der(cert), "170d3439313233313233353935395a"), 1);
    assert_int_equal(occurrences(cert_der(cert), "180f32303530303130313030303030305a"), 1);
    assert_int_equal(cert_not_before(cert), year_2050 - 1);
    assert_int_equal(cert_not_after(cert), year_2050);
}

static void every_key_signs_every_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *key = NULL;
        struct cert_spec spec = root_spec(pki);
        assert_code(privkey_generate(NULL, all_algs[i], &key), KW_CODE_OK);
        spec.key = privkey_public(key);
        AUTO(cert) *cert = issue(&spec, key);
        assert_int_equal(cert_sig_alg(cert), all_algs[i]);
        assert_code(cert_verify_signature(NULL, cert, privkey_public(key)), KW_CODE_OK);
        assert_code(cert_verify_signature(NULL, cert, privkey_public(pki->root_key)), KW_E_DENIED);
        /* OpenSSL's own verification, by its own object */
        assert_int_equal(X509_verify(cert_x509(cert), pubkey_evp(privkey_public(key))), 1);
    }
}

static void a_remote_key_gets_the_tbs_certificate(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P384);
    AUTO(privkey) *remote = remote_of(far);
    struct cert_spec spec = root_spec(pki);

    (void)state;
    spec.key = privkey_public(remote);
    AUTO(cert) *cert = issue(&spec, remote);
    assert_span_equal(kw_bytes_span(far->message), tbs_of(cert_der(cert)));
    AUTO(cert) *asked = NULL;
    assert_code(cert_parse_tbs(NULL, kw_bytes_span(far->message), &asked), KW_CODE_OK);
    assert_span_equal(cert_subject(asked), cert_subject(cert));
}

static void a_refusal_comes_back_with_its_own_words(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    struct cert_spec spec = root_spec(pki);
    AUTO(kw_bytes) *der = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    spec.key = privkey_public(remote);
    far->refuse = KW_E_REVOKED;
    assert_code(cert_build(&op, &spec, remote, &der), KW_E_REVOKED);
    assert_null(der);
    assert_int_equal(op.code, KW_E_REVOKED);
    assert_string_equal(kw_op_cause(&op), "not within policy");
}

static void what_cannot_be_said_is_refused(void **state)
{
    struct cert_spec good = ldevid_spec(pki);
    struct cert_spec ca = sub_spec(pki);
    struct cert_spec bad[27];
    unsigned n = 0;
    uint8_t high[20] = {0x80};
    uint8_t zero[16] = {0};

    (void)state;
#define BAD(base, field, ...)                                                                      \
    do {                                                                                           \
        bad[n] = (base);                                                                           \
        bad[n++].field = __VA_ARGS__;                                                              \
    } while (0)
    BAD(good, serial, KW_SPAN(serial_of(9).p, 7));
    BAD(good, serial, KW_SPAN_ARRAY(high));
    BAD(good, serial, KW_SPAN_ARRAY(zero));
    BAD(good, not_after, good.not_before - 1);
    BAD(good, not_after, KW_TIME_NEVER + 1);
    BAD(good, not_before, -1);
    BAD(good, issuer_dn, empty_name());
    BAD(good, subject_dn, kw_span_text("x"));
    BAD(good, issuer_key, privkey_public(pki->root_key));
    BAD(good, key_usage, CERT_KU_KEY_CERT_SIGN);
    BAD(good, key_usage, CERT_KU_KEY_ENCIPHERMENT);
    BAD(good, key_usage, 1u << 7);
    BAD(good, path_len, 1);
    BAD(good, permit_dns[0], "example.test");
    BAD(good, eku[0], "serverAuth");
    BAD(good, eku[0], "1");
    BAD(good, san_dns[0], "a b");
    BAD(good, san_dns[0], "-a.test");
    BAD(good, san_dns[0], "a..test");
    BAD(good, san_ip[0], "1.2.3");
    BAD(good, san_uri[0], "no scheme");
    BAD(good, hw_type, "1.2.3"); /* without a serial number */
    BAD(good, crl_url, "/relative");
    BAD(good, policy_oid[0], "");
    BAD(ca, key_usage, CERT_KU_CRL_SIGN);
    BAD(ca, permit_ip[0], "10.0.0.0/255.0.255.0");
    BAD(ca, permit_dns[0], "*.example.test");
    assert_int_equal(n, KW_COUNT(bad));
    for (unsigned i = 0; i < n; i++) {
        AUTO(kw_bytes) *der = NULL;
        const struct privkey *key = bad[i].is_ca ? pki->root_key : pki->sub_key;
        kw_status status = cert_build(NULL, &bad[i], key, &der);
        if (status.code != KW_E_INPUT) {
            fail_msg("description %u: %s", i, kw_code_text(status.code));
        }
    }
}

static void copies_share_one_certificate(void **state)
{
    struct cert *twice = cert_ref(pki->root);

    (void)state;
    assert_ptr_equal(twice, pki->root);
    assert_ptr_equal(cert_x509(twice), cert_x509(pki->root));
    AUTO(cert) *again = NULL;
    assert_code(cert_from_x509(NULL, cert_x509(twice), &again), KW_CODE_OK);
    assert_span_equal(cert_der(again), cert_der(pki->root));
    cert_unref(twice);
    assert_null(cert_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_says_what_was_asked),
        cmocka_unit_test(an_issuing_ca_is_bound_to_its_names),
        cmocka_unit_test(an_idevid_is_as_802_1ar_wants_it),
        cmocka_unit_test(names_of_a_server_are_read_back),
        cmocka_unit_test(an_ocsp_signer_is_not_asked_about),
        cmocka_unit_test(defaults_are_left_out),
        cmocka_unit_test(an_empty_subject_makes_the_alternative_name_critical),
        cmocka_unit_test(the_year_2050_changes_the_type_of_time),
        cmocka_unit_test(every_key_signs_every_key),
        cmocka_unit_test(a_remote_key_gets_the_tbs_certificate),
        cmocka_unit_test(a_refusal_comes_back_with_its_own_words),
        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(copies_share_one_certificate),
    };

    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
