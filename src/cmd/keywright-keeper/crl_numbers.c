#include "cmd/keywright-keeper/crl_numbers.h"

#include "crypto/digest.h"

static void scope_of(const char *url, uint8_t ret[STATE_SCOPE_BYTES])
{
    uint8_t hash[KW_HASH_BYTES] = {0};

    if (url[0]) {
        digest_sha256(kw_span_text(url), hash);
    }
    memcpy(ret, hash, STATE_SCOPE_BYTES);
}

static uint16_t place_of(const struct state *state, const struct key_record *record)
{
    return (uint16_t)(record - state->at);
}

int crl_numbers_compare(const struct crl_numbers *a, const struct crl_numbers *b)
{
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return memcmp(a->scope, b->scope, sizeof(a->scope));
}

/* Where it is, or where it belongs. */
static unsigned position(const struct state *state, const struct crl_numbers *wanted)
{
    unsigned low = 0;
    unsigned high = state->n_scopes;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (crl_numbers_compare(&state->scopes[middle], wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct state *state, unsigned at, const struct crl_numbers *wanted)
{
    return at < state->n_scopes && crl_numbers_compare(&state->scopes[at], wanted) == 0;
}

const struct crl_numbers *crl_numbers_find(const struct state *state,
                                           const struct key_record *record, const char *url)
{
    struct crl_numbers wanted = {.key = place_of(state, record)};

    scope_of(url, wanted.scope);
    unsigned at = position(state, &wanted);
    return is_at(state, at, &wanted) ? &state->scopes[at] : NULL;
}

bool crl_numbers_has_base(const struct crl_numbers *numbers, const struct crl_claim *claim)
{
    return claim->base == 0 || (numbers && (claim->base == numbers->complete ||
                                            claim->base == numbers->complete_before));
}

/* "If the this update field in the two CRLs are not identical, the CRL numbers MUST be different",
 * and a delta of the same moment as a complete list has its number. */
bool crl_numbers_rise(const struct crl_numbers *numbers, const struct crl_claim *claim)
{
    if (!numbers || claim->number > numbers->last) {
        return claim->number > 0;
    }
    return claim->base > 0 && claim->number == numbers->last &&
           claim->number == numbers->complete && claim->base < claim->number &&
           claim->this_update == numbers->complete_at && !numbers->has_delta;
}

/* What destroyed keys have signed, nobody will ask for again. */
static void drop_destroyed(struct state *state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < state->n_scopes; i++) {
        if (state->at[state->scopes[i].key].state != KEY_DESTROYED) {
            state->scopes[n++] = state->scopes[i];
        }
    }
    state->n_scopes = n;
}

/* The place of a scope, which is made where it is new. */
static kw_status place_for(struct kw_op *op, struct state *state, const struct crl_numbers *wanted,
                           struct crl_numbers **ret)
{
    unsigned at = position(state, wanted);

    if (!is_at(state, at, wanted)) {
        if (state->n_scopes == STATE_SCOPES_MAX) {
            drop_destroyed(state);
            at = position(state, wanted);
        }
        ENSURE(op, state->n_scopes < STATE_SCOPES_MAX, KW_E_LIMIT,
               "scopes: a vault's keys sign CRLs in at most %d scopes", STATE_SCOPES_MAX);
        memmove(&state->scopes[at + 1], &state->scopes[at],
                (state->n_scopes - at) * sizeof(state->scopes[0]));
        state->scopes[at] = (struct crl_numbers){.key = wanted->key};
        memcpy(state->scopes[at].scope, wanted->scope, sizeof(wanted->scope));
        state->n_scopes++;
    }
    *ret = &state->scopes[at];
    return KW_OK;
}

kw_status crl_numbers_set(struct kw_op *op, struct state *state, struct key_record *record,
                          const struct crl_claim *claim, struct crl_numbers *ret_before)
{
    struct crl_numbers wanted = {.key = place_of(state, record)};
    struct crl_numbers *numbers = NULL;

    scope_of(claim->url, wanted.scope);
    TRY(op, place_for(op, state, &wanted, &numbers));
    *ret_before = *numbers;
    numbers->last = claim->number;
    numbers->has_delta = claim->base > 0;
    if (claim->base == 0) {
        numbers->complete_before = numbers->complete;
        numbers->complete = claim->number;
        numbers->complete_at = claim->this_update;
    }
    if (claim->number > record->crl_number) {
        record->crl_number = claim->number;
    }
    state->dirty = true;
    return KW_OK;
}

void crl_numbers_take_back(struct state *state, const struct crl_numbers *before)
{
    unsigned at = position(state, before);

    if (is_at(state, at, before)) {
        state->scopes[at] = *before;
    }
}

kw_status crl_numbers_inherit(struct kw_op *op, struct state *state,
                              const struct key_record *predecessor, struct key_record *successor)
{
    uint16_t from = place_of(state, predecessor);

    drop_destroyed(state);
    for (unsigned i = 0; i < state->n_scopes; i++) {
        struct crl_numbers wanted = state->scopes[i];
        struct crl_numbers *made = NULL;
        if (wanted.key != from) {
            continue;
        }
        wanted.key = place_of(state, successor); /* behind it: records keep their order */
        TRY(op, place_for(op, state, &wanted, &made));
        made->last = wanted.last;
    }
    return KW_OK;
}
