/* Statements of a TPM (TPMS_ATTEST), as a device sends them. */
#include <stdlib.h>

#include "crypto/tpm_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(struct kw_span part, const uint8_t *data, size_t size)
{
    return part.len == 0 || (part.p >= data && part.p + part.len <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tpm_statement said;
    struct kw_op op;

    kw_op_init(&op, "fuzz", 0);
    if (kw_ok(tpm_statement_read(&op, KW_SPAN(data, size), &said)) &&
        (!within(said.signer, data, size) || !within(said.extra, data, size) ||
         !within(said.name, data, size) || !within(said.pcr_digest, data, size))) {
        abort();
    }
    return 0;
}
