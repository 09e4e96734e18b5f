/* For service/attest/ only. */
#ifndef SERVICE_ATTEST_INTERNAL_H
#define SERVICE_ATTEST_INTERNAL_H

#include "crypto/tpm_read.h"
#include "service/attest/attest.h"
#include "store/attest_policy.h"

/* docs/protocol/attest.md section 1. False: the connection has no exporter. */
bool attest_qualifying(const struct attest_peer *peer, struct kw_span nonce,
                       uint8_t ret[KW_HASH_BYTES]);
/* A nonce for this device: it carries when it was made and by which start, and a MAC. */
kw_status attest_nonce_make(struct kw_op *op, const char *device, int64_t at_ms,
                            uint8_t ret[ATTEST_NONCE]);
/* ATTEST_R_OK (ret_at_ms: when it was made), WRONG_NONCE, NONCE_LOST, NONCE_EXPIRED. */
enum attest_reason attest_nonce_judge(const char *device, struct kw_span nonce, int64_t now_ms,
                                      int64_t *ret_at_ms);
/* A key that an AK says is in its TPM. */
struct attest_held {
    uint8_t key[KW_HASH_BYTES]; /* SHA-256 of its SubjectPublicKeyInfo */
    struct kw_span signer;      /* who the AK says it is; borrowed */
};
/* Does this AK (TPMT_PUBLIC), over this nonce and connection, say so of the key that is shown?
 * signer: empty, or who it must be. ATTEST_R_OK or why not. */
enum attest_reason attest_judge_held(const struct attest_peer *peer, struct kw_span ak,
                                     struct kw_span signer, struct kw_span nonce,
                                     const struct attest_certified *said, struct attest_held *ret);
/* The same of the key of the connection. ret_signer: who the AK says it is. */
enum attest_reason attest_judge_certified(const struct attest_peer *peer, struct kw_span ak,
                                          struct kw_span nonce, const struct attest_certified *said,
                                          struct kw_span *ret_signer);
/* CAs that operators added, DER, for the judgement of one EK. */
enum { ATTEST_CAS_MAX = 64 }; /* all TPM makers together have fewer in use */
struct attest_cas {
    struct store_attest_root at[ATTEST_CAS_MAX];
    unsigned n;
};
/* The certificates among them, roots and intermediates. */
unsigned attest_cas_certs(const struct attest_cas *all, struct kw_span ret[ATTEST_CAS_MAX]);
/* The AK's key. KW_E_INPUT. */
kw_status attest_ak_key(struct kw_op *op, struct kw_span ak, struct pubkey **ret);
/* What operators said that bears on a device's round, and what the judge says beyond a reason. */
struct attest_policy {
    char product[KW_NAME_MAX];
    bool element;   /* it says that its keys lie in a secure element, and its product's do */
    bool simulated; /* that stands in for one */
    bool revoked;   /* the maker took the EK certificate back */
    unsigned n_sets;
    struct store_reference sets[ATTEST_REFERENCES_MAX];
    char detail[STORE_ATTEST_DETAIL]; /* "": the reason's own words */
};
kw_status attest_policy_load(struct kw_op *op, struct service *service,
                             const struct store_attest *row, struct attest_policy **ret);
void attest_policy_free(struct attest_policy *policy);
KW_OWNED(attest_policy, struct attest_policy, attest_policy_free)
/* The events of a log, up to `entries`, against the sets of the policy; ret_name: which fits. */
enum attest_reason attest_judge_events(struct attest_policy *policy, struct kw_span log,
                                       unsigned entries, char *ret_name, size_t cap);

/* What a round shows beyond the device's record. */
struct attest_shown {
    int64_t nonce_ms; /* when its nonce was given; 0: the nonce is none that could be used */
    bool has_next;
    uint8_t next[KW_HASH_BYTES]; /* the new key that was certified */
};
/* Judge a round; fills what it learned into *row, and words into policy->detail. */
enum attest_reason attest_judge(const struct attest_peer *peer, const struct attest_evidence *said,
                                int64_t now_ms, struct attest_policy *policy,
                                struct store_attest *row, struct attest_shown *ret);
/* A round came to this reason: the record, and an event where the verdict is another. In a change.
 * detail "": the reason's own words. */
kw_status attest_settle(struct kw_op *op, struct service *service, struct store_txn *txn,
                        struct store_attest *row, enum attest_reason reason, const char *detail,
                        int64_t now_ms);

/* The record, and the event of the verdict that it has. In a change. */
kw_status attest_tell(struct kw_op *op, struct service *service, struct store_txn *txn,
                      struct store_attest *row);

/* PCRs 0 to 7: the platform, its boot loader and Secure Boot. */
extern const uint8_t attest_pcr_mask[3];

#endif
