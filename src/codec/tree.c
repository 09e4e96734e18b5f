#include "codec/tree.h"

#include <assert.h>

#include "base/b64.h"
#include "base/hex.h"
#include "base/time.h"
#include "codec/member.h"

enum {
    PATH_MAX_TEXT = 128, /* names of fields on the way down; longer ones are cut in messages only */
    FIELDS_MAX = 64,     /* of one table: bits of the set of fields seen */
    NAME_SHOWN = 48,     /* octets of a peer's unknown name that a message repeats */
};

struct decoder {
    struct kw_op *op; /* may be NULL */
    const struct codec_tree_ops *tree;
    char path[PATH_MAX_TEXT]; /* "subject.names[3]" */
    unsigned line;            /* of the member that is wrong; 0: not known */
};

typedef kw_status decode_fn(struct decoder *d, const struct codec_field *field, void *node,
                            void *obj);

/* Add a part to the path; the old length is for path_pop(). */
static size_t path_push(struct decoder *d, const char *name, size_t index)
{
    size_t n = strlen(d->path);

    if (name) {
        (void)snprintf(d->path + n, sizeof(d->path) - n, "%s%s", n > 0 ? "." : "", name);
    } else {
        (void)snprintf(d->path + n, sizeof(d->path) - n, "[%zu]", index);
    }
    return n;
}

static void path_pop(struct decoder *d, size_t n)
{
    d->path[n] = '\0';
}

static kw_status wrong_type(struct decoder *d, const char *expected)
{
    return FAIL(d->op, KW_E_INPUT, "field '%s' must be %s", d->path, expected);
}

/* REQUIRED also means that something stands there. */
static kw_status check_filled(struct decoder *d, const struct codec_field *field, size_t n)
{
    ENSURE(d->op, n > 0 || !(field->flags & CODEC_REQUIRED), KW_E_INPUT,
           "field '%s' must not be empty", d->path);
    return KW_OK;
}

static kw_status take_text(struct decoder *d, const struct codec_field *field, void *node,
                           char *into)
{
    struct kw_span text;

    if (!d->tree->text(node, &text)) {
        return wrong_type(d, "a string");
    }
    ENSURE(d->op, text.len < field->size, KW_E_TOO_LARGE,
           "field '%s' has %zu octets, at most %zu are taken", d->path, text.len, field->size - 1);
    ENSURE(d->op, codec_text_fits(field, text), KW_E_INPUT,
           "field '%s' has control characters or is not UTF-8", d->path);
    if (text.len > 0) {
        memcpy(into, text.p, text.len);
    }
    into[text.len] = '\0';
    return check_filled(d, field, text.len);
}

static kw_status decode_string(struct decoder *d, const struct codec_field *field, void *node,
                               void *obj)
{
    return take_text(d, field, node, codec_at(field, obj));
}

static kw_status decode_bool(struct decoder *d, const struct codec_field *field, void *node,
                             void *obj)
{
    bool value = false;

    if (!d->tree->boolean(node, &value)) {
        return wrong_type(d, "true or false");
    }
    *(bool *)codec_at(field, obj) = value;
    return KW_OK;
}

static kw_status decode_number(struct decoder *d, const struct codec_field *field, void *node,
                               void *obj)
{
    struct codec_range range = codec_range_of(field);
    int64_t value = 0;

    if (!d->tree->integer(node, &value)) {
        return wrong_type(d, "a whole number");
    }
    ENSURE(d->op, value >= range.min && value <= range.max, KW_E_INPUT,
           "field '%s' is %jd, it must be from %jd to %jd", d->path, (intmax_t)value,
           (intmax_t)range.min, (intmax_t)range.max);
    codec_store(codec_at(field, obj), field->size, value);
    return KW_OK;
}

static kw_status take_time(struct decoder *d, void *node, int64_t *ret_ms)
{
    struct kw_span text;
    char copy[KW_TIME_TEXT];

    if (!d->tree->text(node, &text) || text.len >= sizeof(copy) || text.len == 0) {
        return wrong_type(d, "a time such as \"2026-11-21T02:22:42Z\"");
    }
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    if (!kw_ok(kw_time_parse(copy, ret_ms))) {
        return wrong_type(d, "a time such as \"2026-11-21T02:22:42Z\"");
    }
    return KW_OK;
}

static kw_status decode_time(struct decoder *d, const struct codec_field *field, void *node,
                             void *obj)
{
    return take_time(d, node, codec_at(field, obj));
}

