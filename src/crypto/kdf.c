#include "crypto/kdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto/openssl.h"

enum {
    SCRYPT_N_MAX = 1 << 20,
    SCRYPT_R_MAX = 32,
    SCRYPT_P_MAX = 16,
    SCRYPT_LEN_MAX = 1024,
    HKDF_LEN_MAX = 255 * 32, /* RFC 5869 section 2.3 */
};

KW_OWNED(EVP_KDF, EVP_KDF, EVP_KDF_free)
KW_OWNED(EVP_KDF_CTX, EVP_KDF_CTX, EVP_KDF_CTX_free)

static bool is_sane(struct kdf_scrypt_cost cost)
{
    bool power_of_two = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0;
    return power_of_two && cost.n <= SCRYPT_N_MAX && cost.r >= 1 && cost.r <= SCRYPT_R_MAX &&
           cost.p >= 1 && cost.p <= SCRYPT_P_MAX;
}

kw_status kdf_scrypt(struct kw_op *op, const struct kw_secret *passphrase, struct kw_span salt,
                     struct kdf_scrypt_cost cost, size_t len, struct kw_secret **ret)
{
    AUTO(kw_secret) *key = NULL;

    ENSURE(op, is_sane(cost), KW_E_INPUT, "scrypt cost n=%u r=%u p=%u is out of bounds", cost.n,
           cost.r, cost.p);
    ENSURE(op, len >= 1 && len <= SCRYPT_LEN_MAX, KW_E_INPUT, "scrypt cannot give %zu octets", len);
    TRY(op, kw_secret_new(len, &key), "deriving a key from a passphrase");

    /* RFC 7914 section 2: 128 * r * (N + p) and two blocks of work room; our own bounds rule. */
    uint64_t max_bytes = UINT64_C(128) * cost.r * ((uint64_t)cost.n + cost.p + 2);
    struct kw_span pass = kw_secret_span(passphrase);
    OSSL_ENSURE(op,
                EVP_PBE_scrypt((const char *)pass.p, pass.len, salt.p, salt.len, cost.n, cost.r,
                               cost.p, max_bytes, kw_secret_data(key), len) == 1,
                KW_E_MEMORY, "deriving a key from a passphrase");
    *ret = TAKE(key);
    return KW_OK;
}

/* OSSL_PARAM has no const, though nothing is written to what goes in. */
static OSSL_PARAM octets(const char *name, struct kw_span span)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)span.p, span.len);
}

kw_status kdf_hkdf_sha256(struct kw_op *op, const struct kw_secret *key, struct kw_span salt,
                          struct kw_span info, size_t len, struct kw_secret **ret)
{
    AUTO(EVP_KDF) *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    AUTO(EVP_KDF_CTX) *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    AUTO(kw_secret) *derived = NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[5];
    unsigned n = 0;

    ENSURE(op, len >= 1 && len <= HKDF_LEN_MAX, KW_E_INPUT, "HKDF cannot give %zu octets", len);
    OSSL_ENSURE(op, ctx, KW_E_INTERNAL, "starting HKDF");
    TRY(op, kw_secret_new(len, &derived), "deriving a key");

    params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[n++] = octets(OSSL_KDF_PARAM_KEY, kw_secret_span(key));
    if (salt.len > 0) {
        params[n++] = octets(OSSL_KDF_PARAM_SALT, salt);
    }
    if (info.len > 0) {
        params[n++] = octets(OSSL_KDF_PARAM_INFO, info);
    }
    params[n] = OSSL_PARAM_construct_end();
    OSSL_ENSURE(op, EVP_KDF_derive(ctx, kw_secret_data(derived), len, params) == 1, KW_E_INTERNAL,
                "deriving a key");
    *ret = TAKE(derived);
    return KW_OK;
}
