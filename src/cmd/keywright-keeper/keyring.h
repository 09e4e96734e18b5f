/* The opened vault: all keys in memory, each with its policy and its record in the state. */
#ifndef KEEPER_CMD_KEYRING_H
#define KEEPER_CMD_KEYRING_H

#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/custody.h"
#include "cmd/keywright-keeper/journal.h"
#include "cmd/keywright-keeper/serials.h"
#include "cmd/keywright-keeper/state.h"
#include "cmd/keywright-keeper/vault.h"
#include "keeper/keeper.h"
#include "os/clock.h"

enum { KEYRING_BULK_MAX = 4, KEYRING_CLOCK_BEHIND_S = 300 };

/* Uses of one purpose that are not in the journal yet. */
struct bulk_uses {
    enum keeper_purpose purpose; /* 0: free */
    int64_t minute;              /* Unix time / 60 */
    uint32_t count;
    uint8_t digest[KW_HASH_BYTES]; /* d = SHA-256(d || SHA-256(message)) */
};

struct keeper_key {
    struct key_policy policy;
    struct privkey *private_key;  /* NULL where the class is symmetric, or its token is away */
    struct kw_secret *secret;     /* 32 octets where it is symmetric, else NULL */
    struct pubkey *public_key;    /* of a key in a token; else NULL */
    char token[VAULT_TOKEN_TEXT]; /* its label there; else "" */
    struct key_record *record;    /* in keyring.state */
    struct serials *serials;      /* CA only, else NULL */
    enum keeper_purpose asked;    /* what keyring_use() let through last */
    /* For rate_per_minute: a use costs 60000, a millisecond brings the rate; none at the start, so
     * that ending the keeper gains nothing. */
    uint64_t tokens;
    int64_t filled_mono_ms; /* 0: not begun */
    struct bulk_uses bulk[KEYRING_BULK_MAX];
};

struct keyring {
    struct vault vault;
    struct custody custody; /* where new private keys are made, and those of tokens are */
    struct state *state;
    struct approvals *approvals; /* who approves what, and what was approved */
    struct journal *journal;
    uint8_t boot[OS_BOOT_ID_BYTES]; /* which start of the machine this is */
    int64_t ahead_s;                /* the clock is later than it can be by so much; 0: it is not */
    unsigned n;
    struct keeper_key *at[STATE_KEYS_MAX];
};

/* Who brings a key into another state, and why. */
struct key_cause {
    int64_t now_unix;
    const char *who;    /* request id, "clock", "keeper" */
    const char *reason; /* one line for people */
};

/**
 * Open (or create) a vault and load every key.
 * Errors: those of vault_create() and vault_open(); KW_E_INTEGRITY where keys and state disagree.
 */
kw_status keyring_open(struct kw_op *op, const char *dir, const char *unlock, bool create,
                       struct keyring **ret);
/* The same for a vault that is unlocked; it is taken, also on failure. custody: URI of its token
 * (borrowed), or NULL. A rekeying that was cut short is finished. */
kw_status keyring_load(struct kw_op *op, struct vault *vault, const char *custody,
                       struct keyring **ret);
/* The private key of a key in a token, where it was not there before. Those of custody_load(). */
kw_status keyring_reach(struct kw_op *op, struct keyring *keyring, struct keeper_key *key);
/**
 * Seal everything anew under a new key-encrypting key and retire the old one: an old copy of a key
 * file is worthless from here on. opener: a new secret (taken), or NULL for the same one. Durable;
 * after a crash or failure it is finished at the next opening, or the next call. Errors: those of
 * vault_rekey_begin(), reading and writing.
 */
kw_status keyring_rekey(struct kw_op *op, struct keyring *keyring, struct opener *opener);
/* Only keyring.c: the second half. */
kw_status keyring_rekey_finish(struct kw_op *op, struct keyring *keyring);
/* Forget everything; the caller has saved what is dirty. */
void keyring_free(struct keyring *keyring);
KW_OWNED(keyring, struct keyring, keyring_free)

/* NULL where there is none. */
struct keeper_key *keyring_find(const struct keyring *keyring, const char *key_id);
/* Make a key under a checked policy; durable on return. KW_E_CONFLICT, KW_E_LIMIT, those of
 * writing. */
kw_status keyring_create(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                         const struct key_cause *cause, struct keeper_key **ret);
/* Take a secret key over that was in another vault, or an older state of this one; secret is taken.
 * KW_E_CONFLICT the id was ever used here; KW_E_LIMIT; those of writing. */
kw_status keyring_import(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                         enum key_state state, struct kw_secret **secret,
                         const struct key_cause *cause);
/**
 * Make a key's successor under the same policy, with its period from now on; the overlap begins
 * when the successor becomes active. Errors: KW_E_CONFLICT it has one; KW_E_STATE destroyed, or its
 * own predecessor is still in use; those of keyring_create().
 */
kw_status keyring_rotate(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                         const struct key_cause *cause, struct keeper_key **ret);
/**
 * Make the first key of a log's next free line: LINE-2 of origin ORIGIN/2, else under the same
 * policy. It inherits nothing: no head was signed of that origin. Errors: KW_E_INPUT the key signs
 * no log; KW_E_LIMIT; those of keyring_create().
 */
kw_status keyring_line(struct kw_op *op, struct keyring *keyring, const struct keeper_key *key,
                       const struct key_cause *cause, struct keeper_key **ret);
/* Only keyring_rotate.c: the id is free again where the making of its key was cut short, and
 * nothing was made since; what a token has of it is destroyed. */
