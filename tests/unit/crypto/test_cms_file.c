/* Files for others: what OpenSSL's own CMS finds in them with the reader's key, with no other, and
 * after somebody changed them. */
#include "crypto/cms_file.h"
#include "crypto/openssl.h"
#include "x509_kit.h"

enum { CHANGE_EACH = 41, CUT_EACH = 97 };

static const char content[] = "temperature 21.5, light on";
static struct pki *pki;
static struct kw_bytes *file; /* for the OCSP signer's key: any EC key will do */

static kw_status protect(struct kw_op *op, struct kw_span what, const struct cert *reader,
                         struct kw_bytes **ret)
{
    struct cert *const chain[] = {pki->ldevid, pki->sub};

    kw_op_init(op, "test", 0);
    return cms_file_protect(op, what, pki->leaf_key, chain, 2, reader, NOW, ret);
}

static int start(void **state)
{
    struct kw_op op;

    (void)state;
    pki = pki_new(KEY_ALG_EC_P256);
    assert_ok(&op, protect(&op, kw_span_text(content), pki->ocsp, &file));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kw_bytes_free(file);
    pki_free(pki);
    return 0;
}

static CMS_ContentInfo *read_cms(struct kw_span der)
{
    const uint8_t *p = der.p;

    return d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
}

/* The content, if the envelope opens and the signature in it is good; NULL: no. */
static BIO *read_file(struct kw_span der, const struct privkey *key)
{
    AUTO(CMS_ContentInfo) *outer = read_cms(der);
    AUTO(BIO) *plain = BIO_new(BIO_s_mem());
    AUTO(BIO) *found = BIO_new(BIO_s_mem());
    uint8_t *octets = NULL;

    if (!outer || CMS_decrypt(outer, privkey_evp(key), NULL, NULL, plain, CMS_BINARY) != 1) {
        return NULL;
    }
    long n = BIO_get_mem_data(plain, &octets);
    AUTO(CMS_ContentInfo) *inner = read_cms(KW_SPAN(octets, (size_t)n));
    /* The path is another matter: here it is the signature by the certificate inside. */
    if (!inner ||
        CMS_verify(inner, NULL, NULL, NULL, found, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) != 1) {
        return NULL;
    }
    return TAKE(found);
}

static bool is_content(BIO *found)
{
    uint8_t *octets = NULL;
    long n = BIO_get_mem_data(found, &octets);

    return kw_span_equal(KW_SPAN(octets, (size_t)n), kw_span_text(content));
}

static void the_reader_finds_it(void **state)
{
    AUTO(BIO) *found = read_file(kw_bytes_span(file), pki->ocsp_key);
    AUTO(CMS_ContentInfo) *outer = read_cms(kw_bytes_span(file));

    (void)state;
    assert_non_null(found);
    assert_true(is_content(found));
    assert_int_equal(OBJ_obj2nid(CMS_get0_type(outer)), NID_id_smime_ct_authEnvelopedData);
    for (size_t i = 0; i + sizeof(content) - 1 <= file->len; i++) { /* nor can it be read outside */
        assert_memory_not_equal(file->p + i, content, sizeof(content) - 1);
    }
}

static void nobody_else_does(void **state)
{
    (void)state;
    assert_null(read_file(kw_bytes_span(file), pki->leaf_key)); /* not its writer either */
    assert_null(read_file(kw_bytes_span(file), pki->sub_key));
}

/* Octets that say nothing may change; the content may not. */
static void a_changed_file_never_gives_another_content(void **state)
{
    AUTO(kw_bytes) *changed = NULL;
    unsigned refused = 0;

    (void)state;
    assert_true(kw_ok(kw_bytes_copy(kw_bytes_span(file), &changed)));
    for (size_t at = 0; at < changed->len; at += CHANGE_EACH) {
        changed->p[at] ^= 0x20;
        AUTO(BIO) *found = read_file(kw_bytes_span(changed), pki->ocsp_key);
        assert_true(!found || is_content(found));
        refused += found ? 0 : 1;
        changed->p[at] ^= 0x20;
    }
    assert_true(refused > 0);
    changed->p[changed->len - 1] ^= 1; /* the tag of AES-GCM */
    assert_null(read_file(kw_bytes_span(changed), pki->ocsp_key));
}

static void a_cut_file_gives_nothing(void **state)
{
    (void)state;
    for (size_t n = 0; n < file->len; n += CUT_EACH) {
        assert_null(read_file(KW_SPAN(file->p, n), pki->ocsp_key));
    }
    assert_null(read_file(KW_SPAN(file->p, file->len - 1), pki->ocsp_key));
}

static void sizes_have_limits(void **state)
{
    AUTO(kw_bytes) *ret = NULL;
    uint8_t *large = calloc(1, CMS_FILE_MAX + 1);
    struct kw_op op;

    (void)state;
    assert_non_null(large);
    assert_code(protect(&op, KW_SPAN(large, CMS_FILE_MAX + 1), pki->ocsp, &ret), KW_E_TOO_LARGE);
    assert_null(ret);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_finds_it),
        cmocka_unit_test(nobody_else_does),
        cmocka_unit_test(a_changed_file_never_gives_another_content),
        cmocka_unit_test(a_cut_file_gives_nothing),
        cmocka_unit_test(sizes_have_limits),
    };

    return cmocka_run_group_tests_name("cms_file", tests, start, stop);
}
