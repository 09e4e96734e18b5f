/*
 * What gate and keeper say to each other: the catalogue, and the encoding of each message.
 * The page of it is docs/protocol/keeper.md.
 */
#ifndef KEEPER_MSG_H
#define KEEPER_MSG_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/reader.h"
#include "base/writer.h"
#include "keeper/keeper.h"
#include "model/roster.h"
#include "model/statement.h"

enum {
    KEEPER_VERSION = 1,
    KEEPER_CHANNEL_FD = 3,
    KEEPER_FRAME_BYTES = 16,
    KEEPER_REPLY_TYPE = 0x8000,
    KEEPER_REPLY_MAX = 16384,     /* a policy, or rows of the journal; with code and text */
    KEEPER_JOURNAL_ROWS_MAX = 48, /* in one answer */
    KEEPER_SERIALS_MAX = 256,
    KEEPER_PROOF_MAX = 64, /* a tree of 2^64 leaves */
    KEEPER_BUILD_TEXT = 32,
    KEEPER_CUSTODY_TEXT = 64,
    KEEPER_OCSP_TBS_MAX = 4096, /* eight single responses are below 1500 */
    KEEPER_TLS_CONTENT_MAX = 146,
    KEEPER_CHECKPOINT_BODY_MAX = 256, /* origin, 20 digits, 44 characters of base64 */
    KEEPER_CERT_REQUEST_MAX = 2048,   /* name and public key */
    KEEPER_CMP_MAX = 16000,           /* all CA certificates in one answer; no large CRL */
    KEEPER_TUF_MAX = 1 << 20,         /* targets metadata with thousands of images */
    KEEPER_RECOVERY_BYTES = 32,       /* X25519 */
    KEEPER_BOX_MAX = 256,             /* a secret in a box for the recovery key */
    KEEPER_MARK_MAX = 32,             /* a secret's check value */
    KEEPER_RECIPIENT_MAX = 64,        /* key identifiers are hashes */
    KEEPER_BORN_MAX = 6144,           /* an RSA-4096 key for an RSA-4096 key is 4,300 */
    KEEPER_CONTEXT_MAX = 256,         /* what a wrapped or derived key is for */
    KEEPER_LABEL_MAX = 64,            /* the kind of a derived key */
    KEEPER_SALT_MAX = 64,
    KEEPER_DERIVE_MAX = 64, /* two keys of 256 bits */
    KEEPER_DATA_KEY_MAX =
        512, /* of somebody else's that is wrapped: PKCS#8 of a P-256 key is 138 */
    KEEPER_AAD_MAX = 1024,
    KEEPER_SEAL_MAX = 4096, /* more than that is sealed outside, with a data key */
    KEEPER_MAC_MESSAGE_MAX = 8192,
};

/* States of the keeper, bits: a row lists those in which it is taken. */
enum keeper_mode {
    KEEPER_GREETING = 1,
    KEEPER_CEREMONY = 2,
    KEEPER_SERVING = 4,
    KEEPER_SEALED = 8, /* started, but the vault is not open */
};
enum { KEEPER_OPEN = KEEPER_CEREMONY | KEEPER_SERVING, KEEPER_ANY = KEEPER_OPEN | KEEPER_SEALED };

