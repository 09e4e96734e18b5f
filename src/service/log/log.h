/* The log in the store: gives each entry its place in the Merkle tree within its change's
 * transaction, and signs heads. */
#ifndef SERVICE_LOG_LOG_H
#define SERVICE_LOG_LOG_H

#include "audit/checkpoint.h"
#include "audit/tlog.h"
#include "service/service.h"

/* Made before the store is opened (its hooks go into store_config), bound to it after. */
kw_status log_new(struct kw_op *op, struct log_sequencer **ret);
void log_hooks(struct log_sequencer *log, struct store_config *config);
/* Load the tree's edge from the store and check it against the last checkpoint. KW_E_INTEGRITY
 * where the store is behind it. */
kw_status log_bind(struct kw_op *op, struct log_sequencer *log, struct service *service);
/**
 * Have the keeper confirm the present head. It remembers the last one that it signed, so a store
 * that was put back to an older state (a restored backup) is found here, as is one that is behind
 * STATE/store/seen.checkpoint: then the gap is open (service/log/gap.h). KW_E_INTEGRITY: the store
 * holds another log than the one that was signed, and the server must not start.
 */
kw_status log_confirm(struct kw_op *op, struct service *service);
/* Sign checkpoints whenever the tree grew, at most every checkpoint_ms. */
kw_status log_start(struct kw_op *op, struct log_sequencer *log);
void log_stop(struct log_sequencer *log);
void log_free(struct log_sequencer *log);

/* Wait until more than `size` entries are committed, or until then (monotonic clock). Are there?
 * Holds its thread: whoever calls it bounds how many do. */
bool log_wait(struct service *service, uint64_t size, int64_t until_mono_ms);
/* The server stops: nobody waits in log_wait() any longer. */
void log_hurry(struct service *service);
/* The committed tree's head, signed or not. */
struct checkpoint log_head_now(struct service *service);
/* Sign the present head now, if it is not yet. */
kw_status log_checkpoint_now(struct kw_op *op, struct service *service);
/* The newest signed checkpoint (a note). KW_E_NOT_FOUND before the first. */
kw_status log_checkpoint(struct kw_op *op, struct service *service, struct kw_bytes **ret);
/* The last one that this store has of a line that was ended (lines.h). KW_E_NOT_FOUND. */
kw_status log_checkpoint_of(struct kw_op *op, struct service *service, unsigned line,
                            struct kw_bytes **ret);
/* Part of the change that ends a line: its last note stays. */
kw_status log_checkpoint_archive(struct kw_op *op, struct store_txn *txn, unsigned line,
                                 struct kw_span note);
/* Does this key sign heads? Where not, read again which keys do (a rotation): a new one is
 * announced by the one before it. */
kw_status log_takes_key(struct kw_op *op, struct service *service, const char *key_id);
/* A tile by its C2SP path ("tile/0/x001/067.p/12"). Entry bundles too (level -1). Only what a
 * signed checkpoint covers. */
kw_status log_tile(struct kw_op *op, struct service *service, const char *path,
                   struct kw_bytes **ret);
/* Inclusion proof of an entry under the newest checkpoint, and that checkpoint as a note. */
kw_status log_prove(struct kw_op *op, struct service *service, uint64_t index,
                    struct checkpoint *ret_head, struct kw_bytes **ret_note,
                    struct kw_bytes **ret_entry, struct tlog_hash *proof, unsigned *ret_n);

#endif
