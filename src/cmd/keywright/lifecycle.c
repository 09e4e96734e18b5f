/* key lifecycle: the table of one key, or of many, and its picture, in both languages. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/keywright/cli.h"
#include "codec/json.h"
#include "os/clock.h"
#include "service/keys/diagram.h"

struct output {
    struct cli *cli;
    enum word_lang lang;
    struct lifecycle_view *view; /* of the key in hand */
    struct kw_bytes *text;       /* what is printed at the end */
    bool head;                   /* CSV: not written yet */
};

static kw_status fetch(struct kw_op *op, struct output *it, const char *id)
{
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, cli_object_path(op, "keys", id, "lifecycle", path, sizeof(path)));
    TRY(op, cli_get(op, it->cli, path, &json));
    memset(it->view, 0, sizeof(*it->view));
    TRY(op,
        codec_json_decode(op, kw_bytes_span(json), lifecycle_view.fields, lifecycle_view.n,
                          it->view),
        "the server's answer");
    if (it->cli->options[OPT_JSON]) {
        TRY(op, kw_bytes_append(it->text, kw_bytes_span(json)));
        return kw_bytes_append_text(it->text, "\n");
    }
    return KW_OK;
}

/* --- as text ---------------------------------------------------------------------------------- */

static const char *column_word(const char *column, enum word_lang lang)
{
    char id[48];

    (void)snprintf(id, sizeof(id), "column.%s", column);
    return words(id, lang);
}

static kw_status put_table(struct kw_op *op, struct output *it)
{
    const struct lifecycle_view *view = it->view;

    for (unsigned i = 0; i < view->n; i++) {
        const struct lifecycle_cell_view *cell = &view->rows[i];
        TRY(op, kw_bytes_printf(it->text, "%-28s ", column_word(cell->column, it->lang)));
        if (*cell->value) {
            TRY(op, kw_bytes_printf(it->text, "%s\n", cell->value));
        } else {
            TRY(op,
                kw_bytes_printf(it->text, "[%s] %s\n", words("word.empty", it->lang), cell->why));
        }
    }
    return kw_bytes_printf(it->text, "%s: %u %s\n\n", view->id, view->empty,
                           words("word.findings", it->lang));
}

static kw_status put_csv_field(struct kw_bytes *text, const char *value)
{
    TRY(NULL, kw_bytes_append_text(text, "\""));
    for (const char *at = value; *at; at++) {
        TRY(NULL, kw_bytes_append(text, KW_SPAN(at, 1)));
        if (*at == '"') {
            TRY(NULL, kw_bytes_append_text(text, "\""));
        }
    }
    return kw_bytes_append_text(text, "\"");
}

/* One line a key (RFC 4180), as the assessor's table has it. */
static kw_status put_csv(struct kw_op *op, struct output *it)
{
    const struct lifecycle_view *view = it->view;

    for (unsigned i = 0; it->head && i < view->n; i++) {
        TRY(op, put_csv_field(it->text, column_word(view->rows[i].column, it->lang)));
        TRY(op, kw_bytes_append_text(it->text, i + 1 < view->n ? "," : "\r\n"));
    }
    it->head = false;
    for (unsigned i = 0; i < view->n; i++) {
        TRY(op, put_csv_field(it->text, view->rows[i].value));
        TRY(op, kw_bytes_append_text(it->text, i + 1 < view->n ? "," : "\r\n"));
    }
    return KW_OK;
}

/* --- as a picture ----------------------------------------------------------------------------- */

static void key_diagram(const struct output *it, struct diagram *ret)
{
    const struct lifecycle_view *view = it->view;
    struct diagram_key key = {.id = view->id,
                              .class_ = view->class_,
                              .custody = view->custody,
                              .state = key_state_from_text(view->state),
                              .has_successor = view->has_successor,
                              .made_s = view->made_s,
                              .due_s = view->due_s,
                              .end_s = view->end_s,
                              .drill_s = view->drill_s,
                              .destroyed_s = view->destroyed_s,
                              .now_s = os_clock_unix_s(),
                              .uses = view->uses};

    diagram_of_key(&key, it->lang, ret);
}

static kw_status put_svg(struct kw_op *op, struct output *it)
{
    struct diagram diagram;

    key_diagram(it, &diagram);
    return diagram_svg(op, &diagram, it->lang, it->text);
}

static kw_status put_mermaid(struct kw_op *op, struct output *it)
{
    struct diagram diagram;

    key_diagram(it, &diagram);
    return diagram_mermaid(op, &diagram, it->lang, it->text);
}

