/*
 * The gate's side of the keeper: the separate process that holds every backend key.
 * Wire format and rules: docs/protocol/keeper.md.  No private key, passphrase or PIN ever crosses
 * the channel.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/privkey.h"
#include "model/approval.h"
#include "model/key.h"
#include "model/policy.h"
#include "model/roster.h"
#include "os/spawner.h"

struct keeper; /* shared by all threads */

enum { KEEPER_CUSTODY_PATHS = 8, KEEPER_CUSTODY_ENV = 4 };

struct keeper_config {
    const char *program; /* absolute path of keywright-keeper */
    const char *vault;   /* folder of the vault */
    const char *unlock;  /* "passphrase-file:PATH" or "tpm2:…" (rot/rot.h URI) */
    const char *custody; /* NULL or "": sealed; else the token (rot/rot.h URI) */
    const char
        *paths[KEEPER_CUSTODY_PATHS];    /* what its driver opens; NULL-terminated unless full */
    const char *env[KEEPER_CUSTODY_ENV]; /* "NAME=VALUE" that it reads; likewise */
    /* Called where a vault was started sealed, so that somebody opens it; or NULL (service only).
     */
    kw_status (*sealed)(struct kw_op *op, const char *name, const char *folder, const char *unlock,
                        void *ctx);
    void *sealed_ctx;
    /* Called where a keeper doubts this machine's clock (keeper_vault_status.clock_off_s): the
     * start waits then. Or NULL: it goes on, and what depends on time is refused. */
    void (*doubted)(const char *name, int64_t clock_off_s);
    bool create;                /* make a new vault with this unlock method (init) */
    bool ceremony;              /* key creation is allowed; only `keywright init` sets it */
    struct os_spawner *spawner; /* who starts the process; NULL: we, as the user that we are.
                                   Borrowed until keeper_stop() */
    unsigned spawner_row;       /* which of its programs this keeper is */
};

enum { KEEPER_PROGRAM_MAX = 1024 };
/* Where keywright-keeper is: `given`, or else beside the running program. KW_E_NOT_FOUND,
 * KW_E_INPUT. */
kw_status keeper_program_find(struct kw_op *op, const char *given, char path[KEEPER_PROGRAM_MAX]);

/**
 * Make the process that starts keepers (os/spawner.h), each under its user (NULL or "": ours), for
 * servers that give up their privileges. configs[i] becomes row i; program, vault and unlock are
 * copied, create and ceremony must be false. Call it before other threads are made.
 */
kw_status keeper_spawner_new(struct kw_op *op, const struct keeper_config configs[],
                             const char *const users[], unsigned n, struct os_spawner **ret);

/**
 * Start the keeper process and agree on the protocol version.
 * A keeper that dies later is started anew by itself, with back-off (100 ms to 5 s); meanwhile
 * calls give KW_E_UNAVAILABLE. Errors: KW_E_DENIED wrong passphrase or other TPM; KW_E_INTEGRITY
 * damaged vault; KW_E_UNSUPPORTED versions differ; KW_E_NOT_FOUND no vault; KW_E_CONFLICT create
 * over an existing one; KW_E_UNAVAILABLE.
 */
kw_status keeper_start(struct kw_op *op, const struct keeper_config *config, struct keeper **ret);
/* Use an existing channel (tests, hostile peers); takes the descriptor. No restart. */
kw_status keeper_attach(struct kw_op *op, int fd, struct keeper **ret);
/* Ask it to end, wait, reap. */
void keeper_stop(struct keeper *keeper);
KW_OWNED(keeper, struct keeper, keeper_stop)
/* True while the process answers; for /healthz. */
bool keeper_alive(const struct keeper *keeper);
/* How often the process had to be started anew since keeper_start(). */
unsigned keeper_restarts(const struct keeper *keeper);

