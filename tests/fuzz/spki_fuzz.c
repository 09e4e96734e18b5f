/* Public keys: what is taken is in the one form that it has, whichever way it is read. */
#include <assert.h>
#include <openssl/err.h>

#include "crypto/openssl.h"
#include "crypto/pubkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(pubkey) *key = NULL;
    AUTO(pubkey) *again = NULL;
    struct kw_span spki = KW_SPAN(data, size);
    struct kw_op op;

    kw_op_init(&op, "fuzz", 0);
    bool taken = kw_ok(pubkey_parse(&op, spki, &key));
    assert(taken == (key != NULL));
    assert(ERR_peek_error() == 0);
    if (!taken) {
        assert(kw_op_cause(&op)[0] != '\0');
        return 0;
    }
    assert(pubkey_alg(key) > KEY_ALG_NONE && pubkey_alg(key) < KEY_ALG_MAX);
    assert(kw_span_equal(pubkey_spki(key), spki));
    bool same = kw_ok(pubkey_from_evp(&op, pubkey_evp(key), &again)) && pubkey_equal(key, again);
    assert(same);
    bool verified = kw_ok(pubkey_verify(&op, key, spki, KW_SPAN(data, size / 2)));
    assert(!verified);
    return 0;
}
