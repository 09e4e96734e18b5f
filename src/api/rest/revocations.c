/* Plans of revocation: make, run, look. */
#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "api/rest/views_revocation.h"
#include "base/hex.h"
#include "model/object.h"
#include "service/revocation/enforced.h"

static const char *state_text(enum plan_state state)
{
    static const char *const texts[] = {
        [0] = "planned",
        [PLAN_GATHERING] = "gathering",
        [PLAN_READY] = "ready",
        [PLAN_RUNNING] = "running",
        [PLAN_REPLACING] = "replacing",
        [PLAN_DONE] = "done",
        [PLAN_ABANDONED] = "abandoned",
        [PLAN_PAUSED] = "paused",
    };
    _Static_assert(KW_COUNT(texts) == PLAN_STATE_MAX, "every state has a text");

    return (unsigned)state < PLAN_STATE_MAX ? texts[state] : "unknown";
}

/* --- as shown --------------------------------------------------------------------------------- */

static void view_counts(const struct store_plan *plan, struct plan_view *ret)
{
    const char *at = plan->summary;

    for (ret->n_counts = 0; ret->n_counts < VIEW_SUMMARY; ret->n_counts++) {
        struct plan_count_view *count = &ret->counts[ret->n_counts];
        if (!plan_summary_next(&at, count->kind, count->name, &count->n)) {
            return;
        }
    }
}

static void view_plan(const struct store_plan *plan, struct plan_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = (uint64_t)plan->id;
    KW_TEXT_SET(ret->state, state_text(plan->state));
    KW_TEXT_SET(ret->reason, revoke_reason_text(plan->reason));
    KW_TEXT_SET(ret->selection, plan->selection);
    kw_hex(KW_SPAN_ARRAY(plan->digest), ret->digest, sizeof(ret->digest));
    ret->replace_first = plan->replace_first;
    ret->certificates = plan->n;
    ret->done = plan->done;
    ret->passed_over = plan->passed_over;
    ret->issued_since = plan->issued_since;
    ret->created_ms = plan->created_ms;
    ret->started_ms = plan->started_ms;
    ret->ended_ms = plan->ended_ms;
    if (plan->replace_first && plan->started_ms > 0) {
        ret->deadline_ms = plan->started_ms + plan->deadline_s * 1000;
    }
    KW_TEXT_SET(ret->created_by, plan->created_by);
    KW_TEXT_SET(ret->started_by, plan->started_by);
    view_counts(plan, ret);
}

static void view_sample(const struct store_cert_brief *cert, struct plan_sample_view *ret)
{
    KW_TEXT_SET(ret->ca, cert->ca);
    kw_hex(KW_SPAN(cert->serial, cert->serial_len), ret->serial, sizeof(ret->serial));
    KW_TEXT_SET(ret->owner, cert->owner);
    KW_TEXT_SET(ret->profile, cert->profile);
    KW_TEXT_SET(ret->state, cert_state_text(cert->state));
}

static kw_status view_parties(struct kw_op *op, struct service *service,
                              const struct store_plan *plan, struct plan_view *ret)
{
    struct store_party parties[REVOCATION_PARTIES_MAX];
    unsigned n = 0;

    _Static_assert((int)VIEW_PARTIES == (int)REVOCATION_PARTIES_MAX, "all of them");
    TRY(op, enforced_parties(op, service, plan, parties, &n));
    for (ret->n_parties = 0; ret->n_parties < n; ret->n_parties++) {
        struct plan_party_view *party = &ret->parties[ret->n_parties];
        KW_TEXT_SET(party->party, parties[ret->n_parties].name);
        party->enforced_ms = parties[ret->n_parties].at_ms;
    }
    return KW_OK;
}

static kw_status answer_plan(struct kw_op *op, struct service *service,
                             const struct store_plan *plan, struct http_response *response)
{
    struct store_plan now;
    struct plan_view shown;

    view_plan(plan, &shown);
    TRY(op, revocation_get(op, service, plan->id, &now, &shown.waiting));
    shown.needs_approval = plan->state == PLAN_READY && revocation_needs_approval(service, plan);
    TRY(op, view_parties(op, service, plan, &shown));
    return rest_answer(op, &plan_view, &shown, response);
}

/* --- as asked for ----------------------------------------------------------------------------- */

