/*
 * Whatever octets come over a connection: each answer has a status, the engine answers each request
 * once, and the server goes on. This runs libevent's parser and ours behind it.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The server lives as long as the program. */
static struct rig *rig_of(void)
{
    static struct rig *rig;

    if (!rig) {
        rig = rig_start(&(struct rig_options){.server = {.pool_threads = 2}});
    }
    return rig;
}

/* From another loopback address each time: one of them has too few ports for that many connections.
 */
static int connect_from_anywhere(uint16_t port)
{
    static uint32_t count;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr = {htonl(0x7f010000 | (count++ & 0xffff))}};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval limit = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
                bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
                connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;

    assert(good || errno == EINTR); /* libFuzzer's alarm */
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { ROOM = 1 << 20 };
    static char answer[ROOM];
    int fd = connect_from_anywhere(rig_of()->plain_port);
    size_t sent = 0;

    while (sent < size) {
        ssize_t n = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            break; /* it has heard enough */
        }
        sent += (size_t)n;
    }
    (void)shutdown(fd, SHUT_WR); /* it may have closed already */
    size_t len = raw_read(fd, answer, ROOM, NULL);
    close(fd);
    assert(len == 0 || strncmp(answer, "HTTP/", 5) == 0);
    return 0;
}
