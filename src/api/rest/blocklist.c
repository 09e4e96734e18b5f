#include "service/quality/blocklist.h"

#include <stdio.h>

#include "api/rest/rest.h"
#include "base/hex.h"

static const char *const kinds[] = {
    [BLOCKED_SPKI] = "spki", [BLOCKED_NUMBER] = "number", [BLOCKED_MODULUS] = "modulus"};

static void view(const struct store_blocked *blocked, struct blocked_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->kind, kinds[blocked->kind]);
    kw_hex(KW_SPAN(blocked->id, blocked->id_len), ret->id, sizeof(ret->id));
    KW_TEXT_SET(ret->list, blocked->list);
    ret->added_ms = blocked->added_ms;
}

/* "2:00af…": kind and id of the last one of the page before. */
static kw_status read_after(struct kw_op *op, const char *text, struct store_blocked *ret)
{
    struct kw_out id = KW_OUT_ARRAY(ret->id);

    ENSURE(op, text[0] >= '1' && text[0] <= '3' && text[1] == ':' && kw_ok(kw_unhex(text + 2, &id)),
           KW_E_INPUT, "'%.80s' is no place in the block list", text);
    ret->kind = (enum blocked_kind)(text[0] - '0');
    ret->id_len = (uint32_t)id.len;
    return KW_OK;
}

REST_HANDLER(rest_blocklist_list)
{
    char text[KW_NAME_MAX], next[VIEW_HEX + 8] = "";
    const char *after = NULL;
    struct store_blocked blocked = {0};
    struct blocked_view shown;
    struct codec_list list;
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, rest_query_text(op, request, "after", text, sizeof(text), &after));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    if (after) {
        TRY(op, read_after(op, after, &blocked));
    }
    TRY(op, rest_list(op, response, &list));
    for (uint64_t i = 0; i < max; i++) {
        struct store_blocked last = blocked;
        TRY(op, store_blocked_list(op, rest_service(ctx)->store, &last, 1, &blocked, &n));
        if (n == 0) {
            break;
        }
        view(&blocked, &shown);
        TRY(op, rest_item(op, &list, &blocked_view, &shown));
        (void)snprintf(next, sizeof(next), "%d:%s", (int)blocked.kind, shown.id);
    }
    return codec_json_list_end(op, &list, n && *next ? next : NULL);
}

static void view_report(const struct blocklist_report *report, struct block_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->added = report->added;
    ret->known = report->known;
    ret->lines = report->lines;
    ret->hits = report->n_hits;
    for (unsigned i = 0; i < report->n_told && i < KW_COUNT(ret->at); i++) {
        struct hit_view *hit = &ret->at[ret->n++];
        KW_TEXT_SET(hit->owner, report->hits[i].owner);
        KW_TEXT_SET(hit->ca, report->hits[i].ca);
        KW_TEXT_SET(hit->serial, report->hits[i].serial);
        KW_TEXT_SET(hit->profile, report->hits[i].profile);
        KW_TEXT_SET(hit->state, cert_state_text(report->hits[i].state));
    }
}

REST_HANDLER(rest_blocklist_add)
{
    struct blocklist_report report;
    struct block_view shown;

    TRY(op,
        blocklist_add(op, rest_service(ctx), rest_param(request, "list"), request->body, &report));
    view_report(&report, &shown);
    return rest_answer(op, &block_view, &shown, response);
}

REST_HANDLER(rest_blocklist_walk)
{
    struct blocklist_report report;
    struct block_view shown;
    uint64_t after = 0;

    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &after));
    int64_t place = (int64_t)after;
    TRY(op, blocklist_walk(op, rest_service(ctx), &place, &report));
    view_report(&report, &shown);
    if (place) {
        (void)snprintf(shown.next, sizeof(shown.next), "%lld", (long long)place);
    }
    return rest_answer(op, &block_view, &shown, response);
}
