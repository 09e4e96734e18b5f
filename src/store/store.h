/*
 * The store: repositories over SQL, and the one committer that makes changes durable.
 *
 * Reads: any thread, through per-thread read connections (WAL), see only committed state.
 * Writes: a change is a function run by the committer thread inside a savepoint of one transaction
 * that many concurrent changes share (group commit). store_change() returns when that transaction
 * is durable (synchronous=FULL), or when this change failed; a failed change is rolled back to its
 * savepoint and harms no neighbour.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "model/attest.h"
#include "model/cert_state.h"
#include "model/firmware.h"
#include "model/key.h"

struct store;
struct store_txn; /* valid only inside a change function or the seal hook, on the committer thread
                   */

/**
 * Called once a batch, after its changes and before its commit, with the log entries that they
 * appended, in order (not where there are none): the sequencer (service/log) gives them their
 * places in the Merkle tree and writes tiles through store_log_* calls. store_log_size_txn() is the
 * size before them: entry i has index size + i. An error rolls the whole batch back; every change
 * in it fails with KW_E_UNAVAILABLE. The disk's own failures keep their code.
 */
typedef kw_status (*store_seal_fn)(struct kw_op *op, struct store_txn *txn,
                                   const struct kw_span entries[], unsigned n, void *ctx);
/* Called after the commit (durable = true) or the rollback (false) of a batch whose seal hook had
 * run. */
typedef void (*store_sealed_fn)(bool durable, void *ctx);

/* What a change did to the standing of a certificate, or of the device that owns some; or that a
 * device gave a sign of life. */
enum { STORE_OWNER_MAX = KW_NAME_MAX + 8 };
struct store_notice {
    enum { STORE_NOTICE_CERT = 1, STORE_NOTICE_DEVICE } what;
    char owner[STORE_OWNER_MAX]; /* "device:DEV1" */
    enum device_state device;    /* of a device: its state now */
    int64_t last_seen_ms;        /* of a device */
    enum cert_state before;      /* of a certificate: 0 where it is new */
    enum cert_state state;
    char ca[KW_NAME_MAX], profile[KW_NAME_MAX];
    uint8_t serial[KW_SERIAL_MAX];
    uint32_t serial_len, shard;
    int64_t not_after, revoked_s;
    int reason;
};
/**
 * Called after each commit, before any of its changes returns, with what they did, in order; on the
 * committer's thread, so briefly. sure = false (and n = 0): the commit broke while syncing, so it
 * may or may not have happened: whoever keeps a copy must read it anew.
 */
typedef void (*store_noticed_fn)(const struct store_notice at[], unsigned n, bool sure, void *ctx);

struct store_config {
    const char *path;   /* SQLite file; made, 0600, where absent */
    unsigned batch_max; /* changes in one transaction at most; 0 = 512 */
    store_seal_fn seal; /* may be NULL */
    store_sealed_fn sealed;
    void *seal_ctx;
    store_noticed_fn noticed; /* may be NULL */
    void *noticed_ctx;
};

/* Open and migrate to the newest schema. KW_E_UNSUPPORTED: the file is newer than this program.
 * KW_E_INTEGRITY: not ours or damaged. KW_E_UNAVAILABLE: another process has it open. */
kw_status store_open(struct kw_op *op, const struct store_config *config, struct store **ret);
void store_close(struct store *store); /* waits for changes in flight */
KW_OWNED(store, struct store, store_close)

/**
 * Make a change. `change` may be run more than once (a batch is run again where a neighbour failed
 * half-way), so it must only write through txn and set *ctx results idempotently. A store call that
 * fails may be passed over by `change` (a key that is known already), except store_cert_insert():
 * a change in which it failed fails.
 * Errors: those of `change`; KW_E_FULL, KW_E_IO the disk (also where a neighbour of the batch met
 *         it); KW_E_TIMEOUT its turn did not come before op's deadline; KW_E_LIMIT queue full;
 *         KW_E_UNAVAILABLE the log could not be sealed, or the store is being closed: nothing was
 *         changed.
 *         KW_E_UNSURE the commit did not end within 10 s of the deadline, or broke while syncing.
 * Blocks  until durable, or until the deadline where it has not begun; never gives up in between.
 * Threads any but the committer (a change within a change is KW_E_INTERNAL).
 */
