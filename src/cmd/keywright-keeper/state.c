#include "cmd/keywright-keeper/state.h"

#include "base/reader.h"
#include "base/writer.h"
#include "keeper/msg.h"

static void put_i64(struct kw_writer *w, int64_t v)
{
    kw_writer_u64(w, (uint64_t)v);
}

static int64_t get_i64(struct kw_reader *r)
{
    return (int64_t)kw_reader_u64(r);
}

static void encode_phase(struct kw_writer *w, const struct keeper_key_phase *phase)
{
    put_i64(w, phase->since_unix);
    if (phase->since_unix != 0) {
        kw_writer_text(w, phase->who);
        kw_writer_text(w, phase->reason);
    }
}

static void decode_phase(struct kw_reader *r, struct keeper_key_phase *ret)
{
    ret->since_unix = get_i64(r);
    if (ret->since_unix != 0) {
        kw_reader_text(r, ret->who, sizeof(ret->who));
        kw_reader_text(r, ret->reason, sizeof(ret->reason));
    }
}

static void encode_record(struct kw_writer *w, const struct key_record *record)
{
    kw_writer_text(w, record->key_id);
    kw_writer_u32(w, (uint32_t)record->class_);
    kw_writer_u32(w, record->alg);
    kw_writer_u8(w, (uint8_t)record->state);
    put_i64(w, record->not_before);
    put_i64(w, record->not_after);
    kw_writer_put(w, KW_SPAN_ARRAY(record->spki_sha256));
    kw_writer_u64(w, record->reserved > record->signatures ? record->reserved : record->signatures);
    kw_writer_u64(w, record->crl_number);
    kw_writer_u64(w, record->tree_size);
    kw_writer_put(w, KW_SPAN_ARRAY(record->tree_root));
    kw_writer_text(w, record->predecessor);
    kw_writer_text(w, record->successor);
    put_i64(w, record->retire_at);
    kw_writer_u64(w, record->destroy_approval);
    for (unsigned i = 0; i < KEY_STATE_MAX; i++) {
        encode_phase(w, &record->phases[i]);
    }
}

static bool id_or_none(const char *key_id)
{
    return key_id[0] == '\0' || keeper_key_id_valid(key_id);
}

static void decode_life(struct kw_reader *r, struct key_record *ret)
{
    ret->signatures = kw_reader_u64(r);
    ret->reserved = ret->signatures;
    ret->crl_number = kw_reader_u64(r);
    ret->tree_size = kw_reader_u64(r);
    kw_reader_copy(r, ret->tree_root, sizeof(ret->tree_root));
    kw_reader_text(r, ret->predecessor, sizeof(ret->predecessor));
    kw_reader_text(r, ret->successor, sizeof(ret->successor));
    ret->retire_at = get_i64(r);
    ret->destroy_approval = kw_reader_u64(r);
    for (unsigned i = 0; i < KEY_STATE_MAX; i++) {
        decode_phase(r, &ret->phases[i]);
    }
}

static void decode_record(struct kw_reader *r, struct key_record *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    uint32_t class_ = kw_reader_u32(r);
    ret->alg = kw_reader_u32(r);
    unsigned state = kw_reader_u8(r);
    ret->not_before = get_i64(r);
    ret->not_after = get_i64(r);
    kw_reader_copy(r, ret->spki_sha256, sizeof(ret->spki_sha256));
    decode_life(r, ret);
    if (class_ >= KEY_CLASS_MAX || state >= KEY_STATE_MAX || !keeper_key_id_valid(ret->key_id) ||
        !id_or_none(ret->predecessor) || !id_or_none(ret->successor)) {
        kw_reader_reject(r);
        return;
    }
    ret->class_ = (enum key_class)class_;
    ret->state = (enum key_state)state;
}

static void encode_scopes(struct kw_writer *w, const struct state *state)
{
    kw_writer_u16(w, (uint16_t)state->n_scopes);
    for (unsigned i = 0; i < state->n_scopes; i++) {
        const struct crl_numbers *one = &state->scopes[i];
        kw_writer_u16(w, one->key);
        kw_writer_put(w, KW_SPAN_ARRAY(one->scope));
        kw_writer_u64(w, one->last);
        put_i64(w, one->complete_at);
        kw_writer_u64(w, one->complete);
        kw_writer_u64(w, one->complete_before);
        kw_writer_u8(w, one->has_delta ? 1 : 0);
    }
}

