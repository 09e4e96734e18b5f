/* keywright/attest.h */
#include <keywright/attest.h>

#include "device/api_internal.h"
#include "device/events.h"

static kw_status attest(struct kw_op *op, struct device *device, struct keywright_attestation *ret)
{
    static const enum keywright_verdict verdicts[] = {
        [ATTEST_NONE] = KEYWRIGHT_VERDICT_NONE,
        [ATTEST_TRUSTED] = KEYWRIGHT_VERDICT_TRUSTED,
        [ATTEST_SUSPECT] = KEYWRIGHT_VERDICT_SUSPECT,
        [ATTEST_FAILED] = KEYWRIGHT_VERDICT_FAILED,
    };
    struct device_verdict verdict = {0};

    TRY(op, device_attest(op, device, &verdict));
    events_note_change(device, DEVICE_EVENT_ATTEST, attest_verdict_text(verdict.verdict),
                       verdict.detail);
    *ret = (struct keywright_attestation){.verdict = verdicts[verdict.verdict],
                                          .level = (int)verdict.level,
                                          .simulated = verdict.simulated,
                                          .valid_until = verdict.valid_until_ms / 1000};
    (void)KW_TEXT_SET(ret->reason, verdict.reason); /* same sizes on both sides */
    (void)KW_TEXT_SET(ret->detail, verdict.detail);
    return KW_OK;
}

enum keywright_result keywright_attest(struct keywright *kw, struct keywright_attestation *ret)
{
    struct kw_op op;

    return API_CALL(kw, op, attest(&op, &kw->device, ret));
}
