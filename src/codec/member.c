#include "codec/member.h"

#include "base/utf8.h"

uint64_t codec_load_unsigned(const void *at, size_t size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
    }
}

int64_t codec_load_signed(const void *at, size_t size)
{
    return size == sizeof(int32_t) ? *(const int32_t *)at : *(const int64_t *)at;
}

void codec_store(void *at, size_t size, int64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(uint64_t *)at = (uint64_t)value;
        break;
    }
}

size_t codec_count(const struct codec_field *field, const void *obj)
{
    if (field->flags & CODEC_FIXED) {
        return field->size;
    }
    return (size_t)codec_load_unsigned((const char *)obj + field->count_offset, field->count_size);
}

void codec_set_count(const struct codec_field *field, void *obj, size_t count)
{
    if (!(field->flags & CODEC_FIXED)) {
        codec_store((char *)obj + field->count_offset, field->count_size, (int64_t)count);
    }
}

struct codec_range codec_range_of(const struct codec_field *field)
{
    struct codec_range range = {INT64_MIN, INT64_MAX};

    if (field->min != 0 || field->max != 0) {
        return (struct codec_range){field->min, field->max};
    }
    if (field->type == CODEC_I64 && field->size == sizeof(int32_t)) {
        return (struct codec_range){INT32_MIN, INT32_MAX};
    }
    if (field->type != CODEC_I64) {
        range.min = 0;
    }
    if (field->type == CODEC_U32) {
        range.max = (INT64_C(1) << 8 * field->size) - 1;
    }
    return range;
}

/* Bit n stands for the character n. */
static const uint32_t line_characters = 1u << '\n' | 1u << '\r' | 1u << '\t';

bool codec_text_fits(const struct codec_field *field, struct kw_span text)
{
    while (text.len > 0) {
        unsigned n = kw_utf8_next(text);
        bool line = (field->flags & CODEC_LINES) && text.p[0] < 32 &&
                    (line_characters >> text.p[0] & 1) != 0;
        if (n == 0 || (kw_utf8_is_control(text.p, n) && !line)) {
            return false;
        }
        text = kw_span_sub(text, n, text.len);
    }
    return true;
}
