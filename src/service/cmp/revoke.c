/* rr: a device ends one of its own certificates (RFC 9483 section 4.2). */
#include "service/authority/revoke.h"

#include "crypto/dn.h"
#include "service/cmp/serving.h"

/* What a device may say of its own certificate; the rest is an operator's. */
static bool is_own_reason(int reason)
{
    static const int reasons[] = {REVOKE_UNSPECIFIED, REVOKE_KEY_COMPROMISE,
                                  REVOKE_AFFILIATION_CHANGED, REVOKE_SUPERSEDED,
                                  REVOKE_CESSATION_OF_OPERATION};

    for (size_t i = 0; i < KW_COUNT(reasons); i++) {
        if (reasons[i] == reason) {
            return true;
        }
    }
    return false;
}

/* A CA's keys share one name: the serial number is one of them's. */
static kw_status find(struct kw_op *op, const struct serving *it,
                      const struct cmp_revocation *wanted, struct store_cert *ret)
{
    for (unsigned i = 0; i < it->all->n; i++) {
        const struct ca *ca = &it->all->at[i];
        if (!dn_same(cert_subject(ca->cert), wanted->issuer)) {
            continue;
        }
        kw_status status =
            store_cert_by_serial(op, it->service->store, ca->id, wanted->serial, ret);
        if (status.code != KW_E_NOT_FOUND) {
            return status;
        }
        kw_op_clear(op);
    }
    return FAIL(op, KW_E_NOT_FOUND, "no certificate of this issuer has this serial number");
}

static kw_status revoke(struct kw_op *op, struct serving *it, const struct cmp_revocation *wanted)
{
    struct store_cert cert;

    it->fail = CMP_WRONG_INTEGRITY;
    ENSURE(op, it->cert, KW_E_DENIED, "rr is protected by a certificate");
    it->fail = CMP_BAD_CERT_ID;
    ENSURE(op, wanted->issuer.len > 0 && wanted->serial.len > 0, KW_E_INPUT,
           "rr names issuer and serialNumber");
    TRY(op, find(op, it, wanted, &cert));
    it->fail = CMP_NOT_AUTHORIZED;
    ENSURE(op, strcmp(cert.owner, it->owner) == 0, KW_E_DENIED,
           "the certificate is not one of '%s'", it->owner);
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, wanted->has_reason && is_own_reason(wanted->reason), KW_E_INPUT,
           "one reason is wanted: unspecified, keyCompromise, affiliationChanged, superseded or "
           "cessationOfOperation");
    it->fail = CMP_CERT_REVOKED;
    return authority_revoke(op, it->service, &cert, wanted->reason);
}

/* The certificate may be the one that protects: the same message again is then answered from what
 * is kept. */
kw_status cmp_revoke(struct kw_op *op, struct serving *it)
{
    struct cmp_status_info info = {.status = CMP_ACCEPTED, .fail = CMP_FAIL_MAX};
    struct cmp_revocation wanted;

    it->type = CMP_RP;
    it->fail = CMP_BAD_DATA_FORMAT;
    TRY(op, cmp_revocation_read(op, it->message.content, &wanted));
    it->in_body = true;
    it->transaction.type = CMP_RR;
    TRY(op, cmp_transaction_begin(op, it, it->message.content));
    kw_status status = revoke(op, it, &wanted);
    if (!kw_ok(status)) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        (void)kw_ok(cmp_transaction_end(&own, it->service, &it->transaction)); /* time ends it */
        return status;
    }
    it->transaction.state = STORE_CMP_DONE;
    it->transaction.deadline_ms = (it->now_s + CMP_KEEP_S) * 1000;
    it->remember = true;
    return cmp_revocation_reply(op, &info, wanted.issuer, wanted.serial, &it->content);
}
