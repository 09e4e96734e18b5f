/* Vaults: how they are, sealing and rekeying. Opening needs a secret, which never comes this way.
 */
#include <stdio.h>

#include "api/rest/rest.h"
#include "service/approvals/approvals.h"

static kw_status record(struct kw_op *op, struct service *service, enum event_type type,
                        const char *name, const char *detail)
{
    struct event event = {.type = type};

    (void)snprintf(event.object, sizeof(event.object), "vault:%.60s", name);
    (void)snprintf(event.detail, sizeof(event.detail), "%s", detail);
    return service_record_alone(op, service, &event);
}

static void view(const struct service *service, unsigned i, struct vault_view *ret)
{
    struct keeper_vault_status status;
    struct kw_op look;

    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->name, service->config.vaults[i].name);
    KW_TEXT_SET(ret->state, "away");
    ret->restarts = keeper_restarts(service->vaults[i]);
    kw_op_init(&look, "system", 0);
    if (!kw_ok(service_vault_status(&look, service, i, &status))) {
        return;
    }
    KW_TEXT_SET(ret->state, status.open ? "open" : "sealed");
    KW_TEXT_SET(ret->method, status.method);
    KW_TEXT_SET(ret->custody, status.custody);
    ret->given = status.given;
    ret->needed = status.needed;
    ret->generation = status.generation;
}

REST_HANDLER(rest_vault_list)
{
    struct service *service = rest_service(ctx);
    struct codec_list list;
    struct vault_view shown;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    for (unsigned i = 0; i < service->n_vaults; i++) {
        view(service, i, &shown);
        TRY(op, rest_item(op, &list, &vault_view, &shown));
    }
    return codec_json_list_end(op, &list, NULL);
}

static kw_status answer_one(struct kw_op *op, struct service *service, const struct keeper *keeper,
                            struct http_response *response)
{
    struct vault_view shown = {0};

    for (unsigned i = 0; i < service->n_vaults; i++) {
        if (service->vaults[i] == keeper) {
            view(service, i, &shown);
        }
    }
    return rest_answer(op, &vault_view, &shown, response);
}

REST_HANDLER(rest_vault_seal)
{
    struct service *service = rest_service(ctx);
    struct keeper *keeper = NULL;
    const char *name = rest_param(request, "vault");

    TRY(op, rest_no_body(op, request));
    TRY(op, service_vault(op, service, name, &keeper));
    TRY(op, record(op, service, EVENT_VAULT_SEAL, name, "an operator seals it"));
    TRY(op, keeper_vault_seal(op, keeper));
    return answer_one(op, service, keeper, response);
}

struct rekey_body {
    bool new_secret;
    uint64_t approval;
};
static const struct codec_field rekey_fields[] = {
    FIELD_BOOL("new_secret", struct rekey_body, new_secret, 0, "a new secret will be given"),
    FIELD_INT("approval", struct rekey_body, approval, 0, 0, INT64_MAX, "number of the approval"),
};

/* Nothing runs it once it is approved: a person then comes with the number, and the new secret. */
static kw_status ask(struct kw_op *op, struct service *service, kw_status status,
                     struct http_response *response)
{
    const struct approval_subject subject =
        approval_subject_of(APPROVE_VAULT_SHARES, KEY_CLASS_NONE, NULL);
    struct keeper_approval pending = {0};

    kw_op_clear(op);
    TRY(op, approval_ask(op, service, &subject, (struct kw_span){0}, &pending));
    return rest_pending(op, service, status, &pending, response);
}

REST_HANDLER(rest_vault_rekey)
{
    struct service *service = rest_service(ctx);
    struct rekey_body body = {0};
    struct keeper *keeper = NULL;
    const char *name = rest_param(request, "vault");
    uint32_t generation = 0;

    TRY(op, codec_json_decode(op, request->body, rekey_fields, KW_COUNT(rekey_fields), &body));
    TRY(op, service_vault(op, service, name, &keeper));
    kw_status status = keeper_vault_rekey(op, keeper, body.new_secret, body.approval, &generation);
    if (status.code == KW_E_APPROVAL && body.approval == 0 && keeper == service->keeper) {
        return ask(op, service, status, response);
    }
    TRY(op, status);
    TRY(op, record(op, service, EVENT_VAULT_REKEY, name,
                   body.new_secret ? "a new secret may be given" : "sealed under a new key"));
    return answer_one(op, service, keeper, response);
}
