/* The vault's files as octets (docs/protocol/keeper.md); nothing is opened or sealed here. */
#ifndef KEEPER_CMD_VAULT_FORMAT_H
#define KEEPER_CMD_VAULT_FORMAT_H

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/kdf.h"
#include "crypto/share.h"
#include "model/policy.h"

enum {
    VAULT_ID_BYTES = 16,
    VAULT_SALT_BYTES = 16,
    VAULT_KEK_BYTES = 32,
    VAULT_CORE_BYTES = 64,        /* KEK and lasting key */
    VAULT_SEALED_CORE_MAX = 2048, /* a TPM's blob */
    VAULT_SLOT_MAX = 1 + VAULT_SALT_BYTES + 12 + 2 + VAULT_SEALED_CORE_MAX,
    VAULT_HEADER_MAX = 8 + VAULT_ID_BYTES + 4 + 1 + 2 * VAULT_SLOT_MAX + 2 * (2 + 256),
    VAULT_TOKEN_TEXT = 64,       /* label of a key in a token */
    VAULT_SEALED_KEY_MAX = 4096, /* PKCS#8 of RSA-4096 is 2375 */
    VAULT_KEY_FILE_MAX =
        8 + 4 + 4 * 2 + VAULT_TOKEN_TEXT + POLICY_ENCODED_MAX + KW_SPKI_MAX + VAULT_SEALED_KEY_MAX,
    VAULT_STATE_HEAD = 8 + 4 + VAULT_SALT_BYTES,
};

/* Stored: append only. */
enum vault_method { VAULT_PASSPHRASE = 1, VAULT_TPM2 = 2, VAULT_SHARES = 3, VAULT_PKCS11 = 4 };

/* One way in: how it is opened, and the vault's core under it. */
struct vault_slot {
    enum vault_method method;
    uint8_t salt[VAULT_SALT_BYTES]; /* these two for VAULT_PASSPHRASE only */
    struct kdf_scrypt_cost cost;
    uint8_t m, n; /* these two for VAULT_SHARES only: how many are needed, and were made */
    uint8_t set[SHARE_SET_BYTES];
    struct kw_span sealed; /* borrowed */
};

struct vault_header {
    uint8_t id[VAULT_ID_BYTES];
    uint32_t generation; /* of the KEK that `slot` opens; from 1 */
    struct vault_slot slot;
    bool pending;                   /* being rekeyed: the rest is there */
    struct vault_slot next;         /* opens generation + 1 */
    struct kw_span next_under_this; /* each core under the other KEK; borrowed */
    struct kw_span this_under_next;
};

/* What a slot's sealing authenticates: id, generation and the slot's parameters. */
kw_status vault_slot_aad(const uint8_t id[VAULT_ID_BYTES], uint32_t generation,
                         const struct vault_slot *slot, struct kw_out *out);
kw_status vault_header_encode(const struct vault_header *header, struct kw_out *out);
/* Strict; borrows. KW_E_INPUT. */
kw_status vault_header_decode(struct kw_span file, struct vault_header *ret);

struct vault_key_file {
    uint32_t generation;   /* of the KEK */
    struct kw_span policy; /* encoded; borrowed, as the rest */
    struct kw_span spki;
    char token[VAULT_TOKEN_TEXT]; /* where the private key is in a token: its label; else "" */
    struct kw_span sealed;
};
kw_status vault_key_file_encode(const struct vault_key_file *file, struct kw_out *out);
kw_status vault_key_file_decode(struct kw_span octets, struct vault_key_file *ret);

struct vault_state_file {
    struct kw_span head; /* magic, generation and salt: associated data */
    uint32_t generation; /* of the KEK */
    struct kw_span salt;
    struct kw_span sealed;
};
kw_status vault_state_head_encode(uint32_t generation, struct kw_span salt, struct kw_out *out);
kw_status vault_state_file_decode(struct kw_span octets, struct vault_state_file *ret);

#endif
