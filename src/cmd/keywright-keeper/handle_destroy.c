/* KEY_DESTROY: the key for ever, and a signed statement of it. */
#include "base/hex.h"
#include "base/time.h"
#include "cmd/keywright-keeper/server.h"
#include "keeper/subjects.h"
#include "model/statement.h"
#include "os/files.h"

enum { FILE_MODE = 0600, DIR_MODE = 0700 };

static kw_status write_statement(struct kw_op *op, const struct key_record *record,
                                 const struct key_proof *proof, struct kw_out *out)
{
    char hash[2 * KW_HASH_BYTES + 1] = "none", number[24], approvals[48], time[KW_TIME_TEXT];

    if (!key_class_symmetric(record->class_)) {
        kw_hex(KW_SPAN_ARRAY(record->spki_sha256), hash, sizeof(hash));
    }
    (void)snprintf(number, sizeof(number), "%u", proof->kek_retired);
    (void)snprintf(approvals, sizeof(approvals),
                   record->destroy_approval == 0 ? "none was needed" : "%llu",
                   (unsigned long long)record->destroy_approval);
    kw_time_text(record->phases[KEY_DESTROYED].since_unix, time);
    const char *const values[] = {record->key_id, key_class_text(record->class_),
                                  hash,           proof->custody,
                                  proof->method,  proof->proof,
                                  proof->probe,   number,
                                  approvals,      time};
    ENSURE(op, kw_ok(statement_write(STATEMENT_DESTRUCTION, values, KW_COUNT(values), out)),
           KW_E_INTERNAL, "the statement cannot be written");
    return KW_OK;
}

/* The evidence key, else the log's: of the active ones the first. NULL where there is neither. */
static struct keeper_key *find_signer(const struct keyring *keyring)
{
    static const enum key_class classes[] = {KEY_CLASS_EVIDENCE, KEY_CLASS_LOG_SIGNER};

    for (size_t c = 0; c < KW_COUNT(classes); c++) {
        for (unsigned i = 0; i < keyring->n; i++) {
            struct keeper_key *key = keyring->at[i];
            if (key->policy.class_ == classes[c] && key_state_may_sign(key->record->state)) {
                return key;
            }
        }
    }
    return NULL;
}

/* Its text is ours alone, so a log's key may sign it: no checkpoint begins like it. */
static kw_status sign(struct kw_op *op, struct server *server, struct kw_span statement,
                      struct request *request, struct kw_span *ret_signature,
                      const char **ret_signer)
{
    struct keeper_key *signer = find_signer(server->keyring);

    *ret_signature = KW_SPAN(NULL, 0);
    *ret_signer = "";
    if (!signer) {
        return KW_OK;
    }
    signer->asked = KEEPER_SIGN_STATEMENT;
    TRY(op, request_sign(op, server, signer, statement, request), "signing the statement");
    *ret_signature = request->answer.octets;
    *ret_signer = signer->policy.key_id;
    return KW_OK;
}

/* A copy in the vault: the answer may get lost. */
static kw_status keep(struct kw_op *op, const struct server *server, const char *key_id,
                      struct kw_span statement)
{
    char dir[KW_PATH_BYTES], path[KW_PATH_BYTES], name[KW_NAME_MAX + 16];

    TRY(op, os_path_join(op, dir, sizeof(dir), server->keyring->vault.dir, "destroyed"));
    TRY(op, os_dir_make(op, dir, DIR_MODE));
    (void)snprintf(name, sizeof(name), "%s.statement", key_id);
    TRY(op, os_path_join(op, path, sizeof(path), dir, name));
    return os_file_write(op, path, FILE_MODE, statement);
}

/* The record keeps which one it was: the proof may be wanted again without it. */
static kw_status check_approval(struct kw_op *op, struct server *server,
                                const struct keeper_msg *msg, struct key_record *record)
{
    if (record->state == KEY_DESTROYED) {
        return KW_OK; /* only its proof is wanted again */
    }
    struct approval_subject subject =
        subject_key_destroy(record->class_, msg->key_id, msg->key_step.reason);
    TRY(op, approvals_require(op, server, &subject, msg->key_step.approval_id));
    record->destroy_approval = msg->key_step.approval_id;
    return KW_OK;
}

kw_status handle_key_destroy(struct kw_op *op, struct server *server, struct request *request)
{
    static uint8_t text[STATEMENT_MAX]; /* the answer borrows it; one thread */
    const struct keeper_msg *msg = request->msg;
    struct key_cause cause = request_cause(request, msg->key_step.reason);
    struct kw_out statement = KW_OUT_ARRAY(text);
    struct kw_span signature;
    const char *signer = NULL;
    struct key_proof proof;

    struct key_record *record = state_find(server->keyring->state, msg->key_id);
    ENSURE(op, record, KW_E_NOT_FOUND, "key: there is no key '%s'", msg->key_id);
    TRY(op, check_approval(op, server, msg, record));
    TRY(op, keyring_destroy(op, server->keyring, msg->key_id, &cause, &proof));
    TRY(op, write_statement(op, record, &proof, &statement));
    TRY(op, sign(op, server, kw_out_span(&statement), request, &signature, &signer));
    TRY(op, keep(op, server, msg->key_id, kw_out_span(&statement)), "keeping the statement");
    request->answer = (struct keeper_answer){
        .destroyed = {.statement = kw_out_span(&statement), .signature = signature}
    };
    (void)KW_TEXT_SET(request->answer.destroyed.signer, signer);
    return KW_OK;
}
