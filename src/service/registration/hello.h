/* Signs of life: what a device says of itself, and what it is told then. */
#ifndef SERVICE_REGISTRATION_HELLO_H
#define SERVICE_REGISTRATION_HELLO_H

#include "model/device_event.h"
#include "model/firmware.h"
#include "model/heartbeat.h"
#include "service/service.h"

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

#endif
