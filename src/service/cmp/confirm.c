/* certConf: the peer has its certificate, or does not want it; error: it gives up. */
#include "service/cmp/serving.h"

/* RFC 9810 section 5.3.18: a wrong hash is of another certificate. */
static kw_status check_hash(struct kw_op *op, struct serving *it,
                            const struct cmp_confirmation *confirmation,
                            const struct store_cert *cert)
{
    uint8_t room[CMP_MAC_MAX];
    struct kw_out hash = KW_OUT_ARRAY(room);

    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, confirmation->id == it->transaction.request_id, KW_E_INPUT,
           "certReqId is not the request's");
    ENSURE(op, confirmation->hash_alg.len == 0 || it->message.pvno == 3, KW_E_INPUT,
           "hashAlg needs pvno 3");
    it->fail = CMP_BAD_ALG;
    TRY(op, cmp_cert_hash(op, KW_SPAN(cert->der, cert->der_len), confirmation->hash_alg, &hash));
    it->fail = CMP_BAD_CERT_ID;
    ENSURE(op, kw_span_equal(confirmation->hash, kw_out_span(&hash)), KW_E_INPUT,
           "certHash is not of the certificate that was sent");
    return KW_OK;
}

static kw_status conclude(struct kw_op *op, struct serving *it)
{
    it->type = CMP_PKICONF;
    it->transaction.state = STORE_CMP_DONE;
    it->transaction.deadline_ms = (it->now_s + CMP_KEEP_S) * 1000;
    it->remember = true;
    return cmp_confirm_reply(op, &it->content);
}

static kw_status find_unconfirmed(struct kw_op *op, struct serving *it, struct store_cert *cert)
{
    TRY(op, cmp_transaction_find(op, it, NULL));
    it->fail = CMP_CERT_CONFIRMED;
    ENSURE(op, it->transaction.state != STORE_CMP_DONE, KW_E_STATE,
           "this certificate is confirmed already");
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, it->transaction.state == STORE_CMP_UNCONFIRMED, KW_E_STATE,
           "no certificate was sent yet");
    it->fail = CMP_SYSTEM_FAILURE;
    return cmp_cert_by_row(op, it->service, it->transaction.cert, cert);
}

kw_status cmp_confirm(struct kw_op *op, struct serving *it)
{
    struct cmp_confirmation confirmation;
    struct store_cert cert;

    TRY(op, find_unconfirmed(op, it, &cert));
    it->fail = CMP_BAD_DATA_FORMAT;
    TRY(op, cmp_confirmation_read(op, it->message.content, &confirmation));
    if (!confirmation.none) {
        TRY(op, check_hash(op, it, &confirmation, &cert));
    }
    it->fail = CMP_SYSTEM_FAILURE;
    if (confirmation.status != CMP_ACCEPTED && confirmation.status != CMP_GRANTED_WITH_MODS) {
        TRY(op, cmp_withdraw(op, it->service, &cert), "revoking what was refused");
    }
    return conclude(op, it);
}

/* RFC 9483 section 3.6.4: an error message ends the transaction, and is acknowledged. */
kw_status cmp_hear_error(struct kw_op *op, struct serving *it)
{
    struct store_cert cert;

    TRY(op, cmp_transaction_find(op, it, NULL));
    it->fail = CMP_SYSTEM_FAILURE;
    if (it->transaction.state == STORE_CMP_UNCONFIRMED) {
        TRY(op, cmp_cert_by_row(op, it->service, it->transaction.cert, &cert));
        TRY(op, cmp_withdraw(op, it->service, &cert), "revoking what was refused");
    }
    return conclude(op, it);
}
