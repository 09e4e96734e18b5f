/* SIGN_OCSP: answers about certificates of the one CA that the policy names, all keys of its line.
 */
#include "cmd/keywright-keeper/ocsp_checks.h"
#include "cmd/keywright-keeper/server.h"

kw_status handle_sign_ocsp(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *signer = NULL;
    struct ocsp_tbs tbs;

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_OCSP, request->now_unix,
                        &signer));
    TRY(op, ocsp_tbs_parse(op, msg->sign.message, &tbs), "ResponseData");
    TRY(op, ocsp_check_all(op, server->keyring, signer, &tbs, request->now_unix));
    return request_sign(op, server, signer, msg->sign.message, request);
}
