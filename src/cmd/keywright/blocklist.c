/* Keys that nobody may use. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/uri.h"
#include "cmd/keywright/cli.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "os/files.h"

enum { FILE_MAX = 256 << 20, PIECE_LINES = 20000, DAT_RECORD = 16, DAT_NUMBER = 15 };

kw_status cli_blocklist_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"kind", "id", "list", "added", NULL};

    return cli_list(op, cli, "/api/v1/blocklist", &blocked_page, sizeof(struct blocked_page),
                    columns);
}

struct totals {
    uint64_t added, known, hits;
};

static void print_hits(const struct cli *cli, const struct block_view *view)
{
    for (unsigned i = 0; !cli->options[OPT_JSON] && i < view->n; i++) {
        const struct hit_view *hit = &view->at[i];
        (void)printf("%s certificate %s/%s of %s (%s) has a blocked key; next: keywright cert "
                     "revoke %s/%s --reason keyCompromise\n",
                     hit->state, hit->ca, hit->serial, hit->owner, hit->profile, hit->ca,
                     hit->serial);
    }
}

static kw_status take(struct kw_op *op, const struct cli *cli, const struct kw_bytes *answer,
                      struct totals *totals, char next[KW_NAME_MAX])
{
    struct block_view *view = calloc(1, sizeof(*view));

    ENSURE(op, view, KW_E_MEMORY, "no memory for the answer");
    kw_status status =
        codec_json_decode(op, kw_bytes_span(answer), block_view.fields, block_view.n, view);
    if (kw_ok(status)) {
        totals->added += view->added;
        totals->known += view->known;
        totals->hits += view->hits;
        (void)kw_text_copy(next, KW_NAME_MAX, view->next); /* fits: the same size */
        print_hits(cli, view);
        if (cli->options[OPT_JSON]) {
            (void)printf("%.*s\n", (int)answer->len, (const char *)answer->p);
        }
    }
    free(view);
    return status;
}

static kw_status post(struct kw_op *op, struct cli *cli, struct kw_span text, struct totals *totals)
{
    const char *list = cli->options[OPT_LIST] ? cli->options[OPT_LIST] : "local";
    char path[KW_URI_MAX], next[KW_NAME_MAX];
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_object_path(op, "blocklist", list, NULL, path, sizeof(path)));
    TRY(op, cli_post_text(op, cli, path, "text/plain", text, &answer));
    return take(op, cli, answer, totals, next);
}

static void print_totals(const struct cli *cli, const struct totals *totals)
{
    if (!cli->options[OPT_JSON]) {
        (void)printf("%llu keys blocked, %llu were so before; %llu certificates concerned\n",
                     (unsigned long long)totals->added, (unsigned long long)totals->known,
                     (unsigned long long)totals->hits);
    }
}

kw_status cli_blocklist_add(struct kw_op *op, struct cli *cli)
{
    struct totals totals = {0};

    TRY(op, post(op, cli, kw_span_text(cli->args[0]), &totals));
    print_totals(cli, &totals);
    return KW_OK;
}

static kw_status walk(struct kw_op *op, struct cli *cli, struct totals *totals)
{
    char path[KW_URI_MAX], next[KW_NAME_MAX] = "";

    do {
        AUTO(kw_bytes) *answer = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/blocklist/hits?after=%s", next);
        TRY(op, cli_get(op, cli, path, &answer));
        TRY(op, take(op, cli, answer, totals, next));
    } while (*next);
    return KW_OK;
}

kw_status cli_blocklist_hits(struct kw_op *op, struct cli *cli)
{
    struct totals totals = {0};

    TRY(op, walk(op, cli, &totals));
    if (!cli->options[OPT_JSON]) {
        (void)printf("%llu certificates have a blocked key\n", (unsigned long long)totals.hits);
    }
    return KW_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

/* Some lines of a text. */
static struct kw_span take_piece(struct kw_span *rest, unsigned *line)
{
    size_t n = 0;

    for (unsigned lines = 0; lines < PIECE_LINES && n < rest->len; lines++, (*line)++) {
        const uint8_t *end = memchr(rest->p + n, '\n', rest->len - n);
        n = end ? (size_t)(end - rest->p) + 1 : rest->len;
    }
    struct kw_span piece = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, n, rest->len);
    return piece;
}

/* badkeys' blocklist.dat: records of 15 octets of a hash and one of the list's number. */
static kw_status dat_piece(struct kw_op *op, struct kw_span *rest, struct kw_bytes **ret)
{
    char hex[2 * DAT_NUMBER + 1];
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(1 << 20, &text));
    for (unsigned i = 0; i < PIECE_LINES && rest->len >= DAT_RECORD; i++) {
        kw_hex(kw_span_sub(*rest, 0, DAT_NUMBER), hex, sizeof(hex));
        TRY(op, kw_bytes_printf(text, "number:%s\n", hex));
        *rest = kw_span_sub(*rest, DAT_RECORD, rest->len);
    }
    *ret = TAKE(text);
    return KW_OK;
}

static bool is_dat(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, ".dat") == 0;
}

kw_status cli_blocklist_import(struct kw_op *op, struct cli *cli)
{
    struct totals totals = {0};
    AUTO(kw_bytes) *file = NULL;

    TRY(op, os_file_read(op, cli->args[0], FILE_MAX, &file));
    struct kw_span rest =
        is_dat(cli->args[0]) ? kw_bytes_span(file) : csv_skip_bom(kw_bytes_span(file));
    unsigned line = 0;
    ENSURE(op, !is_dat(cli->args[0]) || rest.len % DAT_RECORD == 0, KW_E_INPUT,
           "%s is not made of records of %d octets", cli->args[0], DAT_RECORD);
    while (rest.len > 0) {
        AUTO(kw_bytes) *made = NULL;
        struct kw_span piece = {0};
        unsigned before = line;
        op->deadline_ms = 0; /* each call has its own */
        if (is_dat(cli->args[0])) {
            TRY(op, dat_piece(op, &rest, &made));
            piece = kw_bytes_span(made);
        } else {
            piece = take_piece(&rest, &line);
        }
        TRY(op, post(op, cli, piece, &totals), "behind line %u", before);
    }
    ENSURE(op, totals.added + totals.known > 0, KW_E_INPUT, "there is no entry in %s",
           cli->args[0]);
    totals.hits = 0; /* all kinds of entries, now */
    TRY(op, walk(op, cli, &totals));
    print_totals(cli, &totals);
    return KW_OK;
}
