/* KEY_IMPORT: a secret for data comes back out of a backup, in a ceremony. */
#include "cmd/keywright-keeper/policy_checks.h"
#include "cmd/keywright-keeper/server.h"
#include "crypto/box.h"
#include "crypto/digest.h"

static const char SECRET_INFO[] = "keywright escrow v1 "; /* as handle_export.c */

/* What VAULT_EXPORT lets out, and nothing else. */
static kw_status check_policy(struct kw_op *op, const struct key_policy *policy,
                              enum key_state state)
{
    static struct key_policy first; /* large; one thread */

    ENSURE(op,
           policy->escrow == 1 && key_class_symmetric(policy->class_) &&
               !key_class_signs(policy->class_),
           KW_E_DENIED, "escrow: a key of class %s, or without escrow, comes from no backup",
           key_class_text(policy->class_));
    ENSURE(op, state != KEY_COMPROMISED && state != KEY_DESTROYED, KW_E_DENIED,
           "escrow: a key that was %s does not come back", key_state_text(state));
    first = *policy; /* a later one of its line is checked as the first one was, and then */
    first.generation = 0;
    first.lineage[0] = '\0';
    return policy_check(op, &first, policy->not_before);
}

/* Who has it holds M shares. A vault that has none yet takes any, as it does a first one. */
static kw_status check_recovery(struct kw_op *op, const struct state *state,
                                const struct kw_secret *recovery)
{
    static const uint8_t none[STATE_RECOVERY_BYTES];
    uint8_t public_half[BOX_KEY_BYTES];

    TRY(op, box_key_public(op, recovery, public_half), "recovery-key: it is none");
    ENSURE(op,
           kw_span_equal(KW_SPAN_ARRAY(state->recovery), KW_SPAN_ARRAY(none)) ||
               kw_span_equal(KW_SPAN_ARRAY(state->recovery), KW_SPAN_ARRAY(public_half)),
           KW_E_DENIED, "recovery-key: this vault has another one");
    return KW_OK;
}

static kw_status open_box(struct kw_op *op, const struct keeper_msg *msg, const char *key_id,
                          const struct kw_secret *recovery, struct kw_secret **ret)
{
    static const char label[] = "keywright key check value v1"; /* as keeper_key_mark() */
    char info[sizeof(SECRET_INFO) + KW_NAME_MAX];
    uint8_t mac[KW_HASH_BYTES];
    AUTO(kw_secret) *secret = NULL;

    (void)snprintf(info, sizeof(info), "%s%s", SECRET_INFO, key_id);
    kw_status opened = box_open(op, recovery, kw_span_text(info), msg->key_import.box, &secret);
    if (!kw_ok(opened)) {
        kw_op_clear(op);
        return FAIL(op, opened.code, "escrow: the box does not open, or is not the one of '%s'",
                    key_id);
    }
    ENSURE(op, kw_secret_len(secret) == VAULT_SECRET_BYTES, KW_E_INTEGRITY,
           "escrow: a secret of %zu octets", kw_secret_len(secret));
    TRY(op, digest_hmac_sha256(op, secret, kw_span_text(label), mac));
    ENSURE(op, kw_span_equal(msg->key_import.mark, KW_SPAN(mac, KEY_CHECK_VALUE_BYTES)),
           KW_E_INTEGRITY, "escrow: the secret is not the one of '%s'", key_id);
    *ret = TAKE(secret);
    return KW_OK;
}

kw_status handle_key_import(struct kw_op *op, struct server *server, struct request *request)
{
    static struct key_policy policy; /* large; one thread */
    const struct keeper_msg *msg = request->msg;
    struct key_cause cause = request_cause(request, "brought back from a backup");
    AUTO(kw_secret) *recovery = NULL;
    AUTO(kw_secret) *secret = NULL;

    ENSURE(op, kw_ok(policy_decode(msg->key_import.policy, &policy)), KW_E_INPUT,
           "policy: it does not decode");
    TRY(op, check_policy(op, &policy, msg->key_import.state));
    TRY(op, kw_secret_copy(KW_SPAN_ARRAY(msg->key_import.recovery), &recovery));
    TRY(op, check_recovery(op, server->keyring->state, recovery));
    TRY(op, open_box(op, msg, policy.key_id, recovery, &secret));
    return keyring_import(op, server->keyring, &policy, msg->key_import.state, &secret, &cause);
}
