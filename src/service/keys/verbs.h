/* What operators do to the keeper's keys. Each is done by the keeper, which decides; here it is
 * recorded, and what follows from it is done. */
#ifndef SERVICE_KEYS_VERBS_H
#define SERVICE_KEYS_VERBS_H

#include "model/approval.h"
#include "service/service.h"

enum key_verb {
    KEY_VERB_ACTIVATE = 0, /* also: resume */
    KEY_VERB_SUSPEND,
    KEY_VERB_DEACTIVATE,
    KEY_VERB_REVOKE, /* compromised, for ever; its certificates are revoked, a successor is made
                        where the server needs one */
    KEY_VERB_ROTATE,
    KEY_VERB_ARCHIVE, /* the record is kept, the private part destroyed */
    KEY_VERB_DESTROY,
    KEY_VERB_MAX
};
const char *key_verb_text(enum key_verb verb);
/* KEY_VERB_MAX where unknown. */
enum key_verb key_verb_from_text(const char *text);

struct key_wish {
    enum key_verb verb;
    char key_id[KW_NAME_MAX];
    char reason[KEEPER_REASON_MAX];
    uint64_t approval_id; /* 0: none */
};

/**
 * Do it. ret: the key afterwards; of a rotation the new one; of a destruction only id and state.
 * Errors: KW_E_INPUT no reason given where the verb wants one; KW_E_STATE, KW_E_CONFLICT,
 * KW_E_DENIED, KW_E_APPROVAL (then key_wish_subject() says what is to be approved),
 * KW_E_NOT_FOUND; KW_E_UNSURE done by the keeper, but not recorded.
 */
kw_status key_do(struct kw_op *op, struct service *service, const struct key_wish *wish,
                 struct keeper_key_info *ret);
/* What approvers read: the keeper will compare it. */
kw_status key_wish_subject(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct approval_subject *ret);

/* Make a key of a class that stands alone: data, firmware, TUF, statements. */
struct key_birth {
    char id[KW_NAME_MAX], class_[24], alg[16], tuf_role[16];
    char product[POLICY_SCOPE_MAX];    /* firmware-signer */
    char versions[POLICY_PATTERN_MAX]; /* firmware-signer: model/version_pattern.h; "": any */
    char labels[256];                  /* kdf-master: what labels begin with, separated by commas */
    bool escrow;                       /* keys for data: backups hold the secret, for the shares */
    uint32_t days;                     /* of its originator-usage period; 0: the class's */
    uint64_t approval_id;
};
kw_status key_birth_policy(struct kw_op *op, const struct key_birth *birth, struct key_policy *ret);
kw_status key_create(struct kw_op *op, struct service *service, const struct key_policy *policy,
                     uint64_t approval_id, struct keeper_key_info *ret);

/* The keeper's signed statement that a key was destroyed, as text. KW_E_NOT_FOUND. */
kw_status key_destruction(struct kw_op *op, struct service *service, const char *key_id,
                          struct kw_bytes **ret);

#endif
