/* Receipts of destruction: a device says, with the key itself, that the key is no more. */
#ifndef SERVICE_REGISTRATION_RECEIPT_H
#define SERVICE_REGISTRATION_RECEIPT_H

#include "model/receipt.h"
#include "service/service.h"

/**
 * Take a signed receipt of destruction: the signature must verify with that key, and the key must
 * be the device's. Its certificates are revoked (cessationOfOperation) and its record goes to
 * destroyed in one change.
 */
kw_status device_take_receipt(struct kw_op *op, struct service *service, const char *id,
                              const struct device_receipt *receipt);

#endif
