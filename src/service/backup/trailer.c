#include "service/backup/trailer.h"

#include <stdio.h>

#include "audit/succession.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/writer.h"
#include "service/event_text.h"
#include "service/log/keys.h"
#include "service/log/log.h"

void trailer_detail(const uint8_t hash[KW_HASH_BYTES], uint64_t size, const char *keys,
                    char *detail, size_t cap)
{
    char hex[2 * KW_HASH_BYTES + 1];

    kw_hex(KW_SPAN(hash, KW_HASH_BYTES), hex, sizeof(hex));
    (void)snprintf(detail, cap, "archive sha256 %s, octets %llu, secrets of keys:%s", hex,
                   (unsigned long long)size, *keys ? keys : " none");
}

/* --- making ----------------------------------------------------------------------------------- */

static kw_status put_successors(struct kw_op *op, struct service *service, struct kw_writer *w)
{
    struct kw_bytes *notes[SUCCESSION_KEYS_MAX] = {0};
    unsigned n = 0;
    kw_status status = KW_OK;

    while (n + 2 <= SUCCESSION_KEYS_MAX && kw_ok(status)) {
        status = log_successor(op, service, n + 2, &notes[n]);
        n += kw_ok(status);
    }
    kw_writer_u8(w, (uint8_t)n);
    for (unsigned i = 0; i < n; i++) {
        kw_writer_span32(w, kw_bytes_span(notes[i]));
        kw_bytes_free(notes[i]);
    }
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

kw_status trailer_make(struct kw_op *op, struct service *service, uint64_t index,
                       struct kw_bytes **ret)
{
    struct tlog_hash proof[TLOG_PROOF_MAX];
    struct checkpoint head;
    char vkey[CHECKPOINT_VKEY_MAX];
    unsigned n = 0;
    AUTO(kw_bytes) *note = NULL;
    AUTO(kw_bytes) *entry = NULL;
    AUTO(kw_bytes) *trailer = NULL;

    TRY(op, log_prove(op, service, index, &head, &note, &entry, proof, &n));
    TRY(op, log_vkey(op, service, vkey, sizeof(vkey)));
    TRY(op, kw_bytes_new(ARCHIVE_TRAILER_MAX, &trailer));
    struct kw_out out = {trailer->p, trailer->cap, 0};
    struct kw_writer w = kw_writer_of(&out);
    kw_writer_span32(&w, kw_bytes_span(entry));
    kw_writer_u64(&w, index);
    kw_writer_u8(&w, (uint8_t)n);
    kw_writer_put(&w, KW_SPAN(proof, n * sizeof(proof[0])));
    kw_writer_span32(&w, kw_bytes_span(note));
    kw_writer_text(&w, vkey);
    TRY(op, put_successors(op, service, &w));
    TRY(op, kw_writer_end(&w), "trailer");
    trailer->len = out.len;
    *ret = TAKE(trailer);
    return KW_OK;
}

/* --- verifying -------------------------------------------------------------------------------- */

struct trailer {
    struct kw_span entry, note, successors[SUCCESSION_KEYS_MAX];
    uint64_t index;
    unsigned n, n_successors;
    struct tlog_hash proof[TLOG_PROOF_MAX];
    char vkey[CHECKPOINT_VKEY_MAX];
};

static kw_status parse(struct kw_op *op, struct kw_span octets, struct trailer *ret)
{
    struct kw_reader r = kw_reader_of(octets);

    ret->entry = kw_reader_span32(&r, KW_LOG_ENTRY_MAX);
    ret->index = kw_reader_u64(&r);
    ret->n = kw_reader_u8(&r);
    if (ret->n <= TLOG_PROOF_MAX) {
        kw_reader_copy(&r, ret->proof, ret->n * sizeof(ret->proof[0]));
    } else {
        kw_reader_reject(&r);
    }
    ret->note = kw_reader_span32(&r, CHECKPOINT_TEXT_MAX);
    kw_reader_text(&r, ret->vkey, sizeof(ret->vkey));
    ret->n_successors = kw_reader_u8(&r);
    for (unsigned i = 0; i < ret->n_successors && i < SUCCESSION_KEYS_MAX; i++) {
        ret->successors[i] = kw_reader_span32(&r, CHECKPOINT_TEXT_MAX);
    }
    ENSURE(op, ret->n_successors <= SUCCESSION_KEYS_MAX && kw_ok(kw_reader_end(&r)), KW_E_INTEGRITY,
           "the trailer is not as it must be");
    return KW_OK;
}

static kw_status check_head(struct kw_op *op, const struct trailer *trailer, const char *vkey,
                            struct checkpoint *ret)
{
    struct succession keys;
    bool taken = false;

    TRY(op, succession_begin(op, vkey, &keys));
    for (unsigned i = 0; i < trailer->n_successors; i++) {
        TRY(op, succession_take(op, &keys, trailer->successors[i], &taken));
    }
    return succession_verify(op, &keys, trailer->note, ret);
}

/* The entry names this id, and this hash and size of head and chunks. */
static kw_status check_entry(struct kw_op *op, const struct trailer *trailer,
                             const struct archive_outer *outer)
{
    char id[2 * ARCHIVE_ID_BYTES + 1], object[64], detail[EVENT_DETAIL_MAX];
    struct event event;

    TRY(op, event_decode(op, trailer->entry, &event), "the log's entry");
    kw_hex(KW_SPAN_ARRAY(outer->head.id), id, sizeof(id));
    (void)snprintf(object, sizeof(object), "backup:%s", id);
    trailer_detail(outer->hash, outer->size, "", detail, sizeof(detail));
    char *keys = strstr(detail, ", secrets");
    ENSURE(op,
           event.type == EVENT_BACKUP_CREATE && strcmp(event.object, object) == 0 && keys &&
               strncmp(event.detail, detail, (size_t)(keys - detail)) == 0,
           KW_E_INTEGRITY, "the log speaks of another file: this one was altered");
    return KW_OK;
}

kw_status trailer_verify(struct kw_op *op, const struct archive_outer *outer, const char *vkey,
                         struct checkpoint *ret, char *vkey_used)
{
    struct trailer trailer;

    TRY(op, parse(op, kw_bytes_span(outer->trailer), &trailer));
    TRY(op, check_entry(op, &trailer, outer));
    (void)kw_text_copy(vkey_used, CHECKPOINT_VKEY_MAX, vkey ? vkey : trailer.vkey);
    TRY(op, check_head(op, &trailer, vkey_used, ret), "the log's signature");
    struct tlog_hash leaf = tlog_leaf_hash(trailer.entry);
    TRY(op,
        tlog_inclusion_verify(&leaf, trailer.index, ret->size, trailer.proof, trailer.n,
                              &ret->root),
        "the log's proof of this backup does not hold");
    return KW_OK;
}
