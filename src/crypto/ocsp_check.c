#include <openssl/err.h>

#include "base/time.h"
#include "crypto/ocsp_asn1.h"
#include "crypto/signed.h"

enum {
    ANSWER_MAX = 32768, /* an answer with a chain of certificates */
    CERTS_MAX = 4,      /* only the delegate's own matters */
    SKEW_S = 300,
};
#define OID_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"

static kw_status check_status(struct kw_op *op, int status)
{
    switch (status) {
    case OCSP_RESPONSE_STATUS_SUCCESSFUL:
        return KW_OK;
    case OCSP_RESPONSE_STATUS_INTERNALERROR:
    case OCSP_RESPONSE_STATUS_TRYLATER:
        return FAIL(op, KW_E_UNAVAILABLE, "the responder says %s",
                    OCSP_response_status_str(status));
    case OCSP_RESPONSE_STATUS_SIGREQUIRED:
    case OCSP_RESPONSE_STATUS_UNAUTHORIZED:
        return FAIL(op, KW_E_DENIED, "the responder says %s", OCSP_response_status_str(status));
    default:
        return FAIL(op, KW_E_INPUT, "the responder says status %d", status);
    }
}

static kw_status decode(struct kw_op *op, struct kw_span der, OCSP_BASICRESP **ret)
{
    const unsigned char *p = der.p;

    ENSURE(op, der.len > 0 && der.len <= ANSWER_MAX, KW_E_INPUT, "an answer of %zu octets",
           der.len);
    AUTO(OCSP_RESPONSE) *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.len);
    OSSL_ENSURE(op, response, KW_E_INPUT, "OCSPResponse");
    ENSURE(op, p == der.p + der.len, KW_E_INPUT, "octets behind the answer");
    TRY(op, check_status(op, OCSP_response_status(response)));
    *ret = OCSP_response_get1_basic(response);
    OSSL_ENSURE(op, *ret, KW_E_INPUT, "BasicOCSPResponse");
    return KW_OK;
}

/* RFC 6960 section 4.2.2.3: does ResponderID name this certificate? */
static bool is_responder(const OCSP_BASICRESP *basic, const struct cert *cert)
{
    const ASN1_OCTET_STRING *key_hash = NULL;
    const X509_NAME *name = NULL;
    const unsigned char *der = NULL;
    size_t len = 0;

    if (!OCSP_resp_get0_id(basic, &key_hash, &name)) {
        return false;
    }
    if (key_hash) {
        return kw_span_equal(der_string(key_hash), KW_SPAN(pubkey_sha1(cert_public(cert)), 20));
    }
    return name && X509_NAME_get0_der(name, &der, &len) &&
           kw_span_equal(KW_SPAN(der, len), cert_subject(cert));
}

static bool has_eku(const struct cert *cert, const char *eku)
{
    for (unsigned i = 0; i < cert_eku_count(cert); i++) {
        if (strcmp(cert_eku(cert, i), eku) == 0) {
            return true;
        }
    }
    return false;
}

/* Section 4.2.2.2: "issued directly by the CA that is identified in the request", purpose OCSP
 * signing. */
static kw_status check_delegate(struct kw_op *op, const struct cert *delegate,
                                const struct cert *issuer, int64_t now_unix)
{
    unsigned usage = cert_key_usage(delegate);

    ENSURE(op, kw_span_equal(cert_issuer(delegate), cert_subject(issuer)), KW_E_DENIED,
           "the OCSP signer has another issuer");
    TRY(op, cert_verify_signature(op, delegate, cert_public(issuer)), "OCSP signer");
    ENSURE(op, has_eku(delegate, OID_OCSP_SIGNING), KW_E_DENIED,
           "the OCSP signer's certificate is not for OCSP signing");
    ENSURE(op, usage == 0 || usage & CERT_KU_DIGITAL_SIGNATURE, KW_E_DENIED,
           "the OCSP signer's certificate is not for signatures");
    ENSURE(op, !(cert_ext_critical(delegate) & CERT_EXT_OTHER), KW_E_DENIED,
           "the OCSP signer's certificate has an unknown critical extension");
    ENSURE(op, now_unix >= cert_not_before(delegate) && now_unix <= cert_not_after(delegate),
           KW_E_EXPIRED, "the OCSP signer's certificate is outside its validity");
    return KW_OK;
}

