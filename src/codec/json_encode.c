#include "base/b64.h"
#include "base/hex.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/member.h"
#include "codec/sink.h"

/* A member broke its row's promise: our own bug, noted with the field's name. */
struct encoder {
    struct sink sink;
    const char *wrong; /* name of the first bad field; NULL as long as all is well */
};

typedef void encode_fn(struct encoder *e, const struct codec_field *field, const void *obj);

static void refuse(struct encoder *e, const struct codec_field *field)
{
    if (!e->wrong) {
        e->wrong = field->name;
        e->sink.status = KW_FAIL(KW_E_INTERNAL);
    }
}

/* A char[size] of the struct, checked: a missing NUL must not lead beyond the member. */
static void encode_text(struct encoder *e, const struct codec_field *field, const char *text)
{
    struct kw_span span = KW_SPAN(text, strnlen(text, field->size));

    if (span.len == field->size) {
        refuse(e, field);
        return;
    }
    sink_string(&e->sink, span);
    if (e->sink.status.code == KW_E_INPUT) {
        refuse(e, field);
    }
}

static void encode_string(struct encoder *e, const struct codec_field *field, const void *obj)
{
    encode_text(e, field, codec_at_const(field, obj));
}

static void encode_bool(struct encoder *e, const struct codec_field *field, const void *obj)
{
    sink_text(&e->sink, *(const bool *)codec_at_const(field, obj) ? "true" : "false");
}

static void encode_unsigned(struct encoder *e, const struct codec_field *field, const void *obj)
{
    uint64_t value = codec_load_unsigned(codec_at_const(field, obj), field->size);

    if (value > INT64_MAX) { /* no reader of ours, and few others, would take it */
        refuse(e, field);
        return;
    }
    sink_unsigned(&e->sink, value);
}

static void encode_signed(struct encoder *e, const struct codec_field *field, const void *obj)
{
    sink_signed(&e->sink, codec_load_signed(codec_at_const(field, obj), field->size));
}

static void encode_time(struct encoder *e, const struct codec_field *field, const void *obj)
{
    char text[KW_TIME_TEXT];
    int64_t time = *(const int64_t *)codec_at_const(field, obj);

    sink_put(&e->sink, "\"", 1);
    sink_text(&e->sink,
              field->type == CODEC_TIME ? kw_time_text_ms(time, text) : kw_time_text(time, text));
    sink_put(&e->sink, "\"", 1);
}

/* The octets of HEX and B64; nothing where the count is beyond the member. */
static bool octets_of(struct encoder *e, const struct codec_field *field, const void *obj,
                      struct kw_span *ret)
{
    size_t n = codec_count(field, obj);

    if (n > field->size) {
        refuse(e, field);
        return false;
    }
    *ret = KW_SPAN(codec_at_const(field, obj), n);
    return true;
}

static void encode_hex(struct encoder *e, const struct codec_field *field, const void *obj)
{
    struct kw_span octets;

    if (!octets_of(e, field, obj, &octets)) {
        return;
    }
    sink_put(&e->sink, "\"", 1);
    for (size_t i = 0; i < octets.len; i += 32) {
        char text[65]; /* 32 octets at a time: no room of unknown size */
        sink_text(&e->sink, kw_hex(kw_span_sub(octets, i, 32), text, sizeof(text)));
    }
    sink_put(&e->sink, "\"", 1);
}

static void encode_b64(struct encoder *e, const struct codec_field *field, const void *obj)
{
    struct kw_span octets;

    if (!octets_of(e, field, obj, &octets)) {
        return;
    }
    sink_put(&e->sink, "\"", 1);
    if (kw_ok(e->sink.status)) {
        e->sink.status = kw_b64_encode(octets, 0, e->sink.into);
    }
    sink_put(&e->sink, "\"", 1);
}

static void encode_enum(struct encoder *e, const struct codec_field *field, const void *obj)
{
    uint64_t value = codec_load_unsigned(codec_at_const(field, obj), field->size);

    if (value >= field->max_count || !field->names[value]) {
        refuse(e, field);
        return;
    }
    sink_string(&e->sink, kw_span_text(field->names[value]));
}

static void encode_fields(struct encoder *e, const struct codec_field *fields, size_t n_fields,
                          const void *obj);

static void encode_object(struct encoder *e, const struct codec_field *field, const void *obj)
{
    encode_fields(e, field->sub, field->n_sub, codec_at_const(field, obj));
}

static void encode_list(struct encoder *e, const struct codec_field *field, const void *obj)
{
    const char *item = codec_at_const(field, obj);
    size_t n = codec_count(field, obj);

    if (n > field->max_count) {
        refuse(e, field);
        return;
    }
    sink_put(&e->sink, "[", 1);
    for (size_t i = 0; i < n && kw_ok(e->sink.status); i++, item += field->size) {
        sink_put(&e->sink, ",", i > 0 ? 1 : 0);
        if (field->type == CODEC_STRINGS) {
            encode_text(e, field, item);
        } else {
            encode_fields(e, field->sub, field->n_sub, item);
        }
    }
    sink_put(&e->sink, "]", 1);
}

