/* The end of a backup: proof that the server's log speaks of this file. Needs no key to verify but
 * the log's. */
#ifndef SERVICE_BACKUP_TRAILER_H
#define SERVICE_BACKUP_TRAILER_H

#include "audit/checkpoint.h"
#include "service/backup/archive.h"
#include "service/service.h"

/* "archive sha256 HEX, octets N, keys A B C": what the event of a backup says. */
void trailer_detail(const uint8_t hash[KW_HASH_BYTES], uint64_t size, const char *keys,
                    char *detail, size_t cap);
/* The trailer for the entry of this index, from the log as it is now. */
kw_status trailer_make(struct kw_op *op, struct service *service, uint64_t index,
                       struct kw_bytes **ret);
/**
 * Does the log speak of exactly this file? vkey: the log's first key, or NULL for the one in the
 * trailer itself (proves that nothing was altered, not who made it). ret: the head that covers it;
 * vkey_used has CHECKPOINT_VKEY_MAX. KW_E_INTEGRITY; KW_E_DENIED signature.
 */
kw_status trailer_verify(struct kw_op *op, const struct archive_outer *outer, const char *vkey,
                         struct checkpoint *ret, char *vkey_used);

#endif
