#include "service/keys/diagram.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"

enum { LEFT = 130, TOP = 96, COLUMN = 190, ROW = 104, BOX_W = 174, BOX_H = 88, LINE_H = 15 };

static const char *const phase_ids[DIAGRAM_PHASES] = {
    "phase.generate", "phase.store",  "phase.provision",
    "phase.use",      "phase.revoke", "phase.destroy",
};

/* --- filling ---------------------------------------------------------------------------------- */

static void add(struct diagram_box *box, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct diagram_box *box, const char *fmt, ...)
{
    va_list args;

    if (box->n == DIAGRAM_LINES_MAX) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(box->line[box->n++], DIAGRAM_LINE, fmt, args); /* cut to the box */
    va_end(args);
}

static const char *state_word(enum key_state state, enum word_lang lang)
{
    char id[32];

    (void)snprintf(id, sizeof(id), "state.%s", key_state_text(state));
    return words(id, lang);
}

/* "2026-01-31", or "never". */
static const char *day(int64_t unix_s, enum word_lang lang, char text[KW_TIME_TEXT])
{
    if (unix_s == 0) {
        return words("word.never", lang);
    }
    (void)kw_time_text(unix_s, text);
    text[10] = '\0';
    return text;
}

static enum key_state or_active(enum key_state state)
{
    return state == KEY_SUSPENDED ? KEY_SUSPENDED : KEY_ACTIVE;
}

static enum key_state end_state(enum key_state state)
{
    return state == KEY_COMPROMISED ? KEY_COMPROMISED : KEY_DEACTIVATED;
}

void diagram_of_key(const struct diagram_key *key, enum word_lang lang, struct diagram *ret)
{
    char text[KW_TIME_TEXT];

    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->title, sizeof(ret->title), "%s %.80s (%.24s)",
                   words("title.lifecycle", lang), key->id, key->class_);
    ret->now = key->state;
    struct diagram_box *generate = &ret->at[KEY_PRE_ACTIVE][DIAGRAM_GENERATE];
    add(generate, "keeper: %.36s", key->custody);
    add(generate, "%s", day(key->made_s, lang, text));
    add(&ret->at[KEY_PRE_ACTIVE][DIAGRAM_STORE], "keeper: %.36s", key->custody);
    add(&ret->at[KEY_ACTIVE][DIAGRAM_PROVISION], "%.40s", key->class_);
    struct diagram_box *use = &ret->at[or_active(key->state)][DIAGRAM_USE];
    add(use, "%llu %s", (unsigned long long)key->uses, words("word.uses", lang));
    add(use, "%s %s", words("word.until", lang), day(key->end_s, lang, text));
    use->alert = key->state == KEY_ACTIVE && key->end_s < key->now_s;
    struct diagram_box *revoke = &ret->at[end_state(key->state)][DIAGRAM_REVOKE];
    add(revoke, "%s %s", words("phase.revoke", lang), day(key->due_s, lang, text));
    add(revoke, "%s: %s", words("word.drill", lang), day(key->drill_s, lang, text));
    revoke->alert = key->state == KEY_COMPROMISED ||
                    (key->state == KEY_ACTIVE && !key->has_successor && key->due_s < key->now_s);
    add(&ret->at[KEY_DESTROYED][DIAGRAM_DESTROY], "%s", day(key->destroyed_s, lang, text));
}

void diagram_begin(const char *what, enum word_lang lang, struct diagram *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->now = KEY_STATE_MAX;
    (void)snprintf(ret->title, sizeof(ret->title), "%s: %.80s", words("title.overview", lang),
                   what);
}

void diagram_count(struct diagram *diagram, const char *class_, enum key_state state,
                   enum word_lang lang)
{
    static const enum diagram_phase phases[KEY_STATE_MAX] = {
        [KEY_PRE_ACTIVE] = DIAGRAM_STORE,   [KEY_ACTIVE] = DIAGRAM_USE,
        [KEY_SUSPENDED] = DIAGRAM_USE,      [KEY_DEACTIVATED] = DIAGRAM_REVOKE,
        [KEY_COMPROMISED] = DIAGRAM_REVOKE, [KEY_DESTROYED] = DIAGRAM_DESTROY,
    };

