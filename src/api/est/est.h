/* Parts of the EST server; each translates one exchange. For api/est only. */
#ifndef API_EST_EST_H
#define API_EST_EST_H

#include "api/api.h"
#include "service/registration/enrol.h"

#define EST_HANDLER(name)                                                                          \
    kw_status name(struct kw_op *op, void *ctx, const struct http_request *request,                \
                   struct http_response *response)

EST_HANDLER(est_csrattrs);
EST_HANDLER(est_simpleenroll);
EST_HANDLER(est_simplereenroll);
EST_HANDLER(est_serverkeygen);

/* The profile that the path's label names; "" without one. KW_E_NOT_FOUND it is none: a wrong
 * address (404), before anything else. */
kw_status est_label(struct kw_op *op, struct service *service, const struct http_request *request,
                    const char **ret);
/* Who asks, as the connection proved it; borrows from request. */
struct enrol_asker est_asker(const struct http_request *request);
/* The DER in a body of base64. KW_E_INPUT. */
kw_status est_body(struct kw_op *op, struct kw_span body, struct kw_bytes **ret);
/* Answer with base64 of this DER. */
kw_status est_answer(struct kw_op *op, struct kw_span der, const char *content_type,
                     struct http_response *response);

/* Failures in plain text (RFC 8951 section 5); what waits for approval is no failure: 202 with
 * Retry-After (RFC 7030 section 4.2.3). */
extern const struct http_error_style est_errors;

#define EST_CERTS_ONLY "application/pkcs7-mime; smime-type=certs-only"

#endif
