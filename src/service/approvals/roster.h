/* Who approves what: changed by asking, like everything else that needs approval. */
#ifndef SERVICE_APPROVALS_ROSTER_H
#define SERVICE_APPROVALS_ROSTER_H

#include "service/approvals/approvals.h"

/* SHA-256 of the person's SubjectPublicKeyInfo. */
void roster_key_hash(const struct approver *who, uint8_t ret[KW_HASH_BYTES]);
/* keeper: of which vault; each has its own people and rules. All of these: KW_E_APPROVAL in the
 * usual case, then *ret is the request that was opened; KW_OK where no approval was needed (a
 * ceremony). */
kw_status roster_enroll(struct kw_op *op, struct service *service, struct keeper *keeper,
                        const char *name, uint32_t roles, struct kw_span spki,
                        struct keeper_approval *ret);
/* KW_E_NOT_FOUND. */
kw_status roster_dismiss(struct kw_op *op, struct service *service, struct keeper *keeper,
                         const char *name, struct keeper_approval *ret);
/* Add or replace the rule for this operation and class. */
kw_status roster_set_rule(struct kw_op *op, struct service *service, struct keeper *keeper,
                          const struct approval_rule *rule, struct keeper_approval *ret);

/* Its executor; args: the encoded roster. */
kw_status roster_execute(struct kw_op *op, struct service *service,
                         const struct keeper_approval *approval, struct kw_span args);

#endif
