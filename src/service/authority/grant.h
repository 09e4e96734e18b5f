/* Certificates that an operator issues for somebody who does not enrol: servers, stations, people,
 * programs. Never a CA's: no profile is of one. */
#ifndef SERVICE_AUTHORITY_GRANT_H
#define SERVICE_AUTHORITY_GRANT_H

#include "service/authority/terms.h"
#include "service/service.h"

struct grant_request {
    const char *profile;
    const char *name;   /* "NAME" of the owner "station:NAME"; the operator's word */
    struct kw_span csr; /* DER */
    const char *san_dns[CERT_SAN_MAX], *san_ip[CERT_SAN_MAX]; /* the operator's; end at NULL */
};

/**
 * Issue a certificate of a profile that is asked for over REST. The request proves possession of
 * its key; its subject is never taken, its alternative names neither: the operator names them.
 * terms NULL: issue, ret is as recorded. Else explain, issue nothing, ret stays as it is.
 * Errors: KW_E_NOT_FOUND no such profile; KW_E_INPUT the request, a name, a key that the profile
 * does not take; KW_E_DENIED a profile of devices or of the server itself, an operator's name that
 * is another's, no possession; KW_E_CONFLICT the key was used before. A refusal is in the log.
 */
kw_status grant_issue(struct kw_op *op, struct service *service,
                      const struct grant_request *request, struct terms *terms,
                      struct store_cert *ret);

#endif
