/* What people sign, who they are, and the file of both: each encodes to the same octets again. */
#include <assert.h>
#include <stdlib.h>

#include "cmd/keywright-keeper/approvals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_text(struct kw_span octets)
{
    static uint8_t room[APPROVAL_TEXT_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct approval_description what;

    if (kw_ok(approval_text_parse(octets, &what))) {
        bool same = kw_ok(approval_text(&what, &out)) && kw_span_equal(kw_out_span(&out), octets);
        assert(same);
        assert(!memchr(octets.p, '\0', octets.len));
    }
}

static void fuzz_roster(struct kw_span octets)
{
    static uint8_t room[ROSTER_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct roster roster;

    if (kw_ok(roster_decode(octets, &roster))) {
        bool same = kw_ok(roster_encode(&roster, &out)) && kw_span_equal(kw_out_span(&out), octets);
        assert(same);
        assert(roster_rule(&roster, APPROVE_ROSTER, KEY_CLASS_NONE));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct approvals approvals;
    struct kw_span octets = KW_SPAN(data, size);
    AUTO(kw_bytes) *again = NULL;

    fuzz_text(octets);
    fuzz_roster(octets);
    if (kw_ok(approvals_decode(octets, &approvals))) {
        bool same = kw_ok(approvals_encode(&approvals, &again)) &&
                    kw_span_equal(kw_bytes_span(again), octets);
        assert(same);
    }
    return 0;
}
