/*
 * The server's own certificates: of its TLS key, of its delegated OCSP signers, and of its CMP
 * signer. When they are renewed is in keys/rotate.h.
 */
#ifndef SERVICE_KEYS_OWN_H
#define SERVICE_KEYS_OWN_H

#include "service/authorities.h"

/**
 * Issue a certificate for this key of the keeper and put it into the place of the one in use
 * (STATE/certs/tls-server.pem). The one before, where it was for another key, is superseded: it
 * stays good for its profile's overlap. Take it into use with own_reload().
 * ret: as recorded, may be NULL. Errors: those of authority_issue() and of writing the file;
 * KW_E_CONFLICT the key was certified for another owner.
 */
kw_status own_tls_issue(struct kw_op *op, struct service *service, const char *key_id,
                        struct store_cert *ret);
/* The name of the CMP signer: sealed with its key, subject of its certificate, sender of its
 * answers. */
kw_status own_cmp_name(struct kw_op *op, const struct config *config, struct kw_out *ret);
/* The same for the signer of CMP answers: STATE/certs/cmp-signer.pem. */
kw_status own_cmp_issue(struct kw_op *op, struct service *service, const char *key_id,
                        struct store_cert *ret);
/* The same for the OCSP signer of one CA key: STATE/certs/ocsp-<id of the CA key>.pem. Answers that
 * were given before stay valid until their nextUpdate. */
kw_status own_ocsp_issue(struct kw_op *op, struct service *service, const struct ca *ca,
                         const char *key_id, struct store_cert *ret);
/* The keeper's key behind the TLS certificate in use. */
kw_status own_tls_key(struct kw_op *op, struct service *service, struct keeper_key_info *ret);
/* With service->rotation held: read certificates and keys again; the listeners take the new TLS
 * certificate for the handshakes that come, connections stay. */
kw_status own_reload(struct kw_op *op, struct service *service);
/* When a period is to be renewed: after two thirds. */
int64_t own_renew_at(int64_t not_before, int64_t not_after);

#endif
