/*
 * The gap: the keeper signed, or a witness saw, more of the log than the store holds. The store was
 * put back to an older state (a backup), so it does not know what was issued and revoked since.
 * Until it does (service/log/replay.h) this server says "good" of nothing and changes nothing.
 */
#ifndef SERVICE_LOG_GAP_H
#define SERVICE_LOG_GAP_H

#include "audit/checkpoint.h"
#include "service/service.h"

/* Found out by log_confirm(). have: entries of the store, known: of the newest head that is known.
 */
void log_gap_begin(struct service *service, uint64_t have, uint64_t known);
/* One line for people; "" where there is no gap. */
const char *log_gap_text(const struct service *service, char *text, size_t cap);
/* KW_E_UNAVAILABLE "the store was put back …" while there is one. */
kw_status log_gap_refuse(struct kw_op *op, const struct service *service);
/**
 * A head that somebody else kept, in STATE/store/seen.checkpoint (optional): signed by the log's
 * keys. ret->size 0 where there is none. KW_E_DENIED it is not of this log; KW_E_INPUT.
 */
kw_status log_gap_seen(struct kw_op *op, struct service *service, struct checkpoint *ret);

#endif
