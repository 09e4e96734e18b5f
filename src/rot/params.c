#include "rot/params.h"

static const struct rot_param *find(const struct rot_param table[], size_t n, struct kw_span name)
{
    for (size_t i = 0; i < n; i++) {
        if (kw_span_equal(kw_span_text(table[i].name), name)) {
            return &table[i];
        }
    }
    return NULL;
}

/* One "name=value" at the start of text; *ret_next is what follows its comma. */
static kw_status parse_one(struct kw_op *op, const char *text, const struct rot_param table[],
                           size_t n, const char **ret_next)
{
    size_t name_len = strcspn(text, "=,");
    ENSURE(op, text[name_len] == '=', KW_E_INPUT, "'%s': a parameter is name=value", text);
    const struct rot_param *param = find(table, n, KW_SPAN(text, name_len));
    ENSURE(op, param, KW_E_INPUT, "unknown parameter at '%s'", text);
    ENSURE(op, !param->value[0], KW_E_INPUT, "parameter '%s' is given twice", param->name);
    const char *value = text + name_len + 1;
    size_t len = param->rest ? strlen(value) : strcspn(value, ",");
    ENSURE(op, len > 0, KW_E_INPUT, "parameter '%s' is empty", param->name);
    ENSURE(op, len < param->cap, KW_E_INPUT, "parameter '%s' is too long", param->name);
    memcpy(param->value, value, len);
    param->value[len] = '\0';
    value += len;
    ENSURE(op, value[0] == '\0' || value[1] != '\0', KW_E_INPUT, "nothing follows the last comma");
    *ret_next = value[0] == ',' ? value + 1 : value;
    return KW_OK;
}

kw_status rot_params_parse(struct kw_op *op, const char *text, const struct rot_param table[],
                           size_t n)
{
    for (size_t i = 0; i < n; i++) {
        table[i].value[0] = '\0';
    }
    while (*text) {
        TRY(op, parse_one(op, text, table, n, &text));
    }
    for (size_t i = 0; i < n; i++) {
        ENSURE(op, !table[i].required || table[i].value[0], KW_E_INPUT, "parameter '%s' is missing",
               table[i].name);
    }
    return KW_OK;
}
