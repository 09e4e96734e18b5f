/* The change feed, who follows it, and reconciliation. */
#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/sync/check.h"
#include "service/sync/feed.h"

_Static_assert((int)VIEW_FEED >= (int)FEED_MAX && (int)VIEW_DRIFTS >= (int)DRIFTS_MAX,
               "a view holds an answer");

static void view_item(const struct feed_item *item, struct feed_view *ret)
{
    static const uint8_t none[KW_HASH_BYTES];

    memset(ret, 0, sizeof(*ret));
    ret->index = item->index;
    ret->time_ms = item->event.unix_ms;
    KW_TEXT_SET(ret->type, event_type_text(item->event.type));
    KW_TEXT_SET(ret->object, item->event.object);
    KW_TEXT_SET(ret->actor, item->event.actor);
    KW_TEXT_SET(ret->result, item->event.result);
    KW_TEXT_SET(ret->detail, item->event.detail);
    KW_TEXT_SET(ret->state, item->state);
    KW_TEXT_SET(ret->owner, item->owner);
    KW_TEXT_SET(ret->profile, item->profile);
    KW_TEXT_SET(ret->attestation, item->attestation);
    KW_TEXT_SET(ret->assurance_level, item->assurance_level);
    if (memcmp(item->fingerprint, none, sizeof(none)) != 0) {
        kw_hex(KW_SPAN_ARRAY(item->fingerprint), ret->fingerprint, sizeof(ret->fingerprint));
    }
}

static kw_status answer_feed(struct kw_op *op, const struct feed_item *items, unsigned n,
                             uint64_t next, struct http_response *response)
{
    struct feed_view shown;
    struct codec_list list;
    char text[24];

    TRY(op, rest_list(op, response, &list));
    for (unsigned i = 0; i < n; i++) {
        view_item(&items[i], &shown);
        TRY(op, rest_item(op, &list, &feed_view, &shown));
    }
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)next);
    return codec_json_list_end(op, &list, text);
}

REST_HANDLER(rest_feed)
{
    char consumer[KW_NAME_MAX];
    struct feed_request wanted = {0};
    uint64_t max = 0, wait = 0, next = 0;
    unsigned n = 0;

    TRY(op, rest_query_u64(op, request, "since", 0, INT64_MAX, &wanted.since));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, FEED_MAX, &max));
    TRY(op, rest_query_u64(op, request, "wait", 0, FEED_WAIT_MAX_S, &wait));
    TRY(op, rest_query_text(op, request, "consumer", consumer, sizeof(consumer), &wanted.consumer));
    wanted.max = (unsigned)max;
    wanted.wait_s = (unsigned)wait;
    struct feed_item *items = calloc(FEED_MAX, sizeof(*items));
    ENSURE(op, items, KW_E_MEMORY, "no memory for the feed");
    kw_status status = feed_read(op, rest_service(ctx), &wanted, items, &n, &next);
    if (kw_ok(status)) {
        status = answer_feed(op, items, n, next, response);
    }
    free(items);
    return status;
}

static kw_status next_consumer(struct kw_op *op, struct service *service, struct rest_page *page)
{
    struct store_consumer found;
    struct consumer_view shown = {0};

    TRY(op, store_consumer_list(op, service->store, page->after, 1, &found, &page->n));
    if (page->n == 0) {
        return KW_OK;
    }
    KW_TEXT_SET(shown.name, found.name);
    KW_TEXT_SET(shown.principal, found.principal);
    shown.cursor = found.cursor;
    shown.at_ms = found.at_ms;
    KW_TEXT_SET(page->after, found.name);
    return rest_item(op, &page->list, &consumer_view, &shown);
}

REST_HANDLER(rest_consumer_list)
{
    return rest_list_by_name(op, ctx, request, response, next_consumer);
}

static kw_status answer_drifts(struct kw_op *op, const struct drift_list *list, const char *next,
                               struct http_response *response)
{
    struct drift_page *page = calloc(1, sizeof(*page));

    ENSURE(op, page, KW_E_MEMORY, "no memory for the answer");
    page->checked = list->checked;
    page->bad = list->bad;
    KW_TEXT_SET(page->next, next);
    for (unsigned i = 0; i < list->n; i++) {
        struct drift_view *shown = &page->at[page->n++];
        KW_TEXT_SET(shown->kind, drift_kind_text(list->at[i].kind));
        KW_TEXT_SET(shown->object, list->at[i].object);
        KW_TEXT_SET(shown->text, list->at[i].text);
        KW_TEXT_SET(shown->next_step, list->at[i].next_step);
    }
    kw_status status = rest_answer(op, &drift_page, page, response);
    free(page);
    return status;
}

REST_HANDLER(rest_sync_check)
{
    char after[KW_NAME_MAX];
    const char *from = NULL;

    TRY(op, rest_query_text(op, request, "after", after, sizeof(after), &from));
    after[from ? strlen(after) : 0] = 0;
    struct drift_list *list = calloc(1, sizeof(*list));
    ENSURE(op, list, KW_E_MEMORY, "no memory for findings");
    kw_status status = sync_check(op, rest_service(ctx), after, list);
    if (kw_ok(status)) {
        status = answer_drifts(op, list, after, response);
    }
    free(list);
    return status;
}

REST_HANDLER(rest_sync_external)
{
    char text[KW_NAME_MAX];
    const char *ca = NULL;
    uint64_t line = 1;

    TRY(op, rest_query_text(op, request, "ca", text, sizeof(text), &ca));
    TRY(op, rest_query_u64(op, request, "line", 1, UINT32_MAX, &line));
    struct drift_list *list = calloc(1, sizeof(*list));
    ENSURE(op, list, KW_E_MEMORY, "no memory for findings");
    kw_status status = sync_check_external(op, rest_service(ctx), ca, line, request->body, list);
    if (kw_ok(status)) {
        status = answer_drifts(op, list, "", response);
    }
    free(list);
    return status;
}
