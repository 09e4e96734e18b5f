/* Revocation of certificates. */
#ifndef SERVICE_AUTHORITY_REVOKE_H
#define SERVICE_AUTHORITY_REVOKE_H

#include "service/service.h"
#include "store/revoke_plan.h"

/**
 * Revoke one certificate, for ever. The key's record goes to compromised (keyCompromise,
 * cACompromise) or deactivated. On return OCSP and the gate refuse it; the CRL follows within a
 * second (crl_maker). Errors: KW_E_NOT_FOUND, KW_E_STATE already revoked (when and why is said).
 */
kw_status authority_revoke(struct kw_op *op, struct service *service, const struct store_cert *cert,
                           int reason);
/* The same for all of an owner that are not revoked yet, or (key, SHA-256 of a public key, not
 * NULL) all of those with this key. ret_n: how many of them; what was done stays where a later one
 * fails, and another call goes on. */
kw_status authority_revoke_all(struct kw_op *op, struct service *service, const char *owner,
                               const uint8_t *key, int reason, unsigned *ret_n);
/* certificateHold, and its end: what was superseded is that again. KW_E_STATE revoked, on hold
 * already, or not on hold; also for what is known from the log alone, which never becomes good. */
kw_status authority_hold(struct kw_op *op, struct service *service, const struct store_cert *cert);
kw_status authority_release(struct kw_op *op, struct service *service,
                            const struct store_cert *cert);

/* The same as part of a change: state, key and log entry; the store's notices tell OCSP and CRL
 * maker when it is durable. next: REVOKED, HELD, or VALID (the end of a hold). */
struct authority_deed {
    enum cert_state next;
    int reason;
    int64_t now_ms;
    int64_t plan;     /* 0 = none */
    bool unconfirmed; /* its device did not take it: it says nothing about the device */
};
kw_status authority_do(struct kw_op *op, struct service *service, struct store_txn *txn,
                       const struct store_cert_brief *cert, const struct authority_deed *deed);
/* Revoke it if nobody else has at this moment, which is as good; then one more in *n_revoked. */
kw_status authority_revoke_still(struct kw_op *op, struct service *service,
                                 const struct store_cert *cert, int reason, unsigned *n_revoked);
/* What of it stays with the device, whatever becomes of the certificate: one that is revoked while
 * in use, or on hold, for what its device did (revoke_reason_bars()) bars the device from enrolling
 * anew until device_readmit(). cert: as it was before. */
kw_status authority_bar_device(struct kw_op *op, struct store_txn *txn,
                               const struct store_cert_brief *cert,
                               const struct authority_deed *deed);
/* Revoke a certificate that its device was sent and did not take. KW_E_STATE revoked before. */
kw_status authority_withdraw(struct kw_op *op, struct service *service,
                             const struct store_cert *cert);
#define AUTHORITY_UNCONFIRMED ", not confirmed" /* in the log's entry of it */
/* Find by "ca/serialhex", serial hex (any CA) or fingerprint hex. KW_E_NOT_FOUND, KW_E_INPUT. */
kw_status authority_find(struct kw_op *op, struct service *service, const char *id,
                         struct store_cert *ret);

#endif