/* name, suffix of its functions, number, body at most, states, descriptor allowed; one line each */
#define KEEPER_MESSAGES(X)                                                                         \
    X(HELLO, hello, 1, 80, KEEPER_GREETING, false)                                                 \
    X(INFO, info, 2, 40, KEEPER_ANY, false)                                                        \
    X(KEY_AT, key_at, 3, 40, KEEPER_OPEN, false)                                                   \
    X(KEY_FIND, key_find, 4, 136, KEEPER_OPEN, false)                                              \
    X(KEY_CREATE, key_create, 5, 15920, KEEPER_OPEN, false)                                        \
    X(SERIALS, serials, 6, 136, KEEPER_OPEN, false)                                                \
    X(KEY_ROTATE, key_rotate, 7, 144, KEEPER_OPEN, false)                                          \
    X(KEY_STEP, key_step, 8, 248, KEEPER_OPEN, false)                                              \
    X(KEY_DESTROY, key_destroy, 9, 248, KEEPER_OPEN, false)                                        \
    X(JOURNAL_READ, journal_read, 10, 48, KEEPER_OPEN, false)                                      \
    X(KEY_HISTORY, key_history, 11, 136, KEEPER_OPEN, false)                                       \
    X(KEY_POLICY, key_policy, 12, 136, KEEPER_OPEN, false)                                         \
    X(VAULT_STATUS, vault_status, 13, 40, KEEPER_ANY, false)                                       \
    X(VAULT_SEAL, vault_seal, 14, 40, KEEPER_SERVING, false)                                       \
    X(VAULT_REKEY, vault_rekey, 15, 48, KEEPER_SERVING, false)                                     \
    X(SIGN_CERT, sign_cert, 16, 8432, KEEPER_OPEN, false)                                          \
    X(SIGN_CRL, sign_crl, 17, 16384, KEEPER_OPEN, true)                                            \
    X(SIGN_OCSP, sign_ocsp, 18, 4232, KEEPER_OPEN, false)                                          \
    X(SIGN_TLS, sign_tls, 19, 280, KEEPER_OPEN, false)                                             \
    X(SIGN_CHECKPOINT, sign_checkpoint, 20, 2448, KEEPER_OPEN, false)                              \
    X(SIGN_CERT_REQUEST, sign_cert_request, 21, 2184, KEEPER_OPEN, false)                          \
    X(SIGN_CROSS, sign_cross, 22, 8328, KEEPER_OPEN, false)                                        \
    X(SIGN_STATEMENT, sign_statement, 23, 2184, KEEPER_OPEN, false)                                \
    X(SIGN_FIRMWARE, sign_firmware, 24, 2192, KEEPER_OPEN, false)                                  \
    X(SIGN_TUF, sign_tuf, 25, 16384, KEEPER_OPEN, true)                                            \
    X(SIGN_CMP, sign_cmp, 26, 16136, KEEPER_OPEN, false)                                           \
    X(KEY_BIRTH, key_birth, 27, 1328, KEEPER_OPEN, false)                                          \
    X(OCSP_ISSUER, ocsp_issuer, 28, 9352, KEEPER_OPEN, false)                                      \
    X(DATA_KEY, data_key, 32, 392, KEEPER_OPEN, false)                                             \
    X(DATA_WRAP, data_wrap, 33, 904, KEEPER_OPEN, false)                                           \
    X(DATA_UNWRAP, data_unwrap, 34, 1024, KEEPER_OPEN, false)                                      \
    X(DATA_REWRAP, data_rewrap, 35, 1024, KEEPER_OPEN, false)                                      \
    X(DATA_DERIVE, data_derive, 36, 528, KEEPER_OPEN, false)                                       \
    X(DATA_MAC, data_mac, 37, 8328, KEEPER_OPEN, false)                                            \
    X(DATA_MAC_VERIFY, data_mac_verify, 38, 8360, KEEPER_OPEN, false)                              \
    X(DATA_SEAL, data_seal, 39, 5256, KEEPER_OPEN, false)                                          \
    X(DATA_OPEN, data_open, 40, 5400, KEEPER_OPEN, false)                                          \
    X(ROSTER_SET, roster_set, 48, 12336, KEEPER_OPEN, false)                                       \
    X(ROSTER_AT, roster_at, 49, 48, KEEPER_OPEN, false)                                            \
    X(APPROVAL_OPEN, approval_open, 50, 2120, KEEPER_OPEN, false)                                  \
    X(APPROVAL_SIGN, approval_sign, 51, 664, KEEPER_OPEN, false)                                   \
    X(APPROVAL_AT, approval_at, 52, 48, KEEPER_OPEN, false)                                        \
    X(APPROVAL_CANCEL, approval_cancel, 53, 48, KEEPER_OPEN, false)                                \
    X(APPROVAL_USE, approval_use, 54, 2120, KEEPER_OPEN, false)                                    \
    X(VAULT_EXPORT, vault_export, 56, 48, KEEPER_OPEN, true)                                       \
    X(RECOVERY_SET, recovery_set, 57, 80, KEEPER_OPEN, false)                                      \
    X(KEY_IMPORT, key_import, 58, 16240, KEEPER_CEREMONY, false)

enum keeper_type {
#define X(name, suffix, number, max, modes, fd) KEEPER_MSG_##name = number,
    KEEPER_MESSAGES(X)
#undef X
};

/* Position of a row in the table: for arrays beside it. */
enum keeper_row_index {
#define X(name, suffix, number, max, modes, fd) KEEPER_ROW_##name,
    KEEPER_MESSAGES(X)
#undef X
        KEEPER_ROWS
};

