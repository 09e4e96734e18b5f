#include "service/cmp/cmp.h"

#include <stdio.h>

#include "base/utf8.h"
#include "crypto/digest.h"
#include "os/clock.h"
#include "os/rng.h"
#include "service/cmp/serving.h"

enum {
    TIME_OFF_S = 3600,
    EXTRA_MAX = 2 * CMP_CHAIN_MAX + 1
}; /* a device's clock may be this wrong */

/* --- requests ------------------------------------------------------------------------------------
 */

static kw_status refuse_nested(struct kw_op *op, struct serving *it)
{
    it->fail = CMP_BAD_REQUEST;
    return FAIL(op, KW_E_UNSUPPORTED, "a message is nested once, not twice");
}

/* operation: RFC 9483 section 6.1; one address may take several kinds. */
static const struct kind {
    enum cmp_type type;
    const char *operation;
    kw_status (*handle)(struct kw_op *op, struct serving *it);
} kinds[] = {
    {CMP_IR,       "initialization",     cmp_ask_cert  },
    {CMP_CR,       "certification",      cmp_ask_cert  },
    {CMP_KUR,      "keyupdate",          cmp_ask_cert  },
    {CMP_P10CR,    "pkcs10",             cmp_ask_cert  },
    {CMP_RR,       "revocation",         cmp_revoke    },
    {CMP_GENM,     "getcacerts",         cmp_inform    },
    {CMP_GENM,     "getrootupdate",      cmp_inform    },
    {CMP_GENM,     "getcertreqtemplate", cmp_inform    },
    {CMP_GENM,     "getcrls",            cmp_inform    },
    {CMP_CERTCONF, "",                   cmp_confirm   },
    {CMP_POLLREQ,  "",                   cmp_poll      },
    {CMP_ERROR,    "",                   cmp_hear_error},
    {CMP_NESTED,   CMP_NESTED_PATH,      refuse_nested }, /* in another one; see nested.c */
};

static kw_status check_operation(struct kw_op *op, const char *operation)
{
    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        if (!*operation || strcmp(kinds[i].operation, operation) == 0) {
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "there is no operation '%.40s'", operation);
}

/* What goes on with a transaction comes to whatever address began it. */
static kw_status choose(struct kw_op *op, struct serving *it, const char *operation,
                        const struct kind **ret)
{
    it->fail = CMP_BAD_REQUEST;
    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        const struct kind *kind = &kinds[i];
        bool here = !*operation || !*kind->operation || strcmp(kind->operation, operation) == 0;
        if (kind->type == it->message.type && here) {
            *ret = kind;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_UNSUPPORTED, "%s is not taken here", cmp_type_text(it->message.type));
}

/* --- what holds for every message (RFC 9483 section 3.5)
 * ------------------------------------------ */

kw_status cmp_check_header(struct kw_op *op, struct serving *it)
{
    const struct cmp_message *message = &it->message;
    int64_t off = message->time - it->now_s;

    it->fail = CMP_UNSUPPORTED_VERSION;
    ENSURE(op, message->pvno == 2 || message->pvno == 3, KW_E_INPUT, "pvno must be 2 or 3");
    it->fail = CMP_BAD_DATA_FORMAT;
    ENSURE(op, message->transaction_id.len > 0, KW_E_INPUT, "there is no transactionID");
    it->fail = CMP_BAD_SENDER_NONCE;
    ENSURE(op, message->sender_nonce.len >= CMP_NONCE_MIN, KW_E_INPUT,
           "senderNonce has less than %d octets", (int)CMP_NONCE_MIN);
    it->fail = CMP_BAD_TIME;
    ENSURE(op, !message->has_time || (off <= TIME_OFF_S && off >= -TIME_OFF_S), KW_E_INPUT,
           "messageTime is %lld s off; leave it out where there is no clock", (long long)off);
    return KW_OK;
}

/* The address comes before the header; where both name one, it is the same. */
static kw_status choose_profile(struct kw_op *op, struct serving *it)
{
    struct kw_span name = it->message.cert_profile;

    it->fail = CMP_BAD_REQUEST;
    if (name.len == 0) {
        return KW_OK;
    }
    ENSURE(op, name.len < sizeof(it->header_profile) && kw_utf8_is_plain(name), KW_E_INPUT,
           "certProfile is no name of a profile");
    memcpy(it->header_profile, name.p, name.len);
    ENSURE(op, !*it->profile || strcmp(it->profile, it->header_profile) == 0, KW_E_INPUT,
           "certProfile is another one than the address names");
    it->profile = it->header_profile;
    return KW_OK;
}

