/* Certificates of endorsement keys, as a TPM's maker left them and a device sends them. */
#include <stdlib.h>

#include "crypto/ek_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { AT_UNIX = 1790000000 };
    const struct kw_span der = KW_SPAN(data, size);
    char name[192];
    bool self_signed = false;
    struct kw_op op;

    kw_op_init(&op, "fuzz", 0);
    (void)ek_root_check(&op, der, name, sizeof(name), &self_signed);
    kw_op_clear(&op);
    (void)ek_cert_is_of(&op, der, der);
    kw_op_clear(&op);
    if (kw_ok(ek_cert_verify(&op, der, &der, 1, NULL, 0, AT_UNIX))) { /* nobody is believed */
        abort();
    }
    kw_op_clear(&op);
    (void)ek_cert_verify(&op, der, NULL, 0, &der, 1, AT_UNIX);
    return 0;
}
