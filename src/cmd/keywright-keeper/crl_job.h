/* A revocation list on its way to a signature: read and hashed in slices, so that others need not
 * wait. */
#ifndef KEEPER_CMD_CRL_JOB_H
#define KEEPER_CMD_CRL_JOB_H

#include "cmd/keywright-keeper/crl_numbers.h"
#include "cmd/keywright-keeper/server.h"
#include "keeper/memfd.h"

struct crl_job;

/**
 * Begin with a list for a CA's key; tbs is borrowed until crl_job_free(), or lies in *map, which is
 * taken over (map may be NULL). The request's message is copied as far as it is needed.
 */
kw_status crl_job_new(struct kw_op *op, const struct keeper_key *ca, struct kw_span tbs,
                      struct memfd_map *map, const struct request *request, struct crl_job **ret);
void crl_job_free(struct crl_job *job);
KW_OWNED(crl_job, struct crl_job, crl_job_free)

/* Read on until this time of os_clock_mono_ns(). *ret_more: it is not at its end. KW_E_INPUT the
 * list is not of the form that is signed. */
kw_status crl_job_read(struct kw_op *op, struct crl_job *job, int64_t until_ns, bool *ret_more);
/* Check what was read, as things stand now, and sign it; the answer is in the request that
 * crl_job_request() gives. */
kw_status crl_job_sign(struct kw_op *op, struct crl_job *job, struct server *server);
struct request *crl_job_request(struct crl_job *job);

/* It is signed and about to leave: its number, durable, for this key. Nothing may leave after a
 * failure. */
kw_status crl_remember(struct kw_op *op, struct server *server, struct key_record *record,
                       const struct crl_claim *claim);

#endif
