#include "crypto/digest.h"

#include <assert.h>
#include <openssl/core_names.h>

#include "crypto/openssl.h"

/* Fetched once: a fetch by name costs as much as hashing a kilobyte. Never freed. */
static const EVP_MD *md_sha256;
static const EVP_MD *md_sha1;
static EVP_MAC_CTX *hmac_sha256; /* without a key: each use makes a copy of it */
static CRYPTO_ONCE fetch_once = CRYPTO_ONCE_STATIC_INIT;

static EVP_MAC_CTX *new_hmac(void)
{
    char name[] = "SHA256";
    const OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    AUTO(EVP_MAC_CTX) *ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac); /* the context has a reference */
    return ctx && EVP_MAC_CTX_set_params(ctx, digest) == 1 ? TAKE(ctx) : NULL;
}

static void fetch(void)
{
    md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    hmac_sha256 = new_hmac();
}

static bool fetched(void)
{
    return CRYPTO_THREAD_run_once(&fetch_once, fetch) == 1 && md_sha256 && md_sha1 && hmac_sha256;
}

void digest_sha256_two(struct kw_span a, struct kw_span b, uint8_t ret[KW_HASH_BYTES])
{
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();

    bool done = fetched() && ctx && EVP_DigestInit_ex2(ctx, md_sha256, NULL) == 1 &&
                EVP_DigestUpdate(ctx, a.p, a.len) == 1 && EVP_DigestUpdate(ctx, b.p, b.len) == 1 &&
                EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    assert(done);
}

void digest_sha256(struct kw_span data, uint8_t ret[KW_HASH_BYTES])
{
    bool done = fetched() && EVP_Digest(data.p, data.len, ret, NULL, md_sha256, NULL) == 1;
    assert(done);
}

kw_status digest_sha256_try(struct kw_op *op, struct kw_span data, uint8_t ret[KW_HASH_BYTES])
{
    OSSL_ENSURE(op, fetched() && EVP_Digest(data.p, data.len, ret, NULL, md_sha256, NULL) == 1,
                KW_E_MEMORY, "hashing");
    return KW_OK;
}

void digest_sha1(struct kw_span data, uint8_t ret[20])
{
    bool done = fetched() && EVP_Digest(data.p, data.len, ret, NULL, md_sha1, NULL) == 1;
    assert(done);
}

kw_status digest_hmac_sha256(struct kw_op *op, const struct kw_secret *key, struct kw_span data,
                             uint8_t ret[KW_HASH_BYTES])
{
    struct kw_span k = kw_secret_span(key);
    uint8_t mac[KW_HASH_BYTES];
    size_t len = 0;
    AUTO(EVP_MAC_CTX) *ctx = fetched() ? EVP_MAC_CTX_dup(hmac_sha256) : NULL;

    OSSL_ENSURE(op,
                ctx && EVP_MAC_init(ctx, k.p, k.len, NULL) == 1 &&
                    EVP_MAC_update(ctx, data.p, data.len) == 1 &&
                    EVP_MAC_final(ctx, mac, &len, sizeof(mac)) == 1 && len == sizeof(mac),
                KW_E_INTERNAL, "computing an HMAC");
    memcpy(ret, mac, sizeof(mac));
    return KW_OK;
}

struct digest_stream {
    EVP_MD_CTX *ctx;
};

kw_status digest_stream_new(struct kw_op *op, struct digest_stream **ret)
{
    AUTO(digest_stream) *stream = calloc(1, sizeof(*stream));

    ENSURE(op, stream, KW_E_MEMORY, "no memory for a digest");
    stream->ctx = EVP_MD_CTX_new();
    OSSL_ENSURE(op, stream->ctx && EVP_DigestInit_ex2(stream->ctx, EVP_sha256(), NULL) == 1,
                KW_E_MEMORY, "starting SHA-256");
    *ret = TAKE(stream);
    return KW_OK;
}

void digest_stream_add(struct digest_stream *stream, struct kw_span piece)
{
    int done = EVP_DigestUpdate(stream->ctx, piece.p, piece.len);

    assert(done == 1);
    (void)done;
}

void digest_stream_now(const struct digest_stream *stream, uint8_t ret[KW_HASH_BYTES])
{
    AUTO(EVP_MD_CTX) *copy = EVP_MD_CTX_new();
    int done = copy && EVP_MD_CTX_copy_ex(copy, stream->ctx) == 1 &&
               EVP_DigestFinal_ex(copy, ret, NULL) == 1;

    assert(done);
    (void)done;
}

void digest_stream_free(struct digest_stream *stream)
{
    if (stream) {
        EVP_MD_CTX_free(stream->ctx);
        free(stream);
    }
}
