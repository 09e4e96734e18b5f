#include "crypto/ocsp_asn1.h"

/* RFC 5280 section 5.3.1; 7 is unused, removeFromCRL (8) is for lists. */
static bool is_reason(int64_t reason)
{
    return reason > 0 && reason <= 10 && reason != 7 && reason != 8;
}

DECLARE_ASN1_ITEM(ocsp_state)

/* clang-format off */
ASN1_SEQUENCE(ocsp_revoked) = {
    ASN1_SIMPLE(struct ocsp_revoked, time, ASN1_GENERALIZEDTIME),
    ASN1_EXP_OPT(struct ocsp_revoked, reason, ASN1_ENUMERATED, 0),
} ASN1_SEQUENCE_END_name(struct ocsp_revoked, ocsp_revoked);

ASN1_CHOICE(ocsp_state) = {
    ASN1_IMP(struct ocsp_state, value.good, ASN1_NULL, 0),
    ASN1_IMP(struct ocsp_state, value.revoked, ocsp_revoked, 1),
    ASN1_IMP(struct ocsp_state, value.unknown, ASN1_NULL, 2),
} ASN1_CHOICE_END_name(struct ocsp_state, ocsp_state);

ASN1_SEQUENCE(ocsp_item) = {
    ASN1_SIMPLE(struct ocsp_item, id, OCSP_CERTID),
    ASN1_SIMPLE(struct ocsp_item, state, ocsp_state),
    ASN1_SIMPLE(struct ocsp_item, this_update, ASN1_GENERALIZEDTIME),
    ASN1_EXP(struct ocsp_item, next_update, ASN1_GENERALIZEDTIME, 0),
} ASN1_SEQUENCE_END_name(struct ocsp_item, ocsp_item);

ASN1_SEQUENCE(ocsp_data) = {
    ASN1_EXP(struct ocsp_data, responder_key, ASN1_OCTET_STRING, 2),
    ASN1_SIMPLE(struct ocsp_data, produced_at, ASN1_GENERALIZEDTIME),
    ASN1_SEQUENCE_OF(struct ocsp_data, items, ocsp_item),
    ASN1_EXP_SEQUENCE_OF_OPT(struct ocsp_data, exts, ext, 1),
} ASN1_SEQUENCE_END_name(struct ocsp_data, ocsp_data);
/* clang-format on */

void ocsp_item_free(struct ocsp_item *item)
{
    ASN1_item_free((ASN1_VALUE *)item, ASN1_ITEM_rptr(ocsp_item));
}

void ocsp_data_free(struct ocsp_data *data)
{
    ASN1_item_free((ASN1_VALUE *)data, ASN1_ITEM_rptr(ocsp_data));
}

static kw_status read_revoked(struct kw_op *op, const struct ocsp_revoked *revoked,
                              struct ocsp_single *ret)
{
    int64_t reason = 0;

    TRY(op, der_time_get(op, revoked->time, &ret->revoked_unix), "revocationTime");
    if (revoked->reason) {
        OSSL_ENSURE(op, ASN1_ENUMERATED_get_int64(&reason, revoked->reason), KW_E_INPUT,
                    "revocation reason");
        ENSURE(op, is_reason(reason), KW_E_INPUT, "revocation reason %d", (int)reason);
    }
    ret->reason = (int)reason;
    return KW_OK;
}

static kw_status read_item(struct kw_op *op, const struct ocsp_item *item, struct ocsp_single *ret)
{
    struct ocsp_single single = {.status = (enum ocsp_cert_status)item->state->type};

    TRY(op, ocsp_certid_read(op, item->id, &single.id));
    if (single.status == OCSP_CERT_REVOKED) {
        TRY(op, read_revoked(op, item->state->value.revoked, &single));
    }
    TRY(op, der_time_get(op, item->this_update, &single.this_update), "thisUpdate");
    TRY(op, der_time_get(op, item->next_update, &single.next_update), "nextUpdate");
    *ret = single;
    return KW_OK;
}

/* Only a nonce may stand there: anything else could change what a relying party makes of the
 * answer. */
static kw_status check_exts(struct kw_op *op, const STACK_OF(ext) *exts)
{
    struct kw_span nonce;

    TRY(op, ext_check_list(op, exts));
    for (int i = 0; i < ext_count(exts); i++) {
        const struct ext *one = sk_ext_value(exts, i);
        ENSURE(op, ext_nid(one) == NID_id_pkix_OCSP_Nonce && !one->critical, KW_E_INPUT,
               "an extension that is no nonce");
        TRY(op, ocsp_nonce_read(op, der_string(one->value), &nonce));
    }
    return KW_OK;
}

kw_status ocsp_tbs_parse_templates(struct kw_op *op, struct kw_span der, struct ocsp_tbs *ret)
{
    AUTO(ocsp_data) *data = NULL;
    struct ocsp_tbs tbs = {0};

    TRY(op, der_decode(op, ASN1_ITEM_rptr(ocsp_data), der, "ResponseData", &data));
    struct kw_span responder = der_string(data->responder_key);
    ENSURE(op, responder.len == sizeof(tbs.responder_key_sha1), KW_E_INPUT,
           "a responder's key hash of %zu octets", responder.len);
    memcpy(tbs.responder_key_sha1, responder.p, responder.len);
    TRY(op, der_time_get(op, data->produced_at, &tbs.produced_at), "producedAt");
    int n = sk_ocsp_item_num(data->items);
    ENSURE(op, n >= 1 && n <= OCSP_CERTIDS_MAX, KW_E_INPUT, "%d answers", n);
    for (int i = 0; i < n; i++) {
        TRY(op, read_item(op, sk_ocsp_item_value(data->items, i), &tbs.at[i]));
    }
    tbs.n = (unsigned)n;
    TRY(op, check_exts(op, data->exts));
    *ret = tbs;
    return KW_OK;
}

kw_status ocsp_tbs_parse(struct kw_op *op, struct kw_span tbs, struct ocsp_tbs *ret)
{
    ENSURE(op, tbs.len <= KW_OCSP_REQ_MAX, KW_E_INPUT, "an OCSP answer of %zu octets", tbs.len);
    if (ocsp_tbs_read(tbs, ret)) {
        return KW_OK;
    }
    TRY(op, ocsp_tbs_parse_templates(op, tbs, ret), "reading an OCSP answer to be signed");
    return KW_OK;
}
