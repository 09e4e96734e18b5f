/* The vault's files as octets (docs/protocol/keeper.md); nothing is opened or sealed here. */
#ifndef KEEPER_CMD_VAULT_FORMAT_H
#define KEEPER_CMD_VAULT_FORMAT_H

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/kdf.h"
#include "model/policy.h"

enum {
    VAULT_ID_BYTES = 16,
    VAULT_SALT_BYTES = 16,
    VAULT_KEK_BYTES = 32,
    VAULT_SEALED_KEK_MAX = 2048, /* a TPM's blob */
    VAULT_HEADER_MAX = 8 + VAULT_ID_BYTES + 1 + VAULT_SALT_BYTES + 12 + 2 + VAULT_SEALED_KEK_MAX,
    VAULT_SEALED_KEY_MAX = 4096, /* PKCS#8 of RSA-4096 is 2375 */
    VAULT_KEY_FILE_MAX = 8 + 3 * 2 + POLICY_ENCODED_MAX + KW_SPKI_MAX + VAULT_SEALED_KEY_MAX,
    VAULT_STATE_HEAD = 8 + VAULT_SALT_BYTES,
};

/* Stored: append only. */
enum vault_method { VAULT_PASSPHRASE = 1, VAULT_TPM2 = 2 };

struct vault_header {
    uint8_t id[VAULT_ID_BYTES];
    enum vault_method method;
    uint8_t salt[VAULT_SALT_BYTES]; /* these two for VAULT_PASSPHRASE only */
    struct kdf_scrypt_cost cost;
    struct kw_span sealed_kek; /* borrowed */
};

/* All but the sealed KEK: its associated data, and the file's first part. */
kw_status vault_header_encode_head(const struct vault_header *header, struct kw_out *out);
kw_status vault_header_encode(const struct vault_header *header, struct kw_out *out);
/* Strict. ret_head: the octets before the sealed KEK. Both borrow. KW_E_INPUT. */
kw_status vault_header_decode(struct kw_span file, struct vault_header *ret,
                              struct kw_span *ret_head);

struct vault_key_file {
    struct kw_span policy; /* encoded; borrowed, as the rest */
    struct kw_span spki;
    struct kw_span sealed;
};
kw_status vault_key_file_encode(const struct vault_key_file *file, struct kw_out *out);
kw_status vault_key_file_decode(struct kw_span octets, struct vault_key_file *ret);

struct vault_state_file {
    struct kw_span head; /* magic and salt: associated data */
    struct kw_span salt;
    struct kw_span sealed;
};
kw_status vault_state_head_encode(struct kw_span salt, struct kw_out *out);
kw_status vault_state_file_decode(struct kw_span octets, struct vault_state_file *ret);

#endif
