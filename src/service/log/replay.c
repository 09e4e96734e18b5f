#include "service/log/replay_internal.h"

#include "audit/export.h"
#include "os/clock.h"
#include "service/event_text.h"
#include "service/log/keys.h"
#include "service/log/log.h"

enum { BATCH = 128, BATCH_DEADLINE_MS = 60000 };

/* One change of the store: some entries and their effects. */
struct batch {
    struct replaying it;
    struct replay_result before; /* counted until then */
    unsigned n;
    struct kw_bytes *entries[BATCH];
};

static void batch_empty(struct batch *batch)
{
    for (unsigned i = 0; i < batch->n; i++) {
        kw_bytes_free(batch->entries[i]);
    }
    batch->n = 0;
}

static kw_status apply(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                       struct kw_span entry)
{
    struct event event;

    TRY(op, event_decode(op, entry, &event));
    TRY(op, replay_effect(op, txn, it, &event));
    it->result.entries++;
    return store_log_append(op, txn, entry);
}

static kw_status apply_all(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct batch *batch = ctx;

    batch->it.result = batch->before; /* the change may be run again */
    for (unsigned i = 0; i < batch->n; i++) {
        TRY(op, apply(op, txn, &batch->it, kw_bytes_span(batch->entries[i])), "entry %llu",
            (unsigned long long)(batch->before.entries + i));
    }
    return KW_OK;
}

static kw_status flush(struct kw_op *op, struct batch *batch)
{
    if (batch->n == 0) {
        return KW_OK;
    }
    op->deadline_ms = os_clock_mono_ms() + BATCH_DEADLINE_MS;
    TRY(op, store_change(op, batch->it.service->store, apply_all, batch));
    batch->before = batch->it.result;
    batch_empty(batch);
    return KW_OK;
}

static kw_status take(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct batch *batch = ctx;

    (void)index;
    TRY(op, kw_bytes_copy(entry, &batch->entries[batch->n]));
    batch->n++;
    return batch->n == BATCH ? flush(op, batch) : KW_OK;
}

/* Is it ours, and more of it? */
static kw_status check(struct kw_op *op, struct service *service, const char *dir,
                       struct checkpoint *ret_now, struct checkpoint *ret_head)
{
    char folder[KW_PATH_BYTES];
    struct tlog_reader reader = {.read = export_tile_read, .ctx = folder};
    struct tlog_hash proof[TLOG_PROOF_MAX];
    struct export_result verified;
    char vkey[CHECKPOINT_VKEY_MAX];
    unsigned n = 0;

    ENSURE(op, KW_TEXT_SET(folder, dir), KW_E_INPUT, "the path is too long");
    TRY(op, log_vkey(op, service, vkey, sizeof(vkey)));
    TRY(op, export_verify(op, dir, vkey, &verified), "%s", dir);
    *ret_now = log_head_now(service);
    *ret_head = verified.head;
    ENSURE(op, strcmp(verified.head.origin, service->config.log_origin) == 0, KW_E_INTEGRITY,
           "%s holds the log of '%s'", dir, verified.head.origin);
    ENSURE(op, verified.head.size > ret_now->size, KW_E_CONFLICT,
           "%s has %llu entries, the store has %llu: nothing to replay", dir,
           (unsigned long long)verified.head.size, (unsigned long long)ret_now->size);
    if (ret_now->size == 0) {
        return KW_OK;
    }
    TRY(op, tlog_consistency(op, &reader, ret_now->size, verified.head.size, proof, &n));
    TRY(op,
        tlog_consistency_verify(ret_now->size, &ret_now->root, verified.head.size,
                                &verified.head.root, proof, n),
        "%s does not go on where the store ends", dir);
    return KW_OK;
}

static kw_status run(struct kw_op *op, const char *dir, const struct checkpoint *now,
                     const struct checkpoint *head, struct batch *batch)
{
    kw_status status = export_entries_each(op, dir, now->size, head->size, take, batch);

    if (kw_ok(status)) {
        status = flush(op, batch);
    }
    batch_empty(batch);
    return status;
}

kw_status log_replay(struct kw_op *op, struct service *service, const char *dir,
                     struct replay_result *ret)
{
    struct batch batch = {.it = {.service = service}};
    struct checkpoint now, head;

    TRY(op, check(op, service, dir, &now, &head));
    atomic_store(&service->gap.open, false); /* what is appended now is what was signed */
    TRY(op, run(op, dir, &now, &head, &batch), "replaying %s", dir);
    op->deadline_ms = os_clock_mono_ms() + BATCH_DEADLINE_MS;
    TRY(op, log_confirm(op, service), "confirming the log");
    *ret = batch.before;
    ret->whole = !atomic_load(&service->gap.open);
    return KW_OK;
}
