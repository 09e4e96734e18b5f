/* Slow, idle, many and vanishing clients; and the end of the server. */
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include "kit.h"
#include "os/clock.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

static char answer[4096];

static struct rig *impatient(void)
{
    return rig_start(&(struct rig_options){
        .server = {.request_timeout_ms = 300, .idle_timeout_ms = 1000, .loop_threads = 2}
    });
}

/* Milliseconds until the server closes; the socket's own limit is 5000. */
static int64_t closed_after_ms(int fd)
{
    int64_t begin = os_clock_mono_ms();

    (void)raw_read(fd, answer, sizeof(answer), NULL);
    return os_clock_mono_ms() - begin;
}

static void silent_and_unfinished_clients_are_dropped(void **state)
{
    static const char *const starts[] = {
        "", "GET /hello HT", "GET /hello HTTP/1.1\r\nHost: x\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};
    struct rig *rig = impatient();

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(starts); i++) {
        int fd = raw_connect(rig->plain_port);
        raw_send(fd, starts[i]);
        assert_in_range(closed_after_ms(fd), 200, 3000);
        assert_int_equal(strlen(answer), 0);
        close(fd);
    }
    int fd = raw_connect(rig->tls_port); /* a handshake that never begins */
    assert_in_range(closed_after_ms(fd), 200, 3000);
    close(fd);
    assert_int_equal(http_server_stats(rig->server).handshakes_failed[TLS_END_GONE], 1);
    rig_stop(rig);
}

/* One octet now and then keeps no connection alive: the whole request has a deadline. */
static void trickling_clients_are_dropped(void **state)
{
    struct rig *rig = impatient();
    const char text[] =
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    int fd = raw_connect(rig->plain_port);
    int64_t begin = os_clock_mono_ms();
    bool closed = false;

    (void)state;
    raw_send(fd, HELLO); /* also on a connection that behaved before */
    (void)raw_read(fd, answer, sizeof(answer), "hello\n");
    for (unsigned i = 0; i < sizeof(text) - 1 && !closed; i++) {
        char c[2] = {text[i], '\0'};
        raw_send(fd, c);
        (void)usleep(50000);
        closed = recv(fd, answer, 1, MSG_DONTWAIT) == 0;
    }
    assert_true(closed);
    assert_in_range(os_clock_mono_ms() - begin, 200, 3000);
    close(fd);
    rig_stop(rig);
}

static void idle_connections_end_later_than_slow_requests(void **state)
{
    struct rig *rig = impatient();
    int fd = raw_connect(rig->plain_port);

    (void)state;
    raw_send(fd, HELLO);
    (void)raw_read(fd, answer, sizeof(answer), "hello\n");
    int64_t begin = os_clock_mono_ms();
    (void)usleep(600000); /* longer than a request may take */
    raw_send(fd, HELLO);
    (void)raw_read(fd, answer, sizeof(answer), "hello\n");
    assert_has(answer, "200 OK");
    assert_in_range(closed_after_ms(fd), 900, 4000);
    assert_true(os_clock_mono_ms() - begin > 1500);
    close(fd);
    rig_stop(rig);
}