struct keeper_key_info {
    char key_id[KW_NAME_MAX];
    enum key_class class_;
    enum key_state state;
    uint32_t alg;     /* enum key_alg */
    char custody[64]; /* "soft-sealed", "pkcs11 SIMULATED …" */
    int64_t not_before, not_after;
    uint64_t
        signatures; /* made since creation (persisted at least every minute and at a clean end) */
    /* SubjectPublicKeyInfo; of a secret its check value, 8 octets that tell nothing else about it
     */
    uint8_t spki[KW_SPKI_MAX];
    uint32_t spki_len;
};

/* All calls below: block until the answer or op's deadline; any thread; many requests are in flight
 * at once. KW_E_UNAVAILABLE, KW_E_TIMEOUT not delivered (retry is safe); KW_E_UNSURE delivered but
 * no answer; KW_E_LIMIT too many in flight. */

struct keeper_vault_status {
    bool open;
    char method[16];       /* "passphrase", "shares", "tpm2", "pkcs11" */
    uint8_t given, needed; /* shares; 0 where it is opened otherwise */
    uint32_t generation;   /* of the key-encrypting key; 0 while sealed */
    char custody[64];      /* where private keys are: "sealed", "pkcs11", "tpm2 SIMULATED", … */
    int64_t clock_off_s;   /* the clock is later than it can be by so much, or (below 0) behind what
                              was there already; 0: it is believed */
};
/* How the vault is; also while it is sealed. */
kw_status keeper_vault_status(struct kw_op *op, struct keeper *keeper,
                              struct keeper_vault_status *ret);
/* Forget all keys, also over restarts, until a person opens the vault at its socket
 * (keeper/opening.h). Everything else gives KW_E_UNAVAILABLE meanwhile. */
kw_status keeper_vault_seal(struct kw_op *op, struct keeper *keeper);
/**
 * Seal everything anew under a new key-encrypting key. new_secret: nothing yet, but for ten minutes
 * a person may give the vault a new passphrase or new shares at its socket, which does it.
 * Errors: KW_E_APPROVAL, KW_E_DENIED as approvals_require() for APPROVE_VAULT_SHARES where
 * new_secret; those of writing.
 */
kw_status keeper_vault_rekey(struct kw_op *op, struct keeper *keeper, bool new_secret,
                             uint64_t approval_id, uint32_t *ret_generation);

struct keeper_info; /* keeper/msg.h */
/* How the keeper is: keys, signatures, refusals, and whether it can record them. */
kw_status keeper_info(struct kw_op *op, struct keeper *keeper, struct keeper_info *ret);
/* Keys by position 0, 1, …; KW_E_NOT_FOUND past the last. */
kw_status keeper_key_at(struct kw_op *op, struct keeper *keeper, uint32_t index,
                        struct keeper_key_info *ret);
/* KW_E_NOT_FOUND. */
kw_status keeper_key_find(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct keeper_key_info *ret);
kw_status keeper_key_public(struct kw_op *op, struct keeper *keeper, const char *key_id,
                            struct pubkey **ret);
/**
 * Make a key under a sealed policy. Only in a ceremony (KW_E_STATE otherwise). policy->key_id must
 * be new, for ever. For a CA, ca_key_sha1/sha256 are filled in by the keeper. ret: its public
 * key; NULL for a secret, which has none.
 */
kw_status keeper_key_create(struct kw_op *op, struct keeper *keeper,
                            const struct key_policy *policy, struct pubkey **ret);
/* The same with the approval that the vault's rules want (0: none): while serving KW_E_APPROVAL
 * without. The subject is subject_key_create() of keeper/subjects.h. */
kw_status keeper_key_create_approved(struct kw_op *op, struct keeper *keeper,
                                     const struct key_policy *policy, uint64_t approval_id,
                                     struct pubkey **ret);
/* What the key is sealed with. KW_E_NOT_FOUND; KW_E_STATE destroyed. */
kw_status keeper_key_policy(struct kw_op *op, struct keeper *keeper, const char *key_id,
                            struct key_policy *ret);

