/* Revocation filters, as relying parties fetch them over plain HTTP. */
#include <stdlib.h>

#include "crypto/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A few serial numbers land in every part of the tables. */
static void ask(const struct filter_body *body)
{
    for (unsigned i = 0; i < 64; i++) {
        const uint8_t serial[] = {0x40, (uint8_t)i, 3};
        bool has = filter_body_has(body, KW_SPAN_ARRAY(serial));
        if (has && body->second.rows == 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct filter filter;
    struct filter_body body;

    if (kw_ok(filter_parse(NULL, KW_SPAN(data, size), &filter))) {
        ask(&filter.body);
        if (filter.said.certs > INT64_MAX || filter.said.ca[0] == 0) {
            abort();
        }
    }
    if (kw_ok(filter_body_parse(KW_SPAN(data, size), &body))) {
        ask(&body);
    }
    return 0;
}
