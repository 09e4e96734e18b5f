/* What the keys of one line have signed, the successors of a key included: limits hold for all. */
#ifndef KEEPER_CMD_RECORD_LINE_H
#define KEEPER_CMD_RECORD_LINE_H

#include "cmd/keywright-keeper/state.h"

/* The highest number that any key of the line has signed, with the digest that belongs to it. */
struct line_mark {
    uint64_t number;               /* 0: nothing was signed */
    uint8_t digest[KW_HASH_BYTES]; /* TUF metadata only */
};

/* Firmware signer: the security counter. */
uint64_t line_counter(struct state *state, const char *key_id);
/* TUF role: the version of the newest metadata, and its SHA-256. */
void line_version(struct state *state, const char *key_id, struct line_mark *ret);

#endif
