/*
 * Rotation: a successor in the keeper, under the predecessor's sealed policy, and whatever its
 * class needs to be in use: a certificate, an announcement. Without a restart, and without a
 * refused client: old and new are both good during the overlap.
 */
#ifndef SERVICE_KEYS_ROTATE_H
#define SERVICE_KEYS_ROTATE_H

#include "service/authorities.h"

/**
 * Rotate a key now. A rotation that was cut is taken up where it ended. For a CA this makes the key
 * only: its certificate is the root's business (ca_request(), ca_install()).
 * approval_id: 0, or the approval that the vault's rules want.
 * ret: the new key. Errors: KW_E_STATE it cannot be rotated; KW_E_CONFLICT it was; KW_E_APPROVAL,
 * KW_E_DENIED; those of issuing.
 */
kw_status key_rotate(struct kw_op *op, struct service *service, const char *key_id,
                     uint64_t approval_id, struct keeper_key_info *ret);
/**
 * What time asks for: keys that are two thirds through their period are rotated (the server's own:
 * OCSP, TLS, log), new keys get their certificates, certificates that are two thirds through theirs
 * are renewed. Each whatever becomes of the others; the first failure is returned. Idempotent.
 */
kw_status keys_settle(struct kw_op *op, struct service *service, int64_t now_s);

#endif
