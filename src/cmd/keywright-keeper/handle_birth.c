/*
 * KEY_BIRTH: a key pair for a device that cannot make one (RFC 7030 section 4.4). It is made here,
 * leaves encrypted to the device's own key, and is forgotten: it is in no file, and no other
 * process sees it in the clear. The CA's policy says for which certificates.
 */
#include "cmd/keywright-keeper/server.h"
#include "crypto/cms_key.h"
#include "os/clock.h"

static kw_status find_rule(struct kw_op *op, const struct keeper_msg *msg,
                           const struct keeper_key *ca)
{
    const struct policy_rule *rule = policy_rule_find(&ca->policy, msg->birth.rule);

    ENSURE(op, rule, KW_E_DENIED, "rule: the key's policy has no rule '%s'", msg->birth.rule);
    ENSURE(op, rule->key_birth, KW_E_DENIED, "rule: no keys are made for '%s'", rule->name);
    ENSURE(op, msg->birth.alg < KEY_ALG_MAX && rule->key_algs & KEY_ALG_BIT(msg->birth.alg),
           KW_E_DENIED, "algorithm: not one of rule '%s'", rule->name);
    return KW_OK;
}

static kw_status answer(struct kw_op *op, struct request *request, const struct privkey *made,
                        struct kw_span sealed)
{
    struct kw_out out = KW_OUT_ARRAY(request->octets);
    struct kw_span spki = pubkey_spki(privkey_public(made));

    ENSURE(op, sealed.len <= KEEPER_BORN_MAX, KW_E_TOO_LARGE, "the envelope has %zu octets",
           sealed.len);
    TRY(op, kw_out_append(&out, spki));
    TRY(op, kw_out_append(&out, sealed));
    request->answer.born.spki = KW_SPAN(request->octets, spki.len);
    request->answer.born.sealed = KW_SPAN(request->octets + spki.len, sealed.len);
    return KW_OK;
}

kw_status handle_key_birth(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *ca = NULL;
    AUTO(pubkey) *recipient = NULL;
    AUTO(privkey) *made = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    TRY(op,
        keyring_use(op, server->keyring, msg->key_id, KEEPER_KEY_BIRTH, request->now_unix, &ca));
    TRY(op, find_rule(op, msg, ca));
    TRY(op, keyring_count(op, server->keyring, ca, os_clock_mono_ms()));
    TRY(op, pubkey_parse(op, msg->birth.recipient, &recipient), "recipient");
    TRY(op, privkey_generate(op, (enum key_alg)msg->birth.alg, &made), "making a key");
    TRY(op, cms_key_seal(op, made, recipient, msg->birth.recipient_id, &sealed));
    TRY(op, answer(op, request, made, kw_bytes_span(sealed)));
    return journal_note(op, server, ca, KEEPER_KEY_BIRTH, request->answer.born.spki, request);
}
