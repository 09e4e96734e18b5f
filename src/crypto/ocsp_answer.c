#include "crypto/ocsp_asn1.h"
#include "crypto/signed.h"

/* RFC 6960 section 4.2.1: the certificates follow the signature. */
struct ocsp_basic {
    ASN1_STRING *tbs; /* DER ResponseData */
    X509_ALGOR *alg;
    ASN1_BIT_STRING *signature;
    STACK_OF(der_raw) *certs; /* NULL = absent */
};
/* clang-format off */
ASN1_SEQUENCE(ocsp_basic) = {
    ASN1_SIMPLE(struct ocsp_basic, tbs, ASN1_SEQUENCE),
    ASN1_SIMPLE(struct ocsp_basic, alg, X509_ALGOR),
    ASN1_SIMPLE(struct ocsp_basic, signature, ASN1_BIT_STRING),
    ASN1_EXP_SEQUENCE_OF_OPT(struct ocsp_basic, certs, ASN1_SEQUENCE, 0),
} static_ASN1_SEQUENCE_END_name(struct ocsp_basic, ocsp_basic);
/* clang-format on */

struct ocsp_bytes {
    ASN1_OBJECT *type;
    ASN1_OCTET_STRING *value; /* DER BasicOCSPResponse */
};
/* clang-format off */
ASN1_SEQUENCE(ocsp_bytes) = {
    ASN1_SIMPLE(struct ocsp_bytes, type, ASN1_OBJECT),
    ASN1_SIMPLE(struct ocsp_bytes, value, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END_name(struct ocsp_bytes, ocsp_bytes);
/* clang-format on */

/* An answer that succeeded. */
struct ocsp_envelope {
    ASN1_ENUMERATED *status;
    struct ocsp_bytes *bytes;
};
/* clang-format off */
ASN1_SEQUENCE(ocsp_envelope) = {
    ASN1_SIMPLE(struct ocsp_envelope, status, ASN1_ENUMERATED),
    ASN1_EXP(struct ocsp_envelope, bytes, ocsp_bytes, 0),
} static_ASN1_SEQUENCE_END_name(struct ocsp_envelope, ocsp_envelope);
/* clang-format on */

static void ocsp_basic_free(struct ocsp_basic *basic)
{
    ASN1_item_free((ASN1_VALUE *)basic, ASN1_ITEM_rptr(ocsp_basic));
}
KW_OWNED(ocsp_basic, struct ocsp_basic, ocsp_basic_free)

static void ocsp_envelope_free(struct ocsp_envelope *envelope)
{
    ASN1_item_free((ASN1_VALUE *)envelope, ASN1_ITEM_rptr(ocsp_envelope));
}
KW_OWNED(ocsp_envelope, struct ocsp_envelope, ocsp_envelope_free)

/* OCSPResponse with only its status, RFC 6960 section 4.2.1; responseBytes are absent on errors. */
struct kw_span ocsp_answer_error(int status)
{
    static const uint8_t answers[][5] = {
        {0x30, 0x03, 0x0a, 0x01, 1}, /* malformedRequest */
        {0x30, 0x03, 0x0a, 0x01, 2}, /* internalError */
        {0x30, 0x03, 0x0a, 0x01, 3}, /* tryLater */
        {0x30, 0x03, 0x0a, 0x01, 6}, /* unauthorized */
    };

    for (size_t i = 0; i < KW_COUNT(answers); i++) {
        if (answers[i][4] == status) {
            return KW_SPAN_ARRAY(answers[i]);
        }
    }
    return KW_SPAN_ARRAY(answers[1]);
}

static kw_status set_revoked(struct kw_op *op, const struct ocsp_single *single,
                             struct ocsp_revoked *revoked)
{
    TRY(op, der_gentime_set(op, revoked->time, single->revoked_unix), "revocationTime");
    if (single->reason == 0) {
        return KW_OK;
    }
    revoked->reason = ASN1_ENUMERATED_new();
    OSSL_ENSURE(op, revoked->reason && ASN1_ENUMERATED_set(revoked->reason, single->reason),
                KW_E_MEMORY, "revocation reason");
    return KW_OK;
}

static kw_status set_state(struct kw_op *op, const struct ocsp_single *single,
                           struct ocsp_state *state)
{
    ENSURE(op, single->status <= OCSP_CERT_UNKNOWN, KW_E_INPUT, "certificate status %d",
           (int)single->status);
    state->type = (int)single->status;
    if (single->status != OCSP_CERT_REVOKED) {
        state->value.good = ASN1_NULL_new(); /* or unknown: the same member */
        OSSL_ENSURE(op, state->value.good, KW_E_MEMORY, "certificate status");
        return KW_OK;
    }
    state->value.revoked = (struct ocsp_revoked *)ASN1_item_new(ASN1_ITEM_rptr(ocsp_revoked));
    OSSL_ENSURE(op, state->value.revoked, KW_E_MEMORY, "certificate status");
    return set_revoked(op, single, state->value.revoked);
}

static kw_status add_single(struct kw_op *op, const struct ocsp_single *single,
                            struct ocsp_data *data)
{
    AUTO(ocsp_item) *item = (struct ocsp_item *)ASN1_item_new(ASN1_ITEM_rptr(ocsp_item));

    OSSL_ENSURE(op, item, KW_E_MEMORY, "OCSP answer");
    OCSP_CERTID_free(item->id);
    item->id = NULL;
    TRY(op, ocsp_certid_write(op, &single->id, &item->id));
    TRY(op, set_state(op, single, item->state));
    TRY(op, der_gentime_set(op, item->this_update, single->this_update), "thisUpdate");
    TRY(op, der_gentime_set(op, item->next_update, single->next_update), "nextUpdate");
    OSSL_ENSURE(op, sk_ocsp_item_push(data->items, item) > 0, KW_E_MEMORY, "OCSP answer");
    (void)TAKE(item); /* the list has it now */
    return KW_OK;
}

static kw_status add_nonce(struct kw_op *op, struct kw_span nonce, struct ocsp_data *data)
{
    AUTO(kw_bytes) *value = NULL;

    if (nonce.len == 0) {
        return KW_OK;
    }
    ENSURE(op, nonce.len <= OCSP_NONCE_MAX, KW_E_INPUT, "a nonce of %zu octets", nonce.len);
    TRY(op, kw_bytes_new(40, &value));
    TRY(op, ocsp_nonce_write(op, nonce, value));
    return ext_add_der(op, &data->exts, NID_id_pkix_OCSP_Nonce, /* critical= */ false,
                       kw_bytes_span(value));
}

static kw_status build_tbs(struct kw_op *op, const struct ocsp_single at[], unsigned n,
                           struct kw_span nonce, int64_t produced_at, const struct pubkey *key,
                           struct kw_bytes **ret)
{
    AUTO(ocsp_data) *data = (struct ocsp_data *)ASN1_item_new(ASN1_ITEM_rptr(ocsp_data));
    AUTO(kw_bytes) *der = NULL;

    ENSURE(op, n >= 1 && n <= OCSP_CERTIDS_MAX, KW_E_INPUT, "%u answers", n);
    OSSL_ENSURE(op, data && ASN1_OCTET_STRING_set(data->responder_key, pubkey_sha1(key), 20),
                KW_E_MEMORY, "OCSP answer");
    TRY(op, der_gentime_set(op, data->produced_at, produced_at), "producedAt");
    for (unsigned i = 0; i < n; i++) {
        TRY(op, add_single(op, &at[i], data));
    }
    TRY(op, add_nonce(op, nonce, data));
    TRY(op, kw_bytes_new(512, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(ocsp_data), data, der));
    *ret = TAKE(der);
    return KW_OK;
}

/* SIGNED{} as it is, and the signer's certificate behind it. */
static kw_status add_cert(struct kw_op *op, struct kw_span signed_der, const struct cert *signer,
                          struct kw_bytes **ret)
{
    AUTO(ocsp_basic) *basic = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, der_decode(op, ASN1_ITEM_rptr(ocsp_basic), signed_der, "BasicOCSPResponse", &basic));
    TRY(op, der_raw_add(op, &basic->certs, cert_der(signer)));
    TRY(op, kw_bytes_new(signed_der.len + KW_CERT_MAX, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(ocsp_basic), basic, der));
    *ret = TAKE(der);
    return KW_OK;
}

static kw_status envelop(struct kw_op *op, struct kw_span basic, struct kw_bytes **ret)
{
    AUTO(ocsp_envelope) *envelope =
        (struct ocsp_envelope *)ASN1_item_new(ASN1_ITEM_rptr(ocsp_envelope));
    AUTO(kw_bytes) *der = NULL;

    OSSL_ENSURE(op,
                envelope && ASN1_ENUMERATED_set(envelope->status, 0) &&
                    ASN1_OCTET_STRING_set(envelope->bytes->value, basic.p, (int)basic.len),
                KW_E_MEMORY, "OCSP answer");
    ASN1_OBJECT_free(envelope->bytes->type);
    envelope->bytes->type = OBJ_nid2obj(NID_id_pkix_OCSP_basic); /* static, never freed */
    TRY(op, kw_bytes_new(basic.len + 64, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(ocsp_envelope), envelope, der));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status ocsp_answer_build(struct kw_op *op, const struct ocsp_single at[], unsigned n,
                            struct kw_span nonce, int64_t produced_at,
                            const struct cert *signer_cert, const struct privkey *signer,
                            struct kw_bytes **ret)
{
    const struct pubkey *key = privkey_public(signer);
    AUTO(kw_bytes) *tbs = NULL;
    AUTO(kw_bytes) *signed_der = NULL;
    AUTO(kw_bytes) *basic = NULL;

    ENSURE(op, pubkey_equal(cert_public(signer_cert), key), KW_E_INPUT,
           "the OCSP signer's certificate is of another key");
    TRY(op, build_tbs(op, at, n, nonce, produced_at, key, &tbs), "building an OCSP answer");
    TRY(op, signed_build(op, kw_bytes_span(tbs), signer, &signed_der), "signing an OCSP answer");
    TRY(op, add_cert(op, kw_bytes_span(signed_der), signer_cert, &basic));
    return envelop(op, kw_bytes_span(basic), ret);
}
