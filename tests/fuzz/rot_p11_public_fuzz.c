/*
 * Public keys and signatures as a token tells them: one octet says which algorithm, one how long
 * the first value is.
 */
#include <stdlib.h>

#include "rot/pkcs11/alg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void signature(struct kw_op *op, const struct p11_alg *alg, struct kw_span value)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);

    if (kw_ok(p11_signature(op, alg, value, &sig)) && sig.len > sizeof(room)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_op op;
    AUTO(pubkey) *key = NULL;

    if (size < 2) {
        return 0;
    }
    const struct p11_alg *alg = p11_alg_of((enum key_alg)(1 + data[0] % (KEY_ALG_MAX - 1)));
    struct kw_span value = KW_SPAN(data + 2, size - 2);
    kw_op_init(&op, "fuzz", 0);
    size_t n_exponent = data[1] < value.len ? data[1] : value.len;
    size_t n_modulus = value.len - n_exponent;
    kw_status status = alg->n_point > 0
                           ? p11_public_point(&op, alg, value, &key)
                           : p11_public_rsa(&op, kw_span_sub(value, 0, n_modulus),
                                            kw_span_sub(value, n_modulus, n_exponent), &key);
    if (kw_ok(status) != (key != NULL) || (key && pubkey_alg(key) != alg->alg)) {
        abort();
    }
    kw_op_clear(&op);
    signature(&op, alg, value);
    return 0;
}
