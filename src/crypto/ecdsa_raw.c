#include "crypto/ecdsa_raw.h"

#include <openssl/ecdsa.h>

#include "base/limits.h"
#include "crypto/openssl.h"

enum { HALF = ECDSA_RAW_BYTES / 2 };

KW_OWNED(ECDSA_SIG, ECDSA_SIG, ECDSA_SIG_free)

kw_status ecdsa_raw_from_der(struct kw_op *op, struct kw_span der, uint8_t ret[ECDSA_RAW_BYTES])
{
    const unsigned char *p = der.p;
    AUTO(ECDSA_SIG) *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.len);

    OSSL_ENSURE(op,
                sig && p == der.p + der.len &&
                    BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, HALF) == HALF &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + HALF, HALF) == HALF,
                KW_E_INPUT, "an ECDSA signature");
    return KW_OK;
}

kw_status ecdsa_raw_to_der(struct kw_op *op, const uint8_t raw[ECDSA_RAW_BYTES], struct kw_out *der)
{
    uint8_t room[KW_SIG_MAX];
    unsigned char *p = room;
    AUTO(ECDSA_SIG) *sig = ECDSA_SIG_new();
    AUTO(BIGNUM) *r = BN_bin2bn(raw, HALF, NULL);
    AUTO(BIGNUM) *s = BN_bin2bn(raw + HALF, HALF, NULL);

    OSSL_ENSURE(op, sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1, KW_E_MEMORY,
                "an ECDSA signature");
    r = NULL; /* sig has them */
    s = NULL;
    int n = i2d_ECDSA_SIG(sig, &p); /* at most 72 octets */
    OSSL_ENSURE(op, n > 0, KW_E_MEMORY, "an ECDSA signature");
    return kw_out_set(der, KW_SPAN(room, (size_t)n));
}
