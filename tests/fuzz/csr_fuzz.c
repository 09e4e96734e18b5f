/* A certification request from a device that is not known yet. */
#include <stdlib.h>

#include "crypto/csr.h"
#include "crypto/signed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void take(struct kw_span der)
{
    AUTO(csr) *csr = NULL;

    if (!kw_ok(csr_parse(NULL, der, &csr))) {
        return;
    }
    need(kw_span_equal(csr_der(csr), der) && csr_subject(csr).len >= 2);
    for (unsigned i = 0; i < csr_san_count(csr); i++) {
        need(csr_san(csr, i) != NULL);
    }
    need(csr_decrypt_key(csr).len <= 64 && csr_decrypt_secret(csr).len <= 64);
    /* One is of the whole, the other of what is asked, whoever signed it how often. */
    need(memcmp(csr_asked_sha256(csr), csr_sha256(csr), KW_HASH_BYTES) != 0);
}

/* A device signs what it likes: the input as the attributes of a request with a good signature. */
static struct kw_bytes *signed_around(struct kw_span attributes)
{
    static struct privkey *key;
    static const uint8_t version_and_subject[] = {0x02, 0x01, 0x00, 0x30, 0x00};
    AUTO(kw_bytes) *tbs = NULL;
    struct kw_bytes *der = NULL;

    need(key || kw_ok(privkey_generate(NULL, KEY_ALG_ED25519, &key)));
    struct kw_span spki = pubkey_spki(privkey_public(key));
    size_t len = sizeof(version_and_subject) + spki.len + attributes.len;
    need(kw_ok(kw_bytes_new(len + 16, &tbs)) &&
         kw_ok(der_header(tbs, /* constructed= */ true, len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL)) &&
         kw_ok(kw_bytes_append(tbs, KW_SPAN_ARRAY(version_and_subject))) &&
         kw_ok(kw_bytes_append(tbs, spki)) && kw_ok(kw_bytes_append(tbs, attributes)) &&
         kw_ok(signed_build(NULL, kw_bytes_span(tbs), key, &der)));
    return der;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(kw_bytes) *around = signed_around(KW_SPAN(data, size));

    take(KW_SPAN(data, size));
    take(kw_bytes_span(around));
    return 0;
}
