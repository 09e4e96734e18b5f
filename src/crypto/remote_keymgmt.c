#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/remote_key.h"

KW_OWNED(OSSL_PARAM, OSSL_PARAM, OSSL_PARAM_free)

/* provider-keymgmt(7). Every public question is answered by the default provider's public key. */

static const EVP_PKEY *public_evp(const struct remote_key *key)
{
    return remote_key_public(key) ? pubkey_evp(remote_key_public(key)) : NULL;
}

static void *keymgmt_new(void *provctx)
{
    (void)provctx;
    return remote_key_new();
}

static void keymgmt_free(void *keydata)
{
    remote_key_unref(keydata);
}

static int keymgmt_has(const void *keydata, int selection)
{
    const struct remote_key *key = keydata;

    if (!key || !remote_key_public(key)) {
        return 0;
    }
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || remote_key_can_sign(key);
}

static int keymgmt_match(const void *keydata1, const void *keydata2, int selection)
{
    const struct pubkey *a = remote_key_public(keydata1);
    const struct pubkey *b = remote_key_public(keydata2);

    if (!a || !b) {
        return 0;
    }
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0) {
        return pubkey_equal(a, b);
    }
    return pubkey_alg(a) == pubkey_alg(b);
}

static int keymgmt_get_params(void *keydata, OSSL_PARAM params[])
{
    const EVP_PKEY *evp = public_evp(keydata);
    if (!evp || EVP_PKEY_get_params(evp, params) != 1) {
        return 0;
    }
    /* The default provider says SHA-256 for every curve; here a key signs with its own hash only.
     */
    const char *digest = key_alg_digest(pubkey_alg(remote_key_public(keydata)));
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST);
    return !p || !digest || OSSL_PARAM_set_utf8_string(p, digest) == 1;
}

#define COMMON_GETTABLE                                                                            \
    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),                                                    \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),                                       \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),                                            \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),                           \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),                         \
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0)

#define EC_PUBLIC                                                                                  \
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),                                   \
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0)

#define RSA_PUBLIC                                                                                 \
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0)

#define ED25519_PUBLIC OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0)

static int import_remote(struct remote_key *key, const OSSL_PARAM *p)
{
    struct remote_import *from = NULL;

    if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data_size != sizeof(from)) {
        return 0;
    }
    memcpy(&from, p->data, sizeof(from));
    remote_key_set_source(key, &from->source);
    from->made = key;
    return 1;
}

/* A public key of another provider is taken in only to be compared with one of ours. */
static int import_public(struct remote_key *key, const char *type, const OSSL_PARAM params[])
{
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    AUTO(EVP_PKEY) *evp = NULL;
    struct pubkey *public_key = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) != 1) {
        return 0;
    }
    if (!kw_ok(pubkey_from_evp(NULL, evp, &public_key))) {
        return 0;
    }
    remote_key_set_public(key, public_key);
    return 1;
}

static int import(struct remote_key *key, const char *type, int selection,
                  const OSSL_PARAM params[])
{
    if (!key || remote_key_public(key)) {
        return 0;
    }
    const OSSL_PARAM *remote = OSSL_PARAM_locate_const(params, REMOTE_PARAM_IMPORT);
    if (remote) {
        return import_remote(key, remote);
    }
    bool with_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    return !with_private && import_public(key, type, params);
}

/* Refusing the private half is what makes OpenSSL come back to us for the signature. */
static int keymgmt_export(void *keydata, int selection, OSSL_CALLBACK *callback, void *arg)
{
    const EVP_PKEY *evp = public_evp(keydata);
    AUTO(OSSL_PARAM) *params = NULL;

    if (!evp || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
        EVP_PKEY_todata(evp, selection, &params) != 1) {
        return 0;
    }
    return callback(params, arg);
}