enum { KEEPER_WHO_MAX = 64, KEEPER_REASON_MAX = 96 };
/* The last time that a key came into one of its states. */
struct keeper_key_phase {
    int64_t since_unix;       /* 0: never was in it */
    char who[KEEPER_WHO_MAX]; /* request id of the gate, "clock" or "keeper" */
    char reason[KEEPER_REASON_MAX];
};
struct keeper_key_life {
    char key_id[KW_NAME_MAX];
    enum key_class class_;
    enum key_state state;
    uint32_t alg;
    int64_t not_before, not_after;
    uint64_t uses;
    uint8_t spki_sha256[KW_HASH_BYTES]; /* of the public key; zero: it was never made */
    char predecessor[KW_NAME_MAX], successor[KW_NAME_MAX]; /* "": none */
    uint64_t crl_number;                                   /* CA: of the last CRL that it signed */
    uint64_t tree_size; /* log signer: last head that its line signed; 0: none */
    uint8_t tree_root[KW_HASH_BYTES];
    int64_t retire_at; /* end of its overlap with the successor; 0: none */
    struct keeper_key_phase phases[KEY_STATE_MAX];
};
/* A key's life, also of a destroyed one. KW_E_NOT_FOUND. */
kw_status keeper_key_history(struct kw_op *op, struct keeper *keeper, const char *key_id,
                             struct keeper_key_life *ret);
/**
 * Another state: activate (also: resume), suspend, deactivate, compromise; durable on return.
 * approval_id: compromise may need one (subject_key_revoke()). ret may be NULL.
 * Errors: KW_E_STATE no such step; KW_E_EXPIRED activation outside the period; KW_E_APPROVAL,
 * KW_E_DENIED; KW_E_NOT_FOUND.
 */
kw_status keeper_key_step(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          enum key_event event, const char *reason, uint64_t approval_id,
                          struct keeper_key_info *ret);
/**
 * Make the key's successor, under the same policy with its period from now on, and begin the
 * overlap, at whose end the old key is deactivated. approval_id: by rule (subject_key_rotate()).
 * ret: the new key. Errors: KW_E_CONFLICT it has a successor; KW_E_STATE destroyed, or its own
 * predecessor is in use still; KW_E_APPROVAL, KW_E_DENIED, KW_E_LIMIT.
 */
kw_status keeper_key_rotate(struct kw_op *op, struct keeper *keeper, const char *key_id,
                            uint64_t approval_id, struct keeper_key_info *ret);
/**
 * Begin a new line of the log that this key signs: a key under the same policy, but of the next
 * free line ("log-2") and its origin (ORIGIN/2), which has signed nothing yet. Only in a ceremony,
 * which is the consent; where a rule of the vault says so, others' too (subject_log_line()). The
 * old line stays as it is. Errors: KW_E_STATE not in a ceremony, or the key is destroyed;
 * KW_E_INPUT it signs no log; KW_E_LIMIT; KW_E_APPROVAL.
 */
kw_status keeper_log_line(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          uint64_t approval_id, struct keeper_key_info *ret);
struct keeper_destroyed {
    char statement[2049];     /* model/statement.h, kind DESTRUCTION */
    char signer[KW_NAME_MAX]; /* "": no key of the vault could sign it */
    uint8_t signature[KW_SIG_MAX];
    uint32_t signature_len;
};
/**
 * Destroy a key for ever and prove it: overwritten and unlinked (a token's: its object), the
 * vault's KEK retired, and each use refused. May be repeated for a destroyed key, for its
 * statement. Errors: KW_E_APPROVAL, KW_E_DENIED; KW_E_NOT_FOUND; KW_E_DEVICE the proof failed.
 */
kw_status keeper_key_destroy(struct kw_op *op, struct keeper *keeper, const char *key_id,
                             const char *reason, uint64_t approval_id,
                             struct keeper_destroyed *ret);
/**
 * n (1..256) fresh serial numbers from the keeper's random generator. A certificate is signed only
 * under a serial that was handed out here and was not used yet, so every serial has 80 random bits
 * (behind the time in milliseconds), whatever the gate does.
 */
kw_status keeper_serials(struct kw_op *op, struct keeper *keeper, const char *ca_key_id, unsigned n,
                         uint8_t ret[][KW_SERIAL_BYTES]);

