/* What the tests of crypto/ share: cmocka, statuses, and a remote key with a soft one behind it. */
#ifndef TESTS_CRYPTO_KIT_H
#define TESTS_CRYPTO_KIT_H

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/openssl.h"
#include "crypto/privkey.h"

static const enum key_alg all_algs[] = {KEY_ALG_EC_P256, KEY_ALG_EC_P384, KEY_ALG_ED25519,
                                        KEY_ALG_RSA_3072};

#define assert_ok(op, expr)                                                                        \
    do {                                                                                           \
        kw_status assert_status_ = (expr);                                                         \
        if (!kw_ok(assert_status_)) {                                                              \
            char text_[512];                                                                       \
            fail_msg("%s: %s", kw_code_text(assert_status_.code),                                  \
                     kw_op_message((op), text_, sizeof(text_)));                                   \
        }                                                                                          \
    } while (0)

#define assert_code(expr, want)                                                                    \
    do {                                                                                           \
        kw_status assert_status_ = (expr);                                                         \
        if (assert_status_.code != (want)) {                                                       \
            fail_msg("%s, not %s", kw_code_text(assert_status_.code), kw_code_text(want));         \
        }                                                                                          \
    } while (0)

#define assert_span_equal(a, b)                                                                    \
    do {                                                                                           \
        struct kw_span a_ = (a);                                                                   \
        struct kw_span b_ = (b);                                                                   \
        assert_int_equal(a_.len, b_.len);                                                          \
        if (a_.len > 0) {                                                                          \
            assert_memory_equal(a_.p, b_.p, a_.len);                                               \
        }                                                                                          \
    } while (0)

/* Octets of a hex text that is well formed. */
static inline struct kw_bytes *from_hex(const char *text)
{
    struct kw_bytes *bytes = NULL;

    assert_true(kw_ok(kw_bytes_new(strlen(text) / 2 + 1, &bytes)));
    struct kw_out out = {bytes->p, bytes->cap, 0};
    assert_true(kw_ok(kw_unhex(text, &out)));
    bytes->len = out.len;
    return bytes;
}

static inline struct kw_secret *secret_of(struct kw_span span)
{
    struct kw_secret *secret = NULL;
    assert_true(kw_ok(kw_secret_copy(span, &secret)));
    return secret;
}

static inline struct kw_secret *secret_text(const char *text)
{
    return secret_of(kw_span_text(text));
}

/* The far side of a remote key: signs with a soft key, keeps what it saw, refuses on demand. */
struct far_side {
    struct privkey *key;
    enum kw_code refuse; /* KW_CODE_OK: sign */
    size_t give_octets;  /* > 0: give that many octets of nonsense */
    atomic_uint n_calls;
    atomic_uint n_freed;      /* how often ctx_free was called */
    bool one_thread;          /* the fields below are kept */
    struct kw_bytes *message; /* of the last call */
    bool pss;
    struct kw_op *op;
    int64_t deadline_ms;
};

static inline bool far_sign_pss(EVP_PKEY *evp, struct kw_span message, struct kw_out *sig)
{
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    uint8_t room[KW_SIG_MAX];
    size_t n = sizeof(room);

    return EVP_DigestSignInit_ex(ctx, &pctx, "SHA256", NULL, NULL, evp, NULL) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32) == 1 &&
           EVP_DigestSign(ctx, room, &n, message.p, message.len) == 1 &&
           kw_ok(kw_out_set(sig, KW_SPAN(room, n)));
}

static inline kw_status far_sign(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                                 struct kw_out *sig)
{
    struct far_side *far = ctx;

    atomic_fetch_add(&far->n_calls, 1);
    if (far->one_thread) {
        kw_bytes_free(far->message);
        far->message = NULL;
        assert_true(kw_ok(kw_bytes_copy(message, &far->message)));
        far->pss = pss;
        far->op = op;
        far->deadline_ms = op->deadline_ms;
    }
    ENSURE(op, far->refuse == KW_CODE_OK, far->refuse, "not within policy");
    if (far->give_octets > 0) {
        uint8_t nonsense[KW_SIG_MAX] = {0};
        return kw_out_set(sig, KW_SPAN(nonsense, far->give_octets));
    }
    if (pss) {
        return far_sign_pss(privkey_evp(far->key), message, sig) ? KW_OK : KW_FAIL(KW_E_INTERNAL);
    }
    return privkey_sign(op, far->key, message, sig);
}

static inline void far_freed(void *ctx)
{
    struct far_side *far = ctx;
    atomic_fetch_add(&far->n_freed, 1);
}

static inline struct far_side *far_new(enum key_alg alg)
{
    struct far_side *far = calloc(1, sizeof(*far));
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    far->one_thread = true;
    assert_ok(&op, privkey_generate(&op, alg, &far->key));
    return far;
}

static inline void far_free(struct far_side *far)
{
    kw_bytes_free(far->message);
    privkey_unref(far->key);
    free(far);
}
KW_OWNED(far_side, struct far_side, far_free)

static inline struct privkey *remote_of(struct far_side *far)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_remote(&op, privkey_public(far->key), far_sign, far, far_freed, &key));
    return key;
}

/* A certificate for key's public half, signed with evp (soft or remote). */
static inline X509 *certify(const struct pubkey *key, EVP_PKEY *evp, const char *cn)
{
    X509 *x = X509_new();
    const char *digest = key_alg_digest(pubkey_alg(key));

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 4711), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    X509_NAME *name = X509_get_subject_name(x);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_int_equal(X509_set_pubkey(x, pubkey_evp(key)), 1);
    if (X509_sign(x, evp, digest ? EVP_get_digestbyname(digest) : NULL) == 0) {
        X509_free(x);
        return NULL;
    }
    return x;
}

#endif
