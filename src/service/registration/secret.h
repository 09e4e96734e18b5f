/* One-time registration secrets. */
#ifndef SERVICE_REGISTRATION_SECRET_H
#define SERVICE_REGISTRATION_SECRET_H

#include "service/registration/device.h"

/* Make one: the text for the device, its hash and end for the record. */
kw_status secret_make(struct kw_op *op, int64_t now_ms, uint32_t hours,
                      char text[DEVICE_SECRET_TEXT], struct store_device *device);
/**
 * Is it right, in time, and unused (or used by this very request)?
 * Errors: KW_E_AUTH wrong; KW_E_EXPIRED; KW_E_STATE used, or none was given out.
 */
kw_status secret_check(struct kw_op *op, const struct store_device *device, const char *text,
                       int64_t now_ms, const uint8_t csr[KW_HASH_BYTES]);
/* The same; the first DEVICE_SECRET_TRIES wrong ones are counted and recorded. */
kw_status secret_try(struct kw_op *op, struct service *service, const struct store_device *device,
                     const char *text, int64_t now_ms, const uint8_t csr[KW_HASH_BYTES]);

/* The master key whose line makes secrets that can be known again, and its label. */
#define SECRET_KEY "registration"
#define SECRET_LABEL "registration-secret"

/**
 * Make one that the server can find out again, for protocols that prove it by a MAC (CMP). It is
 * derived from a master key of the keeper, from the device's id and the secret's end, and like any
 * other stored only as a hash. device: with its id. KW_E_NOT_FOUND the keeper has no such key.
 */
kw_status secret_make_known(struct kw_op *op, struct service *service, int64_t now_ms,
                            uint32_t hours, char text[DEVICE_SECRET_TEXT],
                            struct store_device *device);
/* That secret again. KW_E_NOT_FOUND: it was made otherwise, or there is none; those of the keeper.
 */
kw_status secret_recall(struct kw_op *op, struct service *service,
                        const struct store_device *device, struct kw_secret **ret);

#endif
