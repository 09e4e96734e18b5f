/* The person's side of VAULT/open.sock. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/opening.h"
#include "os/files.h"

enum { ANSWER_MS = 60000 }; /* scrypt, or a whole vault written anew */

void opening_address(int dir_fd, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/open.sock", dir_fd);
}

static kw_status connect_to(struct kw_op *op, const char *vault, int *ret_fd)
{
    struct sockaddr_un address;
    OS_FD_AUTO int dir = open(vault, O_PATH | O_DIRECTORY | O_CLOEXEC);
    OS_FD_AUTO int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    ENSURE(op, dir >= 0, errno == EACCES ? KW_E_DENIED : KW_E_NOT_FOUND, "vault '%s': %s", vault,
           strerror(errno));
    ENSURE(op, fd >= 0, KW_E_IO, "socket: %s", strerror(errno));
    opening_address(dir, &address);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        ENSURE(op, errno != EACCES && errno != EPERM, KW_E_DENIED,
               "this user may not open the vault '%s'", vault);
        return FAIL(op, KW_E_UNAVAILABLE,
                    "no keeper runs on the vault '%s'; start keywrightd first", vault);
    }
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}

static kw_status exchange(struct kw_op *op, int fd, const struct kw_secret *request,
                          struct kw_secret *answer)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct kw_span octets = kw_secret_span(request);

    ENSURE(op, send(fd, octets.p, octets.len, MSG_NOSIGNAL) == (ssize_t)octets.len,
           KW_E_UNAVAILABLE, "the keeper takes nothing: %s", strerror(errno));
    ENSURE(op, poll(&ready, 1, ANSWER_MS) == 1, KW_E_UNAVAILABLE, "the keeper is silent");
    ssize_t n = recv(fd, kw_secret_data(answer), kw_secret_len(answer), 0);
    ENSURE(op, n > 0, KW_E_UNAVAILABLE, "the keeper hung up (only the vault's owner and root may)");
    kw_secret_trim(answer, (size_t)n);
    return KW_OK;
}

kw_status opening_call(struct kw_op *op, const char *vault, const struct opening_request *request,
                       struct kw_secret **ret_packet, struct opening_reply *ret)
{
    AUTO(kw_secret) *asked = NULL;
    AUTO(kw_secret) *answer = NULL;
    OS_FD_AUTO int fd = -1;

    TRY(op, connect_to(op, vault, &fd));
    TRY(op, kw_secret_new(OPENING_REQUEST_MAX, &asked));
    TRY(op, kw_secret_new(OPENING_REPLY_MAX, &answer));
    struct kw_out out = {kw_secret_data(asked), kw_secret_len(asked), 0};
    TRY(op, opening_request_encode(request, &out), "the secret is too long");
    kw_secret_trim(asked, out.len);
    TRY(op, exchange(op, fd, asked, answer));
    ENSURE(op, kw_ok(opening_reply_decode(kw_secret_span(answer), ret)), KW_E_DEVICE,
           "the keeper's answer is malformed");
    *ret_packet = TAKE(answer);
    return KW_OK;
}
