/* Between the files of the replay. */
#ifndef SERVICE_LOG_REPLAY_INTERNAL_H
#define SERVICE_LOG_REPLAY_INTERNAL_H

#include "service/log/replay.h"

struct replaying {
    struct service *service;
    struct replay_result result; /* counted by this run of the change */
};
/* Do to the store what this event says was done; nothing where it says nothing of that, or that it
 * failed. KW_E_INTEGRITY it does not say what every such event says. */
kw_status replay_effect(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                        const struct event *event);

#endif