static kw_status decode_time_s(struct decoder *d, const struct codec_field *field, void *node,
                               void *obj)
{
    int64_t ms = 0;

    kw_status status = take_time(d, node, &ms);
    if (!kw_ok(status)) {
        return status;
    }
    ENSURE(d->op, ms % 1000 == 0, KW_E_INPUT, "field '%s' must be a whole second", d->path);
    *(int64_t *)codec_at(field, obj) = ms / 1000;
    return KW_OK;
}

/* What HEX and B64 share once the octets are there (or why they are not). */
static kw_status end_octets(struct decoder *d, const struct codec_field *field, kw_status status,
                            size_t n, void *obj)
{
    ENSURE(d->op, status.code != KW_E_TOO_LARGE, KW_E_TOO_LARGE,
           "field '%s' has more than %zu octets", d->path, field->size);
    ENSURE(d->op, status.code != KW_E_INPUT, KW_E_INPUT, "field '%s' is no good %s", d->path,
           field->type == CODEC_HEX ? "hexadecimal" : "base64");
    ENSURE(d->op, kw_ok(status), status.code, "field '%s'", d->path);
    ENSURE(d->op, !(field->flags & CODEC_FIXED) || n == field->size, KW_E_INPUT,
           "field '%s' has %zu octets, it must have %zu", d->path, n, field->size);
    codec_set_count(field, obj, n);
    return check_filled(d, field, n);
}

static kw_status decode_hex(struct decoder *d, const struct codec_field *field, void *node,
                            void *obj)
{
    struct kw_out out = {codec_at(field, obj), field->size, 0};
    struct kw_span text;

    if (!d->tree->text(node, &text)) {
        return wrong_type(d, "a string of hexadecimal digits");
    }
    kw_status status = kw_unhex_span(text, &out);
    return end_octets(d, field, status, out.len, obj);
}

static kw_status decode_b64(struct decoder *d, const struct codec_field *field, void *node,
                            void *obj)
{
    AUTO(kw_bytes) *bytes = NULL;
    struct kw_out out = {codec_at(field, obj), field->size, 0};
    struct kw_span text;

    if (!d->tree->text(node, &text)) {
        return wrong_type(d, "a string of base64");
    }
    kw_status status = kw_b64_decode(text, field->size, &bytes);
    if (kw_ok(status)) {
        status = kw_out_set(&out, kw_bytes_span(bytes));
    }
    return end_octets(d, field, status, out.len, obj);
}

static kw_status decode_enum(struct decoder *d, const struct codec_field *field, void *node,
                             void *obj)
{
    struct kw_span text;

    if (!d->tree->text(node, &text)) {
        return wrong_type(d, "a string");
    }
    for (size_t i = 0; i < field->max_count; i++) {
        if (field->names[i] && kw_span_equal(text, kw_span_text(field->names[i]))) {
            codec_store(codec_at(field, obj), field->size, (int64_t)i);
            return KW_OK;
        }
    }
    int shown = text.len < NAME_SHOWN ? (int)text.len : NAME_SHOWN;
    return FAIL(d->op, KW_E_INPUT, "field '%s': '%.*s' is none of the known values", d->path, shown,
                (const char *)text.p);
}

static decode_fn decode_list_item;

/* STRINGS and ARRAY: item after item into the next place of the array. */
static kw_status decode_list(struct decoder *d, const struct codec_field *field, void *node,
                             void *obj)
{
    void *cursor = NULL;
    void *item = NULL;
    size_t n = 0;

    if (!d->tree->is_list(node)) {
        return wrong_type(d, "a list");
    }
    for (; d->tree->next(node, &cursor, NULL, &item); n++) {
        ENSURE(d->op, n < field->max_count, KW_E_TOO_LARGE, "field '%s' has more than %zu items",
               d->path, field->max_count);
        size_t mark = path_push(d, NULL, n);
        char *place = (char *)codec_at(field, obj) + n * field->size;
        kw_status status = decode_list_item(d, field, item, place);
        if (!kw_ok(status)) {
            return status;
        }
        path_pop(d, mark);
    }
    codec_set_count(field, obj, n);
    return check_filled(d, field, n);
}

static kw_status decode_fields(struct decoder *d, const struct codec_field *fields, size_t n_fields,
                               void *node, void *obj);