kw_status store_change(struct kw_op *op, struct store *store,
                       kw_status (*change)(struct kw_op *op, struct store_txn *txn, void *ctx),
                       void *ctx);
/* Append an entry (an encoded event) to the log, as part of this change. Copied. */
kw_status store_log_append(struct kw_op *op, struct store_txn *txn, struct kw_span entry);

/**
 * Copy the store as it is now, one consistent state, into a new file of its own (0600), while
 * changes go on: they do not wait for it, only their WAL grows. Durable on return.
 * Errors: KW_E_CONFLICT the file is there; KW_E_FULL, KW_E_IO, KW_E_TIMEOUT: nothing is left of it.
 * Blocks long where the store is large. Any thread.
 */
kw_status store_backup(struct kw_op *op, struct store *store, const char *path);
/* Is this file a whole, sound store of ours? Reads all of it. KW_E_INTEGRITY. */
kw_status store_verify(struct kw_op *op, const char *path);

/* --- devices ---------------------------------------------------------------------------------- */
enum batch_state { BATCH_OPEN = 1, BATCH_CLOSING, BATCH_CLOSED, BATCH_QUARANTINED };

struct store_device {
    char id[KW_NAME_MAX]; /* unique for all time */
    char product[KW_NAME_MAX];
    char serial[KW_NAME_MAX]; /* manufacturer's serial number, unique for all time within a product
                               */
    char hw_type[64];         /* dotted OID for hardwareModuleName */
    char batch[KW_NAME_MAX];  /* it was made in; "" = none */
    enum batch_state batch_state; /* now (read only; store_batch_update() sets it); 0 = none */
    enum device_state state;
    int64_t registered_ms, last_seen_ms; /* 0 = never */
    char agent[KW_NAME_MAX];             /* what it said of itself in its last hello */
    char root_of_trust[KW_NAME_MAX];
    char firmware[FIRMWARE_MAX];        /* the version that it said it runs; "" = it never did */
    bool simulated;                     /* its root of trust is a stand-in */
    uint8_t secret_hash[KW_HASH_BYTES]; /* SHA-256 of the one-time registration secret */
    int64_t secret_expires_ms;          /* 0 = none open */
    uint8_t secret_used_csr[KW_HASH_BYTES]; /* SHA-256 of the request that used it up; all zero =
                                               unused */
    uint32_t secret_failures;               /* wrong secrets in a row */
    int64_t renew_plan; /* it is to renew for this plan of revocation (read only); 0 = none */
    /* Since when it may not enrol anew, and for which revocation (read only; store_device_bar()
     * sets it); 0 = it may. */
    int64_t barred_ms;
    int barred_reason;
    /* What it proved (read only; store/attest.h has the whole record, and writes it). */
    struct store_device_attest {
        enum attest_verdict verdict; /* as of its last round: see attest_verdict_now() */
        enum attest_reason reason;
        enum attest_level level;
        bool simulated;
        int64_t valid_until_ms;              /* of trust; 0 = none */
        uint32_t reset_count, restart_count; /* of its TPM: which boot it was */
    } attest;
};
/* KW_E_CONFLICT id or serial was used before. */
kw_status store_device_insert(struct kw_op *op, struct store_txn *txn,
                              const struct store_device *device);
/* Update everything but id, product, serial, hw_type, batch, registered_ms. KW_E_NOT_FOUND. */
kw_status store_device_update(struct kw_op *op, struct store_txn *txn,
                              const struct store_device *device);
/* It may not enrol anew, for a revocation with this reason; a mark that is there stays, unless it
 * is that of a hold. Owners that are no devices have none. */
kw_status store_device_bar(struct kw_op *op, struct store_txn *txn, const char *owner, int reason,
                           int64_t at_ms);
