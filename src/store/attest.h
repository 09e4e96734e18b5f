/* What devices proved of themselves (model/attest.h), and whose endorsement keys are believed. */
#ifndef STORE_ATTEST_H
#define STORE_ATTEST_H

#include "model/attest.h"
#include "store/store.h"

enum {
    STORE_ATTEST_DETAIL = 192,
    STORE_AK_MAX = 512,    /* TPMT_PUBLIC; RSA-4096 is 570 and no AK here */
    STORE_SIGNER_MAX = 66, /* a name with SHA-512 */
    STORE_ROOT_DER = 4096, /* EK roots are below 2 KB */
    STORE_ROOT_NAME = 192,
    STORE_EK_SERIAL = 20,
};

/* How an EK came to be believed. Stored: append only. */
enum store_ek_how { STORE_EK_NONE = 0, STORE_EK_CHAIN, STORE_EK_PINNED, STORE_EK_UNPROVEN };

struct store_attest {
    char device[KW_NAME_MAX];
    struct attest_standing standing;
    enum attest_level level;
    bool simulated;
    char detail[STORE_ATTEST_DETAIL];
    uint64_t rounds;
    int64_t nonce_ms;      /* nonces given then or before are over */
    int64_t told_until_ms; /* the end of trust that an event told last */
    char root_of_trust[KW_NAME_MAX];
    int64_t bound_ms;          /* 0 = no AK */
    uint8_t ek[KW_HASH_BYTES]; /* SHA-256 of its SubjectPublicKeyInfo; zero = none */
    enum store_ek_how ek_how;
    uint8_t ek_issuer[KW_HASH_BYTES]; /* SHA-256 of its certificate's issuer's key; zero = none */
    uint8_t ek_serial[STORE_EK_SERIAL];
    uint32_t ek_serial_len;
    char ek_name[KW_NAME_MAX]; /* manufacturer and model */
    uint8_t ak[STORE_AK_MAX];  /* TPMT_PUBLIC */
    uint32_t ak_len;
    uint8_t signer[STORE_SIGNER_MAX]; /* the AK's qualified name */
    uint32_t signer_len;
    uint8_t key[KW_HASH_BYTES];       /* id of the certified key; zero = none */
    uint8_t statement[KW_HASH_BYTES]; /* extraData of the last quote; zero = none */
    uint32_t reset_count, restart_count;
    uint64_t clock_ms;
    bool clock_safe;
    uint64_t tpm_firmware;
    char reference[KW_NAME_MAX]; /* the policy's set that its events fit; "" = none asked */
    uint64_t policy_version;
    uint32_t events;             /* of the log, up to the quote */
    uint8_t pcrs[KW_HASH_BYTES]; /* the quoted digest */
};
/* A device that never proved anything: KW_OK and a record of zeroes with its id. */
kw_status store_attest_get(struct kw_op *op, struct store *store, const char *device,
                           struct store_attest *ret);
kw_status store_attest_get_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                               struct store_attest *ret);
/* Insert or replace. KW_E_CONFLICT: the EK is another device's. KW_E_NOT_FOUND no such device. */
kw_status store_attest_put(struct kw_op *op, struct store_txn *txn, const struct store_attest *row);
/* Those with this verdict (ATTEST_VERDICT_MAX: any) in the order of their registration, behind the
 * device `after` ("" = from the start). */
kw_status store_attest_list(struct kw_op *op, struct store *store, enum attest_verdict verdict,
                            const char *after, unsigned max, struct store_attest *ret,
                            unsigned *ret_n);
/* Some of those whose last good round fitted this reference set and that stand so. */
kw_status store_attest_of_reference(struct kw_op *op, struct store_txn *txn, const char *reference,
                                    enum attest_taken taken, enum attest_verdict verdict,
                                    unsigned max, struct store_attest *ret, unsigned *ret_n);
/* How many devices have each verdict, and how many of those trusted run out before now_ms. */
struct store_attest_counts {
    uint64_t n[ATTEST_VERDICT_MAX];
    uint64_t overdue;
};
kw_status store_attest_count(struct kw_op *op, struct store *store, int64_t now_ms,
                             struct store_attest_counts *ret);

/* A nonce of 32 octets that was given at at_ms is used: once. Those given before over_ms are
 * forgotten, and all where a device uses too many; ret_floor_ms: then the newest of them, else 0.
 * ret_first: it was not used before. */
kw_status store_attest_nonce_use(struct kw_op *op, struct store_txn *txn, const char *device,
                                 struct kw_span nonce, int64_t at_ms, int64_t over_ms,
                                 bool *ret_first, int64_t *ret_floor_ms);

