/*
 * Two-person control inside the keeper: who approves, what is asked, what was approved, and that
 * each approval is used once. Signatures are verified here, by keys of the sealed roster; the gate
 * only carries them.
 */
#ifndef KEEPER_CMD_APPROVALS_H
#define KEEPER_CMD_APPROVALS_H

#include "base/op.h"
#include "model/approval.h"
#include "model/roster.h"

enum {
    APPROVALS_OPEN_MAX = 64,
    APPROVALS_PER_REQUESTER = 8, /* so nobody's requests leave no room for others' */
    APPROVALS_KEPT_MAX = 96,     /* open ones, and the newest of those that ended */
    APPROVALS_UNSIGNED_S = 600,  /* so long may a request wait for its requester's signature */
    APPROVALS_SIGNERS_MAX = ROSTER_MAX + 1,
};

/* Who signed what; the first is the requester, where there is one at all. */
struct approval_signer {
    char name[KW_NAME_MAX];
    enum approval_verdict verdict;
    int64_t unix_s;
    uint8_t key[KW_HASH_BYTES]; /* SHA-256 of the SubjectPublicKeyInfo that verified it */
};

struct approval_record {
    struct approval_description what;
    enum approval_state state;
    int64_t ended_unix; /* 0 while open */
    unsigned n;
    struct approval_signer signers[APPROVALS_SIGNERS_MAX];
};

/* The content of the vault's file `approvals`. */
struct approvals {
    uint64_t version; /* rises with each save; 0: there is no file yet, and no roster */
    uint64_t last_id;
    struct roster roster;
    unsigned n;
    struct approval_record at[APPROVALS_KEPT_MAX]; /* by rising id */
};

struct keyring;
struct server;

/* Read the vault's file. KW_E_INTEGRITY missing, altered, or older than the state knows. ret:
 * empty where there never was one. */
kw_status approvals_load(struct kw_op *op, const struct keyring *keyring, struct approvals *ret);
/* Durable on return, and the state knows it: an older file is refused from then on. After a failure
 * other than KW_E_UNSURE nothing was written and the version is as before. */
kw_status approvals_save(struct kw_op *op, struct keyring *keyring);
/* Plain form (docs/protocol/keeper.md). Strict. */
kw_status approvals_encode(const struct approvals *approvals, struct kw_bytes **ret);
kw_status approvals_decode(struct kw_span encoded, struct approvals *ret);

/**
 * May this operation be done now? To be called by its handler, with what it is about to do, before
 * any effect. KW_OK: no rule wants approval for it, or the request `approval_id` is approved and is
 * for exactly this subject: then it is used up, durably, when this returns. In a ceremony nothing
 * needs approval until a roster was set, and everything thereafter.
 * Errors: KW_E_APPROVAL approval is needed (approval_id 0), or some is still missing; KW_E_DENIED
 * the request is for something else, was used, rejected or cancelled, or there is no rule for an
 * operation that needs one; KW_E_EXPIRED its deadline has passed; those of writing.
 */
kw_status approvals_require(struct kw_op *op, struct server *server,
                            const struct approval_subject *subject, uint64_t approval_id);
/* The same without a server. ceremony: nothing is needed where there is no roster. */
kw_status approvals_consume(struct kw_op *op, struct keyring *keyring,
                            const struct approval_subject *subject, uint64_t approval_id,
                            bool ceremony, int64_t now_unix);

/* How many approvals the operation needs when this person asks for it, and of which roles. A change
 * of the roster needs no more than there are others: see approvals_set_roster(). KW_E_DENIED where
 * there is no rule for it. needed 0: it is free. */
kw_status approvals_needed(struct kw_op *op, const struct approvals *approvals,
                           const struct approval_subject *subject, const char *requester,
                           struct approval_rule *ret);
/* How many count for this request now: by others, who still are on the roster with the same key and
 * one of the roles. */
unsigned approvals_count(const struct approvals *approvals, const struct approval_record *record,
                         uint32_t roles);

/**
 * A new request, durable on return. vault: its id. KW_E_INPUT the subject is none; KW_E_DENIED the
 * requester is not on the roster; KW_E_STATE nothing to approve, or too few people for it;
 * KW_E_LIMIT.
 */
kw_status approvals_open(struct kw_op *op, struct keyring *keyring,
                         const struct approval_subject *subject, const char *requester,
                         int64_t now_unix, struct approval_record **ret);
/**
 * A signature under a request, durable on return. KW_E_NOT_FOUND; KW_E_STATE the request has ended,
 * or is not signed by its requester yet; KW_E_EXPIRED; KW_E_DENIED not on the roster, not of the
 * role, the requester as approver, or the signature does not verify; KW_E_CONFLICT signed already.
 */
kw_status approvals_sign(struct kw_op *op, struct keyring *keyring, uint64_t id,
                         enum approval_verdict verdict, const char *name, struct kw_span signature,
                         int64_t now_unix, struct approval_record **ret);
/* End a request that its requester has not signed. KW_E_NOT_FOUND, KW_E_STATE. */
kw_status approvals_cancel(struct kw_op *op, struct keyring *keyring, uint64_t id, int64_t now_unix,
                           struct approval_record **ret);
/* The request with this id, or the first above it where `next`. NULL where there is none. */
struct approval_record *approvals_find(struct approvals *approvals, uint64_t id, bool next);
/* End what is past its time; told to the file with the next save. */
void approvals_expire(struct approvals *approvals, int64_t now_unix);

/**
 * Another roster, durable on return. In a ceremony the first one is free; any other change needs
 * approval by the rules in force, with one exception: while there are fewer others than the rule
 * wants, all of them suffice, and the change may only add people. KW_E_INPUT a key that is none;
 * KW_E_DENIED no roster yet, outside a ceremony; KW_E_STATE a rule that can be met now could not be
 * met any more; those of approvals_consume().
 */
kw_status approvals_set_roster(struct kw_op *op, struct keyring *keyring,
                               const struct roster *roster, uint64_t approval_id, bool ceremony,
                               int64_t now_unix);

#endif
