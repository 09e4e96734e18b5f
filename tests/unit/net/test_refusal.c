/* What libevent refuses by itself, and at once: it looks like every other refusal. */
#include <sys/socket.h>

#include "rig_group.h"

#define GET_(path, more) "GET " path " HTTP/1.1\r\nHost: x\r\n" more "\r\n"
#define LAST "Connection: close\r\n"

static char answer[300000];

static int ask(const char *request)
{
    return raw_exchange(rig->plain_port, request, answer, sizeof(answer));
}

/* In libevent's place: a problem in the style of the route, or JSON, and the end of the connection.
 */
static void expect_refusal(const char *request, int status, const char *code)
{
    char wanted[64];
    unsigned seen = atomic_load(&rig->n_observed);
    unsigned long length = 0;

    if (ask(request) != status) {
        fail_msg("'%s' is not %d: '%s'", request, status, answer);
    }
    (void)snprintf(wanted, sizeof(wanted), "\"status\":%d,\"code\":\"%s\"", status, code);
    assert_has(answer, wanted);
    assert_has(answer, "\"request_id\":\"");
    assert_has(answer, "\r\nContent-Type: application/problem+json\r\n");
    assert_has(answer, "\r\nConnection: close\r\n");
    assert_has(answer, "\r\nDate: ");
    assert_lacks(answer, "HTML");
    assert_int_equal(sscanf(strstr(answer, "Content-Length: ") + 16, "%lu", &length), 1);
    assert_int_equal(strlen(strstr(answer, "\r\n\r\n") + 4), length);
    assert_int_equal(atomic_load(&rig->n_observed), seen + 1);
    assert_int_equal(atomic_load(&rig->last_status), status);
}

/* As soon as the headers say so: the body may never come. */
static void announced_bodies_that_are_too_large_are_413(void **state)
{
    (void)state;
    expect_refusal("POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n", 413,
                   "too_large");
    assert_has(answer, "at most 64 octets");
    expect_refusal("POST http://x/api/echo?q HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n",
                   413, "too_large");
    expect_refusal("POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413,
                   "too_large");
    expect_refusal("POST /api/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                   "Content-Length: 65\r\n\r\n",
                   413, "too_large");
    expect_refusal("POST /api/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n",
                   413, "too_large");
    expect_refusal("POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413,
                   "too_large");
    assert_int_equal(ask("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n"), 413);
    assert_has(answer, "too_large: a body of at most 65536 octets is taken here (request ");
    assert_int_equal(ask("DELETE /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"), 413);
}

/* Each request of a connection has its own limit, also where its first line comes piece by piece.
 */
static void the_limit_is_the_routes(void **state)
{
    static const char *const pieces[] = {"P",
                                         "OST /ec",
                                         "ho HTTP/1.1\r",
                                         "\nHost: x\r\nContent-Type: text/plain\r\n",
                                         "Content-Length: 3\r\n\r\n",
                                         "abc"};
    static const char put[] = "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n";
    char body[5001];
    int fd = raw_connect(rig->plain_port);

    (void)state;
    memset(body, 'b', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    for (unsigned i = 0; i < KW_COUNT(pieces); i++) {
        raw_send(fd, pieces[i]);
        (void)usleep(20000);
    }
    (void)raw_read(fd, answer, sizeof(answer), "abc");
    assert_has(answer, "200 OK");
    raw_send(fd, put);
    raw_send(fd, body);
    (void)raw_read(fd, answer, sizeof(answer), "bbb");
    assert_has(answer, "200 OK");
    close(fd);
    fd = raw_connect(rig->plain_port);
    raw_send(fd, GET_("/slow?50", "") GET_("/hello", "") "POST /api/echo HTTP/1.1\r\nHost: x\r\n"
                                                         "Content-Length: 65\r\n\r\n");
    (void)raw_read(fd, answer, sizeof(answer), NULL);
    assert_has(answer, "hello\n");
    assert_has(answer, "\"status\":413");
    close(fd);
}

static void what_libevent_refuses_is_our_answer(void **state)
{
    (void)state;
    expect_refusal("PATCH /hello HTTP/1.1\r\nHost: x\r\n\r\n", 501, "unsupported");
    expect_refusal("BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", 501, "unsupported");
    expect_refusal("BREW /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", 501,
                   "unsupported");
    expect_refusal("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 501, "unsupported");
    expect_refusal("CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "unsupported");
    expect_refusal("CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
                   501, "unsupported");
    expect_refusal("nonsense nonsense nonsense\r\n\r\n", 400, "bad_input");
    expect_refusal("GET /hello HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, "bad_input");
    assert_int_equal(ask("PUT /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"), 400);
    assert_has(answer, "bad_input: this is no HTTP request (request ");
    expect_refusal(
        "POST /api/echo HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\nContent-Length: 3\r\n\r\nabc",
        400, "bad_input");
    assert_int_equal(ask("HEAD /hello HTTP/1.1\r\nno colon\r\n\r\n"), 400);
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n"); /* no body */
}

static void bodies_over_the_listeners_limit_are_413(void **state)
{
    const size_t len = 3000000;
    char *request = malloc(len + 200);

    (void)state;
    int n = snprintf(request, 200,
                     "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n" LAST "\r\n", len);
    memset(request + n, 'x', len);
    request[(size_t)n + len] = '\0';
    assert_int_equal(ask(request), 413);
    free(request);
    assert_int_equal(ask("PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" LAST
                         "\r\nffffff\r\n"),
                     413);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announced_bodies_that_are_too_large_are_413),
        cmocka_unit_test(the_limit_is_the_routes),
        cmocka_unit_test(what_libevent_refuses_is_our_answer),
        cmocka_unit_test(bodies_over_the_listeners_limit_are_413),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("refusal", tests, start, stop);
}