/* What a signature is for; each has its own message, parser and policy check in the keeper. There
 * is no raw signing. */
enum keeper_purpose {
    KEEPER_SIGN_CERT = 1,   /* message: DER TBSCertificate; arg: rule name of the CA's policy */
    KEEPER_SIGN_CRL,        /* DER TBSCertList; number must rise */
    KEEPER_SIGN_OCSP,       /* DER ResponseData */
    KEEPER_SIGN_TLS,        /* TLS 1.3 server CertificateVerify content (RFC 8446 section 4.4.3) */
    KEEPER_SIGN_CHECKPOINT, /* see keeper_sign_checkpoint() */
    KEEPER_SIGN_CERT_REQUEST, /* DER CertificationRequestInfo of the key's own public key: the CA's
                                 request to its root */
    KEEPER_SIGN_CROSS,        /* DER TBSCertificate between a CA's old and new key; of a log
                                 signer: the announcement of its next key */
    KEEPER_SIGN_STATEMENT,    /* statements of provisioning, evidence and destruction */
    KEEPER_SIGN_FIRMWARE,     /* firmware digests */
    KEEPER_SIGN_TUF,          /* metadata of one TUF role */
    /* No signatures, but the uses of secrets. */
    KEEPER_DATA_WRAP,
    KEEPER_DATA_UNWRAP,
    KEEPER_DATA_DERIVE,
    KEEPER_DATA_MAC,
    KEEPER_DATA_MAC_VERIFY,
    KEEPER_DATA_SEAL,
    KEEPER_DATA_OPEN,
    KEEPER_SIGN_CMP,  /* protected part of an answer of the Certificate Management Protocol */
    KEEPER_KEY_BIRTH, /* no signature: a key that is made for one of the CA's rules, see
                         keeper_key_birth() */
    KEEPER_SIGN_TIME, /* statements of the time, for devices (docs/protocol/device-time.md) */
    KEEPER_SIGN_WIPE, /* orders to one device (docs/protocol/device-wipe.md) */
    KEEPER_PURPOSE_MAX
};
/* What the keeper wrote down of its keys' use, one row after the other. */
enum keeper_journal_kind {
    KEEPER_JOURNAL_USE = 1, /* one use; digest: SHA-256 of what was signed or opened */
    KEEPER_JOURNAL_USES,    /* a key's uses within a minute; digest: d = SHA-256(d || SHA-256(m)) */
    KEEPER_JOURNAL_EVENT,   /* a key was made (what: KEY_EVENT_MAX), or came into another state */
    KEEPER_JOURNAL_CUT,     /* the row before was torn by a power cut; count: octets */
    KEEPER_JOURNAL_VAULT,   /* a person at the vault's socket; what: enum keeper_vault_deed */
    KEEPER_JOURNAL_LEARNED, /* an OCSP signer learned a key of its CA; digest: of the key's bits */
};
enum keeper_vault_deed {
    KEEPER_VAULT_OPENED = 1,
    KEEPER_VAULT_SEALED,
    KEEPER_VAULT_NEW_SECRET,
    KEEPER_VAULT_CLOCK, /* the clock was confirmed; count: seconds that it moved ahead, 0: others */
    KEEPER_VAULT_DEED_MAX
};
struct keeper_journal_row {
    uint64_t seq; /* 1, 2, … without a gap */
    int64_t time_ms;
    enum keeper_journal_kind kind;
    uint8_t what; /* enum keeper_purpose, or enum key_event */
    uint32_t count;
    uint8_t digest[KW_HASH_BYTES]; /* zero where there is none */
    char key_id[KW_NAME_MAX];
    char who[KEEPER_WHO_MAX]; /* request id of the gate, "clock" or "keeper" */
};

/* "certificate", "CRL", "activate", …: what a row is about. */
const char *keeper_journal_what(const struct keeper_journal_row *row);
/**
 * Rows from number `from` (1, 2, …) on, at most max (1..48). ret_last: number of the last there is.
 * KW_E_INTEGRITY the file was altered while the keeper runs.
 */
