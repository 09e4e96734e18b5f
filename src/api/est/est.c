/* Enrolment over Secure Transport (RFC 7030, RFC 8951, RFC 9908): translation only. */
#include "api/est/est.h"
#include "service/authority/chain.h"

enum { EST_DEADLINE_MS = 10000 };

/* GET cacerts (RFC 7030 section 4.1): every issuing CA of ours, then the root. */
static EST_HANDLER(cacerts)
{
    struct service *service = ((struct api *)ctx)->service;
    const char *name = NULL;
    AUTO(kw_bytes) *cms = NULL;

    TRY(op, est_label(op, service, request, &name));
    TRY(op, chain_of_cas(op, service, &cms));
    return est_answer(op, kw_bytes_span(cms), EST_CERTS_ONLY, response);
}

#define EST "/.well-known/est"
#define PKCS10 "application/pkcs10"
#define FIRST (AUTH_SECRET | AUTH_DEVICE | AUTH_STATION)
#define MADE (AUTH_SECRET | AUTH_DEVICE)
#define AGAIN (AUTH_DEVICE | AUTH_EXPIRED)

/* clang-format off */
const struct route est_routes[] = {
    {HTTP_GET,  EST "/cacerts",                AUTH_NONE, NULL,   0,               EST_DEADLINE_MS, 0,             cacerts,            &est_errors, "CA certificates"},
    {HTTP_GET,  EST "/{label}/cacerts",        AUTH_NONE, NULL,   0,               EST_DEADLINE_MS, 0,             cacerts,            &est_errors, "CA certificates"},
    {HTTP_GET,  EST "/csrattrs",               AUTH_NONE, NULL,   0,               EST_DEADLINE_MS, 0,             est_csrattrs,       &est_errors, "attributes wanted in requests"},
    {HTTP_GET,  EST "/{label}/csrattrs",       AUTH_NONE, NULL,   0,               EST_DEADLINE_MS, 0,             est_csrattrs,       &est_errors, "attributes wanted in requests for a profile"},
    {HTTP_POST, EST "/simpleenroll",           FIRST,     PKCS10, KW_EST_BODY_MAX, EST_DEADLINE_MS, ROUTE_BINDING, est_simpleenroll,   &est_errors, "first certificate, profile by the proof"},
    {HTTP_POST, EST "/{label}/simpleenroll",   FIRST,     PKCS10, KW_EST_BODY_MAX, EST_DEADLINE_MS, ROUTE_BINDING, est_simpleenroll,   &est_errors, "first certificate of a profile"},
    {HTTP_POST, EST "/simplereenroll",         AGAIN,     PKCS10, KW_EST_BODY_MAX, EST_DEADLINE_MS, ROUTE_BINDING, est_simplereenroll, &est_errors, "renewal of the connection's certificate"},
    {HTTP_POST, EST "/{label}/simplereenroll", AGAIN,     PKCS10, KW_EST_BODY_MAX, EST_DEADLINE_MS, ROUTE_BINDING, est_simplereenroll, &est_errors, "renewal of the connection's certificate"},
    {HTTP_POST, EST "/serverkeygen",           MADE,      PKCS10, KW_EST_BODY_MAX, EST_DEADLINE_MS, ROUTE_BINDING, est_serverkeygen,   &est_errors, "key made by the server, encrypted, and its certificate"},
    {HTTP_POST, EST "/{label}/serverkeygen",   MADE,      PKCS10, KW_EST_BODY_MAX, EST_DEADLINE_MS, ROUTE_BINDING, est_serverkeygen,   &est_errors, "key made by the server, encrypted, and its certificate"},
};
/* clang-format on */
const unsigned est_routes_n = KW_COUNT(est_routes);