static encode_fn *const encoders[] = {
    [CODEC_STRING] = encode_string, [CODEC_BOOL] = encode_bool,    [CODEC_U32] = encode_unsigned,
    [CODEC_U64] = encode_unsigned,  [CODEC_I64] = encode_signed,   [CODEC_TIME] = encode_time,
    [CODEC_TIME_S] = encode_time,   [CODEC_HEX] = encode_hex,      [CODEC_B64] = encode_b64,
    [CODEC_ENUM] = encode_enum,     [CODEC_STRINGS] = encode_list, [CODEC_OBJECT] = encode_object,
    [CODEC_ARRAY] = encode_list,
};
_Static_assert(KW_COUNT(encoders) == CODEC_TYPE_MAX, "every type has its encoder");

static bool all_empty(const struct codec_field *fields, size_t n_fields, const void *obj);

/* "", false, 0, the first name of an enum, no octets, no items, an object of such. */
static bool is_empty(const struct codec_field *field, const void *obj)
{
    const void *at = codec_at_const(field, obj);

    switch (field->type) {
    case CODEC_STRING:
        return *(const char *)at == '\0';
    case CODEC_HEX:
    case CODEC_B64:
    case CODEC_STRINGS:
    case CODEC_ARRAY:
        return codec_count(field, obj) == 0;
    case CODEC_OBJECT:
        return all_empty(field->sub, field->n_sub, at);
    default:
        return codec_load_unsigned(at, field->size) == 0;
    }
}

static bool all_empty(const struct codec_field *fields, size_t n_fields, const void *obj)
{
    for (size_t i = 0; i < n_fields; i++) {
        if (!is_empty(&fields[i], obj)) {
            return false;
        }
    }
    return true;
}

static void encode_fields(struct encoder *e, const struct codec_field *fields, size_t n_fields,
                          const void *obj)
{
    bool first = true;

    sink_put(&e->sink, "{", 1);
    for (size_t i = 0; i < n_fields && kw_ok(e->sink.status); i++) {
        if ((fields[i].flags & CODEC_OMIT_EMPTY) && is_empty(&fields[i], obj)) {
            continue;
        }
        sink_text(&e->sink, first ? "\"" : ",\"");
        sink_text(&e->sink, fields[i].name); /* ours: needs no escapes */
        sink_put(&e->sink, "\":", 2);
        encoders[fields[i].type](e, &fields[i], obj);
        first = false;
    }
    sink_put(&e->sink, "}", 1);
}

/* End the sink, and say which field was wrong. */
static kw_status end(struct kw_op *op, struct encoder *e)
{
    kw_status status = sink_end(&e->sink);

    ENSURE(op, !e->wrong, KW_E_INTERNAL, "field '%s' holds what cannot be written", e->wrong);
    ENSURE(op, kw_ok(status), status.code, "writing JSON");
    return KW_OK;
}

kw_status codec_json_encode(struct kw_op *op, const struct codec_field *fields, size_t n_fields,
                            const void *obj, struct kw_bytes *into)
{
    struct encoder e = {.sink = sink_of(into)};

    encode_fields(&e, fields, n_fields, obj);
    return end(op, &e);
}

kw_status codec_json_string(struct kw_span text, struct kw_bytes *into)
{
    struct sink s = sink_of(into);

    sink_string(&s, text);
    return sink_end(&s);
}

kw_status codec_json_list_begin(struct kw_op *op, struct codec_list *list, struct kw_bytes *into)
{
    *list = (struct codec_list){.into = into, .n_items = 0};
    TRY(op, kw_bytes_append_text(into, "{\"items\":["), "writing JSON");
    return KW_OK;
}

kw_status codec_json_list_item(struct kw_op *op, struct codec_list *list,
                               const struct codec_field *fields, size_t n_fields, const void *obj)
{
    struct encoder e = {.sink = sink_of(list->into)};

    sink_put(&e.sink, ",", list->n_items > 0 ? 1 : 0);
    encode_fields(&e, fields, n_fields, obj);
    TRY(op, end(op, &e), "item %zu", list->n_items);
    list->n_items++;
    return KW_OK;
}

kw_status codec_json_list_end(struct kw_op *op, struct codec_list *list, const char *next)
{
    struct sink s = sink_of(list->into);

    sink_put(&s, "]", 1);
    if (next) {
        sink_text(&s, ",\"next\":");
        sink_string(&s, kw_span_text(next));
    }
    sink_put(&s, "}", 1);
    TRY(op, sink_end(&s), "writing JSON");
    return KW_OK;
}
