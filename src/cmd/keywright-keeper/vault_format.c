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

static void write_head(struct kw_writer *w, const struct vault_header *header)
{
    kw_writer_put(w, kw_span_text(header_magic));
    kw_writer_put(w, KW_SPAN_ARRAY(header->id));
    kw_writer_u8(w, (uint8_t)header->method);
    if (header->method == VAULT_PASSPHRASE) {
        kw_writer_put(w, KW_SPAN_ARRAY(header->salt));
        kw_writer_u32(w, header->cost.n);
        kw_writer_u32(w, header->cost.r);
        kw_writer_u32(w, header->cost.p);
    }
}

kw_status vault_header_encode_head(const struct vault_header *header, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    write_head(&w, header);
    return kw_writer_end(&w);
}

kw_status vault_header_encode(const struct vault_header *header, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    write_head(&w, header);
    kw_writer_span16(&w, header->sealed_kek);
    return kw_writer_end(&w);
}

kw_status vault_header_decode(struct kw_span file, struct vault_header *ret,
                              struct kw_span *ret_head)
{
    struct kw_reader r = kw_reader_of(file);
    struct vault_header header = {0};

    read_magic(&r, header_magic);
    kw_reader_copy(&r, header.id, sizeof(header.id));
    unsigned method = kw_reader_u8(&r);
    if (method == VAULT_PASSPHRASE) {
        kw_reader_copy(&r, header.salt, sizeof(header.salt));
        header.cost.n = kw_reader_u32(&r);
        header.cost.r = kw_reader_u32(&r);
        header.cost.p = kw_reader_u32(&r);
    } else if (method != VAULT_TPM2) {
        kw_reader_reject(&r);
    }
    size_t n_head = file.len - r.rest.len;
    header.sealed_kek = kw_reader_span16(&r, VAULT_SEALED_KEK_MAX);
    kw_status status = kw_reader_end(&r);
    if (!kw_ok(status)) {
        return status;
    }
    header.method = (enum vault_method)method;
    *ret = header;
    *ret_head = kw_span_sub(file, 0, n_head);
    return KW_OK;
}

kw_status vault_key_file_encode(const struct vault_key_file *file, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(key_magic));
    kw_writer_span16(&w, file->policy);
    kw_writer_span16(&w, file->spki);
    kw_writer_span16(&w, file->sealed);
    return kw_writer_end(&w);
}

kw_status vault_key_file_decode(struct kw_span octets, struct vault_key_file *ret)
{
    struct kw_reader r = kw_reader_of(octets);
    struct vault_key_file file = {0};

    read_magic(&r, key_magic);
    file.policy = kw_reader_span16(&r, POLICY_ENCODED_MAX);
    file.spki = kw_reader_span16(&r, KW_SPKI_MAX);
    file.sealed = kw_reader_span16(&r, VAULT_SEALED_KEY_MAX);
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = file;
    }
    return status;
}

kw_status vault_state_head_encode(struct kw_span salt, struct kw_out *out)
{
    out->len = 0;
    struct kw_writer w = kw_writer_of(out);
    kw_writer_put(&w, kw_span_text(state_magic));
    kw_writer_put(&w, salt);
    return kw_writer_end(&w);
}

kw_status vault_state_file_decode(struct kw_span octets, struct vault_state_file *ret)
{
    struct kw_reader r = kw_reader_of(octets);
    struct vault_state_file file = {.head = kw_span_sub(octets, 0, VAULT_STATE_HEAD)};

    read_magic(&r, state_magic);
    file.salt = kw_reader_take(&r, VAULT_SALT_BYTES);
    file.sealed = kw_reader_take(&r, r.rest.len);
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = file;
    }
    return status;
}
