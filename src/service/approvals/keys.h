/* What operators do to keys, where it needs approval: asked for, and run when it is approved. */
#ifndef SERVICE_APPROVALS_KEYS_H
#define SERVICE_APPROVALS_KEYS_H

#include "service/approvals/approvals.h"
#include "service/keys/verbs.h"

/* After key_do() or key_create() gave KW_E_APPROVAL. Errors: those of approval_ask(). */
kw_status approval_ask_key(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct keeper_approval *ret);
kw_status approval_ask_birth(struct kw_op *op, struct service *service,
                             const struct key_policy *policy, struct keeper_approval *ret);

/* Their executors. */
kw_status key_wish_execute(struct kw_op *op, struct service *service,
                           const struct keeper_approval *approval, struct kw_span args);
kw_status key_birth_execute(struct kw_op *op, struct service *service,
                            const struct keeper_approval *approval, struct kw_span args);

#endif
