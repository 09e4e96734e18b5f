/* What a root of trust answers that cannot attest. */
#include "rot/ops.h"

#define REASON "this root of trust cannot attest"

kw_status rot_no_forget(struct kw_op *op, void *self)
{
    (void)op;
    (void)self;
    return KW_OK;
}

kw_status rot_no_attest_keys(struct kw_op *op, void *self, struct rot_attest_keys *ret)
{
    (void)self;
    (void)ret;
    return FAIL(op, KW_E_UNSUPPORTED, REASON);
}

kw_status rot_no_attest_activate(struct kw_op *op, void *self, struct kw_span blob,
                                 struct kw_span secret, struct kw_secret **ret)
{
    (void)self;
    (void)blob;
    (void)secret;
    (void)ret;
    return FAIL(op, KW_E_UNSUPPORTED, REASON);
}

kw_status rot_no_attest_certify(struct kw_op *op, void *self, void *key, struct kw_span qualifying,
                                struct rot_certified *ret)
{
    (void)self;
    (void)key;
    (void)qualifying;
    (void)ret;
    return FAIL(op, KW_E_UNSUPPORTED, REASON);
}

kw_status rot_no_attest_quote(struct kw_op *op, void *self, struct kw_span qualifying,
                              const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret)
{
    (void)self;
    (void)qualifying;
    (void)mask;
    (void)ret;
    return FAIL(op, KW_E_UNSUPPORTED, REASON);
}
