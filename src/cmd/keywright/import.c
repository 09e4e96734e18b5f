/* Registering many devices from a file: piece by piece, so that memory does not grow with it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "codec/csv.h"
#include "codec/json.h"

enum { PIECE_LINES = 500, LINE_ROOM = 2 * CSV_LINE_MAX };

struct line {
    size_t len;
    uint8_t at[LINE_ROOM];
};

struct import {
    struct cli *cli;
    FILE *file;
    FILE *secrets; /* NULL: nobody keeps them */
    bool json;
    struct line header;
    char path[KW_URI_MAX];
    unsigned line;               /* of the file, read last */
    unsigned lines[PIECE_LINES]; /* of the file, of each line of the piece */
    unsigned n;                  /* in the piece */
    struct kw_bytes *piece;
    uint64_t registered, known, bad;
    struct {
        uint64_t *at; /* hashes of ids, open addressing; 0 = free */
        size_t n, cap;
    } seen;
};

/* --- ids of earlier pieces -------------------------------------------------------------------- */

/* FNV-1a, never 0. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *text; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    }
    return hash ? hash : 1;
}

static bool place(struct import *it, uint64_t hash)
{
    size_t i = hash & (it->seen.cap - 1);

    while (it->seen.at[i] != 0 && it->seen.at[i] != hash) {
        i = (i + 1) & (it->seen.cap - 1);
    }
    bool fresh = it->seen.at[i] == 0;
    it->seen.at[i] = hash;
    it->seen.n += fresh;
    return fresh;
}

static kw_status grow(struct kw_op *op, struct import *it)
{
    uint64_t *old = it->seen.at;
    size_t cap = it->seen.cap;

    it->seen.cap = cap ? 2 * cap : 4096;
    it->seen.at = calloc(it->seen.cap, sizeof(uint64_t));
    it->seen.n = 0;
    for (size_t i = 0; it->seen.at && i < cap; i++) {
        if (old[i]) {
            (void)place(it, old[i]); /* each is there once */
        }
    }
    free(old);
    ENSURE(op, it->seen.at, KW_E_MEMORY, "no memory for %zu ids", it->seen.cap);
    return KW_OK;
}

