/* The other way round: certificates of ours that another CA's copy of our index does not know. The
 * copy stays here; only our own list is asked of the server, page by page. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/time.h"
#include "base/uri.h"
#include "cmd/keywright/sync.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "os/clock.h"
#include "service/sync/ca_index.h"
#include "service/sync/check.h"

struct serial {
    uint8_t octets[KW_SERIAL_MAX]; /* right-aligned: leading zeroes say nothing */
};
struct serials {
    size_t n;
    struct serial at[];
};

_Static_assert((int)VIEW_PAGE <= (int)VIEW_DRIFTS, "each of a page may be missing");

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct serial));
}

static void put(const uint8_t *octets, size_t len, struct serial *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->octets + sizeof(ret->octets) - len, octets, len); /* len <= KW_SERIAL_MAX */
}

static size_t count_lines(struct kw_span text)
{
    size_t n = 1;

    for (size_t i = 0; i < text.len; i++) {
        n += text.p[i] == '\n';
    }
    return n;
}

/* Lines that are wrong were told of by the server before. */
static kw_status read_serials(struct kw_op *op, struct kw_span text, struct serials **ret)
{
    struct serials *all = calloc(1, sizeof(*all) + count_lines(text) * sizeof(all->at[0]));
    struct ca_index_entry entry;
    struct kw_span line;

    ENSURE(op, all, KW_E_MEMORY, "no memory for the index");
    while (csv_next_line(&text, &line)) {
        if (kw_ok(ca_index_parse(line, &entry)) && entry.state != 0) {
            put(entry.serial, entry.serial_len, &all->at[all->n++]);
        }
    }
    qsort(all->at, all->n, sizeof(all->at[0]), compare);
    *ret = all;
    return KW_OK;
}

static bool knows(const struct serials *all, const struct cert_view *cert)
{
    struct serial wanted;
    uint8_t octets[KW_SERIAL_MAX];
    struct kw_out out = KW_OUT_ARRAY(octets);

    if (!kw_ok(kw_unhex_number(cert->serial, &out))) {
        return false;
    }
    put(octets, out.len, &wanted);
    return bsearch(&wanted, all->at, all->n, sizeof(wanted), compare) != NULL;
}

static void note(const struct cert_view *cert, struct drift_page *page)
{
    struct drift_view *shown = &page->at[page->n++];
    char when[KW_TIME_TEXT];

    KW_TEXT_SET(shown->kind, drift_kind_text(DRIFT_EXTERNAL_MISSING));
    (void)snprintf(shown->object, sizeof(shown->object), "cert:%s/%s", cert->ca, cert->serial);
    (void)snprintf(shown->text, sizeof(shown->text), "%s here since %s, and not there", cert->state,
                   kw_time_text_ms(cert->issued_ms, when));
    KW_TEXT_SET(shown->next_step, "take it over there, or make the copy anew");
}

struct work {
    struct cert_page ours;
    struct drift_page found;
    char after[KW_NAME_MAX];
};

static kw_status get_page(struct kw_op *op, struct cli *cli, struct work *work)
{
    AUTO(kw_bytes) *path = NULL;
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(256, &path));
    TRY(op, kw_bytes_append_text(path, "/api/v1/certs?ca="));
    TRY(op, kw_uri_encode(cli->options[OPT_CA], path));
    TRY(op, kw_bytes_printf(path, *work->after ? "&after=%s" : "%s", work->after));
    TRY(op, kw_bytes_append(path, KW_SPAN("", 1)));
    op->deadline_ms = 0; /* each call has its own */
    TRY(op, cli_get(op, cli, (const char *)path->p, &json));
    memset(&work->ours, 0, sizeof(work->ours));
    TRY(op, codec_json_decode(op, kw_bytes_span(json), cert_page.fields, cert_page.n, &work->ours));
    KW_TEXT_SET(work->after, work->ours.next);
    return KW_OK;
}

/* Those that ended may have left the copy. */
static void compare_page(const struct serials *all, struct work *work)
{
    int64_t now_s = os_clock_unix_s();

    memset(&work->found, 0, sizeof(work->found));
    for (unsigned i = 0; i < work->ours.n; i++) {
        const struct cert_view *cert = &work->ours.at[i];
        work->found.checked++;
        if (cert->not_after >= now_s && !knows(all, cert)) {
            note(cert, &work->found);
        }
    }
}

static kw_status compare_all(struct kw_op *op, struct cli *cli, const struct serials *all,
                             struct work *work, struct findings *findings)
{
    do {
        TRY(op, get_page(op, cli, work));
        compare_page(all, work);
        TRY(op, cli_sync_print(op, cli, &work->found, findings));
    } while (*work->after);
    return KW_OK;
}

kw_status cli_sync_missing(struct kw_op *op, struct cli *cli, struct kw_span index,
                           struct findings *findings)
{
    struct serials *all = NULL;
    struct work *work = calloc(1, sizeof(*work));

    ENSURE(op, work, KW_E_MEMORY, "no memory for findings");
    kw_status status = read_serials(op, index, &all);
    if (kw_ok(status)) {
        status = compare_all(op, cli, all, work, findings);
    }
    free(all);
    free(work);
    return status;
}
