/* Lists as files for other programs: CSV (RFC 4180) or one JSON object a line, page by page, so
 * that their length costs no memory. */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cmd/keywright/cli.h"
#include "codec/json.h"

struct format {
    const char *name;
    kw_status (*head)(struct kw_op *op, FILE *out, const struct codec_field *array);
    kw_status (*row)(struct kw_op *op, FILE *out, const struct codec_field *array, const char *row);
};

/* --- CSV -------------------------------------------------------------------------------------- */

/* In quotes where it must be. A cell that a spreadsheet would take for a formula gets an
 * apostrophe. */
static void put_text(FILE *out, const char *text)
{
    bool formula = *text && strchr("=+-@\t\r", *text);

    if (!formula && !strpbrk(text, ",\"\r\n")) {
        (void)fputs(text, out);
        return;
    }
    (void)fputs(formula ? "\"'" : "\"", out);
    for (; *text; text++) {
        (void)fputs(*text == '"' ? "\"\"" : (char[]){*text, 0}, out);
    }
    (void)fputc('"', out);
}

static void put_cell(FILE *out, const struct codec_field *field, const char *row)
{
    const char *at = row + field->offset;
    char when[KW_TIME_TEXT];

    switch (field->type) {
    case CODEC_STRING:
        put_text(out, at);
        return;
    case CODEC_BOOL:
        (void)fputs(*(const bool *)(const void *)at ? "true" : "false", out);
        return;
    case CODEC_TIME:
    case CODEC_TIME_S: {
        int64_t value = *(const int64_t *)(const void *)at;
        bool millis = field->type == CODEC_TIME;
        if (value != 0) {
            (void)fputs(millis ? kw_time_text_ms(value, when) : kw_time_text(value, when), out);
        }
        return;
    }
    default:
        return; /* lists have no other fields */
    }
}

static kw_status csv_head(struct kw_op *op, FILE *out, const struct codec_field *array)
{
    (void)op;
    for (size_t i = 0; i < array->n_sub; i++) {
        (void)fprintf(out, "%s%s", i > 0 ? "," : "", array->sub[i].name);
    }
    (void)fputs("\r\n", out);
    return KW_OK;
}

static kw_status csv_row(struct kw_op *op, FILE *out, const struct codec_field *array,
                         const char *row)
{
    (void)op;
    for (size_t i = 0; i < array->n_sub; i++) {
        (void)fputs(i > 0 ? "," : "", out);
        put_cell(out, &array->sub[i], row);
    }
    (void)fputs("\r\n", out);
    return KW_OK;
}

/* --- JSON, one object a line ------------------------------------------------------------------ */

static kw_status no_head(struct kw_op *op, FILE *out, const struct codec_field *array)
{
    (void)op;
    (void)out;
    (void)array;
    return KW_OK;
}

static kw_status json_row(struct kw_op *op, FILE *out, const struct codec_field *array,
                          const char *row)
{
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(1024, &json));
    TRY(op, codec_json_encode(op, array->sub, array->n_sub, row, json));
    (void)fprintf(out, "%.*s\n", (int)json->len, (const char *)json->p);
    return KW_OK;
}

static const struct format formats[] = {
    {"csv",  csv_head, csv_row },
    {"json", no_head,  json_row},
};

/* --- the whole -------------------------------------------------------------------------------- */

static kw_status put_page(struct kw_op *op, FILE *out, const struct format *format,
                          const struct codec_field *array, const char *page)
{
    unsigned n = *(const unsigned *)(const void *)(page + array->count_offset);

    for (unsigned i = 0; i < n; i++) {
        TRY(op, format->row(op, out, array, page + array->offset + i * array->size));
    }
    ENSURE(op, !ferror(out), KW_E_IO, "the export cannot be written");
    return KW_OK;
}

static kw_status put_pages(struct kw_op *op, struct cli *cli, FILE *out,
                           const struct format *format, const char *path, const struct view *page,
                           size_t page_size, char *obj)
{
    const char *next = obj + page->fields[1].offset;
    char full[2 * KW_URI_MAX], after[KW_NAME_MAX] = "";

    TRY(op, format->head(op, out, &page->fields[0]));
    do {
        AUTO(kw_bytes) *json = NULL;
        (void)snprintf(full, sizeof(full), "%s%s%s%s", path,
                       *after ? (strchr(path, '?') ? "&" : "?") : "", *after ? "after=" : "",
                       after);
        TRY(op, cli_get(op, cli, full, &json));
        memset(obj, 0, page_size);
        TRY(op, codec_json_decode(op, kw_bytes_span(json), page->fields, page->n, obj));
        TRY(op, put_page(op, out, format, &page->fields[0], obj));
        KW_TEXT_SET(after, next);
    } while (*after);
    return KW_OK;
}

static kw_status put_all(struct kw_op *op, struct cli *cli, const struct format *format,
                         const char *path, const struct view *page, size_t page_size, char *obj)
{
    const char *name = cli->options[OPT_OUT];
    FILE *out = name ? fopen(name, "wbe") : stdout;

    ENSURE(op, out, KW_E_IO, "'%s' cannot be written", name);
    kw_status status = put_pages(op, cli, out, format, path, page, page_size, obj);
    bool written = (name ? fclose(out) : fflush(out)) == 0;
    TRY(op, status);
    ENSURE(op, written, KW_E_IO, "the export cannot be written");
    return KW_OK;
}

kw_status cli_export(struct kw_op *op, struct cli *cli, const char *path, const struct view *page,
                     size_t page_size)
{
    const char *wanted = cli->options[OPT_FORMAT];

    for (unsigned i = 0; i < KW_COUNT(formats); i++) {
        if (strcmp(formats[i].name, wanted) == 0) {
            char *obj = calloc(1, page_size);
            ENSURE(op, obj, KW_E_MEMORY, "no memory for a page");
            kw_status status = put_all(op, cli, &formats[i], path, page, page_size, obj);
            free(obj);
            return status;
        }
    }
    return FAIL(op, KW_E_INPUT, "--format of a list is table, csv or json");
}