/* A client that asks and does not read the answer. */
static void deaf_clients_are_dropped(void **state)
{
    struct rig *rig = impatient();
    int fd = raw_connect(rig->plain_port);
    int64_t begin = os_clock_mono_ms();

    (void)state;
    raw_send(fd, "GET /big?30000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&rig->n_observed, 1);
    while (http_server_stats(rig->server).connections_open > 0) {
        assert_true(os_clock_mono_ms() - begin < 5000);
        (void)usleep(20000);
    }
    close(fd);
    rig_stop(rig);
}

/* One that reads slowly, for longer than a request may take, gets it all. */
static void slow_readers_are_waited_for(void **state)
{
    enum { SIZE = 30000000, STEP = 1000000 };
    struct rig *rig = impatient();
    int fd = raw_connect(rig->plain_port);
    int64_t begin = os_clock_mono_ms();
    char *room = malloc(STEP);
    size_t len = 0;

    (void)state;
    raw_send(fd, "GET /big?30000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    while (len < SIZE) {
        ssize_t n = recv(fd, room, STEP, MSG_WAITALL);
        assert_true(n > 0);
        len += (size_t)n;
        (void)usleep(50000);
    }
    assert_true(os_clock_mono_ms() - begin > 1000);
    free(room);
    close(fd);
    rig_stop(rig);
}

static void further_connections_are_closed(void **state)
{
    struct rig *rig = rig_start(&(struct rig_options){.connections_max = 3});
    int fds[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = raw_connect(rig->plain_port);
        raw_send(fds[i], HELLO);
        (void)raw_read(fds[i], answer, sizeof(answer), "hello\n");
        assert_has(answer, "200 OK");
    }
    int fd = raw_connect(rig->plain_port);
    raw_send(fd, HELLO);
    assert_in_range(closed_after_ms(fd), 0, 2000);
    assert_int_equal(strlen(answer), 0);
    close(fd);
    fd = raw_connect(rig->tls_port); /* each listener has its own limit … */
    close(fd);
    close(fds[0]); /* … and a place becomes free again */
    for (unsigned i = 0; i < 200; i++) {
        (void)usleep(10000);
        if (raw_exchange(rig->plain_port,
                         "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer,
                         sizeof(answer)) == 200) {
            break;
        }
        assert_true(i < 199);
    }
    close(fds[1]);
    close(fds[2]);
    rig_stop(rig);
}

static void five_hundred_connections_are_served(void **state)
{
    enum { MANY = 500 };
    struct rig *rig = rig_start(&(struct rig_options){.server = {.loop_threads = 2}});
    static int fds[MANY];

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        fds[i] = raw_connect(rig->plain_port);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            raw_send(fds[i], i % 2 ? "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n" : HELLO);
        }
        for (unsigned i = 0; i < MANY; i++) {
            (void)raw_read(fds[i], answer, sizeof(answer), "hello\n");
            /* Beyond the queue of the pool there is a clear no. */
            assert_true(strstr(answer, "200 OK") || strstr(answer, "503"));
        }
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    for (unsigned i = 0; i < 500 && http_server_stats(rig->server).connections_open > 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, 0);
    assert_int_equal(http_server_stats(rig->server).requests, 2 * MANY);
    rig_stop(rig);
}

static void a_full_pool_is_503_with_retry_after(void **state)
{
    struct rig *rig = rig_start(&(struct rig_options){
        .server = {.pool_threads = 1, .pool_waiting = 1}
    });
    int busy = raw_connect(rig->plain_port);
    int waiting = raw_connect(rig->plain_port);

    (void)state;
    raw_send(busy, "GET /slow?400 HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&rig->n_handled, 1);
    raw_send(waiting, HELLO);
    (void)usleep(100000);
    assert_int_equal(raw_exchange(rig->plain_port,
                                  "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                  answer, sizeof(answer)),
                     503);
    assert_has(answer, "\r\nRetry-After: 1\r\n");
    assert_lacks(answer, "threads");
    assert_int_equal(raw_exchange(rig->plain_port,
                                  "GET /fast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                  answer, sizeof(answer)),
                     200); /* needs no thread */
    (void)raw_read(waiting, answer, sizeof(answer), "hello\n");
    assert_has(answer, "200 OK");
    close(busy);
    close(waiting);
    rig_stop(rig);
}

static void requests_that_waited_too_long_are_not_begun(void **state)
{
    struct rig *rig = rig_start(&(struct rig_options){.server = {.pool_threads = 1}});
    int busy = raw_connect(rig->plain_port);

    (void)state;
    raw_send(busy, "GET /slow?400 HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&rig->n_handled, 1);
    assert_int_equal(raw_exchange(rig->plain_port,
                                  "GET /short?1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                  answer, sizeof(answer)),
                     503);
    assert_has(answer, "Retry-After");
    assert_int_equal(atomic_load(&rig->n_handled), 1);
    close(busy);
    rig_stop(rig);
}

static void vanishing_clients_leave_nothing_behind(void **state)
{
    struct rig *rig = rig_start(NULL);

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        int fd = raw_connect(rig->plain_port);
        raw_send(fd, "GET /slow?100 HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2) { /* with a reset */
            const struct linger now = {.l_onoff = 1};
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        }
        close(fd);
    }
    wait_for(&rig->n_observed, 20); /* each was handled or dropped, and counted once */
    for (unsigned i = 0; i < 500 && http_server_stats(rig->server).connections_open > 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, 0);
    rig_stop(rig);
}

/* Answers that are due are given before the server ends. */
struct asking {
    uint16_t port;
    int status;
    char answer[1024];
};

static void *ask_slowly(void *arg)
{
    struct asking *a = arg;

    a->status = raw_exchange(a->port, "GET /slow?500 HTTP/1.1\r\nHost: x\r\n\r\n", a->answer,
                             sizeof(a->answer));
    return NULL;
}

static void the_stop_waits_for_answers(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct asking a = {.port = rig->plain_port};
    int idle = raw_connect(rig->plain_port);
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ask_slowly, &a), 0);
    wait_for(&rig->n_handled, 1);
    int64_t begin = os_clock_mono_ms();
    rig_stop(rig);
    assert_in_range(os_clock_mono_ms() - begin, 200, 2500);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.status, 200);
    assert_has(a.answer, "Connection: close");
    assert_has(a.answer, "slow\n");
    assert_in_range(closed_after_ms(idle), 0, 1000);
    close(idle);
}

static void a_server_that_never_started_ends(void **state)
{
    struct http_server *server = NULL;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, http_server_new(&op, &(struct http_server_config){.loop_threads = 3}, &server));
    http_server_free(server);
    http_server_free(NULL);
}

