/* Secrets at rest: passwords, tokens, keys of an application. */
#ifndef KEYWRIGHT_SEAL_H
#define KEYWRIGHT_SEAL_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/* Octets that sealing adds. */
#define KEYWRIGHT_SEAL_OVERHEAD 68

/**
 * Seal octets of any size so that only this device opens them: AES-256-GCM under a key that the
 * root of trust keeps. Survives updates of the firmware and renewals of the identity; dies with a
 * wipe.
 *
 * name        what it is ("wifi-password"): to be given again, so that one sealed thing is not
 *             taken for another
 * sealed_len  in room, out length: len + KEYWRIGHT_SEAL_OVERHEAD
 *
 * Errors  BAD_INPUT, or a root of trust that cannot seal; NO_IDENTITY after a wipe; STORAGE
 */
KEYWRIGHT_API enum keywright_result keywright_seal(struct keywright *kw, const char *name,
                                                   const void *data, size_t len, void *sealed,
                                                   size_t *sealed_len);
/**
 * What was sealed here under this name. It is the caller's to overwrite after use.
 *
 * data_len  in room, out length
 *
 * Errors  LOST altered, of another name or device, or sealed before a wipe; BAD_INPUT too little
 *         room; NO_IDENTITY; UNAVAILABLE root of trust busy
 */
KEYWRIGHT_API enum keywright_result keywright_unseal(struct keywright *kw, const char *name,
                                                     const void *sealed, size_t sealed_len,
                                                     void *data, size_t *data_len);

KEYWRIGHT_C_END

#endif
