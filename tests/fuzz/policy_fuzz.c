/* Encoded policies: whatever decodes has exactly one encoding, the one that was read. */
#include <assert.h>

#include "model/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct key_policy policy;
    static uint8_t room[POLICY_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    if (kw_ok(policy_decode(KW_SPAN(data, size), &policy))) {
        bool same = kw_ok(policy_encode(&policy, &out)) &&
                    kw_span_equal(kw_out_span(&out), KW_SPAN(data, size));
        assert(same);
    }
    return 0;
}
