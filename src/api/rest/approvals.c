#include "service/approvals/approvals.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/approvals/roster.h"

/* --- as shown --------------------------------------------------------------------------------- */

static void view_signers(const struct keeper_approval *approval, struct approval_view *ret)
{
    for (ret->n_signers = 0; ret->n_signers < approval->n; ret->n_signers++) {
        struct approval_signer_view *signer = &ret->signers[ret->n_signers];
        KW_TEXT_SET(signer->name, approval->signers[ret->n_signers].name);
        KW_TEXT_SET(signer->verdict,
                    approval_verdict_text(approval->signers[ret->n_signers].verdict));
        signer->time_s = approval->signers[ret->n_signers].unix_s;
    }
}

static void view(const struct keeper_approval *approval, const struct roster *roster,
                 struct approval_view *ret)
{
    const struct approval_description *what = &approval->what;

    memset(ret, 0, sizeof(*ret));
    ret->id = approval->number;
    KW_TEXT_SET(ret->state, approval_state_text(approval->state));
    KW_TEXT_SET(ret->operation, approval_op_text(what->subject.op));
    KW_TEXT_SET(ret->key, what->subject.key_id);
    KW_TEXT_SET(ret->requester, what->requester);
    ret->opened_s = what->opened;
    ret->deadline_s = what->deadline;
    ret->have = approval->have;
    ret->needed = approval->needed;
    (void)approval_roles_text(what->roles, ret->roles);
    approval_missing(approval, roster, ret->missing);
    KW_TEXT_SET(ret->text, approval->text);
    view_signers(approval, ret);
}

static kw_status answer(struct kw_op *op, struct service *service,
                        const struct keeper_approval *approval, struct http_response *response)
{
    struct approval_view shown;
    struct roster roster;

    uint64_t place = approval->number / APPROVAL_VAULT_STEP;

    ENSURE(op, place < service->n_vaults, KW_E_INTERNAL, "no such vault");
    TRY(op, keeper_roster(op, service->vaults[place], &roster));
    view(approval, &roster, &shown);
    return rest_answer(op, &approval_view, &shown, response);
}

kw_status rest_pending(struct kw_op *op, struct service *service, kw_status status,
                       const struct keeper_approval *pending, struct http_response *response)
{
    if (status.code != KW_E_APPROVAL || pending->what.id == 0) {
        return status;
    }
    kw_op_clear(op);
    response->status = 202;
    return answer(op, service, pending, response);
}

REST_HANDLER(rest_approval_list)
{
    struct service *service = rest_service(ctx);
    struct codec_list list;
    struct keeper_approval approval;
    struct approval_view shown;
    struct roster roster;
    uint64_t from = 0, max = 0;
    char next[24] = "";

    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &from));
    TRY(op, rest_query_u64(op, request, "max", VIEW_APPROVALS, VIEW_APPROVALS, &max));
    TRY(op, rest_list(op, response, &list));
    for (uint64_t i = 0; i < max; i++) {
        kw_status status = approval_get(op, service, from + 1, /* next= */ true, &approval);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return codec_json_list_end(op, &list, NULL);
        }
        TRY(op, status);
        from = approval.number;
        uint64_t place = from / APPROVAL_VAULT_STEP;
        ENSURE(op, place < service->n_vaults, KW_E_INTERNAL, "no such vault");
        TRY(op, keeper_roster(op, service->vaults[place], &roster));
        view(&approval, &roster, &shown);
        TRY(op, rest_item(op, &list, &approval_view, &shown));
    }
    (void)snprintf(next, sizeof(next), "%llu", (unsigned long long)from);
    return codec_json_list_end(op, &list, next);
}

static kw_status id_of(struct kw_op *op, const struct http_request *request, uint64_t *ret)
{
    const char *text = rest_param(request, "id");
    char *end = NULL;

    *ret = strtoull(text, &end, 10);
    ENSURE(op, *text >= '1' && *text <= '9' && *end == '\0', KW_E_NOT_FOUND,
           "there is no request '%.20s'", text);
    return KW_OK;
}

REST_HANDLER(rest_approval_show)
{
    struct keeper_approval approval;
    uint64_t id = 0;

    TRY(op, id_of(op, request, &id));
    TRY(op, approval_get(op, rest_service(ctx), id, /* next= */ false, &approval));
    return answer(op, rest_service(ctx), &approval, response);
}

