#include "rot/tpm2/index.h"

#include <stdlib.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "os/files.h"

enum { INDEX_MAGIC = 0x4b575449, INDEX_VERSION = 1 };

static bool in_range(uint32_t handle)
{
    uint32_t first = TPM2_HANDLE_BASE + TPM2_HANDLE_FIRST;
    return handle >= first && handle < first + TPM2_HANDLE_COUNT;
}

static void parse_entry(struct kw_reader *r, struct tpm2_index *index)
{
    struct tpm2_entry entry = {0};

    kw_reader_text(r, entry.label, sizeof(entry.label));
    entry.handle = kw_reader_u32(r);
    uint16_t alg = kw_reader_u16(r);
    uint8_t state = kw_reader_u8(r);
    kw_reader_copy(r, entry.name, sizeof(entry.name));
    bool fine = entry.label[0] && in_range(entry.handle) && alg > KEY_ALG_NONE &&
                alg < KEY_ALG_MAX && (state == TPM2_ENTRY_PENDING || state == TPM2_ENTRY_READY);
    if (!fine || tpm2_index_find(index, entry.label) ||
        tpm2_index_has_handle(index, entry.handle)) {
        kw_reader_reject(r);
        return;
    }
    entry.alg = (enum key_alg)alg;
    entry.state = (enum tpm2_entry_state)state;
    index->at[index->n++] = entry;
}

kw_status tpm2_index_parse(struct kw_span content, struct tpm2_index *ret)
{
    uint8_t sum[KW_HASH_BYTES];
    if (content.len < KW_HASH_BYTES) {
        return KW_FAIL(KW_E_INPUT);
    }
    struct kw_span body = kw_span_sub(content, 0, content.len - KW_HASH_BYTES);
    digest_sha256(body, sum);
    if (!kw_span_equal(kw_span_sub(content, body.len, KW_HASH_BYTES), KW_SPAN_ARRAY(sum))) {
        return KW_FAIL(KW_E_INPUT);
    }

    struct kw_reader r = kw_reader_of(body);
    bool known = kw_reader_u32(&r) == INDEX_MAGIC && kw_reader_u16(&r) == INDEX_VERSION;
    unsigned n = kw_reader_u16(&r);
    if (!known || n > TPM2_HANDLE_COUNT) {
        return KW_FAIL(KW_E_INPUT);
    }
    ret->n = 0;
    for (unsigned i = 0; i < n && !r.failed; i++) {
        parse_entry(&r, ret);
    }
    return kw_reader_end(&r);
}

kw_status tpm2_index_encode(const struct tpm2_index *index, struct kw_bytes **ret)
{
    uint8_t sum[KW_HASH_BYTES];
    AUTO(kw_bytes) *content = NULL;
    kw_status status = kw_bytes_new(TPM2_INDEX_FILE_MAX, &content);
    if (!kw_ok(status)) {
        return status;
    }
    struct kw_out out = {.p = content->p, .cap = content->cap - sizeof(sum)};
    struct kw_writer w = kw_writer_of(&out);
    kw_writer_u32(&w, INDEX_MAGIC);
    kw_writer_u16(&w, INDEX_VERSION);
    kw_writer_u16(&w, (uint16_t)index->n);
    for (unsigned i = 0; i < index->n; i++) {
        const struct tpm2_entry *entry = &index->at[i];
        kw_writer_text(&w, entry->label);
        kw_writer_u32(&w, entry->handle);
        kw_writer_u16(&w, (uint16_t)entry->alg);
        kw_writer_u8(&w, (uint8_t)entry->state);
        kw_writer_put(&w, KW_SPAN_ARRAY(entry->name));
    }
    status = kw_writer_end(&w);
    if (!kw_ok(status)) {
        return status;
    }
    content->len = out.len;
    digest_sha256(kw_bytes_span(content), sum);
    status = kw_bytes_append(content, KW_SPAN_ARRAY(sum));
    if (kw_ok(status)) {
        *ret = TAKE(content);
    }
    return status;
}

kw_status tpm2_index_read(struct kw_op *op, const char *path, struct tpm2_index **ret)
{
    AUTO(kw_bytes) *content = NULL;
    AUTO(tpm2_index) *index = calloc(1, sizeof(*index));

    ENSURE(op, index, KW_E_MEMORY);
    if (os_file_exists(path)) {
        kw_status status = os_file_read(op, path, TPM2_INDEX_FILE_MAX, &content);
        ENSURE(op, status.code != KW_E_TOO_LARGE, KW_E_INTEGRITY, "'%s' is too large", path);
        TRY(op, status);
        ENSURE(op, kw_ok(tpm2_index_parse(kw_bytes_span(content), index)), KW_E_INTEGRITY,
               "'%s' is damaged", path);
    }
    *ret = TAKE(index);
    return KW_OK;
}

kw_status tpm2_index_write(struct kw_op *op, const char *path, const struct tpm2_index *index)
{
    AUTO(kw_bytes) *content = NULL;

    TRY(op, tpm2_index_encode(index, &content), "encoding '%s'", path);
    TRY(op, os_file_write(op, path, 0600, kw_bytes_span(content)));
    return KW_OK;
}

void tpm2_index_free(struct tpm2_index *index)
{
    free(index);
}

struct tpm2_entry *tpm2_index_find(struct tpm2_index *index, const char *label)
{
    for (unsigned i = 0; i < index->n; i++) {
        if (strcmp(index->at[i].label, label) == 0) {
            return &index->at[i];
        }
    }
    return NULL;
}

bool tpm2_index_has_handle(const struct tpm2_index *index, uint32_t handle)
{
    for (unsigned i = 0; i < index->n; i++) {
        if (index->at[i].handle == handle) {
            return true;
        }
    }
    return false;
}

kw_status tpm2_index_add(struct kw_op *op, struct tpm2_index *index, const struct tpm2_entry *entry)
{
    ENSURE(op, index->n < TPM2_HANDLE_COUNT, KW_E_FULL, "at most %d keys", TPM2_HANDLE_COUNT);
    index->at[index->n++] = *entry;
    return KW_OK;
}

void tpm2_index_remove(struct tpm2_index *index, const struct tpm2_entry *entry)
{
    size_t at = (size_t)(entry - index->at);
    memmove(&index->at[at], &index->at[at + 1], (index->n - at - 1) * sizeof(*entry));
    index->n--;
}
