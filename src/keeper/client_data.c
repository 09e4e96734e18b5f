/* Keys for data: each call one message; what crossed is wiped from the rooms it lay in. */
#include "keeper/client.h"
#include "keeper/data.h"

/* One answer with a secret in it; wiped when the call ends, however it ends. */
struct secret_room {
    struct channel_room room;
};

static void wipe_room(struct secret_room *room)
{
    kw_wipe(room->room.octets, sizeof(room->room.octets));
}
#define SECRET_ROOM __attribute__((cleanup(wipe_room))) struct secret_room

static kw_status set_key(struct kw_op *op, struct keeper_msg *msg, const char *key_id)
{
    ENSURE(op, KW_TEXT_SET(msg->key_id, key_id), KW_E_NOT_FOUND, "the keeper has no such key");
    return KW_OK;
}

/* The key that a blob names. */
static kw_status set_key_of(struct kw_op *op, struct keeper_msg *msg, struct kw_span blob,
                            enum wrapped_kind kind)
{
    struct wrapped wrapped;

    ENSURE(op, kw_ok(wrapped_decode(blob, &wrapped)) && wrapped.kind == kind, KW_E_INPUT,
           "this is nothing that the keeper has %s", kind == WRAPPED_KEY ? "wrapped" : "sealed");
    memcpy(msg->key_id, wrapped.key_id, sizeof(msg->key_id));
    return KW_OK;
}

static kw_status ask(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                     struct keeper_msg *msg, struct secret_room *room, struct keeper_answer *ret)
{
    TRY(op, keeper_call(op, keeper, row, msg, -1, &room->room, ret), "key '%s' of the keeper",
        msg->key_id);
    return KW_OK;
}

static kw_status ask_secret(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                            struct keeper_msg *msg, struct kw_secret **ret)
{
    SECRET_ROOM room = {0};
    struct keeper_answer answer;

    TRY(op, ask(op, keeper, row, msg, &room, &answer));
    return kw_secret_copy(answer.octets, ret);
}

static kw_status ask_octets(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                            struct keeper_msg *msg, struct kw_out *out)
{
    SECRET_ROOM room = {0};
    struct keeper_answer answer;

    TRY(op, ask(op, keeper, row, msg, &room, &answer));
    TRY(op, kw_out_set(out, answer.octets), "%zu octets of the keeper", answer.octets.len);
    return KW_OK;
}

kw_status keeper_data_key(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                          struct kw_span context, struct kw_secret **ret, struct kw_out *wrapped)
{
    AUTO(kw_secret) *plain = NULL;
    SECRET_ROOM room = {0};
    struct keeper_msg msg = {.data = {.context = context}};
    struct keeper_answer answer;

    TRY(op, set_key(op, &msg, kek_id));
    TRY(op, ask(op, keeper, KEEPER_ROW_DATA_KEY, &msg, &room, &answer));
    TRY(op, kw_secret_copy(answer.data_key.plain, &plain), "memory for a data key");
    TRY(op, kw_out_set(wrapped, answer.data_key.wrapped), "a wrapped data key");
    *ret = TAKE(plain);
    return KW_OK;
}

kw_status keeper_data_wrap(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                           struct kw_span context, const struct kw_secret *plain,
                           struct kw_out *wrapped)
{
    struct keeper_msg msg = {
        .data = {.context = context, .octets = kw_secret_span(plain)}
    };

    TRY(op, set_key(op, &msg, kek_id));
    return ask_octets(op, keeper, KEEPER_ROW_DATA_WRAP, &msg, wrapped);
}

kw_status keeper_data_unwrap(struct kw_op *op, struct keeper *keeper, struct kw_span context,
                             struct kw_span wrapped, struct kw_secret **ret)
{
    struct keeper_msg msg = {
        .data = {.context = context, .octets = wrapped}
    };

    TRY(op, set_key_of(op, &msg, wrapped, WRAPPED_KEY));
    return ask_secret(op, keeper, KEEPER_ROW_DATA_UNWRAP, &msg, ret);
}

kw_status keeper_data_rewrap(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                             struct kw_span context, struct kw_span wrapped, struct kw_out *ret)
{
    struct keeper_msg msg = {
        .data = {.context = context, .octets = wrapped}
    };

    TRY(op, set_key(op, &msg, kek_id));
    return ask_octets(op, keeper, KEEPER_ROW_DATA_REWRAP, &msg, ret);
}

kw_status keeper_data_derive(struct kw_op *op, struct keeper *keeper, const char *master_id,
                             const char *label, struct kw_span salt, struct kw_span context,
                             unsigned len, struct kw_secret **ret)
{
    struct keeper_msg msg = {
        .derive = {.salt = salt, .context = context, .len = (uint8_t)len}
    };

    ENSURE(op, len <= KEEPER_DERIVE_MAX && KW_TEXT_SET(msg.derive.label, label), KW_E_INPUT,
           "a derived key of %u octets, or its label is too long", len);
    TRY(op, set_key(op, &msg, master_id));
    return ask_secret(op, keeper, KEEPER_ROW_DATA_DERIVE, &msg, ret);
}

kw_status keeper_data_mac(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct kw_span message, uint8_t ret[KW_HASH_BYTES])
{
    struct keeper_msg msg = {.data = {.octets = message}};
    struct kw_out mac = {.p = ret, .cap = KW_HASH_BYTES};

    TRY(op, set_key(op, &msg, key_id));
    TRY(op, ask_octets(op, keeper, KEEPER_ROW_DATA_MAC, &msg, &mac));
    ENSURE(op, mac.len == KW_HASH_BYTES, KW_E_DEVICE, "the keeper sent a code of %zu octets",
           mac.len);
    return KW_OK;
}

kw_status keeper_data_mac_verify(struct kw_op *op, struct keeper *keeper, const char *key_id,
                                 struct kw_span message, const uint8_t mac[KW_HASH_BYTES])
{
    SECRET_ROOM room = {0};
    struct keeper_msg msg = {
        .data = {.octets = message, .mac = KW_SPAN(mac, KW_HASH_BYTES)}
    };
    struct keeper_answer answer;

    TRY(op, set_key(op, &msg, key_id));
    TRY(op, ask(op, keeper, KEEPER_ROW_DATA_MAC_VERIFY, &msg, &room, &answer));
    ENSURE(op, answer.valid, KW_E_INTEGRITY, "the authentication code is not the message's");
    return KW_OK;
}

kw_status keeper_data_seal(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                           struct kw_span aad, struct kw_span plain, struct kw_out *sealed)
{
    struct keeper_msg msg = {
        .data = {.context = aad, .octets = plain}
    };

    TRY(op, set_key(op, &msg, kek_id));
    return ask_octets(op, keeper, KEEPER_ROW_DATA_SEAL, &msg, sealed);
}

kw_status keeper_data_open(struct kw_op *op, struct keeper *keeper, struct kw_span aad,
                           struct kw_span sealed, struct kw_secret **ret)
{
    struct keeper_msg msg = {
        .data = {.context = aad, .octets = sealed}
    };

    TRY(op, set_key_of(op, &msg, sealed, WRAPPED_DATA));
    return ask_secret(op, keeper, KEEPER_ROW_DATA_OPEN, &msg, ret);
}