/* One request. Spans borrow from the packet. */
struct keeper_msg {
    char request_id[KW_REQUEST_ID];
    char key_id[KW_NAME_MAX]; /* "" in messages without one */
    union {
        struct {
            struct kw_span old_key; /* SubjectPublicKeyInfo */
            struct kw_span cert;    /* of the next key, by the old one */
        } ocsp_issuer;
        struct {
            uint16_t version;
            char build[KEEPER_BUILD_TEXT];
        } hello;
        struct {
            uint32_t index;
        } key_at;
        struct {
            struct kw_span policy;
            uint64_t approval_id; /* 0: none */
        } key_create;
        struct {
            uint64_t approval_id;
            bool new_line; /* of a log: another origin, another history */
        } key_rotate;
        struct {
            enum key_event event; /* not KEY_EVENT_DESTROY; nothing in KEY_DESTROY */
            char reason[KEEPER_REASON_MAX];
            uint64_t approval_id;
        } key_step; /* KEY_STEP, KEY_DESTROY */
        struct {
            uint64_t from;
            uint16_t max;
        } journal_read;
        struct {
            uint16_t n;
        } serials;
        struct {
            char rule[KW_NAME_MAX];
            struct kw_span tbs;
            uint64_t approval_id; /* 0: none */
        } sign_cert;
        struct {
            bool by_fd;
            uint32_t len;
            struct kw_span tbs; /* empty where by_fd */
        } sign_crl;             /* SIGN_TUF too */
        struct {
            struct kw_span message;
        } sign; /* SIGN_OCSP, SIGN_TLS, SIGN_CERT_REQUEST, SIGN_CROSS, SIGN_STATEMENT, SIGN_CMP */
        struct {
            struct kw_span body;
            uint64_t old_size;
            uint8_t n;
            struct kw_span proof; /* n * 32 octets */
        } checkpoint;
        struct {
            bool new_secret;
            uint64_t approval_id;
        } vault_rekey;
        struct {
            uint64_t approval_id;
        } vault_export;
        struct {
            uint64_t approval_id;
            uint8_t key[KEEPER_RECOVERY_BYTES];
        } recovery_set;
        struct {
            enum key_state state; /* in which it is taken over */
            struct kw_span policy;
            struct kw_span mark;                     /* its check value */
            struct kw_span box;                      /* its secret, as VAULT_EXPORT sealed it */
            uint8_t recovery[KEEPER_RECOVERY_BYTES]; /* private half, which opens the box */
        } key_import;
        struct {
            uint64_t approval_id;
            struct kw_span roster;
        } roster_set;
        struct {
            bool rule; /* else an approver */
            uint32_t index;
        } roster_at;
        struct {
            char requester[KW_NAME_MAX];
            struct approval_subject subject;
        } approval_open;
        struct {
            uint64_t id;
            struct approval_subject subject;
        } approval_use;
        struct {
            uint64_t id;
            enum approval_verdict verdict;
            char name[KW_NAME_MAX];
            struct kw_span signature;
        } approval_sign;
        struct {
            uint64_t id;
            bool next; /* or the first above it */
        } approval_at; /* APPROVAL_AT, APPROVAL_CANCEL */
        struct {
            uint64_t approval; /* 0: none */
            struct kw_span statement;
        } firmware;
        struct {
            struct kw_span context; /* SEAL, OPEN: associated data; MAC: empty */
            struct kw_span octets;  /* a key, data, or what they became */
            struct kw_span mac;     /* MAC_VERIFY only */
        } data;
        struct {
            char label[KEEPER_LABEL_MAX + 1];
            struct kw_span salt, context;
            uint8_t len; /* octets wanted */
        } derive;
        struct {
            char rule[KW_NAME_MAX];
            uint8_t alg;              /* enum key_alg */
            struct kw_span recipient; /* SubjectPublicKeyInfo */
            struct kw_span recipient_id;
        } birth;
    };
};

struct keeper_info {
    uint32_t n_keys;
    uint64_t signatures;        /* by all keys */
    uint64_t refusals;          /* since the keeper's start */
    uint64_t refusals_unlogged; /* counted only: too many at once, or the log was not writable */
    bool log_writable;
    uint32_t uid;         /* the user that the keeper runs as */
    bool calls_filtered;  /* seccomp is on */
    uint8_t landlock_abi; /* 0: its kernel has none */
    bool drivers;         /* both let through what a token's or TPM's driver needs as well */
};

/* One row of the roster. */
struct keeper_roster_row {
    uint64_t version; /* of the approvals: rises with each change of them */
    uint32_t n, n_rules;
    bool rule;
    struct approver approver;
    struct approval_rule approval_rule;
};

