/* OCSP answers: pre-signed while fresh, signed on demand, never "good" for what we did not issue.
 */
#ifndef SERVICE_VALIDATION_OCSP_RESPONDER_H
#define SERVICE_VALIDATION_OCSP_RESPONDER_H

#include "service/service.h"

struct ocsp_reply {
    struct kw_span der; /* borrowed until ocsp_reply_release() */
    int64_t max_age_s;  /* for Cache-Control; 0 = do not cache */
    void *entry;        /* cache's */
};
/* Only from memory, never blocks: false where it must be made. Any thread. */
bool ocsp_respond_cached(struct service *service, const char *ca, struct kw_span request,
                         struct ocsp_reply *ret);
/**
 * Answer a DER request addressed to a CA. Protocol errors are answers too (malformedRequest,
 * unauthorized), so KW_OK; KW_E_UNAVAILABLE where no status can be found out or signed (tryLater
 * goes on the wire).
 */
kw_status ocsp_respond(struct kw_op *op, struct service *service, const char *ca,
                       struct kw_span request, struct ocsp_reply *ret);
void ocsp_reply_release(struct ocsp_reply *reply);
/* What goes on the wire where no answer could be made: tryLater or internalError. Constant octets.
 */
struct kw_span ocsp_reply_failed(bool may_retry);
/* After a revocation: no cached answer from before is given any more. */
void ocsp_cache_forget(struct service *service);

kw_status ocsp_cache_new(struct kw_op *op, struct ocsp_cache **ret);
void ocsp_cache_free(struct ocsp_cache *cache);

#endif