static kw_status decode_list_item(struct decoder *d, const struct codec_field *field, void *node,
                                  void *place)
{
    if (field->type == CODEC_STRINGS) {
        return take_text(d, field, node, place);
    }
    memset(place, 0, field->size);
    return decode_fields(d, field->sub, field->n_sub, node, place);
}

static kw_status decode_object(struct decoder *d, const struct codec_field *field, void *node,
                               void *obj)
{
    return decode_fields(d, field->sub, field->n_sub, node, codec_at(field, obj));
}

static decode_fn *const decoders[] = {
    [CODEC_STRING] = decode_string, [CODEC_BOOL] = decode_bool,    [CODEC_U32] = decode_number,
    [CODEC_U64] = decode_number,    [CODEC_I64] = decode_number,   [CODEC_TIME] = decode_time,
    [CODEC_TIME_S] = decode_time_s, [CODEC_HEX] = decode_hex,      [CODEC_B64] = decode_b64,
    [CODEC_ENUM] = decode_enum,     [CODEC_STRINGS] = decode_list, [CODEC_OBJECT] = decode_object,
    [CODEC_ARRAY] = decode_list,
};
_Static_assert(KW_COUNT(decoders) == CODEC_TYPE_MAX, "every type has its decoder");

static size_t find_field(const struct codec_field *fields, size_t n_fields, struct kw_span key)
{
    size_t i = 0;

    while (i < n_fields && !kw_span_equal(kw_span_text(fields[i].name), key)) {
        i++;
    }
    return i;
}

static kw_status decode_member(struct decoder *d, const struct codec_field *field, void *node,
                               void *obj, bool twice)
{
    size_t mark = path_push(d, field->name, 0);

    ENSURE(d->op, !twice, KW_E_INPUT, "field '%s' stands there twice", d->path);
    kw_status status = decoders[field->type](d, field, node, obj);
    if (kw_ok(status)) {
        path_pop(d, mark);
    }
    return status;
}

static kw_status check_required(struct decoder *d, const struct codec_field *fields,
                                size_t n_fields, uint64_t seen)
{
    for (size_t i = 0; i < n_fields; i++) {
        bool missing = (fields[i].flags & CODEC_REQUIRED) && !(seen >> i & 1);
        if (missing) {
            (void)path_push(d, fields[i].name, 0); /* the message is the last use of the path */
            return FAIL(d->op, KW_E_INPUT, "field '%s' is missing", d->path);
        }
    }
    return KW_OK;
}

static kw_status unknown_field(struct decoder *d, struct kw_span key)
{
    int shown = key.len < NAME_SHOWN ? (int)key.len : NAME_SHOWN;

    return FAIL(d->op, KW_E_INPUT, "unknown field '%s%s%.*s'", d->path, d->path[0] ? "." : "",
                shown, (const char *)key.p);
}

/* The innermost member's is noted. */
static void note_line(struct decoder *d, void *cursor)
{
    if (d->line == 0 && d->tree->line) {
        d->line = d->tree->line(cursor);
    }
}

/* Calls itself by way of OBJECT and ARRAY rows: as deep as the tables are, whatever the text says.
 */
static kw_status decode_fields(struct decoder *d, const struct codec_field *fields, size_t n_fields,
                               void *node, void *obj)
{
    struct kw_span key = KW_SPAN(NULL, 0);
    void *cursor = NULL;
    void *value = NULL;
    uint64_t seen = 0;

    assert(n_fields <= FIELDS_MAX);
    if (!d->tree->is_object(node)) {
        return d->path[0] ? wrong_type(d, "an object") : FAIL(d->op, KW_E_INPUT, "no object");
    }
    while (d->tree->next(node, &cursor, &key, &value)) {
        size_t i = find_field(fields, n_fields, key);
        kw_status status = i == n_fields
                               ? unknown_field(d, key)
                               : decode_member(d, &fields[i], value, obj, (seen >> i & 1) != 0);
        if (!kw_ok(status)) {
            note_line(d, cursor);
            return status;
        }
        seen |= UINT64_C(1) << i;
    }
    return check_required(d, fields, n_fields, seen);
}

kw_status codec_tree_decode(struct kw_op *op, const struct codec_tree_ops *tree, void *root,
                            const struct codec_field *fields, size_t n_fields, void *obj)
{
    struct decoder d = {.op = op, .tree = tree};

    kw_status status = decode_fields(&d, fields, n_fields, root, obj);
    if (d.line > 0) {
        TRY(op, status, "line %u", d.line);
    }
    return status;
}
