#include "crypto/tpm_credential.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "base/secret.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"

enum { SEED = 32, POINT = 65, CREDENTIAL_MAX = 32, KEY_MAX = 32, ROOM = 640 };

/* With its NUL, as the specification counts it. */
static const uint8_t identity[] = "IDENTITY";

/* Part 1, section 11.4.10.2 (KDFa): one block of HMAC-SHA-256 is all that is needed here. */
static kw_status kdfa(struct kw_op *op, const uint8_t seed[SEED], const char *label,
                      struct kw_span context, uint32_t bits, uint8_t ret[KW_HASH_BYTES])
{
    uint8_t room[128];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    AUTO(kw_secret) *key = NULL;

    kw_writer_u32(&w, 1);
    kw_writer_put(&w, KW_SPAN(label, strlen(label) + 1));
    kw_writer_put(&w, context);
    kw_writer_u32(&w, bits);
    TRY(op, kw_writer_end(&w));
    TRY(op, kw_secret_copy(KW_SPAN(seed, SEED), &key));
    return digest_hmac_sha256(op, key, kw_out_span(&out), ret);
}

static kw_status load(struct kw_op *op, const struct tpm_public *ek, EVP_PKEY **ret)
{
    AUTO(kw_bytes) *spki = NULL;

    TRY(op, tpm_public_spki(op, ek, &spki));
    const unsigned char *p = spki->p;
    *ret = d2i_PUBKEY(NULL, &p, (long)spki->len);
    OSSL_ENSURE(op, *ret, KW_E_INPUT, "the endorsement key makes no sense");
    return KW_OK;
}

/* --- the seed, to the EK ---------------------------------------------------------------------- */

static kw_status seal_rsa(struct kw_op *op, EVP_PKEY *key, const uint8_t seed[SEED],
                          struct kw_writer *w)
{
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new(key, NULL);
    void *label = OPENSSL_memdup(identity, sizeof(identity));
    uint8_t sealed[512];
    size_t n = sizeof(sealed);

    bool ready = ctx && label && EVP_PKEY_encrypt_init(ctx) == 1 &&
                 EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
    if (!ready || EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, sizeof(identity)) != 1) {
        OPENSSL_free(label);
        return crypto_fail(op, KW_E_INTERNAL, __FILE__, __LINE__, "making a credential");
    }
    OSSL_ENSURE(op, EVP_PKEY_encrypt(ctx, sealed, &n, seed, SEED) == 1, KW_E_INPUT,
                "making a credential");
    kw_writer_span16(w, KW_SPAN(sealed, n));
    return KW_OK;
}

static kw_status point_of(struct kw_op *op, EVP_PKEY *key, uint8_t ret[POINT])
{
    size_t n = 0;

    OSSL_ENSURE(op,
                EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", ret, POINT, &n) == 1 &&
                    n == POINT,
                KW_E_INTERNAL, "making a credential");
    return KW_OK;
}

static kw_status agree(struct kw_op *op, EVP_PKEY *own, EVP_PKEY *peer, uint8_t ret[32])
{
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new(own, NULL);
    size_t n = 32;

    OSSL_ENSURE(op,
                ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                    EVP_PKEY_derive(ctx, ret, &n) == 1 && n == 32,
                KW_E_INPUT, "making a credential");
    return KW_OK;
}

/* Section 11.4.10.3 (KDFe): the seed is derived, not chosen. */
static kw_status seal_ecc(struct kw_op *op, EVP_PKEY *key, uint8_t ret_seed[SEED],
                          struct kw_writer *w)
{
    AUTO(EVP_PKEY) *own = EVP_EC_gen("P-256");
    uint8_t mine[POINT], theirs[POINT], z[32], room[160];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer kdf = kw_writer_of(&out);

    OSSL_ENSURE(op, own, KW_E_MEMORY, "making a credential");
    TRY(op, agree(op, own, key, z));
    TRY(op, point_of(op, own, mine));
    TRY(op, point_of(op, key, theirs));
    kw_writer_u32(&kdf, 1);
    kw_writer_put(&kdf, KW_SPAN_ARRAY(z));
    kw_writer_put(&kdf, KW_SPAN_ARRAY(identity));
    kw_writer_put(&kdf, KW_SPAN(mine + 1, 32));
    kw_writer_put(&kdf, KW_SPAN(theirs + 1, 32));
    kw_wipe(z, sizeof(z));
    kw_status status = kw_writer_end(&kdf);
    digest_sha256(kw_out_span(&out), ret_seed);
    kw_wipe(room, sizeof(room));
    kw_writer_u16(w, 2 * (2 + 32));
    kw_writer_span16(w, KW_SPAN(mine + 1, 32));
    kw_writer_span16(w, KW_SPAN(mine + 33, 32));
    return status;
}

