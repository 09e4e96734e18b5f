#include "rot/pkcs11/sealed.h"

#include "base/reader.h"
#include "base/writer.h"

enum { MAGIC = 0x4b575053, VERSION = 1 };

kw_status p11_sealed_parse(struct kw_span octets, struct p11_sealed *ret)
{
    struct p11_sealed sealed = {0};
    struct kw_reader r = kw_reader_of(octets);

    bool known = kw_reader_u32(&r) == MAGIC && kw_reader_u16(&r) == VERSION;
    kw_reader_copy(&r, sealed.id, sizeof(sealed.id));
    kw_reader_copy(&r, sealed.nonce, sizeof(sealed.nonce));
    sealed.text = kw_reader_span16(&r, P11_SEALED_TEXT_MAX);
    if (!known || sealed.text.len <= P11_SEALED_TAG_BYTES) {
        kw_reader_reject(&r);
    }
    kw_status status = kw_reader_end(&r);
    if (kw_ok(status)) {
        *ret = sealed;
    }
    return status;
}

kw_status p11_sealed_aad(const uint8_t id[P11_SEALED_ID_BYTES], struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    kw_writer_u32(&w, MAGIC);
    kw_writer_u16(&w, VERSION);
    kw_writer_put(&w, KW_SPAN(id, P11_SEALED_ID_BYTES));
    return kw_writer_end(&w);
}

kw_status p11_sealed_encode(const struct p11_sealed *sealed, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    kw_writer_u32(&w, MAGIC);
    kw_writer_u16(&w, VERSION);
    kw_writer_put(&w, KW_SPAN_ARRAY(sealed->id));
    kw_writer_put(&w, KW_SPAN_ARRAY(sealed->nonce));
    kw_writer_span16(&w, sealed->text);
    return kw_writer_end(&w);
}
