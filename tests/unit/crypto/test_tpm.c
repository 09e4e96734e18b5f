/* What a TPM says, read: where TPMs differ, and what is refused. Whole evidence is judged in
 * tests/contract/attest. */
#include "crypto/tpm_read.h"

#include "crypto/ecdsa_raw.h"
#include "crypto/privkey.h"
#include "kit.h"

static const uint8_t *without_zeroes(const uint8_t *p, size_t *n)
{
    while (*n > 1 && *p == 0) {
        p++;
        (*n)--;
    }
    return p;
}

/* TPMT_SIGNATURE; padded: numbers of 32 octets, as some TPMs have them. */
static size_t tpmt(const uint8_t raw[ECDSA_RAW_BYTES], bool padded, uint8_t ret[80])
{
    static const uint8_t head[] = {0, 0x18, 0, 0x0b};
    size_t at = sizeof(head);

    memcpy(ret, head, sizeof(head));
    for (unsigned i = 0; i < 2; i++) {
        size_t n = 32;
        const uint8_t *p = raw + (size_t)32 * i;
        p = padded ? p : without_zeroes(p, &n);
        ret[at++] = 0;
        ret[at++] = (uint8_t)n;
        memcpy(ret + at, p, n);
        at += n;
    }
    return at;
}

/* One signature of 128 has a number that begins with a zero octet. */
static void numbers_with_and_without_leading_zeroes(void **state)
{
    AUTO(privkey) *key = NULL;
    unsigned n_short = 0;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    for (unsigned i = 0; i < 20000 && n_short < 3; i++) {
        uint8_t der_room[KW_SIG_MAX], raw[ECDSA_RAW_BYTES], said[80];
        struct kw_out der = KW_OUT_ARRAY(der_room);
        struct kw_span message = KW_SPAN((const uint8_t *)&i, sizeof(i));
        assert_ok(&op, privkey_sign(&op, key, message, &der));
        assert_ok(&op, ecdsa_raw_from_der(&op, kw_out_span(&der), raw));
        if (raw[0] != 0 && raw[32] != 0 && i > 0) {
            continue;
        }
        n_short += i > 0;
        for (int padded = 0; padded < 2; padded++) {
            struct kw_span sig = KW_SPAN(said, tpmt(raw, padded, said));
            assert_ok(&op, tpm_signature_verify(&op, privkey_public(key), message, sig));
            said[sig.len - 1] ^= 1;
            assert_code(tpm_signature_verify(&op, privkey_public(key), message, sig), KW_E_DENIED);
        }
    }
    assert_int_equal(n_short, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_with_and_without_leading_zeroes),
    };

    return cmocka_run_group_tests_name("tpm", tests, NULL, NULL);
}
