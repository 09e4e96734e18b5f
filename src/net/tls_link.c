#include "net/tls_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "crypto/openssl.h"

enum { NAME_ROOM = 256 }; /* RFC 1035 section 2.3.4: 255 octets */

struct tls_link {
    SSL *ssl;
    bool is_good; /* the handshake is done, and nothing has failed since */
    const char *fault;
};

static bool is_address(const char *host)
{
    struct in6_addr room;

    return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1;
}

static kw_status set_up(struct kw_op *op, struct tls_link *link, const char *host, int fd)
{
    char name[NAME_ROOM]; /* OpenSSL's macro wants no const */

    (void)SSL_set_mode(link->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE); /* the new mask */
    ENSURE(op, KW_TEXT_SET(name, host), KW_E_INPUT, "the name of the server is too long");
    /* RFC 6066 section 3: addresses are no server names. */
    OSSL_ENSURE(op, is_address(name) || SSL_set_tlsext_host_name(link->ssl, name) == 1, KW_E_INPUT,
                "the name of the server");
    OSSL_ENSURE(op, SSL_set_fd(link->ssl, fd) == 1, KW_E_MEMORY, "TLS connection");
    SSL_set_connect_state(link->ssl);
    return KW_OK;
}

kw_status tls_link_new(struct kw_op *op, struct tls_client *tls, const char *host, int fd,
                       struct tls_link **ret)
{
    AUTO(tls_link) *link = calloc(1, sizeof(*link));
    SSL_CTX *ctx = NULL; /* tls has it */

    ENSURE(op, link, KW_E_MEMORY, "TLS connection");
    TRY(op, tls_client_context(op, tls, host, (void **)&ctx));
    link->ssl = SSL_new(ctx);
    OSSL_ENSURE(op, link->ssl, KW_E_MEMORY, "TLS connection");
    TRY(op, set_up(op, link, host, fd));
    *ret = TAKE(link);
    return KW_OK;
}

void tls_link_free(struct tls_link *link)
{
    if (!link) {
        return;
    }
    if (link->is_good) {
        (void)SSL_shutdown(link->ssl); /* best effort: the peer may be gone */
    }
    SSL_free(link->ssl);
    ERR_clear_error();
    free(link);
}

static const char *reason(int error, int before)
{
    const char *text = error == SSL_ERROR_SSL ? ERR_reason_error_string(ERR_peek_error()) : NULL;

    if (text) {
        return text;
    }
    return before != 0 ? strerrordesc_np(before) : "the connection was cut";
}

static enum link_step step_of(struct tls_link *link, int ret, int at)
{
    int error = SSL_get_error(link->ssl, ret);

    switch (error) {
    case SSL_ERROR_WANT_READ:
        return LINK_WAIT_READ;
    case SSL_ERROR_WANT_WRITE:
        return LINK_WAIT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return LINK_OVER;
    default:
        link->is_good = false;
        link->fault = reason(error, at);
        return LINK_BROKEN;
    }
}

/* SSL_get_error() looks at the queue and at errno: both are to be empty before. */
static void begin(void)
{
    ERR_clear_error();
    errno = 0;
}

enum link_step tls_link_handshake(struct tls_link *link)
{
    begin();
    int ret = SSL_do_handshake(link->ssl);
    link->is_good = ret == 1;
    return ret == 1 ? LINK_DONE : step_of(link, ret, errno);
}

enum link_step tls_link_read(struct tls_link *link, uint8_t *to, size_t cap, size_t *ret_n)
{
    begin();
    int ret = SSL_read_ex(link->ssl, to, cap, ret_n);
    return ret == 1 ? LINK_DONE : step_of(link, ret, errno);
}

enum link_step tls_link_write(struct tls_link *link, struct kw_span octets, size_t *ret_n)
{
    begin();
    int ret = SSL_write_ex(link->ssl, octets.p, octets.len, ret_n);
    return ret == 1 ? LINK_DONE : step_of(link, ret, errno);
}

const char *tls_link_fault(const struct tls_link *link)
{
    return link->fault;
}

bool tls_link_export(struct tls_link *link, const char *label, uint8_t ret[HTTP_EXPORTER])
{
    bool done = SSL_export_keying_material(link->ssl, ret, HTTP_EXPORTER, label, strlen(label),
                                           NULL, 0, /* use_context= */ 0) == 1;

    ERR_clear_error();
    return done;
}
