#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "base/pem.h"
#include "service/authority/download.h"
#include "service/authority/revoke.h"

static void view(const struct store_cert *cert, struct cert_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->ca, cert->ca);
    kw_hex(KW_SPAN(cert->serial, cert->serial_len), ret->serial, sizeof(ret->serial));
    kw_hex(KW_SPAN_ARRAY(cert->fingerprint), ret->fingerprint, sizeof(ret->fingerprint));
    KW_TEXT_SET(ret->owner, cert->owner);
    KW_TEXT_SET(ret->profile, cert->profile);
    KW_TEXT_SET(ret->subject, cert->subject);
    kw_hex(KW_SPAN_ARRAY(cert->pubkey), ret->key, sizeof(ret->key));
    ret->not_before = cert->not_before;
    ret->not_after = cert->not_after;
    ret->issued_ms = cert->issued_ms;
    ret->revoked_s = cert->revoked_s;
    KW_TEXT_SET(ret->state, cert_state_text(cert->state));
    if (cert->revoked_s) {
        KW_TEXT_SET(ret->reason, revoke_reason_text(cert->reason));
    }
}

static kw_status state_from_query(struct kw_op *op, const char *text, enum cert_state *ret)
{
    *ret = 0;
    if (!text) {
        return KW_OK;
    }
    for (enum cert_state s = CERT_STATE_VALID; s <= CERT_STATE_REVOKED; s++) {
        if (strcmp(cert_state_text(s), text) == 0) {
            *ret = s;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "'%s' is no state of certificates", text);
}

/* What a query says; the filter points into it. */
struct filter_text {
    char owner[KW_NAME_MAX], ca[KW_NAME_MAX], profile[KW_NAME_MAX], subject[256],
        product[KW_NAME_MAX], batch[KW_NAME_MAX], firmware[FIRMWARE_MAX],
        firmware_from[FIRMWARE_MAX], firmware_below[FIRMWARE_MAX];
    char device[KW_NAME_MAX], serial[3 * KW_SERIAL_MAX + 4], key[VIEW_HEX], state[24], after[48];
    uint8_t serial_octets[KW_SERIAL_MAX], key_octets[KW_HASH_BYTES];
};

static kw_status read_texts(struct kw_op *op, const struct http_request *request,
                            struct filter_text *text, struct store_cert_filter *ret)
{
    const struct {
        const char *key;
        char *room;
        size_t cap;
        const char **ret;
    } texts[] = {
        {"owner",          text->owner,          sizeof(text->owner),          &ret->owner        },
        {"ca",             text->ca,             sizeof(text->ca),             &ret->ca           },
        {"profile",        text->profile,        sizeof(text->profile),        &ret->profile      },
        {"subject",        text->subject,        sizeof(text->subject),        &ret->subject      },
        {"product",        text->product,        sizeof(text->product),        &ret->product      },
        {"batch",          text->batch,          sizeof(text->batch),          &ret->batch        },
        {"firmware",       text->firmware,       sizeof(text->firmware),       &ret->firmware     },
        {"firmware_from",  text->firmware_from,  sizeof(text->firmware_from),  &ret->firmware_from},
        {"firmware_below", text->firmware_below, sizeof(text->firmware_below),
         &ret->firmware_below                                                                     },
    };

    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        TRY(op,
            rest_query_text(op, request, texts[i].key, texts[i].room, texts[i].cap, texts[i].ret));
    }
    return KW_OK;
}

static kw_status read_device(struct kw_op *op, const struct http_request *request,
                             struct filter_text *text, struct store_cert_filter *ret)
{
    const char *device = NULL;

    TRY(op, rest_query_text(op, request, "device", text->device, sizeof(text->device), &device));
    if (device) {
        ENSURE(op, !ret->owner, KW_E_INPUT, "a device is an owner: one of them is enough");
        ENSURE(op,
               snprintf(text->owner, sizeof(text->owner), "device:%s", device) <
                   (int)sizeof(text->owner),
               KW_E_INPUT, "the device id is too long");
        ret->owner = text->owner;
    }
    return KW_OK;
}

