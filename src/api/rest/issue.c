/* Certificates by an operator's word. */
#include <arpa/inet.h>
#include <stdio.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "base/pem.h"
#include "service/authority/grant.h"
#include "service/registration/enrol.h"

struct issue_body {
    char profile[KW_NAME_MAX], name[KW_NAME_MAX], device[KW_NAME_MAX], csr[2 * KW_CSR_MAX];
    uint32_t n_san;
    char san[CERT_SAN_MAX][CERT_NAME_TEXT];
};
static const struct codec_field issue_fields[] = {
    FIELD_STRING("profile", struct issue_body, profile, CODEC_REQUIRED, "profile"),
    FIELD_STRING("name", struct issue_body, name, 0,
                 "whose it is: NAME of the owner 'station:NAME'"),
    FIELD_STRING("device", struct issue_body, device, 0, "only to explain: the device's id"),
    FIELD_STRING("csr", struct issue_body, csr, CODEC_REQUIRED | CODEC_LINES,
                 "certification request, PEM"),
    FIELD_STRINGS("san", struct issue_body, san, n_san, 0,
                  "alternative names: dns:NAME, ip:ADDRESS"),
};

static bool is_address(const char *text)
{
    struct in6_addr room;

    return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1;
}

/* "dns:gate", "ip:10.0.0.1", or without a word in front, where what it is can be seen. */
static kw_status put_san(struct kw_op *op, const char *text, struct grant_request *ret,
                         unsigned *n_dns, unsigned *n_ip)
{
    bool dns = strncmp(text, "dns:", 4) == 0, ip = strncmp(text, "ip:", 3) == 0;
    const char *name = text + (dns ? 4 : ip ? 3 : 0);

    ENSURE(op, *name && (dns || ip || !strchr(name, ':') || is_address(name)), KW_E_INPUT,
           "'%.80s' is no alternative name: dns:NAME or ip:ADDRESS", text);
    if (ip || (!dns && is_address(name))) {
        ret->san_ip[(*n_ip)++] = name;
    } else {
        ret->san_dns[(*n_dns)++] = name;
    }
    return KW_OK;
}

/* ret borrows from the body; the caller frees *keep after it. */
static kw_status read_body(struct kw_op *op, struct issue_body *body, struct kw_bytes **keep,
                           struct grant_request *ret)
{
    unsigned n_dns = 0, n_ip = 0;

    ENSURE(op, csr_find_pem(kw_span_text(body->csr), keep), KW_E_INPUT,
           "the field csr holds no certification request in PEM");
    *ret = (struct grant_request){
        .profile = body->profile, .name = body->name, .csr = kw_bytes_span(*keep)};
    for (uint32_t i = 0; i < body->n_san; i++) {
        TRY(op, put_san(op, body->san[i], ret, &n_dns, &n_ip));
    }
    return KW_OK;
}

static kw_status view(struct kw_op *op, const struct store_cert *cert, struct issued_view *ret)
{
    AUTO(kw_bytes) *pem = NULL;

    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->ca, cert->ca);
    kw_hex(KW_SPAN(cert->serial, cert->serial_len), ret->serial, sizeof(ret->serial));
    kw_hex(KW_SPAN_ARRAY(cert->fingerprint), ret->fingerprint, sizeof(ret->fingerprint));
    KW_TEXT_SET(ret->owner, cert->owner);
    KW_TEXT_SET(ret->profile, cert->profile);
    KW_TEXT_SET(ret->subject, cert->subject);
    ret->not_after = cert->not_after;
    TRY(op, kw_bytes_new(sizeof(ret->pem), &pem));
    TRY(op, kw_pem_encode("CERTIFICATE", KW_SPAN(cert->der, cert->der_len), pem));
    ENSURE(op, pem->len < sizeof(ret->pem), KW_E_TOO_LARGE, "a certificate of %zu octets",
           pem->len);
    memcpy(ret->pem, pem->p, pem->len);
    return KW_OK;
}

REST_HANDLER(rest_cert_issue)
{
    struct issue_body body = {0};
    struct grant_request wish;
    struct store_cert cert;
    struct issued_view shown;
    AUTO(kw_bytes) *csr = NULL;

    TRY(op, codec_json_decode(op, request->body, issue_fields, KW_COUNT(issue_fields), &body));
    TRY(op, read_body(op, &body, &csr, &wish));
    TRY(op, grant_issue(op, rest_service(ctx), &wish, NULL, &cert), "certificate for '%s'",
        body.name);
    TRY(op, view(op, &cert, &shown));
    response->status = 201;
    return rest_answer(op, &issued_view, &shown, response);
}

/* --- explained -------------------------------------------------------------------------------- */

static kw_status explain(struct kw_op *op, struct service *service, const struct issue_body *body,
                         const struct grant_request *wish, struct terms *terms)
{
    const struct bound_profile *profile = NULL;
    struct enrol_request asked;
    struct store_cert none;
    AUTO(csr) *csr = NULL;

    if (!*body->device) {
        return grant_issue(op, service, wish, terms, &none);
    }
    TRY(op, service_profile(op, service, body->profile, &profile));
    TRY(op, enrol_request_from_csr(op, wish->csr, &csr, &asked));
    return enrol_explain(op, service, body->device, &profile->data, csr, terms);
}

REST_HANDLER(rest_profile_check)
{
    struct issue_body body = {0};
    struct grant_request wish;
    struct codec_list list;
    struct terms terms = {0};
    AUTO(kw_bytes) *csr = NULL;

    TRY(op, codec_json_decode(op, request->body, issue_fields, KW_COUNT(issue_fields), &body));
    TRY(op, read_body(op, &body, &csr, &wish));
    TRY(op, explain(op, rest_service(ctx), &body, &wish, &terms));
    TRY(op, rest_list(op, response, &list));
    for (unsigned i = 0; i < terms.n; i++) {
        TRY(op, rest_item(op, &list, &terms_view, &terms.lines[i]));
    }
    return codec_json_list_end(op, &list, NULL);
}