/* --- signatures ------------------------------------------------------------------------------- */

static const char *const verdict_names[] = {
    [0] = NULL,
    [APPROVAL_REQUEST] = "request",
    [APPROVAL_APPROVE] = "approve",
    [APPROVAL_REJECT] = "reject",
};
struct signature_body {
    enum approval_verdict verdict;
    char name[KW_NAME_MAX];
    uint8_t signature[KW_SIG_MAX];
    uint32_t n;
};
static const struct codec_field signature_fields[] = {
    FIELD_ENUM("verdict", struct signature_body, verdict, CODEC_REQUIRED, verdict_names,
               "request, approve or reject"),
    FIELD_STRING("name", struct signature_body, name, CODEC_REQUIRED, "who signs"),
    FIELD_B64("signature", struct signature_body, signature, n, CODEC_REQUIRED,
              "over the verdict's line and the text"),
};

REST_HANDLER(rest_approval_sign)
{
    struct signature_body body = {0};
    struct keeper_approval approval;
    uint64_t id = 0;

    TRY(op, id_of(op, request, &id));
    TRY(op,
        codec_json_decode(op, request->body, signature_fields, KW_COUNT(signature_fields), &body));
    TRY(op, approval_hand_in(op, rest_service(ctx), id, body.verdict, body.name,
                             KW_SPAN(body.signature, body.n), &approval));
    return answer(op, rest_service(ctx), &approval, response);
}

REST_HANDLER(rest_approval_run)
{
    struct keeper_approval approval;
    uint64_t id = 0;

    TRY(op, rest_no_body(op, request));
    TRY(op, id_of(op, request, &id));
    TRY(op, approval_run(op, rest_service(ctx), id, &approval));
    return answer(op, rest_service(ctx), &approval, response);
}

/* --- the roster ------------------------------------------------------------------------------- */

static void view_roster(const struct roster *roster, struct roster_view *ret)
{
    uint8_t hash[KW_HASH_BYTES];

    memset(ret, 0, sizeof(*ret));
    for (ret->n = 0; ret->n < roster->n; ret->n++) {
        const struct approver *who = &roster->at[ret->n];
        KW_TEXT_SET(ret->people[ret->n].name, who->name);
        (void)approval_roles_text(who->roles, ret->people[ret->n].roles);
        roster_key_hash(who, hash);
        kw_hex(KW_SPAN_ARRAY(hash), ret->people[ret->n].spki, VIEW_HEX);
    }
    for (ret->n_rules = 0; ret->n_rules < roster->n_rules; ret->n_rules++) {
        const struct approval_rule *rule = &roster->rules[ret->n_rules];
        struct rule_view *shown = &ret->rules[ret->n_rules];
        bool any = rule->class_ == KEY_CLASS_NONE;
        KW_TEXT_SET(shown->operation, approval_op_text(rule->op));
        KW_TEXT_SET(shown->class_, any ? "any" : key_class_text(rule->class_));
        shown->needed = rule->needed;
        (void)approval_roles_text(rule->roles, shown->roles);
        shown->deadline_s = rule->deadline_s;
        shown->can_be_met = roster_can_meet(roster, rule);
    }
}

/* Query `vault`, the first one where absent: each has its own people and rules. */
static kw_status vault_of(struct kw_op *op, struct service *service,
                          const struct http_request *request, struct keeper **ret)
{
    char name[KW_NAME_MAX];
    const char *given = NULL;

    TRY(op, rest_query_text(op, request, "vault", name, sizeof(name), &given));
    return service_vault(op, service, given ? given : "main", ret);
}

REST_HANDLER(rest_roster_show)
{
    struct roster roster;
    struct roster_view shown;
    struct keeper *keeper = NULL;

    TRY(op, vault_of(op, rest_service(ctx), request, &keeper));
    TRY(op, keeper_roster(op, keeper, &roster));
    view_roster(&roster, &shown);
    return rest_answer(op, &roster_view, &shown, response);
}

