#include "rot/soft/keyfile.h"

#include "base/limits.h"
#include "base/reader.h"
#include "base/writer.h"

enum { KEYFILE_MAGIC = 0x4b57534b, KEYFILE_VERSION = 1 };

kw_status soft_keyfile_parse(struct kw_span content, struct soft_keyfile *ret)
{
    struct soft_keyfile file = {0};
    struct kw_reader r = kw_reader_of(content);

    bool known = kw_reader_u32(&r) == KEYFILE_MAGIC && kw_reader_u16(&r) == KEYFILE_VERSION;
    kw_reader_text(&r, file.label, sizeof(file.label));
    uint16_t alg = kw_reader_u16(&r);
    file.spki = kw_reader_span16(&r, KW_SPKI_MAX);
    file.head = kw_span_sub(content, 0, content.len - r.rest.len);
    file.sealed = kw_reader_span16(&r, SOFT_KEYFILE_SEALED_MAX);
    if (!known || alg == KEY_ALG_NONE || alg >= KEY_ALG_MAX) {
        kw_reader_reject(&r);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        file.alg = (enum key_alg)alg;
        *ret = file;
    }
    return status;
}

kw_status soft_keyfile_encode_head(const struct soft_keyfile *file, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    kw_writer_u32(&w, KEYFILE_MAGIC);
    kw_writer_u16(&w, KEYFILE_VERSION);
    kw_writer_text(&w, file->label);
    kw_writer_u16(&w, (uint16_t)file->alg);
    kw_writer_span16(&w, file->spki);
    return kw_writer_end(&w);
}

kw_status soft_keyfile_encode_sealed(struct kw_span sealed, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    kw_writer_span16(&w, sealed);
    return kw_writer_end(&w);
}
