#include "cmd/keywright-keeper/ocsp_issuers.h"

enum { SHA1_BYTES = 20 };

static uint16_t place_of(const struct state *state, const struct key_record *record)
{
    return (uint16_t)(record - state->at);
}

bool ocsp_issuers_has(const struct state *state, const struct key_record *signer, bool sha256,
                      const uint8_t *hash)
{
    for (unsigned i = 0; i < state->n_issuers; i++) {
        const struct ocsp_issuer *one = &state->issuers[i];
        if (one->signer == place_of(state, signer) &&
            memcmp(sha256 ? one->sha256 : one->sha1, hash, sha256 ? KW_HASH_BYTES : SHA1_BYTES) ==
                0) {
            return true;
        }
    }
    return false;
}

/* What destroyed keys have learned, nobody needs. */
static void drop_destroyed(struct state *state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < state->n_issuers; i++) {
        if (state->at[state->issuers[i].signer].state != KEY_DESTROYED) {
            state->issuers[n++] = state->issuers[i];
        }
    }
    state->n_issuers = n;
}

static kw_status append(struct kw_op *op, struct state *state, const struct ocsp_issuer *one)
{
    if (state->n_issuers == STATE_ISSUERS_MAX) {
        drop_destroyed(state);
    }
    ENSURE(op, state->n_issuers < STATE_ISSUERS_MAX, KW_E_LIMIT,
           "issuers: the OCSP signers of a vault learn of at most %d keys", STATE_ISSUERS_MAX);
    state->issuers[state->n_issuers++] = *one;
    state->dirty = true;
    return KW_OK;
}

kw_status ocsp_issuers_add(struct kw_op *op, struct state *state, const struct key_record *signer,
                           const struct pubkey *key)
{
    struct ocsp_issuer one = {.signer = place_of(state, signer)};

    memcpy(one.sha1, pubkey_sha1(key), sizeof(one.sha1));
    memcpy(one.sha256, pubkey_bits_sha256(key), sizeof(one.sha256));
    return append(op, state, &one);
}

kw_status ocsp_issuers_inherit(struct kw_op *op, struct state *state,
                               const struct key_record *predecessor,
                               const struct key_record *successor)
{
    drop_destroyed(state);
    unsigned n = state->n_issuers;
    for (unsigned i = 0; i < n; i++) {
        struct ocsp_issuer one = state->issuers[i];
        if (one.signer == place_of(state, predecessor)) {
            one.signer = place_of(state, successor);
            TRY(op, append(op, state, &one));
        }
    }
    return KW_OK;
}
