#include "../../fuzz/ocsp_agree.h"
#include "crypto/ocsp.h"

#include "crypto/digest.h"
#include "pki_group.h"

static const uint8_t nonce_octets[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
#define NONCE KW_SPAN_ARRAY(nonce_octets)
#define NO_NONCE KW_SPAN(NULL, 0)

static struct ocsp_single single_about(const struct cert *cert, enum ocsp_cert_status status)
{
    struct ocsp_single single = {
        .status = status,
        .revoked_unix = status == OCSP_CERT_REVOKED ? NOW - DAY : 0,
        .reason = status == OCSP_CERT_REVOKED ? 1 : 0,
        .this_update = NOW,
        .next_update = NOW + DAY,
    };

    ocsp_certid_for(cert_subject(pki->sub), cert_public(pki->sub), cert_serial(cert),
                    /* sha256= */ false, &single.id);
    return single;
}

static struct kw_bytes *answer_of(const struct ocsp_single *at, unsigned n, struct kw_span nonce,
                                  const struct cert *signer_cert, const struct privkey *signer)
{
    struct kw_bytes *der = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, ocsp_answer_build(&op, at, n, nonce, NOW, signer_cert, signer, &der));
    return der;
}

static enum kw_code judge(const struct kw_bytes *der, const struct cert *cert, struct kw_span nonce,
                          int64_t now_unix)
{
    struct ocsp_single single;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    return ocsp_answer_check(&op, kw_bytes_span(der), cert, pki->sub, nonce, now_unix, &single)
        .code;
}

static void requests_go_there_and_back(void **state)
{
    (void)state;
    for (int sha256 = 0; sha256 < 2; sha256++) {
        AUTO(kw_bytes) *der = NULL;
        struct ocsp_query query;
        struct kw_op op;
        kw_op_init(&op, "test", 0);
        assert_ok(&op, ocsp_query_build(&op, pki->ldevid, pki->sub, sha256, NONCE, &der));
        assert_ok(&op, ocsp_query_parse(&op, kw_bytes_span(der), &query));
        assert_int_equal(query.n, 1);
        assert_int_equal(query.at[0].sha256, sha256);
        assert_span_equal(KW_SPAN(query.at[0].serial, query.at[0].serial_len),
                          cert_serial(pki->ldevid));
        assert_span_equal(KW_SPAN(query.nonce, query.nonce_len), NONCE);
        struct ocsp_certid ours;
        ocsp_certid_for(cert_subject(pki->sub), cert_public(pki->sub), cert_serial(pki->ldevid),
                        sha256, &ours);
        assert_true(ocsp_certid_equal(&query.at[0], &ours));
        ours.serial[0] ^= 1;
        assert_true(ocsp_certid_same_issuer(&query.at[0], &ours));
        assert_false(ocsp_certid_equal(&query.at[0], &ours));
    }
}

/* RFC 6960 section 4.1.1: "the hash shall be calculated over the value (excluding tag and length)".
 */
static void the_key_hash_is_over_the_bits_only(void **state)
{
    struct ocsp_certid sha1, sha256;
    struct kw_span spki = pubkey_spki(cert_public(pki->sub));
    uint8_t want[32];

    (void)state;
    ocsp_certid_for(cert_subject(pki->sub), cert_public(pki->sub), serial_of(1), false, &sha1);
    ocsp_certid_for(cert_subject(pki->sub), cert_public(pki->sub), serial_of(1), true, &sha256);
    assert_memory_equal(sha1.key_hash, cert_ski(pki->sub).p, 20);
    digest_sha256(kw_span_sub(spki, spki.len - 65, 65), want);
    assert_memory_equal(sha256.key_hash, want, 32);
    digest_sha256(cert_subject(pki->sub), want);
    assert_memory_equal(sha256.name_hash, want, 32);
}

