/* A client's TLS connection over a socket that does not block. For net/ only. */
#ifndef NET_TLS_LINK_H
#define NET_TLS_LINK_H

#include "net/tls_client.h"

struct tls_link; /* one thread at a time */

/* What came of one try. */
enum link_step {
    LINK_DONE,
    LINK_WAIT_READ,  /* again once the socket can be read … */
    LINK_WAIT_WRITE, /* … or written */
    LINK_OVER,       /* the peer has ended it in order: nothing more comes */
    LINK_BROKEN,     /* it is lost; tls_client_failure(), tls_link_fault() */
};

/* fd: borrowed, connected; must stay open until tls_link_free(). host: as for SNI and the name in
 * the server's certificate. */
kw_status tls_link_new(struct kw_op *op, struct tls_client *tls, const char *host, int fd,
                       struct tls_link **ret);
/* Says goodbye, if the connection is good. Does not block. */
void tls_link_free(struct tls_link *link);
KW_OWNED(tls_link, struct tls_link, tls_link_free)

enum link_step tls_link_handshake(struct tls_link *link);
enum link_step tls_link_read(struct tls_link *link, uint8_t *to, size_t cap, size_t *ret_n);
enum link_step tls_link_write(struct tls_link *link, struct kw_span octets, size_t *ret_n);
/* In words of OpenSSL's or the kernel's; static text. */
const char *tls_link_fault(const struct tls_link *link);
/* The exporter, the handshake being done. */
bool tls_link_export(struct tls_link *link, const char *label, uint8_t ret[HTTP_EXPORTER]);

#endif
