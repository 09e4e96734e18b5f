/* The TPM's index file. Its checksum is made right here, so that what is behind it is reached. */
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "rot/tpm2/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t content[TPM2_INDEX_FILE_MAX];
    static struct tpm2_index index;
    uint8_t sum[KW_HASH_BYTES];
    AUTO(kw_bytes) *again = NULL;

    (void)tpm2_index_parse(KW_SPAN(data, size), &index).code;
    if (size > sizeof(content) - sizeof(sum)) {
        return 0;
    }
    memcpy(content, data, size);
    digest_sha256(KW_SPAN(data, size), sum);
    memcpy(content + size, sum, sizeof(sum));
    struct kw_span whole = KW_SPAN(content, size + sizeof(sum));
    if (kw_ok(tpm2_index_parse(whole, &index)) && (!kw_ok(tpm2_index_encode(&index, &again)) ||
                                                   !kw_span_equal(kw_bytes_span(again), whole))) {
        abort();
    }
    return 0;
}
