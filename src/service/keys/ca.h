/*
 * A CA changes its key. The keeper makes the new one; the offline root signs its certificate, the
 * same as that of the key before but for key and times; the new key issues from then on, the old
 * one signs CRLs and answers by OCSP until its leaves are gone. Cross certificates lead from either
 * key to the other.
 */
#ifndef SERVICE_KEYS_CA_H
#define SERVICE_KEYS_CA_H

#include "service/authorities.h"

/**
 * Make the CA's next key, if it is not made yet, and its request to the root.
 * ret: PEM of the request, then of the CA's present certificate, which the new one will follow.
 * Errors: those of key_rotate(), KW_E_APPROVAL among them.
 */
kw_status ca_request(struct kw_op *op, struct service *service, const char *base,
                     const char *reason, uint64_t approval_id, struct kw_bytes **ret);
/* The key of which ca_request() would make the successor; its id is ret's. */
kw_status ca_newest_key(struct kw_op *op, struct service *service, const char *base,
                        struct keeper_key_info *ret);
/**
 * Take the root's certificate (PEM) for a CA's next key, or for the first one of a further CA
 * (keys/ca_birth.h), into use.
 * ret_id: of the CA's new key. Errors: KW_E_INPUT it is not for the newest key of one of our CAs,
 * or allows something else than the one before; KW_E_DENIED it does not lead to our root;
 * KW_E_CONFLICT it is in use already. An install that was cut is ended by the same certificate.
 */
kw_status ca_install(struct kw_op *op, struct service *service, struct kw_span pem,
                     char ret_id[KW_NAME_MAX]);

#endif