/* A request of OpenSSL's with any nonce, and further certificates. */
static struct kw_bytes *openssl_request(const EVP_MD *md, int n, const uint8_t *nonce,
                                        int nonce_len)
{
    AUTO(OCSP_REQUEST) *request = OCSP_REQUEST_new();
    unsigned char *der = NULL;
    struct kw_bytes *bytes = NULL;

    for (int i = 0; i < n; i++) {
        OCSP_CERTID *id = OCSP_cert_to_id(md, cert_x509(pki->ldevid), cert_x509(pki->sub));
        assert_non_null(OCSP_request_add0_id(request, id));
    }
    if (nonce_len > 0) {
        uint8_t copy[256];
        memcpy(copy, nonce, (size_t)nonce_len);
        assert_true(OCSP_request_add1_nonce(request, copy, nonce_len));
    }
    int len = i2d_OCSP_REQUEST(request, &der);
    assert_true(kw_ok(kw_bytes_copy(KW_SPAN(der, (size_t)len), &bytes)));
    OPENSSL_free(der);
    return bytes;
}

static void openssl_requests_are_read(void **state)
{
    static const uint8_t octets[129] = {7};
    struct ocsp_query query;

    (void)state;
    AUTO(kw_bytes) *sha1 = openssl_request(EVP_sha1(), 1, octets, 16);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(sha1), &query), KW_CODE_OK);
    assert_int_equal(query.nonce_len, 16);
    struct ocsp_single ours = single_about(pki->ldevid, OCSP_CERT_GOOD);
    assert_true(ocsp_certid_equal(&query.at[0], &ours.id));
    AUTO(kw_bytes) *many = openssl_request(EVP_sha256(), OCSP_CERTIDS_MAX, NULL, 0);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(many), &query), KW_CODE_OK);
    assert_int_equal(query.n, OCSP_CERTIDS_MAX);
    assert_int_equal(query.nonce_len, 0);
    AUTO(kw_bytes) *too_many = openssl_request(EVP_sha1(), OCSP_CERTIDS_MAX + 1, NULL, 0);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(too_many), &query), KW_E_INPUT);
    AUTO(kw_bytes) *none = openssl_request(EVP_sha1(), 0, NULL, 0);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(none), &query), KW_E_INPUT);
    AUTO(kw_bytes) *sha512 = openssl_request(EVP_sha512(), 1, NULL, 0);
    assert_false(query.unknown_hash);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(sha512), &query), KW_CODE_OK);
    assert_true(query.unknown_hash); /* well-formed, but nobody's that we know */
}

/* RFC 9654 section 2.1 */
static void nonces_of_wrong_length_are_malformed(void **state)
{
    static const uint8_t octets[129] = {7};
    struct ocsp_query query;

    (void)state;
    AUTO(kw_bytes) *long_one = openssl_request(EVP_sha1(), 1, octets, 128);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(long_one), &query), KW_CODE_OK);
    assert_int_equal(query.nonce_len, 0);
    AUTO(kw_bytes) *too_long = openssl_request(EVP_sha1(), 1, octets, 129);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(too_long), &query), KW_E_INPUT);
    /* An OCTET STRING of one octet becomes an empty one with an octet behind it; then really empty.
     */
    AUTO(kw_bytes) *one = openssl_request(EVP_sha1(), 1, octets, 1);
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(one), &query), KW_CODE_OK);
    assert_int_equal(query.nonce_len, 1);
    one->p[one->len - 2] = 0;
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(one), &query), KW_E_INPUT);
}

/* RFC 5019 and others leave the hash's parameters out; the CertID goes back octet by octet. */
static void certids_are_echoed_as_they_came(void **state)
{
    AUTO(kw_bytes) *with = openssl_request(EVP_sha1(), 1, NULL, 0);
    AUTO(kw_bytes) *certid = from_hex("300906052b0e03021a0500");
    struct kw_span whole = kw_bytes_span(with);
    uint8_t *at = memmem(with->p, with->len, certid->p, certid->len);
    struct ocsp_query query;

    (void)state;
    assert_non_null(at);
    assert_code(ocsp_query_parse(NULL, whole, &query), KW_CODE_OK);
    assert_false(query.at[0].no_hash_parameters);
    /* Take the NULL out: all lengths around shrink by two. */
    size_t from = (size_t)(at - with->p);
    memmove(at + 9, at + 11, with->len - from - 11);
    with->len -= 2;
    at[1] -= 2;
    for (size_t i = 0; i < from; i += 2) {
        assert_int_equal(with->p[i], 0x30);
        with->p[i + 1] -= 2;
    }
    assert_code(ocsp_query_parse(NULL, kw_bytes_span(with), &query), KW_CODE_OK);
    assert_true(query.at[0].no_hash_parameters);
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_GOOD);
    assert_true(ocsp_certid_equal(&query.at[0], &single.id));
    single.id = query.at[0];
    AUTO(kw_bytes) *der = answer_of(&single, 1, NO_NONCE, pki->ocsp, pki->ocsp_key);
    assert_int_equal(occurrences(kw_bytes_span(der), "300706052b0e03021a0414"), 1);
    assert_int_equal(judge(der, pki->ldevid, NO_NONCE, NOW), KW_CODE_OK);
}