/* One result. Spans borrow: when decoded from the packet, when encoded from the server. */
struct keeper_answer {
    union {
        struct {
            uint16_t version;
            char build[KEEPER_BUILD_TEXT];
            uint8_t mode;
            uint32_t n_keys;
        } hello;
        struct keeper_info info;
        uint32_t exported;                /* VAULT_EXPORT: octets written */
        struct keeper_vault_status vault; /* VAULT_STATUS; VAULT_REKEY: generation alone */
        struct keeper_key_info key;       /* KEY_AT, KEY_FIND, KEY_STEP; KEY_ROTATE: the new one */
        struct keeper_key_life life;
        struct {
            struct kw_span statement, signature; /* empty: no key could sign it */
            char signer[KW_NAME_MAX];
        } destroyed;
        struct {
            uint64_t last; /* number of the journal's last row */
            uint16_t n;
            struct kw_span rows;
        } journal;
        /* KEY_CREATE: public key; KEY_POLICY: it; SIGN_*: signature; DATA_*: the result */
        struct kw_span octets;
        struct {
            uint16_t n;
            struct kw_span octets; /* n * KW_SERIAL_BYTES */
        } serials;
        struct {
            uint64_t last_size;
            struct kw_span sig;
        } checkpoint;
        struct keeper_roster_row roster; /* ROSTER_SET: version alone; ROSTER_AT */
        struct {
            struct keeper_approval info;
            struct kw_span text;
        } approval;
        struct {
            struct kw_span plain, wrapped;
        } data_key;
        struct {
            struct kw_span spki, sealed;
        } born;     /* KEY_BIRTH */
        bool valid; /* DATA_MAC_VERIFY */
    };
};

struct keeper_row {
    enum keeper_type type;
    const char *name;
    uint32_t body_max;
    unsigned modes; /* enum keeper_mode bits */
    bool fd_allowed;
    /* What stands behind request_id; results of KW_OK. All sticky: the caller asks _end(). */
    void (*encode)(struct kw_writer *w, const struct keeper_msg *msg);
    void (*decode)(struct kw_reader *r, struct keeper_msg *ret);
    void (*encode_answer)(struct kw_writer *w, const struct keeper_answer *answer);
    void (*decode_answer)(struct kw_reader *r, struct keeper_answer *ret);
};

/* All rows, in the order of the list. */
extern const struct keeper_row keeper_rows[KEEPER_ROWS];
/* Secrets cross with it, by design: buffers that held it are wiped on both sides. */
static inline bool keeper_row_secret(const struct keeper_row *row)
{
    return (row->type >= KEEPER_MSG_DATA_KEY && row->type <= KEEPER_MSG_DATA_OPEN) ||
           row->type == KEEPER_MSG_KEY_IMPORT;
}
/* NULL for a number that is none. */
const struct keeper_row *keeper_row_of(unsigned type);

struct keeper_frame {
    uint16_t version;
    uint16_t type;
    uint32_t body_len;
    uint64_t req_id;
};

void keeper_frame_encode(struct kw_writer *w, const struct keeper_frame *frame);
/* The packet's header, and its body borrowed. KW_E_INPUT too short, or body_len is not what is
 * there. */
kw_status keeper_frame_decode(struct kw_span packet, struct keeper_frame *ret,
                              struct kw_span *ret_body);

/* A whole request packet into the caller's room. KW_E_TOO_LARGE over the row's limit or the room.
 */
kw_status keeper_msg_encode(const struct keeper_row *row, uint64_t req_id,
                            const struct keeper_msg *msg, struct kw_out *out);
/* The body of a request; strict to the last octet. KW_E_INPUT. */
kw_status keeper_msg_decode(const struct keeper_row *row, struct kw_span body,
                            struct keeper_msg *ret);

/* What a reply says before its result. */
struct keeper_reply {
    enum kw_code code;
    char text[KW_OP_TEXT_MAX]; /* cause, "" where code is KW_CODE_OK */
    struct kw_span result;     /* undecoded; borrowed */
};

/* A whole reply packet. The result is written where code is KW_CODE_OK or answer is not NULL. */
kw_status keeper_reply_encode(const struct keeper_row *row, uint64_t req_id, enum kw_code code,
                              const char *text, const struct keeper_answer *answer,
                              struct kw_out *out);
/* The body of a reply. KW_E_INPUT also for a number that is no code. */
kw_status keeper_reply_decode(struct kw_span body, struct keeper_reply *ret);
/* The result of a reply. KW_E_INPUT. */
kw_status keeper_answer_decode(const struct keeper_row *row, struct kw_span result,
                               struct keeper_answer *ret);

/* May it name a key (and its file)? Letters, digits, '-', '_' and '.', not first a dot, not empty.
 */
bool keeper_key_id_valid(const char *key_id);

#endif