    (void)lang;
    if ((unsigned)state >= KEY_STATE_MAX) {
        return;
    }
    struct diagram_box *box = &diagram->at[state][phases[state]];
    size_t n_class = strlen(class_);
    box->alert = state == KEY_COMPROMISED;
    for (unsigned i = 0; i < box->n; i++) {
        if (strncmp(box->line[i], class_, n_class) == 0 && box->line[i][n_class] == ' ') {
            unsigned long n = strtoul(box->line[i] + n_class, NULL, 10) + 1;
            (void)snprintf(box->line[i], DIAGRAM_LINE, "%.30s %lu", class_, n);
            return;
        }
    }
    add(box, "%.30s 1", class_);
}

/* --- SVG -------------------------------------------------------------------------------------- */

static kw_status put_escaped(struct kw_bytes *into, const char *text)
{
    for (const char *at = text; *at; at++) {
        const char *as = *at == '<'   ? "&lt;"
                         : *at == '>' ? "&gt;"
                         : *at == '&' ? "&amp;"
                         : *at == '"' ? "&quot;"
                                      : NULL;
        if (as) {
            TRY(NULL, kw_bytes_append_text(into, as));
        } else {
            TRY(NULL, kw_bytes_append(into, KW_SPAN(at, 1)));
        }
    }
    return KW_OK;
}

static kw_status put_text(struct kw_bytes *into, int x, int y, const char *style, const char *text)
{
    TRY(NULL, kw_bytes_printf(into, "<text x=\"%d\" y=\"%d\" %s>", x, y, style));
    TRY(NULL, put_escaped(into, text));
    return kw_bytes_append_text(into, "</text>\n");
}

static int box_x(unsigned phase)
{
    return LEFT + (int)phase * COLUMN;
}

static int box_y(unsigned state)
{
    return TOP + (int)state * ROW;
}

static kw_status put_box(struct kw_bytes *into, const struct diagram_box *box, unsigned state,
                         unsigned phase)
{
    int x = box_x(phase), y = box_y(state);

    TRY(NULL, kw_bytes_printf(into,
                              "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" "
                              "fill=\"%s\" stroke=\"%s\"/>\n",
                              x, y, BOX_W, BOX_H, box->alert ? "#fde0e0" : "#eef4fb",
                              box->alert ? "#c00000" : "#3a6ea5"));
    for (unsigned i = 0; i < box->n; i++) {
        TRY(NULL,
            put_text(into, x + 8, y + 20 + (int)i * LINE_H, "font-size=\"11\"", box->line[i]));
    }
    return KW_OK;
}

static kw_status put_frame(struct kw_bytes *into, const struct diagram *diagram,
                           enum word_lang lang)
{
    int width = LEFT + DIAGRAM_PHASES * COLUMN, height = TOP + KEY_STATE_MAX * ROW;

    TRY(NULL, kw_bytes_printf(into,
                              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
                              "height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"Noto Sans, Noto "
                              "Sans CJK TC, sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" "
                              "fill=\"#ffffff\"/>\n",
                              width, height, width, height));
    TRY(NULL, put_text(into, 16, 32, "font-size=\"18\" font-weight=\"bold\"", diagram->title));
    for (unsigned i = 0; i < DIAGRAM_PHASES; i++) {
        TRY(NULL, put_text(into, box_x(i), TOP - 18, "font-size=\"13\" font-weight=\"bold\"",
                           words(phase_ids[i], lang)));
    }
    for (unsigned i = 0; i < KEY_STATE_MAX; i++) {
        TRY(NULL, kw_bytes_printf(into,
                                  "<rect x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\" "
                                  "fill=\"%s\"/>\n",
                                  box_y(i) - 8, width, ROW,
                                  i == diagram->now ? "#fff6d6"
                                  : i % 2           ? "#fafafa"
                                                    : "#ffffff"));
        TRY(NULL, put_text(into, 16, box_y(i) + 24,
                           i == diagram->now ? "font-size=\"13\" font-weight=\"bold\""
                                             : "font-size=\"13\"",
                           state_word((enum key_state)i, lang)));
    }
    return KW_OK;
}

/* From each phase's box to the next phase's. */
static kw_status put_arrows(struct kw_bytes *into, const struct diagram *diagram)
{
    int from_x = -1, from_y = 0;

    for (unsigned phase = 0; phase < DIAGRAM_PHASES; phase++) {
        for (unsigned state = 0; state < KEY_STATE_MAX; state++) {
            if (diagram->at[state][phase].n == 0) {
                continue;
            }
            int x = box_x(phase), y = box_y(state) + BOX_H / 2;
            if (from_x >= 0) {
                TRY(NULL, kw_bytes_printf(into,
                                          "<path d=\"M %d %d L %d %d\" stroke=\"#3a6ea5\" "
                                          "fill=\"none\" marker-end=\"url(#tip)\"/>\n",
                                          from_x, from_y, x - 2, y));
            }
            from_x = x + BOX_W;
            from_y = y;
            break;
        }
    }
    return KW_OK;
}

