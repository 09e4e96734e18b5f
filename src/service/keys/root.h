/*
 * The root changes its key. A ceremony makes the next root, offline (`keywright ca sign`): its
 * certificate, link certificates with the one before (RFC 4210 section 4.4), and the certificates
 * of the CAs below it, for the keys that they have. So nothing below the CAs changes, and a path
 * leads to either root. Later the old one is retired: trusted and handed out no more.
 */
#ifndef SERVICE_KEYS_ROOT_H
#define SERVICE_KEYS_ROOT_H

#include "service/authorities.h"

/**
 * What the ceremony needs: PEM of the root, then of every CA that it signed; then a line of JSON
 * each: where the CAs live (the next root's id as issuer), and the next root's authority.
 * Errors: KW_E_STATE the root before this one is not retired; KW_E_LIMIT it had too many keys.
 */
kw_status root_request(struct kw_op *op, struct service *service, struct kw_bytes **ret);
/**
 * Take what the ceremony made into use: PEM of the next root, its link by the one before, the link
 * of that one by the next, a certificate for each CA, and the next root's CRL. A second time, after
 * a cut, it goes on.
 * ret_id: "root.2". Errors: KW_E_DENIED a signature is wrong; KW_E_INPUT something is missing,
 * another's, or bounded otherwise than before; KW_E_STATE as above.
 */
kw_status root_install(struct kw_op *op, struct service *service, struct kw_span pem,
                       char ret_id[KW_NAME_MAX]);
/**
 * Hand out the oldest root no more, and trust it no more.
 * Errors: KW_E_STATE there is no other one, or a CA has no certificate by another.
 */
kw_status root_retire(struct kw_op *op, struct service *service, const char *id);

#endif
