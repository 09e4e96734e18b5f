/*
 * The keeper's messages, both directions. First octet: the type, and with its top bit a reply to
 * that type; the rest is the body. What decodes encodes to the same octets again.
 */
#include <assert.h>

#include "keeper/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX];

static bool is_same(kw_status status, const struct kw_out *packet, struct kw_span body)
{
    struct kw_span again = kw_span_sub(kw_out_span(packet), KEEPER_FRAME_BYTES, packet->len);

    return kw_ok(status) && kw_span_equal(again, body);
}

static void try_request(const struct keeper_row *row, struct kw_span body)
{
    struct kw_out packet = KW_OUT_ARRAY(room);
    struct keeper_msg msg;

    if (kw_ok(keeper_msg_decode(row, body, &msg))) {
        kw_status status = keeper_msg_encode(row, 1, &msg, &packet);
        bool same = is_same(status, &packet, body);
        assert(same);
    }
}

static void try_reply(const struct keeper_row *row, struct kw_span body)
{
    struct kw_out packet = KW_OUT_ARRAY(room);
    struct keeper_reply reply;
    struct keeper_answer answer;

    if (kw_ok(keeper_reply_decode(body, &reply)) &&
        kw_ok(keeper_answer_decode(row, reply.result, &answer))) {
        kw_status status = keeper_reply_encode(row, 1, reply.code, reply.text, &answer, &packet);
        bool same = is_same(status, &packet, body);
        assert(same);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keeper_frame frame;
    struct kw_span body;

    if (kw_ok(keeper_frame_decode(KW_SPAN(data, size), &frame, &body))) {
        assert(body.len == size - KEEPER_FRAME_BYTES && frame.body_len == body.len);
    }
    if (size == 0 || size > KW_MSG_BODY_MAX) {
        return 0;
    }
    const struct keeper_row *row = keeper_row_of(data[0] & 0x7f);
    if (!row) {
        return 0;
    }
    if (data[0] & 0x80) {
        try_reply(row, KW_SPAN(data + 1, size - 1));
    } else {
        try_request(row, KW_SPAN(data + 1, size - 1));
    }
    return 0;
}
