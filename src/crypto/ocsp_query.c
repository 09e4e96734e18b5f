#include <openssl/err.h>

#include "crypto/ocsp_asn1.h"

/*
 * Clients are not ours and some encode defaults, so here, unlike elsewhere, BER that OpenSSL takes
 * is good enough: nothing is hashed or compared but what goes back in the CertID, which is encoded
 * anew.
 */
static kw_status decode(struct kw_op *op, struct kw_span der, OCSP_REQUEST **ret)
{
    const unsigned char *p = der.p;

    ENSURE(op, der.len > 0 && der.len <= KW_OCSP_REQ_MAX, KW_E_INPUT, "a request of %zu octets",
           der.len);
    AUTO(OCSP_REQUEST) *request = d2i_OCSP_REQUEST(NULL, &p, (long)der.len);
    OSSL_ENSURE(op, request, KW_E_INPUT, "OCSPRequest");
    ENSURE(op, p == der.p + der.len, KW_E_INPUT, "octets behind the request");
    *ret = TAKE(request);
    return KW_OK;
}

static kw_status read_nonce(struct kw_op *op, X509_EXTENSION *extension, struct ocsp_query *query)
{
    struct kw_span nonce;

    TRY(op, ocsp_nonce_read(op, der_string(X509_EXTENSION_get_data(extension)), &nonce));
    if (nonce.len <= sizeof(query->nonce)) {
        memcpy(query->nonce, nonce.p, nonce.len);
        query->nonce_len = nonce.len;
    }
    return KW_OK;
}

static kw_status read_exts(struct kw_op *op, OCSP_REQUEST *request, struct ocsp_query *query)
{
    int n = OCSP_REQUEST_get_ext_count(request);
    bool has_nonce = false;

    ENSURE(op, n <= EXT_COUNT_MAX, KW_E_INPUT, "%d extensions", n);
    for (int i = 0; i < n; i++) {
        X509_EXTENSION *extension = OCSP_REQUEST_get_ext(request, i);
        if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_id_pkix_OCSP_Nonce) {
            ENSURE(op, !X509_EXTENSION_get_critical(extension), KW_E_INPUT,
                   "an unknown critical extension");
            continue;
        }
        ENSURE(op, !has_nonce, KW_E_INPUT, "two nonces");
        has_nonce = true;
        TRY(op, read_nonce(op, extension, query));
    }
    return KW_OK;
}

static kw_status read_one(struct kw_op *op, OCSP_ONEREQ *one, struct ocsp_query *query,
                          struct ocsp_certid *ret)
{
    for (int i = 0; i < OCSP_ONEREQ_get_ext_count(one); i++) {
        ENSURE(op, !X509_EXTENSION_get_critical(OCSP_ONEREQ_get_ext(one, i)), KW_E_INPUT,
               "an unknown critical extension");
    }
    if (!ocsp_certid_hash_known(OCSP_onereq_get0_id(one))) {
        query->unknown_hash = true;
        return KW_OK;
    }
    return ocsp_certid_read(op, OCSP_onereq_get0_id(one), ret);
}

static kw_status read_query(struct kw_op *op, struct kw_span der, struct ocsp_query *ret)
{
    struct ocsp_query query = {0};
    AUTO(OCSP_REQUEST) *request = NULL;

    TRY(op, decode(op, der, &request));
    int n = OCSP_request_onereq_count(request);
    ENSURE(op, n >= 1 && n <= OCSP_CERTIDS_MAX, KW_E_INPUT,
           "%d certificates asked about, 1 to %d "
           "are taken",
           n, (int)OCSP_CERTIDS_MAX);
    for (int i = 0; i < n; i++) {
        TRY(op, read_one(op, OCSP_request_onereq_get0(request, i), &query, &query.at[i]));
    }
    query.n = (unsigned)n;
    TRY(op, read_exts(op, request, &query));
    *ret = query;
    return KW_OK;
}

kw_status ocsp_query_parse(struct kw_op *op, struct kw_span der, struct ocsp_query *ret)
{
    TRY(op, read_query(op, der, ret), "reading an OCSP request");
    return KW_OK;
}

static kw_status add_nonce(struct kw_op *op, OCSP_REQUEST *request, struct kw_span nonce)
{
    AUTO(kw_bytes) *value = NULL;
    AUTO(ASN1_OCTET_STRING) *data = ASN1_OCTET_STRING_new();
    AUTO(X509_EXTENSION) *extension = NULL;

    if (nonce.len == 0) {
        return KW_OK;
    }
    ENSURE(op, nonce.len >= 16 && nonce.len <= OCSP_NONCE_MAX, KW_E_INPUT, "a nonce of %zu octets",
           nonce.len);
    TRY(op, kw_bytes_new(40, &value));
    TRY(op, ocsp_nonce_write(op, nonce, value));
    OSSL_ENSURE(op, data && ASN1_OCTET_STRING_set(data, value->p, (int)value->len), KW_E_MEMORY,
                "nonce");
    extension = X509_EXTENSION_create_by_NID(NULL, NID_id_pkix_OCSP_Nonce, /* crit= */ 0, data);
    OSSL_ENSURE(op, extension && OCSP_REQUEST_add_ext(request, extension, -1), KW_E_MEMORY,
                "nonce");
    return KW_OK;
}

static kw_status build_query(struct kw_op *op, const struct ocsp_certid *about,
                             struct kw_span nonce, struct kw_bytes **ret)
{
    AUTO(OCSP_REQUEST) *request = OCSP_REQUEST_new();
    AUTO(OCSP_CERTID) *id = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, ocsp_certid_write(op, about, &id));
    OSSL_ENSURE(op, request && OCSP_request_add0_id(request, id), KW_E_MEMORY, "CertID");
    (void)TAKE(id); /* the request has it now */
    TRY(op, add_nonce(op, request, nonce));
    TRY(op, kw_bytes_new(256, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(OCSP_REQUEST), request, der));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status ocsp_query_build(struct kw_op *op, const struct cert *cert, const struct cert *issuer,
                           bool sha256, struct kw_span nonce, struct kw_bytes **ret)
{
    struct ocsp_certid about;

    ocsp_certid_for(cert_subject(issuer), cert_public(issuer), cert_serial(cert), sha256, &about);
    TRY(op, build_query(op, &about, nonce, ret), "building an OCSP request");
    return KW_OK;
}
