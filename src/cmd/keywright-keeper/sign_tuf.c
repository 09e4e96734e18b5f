/* SIGN_TUF: metadata of the one role that the policy names; versions only rise. */
#include "cmd/keywright-keeper/record_line.h"
#include "cmd/keywright-keeper/server.h"
#include "cmd/keywright-keeper/tuf_scan.h"
#include "crypto/digest.h"
#include "keeper/memfd.h"

static const char spec_series[] = "1.0.";

struct tuf_case {
    const struct key_policy *policy;
    const struct tuf_head *head;
    uint8_t digest[KW_HASH_BYTES]; /* of the metadata */
    struct line_mark last;
    int64_t now_unix;
};

static bool role_is_own(const struct tuf_case *c)
{
    return kw_span_equal(c->head->type, kw_span_text(c->policy->tuf_role));
}

static bool spec_is_known(const struct tuf_case *c)
{
    struct kw_span series = kw_span_sub(c->head->spec_version, 0, strlen(spec_series));

    return kw_span_equal(series, kw_span_text(spec_series));
}

static bool not_expired(const struct tuf_case *c)
{
    return c->head->expires_unix > c->now_unix;
}

static bool expires_within(const struct tuf_case *c)
{
    return c->head->expires_unix - c->now_unix <= c->policy->tuf_max_s;
}

static bool version_rises(const struct tuf_case *c)
{
    return c->head->version >= c->last.number;
}

/* Two bodies of one version would split the clients. */
static bool version_is_one(const struct tuf_case *c)
{
    return c->head->version != c->last.number ||
           kw_span_equal(KW_SPAN_ARRAY(c->digest), KW_SPAN_ARRAY(c->last.digest));
}

/* TUF 1.0 section 5.3.4: clients go from one root to the next, none left out. */
static bool root_follows(const struct tuf_case *c)
{
    return strcmp(c->policy->tuf_role, "root") != 0 || c->last.number == 0 ||
           c->head->version - c->last.number <= 1;
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
static const struct {
    const char *name;
    bool (*holds)(const struct tuf_case *c);
    const char *says;
} checks[] = {
    ROW("tuf-role", role_is_own, "the metadata is of another role than the key"),
    ROW("tuf-spec", spec_is_known, "the metadata is not of TUF 1.0"),
    ROW("tuf-expired", not_expired, "it has expired already"),
    ROW("tuf-expires", expires_within, "it expires later than the policy allows"),
    ROW("tuf-version", version_rises, "a newer version was signed already"),
    ROW("tuf-fork", version_is_one, "another content of this version was signed already"),
    ROW("tuf-gap", root_follows, "a version of the root would be left out"),
};

static kw_status check(struct kw_op *op, const struct tuf_case *c)
{
    for (size_t i = 0; i < KW_COUNT(checks); i++) {
        ENSURE(op, checks[i].holds(c), KW_E_DENIED, "%s: %s", checks[i].name, checks[i].says);
    }
    return KW_OK;
}

/* On disk before the signature leaves. */
static kw_status remember(struct kw_op *op, struct server *server, struct key_record *record,
                          const struct tuf_case *c)
{
    struct key_record before = *record;

    if (record->tree_size == c->head->version) {
        return KW_OK;
    }
    record->tree_size = c->head->version;
    memcpy(record->tree_root, c->digest, sizeof(record->tree_root));
    server->keyring->state->dirty = true;
    kw_status status = keyring_save(op, server->keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        record->tree_size = before.tree_size; /* nothing was written, no signature leaves */
        memcpy(record->tree_root, before.tree_root, sizeof(record->tree_root));
    }
    return status;
}

static kw_status sign_tuf(struct kw_op *op, struct server *server, struct keeper_key *key,
                          struct kw_span body, struct request *request)
{
    struct tuf_head head;
    const char *wrong = "";

    ENSURE(op, kw_ok(tuf_scan(body, &head, &wrong)), KW_E_INPUT, "tuf: %s", wrong);
    struct tuf_case c = {.policy = &key->policy, .head = &head, .now_unix = request->now_unix};
    digest_sha256(body, c.digest);
    line_version(server->keyring->state, key->policy.key_id, &c.last);
    TRY(op, check(op, &c));
    TRY(op, request_sign(op, server, key, body, request));
    return remember(op, server, key->record, &c);
}

kw_status handle_sign_tuf(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *key = NULL;
    struct memfd_map map = {0};

    TRY(op,
        keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_TUF, request->now_unix, &key));
    if (!msg->sign_crl.by_fd) {
        return sign_tuf(op, server, key, msg->sign_crl.tbs, request);
    }
    TRY(op, memfd_map(op, request->fd, msg->sign_crl.len, &map));
    kw_status status = sign_tuf(op, server, key, KW_SPAN(map.p, map.len), request);
    memfd_unmap(&map);
    return status;
}
