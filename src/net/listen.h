/* Listening sockets. For net/ only. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "base/op.h"

/**
 * n sockets that listen on one address and port, between which the kernel spreads the connections.
 * ret_fds: n descriptors, the caller's; untouched on failure.  Errors: as http_server_listen().
 */
kw_status listen_open(struct kw_op *op, const char *address, uint16_t port, unsigned n,
                      int ret_fds[], uint16_t *ret_port);

#endif
