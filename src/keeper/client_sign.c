/* Signatures: a privkey whose operation is a message, one row per purpose. */
#include "keeper/client.h"

#include <stdlib.h>

#include "keeper/memfd.h"
#include "os/files.h"

enum { INLINE_CRL_MAX = KW_MSG_BODY_MAX - 256 }; /* beside request id, key id and lengths */

struct remote {
    struct keeper *keeper;
    enum keeper_purpose purpose;
    char key_id[KW_NAME_MAX];
    char arg[KW_NAME_MAX];
    uint64_t approval_id;
};

/* Ask, and put the signature of the answer into the caller's room. */
static kw_status ask(struct kw_op *op, const struct remote *remote, enum keeper_row_index row,
                     struct keeper_msg *msg, int pass_fd, struct kw_out *sig)
{
    KW_ROOM struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, remote->keeper, row, msg, pass_fd, &room, &answer));
    ENSURE(op, answer.octets.len > 0, KW_E_DEVICE, "the keeper sent an empty signature");
    return kw_out_set(sig, answer.octets);
}

static void name_key(struct keeper_msg *msg, const struct remote *remote)
{
    memcpy(msg->key_id, remote->key_id, sizeof(msg->key_id));
}

static kw_status sign_cert(struct kw_op *op, const struct remote *remote, struct kw_span message,
                           struct kw_out *sig)
{
    struct keeper_msg msg = {
        .sign_cert = {.tbs = message, .approval_id = remote->approval_id}
    };

    name_key(&msg, remote);
    memcpy(msg.sign_cert.rule, remote->arg, sizeof(msg.sign_cert.rule));
    return ask(op, remote, KEEPER_ROW_SIGN_CERT, &msg, -1, sig);
}

static kw_status sign_crl(struct kw_op *op, const struct remote *remote, struct kw_span message,
                          struct kw_out *sig)
{
    OS_FD_AUTO int fd = -1;

    ENSURE(op, message.len <= KW_CRL_MAX, KW_E_TOO_LARGE, "a CRL of %zu octets", message.len);
    struct keeper_msg msg = {
        .sign_crl = {.len = (uint32_t)message.len, .tbs = message}
    };
    name_key(&msg, remote);
    if (message.len > INLINE_CRL_MAX) {
        TRY(op, memfd_make(op, message, &fd));
        msg.sign_crl.by_fd = true;
        msg.sign_crl.tbs = KW_SPAN(NULL, 0);
    }
    return ask(op, remote, KEEPER_ROW_SIGN_CRL, &msg, fd, sig);
}

static kw_status sign_plain(struct kw_op *op, const struct remote *remote,
                            enum keeper_row_index row, struct kw_span message, struct kw_out *sig)
{
    struct keeper_msg msg = {.sign = {.message = message}};

    name_key(&msg, remote);
    return ask(op, remote, row, &msg, -1, sig);
}

static kw_status sign_ocsp(struct kw_op *op, const struct remote *remote, struct kw_span message,
                           struct kw_out *sig)
{
    return sign_plain(op, remote, KEEPER_ROW_SIGN_OCSP, message, sig);
}

static kw_status sign_tls(struct kw_op *op, const struct remote *remote, struct kw_span message,
                          struct kw_out *sig)
{
    return sign_plain(op, remote, KEEPER_ROW_SIGN_TLS, message, sig);
}

static kw_status sign_cert_request(struct kw_op *op, const struct remote *remote,
                                   struct kw_span message, struct kw_out *sig)
{
    return sign_plain(op, remote, KEEPER_ROW_SIGN_CERT_REQUEST, message, sig);
}

static kw_status sign_cross(struct kw_op *op, const struct remote *remote, struct kw_span message,
                            struct kw_out *sig)
{
    return sign_plain(op, remote, KEEPER_ROW_SIGN_CROSS, message, sig);
}

static kw_status sign_cmp(struct kw_op *op, const struct remote *remote, struct kw_span message,
                          struct kw_out *sig)
{
    ENSURE(op, message.len <= KEEPER_CMP_MAX, KW_E_TOO_LARGE,
           "a CMP answer of %zu octets, at most %d are signed", message.len, (int)KEEPER_CMP_MAX);
    return sign_plain(op, remote, KEEPER_ROW_SIGN_CMP, message, sig);
}

static kw_status sign_nothing(struct kw_op *op, const struct remote *remote, struct kw_span message,
                              struct kw_out *sig)
{
    (void)remote;
    (void)message;
    (void)sig;
    return FAIL(op, KW_E_UNSUPPORTED, "checkpoints are signed by keeper_sign_checkpoint()");
}

