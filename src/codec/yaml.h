/* YAML 1.2 by field tables: the files that operators write. */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "codec/fields.h"

/**
 * Read one YAML document, a mapping, into a struct. As codec_json_decode(), with these differences:
 * The row, not the text, decides a plain scalar's type: `country: no` is the string "no".
 * Anchors, aliases, tags, directives and further documents are refused: a short file stays a small
 * struct. At most KW_YAML_DOC_MAX octets. Errors as codec_json_decode(), within "line N".
 */
kw_status codec_yaml_decode(struct kw_op *op, struct kw_span text, const struct codec_field *fields,
                            size_t n_fields, void *obj);
/* Say what was read and is wrong, KW_E_INPUT, with the line where the field stands if it does. */
kw_status codec_yaml_refuse(struct kw_op *op, struct kw_span text, const char *field,
                            const char *says, const char *source);

#endif
