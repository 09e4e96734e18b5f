/* Requests for certificates: ir, cr, kur, p10cr, and pollReq for those that waited. */
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "service/cmp/serving.h"

/* What enrolment's refusals mean to the peer, where the bit set before does not say it better. */
static const struct {
    enum kw_code code;
    enum cmp_fail fail;
} refusals[] = {
    {KW_E_AUTH,      CMP_NOT_AUTHORIZED    },
    {KW_E_DENIED,    CMP_NOT_AUTHORIZED    },
    {KW_E_STATE,     CMP_NOT_AUTHORIZED    },
    {KW_E_EXPIRED,   CMP_NOT_AUTHORIZED    },
    {KW_E_REVOKED,   CMP_CERT_REVOKED      },
    {KW_E_CONFLICT,  CMP_DUPLICATE_CERT_REQ},
    {KW_E_NOT_FOUND, CMP_BAD_REQUEST       },
    {KW_E_INPUT,     CMP_BAD_CERT_TEMPLATE },
};

static enum cmp_fail refusal_of(enum kw_code code)
{
    for (size_t i = 0; i < KW_COUNT(refusals); i++) {
        if (refusals[i].code == code) {
            return refusals[i].fail;
        }
    }
    return CMP_BAD_REQUEST; /* what is ours to mend has a bit of its own (serve.c) */
}

/* Which answer belongs to which request; and is it a renewal? */
static const struct {
    enum cmp_type request, answer;
    bool again;
} kinds[] = {
    {CMP_IR,    CMP_IP,  false},
    {CMP_CR,    CMP_CP,  false},
    {CMP_KUR,   CMP_KUP, true },
    {CMP_P10CR, CMP_CP,  false},
};

static size_t kind_of(int request)
{
    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        if ((int)kinds[i].request == request) {
            return i;
        }
    }
    return 0; /* only these four begin a transaction */
}

/* --- what is asked for ---------------------------------------------------------------------------
 */

/* Either form, read; what it borrows from lives as long. */
struct asked {
    struct cmp_cert_request request;
    struct csr *csr;
    uint8_t sha256[KW_HASH_BYTES];
    struct enrol_request enrol;
};

static void asked_done(struct asked *asked)
{
    cmp_cert_request_done(&asked->request);
    csr_free(asked->csr);
}

static kw_status check_template(struct kw_op *op, struct serving *it,
                                struct cmp_cert_request *request)
{
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, request->id == 0, KW_E_INPUT, "certReqId must be 0");
    it->fail = CMP_BAD_CERT_TEMPLATE;
    TRY(op, cmp_cert_request_key(op, request));
    ENSURE(op, !request->other_fields, KW_E_INPUT,
           "serialNumber, signingAlg and unique ids are the issuer's to set");
    for (unsigned i = 0; request->issuer.len > 0 && i < it->all->n; i++) {
        if (dn_same(request->issuer, cert_subject(it->all->at[i].cert))) {
            return KW_OK;
        }
    }
    ENSURE(op, request->issuer.len == 0, KW_E_INPUT,
           "the issuer that is asked for is none of ours");
    return KW_OK;
}

/* RFC 4211 section 4.1; a registration authority may vouch for it (RFC 9483 section 5.2.1). */
static kw_status check_pop(struct kw_op *op, struct serving *it,
                           const struct cmp_cert_request *request)
{
    it->fail = CMP_BAD_POP;
    if (request->pop == CMP_POP_RA) {
        ENSURE(op, !*it->device_id, KW_E_DENIED,
               "raVerified is a registration authority's to say, not '%s''s", it->owner);
        return KW_OK;
    }
    TRY(op, cmp_pop_verify(op, request), "proof of possession");
    return KW_OK;
}

/* RFC 9483 section 4.1.3: the certificate that protects is the one that is renewed. */
static kw_status check_old(struct kw_op *op, struct serving *it,
                           const struct cmp_cert_request *request)
{
    if (it->message.type != CMP_KUR) {
        return KW_OK;
    }
    it->fail = CMP_WRONG_INTEGRITY;
    ENSURE(op, it->cert, KW_E_DENIED, "kur is protected by the certificate that is to be renewed");
    it->fail = CMP_BAD_CERT_ID;
    ENSURE(op,
           request->old_serial.len == 0 ||
               (kw_span_equal(request->old_serial, cert_serial(it->cert)) &&
                dn_same(request->old_issuer, cert_issuer(it->cert))),
           KW_E_INPUT, "oldCertID is not the certificate that protects the message");
    return KW_OK;
}

