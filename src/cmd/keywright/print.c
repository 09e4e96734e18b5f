/* Answers for people: by the same tables that read them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"

enum { CELL_MAX = 1100 };

static const char *member(const struct codec_field *field, const void *obj)
{
    return (const char *)obj + field->offset;
}

static long long number(const struct codec_field *field, const void *obj)
{
    const char *at = member(field, obj);

    if (field->size == sizeof(int64_t)) {
        return *(const int64_t *)(const void *)at;
    }
    return field->type == CODEC_I64 ? (long long)*(const int32_t *)(const void *)at
                                    : (long long)*(const uint32_t *)(const void *)at;
}

static const char *cell_time(int64_t value, bool millis, char text[CELL_MAX])
{
    char when[KW_TIME_TEXT];

    if (value == 0) {
        return "-";
    }
    (void)snprintf(text, CELL_MAX, "%s",
                   millis ? kw_time_text_ms(value, when) : kw_time_text(value, when));
    return text;
}

static const char *cell(const struct codec_field *field, const void *obj, char text[CELL_MAX])
{
    switch (field->type) {
    case CODEC_STRING:
        return *member(field, obj) ? member(field, obj) : "-";
    case CODEC_BOOL:
        return *(const bool *)(const void *)member(field, obj) ? "yes" : "no";
    case CODEC_TIME:
        return cell_time(number(field, obj), /* millis= */ true, text);
    case CODEC_TIME_S:
        return cell_time(number(field, obj), /* millis= */ false, text);
    default:
        (void)snprintf(text, CELL_MAX, "%lld", number(field, obj));
        return text;
    }
}

/* What one cell holds; lists and octets are the verb's own to print. */
static bool is_plain(const struct codec_field *field)
{
    return field->type <= CODEC_TIME_S;
}

static kw_status print_json(struct kw_span json)
{
    (void)printf("%.*s\n", (int)json.len, (const char *)json.p);
    return KW_OK;
}

kw_status cli_show(struct kw_op *op, const struct cli *cli, const struct view *view,
                   struct kw_span json)
{
    char text[CELL_MAX];

    if (cli->options[OPT_JSON]) {
        return print_json(json);
    }
    size_t size = 65536; /* more than any view has */
    void *obj = calloc(1, size);
    ENSURE(op, obj, KW_E_MEMORY, "no memory for the answer");
    kw_status status = codec_json_decode(op, json, view->fields, view->n, obj);
    for (unsigned i = 0; kw_ok(status) && i < view->n; i++) {
        const struct codec_field *field = &view->fields[i];
        if (is_plain(field)) {
            (void)printf("%-14s %s\n", field->name, cell(field, obj, text));
        }
    }
    free(obj);
    return status;
}

/* --- tables ----------------------------------------------------------------------------------- */

static const struct codec_field *column(const struct codec_field *array, const char *name)
{
    for (size_t i = 0; i < array->n_sub; i++) {
        if (strcmp(array->sub[i].name, name) == 0) {
            return &array->sub[i];
        }
    }
    return NULL;
}

static int width_of(const struct codec_field *array, const void *page, unsigned n, const char *name)
{
    const struct codec_field *field = column(array, name);
    size_t width = strlen(name);
    char text[CELL_MAX];

    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(cell(field, member(array, page) + i * array->size, text));
        width = len > width ? len : width;
    }
    return (int)width;
}

static void print_page(const struct codec_field *array, const void *page, unsigned n,
                       const char *const columns[], bool head)
{
    char text[CELL_MAX];

    for (unsigned c = 0; head && columns[c]; c++) {
        (void)printf("%-*s%s", columns[c + 1] ? width_of(array, page, n, columns[c]) : 0,
                     columns[c], columns[c + 1] ? "  " : "\n");
    }
    for (unsigned i = 0; i < n; i++) {
        const char *row = member(array, page) + i * array->size;
        for (unsigned c = 0; columns[c]; c++) {
            (void)printf("%-*s%s", columns[c + 1] ? width_of(array, page, n, columns[c]) : 0,
                         cell(column(array, columns[c]), row, text), columns[c + 1] ? "  " : "\n");
        }
    }
}

/* Pages have two fields by construction (VIEW_PAGE_OF): the items and where to go on. */
static kw_status one_page(struct kw_op *op, struct cli *cli, const char *path,
                          const struct view *page, void *obj, const char *const columns[],
                          bool head)
{
    const struct codec_field *array = &page->fields[0];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_get(op, cli, path, &json));
    TRY(op, codec_json_decode(op, kw_bytes_span(json), page->fields, page->n, obj),
        "the server's answer");
    if (cli->options[OPT_JSON]) {
        return print_json(kw_bytes_span(json));
    }
    unsigned n = *(const unsigned *)(const void *)((const char *)obj + array->count_offset);
    print_page(array, obj, n, columns, head);
    return KW_OK;
}

static kw_status all_pages(struct kw_op *op, struct cli *cli, const char *path,
                           const struct view *page, size_t page_size, void *obj,
                           const char *const columns[])
{
    const char *next = (const char *)obj + page->fields[1].offset;
    char full[2 * KW_URI_MAX], after[KW_NAME_MAX] = "";

    do {
        (void)snprintf(full, sizeof(full), "%s%s%s%s", path,
                       *after ? (strchr(path, '?') ? "&" : "?") : "", *after ? "after=" : "",
                       after);
        memset(obj, 0, page_size);
        TRY(op, one_page(op, cli, full, page, obj, columns, /* head= */ !*after));
        KW_TEXT_SET(after, next);
    } while (*after);
    return KW_OK;
}

kw_status cli_list(struct kw_op *op, struct cli *cli, const char *path, const struct view *page,
                   size_t page_size, const char *const columns[])
{
    void *obj = calloc(1, page_size);

    ENSURE(op, obj, KW_E_MEMORY, "no memory for a page");
    kw_status status = all_pages(op, cli, path, page, page_size, obj, columns);
    free(obj);
    return status;
}
