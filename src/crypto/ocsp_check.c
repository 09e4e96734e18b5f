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

static kw_status view_of(struct kw_op *op, struct kw_span der, struct ocsp_view *ret)
{
    ENSURE(op, der.len > 0 && der.len <= ANSWER_MAX, KW_E_INPUT, "an answer of %zu octets",
           der.len);
    ENSURE(op, ocsp_view_read(der, ret), KW_E_INPUT, "not an OCSPResponse in DER");
    return check_status(op, ret->status);
}

/* RFC 6960 section 4.2.2.3: does ResponderID name this certificate? */
static bool is_responder(const struct ocsp_view *view, const struct cert *cert)
{
    if (view->key_hash.len > 0) {
        return kw_span_equal(view->key_hash, KW_SPAN(pubkey_sha1(cert_public(cert)), 20));
    }
    return kw_span_equal(view->name, cert_subject(cert));
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
static kw_status find_delegate(struct kw_op *op, const struct ocsp_view *view, struct cert **ret)
{
    struct kw_reader certs = kw_reader_of(view->certs);

    for (unsigned i = 0; certs.rest.len > 0 && i < CERTS_MAX; i++) {
        AUTO(cert) *cert = NULL;
        if (kw_ok(cert_parse(NULL, der_read_whole(&certs, DER_SEQUENCE), &cert)) &&
            is_responder(view, cert)) {
            *ret = TAKE(cert);
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "the OCSP answer's signer is not known");
}

/* Section 3.2: the issuer itself, or who was named by it. */
static kw_status find_signer(struct kw_op *op, const struct ocsp_view *view,
                             const struct cert *issuer, int64_t now_unix, struct cert **ret)
{
    AUTO(cert) *delegate = NULL;

    if (is_responder(view, issuer)) {
        *ret = cert_ref(issuer);
        return KW_OK;
    }
    TRY(op, find_delegate(op, view, &delegate));
    TRY(op, check_delegate(op, delegate, issuer, now_unix));
    *ret = TAKE(delegate);
    return KW_OK;
}

static kw_status check_signature(struct kw_op *op, const struct ocsp_view *view,
                                 const struct cert *issuer, int64_t now_unix)
{
    AUTO(cert) *signer = NULL;
    struct signed_der object = {
        .tbs = view->tbs, .key_alg = view->alg, .signature = view->signature};

    TRY(op, find_signer(op, view, issuer, now_unix, &signer));
    return signed_verify(op, &object, cert_public(signer));
}

static kw_status check_nonce(struct kw_op *op, const struct ocsp_view *view, struct kw_span sent)
{
    struct kw_reader exts = kw_reader_of(view->exts);
    struct ocsp_ext one;
    struct kw_span nonce;

    if (sent.len == 0) {
        return KW_OK;
    }
    while (exts.rest.len > 0 && ocsp_view_ext(&exts, &one)) {
        if (!kw_span_equal(one.oid, ocsp_nonce_oid)) {
            continue;
        }
        TRY(op, ocsp_nonce_read(op, one.value, &nonce));
        ENSURE(op, kw_span_equal(nonce, sent), KW_E_DENIED,
               "the OCSP answer is to another request");
        return KW_OK;
    }
    return FAIL(op, KW_E_DENIED, "the OCSP answer lacks our nonce");
}

/* Section 4.4: nothing critical that we do not know. */
static kw_status check_exts(struct kw_op *op, struct kw_span exts, struct kw_span known)
{
    struct kw_reader r = kw_reader_of(exts);
    struct ocsp_ext one;

    while (r.rest.len > 0 && ocsp_view_ext(&r, &one)) {
        ENSURE(op, !one.critical || kw_span_equal(one.oid, known), KW_E_DENIED,
               "the OCSP answer has an unknown critical extension");
    }
    return KW_OK;
}

static kw_status find_single(struct kw_op *op, const struct ocsp_view *view,
                             const struct cert *cert, const struct cert *issuer,
                             struct ocsp_one *ret)
{
    struct kw_reader singles = kw_reader_of(view->singles);
    struct ocsp_certid ours;

    while (singles.rest.len > 0 && ocsp_view_single(&singles, ret)) {
        if (!ret->known) {
            continue;
        }
        ocsp_certid_for(cert_subject(issuer), cert_public(issuer), cert_serial(cert),
                        ret->single.id.sha256, &ours);
        if (ocsp_certid_equal(&ret->single.id, &ours)) {
            ENSURE(op, ret->has_next, KW_E_INPUT, "the OCSP answer has no nextUpdate");
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "the OCSP answer is not about this certificate");
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
    struct ocsp_view view;
    struct ocsp_one one;

    TRY(op, view_of(op, der, &view));
    TRY(op, find_single(op, &view, cert, issuer, &one));
    TRY(op, check_exts(op, view.exts, ocsp_nonce_oid));
    TRY(op, check_exts(op, one.exts, KW_SPAN(NULL, 0)));
    TRY(op, check_nonce(op, &view, nonce));
    TRY(op, check_fresh(op, &one.single, now_unix));
    TRY(op, check_signature(op, &view, issuer, now_unix));
    *ret = one.single;
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
    struct ocsp_view view;
    struct ocsp_one one;

    TRY(op, view_of(op, der, &view));
    TRY(op, find_single(op, &view, cert, issuer, &one));
    *ret = one.single;
    return KW_OK;
}
