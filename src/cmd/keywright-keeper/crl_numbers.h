/* The CRL numbers that a CA's key has signed, for each scope (RFC 5280 sections 5.2.3, 5.2.4). */
#ifndef KEEPER_CMD_CRL_NUMBERS_H
#define KEEPER_CMD_CRL_NUMBERS_H

#include "cmd/keywright-keeper/state.h"

/* What a list says of itself. */
struct crl_claim {
    const char *url; /* of its distribution point; "": none */
    uint64_t number;
    uint64_t base; /* 0: a complete list */
    int64_t this_update;
};

/* NULL where the key signed none in this scope yet. */
const struct crl_numbers *crl_numbers_find(const struct state *state,
                                           const struct key_record *record, const char *url);
/* Is its base one of the last two complete lists? A complete list needs none. */
bool crl_numbers_has_base(const struct crl_numbers *numbers, const struct crl_claim *claim);
/* Is its number above all, or a delta's that of the complete list of the same moment? */
bool crl_numbers_rise(const struct crl_numbers *numbers, const struct crl_claim *claim);
/* It will be signed: remember it; the caller saves. *ret_before: what was known, for
 * crl_numbers_take_back(). KW_E_LIMIT no room for another scope. */
kw_status crl_numbers_set(struct kw_op *op, struct state *state, struct key_record *record,
                          const struct crl_claim *claim, struct crl_numbers *ret_before);
/* It was not signed, and the state is not on disk. */
void crl_numbers_take_back(struct state *state, const struct crl_numbers *before);
/* A successor goes on in every scope of its predecessor. KW_E_LIMIT. */
kw_status crl_numbers_inherit(struct kw_op *op, struct state *state,
                              const struct key_record *predecessor, struct key_record *successor);

#endif
