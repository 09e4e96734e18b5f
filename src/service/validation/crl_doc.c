#include "service/validation/crl_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hex.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/crl.h"
#include "crypto/digest.h"
#include "os/clock.h"

enum {
    PIECE = 128 << 10, /* octets of one change of the store: a millisecond or so */
    HEAD_MAX = 128,
    BLOB_NAME_MAX = KW_NAME_MAX + 48,
};
static const char HEAD_MAGIC[8] = {'K', 'W', 'C', 'R', 'L', 'P', '0', '1'};

/* --- the document ----------------------------------------------------------------------------- */

void http_date_text(int64_t unix_s, char text[KW_TIME_TEXT])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)unix_s;
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm); /* cannot fail before the year 2^31 */
    (void)snprintf(text, KW_TIME_TEXT, "%.3s, %02u %.3s %04d %02u:%02u:%02u GMT",
                   days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
                   (tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

void http_etag_text(struct kw_span octets, char text[2 * KW_HASH_BYTES + 3])
{
    uint8_t hash[KW_HASH_BYTES];
    char hex[2 * KW_HASH_BYTES + 1];

    digest_sha256(octets, hash);
    kw_hex(KW_SPAN_ARRAY(hash), hex, sizeof(hex));
    (void)snprintf(text, 2 * KW_HASH_BYTES + 3, "\"%s\"", hex);
}

kw_status crl_doc_new(struct kw_op *op, struct kw_bytes **der, uint64_t number, uint64_t entries,
                      int64_t this_update, int64_t next_update, struct crl_doc **ret)
{
    AUTO(crl_doc) *doc = calloc(1, sizeof(*doc));

    ENSURE(op, doc, KW_E_MEMORY, "no memory for a CRL");
    atomic_init(&doc->refs, 1);
    doc->der = TAKE(*der);
    doc->number = number;
    doc->entries = entries;
    doc->this_update = this_update;
    doc->next_update = next_update;
    http_etag_text(kw_bytes_span(doc->der), doc->etag);
    http_date_text(this_update, doc->last_modified);
    http_date_text(next_update, doc->expires);
    *ret = TAKE(doc);
    return KW_OK;
}

struct crl_doc *crl_doc_ref(struct crl_doc *doc)
{
    if (doc) {
        atomic_fetch_add(&doc->refs, 1);
    }
    return doc;
}

void crl_doc_unref(struct crl_doc *doc)
{
    if (doc && atomic_fetch_sub(&doc->refs, 1) == 1) {
        kw_bytes_free(doc->der);
        free(doc);
    }
}

/* --- in the store ----------------------------------------------------------------------------- */

struct blob {
    char name[BLOB_NAME_MAX];
    uint64_t version;
    struct kw_span content;
};

static kw_status put_blob(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct blob *blob = ctx;

    return store_blob_put(op, txn, blob->name, blob->version, blob->content);
}

static kw_status save_pieces(struct kw_op *op, struct service *service, const char *name,
                             const struct crl_doc *doc, crl_doc_rest_fn rest, void *ctx)
{
    struct kw_span left = kw_bytes_span(doc->der);
    struct blob blob = {.version = doc->number};

    for (unsigned i = 0; left.len > 0; i++) {
        int64_t begun_ms = os_clock_mono_ms();
        blob.content = kw_span_sub(left, 0, PIECE);
        left = kw_span_sub(left, blob.content.len, left.len);
        (void)snprintf(blob.name, sizeof(blob.name), "crl:%s#%u", name, i);
        TRY(op, store_change(op, service->store, put_blob, &blob));
        if (rest && left.len > 0) {
            rest(ctx, os_clock_mono_ms() - begun_ms);
        }
    }
    return KW_OK;
}

static kw_status encode_head(const struct crl_doc *doc, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);
    uint8_t hash[KW_HASH_BYTES];

    digest_sha256(kw_bytes_span(doc->der), hash);
    kw_writer_put(&w, KW_SPAN_ARRAY(HEAD_MAGIC));
    kw_writer_u64(&w, doc->number);
    kw_writer_u64(&w, doc->entries);
    kw_writer_u64(&w, (uint64_t)doc->this_update);
    kw_writer_u64(&w, (uint64_t)doc->next_update);
    kw_writer_u64(&w, doc->der->len);
    kw_writer_put(&w, KW_SPAN_ARRAY(hash));
    return kw_writer_end(&w);
}

kw_status crl_doc_save(struct kw_op *op, struct service *service, const char *name,
                       const struct crl_doc *doc, crl_doc_rest_fn rest, void *ctx)
{
    uint8_t room[HEAD_MAX];
    struct kw_out head = KW_OUT_ARRAY(room);
    struct blob blob = {.version = doc->number, .content = kw_bytes_span(doc->der)};

    (void)snprintf(blob.name, sizeof(blob.name), "crl:%s", name);
    if (doc->der->len > PIECE) {
        TRY(op, save_pieces(op, service, name, doc, rest, ctx), "keeping CRL %s", name);
        TRY(op, encode_head(doc, &head));
        blob.content = kw_out_span(&head);
    }
    return store_change(op, service->store, put_blob, &blob);
}

struct head {
    uint64_t number, entries, this_update, next_update, len;
    uint8_t hash[KW_HASH_BYTES];
};

static bool decode_head(struct kw_span text, struct head *head)
{
    struct kw_reader r = kw_reader_of(text);
    uint8_t magic[sizeof(HEAD_MAGIC)];

    kw_reader_copy(&r, magic, sizeof(magic));
    head->number = kw_reader_u64(&r);
    head->entries = kw_reader_u64(&r);
    head->this_update = kw_reader_u64(&r);
    head->next_update = kw_reader_u64(&r);
    head->len = kw_reader_u64(&r);
    kw_reader_copy(&r, head->hash, sizeof(head->hash));
    return kw_ok(kw_reader_end(&r)) && memcmp(magic, HEAD_MAGIC, sizeof(magic)) == 0 &&
           head->len <= KW_CRL_MAX;
}

static kw_status load_pieces(struct kw_op *op, struct service *service, const char *name,
                             const struct head *head, struct crl_doc **ret)
{
    AUTO(kw_bytes) *der = NULL;
    char piece_name[BLOB_NAME_MAX];
    uint8_t hash[KW_HASH_BYTES];

    TRY(op, kw_bytes_new(head->len, &der));
    for (unsigned i = 0; der->len < head->len; i++) {
        AUTO(kw_bytes) *piece = NULL;
        uint64_t version = 0;
        (void)snprintf(piece_name, sizeof(piece_name), "crl:%s#%u", name, i);
        TRY(op, store_blob_get(op, service->store, piece_name, &version, &piece));
        ENSURE(op, piece->len > 0 && piece->len <= head->len - der->len, KW_E_NOT_FOUND,
               "CRL %s is not whole", name);
        TRY(op, kw_bytes_append(der, kw_bytes_span(piece)));
    }
    digest_sha256(kw_bytes_span(der), hash);
    ENSURE(op, memcmp(hash, head->hash, sizeof(hash)) == 0, KW_E_NOT_FOUND, "CRL %s is not whole",
           name);
    return crl_doc_new(op, &der, head->number, head->entries, (int64_t)head->this_update,
                       (int64_t)head->next_update, ret);
}

kw_status crl_doc_load(struct kw_op *op, struct service *service, const char *name,
                       struct crl_doc **ret)
{
    char blob_name[BLOB_NAME_MAX];
    uint64_t version = 0, number = 0;
    struct head head = {0};
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;

    (void)snprintf(blob_name, sizeof(blob_name), "crl:%s", name);
    TRY(op, store_blob_get(op, service->store, blob_name, &version, &der));
    if (decode_head(kw_bytes_span(der), &head)) {
        return load_pieces(op, service, name, &head, ret);
    }
    TRY(op, crl_parse(op, kw_bytes_span(der), &crl), "CRL %s", name);
    ENSURE(op, crl_number(crl, &number), KW_E_NOT_FOUND, "CRL %s has no number", name);
    return crl_doc_new(op, &der, number, crl_count(crl), crl_this_update(crl), crl_next_update(crl),
                       ret);
}
