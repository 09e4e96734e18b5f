/* SIGN_STATEMENT: facts in words, of the kinds that the key's class may state. */
#include "cmd/keywright-keeper/server.h"
#include "model/statement.h"

/* Stations may be away from the server for a while, never ahead of it. */
enum { AHEAD_S = 300, RECORD_BEHIND_S = 31 * 86400, TIME_OFF_S = 60 };

static kw_status check_record(struct kw_op *op, const struct key_policy *policy,
                              const struct statement *statement, int64_t now_unix)
{
    int64_t date = statement_time(statement, "date");

    (void)policy;
    ENSURE(op, date <= now_unix + AHEAD_S, KW_E_DENIED, "statement-date: it lies in the future");
    ENSURE(op, date >= now_unix - RECORD_BEHIND_S, KW_E_DENIED,
           "statement-date: it is more than a month ago");
    return KW_OK;
}

static kw_status check_evidence(struct kw_op *op, const struct key_policy *policy,
                                const struct statement *statement, int64_t now_unix)
{
    int64_t from = statement_time(statement, "from");
    int64_t to = statement_time(statement, "to");

    ENSURE(op, from <= to, KW_E_DENIED, "statement-period: it ends before it begins");
    ENSURE(op, to <= now_unix + AHEAD_S, KW_E_DENIED, "statement-period: it ends in the future");
    ENSURE(op,
           policy->log_origin[0] == '\0' ||
               statement_is(statement, "log-origin", policy->log_origin),
           KW_E_DENIED, "statement-origin: it is of another log");
    return KW_OK;
}

/* Between two clocks of one machine; what a device is told is right to the minute. */
static kw_status check_time(struct kw_op *op, const struct key_policy *policy,
                            const struct statement *statement, int64_t now_unix)
{
    int64_t time = statement_time(statement, "time");

    (void)policy;
    ENSURE(op, time >= now_unix - TIME_OFF_S && time <= now_unix + TIME_OFF_S, KW_E_DENIED,
           "statement-time: it is not now");
    return KW_OK;
}

/* A certificate of destruction is the keeper's own word: no gate may ask for one. */
static const struct {
    enum key_class class_;
    enum statement_kind kind;
    kw_status (*check)(struct kw_op *op, const struct key_policy *policy,
                       const struct statement *statement, int64_t now_unix);
} kinds[] = {
    {KEY_CLASS_PROVISIONING, STATEMENT_PROVISIONING_RECORD, check_record  },
    {KEY_CLASS_EVIDENCE,     STATEMENT_EVIDENCE_MANIFEST,   check_evidence},
    {KEY_CLASS_OCSP_SIGNER,  STATEMENT_DEVICE_TIME,         check_time    },
};

/* The time, for whoever asks, is a purpose of its own: many, and none of them a deed. */
static enum keeper_purpose purpose_of(struct kw_span text)
{
    static const char time[] = "device-time v1\n";
    struct kw_span head = kw_span_sub(text, 0, sizeof(time) - 1);

    return kw_span_equal(head, kw_span_text(time)) ? KEEPER_SIGN_TIME : KEEPER_SIGN_STATEMENT;
}

static kw_status check_kind(struct kw_op *op, const struct keeper_key *key,
                            const struct statement *statement, int64_t now_unix)
{
    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        if (kinds[i].class_ == key->policy.class_ && kinds[i].kind == statement->kind) {
            return kinds[i].check(op, &key->policy, statement, now_unix);
        }
    }
    return FAIL(op, KW_E_DENIED, "statement-kind: a key of class %s states no %s",
                key_class_text(key->policy.class_), statement_kind_text(statement->kind));
}

kw_status handle_sign_statement(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *key = NULL;
    struct statement statement;
    const char *wrong = "";

    TRY(op, keyring_use(op, server->keyring, msg->key_id, purpose_of(msg->sign.message),
                        request->now_unix, &key));
    ENSURE(op, kw_ok(statement_parse(msg->sign.message, &statement, &wrong)), KW_E_INPUT,
           "statement: %s is not as it must be", wrong);
    TRY(op, check_kind(op, key, &statement, request->now_unix));
    return request_sign(op, server, key, msg->sign.message, request);
}
