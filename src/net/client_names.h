/* Addresses of a host, within a time. For net/ only. */
#ifndef NET_CLIENT_NAMES_H
#define NET_CLIENT_NAMES_H

#include <netdb.h>

#include "base/bytes.h"
#include "base/op.h"

KW_OWNED(addresses, struct addrinfo, freeaddrinfo)

/**
 * By the system's own ways (hosts file, nsswitch), in the order of RFC 6724. getaddrinfo() has no
 * limit of time, so that it runs in a thread of its own, which is left behind where it takes longer
 * and ends by itself. Addresses in figures need none.
 *
 * until_ms  monotonic clock
 * Errors: KW_E_UNAVAILABLE no address, KW_E_TIMEOUT, KW_E_MEMORY.
 */
kw_status client_find_addresses(struct kw_op *op, const char *host, unsigned port, int64_t until_ms,
                                struct addrinfo **ret);

#endif
