/* What the keeper must never forget: key states, counts, last CRL numbers and log heads. */
#ifndef KEEPER_CMD_STATE_H
#define KEEPER_CMD_STATE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "model/key.h"

enum { STATE_KEYS_MAX = 256 };
enum {
    STATE_RECORD_MAX = 2 + KW_NAME_MAX + 1 + 3 * 8 + KW_HASH_BYTES,
    STATE_ENCODED_MAX = 8 + 2 + STATE_KEYS_MAX * STATE_RECORD_MAX,
};

/* Of one key id that was ever used; never removed, so that an id never comes back. */
struct key_record {
    char key_id[KW_NAME_MAX];
    enum key_state state;
    uint64_t signatures;
    uint64_t crl_number;              /* last signed; 0 = none */
    uint64_t tree_size;               /* of the last signed checkpoint; 0 = none */
    uint8_t tree_root[KW_HASH_BYTES]; /* its root */
};

struct state {
    uint64_t version; /* rises with each save */
    bool dirty;       /* holds more than the file */
    unsigned n;
    struct key_record at[STATE_KEYS_MAX]; /* records keep their place */
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
