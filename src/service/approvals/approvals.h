/*
 * Two-person control as the server sees it: it asks the keeper for a request, carries people's
 * signatures there, and runs the operation when the last one is in. What it cannot do is decide:
 * the keeper verifies everything again, and uses each approval once.
 */
#ifndef SERVICE_APPROVALS_APPROVALS_H
#define SERVICE_APPROVALS_APPROVALS_H

#include "service/service.h"

/* A request's number at the server: its id in its vault, and the vault's place times this. So
 * requests of the first vault have their own ids. */
enum { APPROVAL_MISSING_TEXT = 400, APPROVAL_VAULT_STEP = 1000000 };
static inline uint64_t approval_local(uint64_t number)
{
    return number % APPROVAL_VAULT_STEP;
}

/**
 * Ask for approval of an operation that the keeper refused with KW_E_APPROVAL. The requester is the
 * operator of op->principal. args: what the executor of this operation needs besides the subject
 * (executors.c); kept with the request. The request still needs the requester's signature.
 * Errors: KW_E_DENIED the operator is not enrolled; KW_E_STATE too few people; KW_E_LIMIT.
 */
kw_status approval_ask(struct kw_op *op, struct service *service,
                       const struct approval_subject *subject, struct kw_span args,
                       struct keeper_approval *ret);
/* The same in a given vault, for what has no key. */
kw_status approval_ask_in(struct kw_op *op, struct service *service, struct keeper *keeper,
                          const struct approval_subject *subject, struct kw_span args,
                          struct keeper_approval *ret);
/* One request; with `next` the first whose id is not below. KW_E_NOT_FOUND. */
kw_status approval_get(struct kw_op *op, struct service *service, uint64_t id, bool next,
                       struct keeper_approval *ret);
/**
 * Hand a signature to the keeper; the one that completes the request runs the operation. ret: the
 * request after that. Errors: those of keeper_approval_sign(); of the operation, with "approved,
 * but" before them: then approval_run() tries again where it was not used up.
 */
kw_status approval_hand_in(struct kw_op *op, struct service *service, uint64_t id,
                           enum approval_verdict verdict, const char *name,
                           struct kw_span signature, struct keeper_approval *ret);
/* Run an approved operation that was not run yet (the server ended in between, or it failed).
 * KW_E_APPROVAL approvals are missing; KW_E_STATE it has ended; those of the operation. */
kw_status approval_run(struct kw_op *op, struct service *service, uint64_t id,
                       struct keeper_approval *ret);
/* Record what expired, and, at a start, run everything that is approved and was not run. What fails
 * is told to the journal, and `approval_run()` tries it again; the others go on. Errors: the keeper
 * was not to be asked. */
kw_status approval_sweep(struct kw_op *op, struct service *service, bool run);

/* Is it approved, so that it may be run? */
bool approval_ready(const struct keeper_approval *approval);
/* Who could still approve it: "bob, carol"; "" where enough have, or it has ended. */
void approval_missing(const struct keeper_approval *approval, const struct roster *roster,
                      char text[APPROVAL_MISSING_TEXT]);

/* What runs an operation once it is approved: exactly as its subject says. */
typedef kw_status (*approval_executor)(struct kw_op *op, struct service *service,
                                       const struct keeper_approval *approval, struct kw_span args);
/* NULL where the operation is run by another program (vault shares: `keywright vault`). */
approval_executor approval_executor_of(enum approval_op op);

#endif
