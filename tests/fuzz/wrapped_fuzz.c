/* Heads of wrapped keys and sealed data: what decodes encodes to the same octets again. */
#include <assert.h>

#include "keeper/wrapped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[SEALED_MAX + WRAPPED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct wrapped blob;

    if (kw_ok(wrapped_decode(KW_SPAN(data, size), &blob))) {
        bool same = kw_ok(wrapped_encode(&blob, &out)) &&
                    kw_span_equal(kw_out_span(&out), KW_SPAN(data, size));
        assert(same && keeper_key_id_valid(blob.key_id));
    }
    return 0;
}
