#include "cmd/keywright-keeper/vault_format.h"

#include "base/reader.h"
#include "base/writer.h"

static const char header_magic[] = "KWVAULT1";
static const char key_magic[] = "KWKEY001";
static const char state_magic[] = "KWSTATE1";

static void read_magic(struct kw_reader *r, const char *magic)
{
    if (!kw_span_equal(kw_reader_take(r, strlen(magic)), kw_span_text(magic))) {
        kw_reader_reject(r);
    }
}

static void write_params(struct kw_writer *w, const struct vault_slot *slot)
{
    kw_writer_u8(w, (uint8_t)slot->method);
    if (slot->method == VAULT_PASSPHRASE) {
        kw_writer_put(w, KW_SPAN_ARRAY(slot->salt));
        kw_writer_u32(w, slot->cost.n);
        kw_writer_u32(w, slot->cost.r);
        kw_writer_u32(w, slot->cost.p);
    }
    if (slot->method == VAULT_SHARES) {
        kw_writer_u8(w, slot->m);
        kw_writer_u8(w, slot->n);
        kw_writer_put(w, KW_SPAN_ARRAY(slot->set));
    }
}

static void write_slot(struct kw_writer *w, const struct vault_slot *slot)
{
    write_params(w, slot);
    kw_writer_span16(w, slot->sealed);
}

static void read_slot(struct kw_reader *r, struct vault_slot *ret)
{
    unsigned method = kw_reader_u8(r);

    if (method == VAULT_PASSPHRASE) {
        kw_reader_copy(r, ret->salt, sizeof(ret->salt));
        ret->cost.n = kw_reader_u32(r);
        ret->cost.r = kw_reader_u32(r);
        ret->cost.p = kw_reader_u32(r);
    }
    if (method == VAULT_SHARES) {
        ret->m = kw_reader_u8(r);
        ret->n = kw_reader_u8(r);
        kw_reader_copy(r, ret->set, sizeof(ret->set));
    }
    ret->sealed = kw_reader_span16(r, VAULT_SEALED_CORE_MAX);
    bool shares_fit = ret->m >= 2 && ret->m <= ret->n && ret->n <= KW_SHARES_MAX;
    if (method < VAULT_PASSPHRASE || method > VAULT_PKCS11 ||
        (method == VAULT_SHARES && !shares_fit)) {
        kw_reader_reject(r);
        return;
    }
    ret->method = (enum vault_method)method;
}

kw_status vault_slot_aad(const uint8_t id[VAULT_ID_BYTES], uint32_t generation,
                         const struct vault_slot *slot, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(header_magic));
    kw_writer_put(&w, KW_SPAN(id, VAULT_ID_BYTES));
    kw_writer_u32(&w, generation);
    write_params(&w, slot);
    return kw_writer_end(&w);
}

kw_status vault_header_encode(const struct vault_header *header, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(header_magic));
    kw_writer_put(&w, KW_SPAN_ARRAY(header->id));
    kw_writer_u32(&w, header->generation);
    write_slot(&w, &header->slot);
    kw_writer_u8(&w, header->pending ? 1 : 0);
    if (header->pending) {
        write_slot(&w, &header->next);
        kw_writer_span16(&w, header->next_under_this);
        kw_writer_span16(&w, header->this_under_next);
    }
    return kw_writer_end(&w);
}

kw_status vault_header_decode(struct kw_span file, struct vault_header *ret)
{
    struct kw_reader r = kw_reader_of(file);
    struct vault_header header = {0};

    read_magic(&r, header_magic);
    kw_reader_copy(&r, header.id, sizeof(header.id));
    header.generation = kw_reader_u32(&r);
    read_slot(&r, &header.slot);
    uint8_t pending = kw_reader_u8(&r);
    header.pending = pending == 1;
    if (pending > 1 || header.generation == 0 || header.generation == UINT32_MAX) {
        kw_reader_reject(&r);
    }
    if (header.pending) {
        read_slot(&r, &header.next);
        header.next_under_this = kw_reader_span16(&r, 256);
        header.this_under_next = kw_reader_span16(&r, 256);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = header;
    }
    return status;
}

kw_status vault_key_file_encode(const struct vault_key_file *file, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(key_magic));
    kw_writer_u32(&w, file->generation);
    kw_writer_span16(&w, file->policy);
    kw_writer_span16(&w, file->spki);
    kw_writer_text(&w, file->token);
    kw_writer_span16(&w, file->sealed);
    return kw_writer_end(&w);
}

kw_status vault_key_file_decode(struct kw_span octets, struct vault_key_file *ret)
{
    struct kw_reader r = kw_reader_of(octets);
    struct vault_key_file file = {0};

    read_magic(&r, key_magic);
    file.generation = kw_reader_u32(&r);
    file.policy = kw_reader_span16(&r, POLICY_ENCODED_MAX);
    file.spki = kw_reader_span16(&r, KW_SPKI_MAX);
    kw_reader_text(&r, file.token, sizeof(file.token));
    file.sealed = kw_reader_span16(&r, VAULT_SEALED_KEY_MAX);
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = file;
    }
    return status;
}

kw_status vault_state_head_encode(uint32_t generation, struct kw_span salt, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(state_magic));
    kw_writer_u32(&w, generation);
    kw_writer_put(&w, salt);
    return kw_writer_end(&w);
}

kw_status vault_state_file_decode(struct kw_span octets, struct vault_state_file *ret)
{
    struct kw_reader r = kw_reader_of(octets);
    struct vault_state_file file = {.head = kw_span_sub(octets, 0, VAULT_STATE_HEAD)};

    read_magic(&r, state_magic);
    file.generation = kw_reader_u32(&r);
    file.salt = kw_reader_take(&r, VAULT_SALT_BYTES);
    file.sealed = kw_reader_take(&r, r.rest.len);
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = file;
    }
    return status;
}
