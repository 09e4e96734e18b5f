/* The log as it is read: checkpoints, tiles, proofs. */
#include "service/log/read.h"

#include <stdio.h>

#include "service/log/log.h"

enum { ENTRIES_LEVEL = -1 };

/* --- tiles from the store --------------------------------------------------------------------- */

static kw_status read_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           unsigned width, struct tlog_hash *ret)
{
    struct service *service = ctx;
    AUTO(kw_bytes) *tile = NULL;

    TRY(op, store_log_tile_get(op, service->store, level, index, &tile), "tile %u/%llu", level,
        (unsigned long long)index);
    ENSURE(op, tile->len >= width * sizeof(*ret), KW_E_INTEGRITY, "tile %u/%llu is cut short",
           level, (unsigned long long)index);
    memcpy(ret, tile->p, width * sizeof(*ret));
    return KW_OK;
}

struct tlog_reader log_store_reader(struct service *service)
{
    return (struct tlog_reader){.read = read_tile, .ctx = service};
}

/* --- what is asked for ------------------------------------------------------------------------ */

kw_status log_checkpoint(struct kw_op *op, struct service *service, struct kw_bytes **ret)
{
    uint64_t version = 0;

    TRY(op, store_blob_get(op, service->store, LOG_CHECKPOINT_BLOB, &version, ret), "checkpoint");
    return KW_OK;
}

/* The blob of a line that was ended; the present line's is LOG_CHECKPOINT_BLOB. */
static void old_checkpoint_blob(unsigned line, char ret[32])
{
    (void)snprintf(ret, 32, "%s.%u", LOG_CHECKPOINT_BLOB, line);
}

kw_status log_checkpoint_archive(struct kw_op *op, struct store_txn *txn, unsigned line,
                                 struct kw_span note)
{
    char name[32];

    old_checkpoint_blob(line, name);
    return store_blob_put(op, txn, name, line, note);
}

kw_status log_checkpoint_of(struct kw_op *op, struct service *service, unsigned line,
                            struct kw_bytes **ret)
{
    uint64_t version = 0;
    char name[32];

    old_checkpoint_blob(line, name);
    return store_blob_get(op, service->store, name, &version, ret);
}

static kw_status add_to_bundle(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    uint8_t length[2] = {(uint8_t)(entry.len >> 8), (uint8_t)entry.len};

    (void)index; /* the store gives them in order */
    TRY(op, kw_bytes_append(ctx, KW_SPAN_ARRAY(length)));
    return kw_bytes_append(ctx, entry);
}

static kw_status entry_bundle(struct kw_op *op, struct service *service, uint64_t index,
                              unsigned width, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bundle = NULL;

    TRY(op, kw_bytes_new(width * 512, &bundle));
    TRY(op,
        store_log_each(op, service->store, index * TLOG_TILE_WIDTH, width, add_to_bundle, bundle));
    *ret = TAKE(bundle);
    return KW_OK;
}

static kw_status hash_tile(struct kw_op *op, struct service *service, unsigned level,
                           uint64_t index, unsigned width, struct kw_bytes **ret)
{
    struct tlog_hash hashes[TLOG_TILE_WIDTH];

    TRY(op, read_tile(op, service, level, index, width, hashes));
    return kw_bytes_copy(KW_SPAN(hashes, width * sizeof(*hashes)), ret);
}

kw_status log_tile(struct kw_op *op, struct service *service, const char *path,
                   struct kw_bytes **ret)
{
    int level = 0;
    uint64_t index = 0;
    unsigned width = 0;

    ENSURE(op, kw_ok(tlog_tile_parse(path, &level, &index, &width)), KW_E_NOT_FOUND, "no tile '%s'",
           path);
    uint64_t size = log_head_signed(service).size;
    uint64_t hashes = level == ENTRIES_LEVEL ? size : size >> (8 * level);
    ENSURE(op, index <= hashes / TLOG_TILE_WIDTH && index * TLOG_TILE_WIDTH + width <= hashes,
           KW_E_NOT_FOUND, "tile '%s' is beyond the signed head", path);
    return level == ENTRIES_LEVEL ? entry_bundle(op, service, index, width, ret)
                                  : hash_tile(op, service, (unsigned)level, index, width, ret);
}

static kw_status copy_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    (void)op;
    (void)index;
    return kw_bytes_copy(entry, ctx);
}

kw_status log_prove(struct kw_op *op, struct service *service, uint64_t index,
                    struct checkpoint *ret_head, struct kw_bytes **ret_note,
                    struct kw_bytes **ret_entry, struct tlog_hash *proof, unsigned *ret_n)
{
    struct tlog_reader reader = log_store_reader(service);
    struct checkpoint head;
    AUTO(kw_bytes) *note = NULL;
    AUTO(kw_bytes) *entry = NULL;

    TRY(op, log_checkpoint_now(op, service));
    TRY(op, log_checkpoint(op, service, &note)); /* what is proven is under exactly this head */
    TRY(op, checkpoint_parse(op, kw_bytes_span(note), &head), "the newest checkpoint");
    ENSURE(op, index < head.size, KW_E_NOT_FOUND,
           "the log has %llu entries, there is no entry %llu", (unsigned long long)head.size,
           (unsigned long long)index);
    TRY(op, store_log_each(op, service->store, index, 1, copy_entry, &entry));
    ENSURE(op, entry, KW_E_INTEGRITY, "entry %llu is missing", (unsigned long long)index);
    TRY(op, tlog_inclusion(op, &reader, head.size, index, proof, ret_n));
    *ret_head = head;
    *ret_note = TAKE(note);
    *ret_entry = TAKE(entry);
    return KW_OK;
}