static const char marker[] =
    "<defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" "
    "orient=\"auto\"><path d=\"M 0 0 L 8 4 L 0 8 z\" fill=\"#3a6ea5\"/></marker></defs>\n";

kw_status diagram_svg(struct kw_op *op, const struct diagram *diagram, enum word_lang lang,
                      struct kw_bytes *into)
{
    TRY(op, put_frame(into, diagram, lang));
    TRY(op, kw_bytes_append_text(into, marker));
    if (diagram->now != KEY_STATE_MAX) {
        TRY(op, put_arrows(into, diagram));
    }
    for (unsigned state = 0; state < KEY_STATE_MAX; state++) {
        for (unsigned phase = 0; phase < DIAGRAM_PHASES; phase++) {
            if (diagram->at[state][phase].n > 0) {
                TRY(op, put_box(into, &diagram->at[state][phase], state, phase));
            }
        }
    }
    return kw_bytes_append_text(into, "</svg>\n");
}

/* --- Mermaid ---------------------------------------------------------------------------------- */

/* In a quoted label a quote is an entity; the rest is plain. */
static kw_status put_label(struct kw_bytes *into, const struct diagram_box *box, const char *head)
{
    TRY(NULL, put_escaped(into, head));
    for (unsigned i = 0; i < box->n; i++) {
        TRY(NULL, kw_bytes_append_text(into, "<br/>"));
        TRY(NULL, put_escaped(into, box->line[i]));
    }
    return KW_OK;
}

static kw_status put_node(struct kw_bytes *into, const struct diagram_box *box, unsigned state,
                          unsigned phase, enum word_lang lang)
{
    TRY(NULL, kw_bytes_printf(into, "    s%up%u[\"", state, phase));
    TRY(NULL, put_label(into, box, words(phase_ids[phase], lang)));
    TRY(NULL, kw_bytes_append_text(into, "\"]"));
    return kw_bytes_append_text(into, box->alert ? ":::alert\n" : "\n");
}

static kw_status put_state(struct kw_bytes *into, const struct diagram *diagram, unsigned state,
                           enum word_lang lang)
{
    bool any = false;

    for (unsigned phase = 0; phase < DIAGRAM_PHASES; phase++) {
        any |= diagram->at[state][phase].n > 0;
    }
    if (!any) {
        return KW_OK;
    }
    TRY(NULL, kw_bytes_printf(into, "  subgraph s%u[\"%s\"]\n", state,
                              state_word((enum key_state)state, lang)));
    for (unsigned phase = 0; phase < DIAGRAM_PHASES; phase++) {
        if (diagram->at[state][phase].n > 0) {
            TRY(NULL, put_node(into, &diagram->at[state][phase], state, phase, lang));
        }
    }
    return kw_bytes_append_text(into, "  end\n");
}

static kw_status put_edges(struct kw_bytes *into, const struct diagram *diagram)
{
    int from_state = -1, from_phase = 0;

    for (unsigned phase = 0; phase < DIAGRAM_PHASES; phase++) {
        for (unsigned state = 0; state < KEY_STATE_MAX; state++) {
            if (diagram->at[state][phase].n == 0) {
                continue;
            }
            if (from_state >= 0) {
                TRY(NULL, kw_bytes_printf(into, "  s%dp%d --> s%up%u\n", from_state, from_phase,
                                          state, phase));
            }
            from_state = (int)state;
            from_phase = (int)phase;
            break;
        }
    }
    return KW_OK;
}

kw_status diagram_mermaid(struct kw_op *op, const struct diagram *diagram, enum word_lang lang,
                          struct kw_bytes *into)
{
    TRY(op, kw_bytes_append_text(into, "---\ntitle: \""));
    TRY(op, put_escaped(into, diagram->title));
    TRY(op, kw_bytes_append_text(into, "\"\n---\nflowchart LR\n"));
    for (unsigned state = 0; state < KEY_STATE_MAX; state++) {
        TRY(op, put_state(into, diagram, state, lang));
    }
    if (diagram->now != KEY_STATE_MAX) {
        TRY(op, put_edges(into, diagram));
    }
    return kw_bytes_append_text(into, "  classDef alert fill:#fde0e0,stroke:#c00000\n");
}
