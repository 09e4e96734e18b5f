#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/b64.h"
#include "base/hex.h"
#include "service/log/keys.h"
#include "service/log/log.h"

enum { TAIL_DEFAULT = 20, TAIL_MAX = 1000 };
_Static_assert((int)VIEW_VKEY >= (int)CHECKPOINT_VKEY_MAX &&
                   (int)VIEW_NOTE >= (int)CHECKPOINT_TEXT_MAX &&
                   (int)VIEW_PROOF >= (int)TLOG_PROOF_MAX,
               "the view holds what the log makes");

REST_HANDLER(rest_log_info)
{
    struct service *service = rest_service(ctx);
    struct log_view shown = {0};

    (void)request;
    KW_TEXT_SET(shown.origin, service->config.log_origin);
    TRY(op, log_vkey(op, service, shown.vkey, sizeof(shown.vkey)));
    TRY(op, store_log_size(op, service->store, &shown.size));
    return rest_answer(op, &log_view, &shown, response);
}

/* For export: everything up to now is put under a signed head first. */
REST_HANDLER(rest_log_checkpoint)
{
    (void)request;
    TRY(op, log_checkpoint_now(op, rest_service(ctx)));
    TRY(op, log_checkpoint(op, rest_service(ctx), &response->body));
    response->content_type = "text/plain; charset=utf-8";
    return KW_OK;
}

REST_HANDLER(rest_log_successor)
{
    const char *n = rest_param(request, "n");

    ENSURE(op, strspn(n, "0123456789") == strlen(n) && strlen(n) < 6, KW_E_NOT_FOUND, "no '%s'", n);
    TRY(op, log_successor(op, rest_service(ctx), (unsigned)strtoul(n, NULL, 10), &response->body),
        "the log has no key number %s", n);
    response->content_type = "text/plain; charset=utf-8";
    return KW_OK;
}

REST_HANDLER(rest_log_tile)
{
    char path[KW_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "tile/%.480s", rest_param(request, "path"));
    TRY(op, log_tile(op, rest_service(ctx), path, &response->body));
    response->content_type = "application/octet-stream";
    return KW_OK;
}

/* One line an entry: its index, a tab, the entry. */
static kw_status put_line(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    TRY(op, kw_bytes_printf(ctx, "%llu\t", (unsigned long long)index));
    TRY(op, kw_bytes_append(ctx, entry));
    return kw_bytes_append_text(ctx, "\n");
}

REST_HANDLER(rest_log_tail)
{
    struct service *service = rest_service(ctx);
    uint64_t max = 0, size = 0, first = 0;

    TRY(op, rest_query_u64(op, request, "max", TAIL_DEFAULT, TAIL_MAX, &max));
    TRY(op, store_log_size(op, service->store, &size));
    TRY(op, rest_query_u64(op, request, "first", size > max ? size - max : 0, INT64_MAX, &first));
    TRY(op, kw_bytes_new(16384, &response->body));
    response->content_type = "text/tab-separated-values; charset=utf-8";
    return store_log_each(op, service->store, first, (unsigned)max, put_line, response->body);
}

static kw_status put_b64(struct kw_op *op, struct kw_span span, char *text, size_t cap)
{
    AUTO(kw_bytes) *encoded = NULL;

    TRY(op, kw_bytes_new(2 * span.len + 4, &encoded));
    TRY(op, kw_b64_encode(span, 0, encoded));
    ENSURE(op, encoded->len < cap, KW_E_TOO_LARGE, "%zu octets do not fit", encoded->len);
    memcpy(text, encoded->p, encoded->len);
    text[encoded->len] = 0;
    return KW_OK;
}

static kw_status prove(struct kw_op *op, struct service *service, uint64_t index,
                       struct proof_view *view)
{
    struct tlog_hash proof[TLOG_PROOF_MAX];
    struct checkpoint head;
    AUTO(kw_bytes) *note = NULL;
    AUTO(kw_bytes) *entry = NULL;

    TRY(op, log_prove(op, service, index, &head, &note, &entry, proof, &view->n));
    ENSURE(op, note->len < sizeof(view->checkpoint), KW_E_TOO_LARGE, "the checkpoint is too long");
    memcpy(view->checkpoint, note->p, note->len);
    view->index = index;
    view->size = head.size;
    TRY(op, put_b64(op, KW_SPAN_ARRAY(head.root.b), view->root, sizeof(view->root)));
    TRY(op, put_b64(op, kw_bytes_span(entry), view->entry, sizeof(view->entry)));
    for (unsigned i = 0; i < view->n; i++) {
        TRY(op, put_b64(op, KW_SPAN_ARRAY(proof[i].b), view->hashes[i], sizeof(view->hashes[i])));
    }
    return KW_OK;
}

REST_HANDLER(rest_log_prove)
{
    const char *text = rest_param(request, "index");
    char *end = NULL;
    struct proof_view view = {0};

    errno = 0;
    unsigned long long index = strtoull(text, &end, 10);
    ENSURE(op, !errno && *text >= '0' && *text <= '9' && *end == 0, KW_E_INPUT,
           "'%s' is no entry number", text);
    TRY(op, prove(op, rest_service(ctx), index, &view));
    return rest_answer(op, &proof_view, &view, response);
}