static kw_status read_crmf(struct kw_op *op, struct serving *it, struct kw_span content,
                           struct asked *asked)
{
    struct cmp_cert_request *request = &asked->request;

    it->fail = CMP_BAD_DATA_FORMAT;
    TRY(op, cmp_cert_request_read(op, content, request));
    it->in_body = true;
    TRY(op, check_old(op, it, request));
    TRY(op, check_template(op, it, request));
    TRY(op, check_pop(op, it, request));
    digest_sha256(request->request, asked->sha256); /* a proof that is made anew asks the same */
    asked->enrol = (struct enrol_request){
        .key = request->key, .subject = request->subject, .sha256 = asked->sha256};
    return KW_OK;
}

/* p10cr has no certReqId: -1 stands for it in every answer (RFC 9810 section 5.3.4). */
static kw_status read_csr(struct kw_op *op, struct serving *it, struct kw_span content,
                          struct asked *asked)
{
    it->in_body = true;
    it->fail = CMP_BAD_CERT_TEMPLATE;
    asked->request.id = -1;
    TRY(op, enrol_request_from_csr(op, content, &asked->csr, &asked->enrol));
    memcpy(asked->sha256, asked->enrol.sha256, sizeof(asked->sha256));
    return KW_OK;
}

static kw_status read_asked(struct kw_op *op, struct serving *it, int type, struct kw_span content,
                            struct asked *asked)
{
    return (type == CMP_P10CR ? read_csr : read_crmf)(op, it, content, asked);
}

/* --- the answer ----------------------------------------------------------------------------------
 */

/* For MAC-protected ir: the root that the secret makes trusted (RFC 9483 section 4.1.5). */
static kw_status put_reply(struct kw_op *op, struct serving *it, const struct cmp_status_info *info,
                           struct kw_span cert)
{
    struct kw_span root = cert_der(it->all->root);
    bool trusts = it->secret && it->transaction.type == CMP_IR && cert.len > 0;

    return cmp_cert_reply(op, it->transaction.request_id, info, cert, &root, trusts ? 1 : 0,
                          &it->content);
}

static kw_status put_chain(struct kw_op *op, struct serving *it, const struct store_cert *cert)
{
    AUTO(cert) *parsed = NULL;

    TRY(op, cert_parse(op, KW_SPAN(cert->der, cert->der_len), &parsed));
    const struct ca *issuer = authorities_issuer_of(it->all, parsed);
    if (issuer) {
        struct cert *path[AUTHORITIES_PATH_MAX];
        unsigned n = authorities_path(it->all, issuer, path);
        for (unsigned i = 0; i < n && it->n_chain < CMP_CHAIN_MAX; i++) {
            it->chain[it->n_chain++] = cert_der(path[i]);
        }
    }
    return KW_OK;
}

static kw_status grant(struct kw_op *op, struct serving *it, const struct store_cert *cert)
{
    struct cmp_status_info info = {.status = CMP_ACCEPTED, .fail = CMP_FAIL_MAX};
    struct store_cmp *transaction = &it->transaction;

    TRY(op, put_chain(op, it, cert));
    TRY(op, put_reply(op, it, &info, KW_SPAN(cert->der, cert->der_len)));
    transaction->cert = cert->row;
    it->implicit = transaction->implicit;
    if (it->implicit) {
        transaction->state = STORE_CMP_DONE;
        transaction->deadline_ms = (it->now_s + CMP_KEEP_S) * 1000;
    } else {
        transaction->state = STORE_CMP_UNCONFIRMED;
        it->confirm_by_s = it->now_s + CMP_CONFIRM_S;
        transaction->deadline_ms = it->confirm_by_s * 1000;
    }
    return KW_OK;
}

