#include "api/device/broker.h"

#include <stdlib.h>

#include "api/device/broker_view.h"
#include "api/rest/rest.h"
#include "base/pem.h"
#include "codec/json.h"
#include "service/authorities.h"
#include "service/sync/broker.h"
#include "service/sync/feed.h"

_Static_assert((int)BROKER_VIEW_ITEMS >= (int)BROKER_ITEMS_MAX, "a view holds an answer");
_Static_assert((int)BROKER_OWNER_MAX >= (int)STORE_OWNER_MAX, "and each owner");

static void view_client(const struct broker_client *client, int64_t now_ms,
                        struct broker_item_view *ret)
{
    memcpy(ret->sha256, client->cert.fingerprint, sizeof(ret->sha256));
    KW_TEXT_SET(ret->owner, client->cert.owner);
    KW_TEXT_SET(ret->profile, client->cert.profile);
    KW_TEXT_SET(ret->state, client->state);
    ret->ends_s = client->cert.not_after;
    KW_TEXT_SET(ret->attestation, attest_verdict_text(client->cert.verdict));
    ret->level = (uint32_t)client->cert.level;
    ret->attested_until_s = client->cert.trusted_until_ms / 1000;
    if (client->changed_ms > 0) { /* at least 1: 0 is "not said", and clocks are set back */
        ret->age_ms = now_ms > client->changed_ms ? now_ms - client->changed_ms : 1;
    }
}

enum { TRUST_MAX = SERVICE_CAS_MAX + PLAN_MAX + 3 * AUTHORITIES_ROOTS_MAX };

/* Newest root first. A broker that knows an older one alone needs the links. */
static unsigned list_trust(const struct authorities *all, const struct cert *ret[TRUST_MAX])
{
    struct cert *roots[AUTHORITIES_ROOTS_MAX];
    unsigned n_roots = authorities_trusted(all, roots), n = 0;

    for (unsigned i = 0; i < n_roots; i++) {
        ret[n++] = roots[i];
    }
    for (unsigned i = 0; i < all->n_links; i++) {
        ret[n++] = all->links[i].cert;
    }
    for (unsigned i = 0; i < all->n; i++) {
        ret[n++] = all->at[i].cert;
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        ret[n++] = all->above[i].cert;
    }
    return n;
}

/* Another text where the set of CAs is another; no more is meant. */
static void mark_trust(struct service *service, uint8_t ret[KW_HASH_BYTES])
{
    AUTO(authorities) *all = service_authorities(service);
    const struct cert *certs[TRUST_MAX];
    unsigned n = all ? list_trust(all, certs) : 0;

    for (unsigned i = 0; i < n; i++) {
        const uint8_t *one = cert_sha256(certs[i]);
        for (unsigned k = 0; k < KW_HASH_BYTES; k++) {
            ret[k] ^= one[k];
        }
    }
}

static kw_status answer_view(struct kw_op *op, struct service *service,
                             const struct broker_answer *answer, struct http_response *response)
{
    struct broker_view *view = calloc(1, sizeof(*view));
    int64_t now_ms = service_now_ms();

    ENSURE(op, view, KW_E_MEMORY, "no memory for the answer");
    KW_TEXT_SET(view->log, service->config.log_origin);
    mark_trust(service, view->trust);
    view->cursor = answer->cursor;
    view->after = (uint64_t)answer->after;
    for (view->n = 0; view->n < answer->n; view->n++) {
        view_client(&answer->at[view->n], now_ms, &view->at[view->n]);
    }
    kw_status status = kw_bytes_new(4096, &response->body);
    if (kw_ok(status)) {
        status =
            codec_json_encode(op, broker_view_fields, broker_view_fields_n, view, response->body);
    }
    response->content_type = "application/json";
    free(view);
    return status;
}

/* What the query asks for. */
struct wanted {
    const char *id;
    uint64_t after, since, enforced, wait_s;
    kw_status (*take)(struct kw_op *op, struct service *service, const struct wanted *wanted,
                      struct broker_answer *ret);
};

static kw_status answer(struct kw_op *op, void *ctx, const struct wanted *wanted,
                        struct http_response *response)
{
    struct service *service = rest_service(ctx);
    struct broker_answer *found = calloc(1, sizeof(*found));

    ENSURE(op, found, KW_E_MEMORY, "no memory for the answer");
    kw_status status = wanted->take(op, service, wanted, found);
    if (kw_ok(status)) {
        status = answer_view(op, service, found, response);
    }
    free(found);
    return status;
}

static kw_status take_snapshot(struct kw_op *op, struct service *service,
                               const struct wanted *wanted, struct broker_answer *ret)
{
    return broker_snapshot(op, service, (int64_t)wanted->after, ret);
}

static kw_status take_changes(struct kw_op *op, struct service *service,
                              const struct wanted *wanted, struct broker_answer *ret)
{
    const struct broker_cursor cursor = {wanted->since, wanted->enforced};

    return broker_changes(op, service, wanted->id, &cursor, (unsigned)wanted->wait_s, ret);
}

kw_status broker_get_snapshot(struct kw_op *op, void *ctx, const struct http_request *request,
                              struct http_response *response)
{
    struct wanted wanted = {.take = take_snapshot};

    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &wanted.after));
    return answer(op, ctx, &wanted, response);
}

kw_status broker_get_changes(struct kw_op *op, void *ctx, const struct http_request *request,
                             struct http_response *response)
{
    struct wanted wanted = {.id = request->who.id, .take = take_changes};

    TRY(op, rest_query_u64(op, request, "since", 0, INT64_MAX, &wanted.since));
    TRY(op, rest_query_u64(op, request, "enforced", wanted.since, wanted.since, &wanted.enforced));
    TRY(op, rest_query_u64(op, request, "wait", 0, FEED_WAIT_MAX_S, &wanted.wait_s));
    return answer(op, ctx, &wanted, response);
}

kw_status broker_get_trust(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    AUTO(authorities) *all = service_authorities(rest_service(ctx));
    const struct cert *certs[TRUST_MAX];

    (void)request;
    ENSURE(op, all, KW_E_UNAVAILABLE, "no CAs yet");
    unsigned n = list_trust(all, certs);
    TRY(op, kw_bytes_new(8192, &response->body));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", cert_der(certs[i]), response->body));
    }
    response->content_type = "application/x-pem-file";
    return KW_OK;
}
