/* JSON (RFC 8259) by field tables. */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "codec/fields.h"

/**
 * Read one JSON object into a struct.
 *
 * op      may be NULL; receives which field is wrong and why
 * text    borrowed; at most KW_JSON_DOC_MAX octets, nested at most KW_JSON_DEPTH_MAX deep
 * obj     the struct that the table describes. Optional fields that the text lacks keep what the
 * caller put there (defaults); items of lists begin zeroed. After a failure it may be partly
 * filled.
 *
 * Errors  KW_E_INPUT      no JSON object; a field unknown, twice, missing, of another type or out
 * of range KW_E_TOO_LARGE  the text, its depth, a string or a list is over its limit KW_E_MEMORY
 */
kw_status codec_json_decode(struct kw_op *op, struct kw_span text, const struct codec_field *fields,
                            size_t n_fields, void *obj);
/**
 * Append the struct as one line of JSON without spaces, keys in the table's order: the same struct
 * always gives the same octets. op may be NULL. KW_E_INTERNAL a member holds what its row forbids
 * (not UTF-8, a count over the limit, an enum without name): `into` is as before.
 */
kw_status codec_json_encode(struct kw_op *op, const struct codec_field *fields, size_t n_fields,
                            const void *obj, struct kw_bytes *into);

/* Append a JSON string with its quotes; escapes as RFC 8785 section 3.2.2.2. KW_E_INPUT not UTF-8.
 */
kw_status codec_json_string(struct kw_span text, struct kw_bytes *into);

/* A list answer, item by item: {"items":[…],"next":"…"}; next is left out where NULL. */
struct codec_list {
    struct kw_bytes *into; /* borrowed */
    size_t n_items;        /* so far */
};

kw_status codec_json_list_begin(struct kw_op *op, struct codec_list *list, struct kw_bytes *into);
kw_status codec_json_list_item(struct kw_op *op, struct codec_list *list,
                               const struct codec_field *fields, size_t n_fields, const void *obj);
kw_status codec_json_list_end(struct kw_op *op, struct codec_list *list, const char *next);

/* Append the JSON schema (2020-12, as OpenAPI 3.1 takes it) of the object that the table describes.
 */
kw_status codec_json_schema(const struct codec_field *fields, size_t n_fields,
                            struct kw_bytes *into);

#endif
