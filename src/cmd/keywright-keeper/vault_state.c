/* The state file: sealed under a key of its own for each writing, so no nonce can come twice. */
#include <stdlib.h>

#include "cmd/keywright-keeper/vault.h"
#include "crypto/aead.h"
#include "os/files.h"
#include "os/rng.h"

enum { FILE_MODE = 0600, FILE_MAX = VAULT_STATE_HEAD + STATE_ENCODED_MAX + AEAD_OVERHEAD_BYTES };
static const char next_step[] =
    "restore the whole folder of the vault from its newest backup, never delete 'state'";

static kw_status state_key(struct kw_op *op, const struct vault *vault, const struct kw_secret *kek,
                           struct kw_span salt, struct kw_secret **ret)
{
    static const char label[] = "keywright state v1";
    uint8_t octets[sizeof(label) + VAULT_ID_BYTES];
    struct kw_out info = KW_OUT_ARRAY(octets);

    TRY(op, kw_out_append(&info, kw_span_text(label)));
    TRY(op, kw_out_append(&info, KW_SPAN_ARRAY(vault->id)));
    return kdf_hkdf_sha256(op, kek, salt, kw_out_span(&info), AEAD_KEY_BYTES, ret);
}

static kw_status encode(struct kw_op *op, const struct state *state, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *room = NULL;

    TRY(op, kw_bytes_new(STATE_ENCODED_MAX, &room), "memory for the state");
    struct kw_out plain = {.p = room->p, .cap = room->cap};
    TRY(op, state_encode(state, &plain), "encoding the state");
    room->len = plain.len;
    *ret = TAKE(room);
    return KW_OK;
}

static kw_status seal_state(struct kw_op *op, const struct vault *vault, struct kw_span plain,
                            struct kw_bytes **ret)
{
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_bytes) *file = NULL;
    AUTO(kw_bytes) *sealed = NULL;
    uint8_t salt[VAULT_SALT_BYTES];
    uint8_t octets[VAULT_STATE_HEAD];
    struct kw_out head = KW_OUT_ARRAY(octets);

    TRY(op, os_random(op, salt, sizeof(salt)));
    TRY(op, state_key(op, vault, vault->kek, KW_SPAN_ARRAY(salt), &key));
    TRY(op, vault_state_head_encode(vault->generation, KW_SPAN_ARRAY(salt), &head));
    TRY(op, aead_seal(op, key, kw_out_span(&head), plain, &sealed));
    TRY(op, kw_bytes_copy(kw_out_span(&head), &file), "memory for the state");
    TRY(op, kw_bytes_append(file, kw_bytes_span(sealed)), "memory for the state");
    *ret = TAKE(file);
    return KW_OK;
}

kw_status vault_state_save(struct kw_op *op, const struct vault *vault, struct state *state)
{
    AUTO(kw_bytes) *plain = NULL;
    AUTO(kw_bytes) *file = NULL;
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), vault->dir, "state"));
    state->version++;
    kw_status status = encode(op, state, &plain);
    if (kw_ok(status)) {
        status = seal_state(op, vault, kw_bytes_span(plain), &file);
    }
    if (kw_ok(status)) {
        status = os_file_write(op, path, FILE_MODE, kw_bytes_span(file));
    }
    if (!kw_ok(status)) {
        /* KW_E_UNSURE: it may be on disk with this number; a further save just takes it again. */
        state->version--;
        return kw_op_context(op, status, __FILE__, __LINE__, "writing the state of the vault");
    }
    state->dirty = false;
    return KW_OK;
}

static kw_status open_state(struct kw_op *op, const struct vault *vault, struct kw_span octets,
                            struct state *ret)
{
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_secret) *plain = NULL;
    const struct kw_secret *kek = NULL;
    struct vault_state_file file;

    TRY(op, vault_state_file_decode(octets, &file));
    TRY(op, vault_kek_of(op, vault, file.generation, &kek));
    TRY(op, state_key(op, vault, kek, file.salt, &key));
    TRY(op, aead_open(op, key, file.head, file.sealed, &plain));
    return state_decode(kw_secret_span(plain), ret);
}

kw_status vault_state_load(struct kw_op *op, const struct vault *vault, struct state *ret)
{
    AUTO(kw_bytes) *octets = NULL;
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), vault->dir, "state"));
    ENSURE(op, os_file_exists(path), KW_E_INTEGRITY, "'state' is missing from the vault: %s",
           next_step);
    TRY(op, os_file_read(op, path, FILE_MAX, &octets), "reading the state of the vault");
    if (!kw_ok(open_state(op, vault, kw_bytes_span(octets), ret))) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY, "'state' of the vault was altered: %s", next_step);
    }
    return KW_OK;
}