struct person_body {
    char name[KW_NAME_MAX], roles[ROLE_TEXT_MAX];
    uint8_t spki[ROSTER_SPKI_MAX];
    uint32_t n;
};
static const struct codec_field person_fields[] = {
    FIELD_STRING("name", struct person_body, name, CODEC_REQUIRED, "who"),
    FIELD_STRING("roles", struct person_body, roles, CODEC_REQUIRED,
                 "security-officer, release-manager, operator, auditor; with commas"),
    FIELD_B64("public_key", struct person_body, spki, n, CODEC_REQUIRED,
              "DER SubjectPublicKeyInfo"),
};

REST_HANDLER(rest_roster_enroll)
{
    struct service *service = rest_service(ctx);
    struct person_body body = {0};
    struct keeper_approval pending = {0};
    struct keeper *keeper = NULL;

    TRY(op, codec_json_decode(op, request->body, person_fields, KW_COUNT(person_fields), &body));
    uint32_t roles = approval_roles_from_text(body.roles);
    ENSURE(op, roles != 0, KW_E_INPUT, "'%.60s' are no roles", body.roles);
    TRY(op, vault_of(op, service, request, &keeper));
    kw_status status =
        roster_enroll(op, service, keeper, body.name, roles, KW_SPAN(body.spki, body.n), &pending);
    TRY(op, rest_pending(op, service, status, &pending, response));
    return KW_OK;
}

REST_HANDLER(rest_roster_dismiss)
{
    struct service *service = rest_service(ctx);
    struct keeper_approval pending = {0};
    struct keeper *keeper = NULL;

    TRY(op, rest_no_body(op, request));
    TRY(op, vault_of(op, service, request, &keeper));
    kw_status status = roster_dismiss(op, service, keeper, rest_param(request, "name"), &pending);
    TRY(op, rest_pending(op, service, status, &pending, response));
    return KW_OK;
}

struct rule_body {
    char operation[24], class_[24], roles[ROLE_TEXT_MAX];
    uint32_t needed, deadline_s;
};
static const struct codec_field rule_body_fields[] = {
    FIELD_STRING("operation", struct rule_body, operation, CODEC_REQUIRED, "which operation"),
    FIELD_STRING("class", struct rule_body, class_, 0, "of which keys; any where absent"),
    FIELD_INT("needed", struct rule_body, needed, CODEC_REQUIRED, 0, ROSTER_NEEDED_MAX,
              "approvals, besides who asks"),
    FIELD_STRING("roles", struct rule_body, roles, CODEC_REQUIRED, "of one of these roles"),
    FIELD_INT("deadline_s", struct rule_body, deadline_s, CODEC_REQUIRED, ROSTER_DEADLINE_MIN_S,
              ROSTER_DEADLINE_MAX_S, "seconds from the request on"),
};

static kw_status read_rule(struct kw_op *op, const struct rule_body *body,
                           struct approval_rule *ret)
{
    bool any = body->class_[0] == '\0' || strcmp(body->class_, "any") == 0;

    *ret =
        (struct approval_rule){.op = approval_op_from_text(body->operation),
                               .class_ = any ? KEY_CLASS_NONE : key_class_from_text(body->class_),
                               .needed = body->needed,
                               .roles = approval_roles_from_text(body->roles),
                               .deadline_s = body->deadline_s};
    ENSURE(op, ret->op != APPROVE_NONE, KW_E_INPUT, "'%s' is no operation that needs approval",
           body->operation);
    ENSURE(op, any || ret->class_ != KEY_CLASS_NONE, KW_E_INPUT, "'%s' is no class of keys",
           body->class_);
    ENSURE(op, ret->roles != 0, KW_E_INPUT, "'%.60s' are no roles", body->roles);
    return KW_OK;
}

REST_HANDLER(rest_roster_rule)
{
    struct service *service = rest_service(ctx);
    struct rule_body body = {0};
    struct approval_rule rule;
    struct keeper_approval pending = {0};
    struct keeper *keeper = NULL;

    TRY(op,
        codec_json_decode(op, request->body, rule_body_fields, KW_COUNT(rule_body_fields), &body));
    TRY(op, read_rule(op, &body, &rule));
    TRY(op, vault_of(op, service, request, &keeper));
    kw_status status = roster_set_rule(op, service, keeper, &rule, &pending);
    TRY(op, rest_pending(op, service, status, &pending, response));
    return KW_OK;
}