/* The first certificate of the answer that ResponderID names. Others may be of kinds that we do not
 * read. */
static kw_status find_delegate(struct kw_op *op, const OCSP_BASICRESP *basic, struct cert **ret)
{
    const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);
    int n = certs ? sk_X509_num(certs) : 0;

    for (int i = 0; i < n && i < CERTS_MAX; i++) {
        AUTO(cert) *cert = NULL;
        if (kw_ok(cert_from_x509(NULL, sk_X509_value(certs, i), &cert)) &&
            is_responder(basic, cert)) {
            *ret = TAKE(cert);
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "the OCSP answer's signer is not known");
}

/* Section 3.2: the issuer itself, or who was named by it. */
static kw_status find_signer(struct kw_op *op, const OCSP_BASICRESP *basic,
                             const struct cert *issuer, int64_t now_unix, struct cert **ret)
{
    AUTO(cert) *delegate = NULL;

    if (is_responder(basic, issuer)) {
        *ret = cert_ref(issuer);
        return KW_OK;
    }
    TRY(op, find_delegate(op, basic, &delegate));
    TRY(op, check_delegate(op, delegate, issuer, now_unix));
    *ret = TAKE(delegate);
    return KW_OK;
}

static kw_status check_signature(struct kw_op *op, const OCSP_BASICRESP *basic,
                                 const struct cert *signer)
{
    AUTO(kw_bytes) *tbs = NULL;
    struct signed_der object = {
        .key_alg = signed_alg_of(OCSP_resp_get0_tbs_sigalg(basic)),
        .signature = der_string(OCSP_resp_get0_signature(basic)),
    };

    TRY(op, kw_bytes_new(512, &tbs));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(OCSP_RESPDATA), OCSP_resp_get0_respdata(basic), tbs));
    object.tbs = kw_bytes_span(tbs);
    return signed_verify(op, &object, cert_public(signer));
}

static kw_status check_nonce(struct kw_op *op, OCSP_BASICRESP *basic, struct kw_span sent)
{
    struct kw_span nonce;

    if (sent.len == 0) {
        return KW_OK;
    }
    int at = OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1);
    ENSURE(op, at >= 0, KW_E_DENIED, "the OCSP answer lacks our nonce");
    X509_EXTENSION *extension = OCSP_BASICRESP_get_ext(basic, at);
    TRY(op, ocsp_nonce_read(op, der_string(X509_EXTENSION_get_data(extension)), &nonce));
    ENSURE(op, kw_span_equal(nonce, sent), KW_E_DENIED, "the OCSP answer is to another request");
    return KW_OK;
}

/* Section 4.4: nothing critical that we do not know. */
static kw_status check_exts(struct kw_op *op, OCSP_BASICRESP *basic, OCSP_SINGLERESP *single)
{
    for (int i = 0; i < OCSP_BASICRESP_get_ext_count(basic); i++) {
        X509_EXTENSION *extension = OCSP_BASICRESP_get_ext(basic, i);
        bool known = OBJ_obj2nid(X509_EXTENSION_get_object(extension)) == NID_id_pkix_OCSP_Nonce;
        ENSURE(op, known || !X509_EXTENSION_get_critical(extension), KW_E_DENIED,
               "the OCSP answer has an unknown critical extension");
    }
    for (int i = 0; i < OCSP_SINGLERESP_get_ext_count(single); i++) {
        ENSURE(op, !X509_EXTENSION_get_critical(OCSP_SINGLERESP_get_ext(single, i)), KW_E_DENIED,
               "the OCSP answer has an unknown critical extension");
    }
    return KW_OK;
}

/* OpenSSL gives const here and asks for none in the getters of CertID. */
static OCSP_CERTID *id_of(const OCSP_SINGLERESP *single)
{
    return (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
}

static kw_status find_single(struct kw_op *op, OCSP_BASICRESP *basic, const struct cert *cert,
                             const struct cert *issuer, struct ocsp_certid *ret_id,
                             OCSP_SINGLERESP **ret)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        struct ocsp_certid id;
        struct ocsp_certid ours;
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        if (!kw_ok(ocsp_certid_read(NULL, id_of(single), &id))) {
            continue;
        }
        ocsp_certid_for(cert_subject(issuer), cert_public(issuer), cert_serial(cert), id.sha256,
                        &ours);
        if (ocsp_certid_equal(&id, &ours)) {
            *ret_id = id;
            *ret = single;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "the OCSP answer is not about this certificate");
}

