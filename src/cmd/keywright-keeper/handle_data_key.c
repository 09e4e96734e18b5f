/*
 * DATA_KEY, DATA_WRAP, DATA_UNWRAP, DATA_REWRAP: keys that protect data elsewhere, wrapped so that
 * only this keeper opens them, and only for what they were wrapped for. KWP has no associated data:
 * each context has a wrapping key of its own.
 */
#include "cmd/keywright-keeper/data_use.h"
#include "os/rng.h"

enum { DATA_KEY_BYTES = 32 };
static const char wrap_label[] = "keywright wrap v1";

static kw_status wrap(struct kw_op *op, const struct keeper_key *kek, struct kw_span context,
                      struct kw_span plain, struct kw_out *out)
{
    AUTO(kw_secret) *wrapping_key = NULL;
    uint8_t octets[WRAP_SIZE(KEEPER_DATA_KEY_MAX)];
    struct kw_out kwp = KW_OUT_ARRAY(octets);
    struct wrapped blob = data_head(kek, WRAPPED_KEY);

    TRY(op, data_subkey(op, kek, wrap_label, context, &wrapping_key));
    TRY(op, wrap_kwp(op, wrapping_key, plain, &kwp));
    blob.octets = kw_out_span(&kwp);
    TRY(op, wrapped_encode(&blob, out), "the wrapped key");
    return KW_OK;
}

static kw_status unwrap(struct kw_op *op, const struct keeper_key *kek, struct kw_span context,
                        const struct wrapped *blob, struct kw_secret **ret)
{
    AUTO(kw_secret) *wrapping_key = NULL;

    TRY(op, data_blob_of(op, blob, kek));
    TRY(op, data_subkey(op, kek, wrap_label, context, &wrapping_key));
    kw_status status = unwrap_kwp(op, wrapping_key, blob->octets, ret);
    if (status.code == KW_E_INTEGRITY) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY, "blob: it was altered, or wrapped for another context");
    }
    return status;
}

kw_status handle_data_key(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_secret) *plain = NULL;
    struct keeper_key *kek = NULL;
    const struct keeper_msg *msg = request->msg;
    struct kw_out room = {.p = request->octets, .cap = sizeof(request->octets)};

    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_WRAP, &kek));
    TRY(op, kw_secret_new(DATA_KEY_BYTES, &plain), "memory for a data key");
    TRY(op, os_random(op, kw_secret_data(plain), DATA_KEY_BYTES), "making a data key");
    TRY(op, kw_out_set(&room, kw_secret_span(plain)), "the answer");
    TRY(op, wrap(op, kek, msg->data.context, kw_secret_span(plain), &room));
    request->answer.data_key.plain = kw_span_sub(kw_out_span(&room), 0, DATA_KEY_BYTES);
    request->answer.data_key.wrapped = kw_span_sub(kw_out_span(&room), DATA_KEY_BYTES, room.len);
    return data_end(op, server, request, kek, KEEPER_DATA_WRAP, request->answer.data_key.wrapped);
}

kw_status handle_data_wrap(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_key *kek = NULL;
    const struct keeper_msg *msg = request->msg;
    struct kw_out room = KW_OUT_ARRAY(request->octets);

    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_WRAP, &kek));
    TRY(op, wrap(op, kek, msg->data.context, msg->data.octets, &room));
    request->answer.octets = kw_out_span(&room);
    return data_end(op, server, request, kek, KEEPER_DATA_WRAP, request->answer.octets);
}

kw_status handle_data_unwrap(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_secret) *plain = NULL;
    struct keeper_key *kek = NULL;
    const struct keeper_msg *msg = request->msg;
    struct wrapped blob;

    TRY(op, data_blob(op, msg->data.octets, WRAPPED_KEY, msg->key_id, &blob));
    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_UNWRAP, &kek));
    TRY(op, unwrap(op, kek, msg->data.context, &blob, &plain));
    TRY(op, data_answer(op, request, kw_secret_span(plain)));
    return data_end(op, server, request, kek, KEEPER_DATA_UNWRAP, msg->data.octets);
}

/* From one generation to a later one of the same line: nothing changes but the KEK. */
static kw_status check_line(struct kw_op *op, const struct keeper_key *from,
                            const struct keeper_key *to)
{
    bool same_key = from == to;
    bool same_line =
        from->policy.lineage[0] != '\0' && strcmp(from->policy.lineage, to->policy.lineage) == 0;

    ENSURE(op, same_key || same_line, KW_E_DENIED, "rewrap-line: the keys are not of one line");
    ENSURE(op, to->policy.generation >= from->policy.generation, KW_E_DENIED,
           "rewrap-back: the new key is older than the one before");
    return KW_OK;
}

kw_status handle_data_rewrap(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_secret) *plain = NULL;
    struct keeper_key *from = NULL;
    struct keeper_key *to = NULL;
    const struct keeper_msg *msg = request->msg;
    struct kw_out room = KW_OUT_ARRAY(request->octets);
    struct wrapped blob;

    TRY(op, data_blob(op, msg->data.octets, WRAPPED_KEY, NULL, &blob));
    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_WRAP, &to));
    TRY(op, data_begin(op, server, request, blob.key_id, KEEPER_DATA_UNWRAP, &from));
    TRY(op, check_line(op, from, to));
    TRY(op, unwrap(op, from, msg->data.context, &blob, &plain));
    TRY(op, wrap(op, to, msg->data.context, kw_secret_span(plain), &room));
    request->answer.octets = kw_out_span(&room);
    TRY(op, data_end(op, server, request, from, KEEPER_DATA_UNWRAP, msg->data.octets));
    return data_end(op, server, request, to, KEEPER_DATA_WRAP, request->answer.octets);
}
