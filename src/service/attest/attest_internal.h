/* For service/attest/ only. */
#ifndef SERVICE_ATTEST_INTERNAL_H
#define SERVICE_ATTEST_INTERNAL_H

#include "crypto/tpm_read.h"
#include "service/attest/attest.h"

/* docs/protocol/attest.md section 1. False: the connection has no exporter. */
bool attest_qualifying(const struct attest_peer *peer, struct kw_span nonce,
                       uint8_t ret[KW_HASH_BYTES]);
/* A nonce for this device: it carries when it was made, and a MAC. */
kw_status attest_nonce_make(struct kw_op *op, const char *device, int64_t at_ms,
                            uint8_t ret[ATTEST_NONCE]);
/* ATTEST_R_OK, WRONG_NONCE, NONCE_EXPIRED; ret_at_ms: when it was made. */
enum attest_reason attest_nonce_judge(const char *device, struct kw_span nonce, int64_t now_ms,
                                      int64_t *ret_at_ms);
/* Does this AK (TPMT_PUBLIC) say that the key of the connection is in its TPM? ret_signer: who it
 * says it is; ATTEST_R_OK or why not. */
enum attest_reason attest_judge_certified(const struct attest_peer *peer, struct kw_span ak,
                                          struct kw_span nonce, const struct attest_certified *said,
                                          struct kw_span *ret_signer);
/* The AK's key. KW_E_INPUT. */
kw_status attest_ak_key(struct kw_op *op, struct kw_span ak, struct pubkey **ret);
/* Judge a round; fills what it learned into *row. */
enum attest_reason attest_judge(const struct attest_peer *peer, const struct attest_evidence *said,
                                int64_t now_ms, struct store_attest *row, int64_t *ret_nonce_ms);
/* A round came to this reason: the record, and an event where the verdict is another. In a change.
 */
kw_status attest_settle(struct kw_op *op, struct service *service, struct store_txn *txn,
                        struct store_attest *row, enum attest_reason reason, int64_t now_ms);

/* PCRs 0 to 7: the platform, its boot loader and Secure Boot. */
extern const uint8_t attest_pcr_mask[3];

#endif
