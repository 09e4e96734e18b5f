/*
 * Every allocation of OpenSSL's fails once: what is built then is refused or right, never
 * different. (OpenSSL's encoder of SETs leaves garbage and reports success.)
 */
#include "crypto/cms.h"
#include "crypto/crl.h"
#include "crypto/csr.h"
#include "crypto/ocsp.h"
#include "x509_kit.h"

static struct pki *pki;
static struct cert_spec sub, idevid;
static long n_calls;
static long fail_at = -1;

static bool is_its_turn(void)
{
    return fail_at >= 0 && n_calls++ == fail_at;
}

static void *failing_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_its_turn() ? NULL : malloc(n);
}

static void *failing_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_its_turn() ? NULL : realloc(p, n > 0 ? n : 1);
}

static void plain_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static kw_status build_cert(struct kw_bytes **ret)
{
    return cert_build(NULL, &sub, pki->root_key, ret);
}

static kw_status build_idevid(struct kw_bytes **ret)
{
    return cert_build(NULL, &idevid, pki->sub_key, ret);
}

static kw_status build_csr(struct kw_bytes **ret)
{
    return csr_build(NULL, kw_out_span(&pki->idevid_dn.der), pki->leaf_key, ret);
}

static kw_status one_entry(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    bool *given = ctx;

    (void)op;
    *ret_more = !*given;
    *given = true;
    *ret = (struct crl_entry){serial_of(9), NOW, 1};
    return KW_OK;
}

static kw_status build_crl(struct kw_bytes **ret)
{
    bool given = false;
    struct crl_spec spec = {
        .issuer_dn = kw_out_span(&pki->sub_dn.der),
        .issuer_key = privkey_public(pki->sub_key),
        .number = 1,
        .this_update = NOW,
        .next_update = NOW + DAY,
        .next = one_entry,
        .ctx = &given,
    };

    return crl_build(NULL, &spec, pki->sub_key, ret);
}

static kw_status build_cms(struct kw_bytes **ret)
{
    struct cert *certs[] = {pki->root, pki->sub};
    return cms_certs_build(NULL, certs, 2, ret);
}

static void failed_allocations_change_nothing(void **state)
{
    static kw_status (*const builders[])(struct kw_bytes **) = {build_cert, build_idevid, build_csr,
                                                                build_crl, build_cms};

    (void)state;
    for (size_t b = 0; b < KW_COUNT(builders); b++) {
        AUTO(kw_bytes) *want = NULL;
        assert_code(builders[b](&want), KW_CODE_OK);
        /* Signatures differ each time; CMS has none, and its first element tells nothing. */
        bool whole = builders[b] == build_cms;
        struct kw_span wanted = whole ? kw_bytes_span(want) : tbs_of(kw_bytes_span(want));
        bool failed_one = true;
        for (long n = 0; failed_one; n++) {
            AUTO(kw_bytes) *got = NULL;
            n_calls = 0;
            fail_at = n;
            kw_status status = builders[b](&got);
            failed_one = n_calls > fail_at;
            fail_at = -1;
            if (kw_ok(status)) {
                struct kw_span der = kw_bytes_span(got);
                assert_span_equal(whole ? der : tbs_of(der), wanted);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(failed_allocations_change_nothing)};

    if (!CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free)) {
        return 1;
    }
    pki = pki_new(KEY_ALG_EC_P256);
    sub = sub_spec(pki);
    idevid = idevid_spec(pki);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pki_free(pki);
    return failed;
}
