#include "service/validation/ocsp_responder.h"

#include "crypto/digest.h"
#include "os/clock.h"
#include "service/validation/ocsp_sign.h"

enum { OCSP_MALFORMED = 1, OCSP_INTERNAL = 2, OCSP_TRY_LATER = 3, OCSP_UNAUTHORIZED = 6 };

struct kw_span ocsp_reply_failed(bool may_retry)
{
    return ocsp_answer_error(may_retry ? OCSP_TRY_LATER : OCSP_INTERNAL);
}

void ocsp_reply_release(struct ocsp_reply *reply)
{
    ocsp_entry_unref(reply->entry);
    reply->entry = NULL;
}

void ocsp_cache_forget(struct service *service)
{
    ocsp_cache_raise(service->ocsp_cache);
}

static void reply_error(int status, struct ocsp_reply *ret)
{
    *ret = (struct ocsp_reply){.der = ocsp_answer_error(status)};
}

static void reply_entry(struct ocsp_entry *entry, int64_t max_age_s, struct ocsp_reply *ret)
{
    *ret = (struct ocsp_reply){
        .der = kw_bytes_span(entry->der),
        .max_age_s = max_age_s,
        .entry = entry,
    };
}

/* --- from memory ------------------------------------------------------------------------------ */

static bool from_cache(struct service *service, const uint8_t key[KW_HASH_BYTES], bool from_store,
                       struct ocsp_reply *ret)
{
    int64_t now_s = os_clock_unix_s();
    AUTO(ocsp_entry) *entry = ocsp_cache_get(service->ocsp_cache, key, now_s);

    if (!entry || !ocsp_entry_holds(service, entry, from_store)) {
        return false;
    }
    int64_t max_age_s = entry->expires_s - now_s;
    reply_entry(TAKE(entry), max_age_s, ret);
    return true;
}

bool ocsp_respond_cached(struct service *service, const char *ca, struct kw_span request,
                         struct ocsp_reply *ret)
{
    uint8_t key[KW_HASH_BYTES];

    if (request.len > OCSP_CACHE_REQUEST_MAX) {
        return false;
    }
    digest_sha256_two(kw_span_text(ca), request, key);
    return from_cache(service, key, /* from_store= */ false, ret);
}

/* --- signed now ------------------------------------------------------------------------------- */

/* Is the question about this CA? Name and key hash are both looked at (PEERS.md: the nearest rival
 * ignores them). */
static bool asks_ca(const struct ocsp_certid *id, const struct ca *ca)
{
    struct ocsp_certid own;

    ocsp_certid_for(cert_subject(ca->cert), cert_public(ca->cert), KW_SPAN(NULL, 0), id->sha256,
                    &own);
    return ocsp_certid_same_issuer(id, &own);
}

/* A hash that we do not know hides whom it asks about: not our business either. */
static bool asks_only(const struct ocsp_query *query, const struct ca *ca)
{
    for (unsigned i = 0; i < query->n; i++) {
        if (!asks_ca(&query->at[i], ca)) {
            return false;
        }
    }
    return query->n > 0 && !query->unknown_hash;
}

static bool all_known(const struct ocsp_entry *entry)
{
    for (unsigned i = 0; i < entry->n; i++) {
        if (!entry->at[i].known) {
            return false;
        }
    }
    return true;
}

/* An answer for one asker alone (nonce), or about what may be issued at any time, is not kept. */
static bool keep(struct service *service, const char *ca, struct kw_span request,
                 const struct ocsp_query *query, struct ocsp_entry *entry)
{
    if (query->nonce_len > 0 || !all_known(entry)) {
        return false;
    }
    if (request.len <= OCSP_CACHE_REQUEST_MAX) {
        digest_sha256_two(kw_span_text(ca), request, entry->key);
        ocsp_cache_put(service->ocsp_cache, entry);
    }
    return true;
}

static kw_status answer(struct kw_op *op, struct service *service, const struct ca *ca,
                        struct kw_span request, const struct ocsp_query *query,
                        struct ocsp_reply *ret)
{
    AUTO(ocsp_entry) *entry = NULL;

    TRY(op,
        ocsp_sign(op, service, ca, query->at, query->n, KW_SPAN(query->nonce, query->nonce_len),
                  &entry),
        "OCSP answer of CA '%s'", ca->id);
    if (!entry) { /* RFC 9919: no authoritative record; never "good" for what we did not issue */
        reply_error(OCSP_UNAUTHORIZED, ret);
        return KW_OK;
    }
    bool cacheable = keep(service, ca->id, request, query, entry);
    int64_t max_age_s = cacheable ? entry->expires_s - os_clock_unix_s() : 0;
    reply_entry(TAKE(entry), max_age_s, ret);
    return KW_OK;
}

/* The loop had no memory to ask (a table that is not filled yet): with the store's word it may. */
static bool kept(struct service *service, const char *ca, struct kw_span request,
                 struct ocsp_reply *ret)
{
    uint8_t key[KW_HASH_BYTES];

    if (request.len > OCSP_CACHE_REQUEST_MAX) {
        return false;
    }
    digest_sha256_two(kw_span_text(ca), request, key);
    return from_cache(service, key, /* from_store= */ true, ret);
}

kw_status ocsp_respond(struct kw_op *op, struct service *service, const char *ca_id,
                       struct kw_span request, struct ocsp_reply *ret)
{
    struct ocsp_query query;
    AUTO(authorities) *all = service_authorities(service);
    const struct ca *ca = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, authorities_find(op, all, ca_id, &ca));
    ENSURE(op, ca->ocsp_key, KW_E_UNAVAILABLE, "CA '%s' has no OCSP signer", ca_id);
    if (kept(service, ca_id, request, ret)) {
        return KW_OK;
    }
    if (!kw_ok(ocsp_query_parse(op, request, &query))) {
        kw_op_clear(op);
        reply_error(OCSP_MALFORMED, ret);
        return KW_OK;
    }
    if (!asks_only(&query, ca)) {
        reply_error(OCSP_UNAUTHORIZED, ret);
        return KW_OK;
    }
    return answer(op, service, ca, request, &query, ret);
}
