/* An OCSP answer from the network, before anything in it is believed. */
#include <stdlib.h>

#include "crypto/dn.h"
#include "crypto/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A fresh key each run: no input can be signed by it. */
static struct cert *make_issuer(void)
{
    static const uint8_t serial[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t room[KW_DN_MAX];
    struct kw_out dn = KW_OUT_ARRAY(room);
    struct dn_part part = {"CN", "Test Issuing CA"};
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;

    if (!kw_ok(dn_build(NULL, &part, 1, &dn)) ||
        !kw_ok(privkey_generate(NULL, KEY_ALG_EC_P256, &key))) {
        abort();
    }
    struct cert_spec spec = {
        .issuer_dn = kw_out_span(&dn),
        .subject_dn = kw_out_span(&dn),
        .serial = KW_SPAN_ARRAY(serial),
        .not_after = 1,
        .key = privkey_public(key),
        .is_ca = true,
        .path_len = -1,
        .key_usage = CERT_KU_KEY_CERT_SIGN,
    };
    if (!kw_ok(cert_build(NULL, &spec, key, &der)) ||
        !kw_ok(cert_parse(NULL, kw_bytes_span(der), &cert))) {
        abort();
    }
    return cert;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cert *issuer;
    struct ocsp_single single;

    issuer = issuer ? issuer : make_issuer();
    if (kw_ok(ocsp_answer_check(NULL, KW_SPAN(data, size), issuer, issuer, KW_SPAN(NULL, 0), 0,
                                &single))) {
        abort();
    }
    return 0;
}
