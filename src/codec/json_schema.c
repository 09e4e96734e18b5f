#include "codec/json.h"
#include "codec/member.h"
#include "codec/sink.h"

typedef void schema_fn(struct sink *s, const struct codec_field *field);

/* ,"name":value */
static void put_number(struct sink *s, const char *name, int64_t value)
{
    sink_text(s, ",\"");
    sink_text(s, name);
    sink_text(s, "\":");
    sink_signed(s, value);
}

static bool must_be_filled(const struct codec_field *field)
{
    return (field->flags & CODEC_REQUIRED) != 0;
}

/* Our limit counts octets, a schema's characters: none that we refuse for length may pass as
 * shorter. */
static void schema_text(struct sink *s, const struct codec_field *field)
{
    sink_text(s, "\"type\":\"string\"");
    if (must_be_filled(field)) {
        put_number(s, "minLength", 1);
    }
    put_number(s, "maxLength", (int64_t)field->size - 1);
}

static void schema_bool(struct sink *s, const struct codec_field *field)
{
    (void)field; /* a boolean has no limits */
    sink_text(s, "\"type\":\"boolean\"");
}

static void schema_number(struct sink *s, const struct codec_field *field)
{
    struct codec_range range = codec_range_of(field);

    sink_text(s, "\"type\":\"integer\"");
    put_number(s, "minimum", range.min);
    put_number(s, "maximum", range.max);
}

static void schema_time(struct sink *s, const struct codec_field *field)
{
    (void)field; /* a time has no limits */
    sink_text(s, "\"type\":\"string\",\"format\":\"date-time\"");
}

static void schema_hex(struct sink *s, const struct codec_field *field)
{
    size_t min = field->flags & CODEC_FIXED ? field->size : must_be_filled(field) ? 1 : 0;

    sink_text(s, "\"type\":\"string\",\"pattern\":\"^([0-9a-fA-F]{2})*$\"");
    put_number(s, "minLength", (int64_t)(2 * min));
    put_number(s, "maxLength", (int64_t)(2 * field->size));
}

static void schema_b64(struct sink *s, const struct codec_field *field)
{
    (void)field; /* white space may make it longer */
    sink_text(s, "\"type\":\"string\",\"contentEncoding\":\"base64\"");
}

static void schema_enum(struct sink *s, const struct codec_field *field)
{
    const char *before = "";

    sink_text(s, "\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; i < field->max_count; i++) {
        if (field->names[i]) {
            sink_text(s, before);
            sink_string(s, kw_span_text(field->names[i]));
            before = ",";
        }
    }
    sink_text(s, "]");
}

static void schema_object(struct sink *s, const struct codec_field *fields, size_t n_fields);

static void schema_sub(struct sink *s, const struct codec_field *field)
{
    schema_object(s, field->sub, field->n_sub);
}

static void schema_list(struct sink *s, const struct codec_field *field)
{
    sink_text(s, "\"type\":\"array\"");
    if (must_be_filled(field)) {
        put_number(s, "minItems", 1);
    }
    put_number(s, "maxItems", (int64_t)field->max_count);
    sink_text(s, ",\"items\":{");
    if (field->type == CODEC_STRINGS) {
        schema_text(s, field);
    } else {
        schema_sub(s, field);
    }
    sink_text(s, "}");
}

static schema_fn *const schemas[] = {
    [CODEC_STRING] = schema_text, [CODEC_BOOL] = schema_bool,    [CODEC_U32] = schema_number,
    [CODEC_U64] = schema_number,  [CODEC_I64] = schema_number,   [CODEC_TIME] = schema_time,
    [CODEC_TIME_S] = schema_time, [CODEC_HEX] = schema_hex,      [CODEC_B64] = schema_b64,
    [CODEC_ENUM] = schema_enum,   [CODEC_STRINGS] = schema_list, [CODEC_OBJECT] = schema_sub,
    [CODEC_ARRAY] = schema_list,
};
_Static_assert(KW_COUNT(schemas) == CODEC_TYPE_MAX, "every type has its schema");

static void put_required(struct sink *s, const struct codec_field *fields, size_t n_fields)
{
    const char *before = ",\"required\":[";
    bool any = false;

    for (size_t i = 0; i < n_fields; i++) {
        if (must_be_filled(&fields[i])) {
            sink_text(s, before);
            sink_string(s, kw_span_text(fields[i].name));
            before = ",";
            any = true;
        }
    }
    sink_text(s, any ? "]" : "");
}

/* The members of a schema object, without its braces. Depth as the tables'. */
static void schema_object(struct sink *s, const struct codec_field *fields, size_t n_fields)
{
    sink_text(s, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < n_fields; i++) {
        sink_text(s, i > 0 ? "," : "");
        sink_string(s, kw_span_text(fields[i].name));
        sink_text(s, ":{");
        schemas[fields[i].type](s, &fields[i]);
        if (fields[i].doc) {
            sink_text(s, ",\"description\":");
            sink_string(s, kw_span_text(fields[i].doc));
        }
        sink_text(s, "}");
    }
    sink_text(s, "}");
    put_required(s, fields, n_fields);
}

kw_status codec_json_schema(const struct codec_field *fields, size_t n_fields,
                            struct kw_bytes *into)
{
    struct sink s = sink_of(into);

    sink_text(&s, "{");
    schema_object(&s, fields, n_fields);
    sink_text(&s, "}");
    return sink_end(&s);
}
