#include "cmd/keywright-keeper/state.h"

#include "base/reader.h"
#include "base/writer.h"
#include "keeper/msg.h"

static void encode_record(struct kw_writer *w, const struct key_record *record)
{
    kw_writer_text(w, record->key_id);
    kw_writer_u8(w, (uint8_t)record->state);
    kw_writer_u64(w, record->signatures);
    kw_writer_u64(w, record->crl_number);
    kw_writer_u64(w, record->tree_size);
    kw_writer_put(w, KW_SPAN_ARRAY(record->tree_root));
}

static void decode_record(struct kw_reader *r, struct key_record *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    unsigned state = kw_reader_u8(r);
    ret->signatures = kw_reader_u64(r);
    ret->crl_number = kw_reader_u64(r);
    ret->tree_size = kw_reader_u64(r);
    kw_reader_copy(r, ret->tree_root, sizeof(ret->tree_root));
    if (state >= KEY_STATE_MAX || !keeper_key_id_valid(ret->key_id)) {
        kw_reader_reject(r);
        return;
    }
    ret->state = (enum key_state)state;
}

kw_status state_encode(const struct state *state, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_u64(&w, state->version);
    kw_writer_u16(&w, (uint16_t)state->n);
    for (unsigned i = 0; i < state->n; i++) {
        encode_record(&w, &state->at[i]);
    }
    return kw_writer_end(&w);
}

kw_status state_decode(struct kw_span encoded, struct state *ret)
{
    struct kw_reader r = kw_reader_of(encoded);

    *ret = (struct state){.version = kw_reader_u64(&r)};
    unsigned n = kw_reader_u16(&r);
    if (n > STATE_KEYS_MAX) {
        return KW_FAIL(KW_E_INPUT);
    }
    for (unsigned i = 0; i < n && !r.failed; i++) {
        decode_record(&r, &ret->at[i]);
        if (!r.failed && state_find(ret, ret->at[i].key_id)) {
            kw_reader_reject(&r); /* twice the same */
        }
        ret->n = i + 1;
    }
    return kw_reader_end(&r);
}

struct key_record *state_find(struct state *state, const char *key_id)
{
    for (unsigned i = 0; i < state->n; i++) {
        if (strcmp(state->at[i].key_id, key_id) == 0) {
            return &state->at[i];
        }
    }
    return NULL;
}

kw_status state_add(struct kw_op *op, struct state *state, const char *key_id,
                    struct key_record **ret)
{
    ENSURE(op, !state_find(state, key_id), KW_E_CONFLICT,
           "key id '%s' was used before; an id never comes back, choose another", key_id);
    ENSURE(op, state->n < STATE_KEYS_MAX, KW_E_LIMIT, "a vault holds at most %d key ids",
           STATE_KEYS_MAX);
    struct key_record *record = &state->at[state->n];
    *record = (struct key_record){.state = KEY_PRE_ACTIVE};
    ENSURE(op, KW_TEXT_SET(record->key_id, key_id), KW_E_INPUT, "key id too long");
    state->n++;
    state->dirty = true;
    *ret = record;
    return KW_OK;
}
