/* Private keys for others: what OpenSSL's own CMS finds in them with the right key, and with no
 * other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "crypto/cms_key.h"
#include "crypto/openssl.h"
#include "kit.h"

static struct privkey *new_key(enum key_alg alg)
{
    struct privkey *key = NULL;

    assert_code(privkey_generate(NULL, alg, &key), KW_CODE_OK);
    return key;
}

static CMS_ContentInfo *read_cms(const uint8_t *p, long n)
{
    return d2i_CMS_ContentInfo(NULL, &p, n);
}

/* The SignedData in the envelope; NULL where the key opens nothing. */
static CMS_ContentInfo *open_with(const struct kw_bytes *sealed, const struct privkey *key)
{
    AUTO(CMS_ContentInfo) *outer = read_cms(sealed->p, (long)sealed->len);
    AUTO(BIO) *out = BIO_new(BIO_s_mem());
    uint8_t *octets = NULL;

    assert_non_null(outer);
    assert_int_equal(OBJ_obj2nid(CMS_get0_type(outer)), NID_pkcs7_enveloped);
    assert_int_equal(OBJ_obj2nid(CMS_get0_eContentType(outer)), NID_pkcs7_signed);
    if (CMS_decrypt(outer, privkey_evp(key), NULL, NULL, out, CMS_BINARY) != 1) {
        return NULL;
    }
    long n = BIO_get_mem_data(out, &octets);
    return read_cms(octets, n);
}

/* The private key of the package. */
static struct privkey *unpack(CMS_ContentInfo *inner)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(inner);
    char type[64];
    struct privkey *key = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;

    assert_int_equal(OBJ_obj2nid(CMS_get0_type(inner)), NID_pkcs7_signed);
    assert_true(OBJ_obj2txt(type, sizeof(type), CMS_get0_eContentType(inner), 1) > 0);
    assert_string_equal(type, "2.16.840.1.101.2.1.2.78.5");
    struct kw_span package =
        KW_SPAN(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content));
    size_t header = package.p[1] < 0x80 ? 2 : package.p[1] == 0x81 ? 3 : 4;
    assert_true(kw_ok(kw_secret_copy(kw_span_sub(package, header, package.len), &pkcs8)));
    assert_code(privkey_from_pkcs8(NULL, pkcs8, &key), KW_CODE_OK);
    return key;
}

/* Named by the new key's identifier, as the certificate that is issued for it. */
static void check_signer(CMS_ContentInfo *inner, const struct privkey *key)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(inner);
    ASN1_OCTET_STRING *id = NULL;

    assert_int_equal(sk_CMS_SignerInfo_num(signers), 1);
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(signers, 0);
    assert_int_equal(CMS_SignerInfo_get0_signer_id(signer, &id, NULL, NULL), 1);
    assert_non_null(id);
    assert_memory_equal(ASN1_STRING_get0_data(id), pubkey_sha1(privkey_public(key)), 20);
}

static void only_the_recipient_reads_it(void **state)
{
    static const enum key_alg algs[][2] = {
        {KEY_ALG_EC_P256,  KEY_ALG_EC_P256 },
        {KEY_ALG_EC_P384,  KEY_ALG_EC_P256 },
        {KEY_ALG_EC_P256,  KEY_ALG_RSA_3072},
        {KEY_ALG_RSA_3072, KEY_ALG_EC_P384 },
    };
    struct kw_op op;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        AUTO(privkey) *made = new_key(algs[i][0]);
        AUTO(privkey) *theirs = new_key(algs[i][1]);
        AUTO(privkey) *other = new_key(algs[i][1]);
        AUTO(kw_bytes) *sealed = NULL;
        kw_op_init(&op, "test", 0);
        assert_ok(&op,
                  cms_key_seal(&op, made, privkey_public(theirs), kw_span_text("name"), &sealed));
        AUTO(CMS_ContentInfo) *inner = open_with(sealed, theirs);
        assert_non_null(inner);
        check_signer(inner, made);
        AUTO(privkey) *found = unpack(inner);
        assert_true(pubkey_equal(privkey_public(found), privkey_public(made)));
        AUTO(CMS_ContentInfo) *nothing = open_with(sealed, other);
        assert_null(nothing);
    }
}

static void what_cannot_be(void **state)
{
    AUTO(privkey) *ec = new_key(KEY_ALG_EC_P256);
    AUTO(privkey) *ed = new_key(KEY_ALG_ED25519);
    AUTO(kw_bytes) *sealed = NULL;
    struct kw_span name = kw_span_text("name");
    uint8_t large[65] = {1};

    (void)state;
    assert_code(cms_key_seal(NULL, ec, privkey_public(ed), name, &sealed), KW_E_UNSUPPORTED);
    assert_code(cms_key_seal(NULL, ed, privkey_public(ec), name, &sealed), KW_E_UNSUPPORTED);
    assert_code(cms_key_seal(NULL, ec, privkey_public(ec), KW_SPAN(NULL, 0), &sealed), KW_E_INPUT);
    assert_code(cms_key_seal(NULL, ec, privkey_public(ec), KW_SPAN_ARRAY(large), &sealed),
                KW_E_INPUT);
    assert_null(sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_recipient_reads_it),
        cmocka_unit_test(what_cannot_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