static const OSSL_PARAM *ec_gettable(void *provctx)
{
    static const OSSL_PARAM list[] = {COMMON_GETTABLE, EC_PUBLIC, OSSL_PARAM_END};
    (void)provctx;
    return list;
}

static const OSSL_PARAM *ec_types(int selection)
{
    static const OSSL_PARAM list[] = {EC_PUBLIC, OSSL_PARAM_END};
    (void)selection;
    return list;
}

static int ec_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    return import(keydata, "EC", selection, params);
}

static const char *ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const OSSL_PARAM *ed25519_gettable(void *provctx)
{
    static const OSSL_PARAM list[] = {COMMON_GETTABLE, ED25519_PUBLIC, OSSL_PARAM_END};
    (void)provctx;
    return list;
}

static const OSSL_PARAM *ed25519_types(int selection)
{
    static const OSSL_PARAM list[] = {ED25519_PUBLIC, OSSL_PARAM_END};
    (void)selection;
    return list;
}

static int ed25519_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    return import(keydata, "ED25519", selection, params);
}

static const char *ed25519_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ED25519" : NULL;
}

static const OSSL_PARAM *rsa_gettable(void *provctx)
{
    static const OSSL_PARAM list[] = {COMMON_GETTABLE, RSA_PUBLIC, OSSL_PARAM_END};
    (void)provctx;
    return list;
}

static const OSSL_PARAM *rsa_types(int selection)
{
    static const OSSL_PARAM list[] = {RSA_PUBLIC, OSSL_PARAM_END};
    (void)selection;
    return list;
}

static int rsa_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    return import(keydata, "RSA", selection, params);
}

static const char *rsa_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

#define FN(function) (void (*)(void))(function)
#define COMMON_FUNCTIONS                                                                           \
    {OSSL_FUNC_KEYMGMT_NEW, FN(keymgmt_new)}, {OSSL_FUNC_KEYMGMT_FREE, FN(keymgmt_free)},          \
        {OSSL_FUNC_KEYMGMT_HAS, FN(keymgmt_has)}, {OSSL_FUNC_KEYMGMT_MATCH, FN(keymgmt_match)},    \
        {OSSL_FUNC_KEYMGMT_EXPORT, FN(keymgmt_export)},                                            \
    {                                                                                              \
        OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(keymgmt_get_params)                                       \
    }

static const OSSL_DISPATCH ec_functions[] = {
    COMMON_FUNCTIONS,
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,      FN(ec_gettable) },
    {OSSL_FUNC_KEYMGMT_IMPORT,               FN(ec_import)   },
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES,         FN(ec_types)    },
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES,         FN(ec_types)    },
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(ec_operation)},
    {0,                                      NULL            },
};

static const OSSL_DISPATCH ed25519_functions[] = {
    COMMON_FUNCTIONS,
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,      FN(ed25519_gettable) },
    {OSSL_FUNC_KEYMGMT_IMPORT,               FN(ed25519_import)   },
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES,         FN(ed25519_types)    },
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES,         FN(ed25519_types)    },
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(ed25519_operation)},
    {0,                                      NULL                 },
};

static const OSSL_DISPATCH rsa_functions[] = {
    COMMON_FUNCTIONS,
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,      FN(rsa_gettable) },
    {OSSL_FUNC_KEYMGMT_IMPORT,               FN(rsa_import)   },
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES,         FN(rsa_types)    },
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES,         FN(rsa_types)    },
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(rsa_operation)},
    {0,                                      NULL             },
};

/* All names of the default provider: OpenSSL compares by any of them, libssl by the second. */
const OSSL_ALGORITHM remote_keymgmts[] = {
    {"EC:id-ecPublicKey:1.2.840.10045.2.1",    "provider=keywright", ec_functions,      NULL},
    {"ED25519:1.3.101.112",                    "provider=keywright", ed25519_functions, NULL},
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=keywright", rsa_functions,     NULL},
    {NULL,                                     NULL,                 NULL,              NULL},
};