/* It may again; _held: only where the mark is a hold's, and none of its certificates is held. */
kw_status store_device_unbar(struct kw_op *op, struct store_txn *txn, const char *owner);
kw_status store_device_unbar_held(struct kw_op *op, struct store_txn *txn, const char *owner);
kw_status store_device_get(struct kw_op *op, struct store *store, const char *id,
                           struct store_device *ret);
kw_status store_device_get_txn(struct kw_op *op, struct store_txn *txn, const char *id,
                               struct store_device *ret);

/* Listing: rows after `after` in key order, at most max; *ret_n says how many. after "" = from the
 * start. */
kw_status store_device_list(struct kw_op *op, struct store *store, const char *after, unsigned max,
                            struct store_device *ret, unsigned *ret_n);

/* --- stations: registration authorities --------------------------------------------------------
 */
struct store_grant {
    char station[KW_NAME_MAX]; /* the certificate's owner without "station:" */
    char product[KW_NAME_MAX]; /* whose devices it may enrol */
    int64_t granted_ms;
};
/* KW_E_CONFLICT it may already. */
kw_status store_station_grant(struct kw_op *op, struct store_txn *txn,
                              const struct store_grant *grant);
/* KW_E_NOT_FOUND it may not anyway. */
kw_status store_station_end(struct kw_op *op, struct store_txn *txn, const char *station,
                            const char *product);
kw_status store_station_may(struct kw_op *op, struct store *store, const char *station,
                            const char *product, bool *ret);
kw_status store_station_may_txn(struct kw_op *op, struct store_txn *txn, const char *station,
                                const char *product, bool *ret);
/* The device with this serial number among the station's products. KW_E_NOT_FOUND, KW_E_CONFLICT
 * more than one. */
kw_status store_station_device(struct kw_op *op, struct store *store, const char *station,
                               const char *serial, char ret_id[KW_NAME_MAX]);
/* In the order of station and product; after NULL = from the start. */
kw_status store_station_list(struct kw_op *op, struct store *store, const struct store_grant *after,
                             unsigned max, struct store_grant *ret, unsigned *ret_n);

/* --- public keys: one owner and one use for ever
 * -------------------------------------------------------------------- */
struct store_pubkey {
    uint8_t id[KW_HASH_BYTES]; /* SHA-256 of the SubjectPublicKeyInfo */
    char owner[KW_NAME_MAX];   /* "device:DEV1", "server:…", "ca:…" */
    char profile[KW_NAME_MAX];
    enum key_class class_;
    enum key_state state;
    char alg[16];
    char custody[KW_NAME_MAX]; /* "device tpm2 SIMULATED", "keeper soft-sealed" … as far as known */
    int64_t created_ms, state_ms;
};
/* KW_E_CONFLICT the key is known already; the owner is not told. */
kw_status store_pubkey_insert(struct kw_op *op, struct store_txn *txn,
                              const struct store_pubkey *key);
kw_status store_pubkey_set_state(struct kw_op *op, struct store_txn *txn,
                                 const uint8_t id[KW_HASH_BYTES], enum key_state state,
                                 int64_t at_ms);
kw_status store_pubkey_get(struct kw_op *op, struct store *store, const uint8_t id[KW_HASH_BYTES],
                           struct store_pubkey *ret);
kw_status store_pubkey_get_txn(struct kw_op *op, struct store_txn *txn,
                               const uint8_t id[KW_HASH_BYTES], struct store_pubkey *ret);
kw_status store_pubkey_list(struct kw_op *op, struct store *store,
                            const uint8_t after[KW_HASH_BYTES], unsigned max,
                            struct store_pubkey *ret, unsigned *ret_n);

/* --- keys for data ---------------------------------------------------------------------------- */
enum { STORE_WRAPPED_MAX = 768, STORE_CONTEXT_MAX = 160 };
struct store_data_key {
    char id[KW_NAME_MAX];  /* unique for all time */
    char kek[KW_NAME_MAX]; /* line of its key-encrypting key: "data" of "data", "data.2" … */
    uint32_t generation;   /* of the KEK that wraps it now, from 1 */
    uint32_t asked;        /* the log says that it is to be wrapped under this one; by insert the
                              same as generation */
    char context[STORE_CONTEXT_MAX];
    uint8_t wrapped[STORE_WRAPPED_MAX];
    uint32_t wrapped_len;
    int64_t created_ms, rewrapped_ms; /* 0 = never */
    enum key_state state;
};
/* KW_E_CONFLICT the id was used before. */
kw_status store_data_key_insert(struct kw_op *op, struct store_txn *txn,
                                const struct store_data_key *key);