static kw_status read_octets(struct kw_op *op, const struct http_request *request,
                             struct filter_text *text, struct store_cert_filter *ret)
{
    struct kw_out serial = KW_OUT_ARRAY(text->serial_octets), key = KW_OUT_ARRAY(text->key_octets);
    const char *given = NULL;

    TRY(op, rest_query_text(op, request, "serial", text->serial, sizeof(text->serial), &given));
    if (given) {
        ENSURE(op, kw_ok(kw_unhex_number(given, &serial)), KW_E_INPUT,
               "'%s' is no serial number in hexadecimal", given);
        ret->serial = kw_out_span(&serial);
    }
    TRY(op, rest_query_text(op, request, "key", text->key, sizeof(text->key), &given));
    if (given) {
        ENSURE(op, kw_ok(kw_unhex(given, &key)) && key.len == KW_HASH_BYTES, KW_E_INPUT,
               "'%s' is no SHA-256 of a public key in hexadecimal", given);
        ret->key = text->key_octets;
    }
    return KW_OK;
}

/* What ends is asked about certificates in force, unless another state is asked for. */
static kw_status read_times(struct kw_op *op, const struct http_request *request,
                            struct store_cert_filter *ret)
{
    uint64_t days = 0, hours = 0;
    int64_t now_s = service_now_ms() / 1000;

    TRY(op, rest_query_u64(op, request, "expires_days", 0, 36500, &days));
    TRY(op, rest_query_u64(op, request, "expires_hours", 0, 876000, &hours));
    if (days || hours) {
        ret->expires_from = now_s;
        ret->expires_before = now_s + (int64_t)days * 86400 + (int64_t)hours * 3600 + 1;
        ret->state = ret->state ? ret->state : CERT_STATE_VALID;
    }
    return KW_OK;
}

/* "ROW" or "ROW-SECONDS", as a page before said. */
static kw_status read_after(struct kw_op *op, const struct http_request *request,
                            struct filter_text *text, struct store_cert_filter *ret)
{
    const char *after = NULL;
    char *end = NULL;

    TRY(op, rest_query_text(op, request, "after", text->after, sizeof(text->after), &after));
    if (!after) {
        return KW_OK;
    }
    ret->after_row = strtoll(after, &end, 10);
    if (*end == '-') {
        ret->after_s = strtoll(end + 1, &end, 10);
    }
    ENSURE(op, *end == 0 && ret->after_row >= 0, KW_E_INPUT, "'%s' is not where a page ended",
           after);
    return KW_OK;
}

static kw_status read_filter(struct kw_op *op, const struct http_request *request,
                             struct filter_text *text, struct store_cert_filter *ret)
{
    const char *state = NULL;

    TRY(op, read_texts(op, request, text, ret));
    TRY(op, read_device(op, request, text, ret));
    TRY(op, read_octets(op, request, text, ret));
    TRY(op, rest_query_text(op, request, "state", text->state, sizeof(text->state), &state));
    TRY(op, state_from_query(op, state, &ret->state));
    TRY(op, read_times(op, request, ret));
    return read_after(op, request, text, ret);
}

static kw_status add_item(struct kw_op *op, void *ctx, struct store_conn *conn,
                          const struct store_cert_ref *ref)
{
    struct store_cert cert;
    struct cert_view shown;

    TRY(op, store_cert_whole(op, conn, ref, &cert));
    view(&cert, &shown);
    return rest_item(op, ctx, &cert_view, &shown);
}

REST_HANDLER(rest_cert_list)
{
    struct filter_text text;
    struct store_cert_filter filter = {0};
    struct store_cert_cursor end = {0};
    struct codec_list list;
    char next[48];
    uint64_t max = 0;

    TRY(op, read_filter(op, request, &text, &filter));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    TRY(op, store_cert_find(op, rest_service(ctx)->store, &filter, (unsigned)max, add_item, &list,
                            &end));
    (void)snprintf(next, sizeof(next), "%lld-%lld", (long long)end.row, (long long)end.s);
    return codec_json_list_end(op, &list, end.row ? next : NULL);
}

