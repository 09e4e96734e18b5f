/* Which classes of keys live in the keeper, and what each may sign. */
#ifndef KEEPER_CMD_PURPOSES_H
#define KEEPER_CMD_PURPOSES_H

#include "crypto/alg.h"
#include "keeper/keeper.h"

#define PURPOSE_BIT(purpose) (1u << (purpose))

struct class_row {
    enum key_class class_;
    uint32_t algs;     /* KEY_ALG_BIT()s; 0: a secret */
    uint32_t purposes; /* PURPOSE_BIT()s of enum keeper_purpose */
};

/* NULL where keys of this class do not live here (the root's, operators', devices'). */
const struct class_row *class_row_of(enum key_class class_);
/* May a key of this class have this algorithm (enum key_alg, or KEY_ALG_SECRET_256)? */
bool class_takes_alg(enum key_class class_, uint32_t alg);
/* "certificates", …: for refusals. */
const char *purpose_text(enum keeper_purpose purpose);
/* What reads what the key protected: allowed in these states (bits of enum key_state) until the
 * policy's processing_until. 0: only while active. */
uint32_t purpose_states_after(enum keeper_purpose purpose);
/* Too many to write each down: a row of the journal a minute. */
bool purpose_is_bulk(enum keeper_purpose purpose);
/* May keys of this class do that? */
bool purpose_allowed(enum key_class class_, enum keeper_purpose purpose);

#endif
