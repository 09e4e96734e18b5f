/* Reference sets of measured boots, and products with a secure element, as operators say them. */
#include "service/attest/references.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"

enum { LOG_OCTETS = 65536 };

static void pcrs_text(const uint8_t mask[ATTEST_PCR_MASK], char *ret, size_t cap)
{
    size_t at = 0;

    *ret = 0;
    for (unsigned i = 0; i < 8 * ATTEST_PCR_MASK; i++) {
        if (mask[i / 8] & 1u << i % 8 && at + 4 < cap) {
            at += (size_t)snprintf(ret + at, cap - at, "%s%u", at ? "," : "", i);
        }
    }
}

static void view(const struct attest_reference *set, int64_t added_ms, struct reference_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->name, set->name);
    KW_TEXT_SET(ret->product, set->product);
    KW_TEXT_SET(ret->state, set->open ? "open" : "closed");
    pcrs_text(set->pcrs, ret->pcrs, sizeof(ret->pcrs));
    ret->events = set->n;
    ret->added_ms = added_ms;
}

static kw_status next_reference(struct kw_op *op, struct service *service, struct rest_page *page)
{
    struct store_reference row;
    struct reference_view shown;

    TRY(op, store_reference_list(op, service->store, page->after, 1, &row, &page->n));
    if (page->n == 0) {
        return KW_OK;
    }
    view(&row.set, row.added_ms, &shown);
    KW_TEXT_SET(page->after, row.set.name);
    return rest_item(op, &page->list, &reference_view, &shown);
}

REST_HANDLER(rest_reference_list)
{
    return rest_list_by_name(op, ctx, request, response, next_reference);
}

struct reference_body {
    char name[KW_NAME_MAX], product[KW_NAME_MAX];
    uint8_t pcr_mask[ATTEST_PCR_MASK], log[LOG_OCTETS];
    uint32_t log_len;
};
static const struct codec_field reference_fields[] = {
    FIELD_STRING("name", struct reference_body, name, CODEC_REQUIRED, "of the set"),
    FIELD_STRING("product", struct reference_body, product, 0, "of its units; absent: of all"),
    FIELD_HEX_FIXED("pcr_mask", struct reference_body, pcr_mask, CODEC_REQUIRED,
                    "pcrSelect: whose events are judged"),
    FIELD_B64("log", struct reference_body, log, log_len, CODEC_REQUIRED,
              "event log of a genuine unit"),
};

static kw_status add(struct kw_op *op, struct service *service, const struct http_request *request,
                     struct reference_body *body, struct reference_view *ret)
{
    struct attest_reference set;

    TRY(op,
        codec_json_decode(op, request->body, reference_fields, KW_COUNT(reference_fields), body));
    TRY(op, attest_reference_add(op, service, body->name, body->product, body->pcr_mask,
                                 KW_SPAN(body->log, body->log_len), &set));
    view(&set, service_now_ms(), ret);
    return KW_OK;
}

REST_HANDLER(rest_reference_add)
{
    struct reference_body *body = calloc(1, sizeof(*body));
    struct reference_view shown;

    ENSURE(op, body, KW_E_MEMORY, "no memory for the event log");
    kw_status status = add(op, rest_service(ctx), request, body, &shown);
    free(body);
    TRY(op, status);
    response->status = 201;
    return rest_answer(op, &reference_view, &shown, response);
}