/* *ret_fresh: it did not come before. */
static kw_status note_id(struct kw_op *op, struct import *it, const char *id, bool *ret_fresh)
{
    if (2 * (it->seen.n + 1) > it->seen.cap) {
        TRY(op, grow(op, it));
    }
    *ret_fresh = place(it, hash_of(id));
    return KW_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* One line without its end. A longer one than the room is cut: the server says that it is too long.
 * What else is in it stays as it is, octets of 0 and carriage returns too: the server refuses them.
 */
static bool read_line(struct import *it, struct line *line)
{
    int c = getc_unlocked(it->file);

    if (c == EOF) {
        return false;
    }
    for (line->len = 0; c != EOF && c != '\n'; c = getc_unlocked(it->file)) {
        if (line->len < sizeof(line->at)) {
            line->at[line->len++] = (uint8_t)c;
        }
    }
    if (line->len > 0 && line->at[line->len - 1] == '\r') {
        line->len--;
    }
    it->line++;
    return true;
}

static kw_status append_line(struct import *it, const struct line *line)
{
    kw_status status = kw_bytes_append(it->piece, KW_SPAN(line->at, line->len));

    return kw_ok(status) ? kw_bytes_append_text(it->piece, "\n") : status;
}

static kw_status begin_piece(struct import *it)
{
    it->n = 0;
    it->piece->len = 0;
    if (it->json) {
        return KW_OK;
    }
    return append_line(it, &it->header);
}

/* --- what the server says --------------------------------------------------------------------- */

static void tell(const struct import *it, unsigned line, const char *class_, const char *id,
                 const char *detail)
{
    (void)fprintf(stdout, "line %u: %s%s%s%s%s\n", line, class_, *id ? " " : "", id,
                  *detail ? ": " : "", detail);
    (void)it;
}

static kw_status keep_secret(struct kw_op *op, const struct import *it,
                             const struct import_line_view *line)
{
    if (it->secrets && *line->secret) {
        ENSURE(op, fprintf(it->secrets, "%s,%s\n", line->id, line->secret) > 0, KW_E_IO,
               "writing the secrets");
    }
    return KW_OK;
}

static kw_status take_lines(struct kw_op *op, struct import *it, const struct import_view *view)
{
    unsigned first = it->json ? 1 : 2;

    for (unsigned i = 0; i < view->n; i++) {
        const struct import_line_view *line = &view->at[i];
        bool good = strcmp(line->class_, "registered") == 0 || strcmp(line->class_, "known") == 0 ||
                    strcmp(line->class_, "renewed") == 0;
        bool fresh = true;
        TRY(op, keep_secret(op, it, line));
        if (good) {
            TRY(op, note_id(op, it, line->id, &fresh));
        }
        ENSURE(op, line->line >= first && line->line - first < it->n, KW_E_DEVICE,
               "the server told of line %u", line->line);
        unsigned number = it->lines[line->line - first];
        bool twice = good && !fresh;
        it->registered += strcmp(line->class_, "registered") == 0;
        it->known += good && !twice && strcmp(line->class_, "registered") != 0;
        it->bad += !good || twice;
        if (!good || twice) {
            tell(it, number, twice ? "duplicate" : line->class_, line->id,
                 twice ? "this id was in the file before" : line->detail);
        }
    }
    return KW_OK;
}

static kw_status flush_secrets(struct kw_op *op, const struct import *it)
{
    ENSURE(op, !it->secrets || (fflush(it->secrets) == 0 && fsync(fileno(it->secrets)) == 0),
           KW_E_IO, "writing the secrets");
    return KW_OK;
}

static kw_status send_piece(struct kw_op *op, struct import *it)
{
    AUTO(kw_bytes) *answer = NULL;

    if (it->n == 0) {
        return KW_OK;
    }
    op->deadline_ms = 0; /* each call has its own */
    kw_status sent =
        cli_post_text(op, it->cli, it->path, it->json ? "application/x-ndjson" : "text/csv",
                      kw_bytes_span(it->piece), &answer);
    if (sent.code == KW_E_INPUT && !it->json) { /* lines have their classes: it is the header */
        TRY(op, sent, "line 1");
    }
    TRY(op, sent, "lines %u to %u", it->lines[0], it->lines[it->n - 1]);
    struct import_view *view = calloc(1, sizeof(*view));
    ENSURE(op, view, KW_E_MEMORY, "no memory for the answer");
    kw_status status =
        codec_json_decode(op, kw_bytes_span(answer), import_view.fields, import_view.n, view);
    kw_wipe(answer->p, answer->len);
    if (kw_ok(status)) {
        status = take_lines(op, it, view);
    }
    kw_wipe(view, sizeof(*view));
    free(view);
    TRY(op, status);
    TRY(op, flush_secrets(op, it));
    return begin_piece(it);
}

/* --- all of it -------------------------------------------------------------------------------- */

static kw_status send_file(struct kw_op *op, struct import *it)
{
    struct line line;
    bool any = false;

    if (!it->json) {
        ENSURE(op, read_line(it, &it->header), KW_E_INPUT, "the file is empty");
    }
    TRY(op, begin_piece(it));
    while (read_line(it, &line)) {
        if (line.len == 0) {
            continue;
        }
        any = true;
        it->lines[it->n++] = it->line;
        TRY(op, append_line(it, &line));
        if (it->n == PIECE_LINES) {
            TRY(op, send_piece(op, it));
        }
    }
    ENSURE(op, !ferror(it->file), KW_E_IO, "reading the file");
    ENSURE(op, any, KW_E_INPUT, "there is no device in the file%s",
           it->json ? "" : ", whose first line names the columns");
    return send_piece(op, it);
}

static kw_status make_path(struct kw_op *op, struct import *it)
{
    static const struct {
        enum cli_option option;
        const char *key;
    } keys[] = {
        {OPT_PRODUCT, "product"     },
        {OPT_BATCH,   "batch"       },
        {OPT_HOURS,   "secret_hours"},
    };
    AUTO(kw_bytes) *path = NULL;

    TRY(op, kw_bytes_new(256, &path));
    TRY(op, kw_bytes_printf(path, "/api/v1/devices/import?dry_run=%d&renew=%d",
                            it->cli->options[OPT_DRY_RUN] != NULL, it->secrets != NULL));
    for (unsigned i = 0; i < KW_COUNT(keys); i++) {
        const char *value = it->cli->options[keys[i].option];
        if (value) {
            TRY(op, kw_bytes_printf(path, "&%s=", keys[i].key));
            TRY(op, kw_uri_encode(value, path));
        }
    }
    ENSURE(op, path->len < sizeof(it->path), KW_E_INPUT, "an option is too long");
    memcpy(it->path, path->p, path->len);
    it->path[path->len] = 0;
    return KW_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static kw_status open_files(struct kw_op *op, struct import *it)
{
    const char *name = it->cli->args[0], *out = it->cli->options[OPT_SECRETS];

    it->json = ends_with(name, ".json") || ends_with(name, ".jsonl");
    it->file = fopen(name, "re");
    ENSURE(op, it->file, KW_E_NOT_FOUND, "%s cannot be read", name);
    if (out && !it->cli->options[OPT_DRY_RUN]) {
        int fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        it->secrets = fd >= 0 ? fdopen(fd, "a") : NULL;
        ENSURE(op, it->secrets, KW_E_IO, "%s cannot be written", out);
    }
    TRY(op, kw_bytes_new((size_t)64 << 10, &it->piece));
    return make_path(op, it);
}

kw_status cli_device_import(struct kw_op *op, struct cli *cli)
{
    struct import *it = calloc(1, sizeof(*it));

    ENSURE(op, it, KW_E_MEMORY, "no memory for an import");
    it->cli = cli;
    kw_status status = open_files(op, it);
    if (kw_ok(status)) {
        status = send_file(op, it);
        (void)printf("%s%llu registered, %llu known before, %llu refused\n",
                     cli->options[OPT_DRY_RUN] ? "preview: " : "",
                     (unsigned long long)it->registered, (unsigned long long)it->known,
                     (unsigned long long)it->bad);
    }
    bool bad = it->bad > 0;
    if (it->file) {
        (void)fclose(it->file); /* only read */
    }
    if (it->secrets && fclose(it->secrets) != 0 && kw_ok(status)) {
        status = FAIL(op, KW_E_IO, "writing the secrets");
    }
    kw_bytes_free(it->piece);
    free(it->seen.at);
    free(it);
    TRY(op, status);
    ENSURE(op, !bad, KW_E_CONFLICT, "%s",
           cli->options[OPT_DRY_RUN] ? "some lines would be refused; nothing is registered yet"
                                     : "some lines were refused; the others are registered");
    return KW_OK;
}
