/* Escrowed secrets, and the data keys that they wrap, out of an unpacked backup into this server.
 */
#ifndef SERVICE_BACKUP_ESCROW_H
#define SERVICE_BACKUP_ESCROW_H

#include "service/service.h"

enum escrow_fate {
    ESCROW_BROUGHT,   /* it is in its vault now */
    ESCROW_KNOWN,     /* the vault has it, or had it before it was destroyed */
    ESCROW_DESTROYED, /* the log tells of its destruction */
    ESCROW_FATE_MAX
};
const char *escrow_fate_text(enum escrow_fate fate);

/**
 * Bring every secret of the backup (unpacked in dir) back that neither vault nor log has seen
 * destroyed, then the data keys that this store does not have. For a ceremony; logged, under a
 * signed head. recovery: the private half of the recovery key. each: told of each key.
 * Errors: KW_E_UNAVAILABLE the log has a gap: what it does not know may have been destroyed; those
 * of keeper_key_import(). May be done again.
 */
kw_status escrow_bring(struct kw_op *op, struct service *service, const char *dir,
                       const struct kw_secret *recovery,
                       void (*each)(void *ctx, const char *key_id, enum escrow_fate fate),
                       void *ctx, unsigned *ret_data_keys);

#endif
