/* The registry of devices: who exists, and the one-time secrets that their first enrolment needs.
 */
#ifndef SERVICE_REGISTRATION_DEVICE_H
#define SERVICE_REGISTRATION_DEVICE_H

#include "service/service.h"

/* The OID for hardwareModuleName where a product names none of its own: the arc for examples of RFC
 * 5612. */
#define DEVICE_HW_TYPE "1.3.6.1.4.1.32473.1"
enum { DEVICE_SECRET_TEXT = 40, DEVICE_SECRET_TRIES = 10 };

struct device_request {
    const char *id; /* letters, digits, '-', '_', '.', ':'; 1..64 */
    const char *product;
    const char *serial;    /* NULL: the id */
    const char *hw_type;   /* NULL: DEVICE_HW_TYPE */
    const char *batch;     /* NULL: none */
    uint32_t secret_hours; /* 0 = 168 */
    bool cmp;              /* the secret is for MACs of CMP too: secret_make_known() */
};
/* May a device, product or station be called so? KW_E_INPUT. */
kw_status device_check_name(struct kw_op *op, const char *what, const char *text);
/* Register and hand out a registration secret (144 random bits, base64url); it is stored only as a
 * hash and told only here. */
kw_status device_register(struct kw_op *op, struct service *service,
                          const struct device_request *request, char secret[DEVICE_SECRET_TEXT]);
/* For registering many in one change: what the record would be, without a secret (KW_E_INPUT), and
 * its way into the store. A change may go on after device_put() failed: nothing is left of it. */
kw_status device_describe(struct kw_op *op, const struct device_request *request,
                          struct store_device *ret);
kw_status device_put(struct kw_op *op, struct service *service, struct store_txn *txn,
                     const struct store_device *device);
/* A new secret for a device that has no certificate yet or lost its identity; the old one ends.
 * cmp: as in struct device_request. KW_E_STATE retired. */
kw_status device_new_secret(struct kw_op *op, struct service *service, const char *id,
                            uint32_t hours, bool cmp, char secret[DEVICE_SECRET_TEXT]);
/* End all trust in a device for ever: state retired, all its certificates revoked with this reason.
 */
kw_status device_retire(struct kw_op *op, struct service *service, const char *id, int reason);

/* Let a device enrol anew that was barred from it by a revocation (authority_bar_device()).
 * KW_E_STATE it is not barred, or retired; KW_E_INPUT no reason. */
kw_status device_readmit(struct kw_op *op, struct service *service, const char *id,
                         const char *reason);

#endif
