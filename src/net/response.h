/* What a handler filled in, until it is on its way. For net/ only. */
#ifndef NET_RESPONSE_H
#define NET_RESPONSE_H

#include "net/http.h"

/* The octets of the body, owned or shared. */
struct kw_span response_body(const struct http_response *response);
/* Give back what the response holds, and begin anew: status 200, nothing else. */
void response_reset(struct http_response *response);

#endif
