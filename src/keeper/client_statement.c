/* Statements, firmware releases, TUF metadata: each call one message. */
#include "keeper/client.h"
#include "keeper/memfd.h"
#include "keeper/sign.h"
#include "os/files.h"

enum { INLINE_MAX = KW_MSG_BODY_MAX - 256 }; /* beside request id, key id and lengths */

static kw_status ask(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                     const char *key_id, struct keeper_msg *msg, int pass_fd, struct kw_out *sig)
{
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, KW_TEXT_SET(msg->key_id, key_id), KW_E_NOT_FOUND, "the keeper has no such key");
    TRY(op, keeper_call(op, keeper, row, msg, pass_fd, &room, &answer), "key '%s' of the keeper",
        key_id);
    ENSURE(op, answer.octets.len > 0, KW_E_DEVICE, "the keeper sent an empty signature");
    return kw_out_set(sig, answer.octets);
}

kw_status keeper_sign_statement(struct kw_op *op, struct keeper *keeper, const char *key_id,
                                struct kw_span statement, struct kw_out *sig)
{
    struct keeper_msg msg = {.sign = {.message = statement}};

    return ask(op, keeper, KEEPER_ROW_SIGN_STATEMENT, key_id, &msg, -1, sig);
}

kw_status keeper_sign_firmware(struct kw_op *op, struct keeper *keeper, const char *key_id,
                               struct kw_span statement, uint64_t approval_id, struct kw_out *sig)
{
    struct keeper_msg msg = {
        .firmware = {.approval = approval_id, .statement = statement}
    };

    return ask(op, keeper, KEEPER_ROW_SIGN_FIRMWARE, key_id, &msg, -1, sig);
}

kw_status keeper_sign_tuf(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct kw_span body, struct kw_out *sig)
{
    OS_FD_AUTO int fd = -1;

    ENSURE(op, body.len <= KEEPER_TUF_MAX, KW_E_TOO_LARGE, "TUF metadata of %zu octets", body.len);
    struct keeper_msg msg = {
        .sign_crl = {.len = (uint32_t)body.len, .tbs = body}
    };
    if (body.len > INLINE_MAX) {
        TRY(op, memfd_make(op, body, &fd));
        msg.sign_crl.by_fd = true;
        msg.sign_crl.tbs = KW_SPAN(NULL, 0);
    }
    return ask(op, keeper, KEEPER_ROW_SIGN_TUF, key_id, &msg, fd, sig);
}
