/* Writes the seeds of the X.509 fuzz targets below a folder: x509_seeds tests/fuzz/corpus */
#include <limits.h>
#include <sys/stat.h>

#include "../unit/crypto/x509_kit.h"
#include "crypto/cms.h"
#include "crypto/crl.h"
#include "crypto/csr.h"
#include "crypto/ocsp.h"

static const char *folder;

static void put(const char *target, const char *name, struct kw_span der)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, target);
    (void)mkdir(path, 0755); /* may be there */
    (void)snprintf(path, sizeof(path), "%s/%s/%s.der", folder, target, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(der.p, 1, der.len, file), der.len);
    assert_int_equal(fclose(file), 0);
}

static void put_certs(struct pki *pki)
{
    const struct {
        const char *name;
        const struct cert *cert;
    } all[] = {
        {"root",   pki->root  },
        {"sub",    pki->sub   },
        {"ocsp",   pki->ocsp  },
        {"idevid", pki->idevid},
        {"ldevid", pki->ldevid},
        {"server", pki->server}
    };

    for (size_t i = 0; i < KW_COUNT(all); i++) {
        put("cert", all[i].name, cert_der(all[i].cert));
        put("tbs", all[i].name, tbs_of(cert_der(all[i].cert)));
    }
}

static kw_status two_entries(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    unsigned *n = ctx;

    (void)op;
    *ret_more = *n > 0;
    if (*n > 0) {
        --*n;
        *ret = (struct crl_entry){serial_of((uint8_t)(20 - *n)), NOW, (int)*n};
    }
    return KW_OK;
}

static void put_crls(struct pki *pki)
{
    static const struct crl_scope shard = {.url = "http://gate.example/crl/devices.7.crl"};
    static const struct crl_scope users = {.only_users = true};
    static const struct {
        const char *name, *tbs_name, *delta_url;
        const struct crl_scope *scope;
        unsigned n;
        uint64_t base;
    } lists[] = {
        {"empty", "empty_tbs", NULL,                                        NULL,   0, 0},
        {"two",   "two_tbs",   NULL,                                        NULL,   2, 0},
        {"shard", "shard_tbs", NULL,                                        &shard, 2, 0},
        {"delta", "delta_tbs", NULL,                                        &shard, 2, 6},
        {"users", "users_tbs", "http://gate.example/crl/devices.delta.crl", &users, 0, 0},
    };

    for (size_t i = 0; i < KW_COUNT(lists); i++) {
        unsigned left = lists[i].n;
        struct crl_spec spec = {
            .issuer_dn = cert_subject(pki->sub),
            .issuer_key = cert_public(pki->sub),
            .number = 7,
            .this_update = NOW,
            .next_update = NOW + DAY,
            .scope = lists[i].scope,
            .base_number = lists[i].base,
            .delta_url = lists[i].delta_url,
            .next = two_entries,
            .ctx = &left,
        };
        AUTO(kw_bytes) *der = NULL;
        assert_code(crl_build(NULL, &spec, pki->sub_key, &der), KW_CODE_OK);
        put("crl", lists[i].name, kw_bytes_span(der));
        put("crl", lists[i].tbs_name, tbs_of(kw_bytes_span(der)));
    }
}

static void put_ocsp(struct pki *pki)
{
    static const uint8_t nonce[16] = {1, 2, 3};
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    struct cert_spec spec = ocsp_spec(pki);
    struct ocsp_single at[2] = {
        {.this_update = NOW, .next_update = NOW + DAY},
        {.status = OCSP_CERT_REVOKED,
         .revoked_unix = NOW,
         .reason = 1,
         .this_update = NOW,
         .next_update = NOW + DAY},
    };

    spec.key = privkey_public(remote);
    AUTO(cert) *signer = issue(&spec, pki->sub_key);
    for (int sha256 = 0; sha256 < 2; sha256++) {
        AUTO(kw_bytes) *query = NULL;
        AUTO(kw_bytes) *answer = NULL;
        for (unsigned i = 0; i < 2; i++) {
            ocsp_certid_for(cert_subject(pki->sub), cert_public(pki->sub), serial_of(3), sha256,
                            &at[i].id);
        }
        assert_code(
            ocsp_query_build(NULL, pki->ldevid, pki->sub, sha256, KW_SPAN_ARRAY(nonce), &query),
            KW_CODE_OK);
        assert_code(
            ocsp_answer_build(NULL, at, 2, KW_SPAN_ARRAY(nonce), NOW, signer, remote, &answer),
            KW_CODE_OK);
        const char *name = sha256 ? "sha256" : "sha1";
        put("ocsp_query", name, kw_bytes_span(query));
        put("ocsp_answer", name, kw_bytes_span(answer));
        put("ocsp_tbs", name, kw_bytes_span(far->message));
    }
    put("ocsp_answer", "unauthorized", ocsp_answer_error(6));
}

static void put_others(struct pki *pki)
{
    struct cert *certs[] = {pki->ldevid, pki->root};

    for (unsigned n = 1; n <= 2; n++) {
        AUTO(kw_bytes) *der = NULL;
        assert_code(cms_certs_build(NULL, certs, n, &der), KW_CODE_OK);
        put("cms", n == 1 ? "one" : "two", kw_bytes_span(der));
    }
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *key = NULL;
        AUTO(kw_bytes) *der = NULL;
        assert_code(privkey_generate(NULL, all_algs[i], &key), KW_CODE_OK);
        assert_code(csr_build(NULL, cert_subject(pki->idevid), key, &der), KW_CODE_OK);
        put("csr", key_alg_text(all_algs[i]), kw_bytes_span(der));
    }
}

/* For the attributes that csr_fuzz.c puts into a request: a challenge, and a name of each kind. */
static void put_attributes(void)
{
    AUTO(kw_bytes) *challenge = from_hex("a017301506092a864886f70d01090731080c0667656865696d");
    AUTO(kw_bytes) *names = from_hex("a046304406092a864886f70d01090e3137303530330603551d11042c"
                                     "302a810361406288032901028203612e628704010203048603753a78"
                                     "a00a0603290103a0030c0178a4023000");

    put("csr", "challenge", kw_bytes_span(challenge));
    put("csr", "names", kw_bytes_span(names));
}

static void put_all(void **state)
{
    AUTO(pki) *pki = pki_new(KEY_ALG_EC_P256);

    (void)state;
    put_certs(pki);
    put_crls(pki);
    put_ocsp(pki);
    put_others(pki);
    put_attributes();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(put_all)};

    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
