/* SIGN_STATEMENT: facts in words, of the kinds that the key's class may state. */
#include <stdio.h>

#include "cmd/keywright-keeper/server.h"
#include "cmd/keywright-keeper/sign_filter.h"
#include "model/statement.h"

/* Stations may be away from the server for a while, never ahead of it. */
enum { AHEAD_S = 300, RECORD_BEHIND_S = 31 * 86400, TIME_OFF_S = 60 };

static kw_status check_record(struct kw_op *op, const struct statement_case *c)
{
    int64_t date = statement_time(c->statement, "date");

    ENSURE(op, date <= c->now_unix + AHEAD_S, KW_E_DENIED, "statement-date: it lies in the future");
    ENSURE(op, date >= c->now_unix - RECORD_BEHIND_S, KW_E_DENIED,
           "statement-date: it is more than a month ago");
    return KW_OK;
}

static kw_status check_evidence(struct kw_op *op, const struct statement_case *c)
{
    const struct key_policy *policy = &c->key->policy;
    int64_t from = statement_time(c->statement, "from");
    int64_t to = statement_time(c->statement, "to");

    ENSURE(op, from <= to, KW_E_DENIED, "statement-period: it ends before it begins");
    ENSURE(op, to <= c->now_unix + AHEAD_S, KW_E_DENIED, "statement-period: it ends in the future");
    ENSURE(op,
           policy->log_origin[0] == '\0' ||
               statement_is(c->statement, "log-origin", policy->log_origin),
           KW_E_DENIED, "statement-origin: it is of another log");
    return KW_OK;
}

/* Between two clocks of one machine; what a device is told is right to the minute. */
static kw_status check_time(struct kw_op *op, const struct statement_case *c)
{
    int64_t time = statement_time(c->statement, "time");

    ENSURE(op, time >= c->now_unix - TIME_OFF_S && time <= c->now_unix + TIME_OFF_S, KW_E_DENIED,
           "statement-time: it is not now");
    return KW_OK;
}

/* A certificate of destruction is the keeper's own word: no gate may ask for one. A filter is a CRL
 * in another form: who may sign the one may sign the other. The time, for whoever asks, is a
 * purpose of its own: many, and none of them a deed. */
static const struct kind_row {
    enum key_class class_;
    enum statement_kind kind;
    enum keeper_purpose purpose;
    kw_status (*check)(struct kw_op *op, const struct statement_case *c);
    /* what must be durable before the signature leaves; NULL: nothing */
    kw_status (*remember)(struct kw_op *op, const struct statement_case *c);
} kinds[] = {
    /* clang-format off */
    {KEY_CLASS_PROVISIONING, STATEMENT_PROVISIONING_RECORD, KEEPER_SIGN_STATEMENT, check_record,   NULL           },
    {KEY_CLASS_EVIDENCE,     STATEMENT_EVIDENCE_MANIFEST,   KEEPER_SIGN_STATEMENT, check_evidence, NULL           },
    {KEY_CLASS_OCSP_SIGNER,  STATEMENT_DEVICE_TIME,         KEEPER_SIGN_TIME,      check_time,     NULL           },
    {KEY_CLASS_OCSP_SIGNER,  STATEMENT_DEVICE_WIPE,         KEEPER_SIGN_WIPE,      check_time,     NULL           },
    {KEY_CLASS_ISSUING_CA,   STATEMENT_REVOCATION_FILTER,   KEEPER_SIGN_CRL,       filter_check,   filter_remember},
    /* clang-format on */
};

/* By its first line, whatever follows; of a kind that nobody may ask for, too. */
static enum keeper_purpose purpose_of(struct kw_span text)
{
    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        char line[KW_NAME_MAX];
        (void)snprintf(line, sizeof(line), "%s v1\n", statement_kind_text(kinds[i].kind));
        if (kw_span_equal(kw_span_sub(text, 0, strlen(line)), kw_span_text(line))) {
            return kinds[i].purpose;
        }
    }
    return KEEPER_SIGN_STATEMENT;
}

static kw_status find_row(struct kw_op *op, const struct keeper_key *key, enum statement_kind kind,
                          const struct kind_row **ret)
{
    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        if (kinds[i].class_ == key->policy.class_ && kinds[i].kind == kind) {
            *ret = &kinds[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "statement-kind: a key of class %s states no %s",
                key_class_text(key->policy.class_), statement_kind_text(kind));
}

kw_status handle_sign_statement(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    const struct kind_row *row = NULL;
    struct keeper_key *key = NULL;
    struct statement statement;
    const char *wrong = "";

    TRY(op, keyring_use(op, server->keyring, msg->key_id, purpose_of(msg->sign.message),
                        request->now_unix, &key));
    ENSURE(op, kw_ok(statement_parse(msg->sign.message, &statement, &wrong)), KW_E_INPUT,
           "statement: %s is not as it must be", wrong);
    TRY(op, find_row(op, key, statement.kind, &row));
    const struct statement_case c = {server, key, &statement, request->now_unix};
    TRY(op, row->check(op, &c));
    TRY(op, request_sign(op, server, key, msg->sign.message, request));
    return row->remember ? row->remember(op, &c) : KW_OK;
}
