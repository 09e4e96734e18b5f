#include "keeper/msg.h"

#include <ctype.h>

#include "keeper/msg_rows.h"

const struct keeper_row keeper_rows[KEEPER_ROWS] = {
#define X(label, suffix, number, max, states, fd)                                                  \
    [KEEPER_ROW_##label] = {.type = KEEPER_MSG_##label,                                            \
                            .name = #label,                                                        \
                            .body_max = (max),                                                     \
                            .modes = (states),                                                     \
                            .fd_allowed = (fd),                                                    \
                            .encode = enc_##suffix,                                                \
                            .decode = dec_##suffix,                                                \
                            .encode_answer = enc_##suffix##_answer,                                \
                            .decode_answer = dec_##suffix##_answer},
    KEEPER_MESSAGES(X)
#undef X
};

#define X(label, suffix, number, max, states, fd)                                                  \
    _Static_assert((max) <= KW_MSG_BODY_MAX && (number) < KEEPER_REPLY_TYPE, #label);
KEEPER_MESSAGES(X)
#undef X
_Static_assert((int)KW_CODE_MAX < UINT16_MAX, "codes travel as u16");

const struct keeper_row *keeper_row_of(unsigned type)
{
    for (unsigned i = 0; i < KEEPER_ROWS; i++) {
        if ((unsigned)keeper_rows[i].type == type) {
            return &keeper_rows[i];
        }
    }
    return NULL;
}

void keeper_frame_encode(struct kw_writer *w, const struct keeper_frame *frame)
{
    kw_writer_u16(w, frame->version);
    kw_writer_u16(w, frame->type);
    kw_writer_u32(w, frame->body_len);
    kw_writer_u64(w, frame->req_id);
}

kw_status keeper_frame_decode(struct kw_span packet, struct keeper_frame *ret,
                              struct kw_span *ret_body)
{
    struct kw_reader r = kw_reader_of(packet);
    struct keeper_frame frame = {0};

    frame.version = kw_reader_u16(&r);
    frame.type = kw_reader_u16(&r);
    frame.body_len = kw_reader_u32(&r);
    frame.req_id = kw_reader_u64(&r);
    struct kw_span body = kw_reader_take(&r, frame.body_len);
    TRY(NULL, kw_reader_end(&r));
    *ret = frame;
    *ret_body = body;
    return KW_OK;
}

/* The header goes in last, when the length is known. */
static kw_status finish_packet(uint16_t type, uint64_t req_id, struct kw_out *out)
{
    uint8_t header[KEEPER_FRAME_BYTES];
    struct kw_out room = KW_OUT_ARRAY(header);
    struct kw_writer w = kw_writer_of(&room);
    struct keeper_frame frame = {.version = KEEPER_VERSION,
                                 .type = type,
                                 .body_len = (uint32_t)(out->len - KEEPER_FRAME_BYTES),
                                 .req_id = req_id};

    keeper_frame_encode(&w, &frame);
    TRY(NULL, kw_writer_end(&w));
    memcpy(out->p, header, sizeof(header));
    return KW_OK;
}

static struct kw_writer start_packet(struct kw_out *out)
{
    static const uint8_t blank[KEEPER_FRAME_BYTES];

    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, KW_SPAN_ARRAY(blank));
    return w;
}

kw_status keeper_msg_encode(const struct keeper_row *row, uint64_t req_id,
                            const struct keeper_msg *msg, struct kw_out *out)
{
    struct kw_writer w = start_packet(out);

    kw_writer_text(&w, msg->request_id);
    row->encode(&w, msg);
    TRY(NULL, kw_writer_end(&w));
    ENSURE(NULL, out->len - KEEPER_FRAME_BYTES <= row->body_max, KW_E_TOO_LARGE);
    return finish_packet((uint16_t)row->type, req_id, out);
}

kw_status keeper_msg_decode(const struct keeper_row *row, struct kw_span body,
                            struct keeper_msg *ret)
{
    struct kw_reader r = kw_reader_of(body);
    struct keeper_msg msg = {0};

    ENSURE(NULL, body.len <= row->body_max, KW_E_INPUT);
    kw_reader_text(&r, msg.request_id, sizeof(msg.request_id));
    row->decode(&r, &msg);
    TRY(NULL, kw_reader_end(&r));
    *ret = msg;
    return KW_OK;
}

kw_status keeper_reply_encode(const struct keeper_row *row, uint64_t req_id, enum kw_code code,
                              const char *text, const struct keeper_answer *answer,
                              struct kw_out *out)
{
    struct kw_writer w = start_packet(out);

    kw_writer_u16(&w, (uint16_t)code);
    kw_writer_text(&w, text);
    if (answer) {
        row->encode_answer(&w, answer);
    }
    TRY(NULL, kw_writer_end(&w));
    return finish_packet(KEEPER_REPLY_TYPE, req_id, out);
}

kw_status keeper_reply_decode(struct kw_span body, struct keeper_reply *ret)
{
    struct kw_reader r = kw_reader_of(body);
    struct keeper_reply reply = {0};

    unsigned code = kw_reader_u16(&r);
    kw_reader_text(&r, reply.text, sizeof(reply.text));
    reply.result = kw_reader_take(&r, r.rest.len);
    TRY(NULL, kw_reader_end(&r));
    ENSURE(NULL, code < KW_CODE_MAX, KW_E_INPUT);
    reply.code = (enum kw_code)code;
    *ret = reply;
    return KW_OK;
}

kw_status keeper_answer_decode(const struct keeper_row *row, struct kw_span result,
                               struct keeper_answer *ret)
{
    struct kw_reader r = kw_reader_of(result);
    struct keeper_answer answer = {0};

    row->decode_answer(&r, &answer);
    TRY(NULL, kw_reader_end(&r));
    *ret = answer;
    return KW_OK;
}

bool keeper_key_id_valid(const char *key_id)
{
    size_t n = strlen(key_id);

    if (n == 0 || n >= KW_NAME_MAX || key_id[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)key_id[i];
        if (c >= 0x80 || !(isalnum(c) || c == '-' || c == '_' || c == '.')) {
            return false;
        }
    }
    return true;
}
