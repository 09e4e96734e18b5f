/* The sealed key file of the soft root of trust: whoever can write to the folder chooses these
 * octets. */
#include <stdlib.h>
#include <string.h>

#include "rot/soft/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct soft_keyfile file;
    uint8_t room[SOFT_KEYFILE_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    if (!kw_ok(soft_keyfile_parse(KW_SPAN(data, size), &file))) {
        return 0;
    }
    /* What is taken is written again octet by octet. */
    if (!kw_ok(soft_keyfile_encode_head(&file, &out)) ||
        !kw_span_equal(kw_out_span(&out), file.head) ||
        !kw_ok(soft_keyfile_encode_sealed(file.sealed, &out)) ||
        !kw_span_equal(kw_out_span(&out), KW_SPAN(data, size))) {
        abort();
    }
    return 0;
}
