#include <jansson.h>

#include "codec/json.h"
#include "codec/tree.h"

KW_OWNED(json_t, json_t, json_decref)

static bool is_object(void *node)
{
    return json_is_object((json_t *)node);
}

static bool is_list(void *node)
{
    return json_is_array((json_t *)node);
}

static bool next_member(void *object, void **cursor, struct kw_span *key, void **node)
{
    void *iter = *cursor ? json_object_iter_next(object, *cursor) : json_object_iter(object);

    if (!iter) {
        return false;
    }
    *cursor = iter;
    *key = KW_SPAN(json_object_iter_key(iter), json_object_iter_key_len(iter));
    *node = json_object_iter_value(iter);
    return true;
}

/* The cursor of a list is the number of items passed. */
static bool next_item(void *list, void **cursor, void **node)
{
    uintptr_t passed = (uintptr_t)*cursor;

    *node = json_array_get(list, passed);
    *cursor = (void *)(passed + 1);
    return *node != NULL;
}

static bool next(void *collection, void **cursor, struct kw_span *key, void **node)
{
    return is_list(collection) ? next_item(collection, cursor, node)
                               : next_member(collection, cursor, key, node);
}

static bool text_of(void *node, struct kw_span *ret)
{
    if (!json_is_string((json_t *)node)) {
        return false;
    }
    *ret = KW_SPAN(json_string_value(node), json_string_length(node));
    return true;
}

static bool boolean_of(void *node, bool *ret)
{
    *ret = json_is_true((json_t *)node);
    return json_is_boolean((json_t *)node);
}

static bool integer_of(void *node, int64_t *ret)
{
    *ret = json_integer_value(node);
    return json_is_integer((json_t *)node);
}

static const struct codec_tree_ops json_tree = {
    .is_object = is_object,
    .is_list = is_list,
    .next = next,
    .text = text_of,
    .boolean = boolean_of,
    .integer = integer_of,
};

/*
 * How deep brackets nest outside of strings. Looked at before jansson sees the text: its parser
 * calls itself for each level. Texts that are no JSON give some number; jansson refuses those
 * afterwards.
 */
static size_t depth_of(struct kw_span text)
{
    size_t depth = 0;
    size_t deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

kw_status codec_json_decode(struct kw_op *op, struct kw_span text, const struct codec_field *fields,
                            size_t n_fields, void *obj)
{
    json_error_t error;

    ENSURE(op, text.len <= KW_JSON_DOC_MAX, KW_E_TOO_LARGE,
           "%zu octets of JSON, at most %d are taken", text.len, KW_JSON_DOC_MAX);
    ENSURE(op, depth_of(text) <= KW_JSON_DEPTH_MAX, KW_E_TOO_LARGE, "JSON nested deeper than %d",
           KW_JSON_DEPTH_MAX);
    ENSURE(op, text.len > 0, KW_E_INPUT, "no JSON, but nothing");
    AUTO(json_t) *root = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &error);
    ENSURE(op, root || json_error_code(&error) != json_error_out_of_memory, KW_E_MEMORY,
           "reading JSON");
    ENSURE(op, root, KW_E_INPUT, "bad JSON at line %d, column %d: %s", error.line, error.column,
           error.text);
    return codec_tree_decode(op, &json_tree, root, fields, n_fields, obj);
}
