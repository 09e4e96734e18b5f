/* csrattrs (RFC 7030 section 4.5, RFC 9908): what the profile's requests shall look like. */
#include "api/est/est.h"

EST_HANDLER(est_csrattrs)
{
    struct service *service = ((struct api *)ctx)->service;
    const struct enrol_asker asker = est_asker(request);
    const char *name = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, est_label(op, service, request, &name));
    TRY(op, enrol_attributes(op, service, &asker, name, &der));
    return est_answer(op, kw_bytes_span(der), "application/csrattrs", response);
}
