/* The vault's header and key files: what decodes encodes to the same octets again. */
#include <assert.h>

#include "cmd/keywright-keeper/vault_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[VAULT_HEADER_MAX + VAULT_KEY_FILE_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_span file = KW_SPAN(data, size);
    struct kw_out out = KW_OUT_ARRAY(room);
    struct vault_header header;
    struct vault_key_file key_file;

    if (kw_ok(vault_header_decode(file, &header))) {
        bool same =
            kw_ok(vault_header_encode(&header, &out)) && kw_span_equal(kw_out_span(&out), file);
        assert(same);
    }
    if (kw_ok(vault_key_file_decode(file, &key_file))) {
        bool same =
            kw_ok(vault_key_file_encode(&key_file, &out)) && kw_span_equal(kw_out_span(&out), file);
        assert(same);
    }
    return 0;
}