REST_HANDLER(rest_reference_verb)
{
    static const char *const verbs[] = {[ATTEST_REFERENCE_OPEN] = "open",
                                        [ATTEST_REFERENCE_CLOSE] = "close",
                                        [ATTEST_REFERENCE_FORGET] = "forget",
                                        [ATTEST_REFERENCE_UNTRUST] = "untrust",
                                        [ATTEST_REFERENCE_RETRUST] = "retrust"};
    const char *verb = rest_param(request, "verb");

    TRY(op, rest_no_body(op, request));
    for (unsigned i = 0; i < KW_COUNT(verbs); i++) {
        if (strcmp(verbs[i], verb) == 0) {
            TRY(op, attest_reference_do(op, rest_service(ctx), rest_param(request, "id"),
                                        (enum attest_reference_deed)i));
            response->status = 204;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "a reference set knows no '%.40s'", verb);
}

/* --- secure elements -------------------------------------------------------------------------- */

static kw_status next_element(struct kw_op *op, struct service *service, struct rest_page *page)
{
    struct store_element row;
    struct element_view shown = {0};

    TRY(op, store_element_list(op, service->store, page->after, 1, &row, &page->n));
    if (page->n == 0) {
        return KW_OK;
    }
    KW_TEXT_SET(shown.product, row.product);
    shown.added_ms = row.added_ms;
    KW_TEXT_SET(page->after, row.product);
    return rest_item(op, &page->list, &element_view, &shown);
}

REST_HANDLER(rest_element_list)
{
    return rest_list_by_name(op, ctx, request, response, next_element);
}

struct element_body {
    char product[KW_NAME_MAX];
    bool has;
};
static const struct codec_field element_body_fields[] = {
    FIELD_STRING("product", struct element_body, product, CODEC_REQUIRED, "whose units"),
    FIELD_BOOL("has", struct element_body, has, CODEC_REQUIRED, "have a secure element"),
};

REST_HANDLER(rest_element_set)
{
    struct element_body body = {0};

    TRY(op, codec_json_decode(op, request->body, element_body_fields, KW_COUNT(element_body_fields),
                              &body));
    TRY(op, attest_element_set(op, rest_service(ctx), body.product, body.has));
    response->status = 204;
    return KW_OK;
}

/* --- patience --------------------------------------------------------------------------------- */

static void view_rule(const struct store_rule *rule, struct attest_rule_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->product, rule->product);
    ret->patience = rule->patience;
    ret->changed_ms = rule->changed_ms;
}

/* That of all comes first, also where nobody set it. */
static kw_status first_rule(struct kw_op *op, struct store *store, struct attest_rule_view *ret)
{
    static const struct store_rule built_in = {.patience = ATTEST_PATIENCE_DEFAULT};
    struct store_rule rule = {0};
    unsigned n = 0;

    TRY(op, store_rule_list(op, store, NULL, 1, &rule, &n));
    view_rule(n == 1 && !*rule.product ? &rule : &built_in, ret);
    return KW_OK;
}

REST_HANDLER(rest_attest_rule_list)
{
    char text[KW_NAME_MAX];
    const char *after = NULL;
    struct store_rule row;
    struct attest_rule_view shown = {0};
    struct codec_list list;
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, rest_query_text(op, request, "after", text, sizeof(text), &after));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    if (!after) {
        TRY(op, first_rule(op, rest_service(ctx)->store, &shown));
        TRY(op, rest_item(op, &list, &attest_rule_view, &shown));
    }
    KW_TEXT_SET(shown.product, after ? after : "");
    for (uint64_t i = after ? 0 : 1; i < max; i++) {
        TRY(op, store_rule_list(op, rest_service(ctx)->store, shown.product, 1, &row, &n));
        if (n == 0) {
            break;
        }
        view_rule(&row, &shown);
        TRY(op, rest_item(op, &list, &attest_rule_view, &shown));
    }
    return codec_json_list_end(op, &list, n && *shown.product ? shown.product : NULL);
}

REST_HANDLER(rest_attest_rule_set)
{
    struct attest_rule_view body = {.patience = ATTEST_PATIENCE_DEFAULT};

    TRY(op,
        codec_json_decode(op, request->body, attest_rule_file.fields, attest_rule_file.n, &body));
    TRY(op, attest_rule_set(op, rest_service(ctx), body.product, &body.patience));
    response->status = 204;
    return KW_OK;
}

static const struct codec_field drop_fields[] = {
    FIELD_STRING("product", struct attest_rule_view, product, 0, "whose units; absent: all"),
};

REST_HANDLER(rest_attest_rule_drop)
{
    struct attest_rule_view body = {0};

    TRY(op, codec_json_decode(op, request->body, drop_fields, KW_COUNT(drop_fields), &body));
    TRY(op, attest_rule_drop(op, rest_service(ctx), body.product));
    response->status = 204;
    return KW_OK;
}

/* --- trust taken away ------------------------------------------------------------------------- */

struct why_body {
    char reason[100];
};
static const struct codec_field why_fields[] = {
    FIELD_STRING("reason", struct why_body, reason, 0, "for people"),
};

REST_HANDLER(rest_attest_untrust)
{
    struct why_body body = {0};

    TRY(op, codec_json_decode(op, request->body, why_fields, KW_COUNT(why_fields), &body));
    TRY(op, attest_untrust(op, rest_service(ctx), rest_param(request, "id"), body.reason));
    response->status = 204;
    return KW_OK;
}

REST_HANDLER(rest_attest_retrust)
{
    TRY(op, rest_no_body(op, request));
    TRY(op, attest_retrust(op, rest_service(ctx), rest_param(request, "id")));
    response->status = 204;
    return KW_OK;
}
