/* Firmware digests: what is signed verifies as a signature of the image, as MCUboot does it. */
#include "crypto/digest.h"
#include "crypto/sign_digest.h"
#include "kit.h"

static struct privkey *generate(enum key_alg alg)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_generate(&op, alg, &key));
    return key;
}

/* OpenSSL hashes the image itself here. */
static bool image_verifies(const struct privkey *key, struct kw_span image, struct kw_span sig)
{
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();

    return EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, privkey_evp(key)) == 1 &&
           EVP_DigestVerify(ctx, sig.p, sig.len, image.p, image.len) == 1;
}

static void ecdsa_is_of_the_image(void **state)
{
    static const enum key_alg algs[] = {KEY_ALG_EC_P256, KEY_ALG_EC_P384};
    struct kw_span image = kw_span_text("an image of firmware");
    uint8_t digest[KW_HASH_BYTES];

    (void)state;
    digest_sha256(image, digest);
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        AUTO(privkey) *key = generate(algs[i]);
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_ok(&op, privkey_sign_digest(&op, key, KW_SPAN_ARRAY(digest), &sig));
        assert_true(image_verifies(key, image, kw_out_span(&sig)));
        assert_false(image_verifies(key, kw_span_text("another"), kw_out_span(&sig)));
    }
}

static void ed25519_signs_the_digest(void **state)
{
    AUTO(privkey) *key = generate(KEY_ALG_ED25519);
    uint8_t digest[KW_HASH_BYTES] = {7};
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_sign_digest(&op, key, KW_SPAN_ARRAY(digest), &sig));
    assert_ok(&op,
              pubkey_verify(&op, privkey_public(key), KW_SPAN_ARRAY(digest), kw_out_span(&sig)));
}

static void nothing_but_digests(void **state)
{
    AUTO(privkey) *ec = generate(KEY_ALG_EC_P256);
    AUTO(privkey) *rsa = generate(KEY_ALG_RSA_3072);
    uint8_t octets[KW_HASH_BYTES + 1] = {0};
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);

    (void)state;
    assert_code(privkey_sign_digest(NULL, ec, KW_SPAN(octets, 31), &sig), KW_E_INPUT);
    assert_code(privkey_sign_digest(NULL, ec, KW_SPAN(octets, 33), &sig), KW_E_INPUT);
    assert_code(privkey_sign_digest(NULL, ec, KW_SPAN(octets, 0), &sig), KW_E_INPUT);
    assert_code(privkey_sign_digest(NULL, rsa, KW_SPAN(octets, 32), &sig), KW_E_UNSUPPORTED);
    assert_int_equal(sig.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecdsa_is_of_the_image),
        cmocka_unit_test(ed25519_signs_the_digest),
        cmocka_unit_test(nothing_but_digests),
    };
    return cmocka_run_group_tests_name("crypto_sign_digest", tests, NULL, NULL);
}
