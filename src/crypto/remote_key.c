#include "crypto/remote_key.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct remote_key {
    atomic_uint n_refs;
    struct pubkey *public_key;   /* NULL while empty */
    privkey_sign_fn sign;        /* NULL: only a public half */
    void *ctx;                   /* for sign */
    void (*ctx_free)(void *ctx); /* NULL = none */
};

struct remote_key *remote_key_new(void)
{
    struct remote_key *key = calloc(1, sizeof(*key));
    if (key) {
        atomic_init(&key->n_refs, 1);
    }
    return key;
}

struct remote_key *remote_key_ref(struct remote_key *key)
{
    atomic_fetch_add_explicit(&key->n_refs, 1, memory_order_relaxed);
    return key;
}

void remote_key_unref(struct remote_key *key)
{
    if (!key || atomic_fetch_sub_explicit(&key->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (key->ctx_free) {
        key->ctx_free(key->ctx);
    }
    pubkey_unref(key->public_key);
    free(key);
}

void remote_key_set_source(struct remote_key *key, const struct remote_source *source)
{
    key->public_key = pubkey_ref(source->public_key);
    key->sign = source->sign;
    key->ctx = source->ctx;
}

void remote_key_set_public(struct remote_key *key, struct pubkey *public_key)
{
    key->public_key = public_key;
}

void remote_key_set_free(struct remote_key *key, void (*ctx_free)(void *ctx))
{
    key->ctx_free = ctx_free;
}

const struct pubkey *remote_key_public(const struct remote_key *key)
{
    return key->public_key;
}

bool remote_key_can_sign(const struct remote_key *key)
{
    return key->sign != NULL;
}

size_t remote_key_sig_max(const struct pubkey *public_key)
{
    int n = EVP_PKEY_get_size(pubkey_evp(public_key));
    return n > 0 ? (size_t)n : 0;
}

static bool is_possible(const struct pubkey *public_key, size_t n_sig)
{
    enum key_alg alg = pubkey_alg(public_key);
    size_t max = remote_key_sig_max(public_key);
    if (alg == KEY_ALG_EC_P256 || alg == KEY_ALG_EC_P384) {
        return n_sig > 0 && n_sig <= max; /* DER integers vary in length */
    }
    return n_sig == max;
}

kw_status remote_call(struct kw_op *op, const struct remote_source *source, struct kw_span message,
                      bool pss, struct kw_out *sig)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_op fresh;

    if (!op) {
        kw_op_init(&fresh, NULL, 0);
        op = &fresh;
    }
    TRY(op, source->sign(op, source->ctx, message, pss, &out), "signing with a remote key");
    ENSURE(op, is_possible(source->public_key, out.len), KW_E_DEVICE,
           "a remote key gave a signature of %zu octets", out.len);
    TRY(op, kw_out_set(sig, kw_out_span(&out)), "signing with a remote key");
    return KW_OK;
}

/* The operation of this thread for signatures that OpenSSL asks for; NULL = none. */
static _Thread_local struct kw_op *scope;

struct kw_op *privkey_scope_enter(struct kw_op *op)
{
    struct kw_op *previous = scope;
    scope = op;
    ERR_clear_error();
    return previous;
}

void privkey_scope_leave(struct kw_op **previous)
{
    scope = *previous;
}

/* crypto/ may not include os/clock.h; a deadline is all that is made of it. */
static int64_t mono_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool remote_key_sign(const struct remote_key *key, struct kw_span message, bool pss,
                     struct kw_out *sig)
{
    struct remote_source source = {key->public_key, key->sign, key->ctx};
    struct kw_op *op = scope;
    struct kw_op fresh;

    if (!op) {
        kw_op_init(&fresh, NULL, mono_ms() + PRIVKEY_TLS_DEADLINE_MS);
        op = &fresh;
    }
    kw_status status = remote_call(op, &source, message, pss, sig);
    if (!kw_ok(status)) {
        kw_op_explain(op, status);
        remote_raise(status.code, kw_op_cause(op));
    }
    return kw_ok(status);
}

static atomic_int error_library = -1;

int remote_error_library(void)
{
    return atomic_load_explicit(&error_library, memory_order_acquire);
}

/* Called once. OpenSSL keeps the table and writes to it. */
void remote_error_init(void)
{
    static ERR_STRING_DATA strings[KW_CODE_MAX + 1]; /* the last one ends the table */

    int library = ERR_get_next_error_library();
    strings[0] = (ERR_STRING_DATA){ERR_PACK(library, 0, 0), "keywright remote key"};
    for (int code = 1; code < KW_CODE_MAX; code++) {
        strings[code].error = ERR_PACK(library, 0, code);
        strings[code].string = kw_code_meaning((enum kw_code)code);
    }
    (void)ERR_load_strings(library, strings); /* without texts the numbers still work */
    atomic_store_explicit(&error_library, library, memory_order_release);
}

void remote_raise(enum kw_code code, const char *text)
{
    ERR_new();
    ERR_set_debug(__FILE__, __LINE__, __func__);
    ERR_set_error(remote_error_library(), (int)code, "%s", text);
}