/* --- the credential, under the seed ----------------------------------------------------------- */

static kw_status encrypt(struct kw_op *op, const uint8_t *key, unsigned bits, struct kw_span plain,
                         uint8_t *ret)
{
    static const uint8_t iv[16];
    AUTO(EVP_CIPHER_CTX) *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    OSSL_ENSURE(
        op,
        ctx &&
            EVP_EncryptInit_ex(ctx, bits == 128 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128(), NULL,
                               key, iv) == 1 &&
            EVP_EncryptUpdate(ctx, ret, &n, plain.p, (int)plain.len) == 1 && (size_t)n == plain.len,
        KW_E_INTERNAL, "making a credential");
    return KW_OK;
}

static kw_status protect(struct kw_op *op, const uint8_t seed[SEED], unsigned bits,
                         struct kw_span name, struct kw_span secret, struct kw_writer *w)
{
    uint8_t key[KW_HASH_BYTES], mac_key[KW_HASH_BYTES], mac[KW_HASH_BYTES];
    uint8_t plain[2 + CREDENTIAL_MAX], sealed[2 + CREDENTIAL_MAX + TPM_NAME_BYTES];
    struct kw_out out = KW_OUT_ARRAY(plain);
    struct kw_writer inner = kw_writer_of(&out);
    AUTO(kw_secret) *hmac = NULL;

    kw_writer_span16(&inner, secret);
    TRY(op, kw_writer_end(&inner));
    TRY(op, kdfa(op, seed, "STORAGE", name, bits, key));
    TRY(op, kdfa(op, seed, "INTEGRITY", KW_SPAN(NULL, 0), 256, mac_key));
    TRY(op, encrypt(op, key, bits, kw_out_span(&out), sealed));
    memcpy(sealed + out.len, name.p, name.len);
    TRY(op, kw_secret_copy(KW_SPAN_ARRAY(mac_key), &hmac));
    TRY(op, digest_hmac_sha256(op, hmac, KW_SPAN(sealed, out.len + name.len), mac));
    kw_wipe(key, sizeof(key));
    kw_wipe(mac_key, sizeof(mac_key));
    kw_writer_u16(w, (uint16_t)(2 + sizeof(mac) + out.len));
    kw_writer_span16(w, KW_SPAN_ARRAY(mac));
    kw_writer_put(w, KW_SPAN(sealed, out.len));
    return KW_OK;
}

kw_status tpm_credential_make(struct kw_op *op, const struct tpm_public *ek, struct kw_span name,
                              struct kw_span secret, struct kw_bytes **ret_blob,
                              struct kw_bytes **ret_seed)
{
    uint8_t seed[SEED], blob_room[ROOM], seed_room[ROOM];
    struct kw_out blob = KW_OUT_ARRAY(blob_room), sealed = KW_OUT_ARRAY(seed_room);
    struct kw_writer w = kw_writer_of(&blob), v = kw_writer_of(&sealed);
    AUTO(EVP_PKEY) *key = NULL;
    AUTO(kw_bytes) *first = NULL;

    ENSURE(op, name.len == TPM_NAME_BYTES && secret.len <= CREDENTIAL_MAX, KW_E_INPUT,
           "a name of %zu octets, a secret of %zu", name.len, secret.len);
    ENSURE(op, ek->symmetric_bits == 128 || ek->symmetric_bits == 256, KW_E_UNSUPPORTED,
           "an endorsement key with AES-%u", ek->symmetric_bits);
    TRY(op, load(op, ek, &key));
    OSSL_ENSURE(op, RAND_priv_bytes(seed, sizeof(seed)) == 1, KW_E_UNAVAILABLE, "random numbers");
    TRY(op, ek->type == TPM_ALG_RSA ? seal_rsa(op, key, seed, &v) : seal_ecc(op, key, seed, &v));
    kw_status status = protect(op, seed, ek->symmetric_bits, name, secret, &w);
    kw_wipe(seed, sizeof(seed));
    TRY(op, status);
    TRY(op, kw_writer_end(&w));
    TRY(op, kw_writer_end(&v));
    TRY(op, kw_bytes_copy(kw_out_span(&blob), &first));
    TRY(op, kw_bytes_copy(kw_out_span(&sealed), ret_seed));
    *ret_blob = TAKE(first);
    return KW_OK;
}
