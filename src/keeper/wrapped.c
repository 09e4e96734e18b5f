#include "keeper/wrapped.h"

enum { MAGIC_BYTES = 8 };
static const char *const magics[] = {[WRAPPED_KEY] = "KWWRAP01", [WRAPPED_DATA] = "KWSEAL01"};

static void write_head(struct kw_writer *w, const struct wrapped *wrapped)
{
    kw_writer_put(w, kw_span_text(magics[wrapped->kind]));
    kw_writer_text(w, wrapped->key_id);
    kw_writer_u32(w, wrapped->generation);
}

kw_status wrapped_head_encode(const struct wrapped *wrapped, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    write_head(&w, wrapped);
    return kw_writer_end(&w);
}

kw_status wrapped_encode(const struct wrapped *wrapped, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    write_head(&w, wrapped);
    kw_writer_span16(&w, wrapped->octets);
    return kw_writer_end(&w);
}

kw_status wrapped_decode(struct kw_span blob, struct wrapped *ret)
{
    struct kw_reader r = kw_reader_of(blob);
    struct wrapped wrapped = {0};

    struct kw_span magic = kw_reader_take(&r, MAGIC_BYTES);
    for (unsigned kind = WRAPPED_KEY; kind < KW_COUNT(magics); kind++) {
        if (kw_span_equal(magic, kw_span_text(magics[kind]))) {
            wrapped.kind = (enum wrapped_kind)kind;
        }
    }
    kw_reader_text(&r, wrapped.key_id, sizeof(wrapped.key_id));
    wrapped.generation = kw_reader_u32(&r);
    wrapped.octets = kw_reader_span16(&r, SEALED_MAX);
    if (wrapped.kind == 0 || !keeper_key_id_valid(wrapped.key_id)) {
        kw_reader_reject(&r);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = wrapped;
    }
    return status;
}
