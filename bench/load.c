#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNS_MAX = 1024, ANSWER_MAX = 8192, EVENTS = 64, AWAKE_US = 100, WAIT_MS = 10000 };

struct load_conn {
    int fd;
    size_t n;    /* octets of the answer so far */
    size_t size; /* of the whole answer; 0 = not known yet */
    char answer[ANSWER_MAX + 1];
};

static int open_conn(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        bench_die("connecting: %s", strerror(errno));
    }
    return fd;
}

static void send_next(const struct load *load, struct load_conn *conn)
{
    char request[LOAD_REQUEST_MAX];
    size_t len = load->next(load->ctx, request);

    conn->n = conn->size = 0;
    if (send(conn->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
        bench_die("sending: %s", strerror(errno));
    }
}

/* The head is there: is the answer as it must be, and how long is it? */
static void read_head(const struct load *load, struct load_conn *conn, struct load_result *ret)
{
    const char *end = strstr(conn->answer, "\r\n\r\n");

    if (!end) {
        return;
    }
    const char *length = strcasestr(conn->answer, "\r\nContent-Length:");
    const char *type = strstr(conn->answer, load->content_type);
    if (strncmp(conn->answer, "HTTP/1.1 200", 12) != 0 || !length || !type || type > end) {
        bench_die("unexpected answer: %.200s", conn->answer);
    }
    ret->body_len = strtoul(length + 17, NULL, 10);
    conn->size = (size_t)(end + 4 - conn->answer) + ret->body_len;
}

/* True: a whole answer has come. */
static bool receive(const struct load *load, struct load_conn *conn, struct load_result *ret)
{
    ssize_t got = recv(conn->fd, conn->answer + conn->n, ANSWER_MAX - conn->n, 0);

    if (got <= 0) {
        bench_die("the server closed a connection");
    }
    conn->n += (size_t)got;
    conn->answer[conn->n] = 0;
    if (conn->size == 0) {
        read_head(load, conn, ret);
    }
    return conn->size > 0 && conn->n >= conn->size;
}

static int open_all(const struct load *load, struct load_conn *conns)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < load->n_conns; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[i]};
        conns[i].fd = open_conn(load->port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &event) != 0) {
            bench_die("epoll: %s", strerror(errno));
        }
        send_next(load, &conns[i]);
    }
    return epoll;
}

/*
 * Awake for a while before it sleeps: waking a client costs a server the more, the idler the
 * machine is, and the quicker server would find its client awake more often.
 */
static int wait_awake(int epoll, struct epoll_event events[EVENTS])
{
    double until_us = bench_wall_us() + AWAKE_US;
    int n = 0;

    while (n == 0 && bench_wall_us() < until_us) {
        n = epoll_wait(epoll, events, EVENTS, /* ms= */ 0);
    }
    if (n == 0) {
        n = epoll_wait(epoll, events, EVENTS, WAIT_MS);
    }
    if (n == 0) {
        bench_die("the server is silent");
    }
    return n;
}

void load_run(const struct load *load, struct load_result *ret)
{
    struct load_conn *conns = calloc(CONNS_MAX, sizeof(*conns));
    struct epoll_event events[EVENTS];
    double began_us = bench_wall_us();

    *ret = (struct load_result){0};
    if (!conns || load->n_conns > CONNS_MAX) {
        bench_die("1 to %d connections", CONNS_MAX);
    }
    int epoll = open_all(load, conns);
    while ((ret->wall_us = bench_wall_us() - began_us) < load->ms * 1e3) {
        int n = wait_awake(epoll, events);
        for (int i = 0; i < n; i++) {
            if (receive(load, events[i].data.ptr, ret)) {
                ret->answers++;
                send_next(load, events[i].data.ptr);
            }
        }
    }
    for (unsigned i = 0; i < load->n_conns; i++) {
        (void)close(conns[i].fd);
    }
    (void)close(epoll);
    free(conns);
}
