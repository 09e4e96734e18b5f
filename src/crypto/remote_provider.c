#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "crypto/remote_key.h"

/*
 * The provider lives in a library context of its own, so that no ordinary fetch of "EC" or "ECDSA"
 * in the process can ever meet it. Its keys work everywhere all the same, because OpenSSL reaches a
 * key's methods through the key: EVP_DigestSignInit_ex() first tries the caller's context, is
 * refused the export of the private half, and then takes the signature of the key's own provider.
 * The default provider is loaded beside it for what works on the public half there (encoders).
 */
static OSSL_LIB_CTX *context;
static CRYPTO_ONCE context_once = CRYPTO_ONCE_STATIC_INIT;

static const OSSL_ALGORITHM *query_operation(void *provctx, int operation, int *no_cache)
{
    (void)provctx;
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT) {
        return remote_keymgmts;
    }
    return operation == OSSL_OP_SIGNATURE ? remote_signatures : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation},
    {0,                                  NULL                           },
};

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **provctx)
{
    (void)in;
    *out = provider_functions;
    *provctx = (void *)(uintptr_t)handle;
    return 1;
}

/* Never freed: keys may outlive any exit handler. */
static void make_context(void)
{
    remote_error_init();
    OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();
    if (made && OSSL_PROVIDER_load(made, "default") &&
        OSSL_PROVIDER_add_builtin(made, "keywright", provider_init) == 1 &&
        OSSL_PROVIDER_load(made, "keywright")) {
        context = made;
        return;
    }
    OSSL_LIB_CTX_free(made);
}

static const char *type_of(enum key_alg alg)
{
    static const char *const types[KEY_ALG_MAX] = {
        [KEY_ALG_NONE] = "none",       [KEY_ALG_EC_P256] = "EC",   [KEY_ALG_EC_P384] = "EC",
        [KEY_ALG_ED25519] = "ED25519", [KEY_ALG_RSA_3072] = "RSA",
    };
    return types[alg];
}

kw_status remote_evp_new(struct kw_op *op, const struct remote_source *source,
                         void (*ctx_free)(void *ctx), EVP_PKEY **ret)
{
    struct remote_import import = {*source, NULL};
    struct remote_import *p = &import;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(REMOTE_PARAM_IMPORT, (void *)&p, sizeof(p)),
        OSSL_PARAM_construct_end(),
    };

    OSSL_ENSURE(op, CRYPTO_THREAD_run_once(&context_once, make_context) == 1 && context,
                KW_E_INTERNAL, "starting the provider of remote keys");
    const char *type = type_of(pubkey_alg(source->public_key));
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(context, type, "provider=keywright");
    OSSL_ENSURE(op, ctx && EVP_PKEY_fromdata_init(ctx) == 1, KW_E_INTERNAL, "making a remote key");
    OSSL_ENSURE(op, EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_KEYPAIR, params) == 1 && import.made,
                KW_E_INTERNAL, "making a remote key");
    remote_key_set_free(import.made, ctx_free);
    return KW_OK;
}
