/* Members of a struct by offset and size; inside codec only. */
#ifndef CODEC_MEMBER_H
#define CODEC_MEMBER_H

#include "codec/fields.h"

/* Where the field's member lies in the object that contains it. */
static inline void *codec_at(const struct codec_field *field, void *obj)
{
    return (char *)obj + field->offset;
}

static inline const void *codec_at_const(const struct codec_field *field, const void *obj)
{
    return (const char *)obj + field->offset;
}

/* Integers of 1, 2, 4 or 8 octets. */
uint64_t codec_load_unsigned(const void *at, size_t size);
int64_t codec_load_signed(const void *at, size_t size);
void codec_store(void *at, size_t size, int64_t value);
/* The count of HEX, B64, STRINGS and ARRAY; all octets where CODEC_FIXED. */
size_t codec_count(const struct codec_field *field, const void *obj);
void codec_set_count(const struct codec_field *field, void *obj, size_t count);
/* The numbers that a row takes. */
struct codec_range {
    int64_t min, max;
};
struct codec_range codec_range_of(const struct codec_field *field);
/* May this text stand in the STRING (or an item of the STRINGS) of this row? Its length is not
 * looked at. */
bool codec_text_fits(const struct codec_field *field, struct kw_span text);

#endif
