/* The vault's state: the file, and what lies sealed in it. Both encode to the same octets again. */
#include <assert.h>

#include "cmd/keywright-keeper/state.h"
#include "cmd/keywright-keeper/vault_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[STATE_ENCODED_MAX];
    static struct state state;
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_span octets = KW_SPAN(data, size);
    struct vault_state_file file;

    if (kw_ok(state_decode(octets, &state))) {
        bool same = kw_ok(state_encode(&state, &out)) && kw_span_equal(kw_out_span(&out), octets);
        assert(same);
    }
    if (kw_ok(vault_state_file_decode(octets, &file))) {
        bool same = kw_ok(vault_state_head_encode(file.generation, file.salt, &out)) &&
                    kw_span_equal(kw_out_span(&out), file.head);
        assert(same);
        assert(file.head.len + file.sealed.len == size);
    }
    return 0;
}
