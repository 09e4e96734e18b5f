/* From a parsed text (JSON or YAML, behind one ops table) into a struct; inside codec only. */
#ifndef CODEC_TREE_H
#define CODEC_TREE_H

#include "codec/fields.h"

/* What a parser's tree of nodes can be asked. All pointers are filled; no call changes the tree. */
struct codec_tree_ops {
    bool (*is_object)(void *node);
    bool (*is_list)(void *node);
    /* Walk an object (with keys) or a list (without); *cursor begins NULL. False at the end. */
    bool (*next)(void *collection, void **cursor, struct kw_span *key, void **node);
    /* The node's value, where it can be read as that type; otherwise false. */
    bool (*text)(void *node, struct kw_span *ret);
    bool (*boolean)(void *node, bool *ret);
    bool (*integer)(void *node, int64_t *ret);
    /* The line of the text, from 1, where the member stands that next() has just given; NULL where
     * the parser does not keep it. */
    unsigned (*line)(void *cursor);
};

/* Errors and obj as codec_json_decode(). */
kw_status codec_tree_decode(struct kw_op *op, const struct codec_tree_ops *tree, void *root,
                            const struct codec_field *fields, size_t n_fields, void *obj);

#endif
