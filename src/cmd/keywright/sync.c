/* The change feed, and reconciliation. */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "base/uri.h"
#include "cmd/keywright/sync.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "os/files.h"
#include "service/sync/check.h"

enum {
    WAIT_S = 10,
    PIECE_LINES = 100,
    PIECE_BYTES = 1 << 19, /* the server takes 1 MiB */
    FILE_MAX = 1 << 28,
    BAD_TOLD_MAX = 100
};

/* --- following -------------------------------------------------------------------------------- */

static void print_items(const struct cli *cli, const struct feed_page *page,
                        const struct kw_bytes *json)
{
    char when[KW_TIME_TEXT];

    if (cli->options[OPT_JSON] && page->n > 0) {
        (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
    }
    for (unsigned i = 0; !cli->options[OPT_JSON] && i < page->n; i++) {
        const struct feed_view *item = &page->at[i];
        (void)printf("%llu %s %s %s%s%s%s %s\n", (unsigned long long)item->index,
                     kw_time_text_ms(item->time_ms, when), item->type, item->object,
                     *item->state ? " (" : "", item->state, *item->state ? " now)" : "",
                     item->detail);
    }
    (void)fflush(stdout); /* who reads a pipe wants it now */
}

static kw_status one_call(struct kw_op *op, struct cli *cli, char since[KW_NAME_MAX], unsigned max,
                          unsigned *ret_n)
{
    const char *consumer = cli->options[OPT_CONSUMER];
    AUTO(kw_bytes) *path = NULL;
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(256, &path));
    TRY(op, kw_bytes_printf(path, "/api/v1/feed?wait=%d&max=%u&since=%s%s", WAIT_S, max, since,
                            consumer ? "&consumer=" : ""));
    TRY(op, kw_uri_encode(consumer ? consumer : "", path));
    TRY(op, kw_bytes_append(path, KW_SPAN("", 1)));
    op->deadline_ms = 0; /* each call has its own */
    TRY(op, cli_get(op, cli, (const char *)path->p, &json));
    struct feed_page *page = calloc(1, sizeof(*page));
    ENSURE(op, page, KW_E_MEMORY, "no memory for the answer");
    kw_status status =
        codec_json_decode(op, kw_bytes_span(json), feed_page.fields, feed_page.n, page);
    if (kw_ok(status)) {
        print_items(cli, page, json);
        (void)kw_text_copy(since, KW_NAME_MAX, page->next); /* the same size */
        *ret_n = page->n;
    }
    free(page);
    return status;
}

/* Where this consumer had come to. */
static kw_status find_consumer(struct kw_op *op, struct cli *cli, char since[KW_NAME_MAX])
{
    char path[64 + KW_NAME_MAX], after[KW_NAME_MAX] = "";
    struct consumer_page *page = calloc(1, sizeof(*page));
    kw_status status = KW_OK;

    ENSURE(op, page, KW_E_MEMORY, "no memory for the answer");
    do {
        AUTO(kw_bytes) *json = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/consumers?after=%s", after);
        memset(page, 0, sizeof(*page));
        status = cli_get(op, cli, path, &json);
        if (kw_ok(status)) {
            status = codec_json_decode(op, kw_bytes_span(json), consumer_page.fields,
                                       consumer_page.n, page);
        }
        for (unsigned i = 0; kw_ok(status) && i < page->n; i++) {
            if (strcmp(page->at[i].name, cli->options[OPT_CONSUMER]) == 0) {
                (void)snprintf(since, KW_NAME_MAX, "%llu", (unsigned long long)page->at[i].cursor);
            }
        }
        KW_TEXT_SET(after, page->next);
    } while (kw_ok(status) && *after);
    free(page);
    return status;
}

kw_status cli_feed_follow(struct kw_op *op, struct cli *cli)
{
    char since[KW_NAME_MAX] = "0";
    unsigned left = 0, n = 0;

    TRY(op, cli_number(op, cli, OPT_MAX, 0, 1000000000, &left));
    if (cli->options[OPT_SINCE]) {
        ENSURE(op, KW_TEXT_SET(since, cli->options[OPT_SINCE]), KW_E_INPUT, "--since is too long");
    } else if (cli->options[OPT_CONSUMER]) {
        TRY(op, find_consumer(op, cli, since));
    }
    for (bool bounded = left > 0;; left -= bounded ? n : 0) {
        if (bounded && left == 0) {
            return KW_OK;
        }
        TRY(op, one_call(op, cli, since, bounded && left < 100 ? left : 100, &n));
    }
}

kw_status cli_feed_consumers(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"name", "cursor", "at", "principal", NULL};

    return cli_list(op, cli, "/api/v1/consumers", &consumer_page, sizeof(struct consumer_page),
                    columns);
}

/* --- reconciliation --------------------------------------------------------------------------- */

static kw_status print_json(struct kw_op *op, const struct drift_page *page)
{
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(1024, &json));
    TRY(op, codec_json_encode(op, drift_page.fields, drift_page.n, page, json));
    (void)printf("%.*s\n", (int)json->len, (const char *)json->p);
    return KW_OK;
}

