/*
 * SIGN_CMP: answers of the Certificate Management Protocol, and nothing else. A ProtectedPart (RFC
 * 9810 section 5.1.3) begins with a SEQUENCE that begins with an INTEGER, which no TBSCertificate,
 * TBSCertList or ResponseData does; and it is read whole before it is signed.
 */
#include "cmd/keywright-keeper/cert_checks.h"
#include "cmd/keywright-keeper/server.h"
#include "crypto/cmp.h"

enum { KEYID_BYTES = 20 };

struct cmp_case {
    const struct keeper_key *signer;
    const struct cmp_message *message;
    int64_t now_unix;
};

static bool version_known(const struct cmp_case *c)
{
    return c->message->pvno == 2 || c->message->pvno == 3;
}

static bool sender_is_own(const struct cmp_case *c)
{
    const struct key_policy *policy = &c->signer->policy;

    return kw_span_equal(c->message->sender_name,
                         KW_SPAN(policy->issuer_dn, policy->issuer_dn_len));
}

static bool key_is_own(const struct cmp_case *c)
{
    return kw_span_equal(c->message->sender_kid,
                         KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->signer)), KEYID_BYTES));
}

static bool is_now(const struct cmp_case *c)
{
    return c->message->has_time && c->message->time >= c->now_unix - CLOCK_SKEW_S &&
           c->message->time <= c->now_unix + CLOCK_SKEW_S;
}

static bool is_fresh(const struct cmp_case *c)
{
    return c->message->sender_nonce.len >= CMP_NONCE_MIN;
}

static bool is_answer_type(enum cmp_type type)
{
    static const enum cmp_type answers[] = {CMP_IP,      CMP_CP,   CMP_KUP,   CMP_RP,
                                            CMP_PKICONF, CMP_GENP, CMP_ERROR, CMP_POLLREP};

    for (size_t i = 0; i < KW_COUNT(answers); i++) {
        if (answers[i] == type) {
            return true;
        }
    }
    return false;
}

/* A batch of answers (RFC 9483 section 5.2.2.2); nothing that asks is in it, at any depth. */
static bool nests_answers(struct kw_span content)
{
    struct kw_span at[CMP_NESTED_MAX];
    struct cmp_message message;
    struct kw_op quiet;
    unsigned n = 0;

    kw_op_init(&quiet, NULL, 0);
    bool good = kw_ok(cmp_nested_read(&quiet, content, at, &n));
    for (unsigned i = 0; good && i < n; i++) {
        good = kw_ok(cmp_read(&quiet, at[i], &message)) && is_answer_type(message.type);
    }
    return good;
}

/* A key that could also ask would be a registration authority's. */
static bool is_answer(const struct cmp_case *c)
{
    return c->message->type == CMP_NESTED ? nests_answers(c->message->content)
                                          : is_answer_type(c->message->type);
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
static const struct {
    const char *name;
    bool (*holds)(const struct cmp_case *c);
    const char *says;
} checks[] = {
    ROW("cmp-version", version_known, "pvno is neither 2 nor 3"),
    ROW("cmp-sender", sender_is_own, "the sender is not the name that was sealed with the key"),
    ROW("cmp-key", key_is_own, "senderKID is not this key's"),
    ROW("cmp-time", is_now, "messageTime is not now"),
    ROW("cmp-nonce", is_fresh, "senderNonce is missing or short"),
    ROW("cmp-type", is_answer, "only answers are signed"),
};

static kw_status check(struct kw_op *op, const struct cmp_case *c)
{
    for (size_t i = 0; i < KW_COUNT(checks); i++) {
        ENSURE(op, checks[i].holds(c), KW_E_DENIED, "%s: %s", checks[i].name, checks[i].says);
    }
    return KW_OK;
}

kw_status handle_sign_cmp(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *signer = NULL;
    struct cmp_message message;

    TRY(op,
        keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_CMP, request->now_unix, &signer));
    TRY(op, cmp_read_protected(op, msg->sign.message, &message));
    struct cmp_case c = {.signer = signer, .message = &message, .now_unix = request->now_unix};
    TRY(op, check(op, &c));
    return request_sign(op, server, signer, msg->sign.message, request);
}