static void answers_are_judged_good(void **state)
{
    struct ocsp_single at[] = {single_about(pki->ldevid, OCSP_CERT_GOOD),
                               single_about(pki->server, OCSP_CERT_REVOKED),
                               single_about(pki->idevid, OCSP_CERT_UNKNOWN)};
    AUTO(kw_bytes) *der = answer_of(at, 3, NONCE, pki->ocsp, pki->ocsp_key);
    const struct cert *about[] = {pki->ldevid, pki->server, pki->idevid};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(about); i++) {
        struct ocsp_single got;
        struct kw_op op;
        kw_op_init(&op, "test", 0);
        assert_ok(&op,
                  ocsp_answer_check(&op, kw_bytes_span(der), about[i], pki->sub, NONCE, NOW, &got));
        assert_int_equal(got.status, at[i].status);
        assert_int_equal(got.revoked_unix, at[i].revoked_unix);
        assert_int_equal(got.reason, at[i].reason);
        assert_int_equal(got.this_update, NOW);
        assert_int_equal(got.next_update, NOW + DAY);
    }
    assert_int_equal(judge(der, pki->ocsp, NONCE, NOW), KW_E_DENIED); /* not asked about */
}

static void openssl_judges_the_same(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_REVOKED);
    AUTO(kw_bytes) *der = answer_of(&single, 1, NONCE, pki->ocsp, pki->ocsp_key);
    const unsigned char *p = der->p;
    AUTO(OCSP_RESPONSE) *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der->len);
    AUTO(OCSP_BASICRESP) *basic = OCSP_response_get1_basic(response);
    AUTO(X509_STORE) *store = X509_STORE_new();
    AUTO(OCSP_CERTID) *id =
        OCSP_cert_to_id(EVP_sha1(), cert_x509(pki->ldevid), cert_x509(pki->sub));
    STACK_OF(X509) *between = sk_X509_new_null();
    int status = -1;
    int reason = -1;

    (void)state;
    assert_true(sk_X509_push(between, cert_x509(pki->sub)) > 0);
    assert_true(X509_STORE_add_cert(store, cert_x509(pki->root)));
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), NOW);
    assert_int_equal(OCSP_basic_verify(basic, between, store, 0), 1);
    assert_int_equal(OCSP_resp_find_status(basic, id, &status, &reason, NULL, NULL, NULL), 1);
    assert_int_equal(status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(reason, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    sk_X509_free(between);
}

/* GeneralizedTime to the second, no fraction; ResponderID by key; no version spelt out. */
static void answers_have_the_form_of_rfc_9919(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_GOOD);
    AUTO(kw_bytes) *der = answer_of(&single, 1, NO_NONCE, pki->ocsp, pki->ocsp_key);
    char responder[64] = "a2160414";

    (void)state;
    kw_hex(KW_SPAN(pubkey_sha1(privkey_public(pki->ocsp_key)), 20), responder + 8, 56);
    assert_int_equal(occurrences(kw_bytes_span(der), responder), 1);
    assert_int_equal(occurrences(kw_bytes_span(der), "180f32303236313132313030313332305a"), 2);
    assert_int_equal(occurrences(kw_bytes_span(der), "a011180f32303236313132323030313332305a"), 1);
    assert_int_equal(occurrences(kw_bytes_span(der), "2b0601050507300102"), 0); /* no nonce */
}

static void the_issuer_may_sign_itself(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_GOOD);
    AUTO(kw_bytes) *der = answer_of(&single, 1, NO_NONCE, pki->sub, pki->sub_key);

    (void)state;
    assert_int_equal(judge(der, pki->ldevid, NO_NONCE, NOW), KW_CODE_OK);
}

