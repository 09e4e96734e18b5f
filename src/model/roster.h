/*
 * Who may approve, and which operations need how many of them: sealed in the vault, changed only in
 * the ceremony or by approval. Pure.
 */
#ifndef MODEL_ROSTER_H
#define MODEL_ROSTER_H

#include "model/approval.h"

/* Bits, so that one person may have several. Stored and signed: append only. */
enum approval_role {
    ROLE_SECURITY_OFFICER = 1,
    ROLE_RELEASE_MANAGER = 2,
    ROLE_OPERATOR = 4, /* may ask, and approve where a rule says so */
    ROLE_AUDITOR = 8,
    ROLE_ALL = 15,
};
enum { ROLE_TEXT_MAX = 64 };
/* "security-officer,auditor" for the bits; "none" for none. text has ROLE_TEXT_MAX octets. */
const char *approval_roles_text(uint32_t roles, char text[ROLE_TEXT_MAX]);
/* The bits of such a text; 0 where a word is none, or comes twice. */
uint32_t approval_roles_from_text(const char *text);

enum {
    ROSTER_MAX = 16,       /* more people than that never watch one vault */
    ROSTER_RULES_MAX = 32, /* ten operations, some for single classes */
    ROSTER_SPKI_MAX = 600, /* RSA-4096 is 550 */
    ROSTER_NAME_LEN = 36,  /* of a name without NUL: a change must be told in one detail */
    ROSTER_NEEDED_MAX = 8,
    ROSTER_DEADLINE_MIN_S = 60,
    ROSTER_DEADLINE_MAX_S = 30 * 86400,
    ROSTER_ENCODED_MAX = 12288,
};

struct approver {
    char name[KW_NAME_MAX]; /* the operator's */
    uint32_t roles;
    uint32_t spki_len;
    uint8_t spki[ROSTER_SPKI_MAX]; /* DER SubjectPublicKeyInfo */
};

/* An operation needs `needed` approvals of one of these roles, besides its requester. */
struct approval_rule {
    enum approval_op op;
    enum key_class class_; /* KEY_CLASS_NONE: any that has no rule of its own */
    uint32_t needed;       /* 0: free */
    uint32_t roles;
    uint32_t deadline_s; /* from the request on */
};

struct roster {
    unsigned n;
    struct approver at[ROSTER_MAX];
    unsigned n_rules;
    struct approval_rule rules[ROSTER_RULES_MAX];
};

/* Replaces what `out` holds. KW_E_INPUT a member is out of range; room of ROSTER_ENCODED_MAX
 * always suffices. */
kw_status roster_encode(const struct roster *roster, struct kw_out *out);
/* Strict: KW_E_INPUT for what roster_encode() does not write. No name and no key stands twice, no
 * rule either, and changing the roster needs at least one approval. */
kw_status roster_decode(struct kw_span encoded, struct roster *ret);
/* One approver or rule alone, for messages; sticky. */
struct kw_reader;
struct kw_writer;
void roster_approver_write(struct kw_writer *w, const struct approver *approver);
void roster_approver_read(struct kw_reader *r, struct approver *ret);
void roster_rule_write(struct kw_writer *w, const struct approval_rule *rule);
void roster_rule_read(struct kw_reader *r, struct approval_rule *ret);

/* NULL where there is none. */
const struct approver *roster_find(const struct roster *roster, const char *name);
/* The class's own rule, else the one for any class, else NULL. */
const struct approval_rule *roster_rule(const struct roster *roster, enum approval_op op,
                                        enum key_class class_);
/* How many have one of these roles? */
unsigned roster_count(const struct roster *roster, uint32_t roles);
/* Are there people enough for the rule, its requester (anyone of the roster) not counted? */
bool roster_can_meet(const struct roster *roster, const struct approval_rule *rule);
/* Does `to` only add approvers to `from`, all else being the same? */
bool roster_only_adds(const struct roster *from, const struct roster *to);
/* SHA-256, which the model does not have itself. */
typedef void (*roster_hash_fn)(struct kw_span octets, uint8_t ret[KW_HASH_BYTES]);
/**
 * The subject of a change, in words: one detail for each approver or rule that is added, removed or
 * changed, and one for the digest of the whole. KW_E_INPUT there is no change; KW_E_TOO_LARGE more
 * changes than one request can say.
 */
kw_status roster_change(const struct roster *from, const struct roster *to, roster_hash_fn hash,
                        struct approval_subject *ret);

#endif