static kw_status no_one(struct kw_op *op, void *ctx, const struct http_request *request,
                        unsigned allowed, struct http_principal *ret)
{
    (void)op;
    (void)ctx;
    (void)request;
    (void)allowed;
    (void)ret;
    return KW_OK;
}

static void addresses_that_cannot_be_bound(void **state)
{
    static const struct route *const tables[] = {NULL};
    static const unsigned n_rows[] = {0};
    struct rig *rig = rig_start(&(struct rig_options){.server = {.loop_threads = 2}});
    struct http_server *server = NULL;
    struct http_listener l = {.name = "second",
                              .address = "127.0.0.1",
                              .port = rig->plain_port,
                              .tables = tables,
                              .n_rows = n_rows,
                              .authenticate = no_one,
                              .connections_max = 1};
    uint16_t port = 0;
    char text[256];
    TEST_OP(op);

    (void)state;
    assert_ok(&op, http_server_new(&op, &(struct http_server_config){0}, &server));
    assert_code(&op, http_server_listen(&op, server, &l, &port), KW_E_CONFLICT);
    assert_has(kw_op_message(&op, text, sizeof(text)), "127.0.0.1:");
    l.address = "nowhere";
    assert_code(&op, http_server_listen(&op, server, &l, &port), KW_E_INPUT);
    l.address = "192.0.2.1"; /* documentation, not ours */
    assert_code(&op, http_server_listen(&op, server, &l, &port), KW_E_INPUT);
    l.address = "::1";
    l.port = 0;
    kw_status status = http_server_listen(&op, server, &l, &port);
    assert_true(kw_ok(status) || status.code == KW_E_INPUT); /* where there is no IPv6 */
    l.address = "0.0.0.0";
    assert_ok(&op, http_server_listen(&op, server, &l, &port));
    assert_true(port > 0);
    assert_ok(&op, http_server_start(&op, server));
    assert_code(&op, http_server_listen(&op, server, &l, &port), KW_E_STATE);
    http_server_free(server);
    rig_stop(rig);
}

/* Without it, small answers wait for the peer's delayed acknowledgement: 687 instead of 37,900
 * requests a second. */
static void accepted_sockets_do_not_delay(void **state)
{
    struct rig *rig = rig_start(NULL);
    int fd = raw_connect(rig->plain_port);
    struct sockaddr_in mine;
    socklen_t len = sizeof(mine);
    unsigned n_found = 0;

    (void)state;
    raw_send(fd, HELLO);
    (void)raw_read(fd, answer, sizeof(answer), "hello\n");
    assert_int_equal(getsockname(fd, (struct sockaddr *)&mine, &len), 0);
    for (int other = 3; other < 200; other++) { /* the server's end is in this process */
        struct sockaddr_in peer;
        int delay_off = 0;
        len = sizeof(peer);
        if (getpeername(other, (struct sockaddr *)&peer, &len) != 0 ||
            peer.sin_port != mine.sin_port) {
            continue;
        }
        len = sizeof(delay_off);
        assert_int_equal(getsockopt(other, IPPROTO_TCP, TCP_NODELAY, &delay_off, &len), 0);
        assert_int_equal(delay_off, 1);
        n_found++;
    }
    assert_int_equal(n_found, 1);
    close(fd);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_and_unfinished_clients_are_dropped),
        cmocka_unit_test(trickling_clients_are_dropped),
        cmocka_unit_test(idle_connections_end_later_than_slow_requests),
        cmocka_unit_test(deaf_clients_are_dropped),
        cmocka_unit_test(slow_readers_are_waited_for),
        cmocka_unit_test(further_connections_are_closed),
        cmocka_unit_test(five_hundred_connections_are_served),
        cmocka_unit_test(a_full_pool_is_503_with_retry_after),
        cmocka_unit_test(requests_that_waited_too_long_are_not_begun),
        cmocka_unit_test(vanishing_clients_leave_nothing_behind),
        cmocka_unit_test(the_stop_waits_for_answers),
        cmocka_unit_test(a_server_that_never_started_ends),
        cmocka_unit_test(addresses_that_cannot_be_bound),
        cmocka_unit_test(accepted_sockets_do_not_delay),
    };

    return KIT_RUN(tests, "limits");
}