static void others_may_not_sign(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_GOOD);
    AUTO(pki) *other = pki_new(KEY_ALG_EC_P256);

    (void)state;
    /* a device of the same CA, without the purpose */
    AUTO(kw_bytes) *device = answer_of(&single, 1, NO_NONCE, pki->ldevid, pki->leaf_key);
    assert_int_equal(judge(device, pki->ldevid, NO_NONCE, NOW), KW_E_DENIED);
    /* the signer of a CA of the same name, and the root above */
    AUTO(kw_bytes) *namesake = answer_of(&single, 1, NO_NONCE, other->ocsp, other->ocsp_key);
    assert_int_equal(judge(namesake, pki->ldevid, NO_NONCE, NOW), KW_E_DENIED);
    AUTO(kw_bytes) *root = answer_of(&single, 1, NO_NONCE, pki->root, pki->root_key);
    assert_int_equal(judge(root, pki->ldevid, NO_NONCE, NOW), KW_E_DENIED);
    /* a signer whose time is over */
    struct cert_spec spec = ocsp_spec(pki);
    spec.not_after = NOW - 1;
    AUTO(cert) *old = issue(&spec, pki->sub_key);
    AUTO(kw_bytes) *late = answer_of(&single, 1, NO_NONCE, old, pki->ocsp_key);
    assert_int_equal(judge(late, pki->ldevid, NO_NONCE, NOW), KW_E_EXPIRED);
}

static void answers_end(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_GOOD);
    AUTO(kw_bytes) *der = answer_of(&single, 1, NO_NONCE, pki->ocsp, pki->ocsp_key);

    (void)state;
    assert_int_equal(judge(der, pki->ldevid, NO_NONCE, NOW - 300), KW_CODE_OK);
    assert_int_equal(judge(der, pki->ldevid, NO_NONCE, NOW - 301), KW_E_EXPIRED);
    assert_int_equal(judge(der, pki->ldevid, NO_NONCE, NOW + DAY + 300), KW_CODE_OK);
    assert_int_equal(judge(der, pki->ldevid, NO_NONCE, NOW + DAY + 301), KW_E_EXPIRED);
}

static void nonces_bind_answers_to_requests(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_GOOD);
    AUTO(kw_bytes) *with = answer_of(&single, 1, NONCE, pki->ocsp, pki->ocsp_key);
    AUTO(kw_bytes) *without = answer_of(&single, 1, NO_NONCE, pki->ocsp, pki->ocsp_key);
    uint8_t other[32] = {0};

    (void)state;
    assert_int_equal(judge(with, pki->ldevid, NO_NONCE, NOW), KW_CODE_OK);
    assert_int_equal(judge(with, pki->ldevid, KW_SPAN_ARRAY(other), NOW), KW_E_DENIED);
    assert_int_equal(judge(without, pki->ldevid, NONCE, NOW), KW_E_DENIED);
}

static void error_answers_are_five_octets(void **state)
{
    static const struct {
        int status;
        enum kw_code code;
    } rows[] = {
        {1, KW_E_INPUT      },
        {2, KW_E_UNAVAILABLE},
        {3, KW_E_UNAVAILABLE},
        {6, KW_E_DENIED     }
    };
    struct ocsp_single single;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct kw_span der = ocsp_answer_error(rows[i].status);
        const uint8_t want[] = {0x30, 0x03, 0x0a, 0x01, (uint8_t)rows[i].status};
        assert_span_equal(der, KW_SPAN_ARRAY(want));
        assert_code(ocsp_answer_check(NULL, der, pki->ldevid, pki->sub, NO_NONCE, NOW, &single),
                    rows[i].code);
    }
    assert_int_equal(ocsp_answer_error(99).p[4], 2);
}

