/* Public areas that a device sends of its endorsement and attestation keys; a credential is made
 * for what was taken. */
#include <stdlib.h>

#include "crypto/tpm_credential.h"
#include "crypto/tpm_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct kw_op *op, const struct tpm_public *area)
{
    static const uint8_t secret[KW_HASH_BYTES] = {1};
    AUTO(kw_bytes) *spki = NULL;
    AUTO(kw_bytes) *blob = NULL;
    AUTO(kw_bytes) *seed = NULL;

    if (!kw_ok(tpm_public_spki(op, area, &spki))) {
        kw_op_clear(op);
        return;
    }
    bool made = kw_ok(tpm_credential_make(op, area, KW_SPAN_ARRAY(area->name),
                                          KW_SPAN_ARRAY(secret), &blob, &seed));
    if (made && (blob->len > 1024 || seed->len > 1024)) { /* what the wire has room for */
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tpm_public area;
    struct kw_op op;

    for (int with_size = 0; with_size < 2; with_size++) {
        kw_op_init(&op, "fuzz", 0);
        if (kw_ok(tpm_public_read(&op, KW_SPAN(data, size), with_size, &area))) {
            use(&op, &area);
        }
    }
    return 0;
}
