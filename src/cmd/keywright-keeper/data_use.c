#include "cmd/keywright-keeper/data_use.h"

#include "crypto/kdf.h"
#include "os/clock.h"

enum { LABEL_BYTES = 17 };

kw_status data_begin(struct kw_op *op, struct server *server, const struct request *request,
                     const char *key_id, enum keeper_purpose purpose, struct keeper_key **ret)
{
    struct keeper_key *key = NULL;

    TRY(op, keyring_use(op, server->keyring, key_id, purpose, request->now_unix, &key));
    ENSURE(op, key->secret, KW_E_INTERNAL, "a key of class %s without a secret",
           key_class_text(key->policy.class_));
    TRY(op, keyring_count(op, server->keyring, key, os_clock_mono_ms()));
    *ret = key;
    return KW_OK;
}

kw_status data_end(struct kw_op *op, struct server *server, const struct request *request,
                   struct keeper_key *key, enum keeper_purpose purpose, struct kw_span about)
{
    return journal_note(op, server, key, purpose, about, request);
}

kw_status data_subkey(struct kw_op *op, const struct keeper_key *key, const char *label,
                      struct kw_span context, struct kw_secret **ret)
{
    uint8_t octets[LABEL_BYTES + KEEPER_CONTEXT_MAX];
    struct kw_out info = KW_OUT_ARRAY(octets);

    ENSURE(op, strlen(label) == LABEL_BYTES, KW_E_INTERNAL, "a label of another length");
    TRY(op, kw_out_append(&info, kw_span_text(label)));
    TRY(op, kw_out_append(&info, context));
    return kdf_hkdf_sha256(op, key->secret, KW_SPAN(NULL, 0), kw_out_span(&info),
                           VAULT_SECRET_BYTES, ret);
}

struct wrapped data_head(const struct keeper_key *key, enum wrapped_kind kind)
{
    struct wrapped head = {.kind = kind, .generation = key->policy.generation};

    memcpy(head.key_id, key->policy.key_id, sizeof(head.key_id));
    return head;
}

kw_status data_blob(struct kw_op *op, struct kw_span octets, enum wrapped_kind kind,
                    const char *key_id, struct wrapped *ret)
{
    struct wrapped blob;

    ENSURE(op, kw_ok(wrapped_decode(octets, &blob)) && blob.kind == kind, KW_E_INPUT,
           "blob: it is nothing that a key of the keeper has %s",
           kind == WRAPPED_KEY ? "wrapped" : "sealed");
    ENSURE(op, !key_id || strcmp(blob.key_id, key_id) == 0, KW_E_DENIED,
           "blob: it is of another key");
    *ret = blob;
    return KW_OK;
}

kw_status data_blob_of(struct kw_op *op, const struct wrapped *blob, const struct keeper_key *key)
{
    ENSURE(op, blob->generation == key->policy.generation, KW_E_INTEGRITY,
           "blob: its head was altered");
    return KW_OK;
}

kw_status data_answer(struct kw_op *op, struct request *request, struct kw_span octets)
{
    struct kw_out room = KW_OUT_ARRAY(request->octets);

    TRY(op, kw_out_set(&room, octets), "the answer");
    request->answer.octets = kw_out_span(&room);
    return KW_OK;
}