static void a_remote_key_gets_the_response_data(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    struct cert_spec spec = ocsp_spec(pki);
    struct ocsp_single at[] = {single_about(pki->ldevid, OCSP_CERT_GOOD),
                               single_about(pki->server, OCSP_CERT_REVOKED)};
    struct ocsp_tbs tbs;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    spec.key = privkey_public(remote);
    AUTO(cert) *signer = issue(&spec, pki->sub_key);
    AUTO(kw_bytes) *der = answer_of(at, 2, NONCE, signer, remote);
    assert_int_equal(judge(der, pki->ldevid, NONCE, NOW), KW_CODE_OK);
    bool read = false; /* what we write is read octet by octet, and OpenSSL reads the same */
    assert_true(ocsp_readers_agree(kw_bytes_span(far->message), &read));
    assert_true(read);
    assert_ok(&op, ocsp_tbs_parse(&op, kw_bytes_span(far->message), &tbs));
    assert_memory_equal(tbs.responder_key_sha1, pubkey_sha1(privkey_public(remote)), 20);
    assert_int_equal(tbs.produced_at, NOW);
    assert_int_equal(tbs.n, 2);
    assert_true(ocsp_certid_equal(&tbs.at[0].id, &at[0].id));
    assert_int_equal(tbs.at[1].status, OCSP_CERT_REVOKED);
    assert_int_equal(tbs.at[1].reason, 1);
    assert_int_equal(tbs.at[1].revoked_unix, NOW - DAY);
    far->refuse = KW_E_DENIED;
    AUTO(kw_bytes) *refused = NULL;
    assert_code(ocsp_answer_build(&op, at, 2, NONCE, NOW, signer, remote, &refused), KW_E_DENIED);
    assert_string_equal(kw_op_cause(&op), "not within policy");
    assert_code(ocsp_answer_build(&op, at, 2, NONCE, NOW, pki->ocsp, remote, &refused), KW_E_INPUT);
}

/* What OpenSSL's own responder would sign is more than a keeper signs: byName, single extensions.
 */
static void only_our_own_form_is_signed(void **state)
{
    AUTO(OCSP_BASICRESP) *basic = OCSP_BASICRESP_new();
    AUTO(ASN1_TIME) *now = ASN1_TIME_set(NULL, NOW);
    AUTO(ASN1_TIME) *later = ASN1_TIME_set(NULL, NOW + DAY);
    AUTO(OCSP_CERTID) *id =
        OCSP_cert_to_id(EVP_sha1(), cert_x509(pki->ldevid), cert_x509(pki->sub));
    struct ocsp_tbs tbs;
    unsigned char *der = NULL;

    (void)state;
    assert_non_null(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, later));
    assert_true(OCSP_basic_sign(basic, cert_x509(pki->ocsp), privkey_evp(pki->ocsp_key),
                                EVP_sha256(), NULL, 0));
    int n = i2d_OCSP_RESPDATA((OCSP_RESPDATA *)(uintptr_t)OCSP_resp_get0_respdata(basic), &der);
    assert_code(ocsp_tbs_parse(NULL, KW_SPAN(der, (size_t)n), &tbs), KW_E_INPUT);
    OPENSSL_free(der);
}

/* As another responder answers: by name, about others first, each with an extension. */
struct foreign {
    bool critical, by_key, no_next;
    enum kw_code verdict;
};

static void add_extension(OCSP_SINGLERESP *single, bool critical)
{
    AUTO(ASN1_OCTET_STRING) *value = ASN1_OCTET_STRING_new();
    AUTO(X509_EXTENSION) *extension = NULL;

    assert_true(ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05\x00", 2));
    extension = X509_EXTENSION_create_by_NID(NULL, NID_id_pkix_OCSP_CrlID, critical, value);
    assert_true(OCSP_SINGLERESP_add_ext(single, extension, -1));
}

static struct kw_bytes *foreign_answer(const struct foreign *how)
{
    AUTO(OCSP_BASICRESP) *basic = OCSP_BASICRESP_new();
    AUTO(ASN1_TIME) *now = ASN1_TIME_set(NULL, NOW);
    AUTO(ASN1_TIME) *later = ASN1_TIME_set(NULL, NOW + DAY);
    const struct cert *about[] = {pki->server, pki->ldevid};
    struct kw_bytes *bytes = NULL;
    unsigned char *der = NULL;

    for (int i = 0; i < 3; i++) {
        AUTO(OCSP_CERTID) *id =
            OCSP_cert_to_id(i == 0 ? EVP_sha512() : EVP_sha1(), cert_x509(about[i != 0 && i != 1]),
                            cert_x509(pki->sub));
        OCSP_SINGLERESP *single =
            OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_REVOKED, 0, now, now,
                                   how->no_next && i == 2 ? NULL : later);
        add_extension(single, how->critical && i == 2);
    }
    assert_true(OCSP_basic_sign(basic, cert_x509(pki->ocsp), privkey_evp(pki->ocsp_key),
                                EVP_sha256(), NULL, how->by_key ? OCSP_RESPID_KEY : 0));
    AUTO(OCSP_RESPONSE) *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int n = i2d_OCSP_RESPONSE(response, &der);
    assert_true(kw_ok(kw_bytes_copy(KW_SPAN(der, (size_t)n), &bytes)));
    OPENSSL_free(der);
    return bytes;
}

