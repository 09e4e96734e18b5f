/* The registry of devices: who exists, and the one-time secrets that their first enrolment needs.
 */
#ifndef SERVICE_REGISTRATION_DEVICE_H
#define SERVICE_REGISTRATION_DEVICE_H

#include "model/device_event.h"
#include "model/heartbeat.h"
#include "model/receipt.h"
#include "service/service.h"

enum { DEVICE_SECRET_TEXT = 40, DEVICE_SECRET_TRIES = 10 };

struct device_request {
    const char *id; /* letters, digits, '-', '_', '.', ':'; 1..64 */
    const char *product;
    const char *serial;    /* NULL: the id */
    const char *hw_type;   /* NULL: the configured default OID */
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

struct device_hello {
    char agent[KW_NAME_MAX];
    char root_of_trust[KW_NAME_MAX];
    bool simulated;
    char firmware[FIRMWARE_MAX]; /* "" = it does not say; then what it said before stays */
    char certificate[80]; /* fingerprint hex of the certificate that the device considers current */
    struct heartbeat beat; /* counter 0 = it sends none */
    struct device_log_said events;
};
enum { DEVICE_ACTIONS_MAX = 8, DEVICE_ACTION_MAX = 24 };
struct device_welcome {
    bool renew;         /* now: a plan of revocation wants its certificate replaced first */
    unsigned n_actions; /* what else to do now; a device passes over words that it does not know */
    char actions[DEVICE_ACTIONS_MAX][DEVICE_ACTION_MAX];
    uint64_t events_from; /* the event that is wanted next; 0 = none is missing */
};
/* Record that a device is alive (not a log entry each time: the first one and changes are).
 * cert: the one that it came with. */
kw_status device_seen(struct kw_op *op, struct service *service, const char *id,
                      const struct cert *cert, const struct device_hello *hello,
                      struct device_welcome *ret);

/**
 * Take a signed receipt of destruction: the signature must verify with that key, and the key must
 * be the device's. Its certificates are revoked (cessationOfOperation) and its record goes to
 * destroyed in one change.
 */
kw_status device_take_receipt(struct kw_op *op, struct service *service, const char *id,
                              const struct device_receipt *receipt);

#endif