static kw_status have_wait(struct kw_op *op, struct serving *it)
{
    enum { WAIT_S = 8 * 86400 }; /* longer than a request waits for its officer */
    struct cmp_status_info info = {
        .status = CMP_WAITING, .fail = CMP_FAIL_MAX, .text = "an officer has to approve it"};

    kw_op_clear(op);
    it->transaction.state = STORE_CMP_WAITING;
    it->transaction.deadline_ms = (it->now_s + WAIT_S) * 1000;
    if (it->message.type == CMP_POLLREQ) {
        it->type = CMP_POLLREP;
        return cmp_poll_reply(op, it->transaction.request_id, CMP_CHECK_AFTER_S, &it->content);
    }
    return put_reply(op, it, &info, KW_SPAN(NULL, 0));
}

/* --- enrolment -----------------------------------------------------------------------------------
 */

static kw_status enrol(struct kw_op *op, struct serving *it, const struct asked *asked)
{
    struct enrol_asker asker = cmp_asker(it);
    size_t kind = kind_of(it->transaction.type);
    struct store_cert cert;

    it->in_body = true;
    it->type = kinds[kind].answer;
    kw_status status = (kinds[kind].again ? enrol_again : enrol_first)(
        op, it->service, &asker, it->transaction.profile, &asked->enrol, &cert);
    it->remember = true;
    if (status.code == KW_E_APPROVAL) {
        return have_wait(op, it);
    }
    if (!kw_ok(status)) {
        it->remember = false;
        it->fail = refusal_of(status.code);
        return status;
    }
    return grant(op, it, &cert);
}

/* What failed is no live transaction any more: its id is free, and the same request may come again.
 */
static kw_status enrol_or_end(struct kw_op *op, struct serving *it, const struct asked *asked)
{
    kw_status status = enrol(op, it, asked);

    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        if (!kw_ok(cmp_transaction_end(&own, it->service, &it->transaction))) {
            service_complain(it->service, &own, "a transaction of CMP could not be ended");
        }
    }
    return status;
}

static kw_status ask(struct kw_op *op, struct serving *it, struct asked *asked)
{
    struct store_cmp *transaction = &it->transaction;
    struct kw_span content = it->message.content;

    it->type = kinds[kind_of((int)it->message.type)].answer;
    TRY(op, read_asked(op, it, (int)it->message.type, content, asked));
    transaction->type = (int)it->message.type;
    transaction->request_id = asked->request.id;
    transaction->implicit = it->message.implicit_confirm;
    memcpy(transaction->asked, asked->sha256, sizeof(transaction->asked));
    KW_TEXT_SET(transaction->profile, it->profile);
    it->in_body = false;
    TRY(op, cmp_transaction_begin(op, it, content));
    return enrol_or_end(op, it, asked);
}

kw_status cmp_ask_cert(struct kw_op *op, struct serving *it)
{
    __attribute__((cleanup(asked_done))) struct asked asked = {0};

    it->fail = CMP_BAD_RECIPIENT_NONCE;
    ENSURE(op, it->message.recip_nonce.len == 0, KW_E_INPUT,
           "the first message of a transaction answers none: it has no recipNonce");
    it->transaction.request_id = it->message.type == CMP_P10CR ? -1 : 0;
    return ask(op, it, &asked);
}

/* --- asking again (RFC 9483 section 4.4)
 * ---------------------------------------------------------- */

kw_status cmp_poll(struct kw_op *op, struct serving *it)
{
    __attribute__((cleanup(asked_done))) struct asked asked = {0};
    AUTO(kw_bytes) *request = NULL;
    int64_t id = 0;

    TRY(op, cmp_transaction_find(op, it, &request));
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, it->transaction.state == STORE_CMP_WAITING, KW_E_STATE,
           "this transaction waits for nothing");
    it->fail = CMP_BAD_DATA_FORMAT;
    TRY(op, cmp_poll_read(op, it->message.content, &id));
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, id == it->transaction.request_id, KW_E_INPUT, "certReqId is not the request's");
    it->message.type = (enum cmp_type)it->transaction.type; /* for what is checked by type */
    kw_status status = read_asked(op, it, it->transaction.type, kw_bytes_span(request), &asked);
    it->message.type = CMP_POLLREQ;
    TRY(op, status);
    return enrol_or_end(op, it, &asked);
}
