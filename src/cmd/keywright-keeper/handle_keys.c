/* HELLO, INFO, KEY_AT, KEY_FIND, KEY_CREATE, SERIALS: everything that signs nothing. */
#include <unistd.h>

#include "cmd/keywright-keeper/handle_keys.h"
#include "cmd/keywright-keeper/policy_checks.h"
#include "cmd/keywright-keeper/purposes.h"
#include "cmd/keywright-keeper/server.h"
#include "keeper/subjects.h"
#include "os/clock.h"

kw_status handle_hello(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_answer *answer = &request->answer;

    ENSURE(op, msg->hello.version == KEEPER_VERSION && strcmp(msg->hello.build, KW_VERSION) == 0,
           KW_E_UNSUPPORTED, "this keeper is of version '%s', protocol %d", KW_VERSION,
           KEEPER_VERSION);
    if (!server->keyring && !server->sealed) {
        server->failure_told = true;
        return FAIL(op, server->failed.code, "%s", kw_op_cause(&server->failed));
    }
    server->mode = server->keyring ? server->opened : KEEPER_SEALED;
    answer->hello.version = KEEPER_VERSION;
    answer->hello.mode = (uint8_t)server->mode;
    answer->hello.n_keys = server->keyring ? server->keyring->n : 0;
    ENSURE(op, KW_TEXT_SET(answer->hello.build, KW_VERSION), KW_E_INTERNAL, "version too long");
    return KW_OK;
}

kw_status handle_info(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_info *info = &request->answer.info;

    (void)op; /* cannot fail */
    *info = (struct keeper_info){.refusals = server->refusals.total,
                                 .refusals_unlogged = server->refusals.unlogged,
                                 .log_writable = refusals_writable(&server->refusals),
                                 .uid = geteuid(),
                                 .calls_filtered = server->confined.syscalls,
                                 .landlock_abi = (uint8_t)server->confined.landlock_abi,
                                 .drivers = server->confined.drivers};
    info->n_keys = server->keyring ? server->keyring->n : 0;
    for (unsigned i = 0; i < info->n_keys; i++) {
        info->signatures += server->keyring->at[i]->record->signatures;
    }
    return KW_OK;
}

kw_status describe_key(struct kw_op *op, const struct keyring *keyring,
                       const struct keeper_key *key, struct keeper_key_info *ret)
{
    *ret = (struct keeper_key_info){.class_ = key->policy.class_,
                                    .state = key->record->state,
                                    .alg = key->policy.alg,
                                    .not_before = key->policy.not_before,
                                    .not_after = key->policy.not_after,
                                    .signatures = key->record->signatures};
    struct kw_out mark = KW_OUT_ARRAY(ret->spki);
    const struct custody in_vault = {0};
    custody_text(key->token[0] ? &keyring->custody : &in_vault, ret->custody);
    memcpy(ret->key_id, key->policy.key_id, sizeof(ret->key_id));
    TRY(op, keeper_key_mark(op, key, &mark), "public key of '%s'", ret->key_id);
    ret->spki_len = (uint32_t)mark.len;
    return KW_OK;
}

/* A key that is gone: nothing but what its record says. */
static void describe_destroyed(const struct key_record *record, struct keeper_key_info *ret)
{
    *ret = (struct keeper_key_info){.class_ = record->class_,
                                    .state = record->state,
                                    .alg = record->alg,
                                    .custody = "destroyed",
                                    .not_before = record->not_before,
                                    .not_after = record->not_after,
                                    .signatures = record->signatures};
    memcpy(ret->key_id, record->key_id, sizeof(ret->key_id));
}

/* The index-th destroyed key that ever was made; NULL past the last. */
static const struct key_record *destroyed_at(const struct state *state, uint32_t index)
{
    for (unsigned i = 0; i < state->n; i++) {
        if (state->at[i].state == KEY_DESTROYED && index-- == 0) {
            return &state->at[i];
        }
    }
    return NULL;
}

kw_status handle_key_at(struct kw_op *op, struct server *server, struct request *request)
{
    uint32_t index = request->msg->key_at.index;

    if (index < server->keyring->n) {
        return describe_key(op, server->keyring, server->keyring->at[index], &request->answer.key);
    }
    const struct key_record *gone =
        destroyed_at(server->keyring->state, index - server->keyring->n);
    ENSURE(op, gone, KW_E_NOT_FOUND, "there are %u keys", server->keyring->n);
    describe_destroyed(gone, &request->answer.key);
    return KW_OK;
}

kw_status handle_key_find(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_key *key = keyring_find(server->keyring, request->msg->key_id);

    if (key) {
        return describe_key(op, server->keyring, key, &request->answer.key);
    }
    const struct key_record *gone = state_find(server->keyring->state, request->msg->key_id);
    ENSURE(op, gone, KW_E_NOT_FOUND, "there is no key '%s'", request->msg->key_id);
    describe_destroyed(gone, &request->answer.key);
    return KW_OK;
}

kw_status handle_key_create(struct kw_op *op, struct server *server, struct request *request)
{
    struct key_policy policy;
    struct approval_subject subject;
    struct keeper_key *key = NULL;

    ENSURE(op, kw_ok(policy_decode(request->msg->key_create.policy, &policy)), KW_E_INPUT,
           "policy: it does not decode");
    TRY(op, policy_check(op, &policy, request->now_unix));
    /* A token hashes, or has us hash, whole messages; the keeper never sees an image. */
    ENSURE(op, policy.class_ != KEY_CLASS_FIRMWARE || !custody_elsewhere(&server->keyring->custody),
           KW_E_UNSUPPORTED, "policy-custody: a firmware signer's key needs a sealed vault");
    TRY(op, subject_key_create(op, &policy, &subject));
    TRY(op, approvals_require(op, server, &subject, request->msg->key_create.approval_id));
    struct key_cause cause = request_cause(request, "made under its policy");
    TRY(op, keyring_create(op, server->keyring, &policy, &cause, &key), "making key '%s'",
        policy.key_id);
    struct kw_out mark = {.p = request->octets, .cap = KW_SPKI_MAX};
    TRY(op, keeper_key_mark(op, key, &mark), "public key of '%s'", policy.key_id);
    request->answer.octets = kw_out_span(&mark);
    return KW_OK;
}

kw_status handle_serials(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *ca = NULL;
    unsigned n = msg->serials.n;
    int64_t now_ms = os_clock_unix_ms();

    _Static_assert(KEEPER_SERIALS_MAX * KW_SERIAL_BYTES <= sizeof(request->octets), "room");
    /* a serial signs nothing; a CA that only tells what became of its certificates needs some too
     */
    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_CRL, request->now_unix, &ca));
    for (unsigned i = 0; i < n; i++) {
        TRY(op,
            serials_make(op, ca->serials, now_ms, request->octets + (size_t)i * KW_SERIAL_BYTES));
    }
    request->answer.serials.n = (uint16_t)n;
    request->answer.serials.octets = KW_SPAN(request->octets, (size_t)n * KW_SERIAL_BYTES);
    return KW_OK;
}
