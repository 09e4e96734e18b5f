#include "codec/yaml.h"

#include <libfyaml.h>

#include "base/utf8.h"
#include "codec/tree.h"

KW_OWNED(fy_parser, struct fy_parser, fy_parser_destroy)
KW_OWNED(fy_document, struct fy_document, fy_document_destroy)
KW_OWNED(fy_diag, struct fy_diag, fy_diag_destroy)

/* Tags and anchors would give the text a say in types and sizes that the table has. */
static bool is_bare(struct fy_node *node)
{
    return node && !fy_node_get_tag_token(node) && !fy_node_get_anchor(node);
}

static bool is_object(void *node)
{
    return is_bare(node) && fy_node_is_mapping(node);
}

static bool is_list(void *node)
{
    return is_bare(node) && fy_node_is_sequence(node);
}

/* `key:`, `key: ~` and `key: null` say that there is no value; nobody means the word. */
static bool says_null(struct fy_node *node, struct kw_span text)
{
    return fy_node_get_style(node) == FYNS_PLAIN &&
           (text.len == 0 || kw_span_equal(text, kw_span_text("~")) ||
            kw_span_equal(text, kw_span_text("null")));
}

static bool text_of(void *node, struct kw_span *ret)
{
    size_t n = 0;

    if (!is_bare(node) || !fy_node_is_scalar(node) || fy_node_is_alias(node)) {
        return false;
    }
    const char *text = fy_node_get_scalar(node, &n);
    *ret = KW_SPAN(text, text ? n : 0);
    return text && !says_null(node, *ret);
}

/* The text of a scalar without quotes: only such a one can be a number, or true or false. */
static bool plain_text_of(void *node, struct kw_span *ret)
{
    return text_of(node, ret) && fy_node_get_style(node) == FYNS_PLAIN;
}

static bool next_member(void *object, void **cursor, struct kw_span *key, void **node)
{
    struct fy_node_pair *pair = fy_node_mapping_iterate(object, cursor);

    if (!pair) {
        return false;
    }
    if (!text_of(fy_node_pair_key(pair), key)) {
        *key = KW_SPAN("", 0); /* a list as a key, say: never a field's name */
    }
    *node = fy_node_pair_value(pair);
    return true;
}

static bool next(void *collection, void **cursor, struct kw_span *key, void **node)
{
    if (fy_node_is_mapping(collection)) {
        return next_member(collection, cursor, key, node);
    }
    *node = fy_node_sequence_iterate(collection, cursor);
    return *node != NULL;
}

static bool boolean_of(void *node, bool *ret)
{
    struct kw_span text;

    if (!plain_text_of(node, &text)) {
        return false;
    }
    *ret = kw_span_equal(text, kw_span_text("true"));
    return *ret || kw_span_equal(text, kw_span_text("false"));
}

/* Decimal only: no sign but '-', no leading zero (octal to some readers), no "1e3", no "0x1f". */
static bool integer_of(void *node, int64_t *ret)
{
    struct kw_span text;

    if (!plain_text_of(node, &text)) {
        return false;
    }
    bool negative = text.len > 0 && text.p[0] == '-';
    struct kw_span digits = kw_span_sub(text, negative ? 1 : 0, text.len);
    if (digits.len == 0 || digits.len > 19 || (digits.len > 1 && digits.p[0] == '0')) {
        return false;
    }
    uint64_t value = 0; /* 19 digits always fit */
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') {
            return false;
        }
        value = value * 10 + (digits.p[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *ret = (int64_t)(negative ? 0 - value : value);
    return true;
}

static unsigned line_of_key(struct fy_node_pair *pair)
{
    struct fy_token *token = fy_node_get_scalar_token(fy_node_pair_key(pair));
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

    return mark ? (unsigned)mark->line + 1 : 0;
}

/* A mapping's cursor is its pair. */
static unsigned line_of(void *cursor)
{
    return line_of_key(cursor);
}

static const struct codec_tree_ops yaml_tree = {
    .is_object = is_object,
    .is_list = is_list,
    .next = next,
    .text = text_of,
    .boolean = boolean_of,
    .integer = integer_of,
    .line = line_of,
};

/* The library's first complaint, in our words and place; nothing goes to stderr. */
static kw_status bad_yaml(struct kw_op *op, struct fy_diag *diag)
{
    void *cursor = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &cursor);

    ENSURE(op, error, KW_E_INPUT, "no YAML document"); /* nothing, or comments alone */
    return FAIL(op, KW_E_INPUT, "bad YAML at line %d, column %d: %s", error->line, error->column,
                error->msg);
}

