/*
 * Accepting a loss: the keeper signed more of the log than anybody can bring back. A key never
 * signs a second history, so the old keys of the log are deactivated for ever and the log goes on
 * as a new line (service/log/lines.h) with a new key and origin. Its tree begins with the entries
 * that the store has; the first new one, "log.loss", names the old line's last signed head out of
 * the keeper's memory, the size at which the log goes on, who accepted and why.
 *
 * What was issued in the gap stays unknown, hence never good. What was revoked in the gap is not
 * known as revoked: only people can bring that back. CRL numbers go on above the keeper's last.
 */
#ifndef SERVICE_LOG_LOSS_H
#define SERVICE_LOG_LOSS_H

#include "model/approval.h"
#include "service/service.h"

struct loss {
    uint64_t have;                    /* entries that the store has: here it goes on */
    uint64_t lost_size;               /* of the old line's last signed head */
    uint8_t lost_root[KW_HASH_BYTES]; /* its root */
    int64_t since_ms, until_ms;       /* the gap: from the store's last entry until now */
    char old_origin[KW_NAME_MAX], new_origin[KW_NAME_MAX];
    char vkey[256]; /* verifier key of the new line */
};

struct loss_approval {
    kw_status (*ask)(struct kw_op *op, struct keeper *keeper,
                     const struct approval_subject *subject, void *ctx, uint64_t *ret_id);
    void *ctx;
};

/**
 * service: opened in a ceremony, nothing else under way. Where it was cut, doing it again goes on.
 *
 * approve: where a rule of the vault wants it (operation log-line); gets the signatures of people
 * who are there, and says which request has them. May be NULL.
 *
 * Errors  KW_E_APPROVAL others have to approve, and nobody asked them
 *         KW_E_CONFLICT nothing is missing; or a witness (store/seen.checkpoint) saw more than the
 *         keeper remembers: then the vault was put back too, and its counters are not to be
 *         trusted; or the new key would be in another vault than the old one; those of
 * log_confirm().
 */
kw_status log_accept_loss(struct kw_op *op, struct service *service, const char *why,
                          const struct loss_approval *approve, struct loss *ret);

#endif
