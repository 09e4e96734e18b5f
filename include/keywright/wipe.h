/* How an identity ends. */
#ifndef KEYWRIGHT_WIPE_H
#define KEYWRIGHT_WIPE_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/**
 * Destroy all keys and forget the identity: journalled, resumable, each key read back as gone, a
 * receipt signed by each key as its last act and delivered to the server. Without a line the wipe
 * is done all the same and the receipts wait in state_dir (UNAVAILABLE); a further call delivers
 * them.
 *
 * Errors  UNAVAILABLE no line: wiped, receipts to be delivered; or the root of trust is absent or
 *         busy, and the next call goes on; NOT_TRUSTED the server: the same; STORAGE
 * Blocks  up to timeout_ms
 */
KEYWRIGHT_API enum keywright_result keywright_wipe(struct keywright *kw);

KEYWRIGHT_C_END

#endif