static kw_status decode_document(struct kw_op *op, struct fy_parser *parser, struct fy_diag *diag,
                                 const struct codec_field *fields, size_t n_fields, void *obj)
{
    AUTO(fy_document) *document = fy_parse_load_document(parser);

    if (!document) {
        return bad_yaml(op, diag);
    }
    AUTO(fy_document) *second = fy_parse_load_document(parser);
    if (fy_parser_get_stream_error(parser)) {
        return bad_yaml(op, diag);
    }
    ENSURE(op, !second, KW_E_INPUT, "more than one YAML document");
    return codec_tree_decode(op, &yaml_tree, fy_document_root(document), fields, n_fields, obj);
}

/* UTF-8 with line ends and tabs, but no other control characters. */
static bool is_text(struct kw_span text)
{
    while (text.len > 0) {
        unsigned n = kw_utf8_next(text);
        bool line = n == 1 && (text.p[0] == '\n' || text.p[0] == '\r' || text.p[0] == '\t');
        if (n == 0 || (kw_utf8_is_control(text.p, n) && !line)) {
            return false;
        }
        text = kw_span_sub(text, n, text.len);
    }
    return true;
}

/*
 * A line that begins with '%': a directive, which could change version and tags. libfyaml 0.7.12
 * may also scan one for ever (tests/fuzz/corpus/yaml/endless_directive).
 */
static bool has_directive(struct kw_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool at_line = i == 0 || text.p[i - 1] == '\n' || text.p[i - 1] == '\r';
        if (at_line && text.p[i] == '%') {
            return true;
        }
    }
    return false;
}

/* What the library need not see: it was written for friendlier texts. */
static kw_status check_text(struct kw_op *op, struct kw_span text)
{
    ENSURE(op, text.len <= KW_YAML_DOC_MAX, KW_E_TOO_LARGE,
           "%zu octets of YAML, at most %d are taken", text.len, KW_YAML_DOC_MAX);
    ENSURE(op, text.len > 0, KW_E_INPUT, "no YAML, but nothing");
    ENSURE(op, is_text(text), KW_E_INPUT, "the YAML text has control characters or is not UTF-8");
    ENSURE(op, !has_directive(text), KW_E_INPUT, "the YAML text has directives ('%%' lines)");
    return KW_OK;
}

static kw_status open_text(struct kw_op *op, struct kw_span text, struct fy_diag *diag,
                           struct fy_parser **ret)
{
    /* Aliases are not resolved, so that they stay single nodes and is_bare() can refuse them. */
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2, .diag = diag};
    AUTO(fy_parser) *parser = fy_parser_create(&config);

    ENSURE(op, parser && fy_parser_set_string(parser, (const char *)text.p, text.len) == 0,
           KW_E_MEMORY, "reading YAML");
    *ret = TAKE(parser);
    return KW_OK;
}

kw_status codec_yaml_decode(struct kw_op *op, struct kw_span text, const struct codec_field *fields,
                            size_t n_fields, void *obj)
{
    TRY(op, check_text(op, text));
    AUTO(fy_diag) *diag = fy_diag_create(NULL);
    ENSURE(op, diag, KW_E_MEMORY, "reading YAML");
    fy_diag_set_collect_errors(diag, true);
    AUTO(fy_parser) *parser = NULL;
    TRY(op, open_text(op, text, diag, &parser));
    return decode_document(op, parser, diag, fields, n_fields, obj);
}

/* Of a field of the document; 0: it does not stand there. */
static unsigned find_line(struct kw_span text, const char *field)
{
    AUTO(fy_diag) *diag = fy_diag_create(NULL);
    AUTO(fy_parser) *parser = NULL;
    struct kw_span key;
    void *cursor = NULL, *node = NULL;

    if (!diag || !kw_ok(check_text(NULL, text)) || !kw_ok(open_text(NULL, text, diag, &parser))) {
        return 0;
    }
    AUTO(fy_document) *document = fy_parse_load_document(parser);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    while (root && fy_node_is_mapping(root) && next_member(root, &cursor, &key, &node)) {
        if (kw_span_equal(key, kw_span_text(field))) {
            return line_of(cursor);
        }
    }
    return 0;
}

kw_status codec_yaml_refuse(struct kw_op *op, struct kw_span text, const char *field,
                            const char *says, const char *source)
{
    unsigned line = find_line(text, field);

    ENSURE(op, line == 0, KW_E_INPUT, "line %u: %s: %s (%s)", line, field, says, source);
    return FAIL(op, KW_E_INPUT, "%s: %s (%s)", field, says, source);
}
