/* DATA_MAC, DATA_MAC_VERIFY: HMAC-SHA-256; the comparison takes the same time wherever they differ.
 */
#include "cmd/keywright-keeper/data_use.h"
#include "crypto/digest.h"

kw_status handle_data_mac(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_key *key = NULL;
    const struct keeper_msg *msg = request->msg;
    uint8_t mac[KW_HASH_BYTES];

    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_MAC, &key));
    TRY(op, digest_hmac_sha256(op, key->secret, msg->data.octets, mac));
    TRY(op, data_answer(op, request, KW_SPAN_ARRAY(mac)));
    return data_end(op, server, request, key, KEEPER_DATA_MAC, msg->data.octets);
}

kw_status handle_data_mac_verify(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_key *key = NULL;
    const struct keeper_msg *msg = request->msg;
    uint8_t mac[KW_HASH_BYTES];

    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_MAC_VERIFY, &key));
    ENSURE(op, msg->data.mac.len == sizeof(mac), KW_E_INPUT, "mac: it has %zu octets, not %zu",
           msg->data.mac.len, sizeof(mac));
    TRY(op, digest_hmac_sha256(op, key->secret, msg->data.octets, mac));
    request->answer.valid = kw_equal_consttime(KW_SPAN_ARRAY(mac), msg->data.mac);
    kw_wipe(mac, sizeof(mac)); /* who asks may not have the right one */
    return data_end(op, server, request, key, KEEPER_DATA_MAC_VERIFY, msg->data.octets);
}
