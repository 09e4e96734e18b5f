#include <stdio.h>

#include "api/api.h"
#include "base/b64.h"
#include "base/secret.h"
#include "model/object.h"
#include "service/validation/status.h"

enum { BASIC_MAX = 256 };

/* Whose certificate opens a door. */
static const unsigned doors[OBJECT_KIND_MAX] = {
    [OBJECT_DEVICE] = AUTH_DEVICE,
    [OBJECT_OPERATOR] = AUTH_OPERATOR,
    [OBJECT_STATION] = AUTH_STATION,
    [OBJECT_BROKER] = AUTH_BROKER,
};

static kw_status name_owner(struct kw_op *op, const struct store_cert_status *status,
                            struct http_principal *ret)
{
    enum object_kind kind = object_kind(status->owner);

    ENSURE(op, doors[kind], KW_E_DENIED, "a certificate of '%s' does not open this door",
           status->owner);
    ret->kind = doors[kind];
    KW_TEXT_SET(ret->id, object_name(kind, status->owner));
    KW_TEXT_SET(ret->owner, status->owner);
    KW_TEXT_SET(ret->profile, status->profile);
    ret->cert_row = status->row;
    KW_TEXT_SET(op->principal, status->owner);
    return KW_OK;
}

/* RFC 7030 section 3.7: an RA shows id-kp-cmcRA; the name alone makes none. */
static kw_status check_station(struct kw_op *op, const struct cert *cert)
{
    static const char cmc_ra[] = "1.3.6.1.5.5.7.3.28";

    for (unsigned i = 0; i < cert_eku_count(cert); i++) {
        if (strcmp(cert_eku(cert, i), cmc_ra) == 0) {
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_DENIED, "a station's certificate must have the key purpose id-kp-cmcRA");
}

/* One that has ended renews itself, where its profile lets it, and does nothing else. */
static kw_status check_status(struct kw_op *op, struct api *api, const struct cert *cert,
                              unsigned allowed, struct store_cert_status *ret)
{
    int64_t now_s = service_now_ms() / 1000;

    return (allowed & AUTH_EXPIRED) && now_s > cert_not_after(cert)
               ? status_check_late(op, api->service, cert, now_s, ret)
               : status_check(op, api->service, cert, now_s, ret);
}

static kw_status by_certificate(struct kw_op *op, struct api *api,
                                const struct http_request *request, unsigned allowed,
                                struct http_principal *ret)
{
    struct store_cert_status status;

    TRY(op, check_status(op, api, request->peer_cert, allowed, &status));
    TRY(op, name_owner(op, &status, ret));
    if (service_now_ms() / 1000 > status.not_after) {
        ENSURE(op, ret->kind == AUTH_DEVICE && (allowed & AUTH_EXPIRED), KW_E_EXPIRED,
               "the certificate has ended");
        ret->kind = AUTH_EXPIRED;
    }
    return ret->kind == AUTH_STATION ? check_station(op, request->peer_cert) : KW_OK;
}

/* The last colon parts them: a device id may be a MAC address, no secret of ours has one. */
static kw_status split_basic(struct kw_op *op, const char *text, struct http_principal *ret)
{
    const char *colon = strrchr(text, ':');

    ENSURE(op, colon && colon != text, KW_E_AUTH, "HTTP Basic without a device id");
    int n = snprintf(ret->id, sizeof(ret->id), "%.*s", (int)(colon - text), text);
    ENSURE(op, n < (int)sizeof(ret->id) && KW_TEXT_SET(ret->secret, colon + 1), KW_E_AUTH,
           "device id or registration secret is wrong");
    ret->kind = AUTH_SECRET;
    object_write(OBJECT_DEVICE, ret->id, op->principal);
    return KW_OK;
}

static kw_status by_basic(struct kw_op *op, const char *header, struct http_principal *ret)
{
    static const char scheme[] = "Basic ";
    AUTO(kw_bytes) *decoded = NULL;
    char text[BASIC_MAX];

    ENSURE(op, strncasecmp(header, scheme, sizeof(scheme) - 1) == 0, KW_E_AUTH,
           "only HTTP Basic is taken here");
    ENSURE(op,
           kw_ok(kw_b64_decode(kw_span_text(header + sizeof(scheme) - 1), BASIC_MAX - 1, &decoded)),
           KW_E_AUTH, "HTTP Basic that is not base64");
    (void)snprintf(text, sizeof(text), "%.*s", (int)decoded->len, (const char *)decoded->p);
    kw_status status = split_basic(op, text, ret);
    kw_wipe(text, sizeof(text));
    kw_wipe(decoded->p, decoded->len);
    return status;
}

kw_status api_authenticate(struct kw_op *op, void *ctx, const struct http_request *request,
                           unsigned allowed, struct http_principal *ret)
{
    const char *authorization = NULL;

    memset(ret, 0, sizeof(*ret));
    if (!request->peer_cert && (allowed & AUTH_SECRET)) {
        authorization = request->header(request, "Authorization");
    }
    if (request->peer_cert) { /* a certificate that was shown must be good, also where none is
                                 needed */
        TRY(op, by_certificate(op, ctx, request, allowed, ret));
    } else if (authorization) {
        TRY(op, by_basic(op, authorization, ret));
    } else {
        ret->kind = AUTH_NONE;
    }
    if ((ret->kind & allowed) || (allowed & AUTH_NONE)) {
        return KW_OK;
    }
    ENSURE(op, ret->kind != AUTH_NONE, KW_E_AUTH,
           "who asks must be proven by a client certificate%s",
           allowed & AUTH_SECRET ? " or a registration secret" : "");
    return FAIL(op, KW_E_DENIED, "'%s' may not do this", ret->id);
}

kw_status api_judge_client(struct kw_op *op, void *ctx, const struct cert *client)
{
    struct store_cert_status status;

    /* What TLS lets through after its end (tls_server_config) is judged again at each request. */
    return status_check_late(op, ctx, client, service_now_ms() / 1000, &status);
}
