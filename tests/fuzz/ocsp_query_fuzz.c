/* An OCSP request from anybody on the network. */
#include <stdlib.h>

#include "crypto/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ocsp_query query;

    if (!kw_ok(ocsp_query_parse(NULL, KW_SPAN(data, size), &query))) {
        return 0;
    }
    if (query.n < 1 || query.n > OCSP_CERTIDS_MAX || query.nonce_len > OCSP_NONCE_MAX) {
        abort();
    }
    for (unsigned i = 0; i < query.n; i++) {
        bool left_zero = query.unknown_hash && query.at[i].serial_len == 0;
        if ((query.at[i].serial_len < 1 && !left_zero) || query.at[i].serial_len > KW_SERIAL_MAX) {
            abort();
        }
    }
    return 0;
}
