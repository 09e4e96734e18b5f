/* The connection: found, made, waited for. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client_internal.h"
#include "net/client_names.h"
#include "os/clock.h"

enum { IDLE_MAX_MS = 30000 }; /* half of what our servers grant: no request meets a closing one */

/* Several addresses share the time that is left. */
static kw_status wait_for(struct kw_op *op, int fd, short events, int64_t until_ms)
{
    struct pollfd one = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = until_ms - os_clock_mono_ms();
        ENSURE(op, left > 0, KW_E_TIMEOUT, "no word in time");
        int n = poll(&one, 1, left < INT_MAX ? (int)left : INT_MAX);
        if (n > 0) {
            return KW_OK;
        }
        ENSURE(op, n == 0 || errno == EINTR, KW_E_UNAVAILABLE, "%s", strerrordesc_np(errno));
    }
}

/* --- one try, with TLS or without --------------------------------------------------------------
 */

static enum link_step plain_step(ssize_t n, enum link_step again, size_t *ret_n)
{
    if (n > 0) {
        *ret_n = (size_t)n;
        return LINK_DONE;
    }
    if (n == 0) {
        return LINK_OVER;
    }
    return errno == EAGAIN || errno == EINTR ? again : LINK_BROKEN;
}

static enum link_step try_read(const struct client_link *link, uint8_t *to, size_t cap,
                               size_t *ret_n)
{
    return link->tls ? tls_link_read(link->tls, to, cap, ret_n)
                     : plain_step(recv(link->fd, to, cap, 0), LINK_WAIT_READ, ret_n);
}

static enum link_step try_write(const struct client_link *link, struct kw_span octets,
                                size_t *ret_n)
{
    return link->tls ? tls_link_write(link->tls, octets, ret_n)
                     : plain_step(send(link->fd, octets.p, octets.len, MSG_NOSIGNAL),
                                  LINK_WAIT_WRITE, ret_n);
}

/* KW_OK: try again. */
static kw_status wait_or_fail(struct kw_op *op, const struct client_link *link, enum link_step step,
                              int64_t until_ms)
{
    int error = errno; /* of the try */

    ENSURE(op, step == LINK_WAIT_READ || step == LINK_WAIT_WRITE, KW_E_UNAVAILABLE, "%s",
           link->tls ? tls_link_fault(link->tls) : strerrordesc_np(error));
    return wait_for(op, link->fd, step == LINK_WAIT_READ ? POLLIN : POLLOUT, until_ms);
}

kw_status client_link_read(struct kw_op *op, struct http_client *client, uint8_t *to, size_t cap,
                           int64_t until_ms, size_t *ret_n)
{
    const struct client_link *link = &client->link;

    for (;;) {
        enum link_step step = try_read(link, to, cap, ret_n);
        if (step == LINK_DONE) {
            return KW_OK;
        }
        if (step == LINK_OVER) {
            *ret_n = 0;
            return KW_OK;
        }
        TRY(op, wait_or_fail(op, link, step, until_ms));
    }
}

kw_status client_link_send(struct kw_op *op, struct http_client *client, struct kw_span octets,
                           int64_t until_ms)
{
    const struct client_link *link = &client->link;

    while (octets.len > 0) {
        size_t n = 0;
        enum link_step step = try_write(link, octets, &n);
        if (step == LINK_DONE) {
            octets = kw_span_sub(octets, n, octets.len);
        } else {
            TRY(op, wait_or_fail(op, link, step, until_ms));
        }
    }
    return KW_OK;
}

/* --- making it ---------------------------------------------------------------------------------
 */

static kw_status finish_connect(struct kw_op *op, int fd, int64_t until_ms)
{
    int error = 0;
    socklen_t len = sizeof(error);

    TRY(op, wait_for(op, fd, POLLOUT, until_ms));
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    ENSURE(op, error == 0, KW_E_UNAVAILABLE, "%s", strerrordesc_np(error));
    return KW_OK;
}

static kw_status connect_to(struct kw_op *op, struct client_link *link, const struct addrinfo *at,
                            int64_t until_ms)
{
    const int one = 1;

    link->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ENSURE(op, link->fd >= 0, KW_E_UNAVAILABLE, "%s", strerrordesc_np(errno));
    /* Without it a request may only be late. */
    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(link->fd, at->ai_addr, at->ai_addrlen) == 0) {
        return KW_OK;
    }
    ENSURE(op, errno == EINPROGRESS, KW_E_UNAVAILABLE, "%s", strerrordesc_np(errno));
    return finish_connect(op, link->fd, until_ms);
}

/* One address after the other; those that are left share the time, so that one that swallows
 * everything leaves some. */
static kw_status connect_any(struct kw_op *op, struct client_link *link,
                             const struct addrinfo *found, int64_t until_ms)
{
    int64_t n = 0;
    kw_status status = KW_FAIL(KW_E_INTERNAL);

    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        n++;
    }
    for (const struct addrinfo *at = found; at; at = at->ai_next, n--) {
        int64_t now_ms = os_clock_mono_ms();
        kw_op_clear(op);
        status = connect_to(op, link, at, now_ms + (until_ms - now_ms) / n);
        if (kw_ok(status)) {
            return KW_OK;
        }
        client_link_close(link);
    }
    return status;
}

static kw_status shake_hands(struct kw_op *op, struct client_link *link, int64_t until_ms)
{
    for (;;) {
        enum link_step step = tls_link_handshake(link->tls);
        if (step == LINK_DONE) {
            return KW_OK;
        }
        ENSURE(op, step != LINK_OVER, KW_E_UNAVAILABLE, "the server ends the TLS handshake");
        TRY(op, wait_or_fail(op, link, step, until_ms));
    }
}

kw_status client_link_open(struct kw_op *op, struct http_client *client, int64_t until_ms)
{
    AUTO(addresses) *found = NULL;
    struct client_link *link = &client->link;

    TRY(op, client_find_addresses(op, client->host, client->port, until_ms, &found));
    TRY(op, connect_any(op, link, found, until_ms), "connecting to '%s' port %u", client->host,
        client->port);
    if (client->tls) {
        TRY(op, tls_link_new(op, client->tls, client->host, link->fd, &link->tls));
        TRY(op, shake_hands(op, link, until_ms), "TLS handshake");
    }
    return KW_OK;
}

/* Octets that nobody asked for, or its end, are no better than no connection. */
bool client_link_is_alive(const struct client_link *link)
{
    struct pollfd one = {.fd = link->fd, .events = POLLIN};

    return link->fd >= 0 && os_clock_mono_ms() - link->idle_ms < IDLE_MAX_MS &&
           poll(&one, 1, 0) == 0;
}

void client_link_close(struct client_link *link)
{
    tls_link_free(link->tls);
    link->tls = NULL;
    if (link->fd >= 0) {
        (void)close(link->fd); /* nothing of ours is left in it */
    }
    link->fd = -1;
}