static void decode_scope(struct kw_reader *r, const struct state *state, struct crl_numbers *ret)
{
    ret->key = kw_reader_u16(r);
    kw_reader_copy(r, ret->scope, sizeof(ret->scope));
    ret->last = kw_reader_u64(r);
    ret->complete_at = get_i64(r);
    ret->complete = kw_reader_u64(r);
    ret->complete_before = kw_reader_u64(r);
    uint8_t has_delta = kw_reader_u8(r);
    ret->has_delta = has_delta == 1;
    if (ret->key >= state->n || has_delta > 1) {
        kw_reader_reject(r);
    }
}

static void decode_scopes(struct kw_reader *r, struct state *ret)
{
    unsigned n = kw_reader_u16(r);

    if (n > STATE_SCOPES_MAX) {
        kw_reader_reject(r);
    }
    for (unsigned i = 0; i < n && !r->failed; i++) {
        decode_scope(r, ret, &ret->scopes[i]);
        if (i > 0 && crl_numbers_compare(&ret->scopes[i - 1], &ret->scopes[i]) >= 0) {
            kw_reader_reject(r);
        }
        ret->n_scopes = i + 1;
    }
}

static void encode_issuers(struct kw_writer *w, const struct state *state)
{
    kw_writer_u16(w, (uint16_t)state->n_issuers);
    for (unsigned i = 0; i < state->n_issuers; i++) {
        kw_writer_u16(w, state->issuers[i].signer);
        kw_writer_put(w, KW_SPAN_ARRAY(state->issuers[i].sha1));
        kw_writer_put(w, KW_SPAN_ARRAY(state->issuers[i].sha256));
    }
}

static void decode_issuers(struct kw_reader *r, struct state *ret)
{
    unsigned n = kw_reader_u16(r);

    if (n > STATE_ISSUERS_MAX) {
        kw_reader_reject(r);
    }
    for (unsigned i = 0; i < n && !r->failed; i++) {
        struct ocsp_issuer *one = &ret->issuers[i];
        one->signer = kw_reader_u16(r);
        kw_reader_copy(r, one->sha1, sizeof(one->sha1));
        kw_reader_copy(r, one->sha256, sizeof(one->sha256));
        if (one->signer >= ret->n) {
            kw_reader_reject(r);
        }
        ret->n_issuers = i + 1;
    }
}

kw_status state_encode(const struct state *state, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_u64(&w, state->version);
    put_i64(&w, state->clock_floor);
    put_i64(&w, state->clock_anchor);
    put_i64(&w, state->clock_up);
    kw_writer_put(&w, KW_SPAN_ARRAY(state->clock_boot));
    kw_writer_u64(&w, state->approvals);
    kw_writer_put(&w, KW_SPAN_ARRAY(state->recovery));
    kw_writer_put(&w, KW_SPAN_ARRAY(state->journal_key));
    kw_writer_u64(&w, state->journal_seq);
    kw_writer_put(&w, KW_SPAN_ARRAY(state->journal_mac));
    kw_writer_u16(&w, (uint16_t)state->n);
    for (unsigned i = 0; i < state->n; i++) {
        encode_record(&w, &state->at[i]);
    }
    encode_scopes(&w, state);
    encode_issuers(&w, state);
    return kw_writer_end(&w);
}

kw_status state_decode(struct kw_span encoded, struct state *ret)
{
    struct kw_reader r = kw_reader_of(encoded);

    *ret = (struct state){.version = kw_reader_u64(&r)};
    ret->clock_floor = get_i64(&r);
    ret->clock_anchor = get_i64(&r);
    ret->clock_up = get_i64(&r);
    kw_reader_copy(&r, ret->clock_boot, sizeof(ret->clock_boot));
    ret->approvals = kw_reader_u64(&r);
    kw_reader_copy(&r, ret->recovery, sizeof(ret->recovery));
    kw_reader_copy(&r, ret->journal_key, sizeof(ret->journal_key));
    ret->journal_seq = kw_reader_u64(&r);
    kw_reader_copy(&r, ret->journal_mac, sizeof(ret->journal_mac));
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
    decode_scopes(&r, ret);
    decode_issuers(&r, ret);
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