/* A file that is something else entirely says so a hundred times, not a million. */
static void count(struct drift_page *page, struct findings *findings)
{
    const char *line = drift_kind_text(DRIFT_EXTERNAL_LINE);
    unsigned n = 0;

    for (unsigned i = 0; i < page->n; i++) {
        bool is_line = strcmp(page->at[i].kind, line) == 0;
        if (is_line && findings->bad_told == BAD_TOLD_MAX) {
            continue;
        }
        findings->bad_told += is_line;
        findings->n += !is_line;
        page->at[n++] = page->at[i];
    }
    page->n = n;
    findings->bad += page->bad;
    findings->checked += page->checked;
}

kw_status cli_sync_print(struct kw_op *op, const struct cli *cli, struct drift_page *page,
                         struct findings *findings)
{
    count(page, findings);
    if (cli->options[OPT_JSON]) {
        return print_json(op, page);
    }
    for (unsigned i = 0; i < page->n; i++) {
        const struct drift_view *drift = &page->at[i];
        (void)printf("%s %s: %s; next: %s\n", drift->kind, drift->object, drift->text,
                     drift->next_step);
    }
    return KW_OK;
}

static kw_status take(struct kw_op *op, const struct cli *cli, const struct kw_bytes *json,
                      struct findings *findings, char next[KW_NAME_MAX])
{
    struct drift_page *page = calloc(1, sizeof(*page));

    ENSURE(op, page, KW_E_MEMORY, "no memory for the answer");
    kw_status status =
        codec_json_decode(op, kw_bytes_span(json), drift_page.fields, drift_page.n, page);
    if (kw_ok(status)) {
        status = cli_sync_print(op, cli, page, findings);
    }
    (void)kw_text_copy(next, KW_NAME_MAX, page->next); /* the same size */
    free(page);
    return status;
}

static kw_status check_registry(struct kw_op *op, struct cli *cli, struct findings *findings)
{
    char path[KW_URI_MAX], next[KW_NAME_MAX] = "";

    do {
        AUTO(kw_bytes) *json = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/sync/check?after=%s", next);
        op->deadline_ms = 0; /* each call has its own */
        TRY(op, cli_get(op, cli, path, &json));
        TRY(op, take(op, cli, json, findings, next));
    } while (*next);
    return KW_OK;
}

static size_t line_len(struct kw_span text, size_t at)
{
    const uint8_t *end = memchr(text.p + at, '\n', text.len - at);

    return end ? (size_t)(end - text.p) + 1 - at : text.len - at;
}

/* Of a line that is longer than a piece its beginning: nobody can read it in any case. */
static struct kw_span take_piece(struct kw_span *rest, unsigned *line)
{
    size_t n = 0;

    for (unsigned lines = 0; lines < PIECE_LINES && n < rest->len; lines++, (*line)++) {
        size_t len = line_len(*rest, n);
        if (lines > 0 && n + len > PIECE_BYTES) {
            break;
        }
        n += len;
    }
    struct kw_span piece = kw_span_sub(*rest, 0, n < PIECE_BYTES ? n : PIECE_BYTES);
    *rest = kw_span_sub(*rest, n, rest->len);
    return piece;
}

static kw_status check_external(struct kw_op *op, struct cli *cli, struct findings *findings)
{
    const char *ca = cli->options[OPT_CA];
    char path[KW_URI_MAX], next[KW_NAME_MAX];
    AUTO(kw_bytes) *file = NULL;
    AUTO(kw_bytes) *encoded = NULL;

    TRY(op, kw_bytes_new(128, &encoded));
    TRY(op, kw_uri_encode(ca ? ca : "", encoded));
    TRY(op, os_file_read(op, cli->options[OPT_EXTERNAL], FILE_MAX, &file));
    struct kw_span text = csv_skip_bom(kw_bytes_span(file));
    struct kw_span rest = text;
    unsigned line = 0;
    while (rest.len > 0) {
        AUTO(kw_bytes) *json = NULL;
        unsigned before = line;
        struct kw_span piece = take_piece(&rest, &line);
        op->deadline_ms = 0;
        (void)snprintf(path, sizeof(path), "/api/v1/sync/external?line=%u&ca=%.*s", before + 1,
                       (int)encoded->len, (const char *)encoded->p);
        TRY(op, cli_post_text(op, cli, path, "text/plain", piece, &json), "behind line %u", before);
        TRY(op, take(op, cli, json, findings, next));
    }
    return ca ? cli_sync_missing(op, cli, text, findings) : KW_OK;
}

/* An index that was read in part only is told before what was found in the rest. */
static kw_status judge(struct kw_op *op, const struct findings *findings)
{
    ENSURE(op, findings->bad == 0, KW_E_INPUT,
           "%llu lines of the index cannot be read and were not compared (the first %d are told); "
           "in the rest %llu disagreements",
           (unsigned long long)findings->bad, BAD_TOLD_MAX, (unsigned long long)findings->n);
    ENSURE(op, findings->n == 0, KW_E_CONFLICT, "%llu disagreements",
           (unsigned long long)findings->n);
    return KW_OK;
}

kw_status cli_sync_check(struct kw_op *op, struct cli *cli)
{
    struct findings findings = {0};

    TRY(op, check_registry(op, cli, &findings));
    if (cli->options[OPT_EXTERNAL]) {
        TRY(op, check_external(op, cli, &findings));
    }
    if (!cli->options[OPT_JSON]) {
        (void)printf("%llu devices, lines and certificates looked at, %llu disagreements\n",
                     (unsigned long long)findings.checked, (unsigned long long)findings.n);
    }
    return judge(op, &findings);
}
