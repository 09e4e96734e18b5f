/* Path validation, RFC 5280 section 6. */
#include "pki_group.h"

static enum kw_code verdict(const struct cert *leaf, const char *eku, int64_t at_unix)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    return cert_verify_path(&op, leaf, &pki->sub, 1, &pki->root, 1, eku, at_unix).code;
}

static void good_paths_are_taken(void **state)
{
    (void)state;
    assert_int_equal(verdict(pki->ldevid, OID_CLIENT_AUTH, NOW), KW_CODE_OK);
    assert_int_equal(verdict(pki->server, OID_SERVER_AUTH, NOW), KW_CODE_OK);
    assert_int_equal(verdict(pki->ocsp, OID_OCSP_SIGNING, NOW), KW_CODE_OK);
    assert_int_equal(verdict(pki->sub, NULL, NOW), KW_CODE_OK);
    assert_int_equal(verdict(pki->root, NULL, NOW), KW_CODE_OK);
    /* An IDevID outlives its issuers: that alone is no fault. */
    assert_int_equal(verdict(pki->idevid, NULL, NOW), KW_CODE_OK);
}

static void time_is_judged_along_the_path(void **state)
{
    (void)state;
    assert_int_equal(verdict(pki->ldevid, NULL, NOW - 2 * DAY), KW_E_EXPIRED);
    assert_int_equal(verdict(pki->ldevid, NULL, NOW + 366 * DAY), KW_E_EXPIRED);
    assert_int_equal(verdict(pki->ldevid, NULL, NOW + 364 * DAY), KW_CODE_OK);
    assert_int_equal(verdict(pki->idevid, NULL, NOW + 1826 * DAY), KW_E_EXPIRED); /* issuer */
}

static void the_purpose_must_be_named(void **state)
{
    (void)state;
    assert_int_equal(verdict(pki->ldevid, OID_SERVER_AUTH, NOW), KW_E_DENIED);
    assert_int_equal(verdict(pki->idevid, OID_CLIENT_AUTH, NOW), KW_E_DENIED);
}

static void a_missing_link_or_other_root_is_denied(void **state)
{
    AUTO(pki) *other = pki_new(KEY_ALG_EC_P256);
    struct kw_op op;
    char text[256];

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_code(cert_verify_path(&op, pki->ldevid, NULL, 0, &pki->root, 1, NULL, NOW), KW_E_DENIED);
    assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), "issuer certificate"));
    assert_code(cert_verify_path(&op, pki->ldevid, &pki->sub, 1, &other->root, 1, NULL, NOW),
                KW_E_DENIED);
    assert_code(cert_verify_path(&op, pki->ldevid, &pki->sub, 1, NULL, 0, NULL, NOW), KW_E_DENIED);
    /* An issuing CA is no end of a path, even where it is put among the roots. */
    assert_code(cert_verify_path(&op, pki->ldevid, NULL, 0, &pki->sub, 1, NULL, NOW), KW_E_DENIED);
}

static void name_constraints_are_kept(void **state)
{
    static const char *const outside[] = {"example.org", "gate.example.test.org"};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(outside); i++) {
        struct cert_spec spec = server_spec(pki);
        spec.san_dns[0] = outside[i];
        AUTO(cert) *cert = issue(&spec, pki->sub_key);
        assert_int_equal(verdict(cert, NULL, NOW), KW_E_DENIED);
    }
    struct cert_spec spec = server_spec(pki);
    spec.san_ip[0] = "10.0.0.1";
    AUTO(cert) *cert = issue(&spec, pki->sub_key);
    assert_int_equal(verdict(cert, NULL, NOW), KW_E_DENIED);
}

static void a_leaf_issues_nothing_and_path_lengths_hold(void **state)
{
    struct cert_spec spec = ldevid_spec(pki);

    (void)state;
    /* A CA below a CA of path length 0. */
    struct cert_spec deeper = sub_spec(pki);
    struct name dn;
    deeper.issuer_dn = kw_out_span(&pki->sub_dn.der);
    deeper.subject_dn = name_of(&dn, "Deeper", NULL);
    deeper.key = privkey_public(pki->ocsp_key);
    deeper.issuer_key = privkey_public(pki->sub_key);
    AUTO(cert) *ca = issue(&deeper, pki->sub_key);
    spec.issuer_dn = cert_subject(ca);
    spec.issuer_key = privkey_public(pki->ocsp_key);
    AUTO(cert) *below = issue(&spec, pki->ocsp_key);
    struct cert *between[] = {ca, pki->sub};
    assert_code(cert_verify_path(NULL, below, between, 2, &pki->root, 1, NULL, NOW), KW_E_DENIED);
    /* A certificate that a leaf signed. */
    spec.issuer_dn = cert_subject(pki->ldevid);
    spec.issuer_key = privkey_public(pki->leaf_key);
    AUTO(cert) *forged = issue(&spec, pki->leaf_key);
    struct cert *leaves[] = {pki->ldevid, pki->sub};
    assert_code(cert_verify_path(NULL, forged, leaves, 2, &pki->root, 1, NULL, NOW), KW_E_DENIED);
}

static void a_forged_signature_is_denied(void **state)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(cert) *cert = NULL;

    (void)state;
    assert_code(kw_bytes_copy(cert_der(pki->ldevid), &der), KW_CODE_OK);
    der->p[der->len - 1] ^= 1;
    assert_code(cert_parse(NULL, kw_bytes_span(der), &cert), KW_CODE_OK);
    assert_int_equal(verdict(cert, NULL, NOW), KW_E_DENIED);
}

static void other_algorithms_form_paths_too(void **state)
{
    (void)state;
    for (size_t i = 1; i < KW_COUNT(all_algs); i++) {
        AUTO(pki) *p = pki_new(all_algs[i]);
        assert_code(
            cert_verify_path(NULL, p->ldevid, &p->sub, 1, &p->root, 1, OID_CLIENT_AUTH, NOW),
            KW_CODE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_paths_are_taken),
        cmocka_unit_test(time_is_judged_along_the_path),
        cmocka_unit_test(the_purpose_must_be_named),
        cmocka_unit_test(a_missing_link_or_other_root_is_denied),
        cmocka_unit_test(name_constraints_are_kept),
        cmocka_unit_test(a_leaf_issues_nothing_and_path_lengths_hold),
        cmocka_unit_test(a_forged_signature_is_denied),
        cmocka_unit_test(other_algorithms_form_paths_too),
    };

    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