static kw_status read_single(struct kw_op *op, OCSP_SINGLERESP *one, struct ocsp_single *single)
{
    int reason = 0;
    ASN1_GENERALIZEDTIME *revoked = NULL;
    ASN1_GENERALIZEDTIME *this_update = NULL;
    ASN1_GENERALIZEDTIME *next_update = NULL;

    int status = OCSP_single_get0_status(one, &reason, &revoked, &this_update, &next_update);
    ENSURE(op, status >= OCSP_CERT_GOOD && status <= OCSP_CERT_UNKNOWN, KW_E_INPUT,
           "certificate status %d", status);
    single->status = (enum ocsp_cert_status)status;
    if (single->status == OCSP_CERT_REVOKED) {
        TRY(op, der_time_get(op, revoked, &single->revoked_unix), "revocationTime");
        single->reason = reason > 0 && reason <= 10 ? reason : 0;
    }
    TRY(op, der_time_get(op, this_update, &single->this_update), "thisUpdate");
    ENSURE(op, next_update, KW_E_INPUT, "the OCSP answer has no nextUpdate");
    TRY(op, der_time_get(op, next_update, &single->next_update), "nextUpdate");
    return KW_OK;
}

static kw_status check_fresh(struct kw_op *op, const struct ocsp_single *single, int64_t now_unix)
{
    char text[KW_TIME_TEXT];

    ENSURE(op, single->this_update <= now_unix + SKEW_S, KW_E_EXPIRED,
           "the OCSP answer begins in the future, at %s", kw_time_text(single->this_update, text));
    ENSURE(op, single->next_update >= now_unix - SKEW_S, KW_E_EXPIRED,
           "the OCSP answer ended at %s", kw_time_text(single->next_update, text));
    return KW_OK;
}

/* Signatures last: whoever sends us an answer is not to make us work for one that says nothing. */
static kw_status check(struct kw_op *op, struct kw_span der, const struct cert *cert,
                       const struct cert *issuer, struct kw_span nonce, int64_t now_unix,
                       struct ocsp_single *ret)
{
    struct ocsp_single single = {0};
    AUTO(OCSP_BASICRESP) *basic = NULL;
    AUTO(cert) *signer = NULL;
    OCSP_SINGLERESP *one = NULL;

    TRY(op, decode(op, der, &basic));
    TRY(op, find_single(op, basic, cert, issuer, &single.id, &one));
    TRY(op, check_exts(op, basic, one));
    TRY(op, check_nonce(op, basic, nonce));
    TRY(op, read_single(op, one, &single));
    TRY(op, check_fresh(op, &single, now_unix));
    TRY(op, find_signer(op, basic, issuer, now_unix, &signer));
    TRY(op, check_signature(op, basic, signer));
    *ret = single;
    return KW_OK;
}

kw_status ocsp_answer_check(struct kw_op *op, struct kw_span der, const struct cert *cert,
                            const struct cert *issuer, struct kw_span nonce, int64_t now_unix,
                            struct ocsp_single *ret)
{
    TRY(op, check(op, der, cert, issuer, nonce, now_unix, ret), "checking an OCSP answer");
    ERR_clear_error();
    return KW_OK;
}

kw_status ocsp_answer_peek(struct kw_op *op, struct kw_span der, const struct cert *cert,
                           const struct cert *issuer, struct ocsp_single *ret)
{
    struct ocsp_single single = {0};
    AUTO(OCSP_BASICRESP) *basic = NULL;
    OCSP_SINGLERESP *one = NULL;

    TRY(op, decode(op, der, &basic));
    TRY(op, find_single(op, basic, cert, issuer, &single.id, &one));
    TRY(op, read_single(op, one, &single));
    ERR_clear_error();
    *ret = single;
    return KW_OK;
}