/* What the wish points into. */
struct wish_room {
    struct plan_body body;
    uint8_t serial[KW_SERIAL_MAX], key[KW_HASH_BYTES];
    char owner[KW_NAME_MAX];
};

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static kw_status read_octets(struct kw_op *op, struct wish_room *room,
                             struct store_cert_filter *ret)
{
    struct kw_out serial = KW_OUT_ARRAY(room->serial), key = KW_OUT_ARRAY(room->key);
    const struct plan_body *body = &room->body;

    if (*body->serial) {
        ENSURE(op, kw_ok(kw_unhex_number(body->serial, &serial)), KW_E_INPUT,
               "'%s' is no serial number in hexadecimal", body->serial);
        ret->serial = kw_out_span(&serial);
    }
    if (*body->key) {
        ENSURE(op, kw_ok(kw_unhex(body->key, &key)) && key.len == KW_HASH_BYTES, KW_E_INPUT,
               "'%s' is no SHA-256 of a public key in hexadecimal", body->key);
        ret->key = room->key;
    }
    return KW_OK;
}

static kw_status read_wish(struct kw_op *op, struct wish_room *room, struct revocation_wish *ret)
{
    const struct plan_body *body = &room->body;

    *ret = (struct revocation_wish){
        .filter = {.owner = or_null(body->owner),
                   .ca = or_null(body->ca),
                   .profile = or_null(body->profile),
                   .product = or_null(body->product),
                   .batch = or_null(body->batch),
                   .firmware = or_null(body->firmware),
                   .firmware_from = or_null(body->firmware_from),
                   .firmware_below = or_null(body->firmware_below),
                   .subject = or_null(body->subject)},
        .hold = body->hold,
        .replace_first = body->replace_first,
        .deadline_s = (int64_t)body->deadline_hours * 3600,
        .dry_run = body->dry_run,
        .reason = body->hold ? REVOKE_CERTIFICATE_HOLD : REVOKE_UNSPECIFIED,
    };
    if (*body->reason) {
        ret->reason = revoke_reason_from_text(body->reason);
        ENSURE(op, ret->reason >= 0, KW_E_INPUT, "'%s' is no reason of a revocation", body->reason);
    }
    if (*body->device) {
        ENSURE(op, !ret->filter.owner, KW_E_INPUT, "a device is an owner: one of them is enough");
        object_write(OBJECT_DEVICE, body->device, room->owner);
        ret->filter.owner = room->owner;
    }
    return read_octets(op, room, &ret->filter);
}

REST_HANDLER(rest_plan_make)
{
    struct service *service = rest_service(ctx);
    struct wish_room room = {0};
    struct revocation_wish wish;
    struct revocation_preview preview;
    struct plan_view shown;

    TRY(op, codec_json_decode(op, request->body, plan_body.fields, plan_body.n, &room.body));
    TRY(op, read_wish(op, &room, &wish));
    TRY(op, revocation_plan(op, service, &wish, &preview));
    view_plan(&preview.plan, &shown);
    shown.needs_approval = preview.needs_approval;
    for (unsigned i = 0; i < preview.n_samples && i < VIEW_SAMPLES; i++) {
        view_sample(&preview.samples[i], &shown.samples[shown.n_samples++]);
    }
    TRY(op, view_parties(op, service, &preview.plan, &shown));
    response->status = preview.plan.id > 0 ? 201 : 200;
    return rest_answer(op, &plan_view, &shown, response);
}

static kw_status plan_of(struct kw_op *op, const struct http_request *request, int64_t *ret)
{
    const char *id = rest_param(request, "id");
    char *end = NULL;

    *ret = strtoll(id, &end, 10);
    ENSURE(op, *id && !*end && *ret > 0, KW_E_NOT_FOUND, "'%.20s' is no number of a plan", id);
    return KW_OK;
}

REST_HANDLER(rest_plan_show)
{
    struct service *service = rest_service(ctx);
    struct store_plan plan;
    uint64_t waiting = 0;
    int64_t id = 0;

    TRY(op, plan_of(op, request, &id));
    TRY(op, revocation_get(op, service, id, &plan, &waiting));
    return answer_plan(op, service, &plan, response);
}

struct run_body {
    uint64_t approval;
};
static const struct codec_field run_fields[] = {
    FIELD_INT("approval", struct run_body, approval, 0, 0, INT64_MAX, "number of its approval"),
};

