/* What people's programs send to VAULT/open.sock, and what it answers: what decodes encodes to the
 * same octets again. */
#include <assert.h>

#include "keeper/opening.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[2 * OPENING_REPLY_MAX + KW_SHARES_MAX * OPENING_SECRET_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_span packet = KW_SPAN(data, size);
    struct kw_out out = KW_OUT_ARRAY(room);
    struct opening_request request;
    struct opening_reply reply;

    if (kw_ok(opening_request_decode(packet, &request))) {
        bool same = kw_ok(opening_request_encode(&request, &out)) &&
                    kw_span_equal(kw_out_span(&out), packet);
        assert(same);
    }
    if (kw_ok(opening_reply_decode(packet, &reply))) {
        bool same =
            kw_ok(opening_reply_encode(&reply, &out)) && kw_span_equal(kw_out_span(&out), packet);
        assert(same);
    }
    return 0;
}
