/* JSON by field table: what decodes is encoded, decodes again, and encodes to the same octets. */
#include <assert.h>

#include "../unit/codec/sample.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kw_bytes *encode(const struct sample *sample)
{
    struct kw_bytes *text = NULL;

    bool written =
        kw_ok(kw_bytes_new(0, &text)) &&
        kw_ok(codec_json_encode(NULL, sample_fields, KW_COUNT(sample_fields), sample, text));
    assert(written);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample first = {0};
    struct sample second = {0};
    struct kw_op op;
    char message[KW_OP_TEXT_MAX * KW_OP_FRAMES_MAX];

    kw_op_init(&op, NULL, 0);
    if (!kw_ok(codec_json_decode(&op, KW_SPAN(data, size), sample_fields, KW_COUNT(sample_fields),
                                 &first))) {
        assert(kw_op_message(&op, message, sizeof(message))[0] != '\0');
        return 0;
    }
    AUTO(kw_bytes) *text = encode(&first);
    bool read = kw_ok(codec_json_decode(&op, kw_bytes_span(text), sample_fields,
                                        KW_COUNT(sample_fields), &second));
    assert(read);
    AUTO(kw_bytes) *again = encode(&second);
    assert(kw_span_equal(kw_bytes_span(text), kw_bytes_span(again)));
    return 0;
}
