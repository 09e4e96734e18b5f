#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/files.h"

enum { BACKLOG = 1024, PORT_TEXT = 6 };

KW_OWNED(addrinfo, struct addrinfo, freeaddrinfo)

static enum kw_code code_of(int error)
{
    switch (error) {
    case EADDRINUSE:
        return KW_E_CONFLICT;
    case EACCES:
    case EPERM:
        return KW_E_DENIED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
        return KW_E_INPUT;
    default:
        return KW_E_IO;
    }
}

static bool set_flag(int fd, int level, int name)
{
    int on = 1;

    return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

/*
 * Accepted sockets inherit TCP_NODELAY and SO_KEEPALIVE (Linux). The first socket of a port is
 * bound without SO_REUSEPORT, so that a port that anybody has already is refused; only then are its
 * siblings let in.
 */
static kw_status open_one(struct kw_op *op, const struct addrinfo *info, const char *name,
                          bool is_sibling, int *ret_fd)
{
    OS_FD_AUTO int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ENSURE(op, fd >= 0, code_of(errno), "a socket for %s: %s", name, strerror(errno));
    ENSURE(op,
           set_flag(fd, SOL_SOCKET, SO_REUSEADDR) && set_flag(fd, SOL_SOCKET, SO_KEEPALIVE) &&
               set_flag(fd, IPPROTO_TCP, TCP_NODELAY),
           KW_E_IO, "options of the socket for %s: %s", name, strerror(errno));
    ENSURE(op, !is_sibling || set_flag(fd, SOL_SOCKET, SO_REUSEPORT), KW_E_IO,
           "sharing the port of %s: %s", name, strerror(errno));
    ENSURE(op, bind(fd, info->ai_addr, info->ai_addrlen) == 0, code_of(errno),
           "cannot listen on %s: %s", name, strerror(errno));
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}

static uint16_t *port_field(struct sockaddr *address)
{
    bool is_6 = address->sa_family == AF_INET6;

    return is_6 ? &((struct sockaddr_in6 *)(void *)address)->sin6_port
                : &((struct sockaddr_in *)(void *)address)->sin_port;
}

static kw_status open_all(struct kw_op *op, struct addrinfo *info, const char *name, unsigned n,
                          int fds[])
{
    for (unsigned i = 0; i < n; i++) {
        TRY(op, open_one(op, info, name, /* is_sibling= */ i > 0, &fds[i]));
        /* The port that the kernel chose is the siblings' too. */
        ENSURE(op, getsockname(fds[i], info->ai_addr, &info->ai_addrlen) == 0, KW_E_IO,
               "the port of %s: %s", name, strerror(errno));
        ENSURE(op, n == 1 || i > 0 || set_flag(fds[i], SOL_SOCKET, SO_REUSEPORT), KW_E_IO,
               "sharing the port of %s: %s", name, strerror(errno));
    }
    for (unsigned i = 0; i < n; i++) {
        ENSURE(op, listen(fds[i], BACKLOG) == 0, code_of(errno), "cannot listen on %s: %s", name,
               strerror(errno));
    }
    return KW_OK;
}

kw_status listen_open(struct kw_op *op, const char *address, uint16_t port, unsigned n,
                      int ret_fds[], uint16_t *ret_port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    AUTO(addrinfo) *info = NULL;
    char text[PORT_TEXT];
    char name[80];

    (void)snprintf(text, sizeof(text), "%u", port);
    (void)snprintf(name, sizeof(name), strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
    int error = getaddrinfo(address, text, &hints, &info);
    ENSURE(op, error == 0, KW_E_INPUT, "'%s' is no address to listen on: %s", address,
           gai_strerror(error));
    for (unsigned i = 0; i < n; i++) {
        ret_fds[i] = -1;
    }
    kw_status status = open_all(op, info, name, n, ret_fds);
    for (unsigned i = 0; i < n && !kw_ok(status); i++) {
        os_fd_close(&ret_fds[i]);
    }
    *ret_port = ntohs(*port_field(info->ai_addr));
    return status;
}