REST_HANDLER(rest_plan_run)
{
    struct service *service = rest_service(ctx);
    struct keeper_approval pending = {0};
    struct run_body body = {0};
    struct store_plan plan;
    int64_t id = 0;

    TRY(op, plan_of(op, request, &id));
    TRY(op, codec_json_decode(op, request->body, run_fields, KW_COUNT(run_fields), &body));
    kw_status status = revocation_start(op, service, id, body.approval, &pending, &plan);
    if (status.code == KW_E_APPROVAL) {
        return rest_pending(op, service, status, &pending, response);
    }
    TRY(op, status);
    return answer_plan(op, service, &plan, response);
}

struct step_body {
    char reason[128];
};
static const struct codec_field step_fields[] = {
    FIELD_STRING("reason", struct step_body, reason, CODEC_REQUIRED, "why"),
};

static kw_status take_step(struct kw_op *op, void *ctx, const struct http_request *request,
                           enum revocation_step step, struct http_response *response)
{
    struct service *service = rest_service(ctx);
    struct step_body body = {0};
    struct store_plan plan;
    int64_t id = 0;

    TRY(op, plan_of(op, request, &id));
    TRY(op, codec_json_decode(op, request->body, step_fields, KW_COUNT(step_fields), &body));
    TRY(op, revocation_step(op, service, id, step, body.reason, &plan));
    return answer_plan(op, service, &plan, response);
}

REST_HANDLER(rest_plan_cancel)
{
    return take_step(op, ctx, request, REVOCATION_CANCEL, response);
}

REST_HANDLER(rest_plan_pause)
{
    return take_step(op, ctx, request, REVOCATION_PAUSE, response);
}

REST_HANDLER(rest_plan_resume)
{
    return take_step(op, ctx, request, REVOCATION_RESUME, response);
}

static void view_readmitted(const struct revocation_readmitted *done, struct readmit_view *ret)
{
    static const char *const why[] = {
        [REVOCATION_READMITTED] = "",
        [REVOCATION_AS_IT_IS] = "",
        [REVOCATION_RETIRED] = "is retired; see 'keywright device secret'",
        [REVOCATION_OTHER_BAR] = "another revocation barred it",
        [REVOCATION_MORE] = "another of its certificates was revoked, too",
    };
    _Static_assert(KW_COUNT(why) == REVOCATION_READMISSION_MAX, "every outcome has a text");
    _Static_assert((int)VIEW_READMIT == (int)REVOCATION_PIECE, "room for each");

    memset(ret, 0, sizeof(*ret));
    ret->readmitted = done->n[REVOCATION_READMITTED];
    ret->as_it_is = done->n[REVOCATION_AS_IT_IS];
    ret->left = done->n_left;
    ret->after = (uint64_t)done->after;
    for (; ret->n_devices < done->n_left; ret->n_devices++) {
        struct readmit_left_view *left = &ret->devices[ret->n_devices];
        KW_TEXT_SET(left->device, done->left[ret->n_devices].device);
        KW_TEXT_SET(left->why, why[done->left[ret->n_devices].why]);
    }
}

REST_HANDLER(rest_plan_readmit)
{
    struct revocation_readmitted done;
    struct readmit_body body = {0};
    struct readmit_view shown;
    int64_t id = 0;

    TRY(op, plan_of(op, request, &id));
    TRY(op, codec_json_decode(op, request->body, readmit_body.fields, readmit_body.n, &body));
    TRY(op, revocation_readmit(op, rest_service(ctx), id, (int64_t)body.after, body.reason,
                               body.dry_run, &done));
    view_readmitted(&done, &shown);
    return rest_answer(op, &readmit_view, &shown, response);
}

REST_HANDLER(rest_plan_list)
{
    struct service *service = rest_service(ctx);
    uint64_t after = 0, max = 0;
    struct codec_list list;
    struct store_plan plan;
    char next[24] = "";

    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &after));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    for (uint64_t i = 0; i < max; i++) {
        kw_status status = store_plan_next(op, service->store, (int64_t)after,
                                           ~(1U << PLAN_GATHERING) & 0xffU, &plan);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return codec_json_list_end(op, &list, NULL);
        }
        TRY(op, status);
        after = (uint64_t)plan.id;
        struct plan_line_view line = {
            .id = after, .certificates = plan.n, .done = plan.done, .created_ms = plan.created_ms};
        KW_TEXT_SET(line.state, state_text(plan.state));
        KW_TEXT_SET(line.reason, revoke_reason_text(plan.reason));
        KW_TEXT_SET(line.selection, plan.selection);
        TRY(op, rest_item(op, &list, &plan_line_view, &line));
    }
    (void)snprintf(next, sizeof(next), "%llu", (unsigned long long)after);
    return codec_json_list_end(op, &list, next);
}
