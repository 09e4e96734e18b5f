#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "crypto/remote_key.h"

/*
 * provider-signature(7). One implementation for all key types: what to do stands in the key. There
 * is no signing of bare digests, because the far side must see what it signs.
 */

enum {
    STREAM_MAX =
        1 << 20, /* nothing of ours is signed in pieces; X.509 and TLS hand over the whole */
    PSS_SALT_BYTES = 32, /* RFC 8446 section 4.2.3: as long as the digest */
};

struct signature {
    struct remote_key *key;   /* NULL until init */
    bool pss;                 /* RSA only */
    struct kw_bytes *message; /* the pieces so far; NULL = none */
};

static void *signature_new(void *provctx, const char *propq)
{
    (void)provctx;
    (void)propq;
    return calloc(1, sizeof(struct signature));
}

static void signature_free(void *vctx)
{
    struct signature *s = vctx;
    if (s) {
        remote_key_unref(s->key);
        kw_bytes_free(s->message);
        free(s);
    }
}
KW_OWNED(signature, struct signature, signature_free)

static void *signature_dup(void *vctx)
{
    const struct signature *from = vctx;
    AUTO(signature) *s = calloc(1, sizeof(*s));

    if (!s) {
        return NULL;
    }
    if (from->message && !kw_ok(kw_bytes_copy(kw_bytes_span(from->message), &s->message))) {
        return NULL;
    }
    s->key = from->key ? remote_key_ref(from->key) : NULL;
    s->pss = from->pss;
    return TAKE(s);
}

static enum key_alg alg_of(const struct signature *s)
{
    return s->key ? pubkey_alg(remote_key_public(s->key)) : KEY_ALG_NONE;
}