kw_status keeper_journal_read(struct kw_op *op, struct keeper *keeper, uint64_t from, unsigned max,
                              struct keeper_journal_row ret[], unsigned *ret_n, uint64_t *ret_last);

/**
 * A key of the keeper for OpenSSL users, bound to one purpose. Keep it; it stays valid across
 * restarts of the keeper. arg is copied; NULL where the purpose has none.  Signing errors:
 * KW_E_DENIED outside the sealed policy (text says which rule; the keeper has recorded it too),
 * KW_E_EXPIRED, KW_E_STATE, and those above.
 */
kw_status keeper_privkey(struct kw_op *op, struct keeper *keeper, const char *key_id,
                         enum keeper_purpose purpose, const char *arg, struct privkey **ret);
/* For one certificate of a certification authority: its signature uses up the approved request
 * (subject_ca_cert(), keeper/subjects.h). KW_E_APPROVAL, and those above. */
kw_status keeper_privkey_approved(struct kw_op *op, struct keeper *keeper, const char *ca_key_id,
                                  const char *rule, uint64_t approval_id, struct privkey **ret);
/**
 * Make a key pair for somebody else (RFC 7030 section 4.4): the private half comes back encrypted
 * to the recipient (crypto/cms_key.h), is stored nowhere and known to nobody else.
 *
 * ca_key_id, rule  the CA and the rule of its policy for the certificate; it must allow it
 * alg              enum key_alg, one of the rule's
 * ret, ret_sealed  the public half; DER EnvelopedData
 *
 * Errors: KW_E_DENIED the policy; KW_E_UNSUPPORTED as cms_key_seal(); and those above.
 */
kw_status keeper_key_birth(struct kw_op *op, struct keeper *keeper, const char *ca_key_id,
                           const char *rule, uint32_t alg, const struct pubkey *recipient,
                           struct kw_span recipient_id, struct pubkey **ret,
                           struct kw_bytes **ret_sealed);
/**
 * Sign a log checkpoint body (audit/checkpoint.h). `proof` (n hashes of 32 octets) must prove that
 * the tree extends the last one this key signed; the keeper remembers that one durably, so it never
 * signs two inconsistent heads, whatever the gate does. ret_last_size: on KW_E_DENIED because of a
 * wrong old size, the size that the keeper holds.
 */
kw_status keeper_sign_checkpoint(struct kw_op *op, struct keeper *keeper, const char *key_id,
                                 struct kw_span body, uint64_t old_size,
                                 const uint8_t (*proof)[KW_HASH_BYTES], unsigned n,
                                 struct kw_out *sig, uint64_t *ret_last_size);

/* --- backup (docs/protocol/backup.md) ------------------------------------------------------------
 */

/**
 * What may leave of the vault, written by the keeper into a memory file: policies, public keys, the
 * roster, and in boxes for the recovery key alone the secrets of the keys whose policy has escrow.
 * A private key that signs is never in it.
 *
 * Errors  KW_E_STATE no recovery key was set; KW_E_APPROVAL a rule wants approval; those of
 *         approvals and of writing.
 */
kw_status keeper_vault_export(struct kw_op *op, struct keeper *keeper, uint64_t approval_id,
                              struct kw_bytes **ret);
/**
 * Tell an OCSP signer the next key of its CA, where that lives in another vault. old_key: one that
 * it knows; cross: DER, the next key's certificate by that one. Errors: KW_E_DENIED it is not
 * convinced.
 */
kw_status keeper_ocsp_issuer(struct kw_op *op, struct keeper *keeper, const char *key_id,
                             const struct pubkey *old_key, struct kw_span cross);
/**
 * Set the public half of the key that backups are sealed to. The first one is free in a ceremony;
 * otherwise it needs approval (subject_recovery_set()).
 */
kw_status keeper_recovery_set(struct kw_op *op, struct keeper *keeper, const uint8_t key[32],
                              uint64_t approval_id);

