/* A revocation list, and a TBSCertList that the keeper is asked to sign. */
#include <stdlib.h>

#include "crl_agree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_all(const struct crl *crl)
{
    static const uint8_t serial[] = {1};
    int reason = 0;
    int64_t at = 0;
    uint64_t number = 0;

    (void)crl_number(crl, &number);
    kw_status found = crl_find(crl, KW_SPAN_ARRAY(serial), &reason, &at);
    if ((kw_ok(found) && crl_count(crl) == 0) || crl_issuer(crl).len < 2) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(crl) *crl = NULL;
    AUTO(crl) *tbs = NULL;
    bool read = false;

    if (!crl_readers_agree(KW_SPAN(data, size), &read)) {
        abort();
    }
    if (kw_ok(crl_parse(NULL, KW_SPAN(data, size), &crl))) {
        look_at_all(crl);
    }
    if (kw_ok(crl_parse_tbs(NULL, KW_SPAN(data, size), &tbs))) {
        look_at_all(tbs);
    }
    if (crl && tbs) {
        abort(); /* nothing is both */
    }
    return 0;
}
