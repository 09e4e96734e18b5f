/*
 * DATA_SEAL, DATA_OPEN: AES-256-GCM for small data. The nonce is made here, and one key makes at
 * most 2^32 of them (SP 800-38D section 8.3: random nonces of 96 bits).
 */
#include "cmd/keywright-keeper/data_use.h"

static const char seal_label[] = "keywright seal v1";
static const uint64_t seals_max = UINT64_C(1) << 32;

/* head || what the caller binds: the head's end shows by itself. */
static kw_status make_aad(struct kw_op *op, const struct wrapped *blob, struct kw_span bound,
                          struct kw_out *aad)
{
    TRY(op, wrapped_head_encode(blob, aad), "the sealed data's head");
    return kw_out_append(aad, bound);
}

kw_status handle_data_seal(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_secret) *sealing_key = NULL;
    AUTO(kw_bytes) *sealed = NULL;
    struct keeper_key *key = NULL;
    const struct keeper_msg *msg = request->msg;
    uint8_t octets[WRAPPED_HEAD_MAX + KEEPER_AAD_MAX];
    struct kw_out aad = KW_OUT_ARRAY(octets);
    struct kw_out room = KW_OUT_ARRAY(request->octets);

    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_SEAL, &key));
    ENSURE(op, key->record->signatures <= seals_max, KW_E_EXPIRED,
           "seals: the key has been used 2^32 times; rotate it");
    struct wrapped blob = data_head(key, WRAPPED_DATA);
    TRY(op, make_aad(op, &blob, msg->data.context, &aad));
    TRY(op, data_subkey(op, key, seal_label, KW_SPAN(NULL, 0), &sealing_key));
    TRY(op, aead_seal(op, sealing_key, kw_out_span(&aad), msg->data.octets, &sealed));
    blob.octets = kw_bytes_span(sealed);
    TRY(op, wrapped_encode(&blob, &room), "the sealed data");
    request->answer.octets = kw_out_span(&room);
    return data_end(op, server, request, key, KEEPER_DATA_SEAL, request->answer.octets);
}

kw_status handle_data_open(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_secret) *sealing_key = NULL;
    AUTO(kw_secret) *plain = NULL;
    struct keeper_key *key = NULL;
    const struct keeper_msg *msg = request->msg;
    uint8_t octets[WRAPPED_HEAD_MAX + KEEPER_AAD_MAX];
    struct kw_out aad = KW_OUT_ARRAY(octets);
    struct wrapped blob;

    TRY(op, data_blob(op, msg->data.octets, WRAPPED_DATA, msg->key_id, &blob));
    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_OPEN, &key));
    TRY(op, data_blob_of(op, &blob, key));
    TRY(op, make_aad(op, &blob, msg->data.context, &aad));
    TRY(op, data_subkey(op, key, seal_label, KW_SPAN(NULL, 0), &sealing_key));
    kw_status status = aead_open(op, sealing_key, kw_out_span(&aad), blob.octets, &plain);
    if (status.code == KW_E_INTEGRITY) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY, "blob: it was altered, or bound to something else");
    }
    TRY(op, status);
    TRY(op, data_answer(op, request, kw_secret_span(plain)));
    return data_end(op, server, request, key, KEEPER_DATA_OPEN, msg->data.octets);
}