/* Raise `asked`. ret_new: it was lower, so the log has no word of this yet. */
kw_status store_data_key_ask(struct kw_op *op, struct store_txn *txn, const char *id,
                             uint32_t generation, bool *ret_new);
/* KW_E_CONFLICT it is not, or no longer, under generation `from`; KW_E_STATE `to` is older. */
kw_status store_data_key_rewrap(struct kw_op *op, struct store_txn *txn, const char *id,
                                uint32_t from, uint32_t to, struct kw_span wrapped, int64_t at_ms);
/* KW_E_NOT_FOUND. */
kw_status store_data_key_get(struct kw_op *op, struct store *store, const char *id,
                             struct store_data_key *ret);
/* In order of id, behind `after` ("" = from the start). */
kw_status store_data_key_list(struct kw_op *op, struct store *store, const char *after,
                              unsigned max, struct store_data_key *ret, unsigned *ret_n);
/* Those of a line under a generation below this one, oldest generation first; after: the last one
 * of the page before, or NULL. */
kw_status store_data_key_list_old(struct kw_op *op, struct store *store, const char *kek,
                                  uint32_t below, const struct store_data_key *after, unsigned max,
                                  struct store_data_key *ret, unsigned *ret_n);
/* How many of a line are under generations from … below-1. */
kw_status store_data_key_count(struct kw_op *op, struct store *store, const char *kek,
                               uint32_t from, uint32_t below, uint64_t *ret);
/* The next line that wraps data keys, in order, behind `after`. KW_E_NOT_FOUND. */
kw_status store_data_key_next_kek(struct kw_op *op, struct store *store, const char *after,
                                  char ret[KW_NAME_MAX]);

/* --- certificates ----------------------------------------------------------------------------- */
struct store_cert {
    int64_t row; /* store's own number, rising with issuance; set by insert */
    char ca[KW_NAME_MAX];
    uint8_t serial[KW_SERIAL_MAX]; /* unique within the CA */
    uint32_t serial_len;
    char owner[KW_NAME_MAX]; /* "device:DEV1" … */
    char profile[KW_NAME_MAX];
    uint8_t pubkey[KW_HASH_BYTES];
    uint8_t fingerprint[KW_HASH_BYTES]; /* SHA-256 of the DER, unique */
    uint8_t
        csr[KW_HASH_BYTES]; /* SHA-256 of the request; zero = none: lets a replay find its answer */
    int64_t not_before, not_after; /* Unix seconds */
    enum cert_state state;
    int64_t revoked_s; /* 0 = not */
    int reason;
    int64_t issued_ms;
    uint32_t shard;    /* which of the CA's lists it is on: service/validation/shard.h; 0 = whole */
    char subject[256]; /* text for people */
    uint8_t der[KW_CERT_MAX];
    uint32_t der_len;
};
/* KW_E_CONFLICT serial or fingerprint exists. Sets cert->row. Only one that is held or revoked may
 * be without its DER: known from the log alone. */
kw_status store_cert_insert(struct kw_op *op, struct store_txn *txn, struct store_cert *cert);
/**
 * VALID/SUPERSEDED/HELD → REVOKED etc.; one that was held keeps the time since when it was on hold.
 * VALID for a held one is its release: superseded again where it was. KW_E_NOT_FOUND; KW_E_STATE it
 * is revoked already (never un-revoked).
 */
kw_status store_cert_set_state(struct kw_op *op, struct store_txn *txn, int64_t row,
                               enum cert_state state, int64_t revoked_s, int reason);
/* ca NULL: of any; the first one recorded. */
kw_status store_cert_by_serial(struct kw_op *op, struct store *store, const char *ca,
                               struct kw_span serial, struct store_cert *ret);
