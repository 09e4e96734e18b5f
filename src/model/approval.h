/*
 * Two-person control, the words of it: which operations may need approval, what a request says, and
 * the text that people sign. Pure; the keeper enforces it (docs/protocol/keeper.md, Approvals).
 */
#ifndef MODEL_APPROVAL_H
#define MODEL_APPROVAL_H

#include "base/bytes.h"
#include "base/limits.h"
#include "model/key.h"

/* name, text, may it be done where no rule names it (serving), what it does in words */
#define APPROVAL_OPS(X)                                                                            \
    X(KEY_CREATE, "key-create", false, "make a new key")                                           \
    X(KEY_ROTATE, "key-rotate", true, "make the successor of a key")                               \
    X(KEY_REVOKE, "key-revoke", false, "mark a key as compromised, for ever")                      \
    X(KEY_DESTROY, "key-destroy", false, "destroy a key, for ever; its id never comes back")       \
    X(CA_CERT, "ca-cert", false, "sign a certificate of a certification authority")                \
    X(FIRMWARE, "firmware", false, "sign a firmware image for release")                            \
    X(ROSTER, "roster", false, "change who approves, or which operations need approval")           \
    X(VAULT_SHARES, "vault-shares", false, "replace the shares that open the vault")               \
    X(VAULT_EXPORT, "vault-export", false, "take an encrypted copy of the vault")                  \
    X(POLICY_CHANGE, "policy-change", false, "change the policy of a key")                         \
    X(REVOKE_PLAN, "revoke-plan", false, "revoke certificates by a plan: many, or compromised")    \
    X(DEVICE_WIPE, "device-wipe", false, "order a device to destroy its keys, for ever")           \
    X(LOG_LINE, "log-line", true, "give up what the log lost, for ever; it goes on as a new one")

/* Stored and signed: append only. */
enum approval_op {
    APPROVE_NONE = 0,
#define X(name, text, free, words) APPROVE_##name,
    APPROVAL_OPS(X)
#undef X
        APPROVE_MAX
};
const char *approval_op_text(enum approval_op op);        /* "none" for a number that is none */
const char *approval_op_words(enum approval_op op);       /* "make a new key" */
enum approval_op approval_op_from_text(const char *text); /* APPROVE_NONE where unknown */
/* Done without approval where the vault's rules do not name it? */
bool approval_op_free(enum approval_op op);

enum {
    APPROVAL_DETAILS_MAX = 12,
    APPROVAL_DETAIL_NAME = 24,
    APPROVAL_DETAIL_VALUE = 128,
    APPROVAL_NONCE_BYTES = 16,
    APPROVAL_VAULT_BYTES = 16,
    APPROVAL_TEXT_MAX = 3072, /* head 900, twelve details of 155 */
};

/* Exactly what is approved: the request fits an operation only where every member is the same. */
struct approval_subject {
    enum approval_op op;
    enum key_class class_;    /* of the key; KEY_CLASS_NONE where there is none */
    char key_id[KW_NAME_MAX]; /* "" where there is none */
    unsigned n;
    struct {
        char name[APPROVAL_DETAIL_NAME]; /* a-z, 0-9, '-'; none twice, none of the text's own */
        char value[APPROVAL_DETAIL_VALUE];
    } details[APPROVAL_DETAILS_MAX];
};

/* A subject without details; key_id may be NULL. A key id that is too long makes it invalid. */
struct approval_subject approval_subject_of(enum approval_op op, enum key_class class_,
                                            const char *key_id);
/* Add a detail: what an approver must know, in words. What does not fit makes the subject invalid,
 * which approval_subject_check() tells: nothing is ever cut. */
void approval_detail(struct approval_subject *subject, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void approval_detail_hex(struct approval_subject *subject, const char *name, struct kw_span octets);
/* KW_E_INPUT: a number out of range, a name or value that could not stand in the text, and in
 * values characters that would mislead a reader (controls, bidirectional and invisible ones). */
kw_status approval_subject_check(const struct approval_subject *subject);
/* May it name a person? Not empty, fits KW_NAME_MAX, nothing that misleads a reader. */
bool approval_name_good(const char *name);
bool approval_subject_equal(const struct approval_subject *a, const struct approval_subject *b);

/* A subject with all that makes its text unique. */
struct approval_description {
    uint8_t vault[APPROVAL_VAULT_BYTES];
    uint64_t id;
    struct approval_subject subject;
    char requester[KW_NAME_MAX];
    uint32_t needed;          /* approvals by others */
    uint32_t roles;           /* of which role (model/roster.h bits) */
    int64_t opened, deadline; /* Unix seconds */
    uint8_t nonce[APPROVAL_NONCE_BYTES];
};

/**
 * The canonical text: first line "keywright approval v1", then one "name: value" a line, each ended
 * by LF, in a fixed order. One description has exactly one text. Replaces what `out` holds.
 * KW_E_INPUT the subject is invalid; KW_E_TOO_LARGE (room of APPROVAL_TEXT_MAX always suffices).
 */
kw_status approval_text(const struct approval_description *description, struct kw_out *out);
/* Strict: KW_E_INPUT for what approval_text() does not write. */
kw_status approval_text_parse(struct kw_span text, struct approval_description *ret);

/* What a signature says about a text. Stored: append only. */
enum approval_verdict {
    APPROVAL_REQUEST = 1,
    APPROVAL_APPROVE,
    APPROVAL_REJECT,
    APPROVAL_VERDICT_MAX
};
const char *approval_verdict_text(
    enum approval_verdict verdict); /* "request", "approve", "reject" */
enum approval_verdict approval_verdict_from_text(const char *text); /* 0 where unknown */
enum { APPROVAL_SIGNED_MAX = APPROVAL_TEXT_MAX + 64 };
/* What is signed: "keywright approval v1 VERDICT\n" and the text. Replaces what `out` holds. */
kw_status approval_signed_octets(enum approval_verdict verdict, struct kw_span text,
                                 struct kw_out *out);

/* Where a request stands. Stored: append only. */
enum approval_state {
    APPROVAL_OPEN = 1, /* waits for its requester's signature, or for approvals */
    APPROVAL_CONSUMED, /* was approved, and used: once */
    APPROVAL_REJECTED,
    APPROVAL_EXPIRED,
    APPROVAL_CANCELLED, /* before its requester had signed it */
    APPROVAL_STATE_MAX
};
const char *approval_state_text(enum approval_state state); /* "open", … */

#endif