static const struct format {
    const char *name;
    kw_status (*put)(struct kw_op *op, struct output *it);
    kw_status (*draw)(struct kw_op *op, const struct diagram *diagram, enum word_lang lang,
                      struct kw_bytes *into); /* pictures of many keys */
} formats[] = {
    {"table",   put_table,   NULL           },
    {"csv",     put_csv,     NULL           },
    {"svg",     put_svg,     diagram_svg    },
    {"mermaid", put_mermaid, diagram_mermaid},
};

static kw_status find_format(struct kw_op *op, const struct cli *cli, const struct format **ret)
{
    const char *name = cli->options[OPT_FORMAT] ? cli->options[OPT_FORMAT] : "table";

    for (unsigned i = 0; i < KW_COUNT(formats); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *ret = &formats[i];
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "--format takes table, csv, svg or mermaid");
}

/* --- many keys -------------------------------------------------------------------------------- */

static bool is_backend(const struct key_view *key)
{
    return strcmp(key->owner, "server") == 0;
}

static kw_status one_of_many(struct kw_op *op, struct output *it, const struct format *format,
                             const struct key_view *key, struct diagram *diagram)
{
    const char *class_ = it->cli->options[OPT_CLASS];

    if (class_ && strcmp(class_, key->class_) != 0) {
        return KW_OK;
    }
    if (format->draw && !it->cli->options[OPT_JSON]) {
        diagram_count(diagram, key->class_, key_state_from_text(key->state), it->lang);
        return KW_OK;
    }
    if (!is_backend(key)) {
        return KW_OK; /* a device's: the device has the other half of its record */
    }
    TRY(op, fetch(op, it, key->id));
    return it->cli->options[OPT_JSON] ? KW_OK : format->put(op, it);
}

static kw_status pages(struct kw_op *op, struct output *it, const struct format *format,
                       struct key_page *page, struct diagram *diagram)
{
    char path[KW_URI_MAX], after[KW_NAME_MAX] = "";

    do {
        AUTO(kw_bytes) *json = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/keys%s%s", *after ? "?after=" : "", after);
        TRY(op, cli_get(op, it->cli, path, &json));
        memset(page, 0, sizeof(*page));
        TRY(op, codec_json_decode(op, kw_bytes_span(json), key_page.fields, key_page.n, page),
            "the server's answer");
        for (unsigned i = 0; i < page->n; i++) {
            TRY(op, one_of_many(op, it, format, &page->at[i], diagram));
        }
        KW_TEXT_SET(after, page->next);
    } while (*after);
    return KW_OK;
}

static kw_status many(struct kw_op *op, struct output *it, const struct format *format)
{
    struct diagram diagram;
    struct key_page *page = calloc(1, sizeof(*page));

    ENSURE(op, page, KW_E_MEMORY, "no memory for a page");
    diagram_begin(it->cli->options[OPT_CLASS] ? it->cli->options[OPT_CLASS] : "*", it->lang,
                  &diagram);
    kw_status status = pages(op, it, format, page, &diagram);
    free(page);
    TRY(op, status);
    return format->draw && !it->cli->options[OPT_JSON]
               ? format->draw(op, &diagram, it->lang, it->text)
               : KW_OK;
}

static kw_status print(struct kw_op *op, struct output *it)
{
    struct cli *cli = it->cli;
    const struct format *format = NULL;

    TRY(op, find_format(op, cli, &format));
    TRY(op, kw_bytes_new(65536, &it->text));
    if (cli->n_args == 1) {
        TRY(op, fetch(op, it, cli->args[0]));
        TRY(op, cli->options[OPT_JSON] ? KW_OK : format->put(op, it));
    } else {
        ENSURE(op, cli->options[OPT_ALL] || cli->options[OPT_CLASS], KW_E_INPUT,
               "name a key, or --class CLASS, or --all");
        TRY(op, many(op, it, format));
    }
    return cli_write_out(op, cli, kw_bytes_span(it->text));
}

kw_status cli_key_lifecycle(struct kw_op *op, struct cli *cli)
{
    const char *lang = cli->options[OPT_LANG] ? cli->options[OPT_LANG] : "en";
    struct output it = {.cli = cli, .lang = words_lang(lang), .head = true};

    ENSURE(op, it.lang != WORDS_LANGS, KW_E_INPUT, "--lang takes en or zh-TW");
    it.view = calloc(1, sizeof(*it.view));
    ENSURE(op, it.view, KW_E_MEMORY, "no memory for a table");
    kw_status status = print(op, &it);
    free(it.view);
    kw_bytes_free(it.text);
    return status;
}