kw_status store_cert_by_serial_txn(struct kw_op *op, struct store_txn *txn, const char *ca,
                                   struct kw_span serial, struct store_cert *ret);
kw_status store_cert_by_fingerprint(struct kw_op *op, struct store *store,
                                    const uint8_t fingerprint[KW_HASH_BYTES],
                                    struct store_cert *ret);
kw_status store_cert_by_fingerprint_txn(struct kw_op *op, struct store_txn *txn,
                                        const uint8_t fingerprint[KW_HASH_BYTES],
                                        struct store_cert *ret);
/* The newest certificate for exactly this request of this owner. KW_E_NOT_FOUND. */
kw_status store_cert_by_csr_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                const uint8_t csr[KW_HASH_BYTES], struct store_cert *ret);

/* What a relying check needs, without reading the DER: the hot path of every request and every OCSP
 * answer. */
struct store_cert_status {
    int64_t row; /* 0 where the answer came from memory */
    enum cert_state state;
    int64_t not_before, not_after, revoked_s;
    int reason;
    char owner[KW_NAME_MAX];
    char profile[KW_NAME_MAX];
    enum device_state device; /* 0 where the owner is no device */
};
/* KW_E_NOT_FOUND: we never issued it. */
kw_status store_cert_status(struct kw_op *op, struct store *store, const char *ca,
                            struct kw_span serial, struct store_cert_status *ret);

/* Every owner, and every certificate, in two snapshots, streaming: to fill a table in memory. */
typedef kw_status (*store_owner_fn)(struct kw_op *op, void *ctx, int64_t id, const char *owner,
                                    enum device_state device, /* 0: no device */
                                    int64_t last_seen_ms);
kw_status store_owner_each(struct kw_op *op, struct store *store, store_owner_fn each, void *ctx);
/* Has this owner ("service:NAME") ever had a certificate, or key, or record? */
kw_status store_owner_known_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                bool *ret);
struct store_standing {
    struct kw_span ca, profile, serial; /* borrowed until the next one */
    int64_t owner;                      /* id, as store_owner_each() gave it */
    enum cert_state state;
    int64_t not_after, revoked_s;
    int reason;
};
typedef kw_status (*store_standing_fn)(struct kw_op *op, void *ctx,
                                       const struct store_standing *one);
kw_status store_standing_each(struct kw_op *op, struct store *store, store_standing_fn each,
                              void *ctx);

/* What certificates must be to be found; NULL, 0 and "" = any. */
struct store_cert_filter {
    const char *owner, *ca, *profile;
    struct kw_span serial; /* of whichever CA */
    const uint8_t *key;    /* SHA-256 of the SubjectPublicKeyInfo */
    const char *subject; /* what its common name begins with; behind a '*': what stands anywhere in
                            it. Small and capital letters A to Z are the same. */
    /* Of the device whose it is. Versions need a product, batch or owner beside them: a pattern
     * (model/version_pattern.h), the oldest, and the first that is too new. */
    const char *product, *batch, *firmware, *firmware_from, *firmware_below;
    enum cert_state state;
    int64_t expires_from, expires_before; /* Unix seconds: from ≤ end < before */
    int64_t issued_from_ms;
    int64_t after_row, after_s; /* it goes on behind this cursor */
};
/* Does this version fit the filter? */
bool store_firmware_fits(const struct store_cert_filter *filter, const char *version);
/* The row that a page ended at, and since when it is in its state; all zero: there is no more. */
struct store_cert_cursor {
    int64_t row, s;
};
/* One that was found, in numbers: those of names (store_name_text()) and owner. */
struct store_cert_ref {
    int64_t row, ca, profile, owner;
    enum cert_state state;
    int64_t not_after, issued_ms, revoked_s;
};
struct store_conn;
typedef kw_status (*store_cert_each_fn)(struct kw_op *op, void *ctx, struct store_conn *conn,
                                        const struct store_cert_ref *ref);
