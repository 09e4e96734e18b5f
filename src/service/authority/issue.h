/* Issuance: a certificate is described from the registry and the profile, signed under the keeper's
 * rule, and recorded. */
#ifndef SERVICE_AUTHORITY_ISSUE_H
#define SERVICE_AUTHORITY_ISSUE_H

#include "crypto/csr.h"
#include "service/authority/terms.h"
#include "service/service.h"

struct issue_request {
    const char *profile;
    const char *ca;         /* CA's id; only where the profile is for any CA; else NULL */
    const char *owner;      /* "device:DEV1", "server:gate", "operator:admin", "ocsp:devices" */
    struct kw_span subject; /* DER Name */
    const struct pubkey *key;
    const uint8_t *csr_sha256; /* NULL = none */
    const char *custody;       /* for the key record */
    const char *through;       /* who handed the request on, without a say in it; NULL: nobody */
    const char *hw_type;       /* hardwareModuleName, where the profile has it */
    struct kw_span hw_serial;
    const char *san_dns[CERT_SAN_MAX], *san_ip[CERT_SAN_MAX];
    enum event_type event; /* EVENT_CERT_ISSUE or EVENT_CERT_RENEW */
    bool same_key; /* the key record exists already and belongs to this owner (renewal without
                      rekey) */
    /* Not NULL: explain and sign nothing; ret of authority_issue() then has no certificate. */
    struct terms *terms;
    const struct csr *asked; /* an operator's request, or with terms: what was asked for */
    /* Run inside the same transaction before the certificate is inserted: last checks, consumption
     * of secrets. May be NULL. */
    kw_status (*within)(struct kw_op *op, struct store_txn *txn, void *ctx);
    void *within_ctx;
};

/**
 * Issue one certificate.
 * ret: as recorded. Errors: KW_E_INPUT what the profile does not take (key algorithm, names),
 * KW_E_DENIED the keeper's or within()'s refusal, KW_E_CONFLICT the public key was used before; and
 * those of keeper and store. Nothing is released unless recorded and logged.
 */
kw_status authority_issue(struct kw_op *op, struct service *service,
                          const struct issue_request *request, struct store_cert *ret);

#endif