/* The very same message again gets the very same answer: nothing is done twice. */
static kw_status find_replay(struct kw_op *op, struct serving *it, struct kw_bytes **ret)
{
    struct store_cmp found;
    AUTO(kw_bytes) *answer = NULL;

    it->fail = CMP_SYSTEM_UNAVAIL;
    kw_status status =
        store_cmp_get(op, it->service->store, it->message.transaction_id, &found, NULL, &answer);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (answer && memcmp(found.message, it->sha256, sizeof(found.message)) == 0) {
        *ret = TAKE(answer);
    }
    return KW_OK;
}

/* --- answers -------------------------------------------------------------------------------------
 */

static kw_status put_header(struct kw_op *op, struct serving *it, struct cmp_header *header)
{
    const struct cmp_message *message = &it->message;

    TRY(op, os_random(op, it->transaction.nonce, sizeof(it->transaction.nonce)));
    *header = (struct cmp_header){
        .pvno = message->pvno == 3 ? 3 : 2,
        .sender = cert_subject(it->all->cmp_cert),
        .recipient = message->sender,
        .now = os_clock_unix_s(),
        .sender_kid = it->secret ? message->sender_kid : cert_ski(it->all->cmp_cert),
        .transaction_id = message->transaction_id,
        .sender_nonce = KW_SPAN_ARRAY(it->transaction.nonce),
        .recip_nonce = message->sender_nonce,
        .implicit_confirm = it->implicit,
        .confirm_by = it->implicit ? 0 : it->confirm_by_s,
    };
    return KW_OK;
}

/* Protected as the request was; where that did not hold, by our signature. */
static kw_status protect(struct kw_op *op, struct serving *it, struct kw_bytes **ret)
{
    const struct ca *signer = authorities_issuer_of(it->all, it->all->cmp_cert);
    struct kw_span extra[EXTRA_MAX];
    struct cmp_header header;
    unsigned n = 0;

    TRY(op, put_header(op, it, &header));
    if (!it->secret) {
        struct cert *path[AUTHORITIES_PATH_MAX];
        unsigned n_path = signer ? authorities_path(it->all, signer, path) : 0;
        extra[n++] = cert_der(it->all->cmp_cert);
        for (unsigned i = 0; i < n_path; i++) {
            extra[n++] = cert_der(path[i]);
        }
    }
    for (unsigned i = 0; i < it->n_chain; i++) {
        extra[n++] = it->chain[i];
    }
    struct cmp_protector protector = {.key = it->secret ? NULL : it->all->cmp_key,
                                      .protect_alg = it->message.protect_alg,
                                      .secret = it->secret,
                                      .extra = extra,
                                      .n_extra = n};
    return cmp_build(op, &header, it->type, kw_bytes_span(it->content), &protector, ret);
}

struct answered {
    const struct serving *it;
    struct kw_span answer;
};

static kw_status put_answer(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct answered *answered = ctx;

    return store_cmp_answered(op, txn, &answered->it->transaction, answered->answer);
}

/* An answer leaves only when it is known what was said. */
kw_status cmp_finish(struct kw_op *op, struct serving *it, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, protect(op, it, &der));
    if (it->remember) {
        struct answered answered = {.it = it, .answer = kw_bytes_span(der)};
        memcpy(it->transaction.message, it->sha256, sizeof(it->transaction.message));
        TRY(op, store_change(op, it->service->store, put_answer, &answered));
    }
    *ret = TAKE(der);
    return KW_OK;
}

/* --- refusals ------------------------------------------------------------------------------------
 */

/* What is ours to mend is never the asker's fault. */
static enum cmp_fail fail_of(const struct serving *it, enum kw_code code)
{
    if (kw_code_may_retry(code)) {
        return CMP_SYSTEM_UNAVAIL;
    }
    return kw_code_http(code) >= 500 && code != KW_E_UNSUPPORTED ? CMP_SYSTEM_FAILURE : it->fail;
}