kw_status keyring_forget_stub(struct kw_op *op, struct keyring *keyring, const char *key_id);
/* Only keyring_rotate.c: keyring_create() with a predecessor (NULL: none). */
kw_status keyring_make(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                       const struct key_record *predecessor, const struct key_cause *cause,
                       struct keeper_key **ret);

/* What shows that a key is gone. */
struct key_proof {
    char method[128], proof[128], probe[128], custody[128];
    uint32_t kek_retired; /* generation of the KEK under which the key lay */
};
/**
 * Destroy a key that is in the keyring, or finish the destruction of one that is not any more: its
 * state first, then its octets, then the KEK over them; at the end every way to use it is tried and
 * must fail. Errors: KW_E_NOT_FOUND; KW_E_DEVICE the proof failed; those of writing: then it is
 * destroyed for every use, and may be called again.
 */
kw_status keyring_destroy(struct kw_op *op, struct keyring *keyring, const char *key_id,
                          const struct key_cause *cause, struct key_proof *ret);
/* Only keyring_destroy.c: out of memory with it. */
void keyring_drop(struct keyring *keyring, struct keeper_key *key);
/* The octets of a destroyed key's file, where a crash left it. */
kw_status keyring_erase(struct kw_op *op, const struct keyring *keyring, const char *key_id,
                        size_t *ret_size);
/* Journal, then state, where they hold more than their files. */
kw_status keyring_save(struct kw_op *op, struct keyring *keyring);

/**
 * The one writer of a key's state. Journalled and durable on return.
 * Errors: KW_E_STATE SP 800-57 has no such step; KW_E_EXPIRED activation outside the period;
 * KW_E_UNAVAILABLE activation by an uncertain clock; those of writing: then nothing has changed,
 * but where it may or may not be on disk (KW_E_UNSURE) the stricter of both states holds.
 */
kw_status keyring_step(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                       enum key_event event, const struct key_cause *cause);
/* What time alone does to a key: activation, the period's end, the overlap's end, the last use. */
kw_status keyring_settle(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                         int64_t now_unix);
/* Settle all keys and raise the floor of the clock: at the start and now and then; no use depends
 * on it. */
kw_status keyring_tick(struct kw_op *op, struct keyring *keyring, int64_t now_unix);
/**
 * Compare the wall clock with how long the machine has been running (os_clock_up_s()), before what
 * depends on it: where it is a day later than that allows, or a month later than when the vault was
 * seen last by a machine that was off since, time stands still for the keys until it is right again
 * or somebody confirms it.
 */
void keyring_watch_clock(struct keyring *keyring, int64_t now_unix, int64_t up_s);
/* A ceremony's operator vouches for the clock, whatever was believed before. */
void keyring_trust_clock(struct keyring *keyring, int64_t now_unix, int64_t up_s);
/* The same by somebody at the vault's socket: journalled, durable on return. */
kw_status keyring_confirm_clock(struct kw_op *op, struct keyring *keyring, int64_t now_unix,
                                int64_t up_s);
/* 0: it is believed; above 0: later than it can be by so many seconds; below: behind. */
int64_t keyring_clock_off(const struct keyring *keyring, int64_t now_unix);
/* KW_E_UNAVAILABLE "clock: …" where it is ahead as above, or more than 5 minutes behind a time that
 * was there already. */
kw_status keyring_clock(struct kw_op *op, const struct keyring *keyring, int64_t now_unix);

/**
 * The key for a use now; state and period are settled first. Errors: KW_E_NOT_FOUND; KW_E_DENIED
 * another purpose; KW_E_STATE not active (nor deactivated, for what reads old data); KW_E_EXPIRED
 * outside its periods; KW_E_UNAVAILABLE the clock.
 */
kw_status keyring_use(struct kw_op *op, struct keyring *keyring, const char *key_id,
                      enum keeper_purpose purpose, int64_t now_unix, struct keeper_key **ret);
/**
 * Count one use, before it is made: usage_max cannot be exceeded, whatever crashes.
 * Errors: KW_E_EXPIRED usage_max is reached; KW_E_LIMIT rate_per_minute is; those of writing.
 */
kw_status keyring_count(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                        int64_t mono_ms);
/* Write down what a key was used for: at once, or with the minute (purpose_is_bulk()). */
kw_status keyring_note(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                       enum keeper_purpose purpose, struct kw_span message, const char *who);
/* The same with the SHA-256 of what was signed at hand. */
kw_status keyring_note_digest(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                              enum keeper_purpose purpose, const uint8_t digest[KW_HASH_BYTES],
                              const char *who);
/* What a person did at the vault's socket: the server's log gets it from here. */
kw_status keyring_note_deed(struct kw_op *op, struct keyring *keyring, enum keeper_vault_deed deed,
                            uint32_t count, int64_t now_unix);
/* Uses of minutes that are over (all: also of this one) into the journal. */
kw_status keyring_flush(struct kw_op *op, struct keyring *keyring, int64_t now_unix, bool all);
/* A clean end: what was reserved and not used is given back. */
void keyring_give_back(struct keyring *keyring);
const struct pubkey *keeper_key_pubkey(const struct keeper_key *key); /* of a key pair */
/* What tells people which key it is: the SubjectPublicKeyInfo, or a secret's check value. */
enum { KEY_CHECK_VALUE_BYTES = 8 };
kw_status keeper_key_mark(struct kw_op *op, const struct keeper_key *key, struct kw_out *out);

#endif
