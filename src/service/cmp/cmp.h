/* The Certificate Management Protocol (RFC 9810 with the profile of RFC 9483): docs/CMP.md. */
#ifndef SERVICE_CMP_CMP_H
#define SERVICE_CMP_CMP_H

#include "service/service.h"

/**
 * Answer one PKIMessage. What is wrong with it is said in an answer too (protected, with the
 * failure's bit), so KW_OK.
 *
 * profile    of the address, "" = what the proof leads to
 * operation  of the address (RFC 9483 section 6.1: "initialization", …); "" = any
 * Errors  KW_E_INPUT it is no PKIMessage; KW_E_NOT_FOUND no such profile or operation;
 *         KW_E_UNSUPPORTED this server has no signer for CMP; KW_E_UNAVAILABLE and its like: no
 *         answer could be made.
 */
kw_status cmp_serve(struct kw_op *op, struct service *service, const char *profile,
                    const char *operation, struct kw_span message, struct kw_bytes **ret);
/**
 * End the transactions whose time is over; certificates that nobody confirmed are revoked. Each is
 * tried, whatever becomes of the others; the first failure is returned.
 */
kw_status cmp_settle(struct kw_op *op, struct service *service, int64_t now_ms);

#endif
