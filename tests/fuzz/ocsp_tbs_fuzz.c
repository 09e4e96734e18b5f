/* A ResponseData that a front end, perhaps a hostile one, asks the keeper to sign. */
#include <stdlib.h>

#include "ocsp_agree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ocsp_tbs tbs;
    bool read = false;

    if (!ocsp_readers_agree(KW_SPAN(data, size), &read)) {
        abort();
    }

    if (!kw_ok(ocsp_tbs_parse(NULL, KW_SPAN(data, size), &tbs))) {
        return 0;
    }
    if (tbs.n < 1 || tbs.n > OCSP_CERTIDS_MAX) {
        abort();
    }
    for (unsigned i = 0; i < tbs.n; i++) {
        if (tbs.at[i].status > OCSP_CERT_UNKNOWN || tbs.at[i].reason < 0 || tbs.at[i].reason > 10) {
            abort();
        }
    }
    return 0;
}
