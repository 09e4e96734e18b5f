/* What the keeper must never forget: key states, counts, last CRL numbers and log heads. */
#ifndef KEEPER_CMD_STATE_H
#define KEEPER_CMD_STATE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "keeper/keeper.h"
#include "model/key.h"

enum {
    STATE_KEYS_MAX = 256,
    STATE_WHO_MAX = KEEPER_WHO_MAX,
    STATE_REASON_MAX = KEEPER_REASON_MAX,
};
enum {
    STATE_PHASE_MAX = 8 + (2 + STATE_WHO_MAX) + (2 + STATE_REASON_MAX),
    STATE_RECORD_MAX = 3 * (2 + KW_NAME_MAX) + 2 * 4 + 1 + 8 * 8 + 2 * KW_HASH_BYTES +
                       KEY_STATE_MAX * STATE_PHASE_MAX,
    STATE_RECOVERY_BYTES = 32,
    STATE_BOOT_BYTES = 16,
    STATE_SCOPES_MAX = 2048, /* shards of all CAs' lists together */
    STATE_SCOPE_BYTES = 16,
    STATE_SCOPE_RECORD = 2 + STATE_SCOPE_BYTES + 4 * 8 + 1,
    STATE_ISSUERS_MAX = 64, /* rotations of CAs in other vaults */
    STATE_ISSUER_RECORD = 2 + 20 + KW_HASH_BYTES,
    STATE_ENCODED_MAX = 6 * 8 + STATE_BOOT_BYTES + STATE_RECOVERY_BYTES + 2 * KW_HASH_BYTES + 2 +
                        STATE_KEYS_MAX * STATE_RECORD_MAX + 2 +
                        STATE_SCOPES_MAX * STATE_SCOPE_RECORD + 2 +
                        STATE_ISSUERS_MAX * STATE_ISSUER_RECORD,
};

/* Of one key id that was ever used; never removed, so that an id never comes back. */
struct key_record {
    char key_id[KW_NAME_MAX];
    enum key_class class_;
    uint32_t alg;
    enum key_state state; /* written by keyring_step() alone, once it is in the vault */
    int64_t not_before, not_after;
    uint8_t spki_sha256[KW_HASH_BYTES]; /* of the public key; zero: secret, or never made */
    uint64_t signatures;                /* uses; after a crash never fewer than there were */
    uint64_t reserved;                  /* uses that the file speaks of; not below signatures */
    /* The highest signed in any scope; 0 = none; firmware signer: highest security counter */
    uint64_t crl_number;
    uint64_t tree_size; /* of the last signed checkpoint; 0 = none; TUF role: last version */
    uint8_t tree_root[KW_HASH_BYTES]; /* its root; TUF role: SHA-256 of the metadata */
    char predecessor[KW_NAME_MAX];    /* "": the first of its line */
    char successor[KW_NAME_MAX];      /* "": was not rotated */
    int64_t retire_at;                /* deactivated then, by time; 0: no such time */
    uint64_t destroy_approval;        /* under which it was destroyed; 0: none was needed */
    struct keeper_key_phase phases[KEY_STATE_MAX];
};

/* What a CA's key has signed in one scope of CRLs; crl_numbers.h is about them. */
struct crl_numbers {
    uint16_t key; /* place of its record */
    uint8_t
        scope[STATE_SCOPE_BYTES]; /* of the SHA-256 of the distribution point's URL; zero: all */
    uint64_t last;                /* number */
    int64_t complete_at;          /* thisUpdate of the last complete list */
    uint64_t complete, complete_before; /* its number, and of the one before it; 0: none */
    bool has_delta;                     /* one of the number `last` was signed */
};
/* In the order in which they stand in the state. */
int crl_numbers_compare(const struct crl_numbers *a, const struct crl_numbers *b);

/* A key of a CA in another vault, as an OCSP signer of this one has learned it. */
struct ocsp_issuer {
    uint16_t signer; /* place of its record */
    uint8_t sha1[20];
    uint8_t sha256[KW_HASH_BYTES]; /* of the bits of the CA's key */
};

struct state {
    uint64_t version;    /* rises with each save */
    int64_t clock_floor; /* Unix seconds: it was at least so late already */
    /* A moment at which the wall clock was believed: Unix seconds, seconds since the machine's
     * start, and which start; zero: none */
    int64_t clock_anchor, clock_up;
    uint8_t clock_boot[STATE_BOOT_BYTES];
    uint64_t approvals; /* version that the file 'approvals' must have at least; 0: none yet */
    /* Public key that backups are sealed to (crypto/box.h); zero: none was set yet */
    uint8_t recovery[STATE_RECOVERY_BYTES];
    bool dirty;                         /* holds more than the file */
    uint8_t journal_key[KW_HASH_BYTES]; /* authenticates its rows; zero: there is no journal yet */
    uint64_t journal_seq;               /* its last row, which it must still hold; 0 = none */
    uint8_t journal_mac[KW_HASH_BYTES]; /* of that row */
    unsigned n;
    struct key_record at[STATE_KEYS_MAX]; /* records keep their place */
    unsigned n_scopes;
    struct crl_numbers scopes[STATE_SCOPES_MAX]; /* ascending */
    unsigned n_issuers;
    struct ocsp_issuer issuers[STATE_ISSUERS_MAX];
};

/* Plain form, without sealing. KW_E_TOO_LARGE; room of STATE_ENCODED_MAX suffices. */
kw_status state_encode(const struct state *state, struct kw_out *out);
/* Strict: KW_E_INPUT for what state_encode() does not write. */
kw_status state_decode(struct kw_span encoded, struct state *ret);

/* NULL where there is none. */
struct key_record *state_find(struct state *state, const char *key_id);
/* A new pre-active record. KW_E_CONFLICT the id was used before; KW_E_LIMIT. */
kw_status state_add(struct kw_op *op, struct state *state, const char *key_id,
                    struct key_record **ret);

#endif
