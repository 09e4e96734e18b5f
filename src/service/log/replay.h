/*
 * Replaying what the log knows into a store that was put back to an older state. The entries come
 * from an export whose head the log's own keys signed and that extends what the store holds, and
 * are appended octet by octet: afterwards the tree is the one that the keeper signed, no fork.
 *
 * What an entry says is done again: revocations, retirements, destroyed and blocked keys,
 * registrations, the numbers of CRLs. What it does not say stays unknown: of a certificate that was
 * issued meanwhile serial number, owner, key and hash are recorded, without its octets, and it is
 * put on hold. The registration secret of a device that used one meanwhile is closed.
 */
#ifndef SERVICE_LOG_REPLAY_H
#define SERVICE_LOG_REPLAY_H

#include "service/service.h"

struct replay_result {
    uint64_t entries; /* appended */
    unsigned held, revoked, devices, retired, destroyed;
    uint64_t blocked; /* keys that were not on a block list */
    bool whole;       /* the keeper signed nothing beyond what there is now */
};

/**
 * service: opened, in a gap or not, with no other work under way (not started). Durable in batches;
 * what was cut is continued by the next one.
 *
 * Errors  KW_E_INTEGRITY the export does not verify, or is of another log than the store's, or the
 *         keeper signed another one; KW_E_DENIED it is signed by a key that is not the log's;
 *         KW_E_CONFLICT it holds nothing that the store lacks.
 */
kw_status log_replay(struct kw_op *op, struct service *service, const char *dir,
                     struct replay_result *ret);

#endif
