/* FIPS 180-4 examples, RFC 4231 for HMAC. */
#include "crypto/digest.h"
#include "kit.h"

static void assert_hex(struct kw_span span, const char *want)
{
    char text[129];
    assert_string_equal(kw_hex(span, text, sizeof(text)), want);
}

static void sha256_of_known_texts(void **state)
{
    uint8_t hash[KW_HASH_BYTES];
    (void)state;

    digest_sha256(kw_span_text("abc"), hash);
    assert_hex(KW_SPAN_ARRAY(hash),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(KW_SPAN(NULL, 0), hash);
    assert_hex(KW_SPAN_ARRAY(hash),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256_two(kw_span_text("a"), kw_span_text("bc"), hash);
    assert_hex(KW_SPAN_ARRAY(hash),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256_two(KW_SPAN(NULL, 0), KW_SPAN(NULL, 0), hash);
    assert_hex(KW_SPAN_ARRAY(hash),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void sha1_of_a_known_text(void **state)
{
    uint8_t hash[20];
    (void)state;

    digest_sha1(kw_span_text("abc"), hash);
    assert_hex(KW_SPAN_ARRAY(hash), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

/* RFC 4231 test cases 1, 2 and 6 (a key longer than a block). */
static void hmac_of_rfc_4231(void **state)
{
    uint8_t mac[KW_HASH_BYTES];
    uint8_t long_key[131];
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    uint8_t key1[20];
    memset(key1, 0x0b, sizeof(key1));
    AUTO(kw_secret) *k1 = secret_of(KW_SPAN_ARRAY(key1));
    assert_ok(&op, digest_hmac_sha256(&op, k1, kw_span_text("Hi There"), mac));
    assert_hex(KW_SPAN_ARRAY(mac),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

    AUTO(kw_secret) *k2 = secret_text("Jefe");
    assert_ok(&op, digest_hmac_sha256(&op, k2, kw_span_text("what do ya want for nothing?"), mac));
    assert_hex(KW_SPAN_ARRAY(mac),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    memset(long_key, 0xaa, sizeof(long_key));
    AUTO(kw_secret) *k6 = secret_of(KW_SPAN_ARRAY(long_key));
    struct kw_span data = kw_span_text("Test Using Larger Than Block-Size Key - Hash Key First");
    assert_ok(&op, digest_hmac_sha256(&op, k6, data, mac));
    assert_hex(KW_SPAN_ARRAY(mac),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(sha1_of_a_known_text),
        cmocka_unit_test(hmac_of_rfc_4231),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