static void others_answers_are_read(void **state)
{
    static const struct foreign rows[] = {
        {.verdict = KW_CODE_OK},
        {.by_key = true, .verdict = KW_CODE_OK},
        {.critical = true, .verdict = KW_E_DENIED},
        {.no_next = true, .verdict = KW_E_INPUT},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        AUTO(kw_bytes) *der = foreign_answer(&rows[i]);
        struct ocsp_single got = {0};
        assert_code(
            ocsp_answer_check(NULL, kw_bytes_span(der), pki->ldevid, pki->sub, NO_NONCE, NOW, &got),
            rows[i].verdict);
        if (rows[i].verdict == KW_CODE_OK) {
            assert_int_equal(got.status, OCSP_CERT_REVOKED);
            assert_int_equal(got.reason, 0); /* unspecified, spelt out */
            assert_int_equal(got.next_update, NOW + DAY);
        }
    }
}

static void take_query(struct kw_span der, void *ctx)
{
    struct ocsp_query query;

    (void)ctx;
    (void)ocsp_query_parse(NULL, der, &query).code; /* must not crash */
}

static void take_tbs(struct kw_span der, void *ctx)
{
    struct ocsp_tbs tbs;
    bool read = false;

    (void)ctx;
    (void)ocsp_tbs_parse(NULL, der, &tbs).code; /* must not crash */
    assert_true(ocsp_readers_agree(der, &read));
}

/* Whatever was changed: a good verdict only ever is about what was signed. */
static void take_answer(struct kw_span der, void *ctx)
{
    struct ocsp_single got;

    (void)ctx;
    if (kw_ok(ocsp_answer_check(NULL, der, pki->ldevid, pki->sub, NONCE, NOW, &got))) {
        assert_int_equal(got.status, OCSP_CERT_REVOKED);
        assert_int_equal(got.revoked_unix, NOW - DAY);
        assert_int_equal(got.next_update, NOW + DAY);
    }
}

static void damage_never_passes_unseen(void **state)
{
    struct ocsp_single single = single_about(pki->ldevid, OCSP_CERT_REVOKED);
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    struct cert_spec spec = ocsp_spec(pki);
    AUTO(kw_bytes) *query = NULL;

    (void)state;
    spec.key = privkey_public(remote);
    AUTO(cert) *signer = issue(&spec, pki->sub_key);
    AUTO(kw_bytes) *der = answer_of(&single, 1, NONCE, signer, remote);
    damage_everywhere(kw_bytes_span(der), take_answer, NULL);
    damage_everywhere(kw_bytes_span(far->message), take_tbs, NULL);
    assert_code(ocsp_query_build(NULL, pki->ldevid, pki->sub, true, NONCE, &query), KW_CODE_OK);
    damage_everywhere(kw_bytes_span(query), take_query, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_there_and_back),
        cmocka_unit_test(the_key_hash_is_over_the_bits_only),
        cmocka_unit_test(openssl_requests_are_read),
        cmocka_unit_test(nonces_of_wrong_length_are_malformed),
        cmocka_unit_test(certids_are_echoed_as_they_came),
        cmocka_unit_test(answers_are_judged_good),
        cmocka_unit_test(openssl_judges_the_same),
        cmocka_unit_test(answers_have_the_form_of_rfc_9919),
        cmocka_unit_test(the_issuer_may_sign_itself),
        cmocka_unit_test(others_may_not_sign),
        cmocka_unit_test(answers_end),
        cmocka_unit_test(nonces_bind_answers_to_requests),
        cmocka_unit_test(error_answers_are_five_octets),
        cmocka_unit_test(a_remote_key_gets_the_response_data),
        cmocka_unit_test(only_our_own_form_is_signed),
        cmocka_unit_test(others_answers_are_read),
        cmocka_unit_test(damage_never_passes_unseen),
    };

    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