/**
 * One page: calls `each` for at most `max` certificates, and looks at no more than 200,000 rows for
 * them, so a page may hold fewer, or none, and still not be the last one. The order is that of the
 * way by which they are found (cert_find.h), always the same for the same filter; by row where
 * nothing but CA, state "valid" or times are given. `each` may read through conn.
 * KW_E_INPUT: versions without a product, a pattern that is none, an empty subject.
 */
kw_status store_cert_find(struct kw_op *op, struct store *store,
                          const struct store_cert_filter *filter, unsigned max,
                          store_cert_each_fn each, void *ctx, struct store_cert_cursor *ret_next);
/* All of it, within `each`. */
kw_status store_cert_whole(struct kw_op *op, struct store_conn *conn,
                           const struct store_cert_ref *ref, struct store_cert *ret);
/* As many as fit into an array: in the order of store_cert_find(). *ret_n below max: no more. */
kw_status store_cert_list(struct kw_op *op, struct store *store,
                          const struct store_cert_filter *filter, unsigned max,
                          struct store_cert *ret, unsigned *ret_n);
struct store_revoked {
    struct kw_span serial; /* borrowed until the next one */
    int64_t revoked_s, not_after;
    int reason;
};
typedef kw_status (*store_revoked_fn)(struct kw_op *op, void *ctx, const struct store_revoked *one);
enum { STORE_SHARD_ANY = -1 };
/* Every revoked or held certificate of a CA's shard, or of all its shards (STORE_SHARD_ANY), that
 * ends at not_after_from or later, in one consistent snapshot, streaming. Held ones have the reason
 * certificateHold. */
kw_status store_cert_revoked_each(struct kw_op *op, struct store *store, const char *ca, int shard,
                                  int64_t not_after_from, store_revoked_fn each, void *ctx);
/* The shards that certificates of a CA are in, rising; at most max. */
kw_status store_cert_shards(struct kw_op *op, struct store *store, const char *ca, unsigned max,
                            uint32_t *ret, unsigned *ret_n);
/* For dashboards and /metrics; kept as running totals. certs_valid: by state, ended ones too. */
struct store_counts {
    uint64_t devices, devices_active, certs, certs_valid, certs_revoked, log_entries, pubkeys;
};
kw_status store_counts(struct kw_op *op, struct store *store, struct store_counts *ret);

/* --- CRLs, small documents and counters
 * --------------------------------------------------------------------------- */
/* Named blobs with a version: "crl:devices", "checkpoint", "ca-cert:devices". Replaced whole. */
kw_status store_blob_put(struct kw_op *op, struct store_txn *txn, const char *name,
                         uint64_t version, struct kw_span content);
kw_status store_blob_get(struct kw_op *op, struct store *store, const char *name,
                         uint64_t *ret_version, struct kw_bytes **ret);
/* Add 1 to a named counter for ever, return the new value (CRL numbers). Starts at 1. */
kw_status store_counter_next(struct kw_op *op, struct store_txn *txn, const char *name,
                             uint64_t *ret);

/* Make a counter at least so high. */
kw_status store_counter_raise(struct kw_op *op, struct store_txn *txn, const char *name,
                              uint64_t least);

/* --- log -------------------------------------------------------------------------------------- */
/* Write a tile (level ≥ 0: width × 32 octets, replacing a narrower one). Only from the seal hook.
 */
kw_status store_log_tile_put(struct kw_op *op, struct store_txn *txn, unsigned level,
                             uint64_t index, struct kw_span hashes);
/* Number of entries; in a txn without those of its own batch. Entries themselves are written by the
 * store: entry i of the batch gets index size + i. */
kw_status store_log_size(struct kw_op *op, struct store *store, uint64_t *ret);
kw_status store_log_size_txn(struct kw_op *op, struct store_txn *txn, uint64_t *ret);
kw_status store_log_tile_get(struct kw_op *op, struct store *store, unsigned level, uint64_t index,
                             struct kw_bytes **ret);
/* Entries first … first+max-1, streaming; fewer at the end. */
kw_status store_log_each(struct kw_op *op, struct store *store, uint64_t first, unsigned max,
                         kw_status (*each)(struct kw_op *op, void *ctx, uint64_t index,
                                           struct kw_span entry),
                         void *ctx);

#endif
