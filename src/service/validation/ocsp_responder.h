/* OCSP answers: pre-signed while fresh, signed on demand, never "good" for what we did not issue.
 */
#ifndef SERVICE_VALIDATION_OCSP_RESPONDER_H
#define SERVICE_VALIDATION_OCSP_RESPONDER_H

#include "service/service.h"
#include "service/validation/ocsp_cache.h"

struct ocsp_reply {
    struct kw_span der;       /* borrowed until ocsp_reply_release() */
    int64_t max_age_s;        /* for Cache-Control; 0 = do not cache */
    struct ocsp_entry *entry; /* NULL for a protocol error; lends the other headers' texts */
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
/* No cached answer from before is given any more: the responder itself is another. Revocations need
 * no such word, each answer is held against what its certificates are when it is given. */
void ocsp_cache_forget(struct service *service);

/* The thread that signs anew, before they end, the answers that are asked for. */
struct ocsp_presigner;
kw_status ocsp_presigner_start(struct kw_op *op, struct service *service,
                               struct ocsp_presigner **ret);
void ocsp_presigner_stop(struct ocsp_presigner *presigner);
/* One look through all answers, at this time; how many were renewed. */
unsigned ocsp_presign(struct service *service, int64_t now_s);

#endif
