/* VAULT_EXPORT, RECOVERY_SET: what may leave of the vault, and for whom it is sealed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/writer.h"
#include "cmd/keywright-keeper/server.h"
#include "crypto/box.h"
#include "keeper/subjects.h"

enum { EXPORT_HEAD_MAX = 256, EXPORT_KEY_MAX = POLICY_ENCODED_MAX + KW_SPKI_MAX + 512 };
static const char SECRET_INFO[] = "keywright escrow v1 ";

_Static_assert((int)STATE_RECOVERY_BYTES == (int)BOX_KEY_BYTES &&
                   (int)KEEPER_RECOVERY_BYTES == (int)BOX_KEY_BYTES,
               "one kind of key");

static bool has_recovery(const struct state *state)
{
    static const uint8_t none[STATE_RECOVERY_BYTES];

    return memcmp(state->recovery, none, sizeof(none)) != 0;
}

/* --- for whom --------------------------------------------------------------------------------- */

kw_status handle_recovery_set(struct kw_op *op, struct server *server, struct request *request)
{
    struct state *state = server->keyring->state;
    const uint8_t *key = request->msg->recovery_set.key;
    struct approval_subject subject = subject_recovery_set(key);
    uint8_t before[STATE_RECOVERY_BYTES];
    AUTO(kw_bytes) *probe = NULL;

    TRY(op, box_seal(op, key, kw_span_text("probe"), KW_SPAN(NULL, 0), &probe),
        "recovery-key: it is none");
    if (server->mode != KEEPER_CEREMONY || has_recovery(state)) { /* the first one is free there */
        TRY(op, approvals_require(op, server, &subject, request->msg->recovery_set.approval_id));
    }
    memcpy(before, state->recovery, sizeof(before));
    memcpy(state->recovery, key, sizeof(state->recovery));
    state->dirty = true;
    kw_status status = keyring_save(op, server->keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        memcpy(state->recovery, before, sizeof(before));
    }
    return status;
}

/* --- what ------------------------------------------------------------------------------------- */

/* The one place that says which secrets leave: escrow by policy, and never one that signs. */
static bool may_leave(const struct keeper_key *key)
{
    enum key_state state = key->record->state;

    return key->policy.escrow == 1 && key_class_symmetric(key->policy.class_) &&
           !key_class_signs(key->policy.class_) && key->secret && state != KEY_COMPROMISED &&
           state != KEY_DESTROYED;
}

static kw_status seal_secret(struct kw_op *op, const struct state *state,
                             const struct keeper_key *key, struct kw_bytes **ret)
{
    char info[sizeof(SECRET_INFO) + KW_NAME_MAX];

    (void)snprintf(info, sizeof(info), "%s%s", SECRET_INFO, key->policy.key_id);
    return box_seal(op, state->recovery, kw_span_text(info), kw_secret_span(key->secret), ret);
}

static kw_status put_key(struct kw_op *op, const struct state *state, const struct keeper_key *key,
                         struct kw_writer *w)
{
    uint8_t policy[POLICY_ENCODED_MAX], mark[KW_SPKI_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(policy), public_half = KW_OUT_ARRAY(mark);
    AUTO(kw_bytes) *box = NULL;

    TRY(op, policy_encode(&key->policy, &encoded));
    TRY(op, keeper_key_mark(op, key, &public_half));
    if (may_leave(key)) {
        TRY(op, seal_secret(op, state, key, &box));
    }
    kw_writer_text(w, key->policy.key_id);
    kw_writer_u8(w, (uint8_t)key->record->state);
    kw_writer_text(w, key->token);
    kw_writer_span16(w, kw_out_span(&encoded));
    kw_writer_span16(w, kw_out_span(&public_half));
    kw_writer_span16(w, kw_bytes_span(box));
    return KW_OK;
}

static kw_status build(struct kw_op *op, const struct server *server, int64_t now_unix,
                       struct kw_bytes **ret)
{
    const struct keyring *keyring = server->keyring;
    uint8_t room[ROSTER_ENCODED_MAX];
    struct kw_out roster = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *package = NULL;

    TRY(op, kw_bytes_new(EXPORT_HEAD_MAX + keyring->n * (size_t)EXPORT_KEY_MAX + ROSTER_ENCODED_MAX,
                         &package));
    struct kw_out out = {package->p, package->cap, 0};
    struct kw_writer w = kw_writer_of(&out);
    kw_writer_put(&w, kw_span_text("KWEXPRT1"));
    kw_writer_put(&w, KW_SPAN_ARRAY(keyring->vault.id));
    kw_writer_put(&w, KW_SPAN_ARRAY(keyring->state->recovery));
    kw_writer_u64(&w, keyring->state->version);
    kw_writer_u64(&w, (uint64_t)now_unix);
    kw_writer_u16(&w, (uint16_t)keyring->n);
    for (unsigned i = 0; i < keyring->n; i++) {
        TRY(op, put_key(op, keyring->state, keyring->at[i], &w), "key '%s'",
            keyring->at[i]->policy.key_id);
    }
    if (keyring->approvals->version > 0) {
        TRY(op, roster_encode(&keyring->approvals->roster, &roster));
    }
    kw_writer_span16(&w, kw_out_span(&roster));
    TRY(op, kw_writer_end(&w));
    package->len = out.len;
    *ret = TAKE(package);
    return KW_OK;
}

/* --- where to --------------------------------------------------------------------------------- */

/* A memory file never blocks; anything else might hang the keeper. */
static kw_status check_fd(struct kw_op *op, int fd)
{
    struct stat about;

    ENSURE(op,
           fd >= 0 && fcntl(fd, F_GET_SEALS) >= 0 && fstat(fd, &about) == 0 &&
               S_ISREG(about.st_mode),
           KW_E_DENIED, "memfd: the descriptor is no memory file");
    return KW_OK;
}

static kw_status write_out(struct kw_op *op, int fd, struct kw_span octets)
{
    while (octets.len > 0) {
        ssize_t n = write(fd, octets.p, octets.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n > 0, KW_E_IO, "memfd: writing: %s", strerror(errno));
        octets = kw_span_sub(octets, (size_t)n, octets.len);
    }
    return KW_OK;
}

/* The recovery key was approved; each export is where a rule asks for it. */
static kw_status check_approved(struct kw_op *op, struct server *server, uint64_t approval_id)
{
    struct approval_subject subject = subject_vault_export(server->keyring->state->recovery);
    struct approval_rule rule;
    kw_status named = approvals_needed(op, server->keyring->approvals, &subject, "", &rule);

    if (named.code == KW_E_DENIED) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, named);
    return approvals_require(op, server, &subject, approval_id);
}

kw_status handle_vault_export(struct kw_op *op, struct server *server, struct request *request)
{
    AUTO(kw_bytes) *package = NULL;

    TRY(op, check_fd(op, request->fd));
    ENSURE(op, has_recovery(server->keyring->state), KW_E_STATE,
           "recovery-key: there is none; next: keywright backup keys");
    TRY(op, check_approved(op, server, request->msg->vault_export.approval_id));
    TRY(op, build(op, server, request->now_unix, &package));
    TRY(op, write_out(op, request->fd, kw_bytes_span(package)));
    request->answer.exported = (uint32_t)package->len;
    return KW_OK;
}