/* A secret that left a vault in a box (VAULT_EXPORT), on its way into this one. */
struct keeper_escrow {
    enum key_state state;  /* pre-active, active, suspended or deactivated */
    struct kw_span policy; /* encoded */
    struct kw_span mark;   /* its check value */
    struct kw_span box;
};
/**
 * Take a key for data back into a vault, in a ceremony, as it was: the same id, policy and state.
 * recovery: the private half of the key that the box is sealed to; the vault has that one or none.
 * Who can give it needs no approval: M people have put their shares together.
 *
 * Errors  KW_E_CONFLICT the vault knows the id, also where that key was destroyed: it never comes
 *         back; KW_E_DENIED another recovery key, or a policy without escrow; KW_E_INTEGRITY the
 * box is another's; KW_E_STATE while serving; those of writing
 */
kw_status keeper_key_import(struct kw_op *op, struct keeper *keeper,
                            const struct keeper_escrow *escrow, const struct kw_secret *recovery);

/* --- two-person control (docs/protocol/keeper.md, Approvals) ------------------------------------
 */

enum { KEEPER_SIGNERS_MAX = ROSTER_MAX + 1 };
/* A request as the keeper holds it. */
struct keeper_approval {
    enum approval_state state;
    uint32_t have;   /* approvals that count now */
    uint32_t needed; /* by the rule in force now */
    uint32_t n;
    struct {
        char name[KW_NAME_MAX];
        enum approval_verdict verdict;
        int64_t unix_s;
    } signers[KEEPER_SIGNERS_MAX]; /* in order; the requester is first */
    uint64_t number; /* of the request among all vaults of a server; the server fills it in */
    struct approval_description what;
    char text[APPROVAL_TEXT_MAX + 1]; /* what people sign, with its NUL */
};

/* Who approves, and by which rules. KW_E_CONFLICT it changed meanwhile. Empty where none was set.
 */
kw_status keeper_roster(struct kw_op *op, struct keeper *keeper, struct roster *ret);
/**
 * Another roster. In a ceremony the first one is free. Otherwise KW_E_APPROVAL without an approved
 * request (subject: roster_change() of the old and the new); KW_E_STATE a rule could not be met any
 * more; KW_E_DENIED.
 */
kw_status keeper_roster_set(struct kw_op *op, struct keeper *keeper, const struct roster *roster,
                            uint64_t approval_id);
/* Ask for approval. requester: a name of the roster. KW_E_DENIED, KW_E_STATE, KW_E_LIMIT. */
kw_status keeper_approval_open(struct kw_op *op, struct keeper *keeper,
                               const struct approval_subject *subject, const char *requester,
                               struct keeper_approval *ret);
/* Hand in a signature over approval_signed_octets(). KW_E_NOT_FOUND, KW_E_STATE, KW_E_EXPIRED,
 * KW_E_DENIED, KW_E_CONFLICT. */
kw_status keeper_approval_sign(struct kw_op *op, struct keeper *keeper, uint64_t id,
                               enum approval_verdict verdict, const char *name,
                               struct kw_span signature, struct keeper_approval *ret);
/* One request; with `next` the first whose id is not below. KW_E_NOT_FOUND. */
kw_status keeper_approval_at(struct kw_op *op, struct keeper *keeper, uint64_t id, bool next,
                             struct keeper_approval *ret);
/* End a request that its requester has not signed. */
/**
 * Use up an approved request for an operation that the server does without a key:
 * APPROVE_REVOKE_PLAN and APPROVE_DEVICE_WIPE (KW_E_DENIED for others). KW_OK: it was approved, for
 * exactly this subject, and is used now, durably; or no rule wants approval. Errors: those of
 * approvals_require().
 */
kw_status keeper_approval_use(struct kw_op *op, struct keeper *keeper,
                              const struct approval_subject *subject, uint64_t approval_id);
kw_status keeper_approval_cancel(struct kw_op *op, struct keeper *keeper, uint64_t id,
                                 struct keeper_approval *ret);

#endif