static bool is_cert_answer(enum cmp_type type)
{
    return type == CMP_IP || type == CMP_CP || type == CMP_KUP;
}

static kw_status put_refusal(struct kw_op *op, struct serving *it,
                             const struct cmp_status_info *info)
{
    struct kw_span none = {0};

    if (it->in_body && is_cert_answer(it->type)) {
        return cmp_cert_reply(op, it->transaction.request_id, info, none, NULL, 0, &it->content);
    }
    if (it->in_body && it->type == CMP_RP) {
        return cmp_revocation_reply(op, info, none, none, &it->content);
    }
    it->type = CMP_ERROR;
    return cmp_error_reply(op, info, &it->content);
}

/* As the engine does for other protocols: the cause where the fault is the asker's. */
static void say_why(const struct kw_op *op, enum kw_code code, char text[CMP_TEXT_MAX])
{
    const char *cause = kw_op_cause(op);
    bool own = kw_code_http(code) < 500 || code == KW_E_UNSUPPORTED;

    (void)kw_text_copy(text, CMP_TEXT_MAX, own && *cause ? cause : kw_code_meaning(code));
}

kw_status cmp_refuse(struct kw_op *op, struct serving *it, kw_status failed, struct kw_bytes **ret)
{
    char text[CMP_TEXT_MAX];
    struct cmp_status_info info = {
        .status = CMP_REJECTION, .fail = fail_of(it, failed.code), .text = text};

    say_why(op, failed.code, text);
    if (info.fail == CMP_SYSTEM_FAILURE) { /* the peer is told no more than that it was us */
        service_complain(it->service, op, "a CMP message could not be served");
    }
    kw_op_clear(op);
    kw_bytes_free(TAKE(it->content));
    it->implicit = false;
    it->confirm_by_s = 0;
    it->n_chain = 0;
    it->remember = false;
    TRY(op, put_refusal(op, it, &info));
    return cmp_finish(op, it, ret);
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static kw_status handle(struct kw_op *op, struct serving *it, const char *operation,
                        struct kw_bytes **ret)
{
    const struct kind *kind = NULL;

    TRY(op, cmp_check_header(op, it));
    TRY(op, find_replay(op, it, ret));
    if (*ret) {
        return KW_OK;
    }
    TRY(op, cmp_who(op, it));
    TRY(op, choose_profile(op, it));
    TRY(op, choose(op, it, operation, &kind));
    return kind->handle(op, it);
}

void cmp_serving_done(struct serving *it)
{
    kw_wipe(it->secret_text, sizeof(it->secret_text));
    kw_secret_free(it->secret);
    cert_unref(it->cert);
    kw_bytes_free(it->content);
    authorities_unref(it->all);
}

static kw_status serve(struct kw_op *op, struct serving *it, const char *operation,
                       struct kw_bytes **ret)
{
    kw_status status = handle(op, it, operation, ret);

    if (!kw_ok(status)) {
        return cmp_refuse(op, it, status, ret);
    }
    return *ret ? KW_OK : cmp_finish(op, it, ret);
}

kw_status cmp_serve_one(struct kw_op *op, struct serving *it, const char *operation,
                        struct kw_span message, struct kw_bytes **ret)
{
    TRY(op, cmp_read(op, message, &it->message));
    digest_sha256(message, it->sha256);
    return serve(op, it, operation, ret);
}

kw_status cmp_serve(struct kw_op *op, struct service *service, const char *profile,
                    const char *operation, struct kw_span message, struct kw_bytes **ret)
{
    __attribute__((cleanup(cmp_serving_done))) struct serving it = {
        .service = service, .profile = profile, .now_s = os_clock_unix_s()};
    const struct bound_profile *known = NULL;
    AUTO(kw_bytes) *answer = NULL;

    if (*profile) {
        TRY(op, service_profile(op, service, profile, &known));
    }
    TRY(op, check_operation(op, operation));
    it.all = service_authorities(service);
    ENSURE(op, it.all->cmp_key, KW_E_UNSUPPORTED, "this server has no signer for CMP");
    TRY(op, cmp_read(op, message, &it.message));
    TRY(op, it.message.type == CMP_NESTED ? cmp_serve_nested(op, &it, operation, &answer)
                                          : cmp_serve_one(op, &it, operation, message, &answer));
    *ret = TAKE(answer);
    return KW_OK;
}