/* Every purpose has its function and says whether it takes an argument. */
static const struct purpose {
    kw_status (*sign)(struct kw_op *op, const struct remote *remote, struct kw_span message,
                      struct kw_out *sig);
    bool takes_arg;
} purposes[] = {
    [KEEPER_SIGN_CERT] = {sign_cert,         true },
    [KEEPER_SIGN_CRL] = {sign_crl,          false},
    [KEEPER_SIGN_OCSP] = {sign_ocsp,         false},
    [KEEPER_SIGN_TLS] = {sign_tls,          false},
    [KEEPER_SIGN_CHECKPOINT] = {sign_nothing,      false},
    [KEEPER_SIGN_CERT_REQUEST] = {sign_cert_request, false},
    [KEEPER_SIGN_CROSS] = {sign_cross,        false},
    [KEEPER_SIGN_CMP] = {sign_cmp,          false},
};
_Static_assert(KW_COUNT(purposes) == KEEPER_SIGN_CMP + 1, "no purpose is beyond the table");

static kw_status remote_sign(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                             struct kw_out *sig)
{
    const struct remote *remote = ctx;

    ENSURE(op, !pss, KW_E_UNSUPPORTED, "the keeper makes no RSA-PSS signatures");
    TRY(op, purposes[remote->purpose].sign(op, remote, message, sig), "key '%s' of the keeper",
        remote->key_id);
    return KW_OK;
}

static void remote_free(struct remote *remote)
{
    keeper_unref(remote->keeper);
    free(remote);
}
KW_OWNED(remote, struct remote, remote_free)

static void remote_free_ctx(void *ctx)
{
    remote_free(ctx);
}

static kw_status bind_key(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          enum keeper_purpose purpose, const char *arg, uint64_t approval_id,
                          struct privkey **ret)
{
    AUTO(pubkey) *public_key = NULL;

    ENSURE(op,
           purpose >= KEEPER_SIGN_CERT && (size_t)purpose < KW_COUNT(purposes) &&
               purposes[purpose].sign && purposes[purpose].takes_arg == (arg != NULL),
           KW_E_INPUT, "purpose %d of a keeper's key, %s argument", (int)purpose,
           arg ? "with" : "without");
    TRY(op, keeper_key_public(op, keeper, key_id, &public_key));
    AUTO(remote) *remote = calloc(1, sizeof(*remote));
    ENSURE(op, remote, KW_E_MEMORY, "no memory for a key");
    remote->keeper = keeper_ref(keeper);
    remote->purpose = purpose;
    remote->approval_id = approval_id;
    ENSURE(op, KW_TEXT_SET(remote->key_id, key_id) && KW_TEXT_SET(remote->arg, arg ? arg : ""),
           KW_E_INPUT, "name too long");
    TRY(op, privkey_remote(op, public_key, remote_sign, remote, remote_free_ctx, ret));
    (void)TAKE(remote); /* the key's from here on */
    return KW_OK;
}

kw_status keeper_privkey(struct kw_op *op, struct keeper *keeper, const char *key_id,
                         enum keeper_purpose purpose, const char *arg, struct privkey **ret)
{
    return bind_key(op, keeper, key_id, purpose, arg, 0, ret);
}

kw_status keeper_privkey_approved(struct kw_op *op, struct keeper *keeper, const char *ca_key_id,
                                  const char *rule, uint64_t approval_id, struct privkey **ret)
{
    return bind_key(op, keeper, ca_key_id, KEEPER_SIGN_CERT, rule, approval_id, ret);
}

kw_status keeper_sign_checkpoint(struct kw_op *op, struct keeper *keeper, const char *key_id,
                                 struct kw_span body, uint64_t old_size,
                                 const uint8_t (*proof)[KW_HASH_BYTES], unsigned n,
                                 struct kw_out *sig, uint64_t *ret_last_size)
{
    AUTO(channel) *channel = NULL;
    struct keeper_msg msg = {
        .checkpoint = {.body = body, .old_size = old_size, .n = (uint8_t)n}
    };
    KW_ROOM struct channel_room room;
    struct keeper_reply reply = {0};
    struct keeper_answer answer;

    ENSURE(op, n <= KEEPER_PROOF_MAX, KW_E_INPUT, "a proof of %u hashes", n);
    ENSURE(op, KW_TEXT_SET(msg.key_id, key_id), KW_E_NOT_FOUND, "the keeper has no such key");
    msg.checkpoint.proof = KW_SPAN(proof, (size_t)n * KW_HASH_BYTES);
    TRY(op, keeper_channel(op, keeper, &channel));
    kw_status status =
        keeper_call_on(op, channel, KEEPER_ROW_SIGN_CHECKPOINT, &msg, -1, &room, &reply, &answer);
    if (status.code == KW_E_DENIED && reply.result.len > 0 &&
        kw_ok(keeper_answer_decode(&keeper_rows[KEEPER_ROW_SIGN_CHECKPOINT], reply.result,
                                   &answer))) {
        *ret_last_size = answer.checkpoint.last_size;
    }
    TRY(op, status, "checkpoint of %u octets", (unsigned)body.len);
    return kw_out_set(sig, answer.checkpoint.sig);
}
