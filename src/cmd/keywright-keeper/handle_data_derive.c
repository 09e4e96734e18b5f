/*
 * DATA_DERIVE: HKDF-SHA-256 (RFC 5869) from a master key (REQ-KEY-KDF-01). Each kind of derived key
 * has its label; the policy says with what labels may begin.
 */
#include "cmd/keywright-keeper/data_use.h"
#include "crypto/kdf.h"

enum { DERIVE_MIN = 16 };

static bool label_allowed(const struct key_policy *policy, const char *label)
{
    for (uint32_t i = 0; i < policy->n_scopes; i++) {
        if (strncmp(label, policy->scopes[i], strlen(policy->scopes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* label || 0 || context: a label has no zero octet, so the two cannot be read otherwise. */
static kw_status make_info(struct kw_op *op, const struct keeper_msg *msg, struct kw_out *info)
{
    TRY(op, kw_out_append(info, KW_SPAN(msg->derive.label, strlen(msg->derive.label) + 1)));
    return kw_out_append(info, msg->derive.context);
}

kw_status handle_data_derive(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_secret) *derived = NULL;
    struct keeper_key *master = NULL;
    const struct keeper_msg *msg = request->msg;
    uint8_t octets[KEEPER_LABEL_MAX + 1 + KEEPER_CONTEXT_MAX];
    struct kw_out info = KW_OUT_ARRAY(octets);

    TRY(op, data_begin(op, server, request, msg->key_id, KEEPER_DATA_DERIVE, &master));
    ENSURE(op, msg->derive.label[0] != '\0' && label_allowed(&master->policy, msg->derive.label),
           KW_E_DENIED, "label: the key's policy derives nothing of this name");
    ENSURE(op, msg->derive.len >= DERIVE_MIN && msg->derive.len <= KEEPER_DERIVE_MAX, KW_E_INPUT,
           "length: %d to %d octets are derived", DERIVE_MIN, KEEPER_DERIVE_MAX);
    TRY(op, make_info(op, msg, &info));
    TRY(op, kdf_hkdf_sha256(op, master->secret, msg->derive.salt, kw_out_span(&info),
                            msg->derive.len, &derived));
    TRY(op, data_answer(op, request, kw_secret_span(derived)));
    return data_end(op, server, request, master, KEEPER_DATA_DERIVE, kw_out_span(&info));
}