/* /certs/{id} and /certs/{ca}/{serial} alike. */
static kw_status find(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct store_cert *ret)
{
    char id[2 * KW_NAME_MAX];
    const char *ca = kw_uri_param(&request->params, "ca");

    (void)snprintf(id, sizeof(id), "%.90s%s%.90s", ca ? ca : "", ca ? "/" : "",
                   rest_param(request, "id"));
    TRY(op, authority_find(op, rest_service(ctx), id, ret), "certificate '%s'", id);
    return KW_OK;
}

REST_HANDLER(rest_cert_show)
{
    struct store_cert cert;
    struct cert_view shown;

    TRY(op, find(op, ctx, request, &cert));
    view(&cert, &shown);
    return rest_answer(op, &cert_view, &shown, response);
}

REST_HANDLER(rest_cert_pem)
{
    struct store_cert cert;

    TRY(op, find(op, ctx, request, &cert));
    TRY(op, kw_bytes_new(2 * KW_CERT_MAX, &response->body));
    response->content_type = "application/x-pem-file";
    return kw_pem_encode("CERTIFICATE", KW_SPAN(cert.der, cert.der_len), response->body);
}

REST_HANDLER(rest_cert_download)
{
    struct store_cert cert;
    char text[16];
    const char *format = NULL;
    uint64_t chain = 0;

    TRY(op, rest_query_text(op, request, "format", text, sizeof(text), &format));
    TRY(op, rest_query_u64(op, request, "chain", 0, 1, &chain));
    TRY(op, find(op, ctx, request, &cert));
    return download_cert(op, rest_service(ctx), &cert, format ? format : "pem", chain != 0,
                         &response->body, &response->content_type);
}

struct revoke_body {
    char reason[32];
};
static const struct codec_field revoke_fields[] = {
    FIELD_STRING("reason", struct revoke_body, reason, 0,
                 "CRLReason, RFC 5280 section 5.3.1; unspecified where absent"),
};

REST_HANDLER(rest_cert_revoke)
{
    struct revoke_body body = {.reason = "unspecified"};
    struct store_cert cert;
    struct cert_view shown;

    TRY(op, codec_json_decode(op, request->body, revoke_fields, KW_COUNT(revoke_fields), &body));
    int reason = revoke_reason_from_text(body.reason);
    ENSURE(op, reason >= 0 && reason != REVOKE_CERTIFICATE_HOLD, KW_E_INPUT,
           "'%s' is no reason for a final revocation", body.reason);
    TRY(op, find(op, ctx, request, &cert));
    TRY(op, authority_revoke(op, rest_service(ctx), &cert, reason), "certificate of %s",
        cert.owner);
    TRY(op, store_cert_by_fingerprint(op, rest_service(ctx)->store, cert.fingerprint, &cert));
    view(&cert, &shown);
    return rest_answer(op, &cert_view, &shown, response);
}

/* --- on hold ---------------------------------------------------------------------------------- */

static kw_status change_hold(struct kw_op *op, void *ctx, const struct http_request *request,
                             struct http_response *response,
                             kw_status (*change)(struct kw_op *op, struct service *service,
                                                 const struct store_cert *cert))
{
    struct store_cert cert;
    struct cert_view shown;

    TRY(op, codec_json_decode(op, request->body, NULL, 0, NULL), "the body");
    TRY(op, find(op, ctx, request, &cert));
    TRY(op, change(op, rest_service(ctx), &cert), "certificate of %s", cert.owner);
    TRY(op, store_cert_by_fingerprint(op, rest_service(ctx)->store, cert.fingerprint, &cert));
    view(&cert, &shown);
    return rest_answer(op, &cert_view, &shown, response);
}

REST_HANDLER(rest_cert_hold)
{
    return change_hold(op, ctx, request, response, authority_hold);
}

REST_HANDLER(rest_cert_release)
{
    return change_hold(op, ctx, request, response, authority_release);
}
