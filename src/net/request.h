/* An HTTP request as libevent read it, checked once more and made an exchange's. For net/ only. */
#ifndef NET_REQUEST_H
#define NET_REQUEST_H

#include "net/exchange.h"

/**
 * Fill x->request (but peer_cert) from x->raw. Loop thread.
 * Errors: KW_E_INPUT the message could be read in two ways (RFC 9112 section 6.3), or has no usable
 * target; KW_E_TOO_LARGE its target does. After either the connection must be closed: where the
 * next request begins is not sure.
 */
kw_status request_read(struct kw_op *op, struct exchange *x);
/* Fill x->request where libevent gives no request: nothing of it is known but its route (NULL: not
 * even that), whose template stands for the path. */
void request_unread(struct exchange *x, const struct route *route);
/* Overwrite what may hold a registration secret: body, Authorization header, who.secret. Loop
 * thread. */
void request_wipe(struct exchange *x);

/* Where the path of "http://host/path" begins; 0: as it is. */
size_t request_origin(const char *target);
/* Split "/path?query" in place. False where it is no origin-form target (RFC 9112 section 3.2.1).
 * For tests too. */
bool request_split_target(char *target, const char **ret_path, const char **ret_query);
/* "Application/JSON; charset=utf-8" → "application/json"; "" where it does not fit. */
void request_media_type(const char *header, char *text, size_t cap);

#endif