/* Keys that the device's attestation key certified: the newest STORE_ATTEST_KEYS of them, by
 * SHA-256 of their SubjectPublicKeyInfo. */
enum { STORE_ATTEST_KEYS = 4 };
kw_status store_attest_key_put(struct kw_op *op, struct store_txn *txn, const char *device,
                               const uint8_t key[KW_HASH_BYTES], int64_t at_ms);
/* ret_ms: when; 0: never, or no more known. */
kw_status store_attest_key_at(struct kw_op *op, struct store *store, const char *device,
                              const uint8_t key[KW_HASH_BYTES], int64_t *ret_ms);
kw_status store_attest_key_drop(struct kw_op *op, struct store_txn *txn, const char *device);

/* An enrolment between its two requests. */
struct store_attest_session {
    char device[KW_NAME_MAX];
    uint8_t session[KW_HASH_BYTES];
    uint8_t secret_sha256[KW_HASH_BYTES];
    int64_t expires_ms;
    char root_of_trust[KW_NAME_MAX];
    bool simulated;
    uint8_t ek[KW_HASH_BYTES];
    enum store_ek_how ek_how;
    uint8_t ek_issuer[KW_HASH_BYTES];
    uint8_t ek_serial[STORE_EK_SERIAL];
    uint32_t ek_serial_len;
    char ek_name[KW_NAME_MAX];
    uint8_t ak[STORE_AK_MAX];
    uint32_t ak_len;
};
/* In the place of the one before. */
kw_status store_attest_session_put(struct kw_op *op, struct store_txn *txn,
                                   const struct store_attest_session *session);
/* Take it out: a session is used once. KW_E_NOT_FOUND. */
kw_status store_attest_session_take(struct kw_op *op, struct store_txn *txn, const char *device,
                                    struct store_attest_session *ret);

/* --- what makers took back -------------------------------------------------------------------- */
struct store_ek_crl {
    uint8_t issuer[KW_HASH_BYTES]; /* SHA-256 of its SubjectPublicKeyInfo */
    char name[STORE_ROOT_NAME];
    int64_t this_update, next_update; /* seconds; next_update 0: none */
    unsigned n;
    int64_t added_ms;
};
/* In the place of the issuer's last one, whose entries are dropped. KW_E_CONFLICT that is as new.
 */
kw_status store_ek_crl_put(struct kw_op *op, struct store_txn *txn, const struct store_ek_crl *crl);
kw_status store_ek_revoked_put(struct kw_op *op, struct store_txn *txn,
                               const uint8_t issuer[KW_HASH_BYTES], struct kw_span serial);
/* In the order of issuers, behind `after` (NULL = from the start). */
kw_status store_ek_crl_list(struct kw_op *op, struct store *store, const uint8_t *after,
                            unsigned max, struct store_ek_crl *ret, unsigned *ret_n);
kw_status store_ek_is_revoked(struct kw_op *op, struct store *store,
                              const uint8_t issuer[KW_HASH_BYTES], struct kw_span serial,
                              bool *ret);
/* One device behind `after` ("" = from the start) that is bound to an EK whose certificate this
 * issuer revoked; "" in ret: none. By device id. */
kw_status store_ek_revoked_device(struct kw_op *op, struct store_txn *txn,
                                  const uint8_t issuer[KW_HASH_BYTES], const char *after,
                                  char ret[KW_NAME_MAX]);

/* --- whose EKs are believed ------------------------------------------------------------------- */
/* Stored: append only. */
enum store_root_kind { STORE_ROOT_CA = 1, STORE_ROOT_INTERMEDIATE, STORE_ROOT_PINNED };
struct store_attest_root {
    uint8_t id[KW_HASH_BYTES]; /* SHA-256 of der */
    enum store_root_kind kind;
    bool simulated;
    char name[STORE_ROOT_NAME];
    uint8_t der[STORE_ROOT_DER]; /* certificate; of a pinned EK its SubjectPublicKeyInfo */
    uint32_t der_len;
    int64_t added_ms;
};
/* KW_E_CONFLICT it is there. */
kw_status store_attest_root_insert(struct kw_op *op, struct store_txn *txn,
                                   const struct store_attest_root *root);
/* KW_E_NOT_FOUND. */
kw_status store_attest_root_delete(struct kw_op *op, struct store_txn *txn,
                                   const uint8_t id[KW_HASH_BYTES]);
kw_status store_attest_root_get(struct kw_op *op, struct store *store,
                                const uint8_t id[KW_HASH_BYTES], struct store_attest_root *ret);
/* In the order of ids, behind `after` (NULL = from the start). */
kw_status store_attest_root_list(struct kw_op *op, struct store *store, const uint8_t *after,
                                 unsigned max, struct store_attest_root *ret, unsigned *ret_n);

#endif
