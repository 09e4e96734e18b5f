#include "service/registration/enrol_internal.h"

/* Whatever the parser calls it (a curve that we do not take, a signature that does not verify):
 * the fault is the asker's, who is told the cause. */
static kw_status read_csr(struct kw_op *op, struct kw_span der, struct csr **ret)
{
    char why[KW_OP_TEXT_MAX];
    kw_status status = csr_parse(op, der, ret);

    if (status.code != KW_E_UNSUPPORTED && status.code != KW_E_DENIED) {
        return status;
    }
    KW_TEXT_SET(why, kw_op_cause(op));
    kw_op_clear(op);
    return FAIL(op, KW_E_INPUT, "%s", why);
}

struct enrol_request enrol_request_of(const struct csr *csr)
{
    return (struct enrol_request){
        .key = csr_public(csr),
        .subject = csr_subject(csr),
        .sha256 = csr_asked_sha256(csr),
        .challenge = csr_challenge(csr),
        .csr = csr_der(csr),
    };
}

kw_status enrol_request_from_csr(struct kw_op *op, struct kw_span der, struct csr **keep,
                                 struct enrol_request *ret)
{
    AUTO(csr) *csr = NULL;

    TRY(op, read_csr(op, der, &csr), "certification request");
    *ret = enrol_request_of(csr);
    *keep = TAKE(csr);
    return KW_OK;
}
