/* SIGN_CHECKPOINT: heads of one log that only grows; never two that contradict each other. */
#include "audit/checkpoint.h"
#include "cmd/keywright-keeper/server.h"

_Static_assert((int)KEEPER_PROOF_MAX == (int)TLOG_PROOF_MAX, "the proof's longest form");

/* Exactly what checkpoint_body() writes: no signatures behind it, no extension lines. */
static kw_status read_body(struct kw_op *op, struct kw_span body, struct checkpoint *ret)
{
    char text[KEEPER_CHECKPOINT_BODY_MAX + 1];

    TRY(op, checkpoint_parse(op, body, ret), "checkpoint");
    TRY(op, checkpoint_body(op, ret, text, sizeof(text)), "checkpoint");
    ENSURE(op, kw_span_equal(kw_span_text(text), body), KW_E_INPUT,
           "checkpoint-body: more than origin, size and root");
    return KW_OK;
}

static kw_status check_grows(struct kw_op *op, const struct key_record *last,
                             const struct keeper_msg *msg, const struct checkpoint *cp)
{
    struct tlog_hash old_root;
    struct tlog_hash proof[TLOG_PROOF_MAX];

    ENSURE(op, cp->size >= last->tree_size, KW_E_DENIED,
           "checkpoint-shrinks: size %llu is below the last one, %llu",
           (unsigned long long)cp->size, (unsigned long long)last->tree_size);
    memcpy(old_root.b, last->tree_root, sizeof(old_root.b));
    if (msg->checkpoint.n > 0) {
        memcpy(proof, msg->checkpoint.proof.p, msg->checkpoint.proof.len);
    }
    if (last->tree_size == 0) {
        /* Nothing was ever promised: the first head needs no proof. */
        ENSURE(op, msg->checkpoint.n == 0, KW_E_DENIED, "checkpoint-proof: the first has none");
        return KW_OK;
    }
    if (cp->size == last->tree_size) {
        ENSURE(op,
               msg->checkpoint.n == 0 &&
                   kw_span_equal(KW_SPAN_ARRAY(cp->root.b), KW_SPAN_ARRAY(old_root.b)),
               KW_E_DENIED, "checkpoint-fork: another root for the size that was signed");
        return KW_OK;
    }
    kw_status status = tlog_consistency_verify(last->tree_size, &old_root, cp->size, &cp->root,
                                               proof, msg->checkpoint.n);
    ENSURE(op, kw_ok(status), KW_E_DENIED,
           "checkpoint-proof: it does not show that the log only grew");
    return KW_OK;
}

static kw_status check(struct kw_op *op, const struct keeper_key *key, const struct keeper_msg *msg,
                       const struct checkpoint *cp)
{
    ENSURE(op, strcmp(cp->origin, key->policy.log_origin) == 0, KW_E_DENIED,
           "checkpoint-origin: it is of another log");
    ENSURE(op, msg->checkpoint.old_size == key->record->tree_size, KW_E_DENIED,
           "checkpoint-old-size: the last signed size is %llu",
           (unsigned long long)key->record->tree_size);
    return check_grows(op, key->record, msg, cp);
}

/* Keys of one line sign one log: what one has signed binds them all. */
static void spread(struct keyring *keyring, const struct keeper_key *key,
                   const struct key_record *head)
{
    for (unsigned i = 0; i < keyring->n; i++) {
        const struct keeper_key *other = keyring->at[i];
        if (other->policy.class_ == key->policy.class_ &&
            strcmp(other->policy.lineage, key->policy.lineage) == 0) {
            other->record->tree_size = head->tree_size;
            memcpy(other->record->tree_root, head->tree_root, sizeof(head->tree_root));
        }
    }
}

/* On disk before the signature leaves. */
static kw_status remember(struct kw_op *op, struct server *server, const struct keeper_key *key,
                          const struct checkpoint *cp)
{
    const struct key_record before = *key->record;
    struct key_record head = {.tree_size = cp->size};

    if (before.tree_size == cp->size && cp->size > 0) {
        return KW_OK;
    }
    memcpy(head.tree_root, cp->root.b, sizeof(head.tree_root));
    spread(server->keyring, key, &head);
    kw_status status = keyring_save(op, server->keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        spread(server->keyring, key, &before); /* nothing was written, nothing was signed */
    }
    return status;
}

kw_status handle_sign_checkpoint(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *key = NULL;
    struct checkpoint cp;

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_CHECKPOINT, request->now_unix,
                        &key));
    request->answer_refusal = true;
    request->answer.checkpoint.last_size = key->record->tree_size;
    TRY(op, read_body(op, msg->checkpoint.body, &cp));
    TRY(op, check(op, key, msg, &cp));
    TRY(op, request_sign(op, server, key, msg->checkpoint.body, request));
    struct kw_span sig = request->answer.octets;
    request->answer = (struct keeper_answer){0};
    TRY(op, remember(op, server, key, &cp));
    request->answer.checkpoint.last_size = cp.size;
    request->answer.checkpoint.sig = sig;
    return KW_OK;
}
