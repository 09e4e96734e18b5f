#include "cmd/keywright-keeper/open_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/files.h"

enum { PEER_MAX_MS = 10000, BACKLOG = 4, SOCKET_MODE = 0600 };

kw_status open_socket_listen(struct kw_op *op, const char *vault, struct open_socket *ret)
{
    struct sockaddr_un address;
    struct stat about;
    OS_FD_AUTO int dir = open(vault, O_PATH | O_DIRECTORY | O_CLOEXEC);
    OS_FD_AUTO int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *ret = (struct open_socket){.listen_fd = -1, .peer_fd = -1};
    ENSURE(op, dir >= 0 && fstat(dir, &about) == 0, KW_E_IO, "folder '%s': %s", vault,
           strerror(errno));
    opening_address(dir, &address);
    ENSURE(op, unlinkat(dir, "open.sock", 0) == 0 || errno == ENOENT, KW_E_IO,
           "the old socket in '%s': %s", vault, strerror(errno));
    mode_t before = umask(0777 & ~SOCKET_MODE);
    bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)umask(before); /* cannot fail */
    ENSURE(op, bound && listen(fd, BACKLOG) == 0, KW_E_IO, "the socket in '%s': %s", vault,
           strerror(errno));
    ret->owner = about.st_uid;
    ret->listen_fd = fd;
    fd = -1;
    return KW_OK;
}

static void drop_peer(struct open_socket *it)
{
    os_fd_close(&it->peer_fd);
}

void open_socket_close(struct open_socket *it)
{
    drop_peer(it);
    os_fd_close(&it->listen_fd);
}

void open_socket_fds(const struct open_socket *it, int ret[2])
{
    ret[0] = it->peer_fd < 0 ? it->listen_fd : -1; /* the next one waits */
    ret[1] = it->peer_fd;
}

/* The folder's mode says it too; this holds also where somebody loosened that. */
static bool may_come(const struct open_socket *it, int fd)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           (who.uid == 0 || who.uid == it->owner);
}

static void take_peer(struct open_socket *it, int64_t now_mono_ms)
{
    int fd = accept4(it->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0 && !may_come(it, fd)) {
        os_fd_close(&fd);
        return;
    }
    it->peer_fd = fd;
    it->peer_mono_ms = now_mono_ms;
}

static void free_shares(struct kw_secret *(*shares)[KW_SHARES_MAX])
{
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        kw_secret_free((*shares)[i]);
    }
}

/* One request, one reply; both in memory that is locked and wiped. */
static bool reply_to(struct open_socket *it, const struct opening_request *request,
                     struct vault_opening *opening, struct keyring **keyring, int64_t now_mono_ms)
{
    __attribute__((cleanup(free_shares))) struct kw_secret *shares[KW_SHARES_MAX] = {0};
    AUTO(kw_secret) *packet = NULL;
    struct opening_reply reply = {0};
    struct kw_op op;
    struct kw_op aside;
    unsigned n = 0;

    kw_op_init(&op, "person", 0);
    kw_op_init(&aside, "keeper", 0);
    kw_status status = vault_open_do(&op, opening, keyring, request, now_mono_ms, shares, &n);
    reply.code = status.code;
    (void)KW_TEXT_SET(reply.text, kw_ok(status) ? "" : kw_op_cause(&op)); /* it fits */
    vault_open_status(&aside, opening, *keyring, now_mono_ms, &reply);
    reply.n_shares = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        reply.shares[i] = kw_secret_span(shares[i]);
    }
    if (!kw_ok(kw_secret_new(OPENING_REPLY_MAX, &packet))) {
        return false;
    }
    struct kw_out out = {kw_secret_data(packet), kw_secret_len(packet), 0};
    return kw_ok(opening_reply_encode(&reply, &out)) &&
           send(it->peer_fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)out.len;
}

/* False where the peer is done with, or broke the rules. */
static bool hear_peer(struct open_socket *it, struct vault_opening *opening,
                      struct keyring **keyring, int64_t now_mono_ms)
{
    AUTO(kw_secret) *packet = NULL;
    struct opening_request request;

    if (!kw_ok(kw_secret_new(OPENING_REQUEST_MAX + 1, &packet))) {
        return false;
    }
    ssize_t n = recv(it->peer_fd, kw_secret_data(packet), kw_secret_len(packet), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return now_mono_ms - it->peer_mono_ms < PEER_MAX_MS;
    }
    if (n <= 0 || n > OPENING_REQUEST_MAX) {
        return false;
    }
    struct kw_span octets = kw_span_sub(kw_secret_span(packet), 0, (size_t)n);
    it->peer_mono_ms = now_mono_ms;
    return kw_ok(opening_request_decode(octets, &request)) &&
           reply_to(it, &request, opening, keyring, now_mono_ms);
}

bool open_socket_serve(struct open_socket *it, struct vault_opening *opening,
                       struct keyring **keyring, int64_t now_mono_ms)
{
    bool was_open = *keyring != NULL;

    if (it->peer_fd < 0 && it->listen_fd >= 0) {
        take_peer(it, now_mono_ms);
    }
    if (it->peer_fd >= 0 && !hear_peer(it, opening, keyring, now_mono_ms)) {
        drop_peer(it);
    }
    return was_open != (*keyring != NULL);
}