/* Does this name mean the hash that the key signs with? These are all that OpenSSL calls them. */
static bool is_own_digest(enum key_alg alg, const char *name)
{
    static const char *const sha256[] = {"SHA256", "SHA2-256", "SHA-256", "2.16.840.1.101.3.4.2.1"};
    static const char *const sha384[] = {"SHA384", "SHA2-384", "SHA-384", "2.16.840.1.101.3.4.2.2"};
    const char *own = key_alg_digest(alg);

    if (!own || !name || name[0] == '\0') {
        return !own && (!name || name[0] == '\0');
    }
    const char *const *names = strcmp(own, sha384[0]) == 0 ? sha384 : sha256;
    for (size_t i = 0; i < KW_COUNT(sha256); i++) {
        if (OPENSSL_strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool text_is(const OSSL_PARAM *p, const char *text)
{
    return p->data_type == OSSL_PARAM_UTF8_STRING && p->data &&
           OPENSSL_strcasecmp(p->data, text) == 0;
}

static bool number_is(const OSSL_PARAM *p, int number)
{
    int value = 0;
    return p->data_type == OSSL_PARAM_INTEGER && OSSL_PARAM_get_int(p, &value) == 1 &&
           value == number;
}

static bool set_pad_mode(struct signature *s, const OSSL_PARAM *p)
{
    bool pss = text_is(p, OSSL_PKEY_RSA_PAD_MODE_PSS) || number_is(p, RSA_PKCS1_PSS_PADDING);
    bool pkcs1 = text_is(p, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) || number_is(p, RSA_PKCS1_PADDING);
    s->pss = pss;
    return (pss || pkcs1) && alg_of(s) == KEY_ALG_RSA_3072;
}

static bool is_salt_length(const OSSL_PARAM *p)
{
    return text_is(p, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) || text_is(p, "32") ||
           number_is(p, RSA_PSS_SALTLEN_DIGEST) || number_is(p, PSS_SALT_BYTES);
}

static bool is_digest_param(const struct signature *s, const OSSL_PARAM *p)
{
    return p->data_type == OSSL_PARAM_UTF8_STRING && is_own_digest(alg_of(s), p->data);
}

/* Anything that would make the signature another one than the function makes is refused. */
static int signature_set_params(void *vctx, const OSSL_PARAM params[])
{
    struct signature *s = vctx;

    if (!params) {
        return 1;
    }
    const OSSL_PARAM *digest = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
    const OSSL_PARAM *mgf1 = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
    const OSSL_PARAM *pad = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    const OSSL_PARAM *salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    bool fits = (!digest || is_digest_param(s, digest)) && (!mgf1 || is_digest_param(s, mgf1)) &&
                (!pad || set_pad_mode(s, pad)) && (!salt || (s->pss && is_salt_length(salt)));
    if (!fits) {
        remote_raise(KW_E_UNSUPPORTED, "a remote key does not sign with these parameters");
    }
    return fits;
}

static const OSSL_PARAM *signature_settable(void *vctx, void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)vctx;
    (void)provctx;
    return list;
}

/* DER AlgorithmIdentifier of what the function makes; PSS is for TLS only, which does not ask. */
static struct kw_span algorithm_id(const struct signature *s)
{
    static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                           0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const uint8_t ecdsa_sha384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                           0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
    static const uint8_t ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
    static const uint8_t rsa_sha256[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
    static const struct kw_span ids[KEY_ALG_MAX] = {
        [KEY_ALG_NONE] = {NULL,         0                   },
        [KEY_ALG_EC_P256] = {ecdsa_sha256, sizeof(ecdsa_sha256)},
        [KEY_ALG_EC_P384] = {ecdsa_sha384, sizeof(ecdsa_sha384)},
        [KEY_ALG_ED25519] = {ed25519,      sizeof(ed25519)     },
        [KEY_ALG_RSA_3072] = {rsa_sha256,   sizeof(rsa_sha256)  },
    };
    return s->pss ? KW_SPAN(NULL, 0) : ids[alg_of(s)];
}

static bool get_pad_mode(const struct signature *s, OSSL_PARAM *p)
{
    if (p->data_type == OSSL_PARAM_UTF8_STRING) {
        return OSSL_PARAM_set_utf8_string(p, s->pss ? OSSL_PKEY_RSA_PAD_MODE_PSS
                                                    : OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 1;
    }
    return OSSL_PARAM_set_int(p, s->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
}

static int signature_get_params(void *vctx, OSSL_PARAM params[])
{
    const struct signature *s = vctx;
    const char *own = key_alg_digest(alg_of(s));
    struct kw_span id = algorithm_id(s);

    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (p && (id.len == 0 || OSSL_PARAM_set_octet_string(p, id.p, id.len) != 1)) {
        return 0;
    }
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p && OSSL_PARAM_set_utf8_string(p, own ? own : "") != 1) {
        return 0;
    }
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    return !p || get_pad_mode(s, p);
}

static const OSSL_PARAM *signature_gettable(void *vctx, void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)vctx;
    (void)provctx;
    return list;
}

static int sign_init(void *vctx, const char *digest, void *keydata, const OSSL_PARAM params[])
{
    struct signature *s = vctx;

    if (keydata) {
        remote_key_unref(s->key);
        s->key = remote_key_ref(keydata);
    }
    kw_bytes_free(s->message);
    s->message = NULL;
    s->pss = false;
    if (!s->key || !remote_key_can_sign(s->key)) {
        remote_raise(KW_E_INTERNAL, "there is only a public key");
        return 0;
    }
    if (!is_own_digest(alg_of(s), digest)) {
        remote_raise(KW_E_UNSUPPORTED, "a remote key signs with its own digest only");
        return 0;
    }
    return signature_set_params(s, params);
}

/* OpenSSL asks for the room with a NULL sig first. */
static int sign_message(const struct signature *s, uint8_t *sig, size_t *n_sig, size_t room,
                        struct kw_span message)
{
    if (!sig) {
        *n_sig = remote_key_sig_max(remote_key_public(s->key));
        return *n_sig > 0;
    }
    struct kw_out out = {sig, room, 0};
    if (!remote_key_sign(s->key, message, s->pss, &out)) {
        return 0;
    }
    *n_sig = out.len;
    return 1;
}

static int sign_whole(void *vctx, uint8_t *sig, size_t *n_sig, size_t room, const uint8_t *message,
                      size_t n_message)
{
    return sign_message(vctx, sig, n_sig, room, KW_SPAN(message, n_message));
}

static int sign_update(void *vctx, const uint8_t *piece, size_t n_piece)
{
    struct signature *s = vctx;

    if (!s->message && !kw_ok(kw_bytes_new(n_piece, &s->message))) {
        return 0;
    }
    if (n_piece > STREAM_MAX - s->message->len) {
        remote_raise(KW_E_TOO_LARGE, "too much to sign in pieces");
        return 0;
    }
    return kw_ok(kw_bytes_append(s->message, KW_SPAN(piece, n_piece)));
}

static int sign_final(void *vctx, uint8_t *sig, size_t *n_sig, size_t room)
{
    const struct signature *s = vctx;
    return sign_message(s, sig, n_sig, room, kw_bytes_span(s->message));
}

#define FN(function) (void (*)(void))(function)

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX,              FN(signature_new)       },
    {OSSL_FUNC_SIGNATURE_FREECTX,             FN(signature_free)      },
    {OSSL_FUNC_SIGNATURE_DUPCTX,              FN(signature_dup)       },
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT,    FN(sign_init)           },
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN,         FN(sign_whole)          },
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE,  FN(sign_update)         },
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL,   FN(sign_final)          },
    {OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS,      FN(signature_get_params)},
    {OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, FN(signature_gettable)  },
    {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS,      FN(signature_set_params)},
    {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, FN(signature_settable)  },
    {0,                                       NULL                    },
};

const OSSL_ALGORITHM remote_signatures[] = {
    {"ECDSA",                                  "provider=keywright", functions, NULL},
    {"ED25519:1.3.101.112",                    "provider=keywright", functions, NULL},
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=keywright", functions, NULL},
    {NULL,                                     NULL,                 NULL,      NULL},
};
