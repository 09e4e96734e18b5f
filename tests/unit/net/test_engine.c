/* What the engine refuses, and that it answers the rest: over plain sockets, octet by octet. */
#include <sys/socket.h>
#include <time.h>

#include "rig_group.h"

#define GET_(path, more) "GET " path " HTTP/1.1\r\nHost: x\r\n" more "\r\n"
#define LAST "Connection: close\r\n"

static char answer[300000];

static int ask(const char *request)
{
    return raw_exchange(rig->plain_port, request, answer, sizeof(answer));
}

static void a_request_is_answered(void **state)
{
    (void)state;
    assert_int_equal(ask(GET_("/hello", LAST)), 200);
    assert_has(answer, "\r\nContent-Length: 6\r\n");
    assert_has(answer, "\r\nContent-Type: text/plain\r\n");
    assert_has(answer, "\r\nDate: ");
    assert_has(answer, "\r\nConnection: close\r\n");
    assert_has(answer, "\r\n\r\nhello\n");
    assert_lacks(answer, "Server:");
}

/* Within the second before or after. */
static bool is_now(const char *date)
{
    char text[64];
    struct tm tm;

    for (int i = -1; i <= 1; i++) {
        time_t at = time(NULL) + i;
        assert_non_null(gmtime_r(&at, &tm));
        (void)strftime(text, sizeof(text), "\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        if (strncmp(date, text, strlen(text)) == 0) {
            return true;
        }
    }
    return false;
}

static void the_date_goes_on(void **state)
{
    const char *const requests[] = {GET_("/hello", LAST), "BREW / HTTP/1.1\r\n\r\n"};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(ask(requests[i % 2]) > 0);
        assert_true(is_now(strstr(answer, "\r\nDate: ")));
        assert_null(strstr(strstr(answer, "\r\nDate: ") + 1, "\r\nDate: "));
        (void)usleep(i % 2 ? 2100000 : 0);
    }
}

static void unknown_paths_are_404_in_the_style_of_the_api(void **state)
{
    unsigned before = atomic_load(&rig->n_without_route);

    (void)state;
    assert_int_equal(ask(GET_("/nope", LAST)), 404);
    assert_has(answer, "not_found: there is nothing at this path (request ");
    assert_int_equal(ask(GET_("/api/nope", LAST)), 404);
    assert_has(answer, "application/problem+json");
    assert_int_equal(atomic_load(&rig->n_without_route), before + 2);
}

static void wrong_methods_are_405_with_allow(void **state)
{
    (void)state;
    assert_int_equal(ask("DELETE /echo HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 405);
    assert_has(answer, "\r\nAllow: POST, PUT\r\n");
    assert_int_equal(ask("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" LAST "\r\n"),
                     405);
    assert_has(answer, "\r\nAllow: GET, HEAD\r\n");
    assert_int_equal(ask("PATCH /hello HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 501);
    assert_int_equal(ask("BREW /hello HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 501);
    assert_int_equal(ask("TRACE /hello HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 501);
}

static void bodies_must_be_of_the_right_kind_and_size(void **state)
{
    char request[8192];

    (void)state;
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: Text/Plain; x=y\r\n"
                         "Content-Length: 2\r\n" LAST "\r\nhi"),
                     200);
    assert_has(answer, "\r\n\r\nhi");
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/html\r\n"
                         "Content-Length: 2\r\n" LAST "\r\nhi"),
                     415);
    assert_has(answer, "the content type must be text/plain");
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" LAST "\r\nhi"),
                     415);
    int n = snprintf(request, sizeof(request),
                     "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                     "Content-Length: 4097\r\n" LAST "\r\n");
    memset(request + n, 'x', 4097);
    request[n + 4097] = '\0';
    assert_int_equal(ask(request), 413);
    assert_has(answer, "too_large: a body of at most 4096 octets is taken here");
}

static void chunked_bodies_are_read(void **state)
{
    (void)state;
    assert_int_equal(ask("PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" LAST
                         "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
                     200);
    assert_has(answer, "\r\n\r\nabcde");
}

/* Requests that two readers could take for different ones (request smuggling) end the connection.
 */
static void ambiguous_requests_are_400(void **state)
{
    static const char *const requests[] = {
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        ("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n"),
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
        "HEAD /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET hello HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET /hello HTTP/0.1\r\nHost: x\r\n\r\n",
        "GET /hello\r\n\r\n",
        "nonsense nonsense nonsense nonsense\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    };

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(requests); i++) {
        int status = ask(requests[i]);
        if (status != 400) {
            fail_msg("request %u: %d, not 400: %s", i, status, answer);
        }
        assert_has(answer, "Connection: close");
        assert_null(strstr(answer + 1, "HTTP/1.1 2")); /* nothing after it */
    }
}

static void oversized_headers_and_targets_are_refused(void **state)
{
    static char request[40000];

    (void)state;
    int n = snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: x\r\nX-Big: ");
    memset(request + n, 'x', 20000);
    (void)snprintf(request + n + 20000, 64, "\r\n" LAST "\r\n");
    assert_int_equal(ask(request), 400);
    n = snprintf(request, sizeof(request), "GET /hello?");
    memset(request + n, 'x', 3000);
    (void)snprintf(request + n + 3000, 64, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(ask(request), 413);
}

static void other_forms_of_requests(void **state)
{
    (void)state;
    assert_int_equal(ask("GET http://x/hello?y HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 200);
    assert_int_equal(ask("GET /hello HTTP/1.0\r\n\r\n"), 200);
    assert_has(answer, "Content-Length: 6\r\n");
    assert_int_equal(ask("GET /hello HTTP/1.7\r\nHost: x\r\n" LAST "\r\n"), 200);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");          /* our version, RFC 9110 section 6.2 */
    assert_int_equal(ask(GET_("/%68ello", LAST)), 404); /* literals are not decoded */
    assert_int_equal(ask("DELETE /things/a%20b HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 204);
    assert_has(answer, "X-Thing: a b\r\n");
    assert_lacks(answer, "Content-Length");
    assert_int_equal(ask(GET_("/header", "X-Ask: what\r\n" LAST)), 200);
    assert_has(answer, "\r\n\r\nwhat");
    assert_int_equal(ask(GET_("/header", LAST)), 200);
    assert_has(answer, "\r\n\r\n127.0.0.1:");
}

static void head_is_get_without_body(void **state)
{
    (void)state;
    assert_int_equal(ask("HEAD /hello HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 200);
    assert_has(answer, "Content-Length: 6\r\n");
    assert_lacks(answer, "hello");
    assert_int_equal(ask("HEAD /nope HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 404);
    assert_lacks(answer, "not_found");
}

/* The peer sees causes of its own faults only, and never what a failed handler had put into the
 * answer. */
static void failures_tell_what_they_may(void **state)
{
    static const struct {
        const char *code;
        int status;
        bool tells, retry;
    } cases[] = {
        {"bad_input",    400, true,  false},
        {"denied",       403, true,  false},
        {"revoked",      403, true,  false},
        {"conflict",     409, true,  false},
        {"too_many",     429, true,  true },
        {"internal",     500, false, false},
        {"integrity",    500, false, false},
        {"unavailable",  503, false, true },
        {"unsure",       503, false, false},
        {"storage_full", 503, false, true },
        {"bad_state",    409, true,  false}, /* on the pool it is a failure like others */
    };
    char request[128];

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(cases); i++) {
        (void)snprintf(request, sizeof(request), GET_("%s/fail/%s", LAST), i % 2 ? "/api" : "",
                       cases[i].code);
        assert_int_equal(ask(request), cases[i].status);
        assert_has(answer, cases[i].code);
        assert_int_equal(strstr(answer, "the inner reason") != NULL, cases[i].tells);
        assert_int_equal(strstr(answer, "Retry-After: ") != NULL, cases[i].retry);
        assert_lacks(answer, "X-Lost");
        assert_int_equal(atomic_load(&rig->last_status), cases[i].status);
        assert_string_equal(kw_code_text((enum kw_code)atomic_load(&rig->last_code)),
                            cases[i].code);
    }
}

static void who_is_not_proven_gets_401(void **state)
{
    (void)state;
    assert_int_equal(ask(GET_("/me", LAST)), 401);
    assert_lacks(answer, "WWW-Authenticate"); /* no secret would help */
    assert_int_equal(ask("POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" LAST "\r\n"),
                     401);
    assert_has(answer, "\r\nWWW-Authenticate: Basic realm=\"keywright\"\r\n");
    assert_has(answer, "\r\nContent-Length: 0\r\n"); /* a challenge, no refusal yet */
    assert_int_equal(ask("POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                         "Authorization: Basic ZGV2OnB3\r\n" LAST "\r\n"),
                     200);
    assert_has(answer, "4 dev:pw none ");
}

static void fast_routes_run_on_the_loop_and_may_go_to_the_pool(void **state)
{
    unsigned loop_before = atomic_load(&rig->n_loop_calls);
    unsigned pool_before = atomic_load(&rig->n_pool_calls);

    (void)state;
    assert_int_equal(ask(GET_("/fast", LAST)), 200);
    assert_int_equal(atomic_load(&rig->n_loop_calls), loop_before + 1);
    assert_int_equal(atomic_load(&rig->n_pool_calls), pool_before);
    assert_int_equal(ask(GET_("/fast?pool", LAST)), 200);
    assert_has(answer, "from the pool");
    assert_lacks(answer, "X-Lost");
    assert_int_equal(atomic_load(&rig->n_loop_calls), loop_before + 2);
    assert_int_equal(atomic_load(&rig->n_pool_calls), pool_before + 1);
    assert_int_equal(atomic_load(&rig->last_code), KW_CODE_OK);
}

static void connections_are_kept_and_requests_queue_up(void **state)
{
    int fd = raw_connect(rig->plain_port);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        raw_send(fd, GET_("/hello", ""));
        (void)raw_read(fd, answer, sizeof(answer), "hello\n");
        assert_has(answer, "200 OK");
    }
    /* Three at once, the slowest first: answers come in order. */
    raw_send(
        fd,
        GET_("/slow?100", "")
            GET_("/fast", "") "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlast" GET_(
                "/nope", LAST));
    (void)raw_read(fd, answer, sizeof(answer), NULL);
    const char *slow = strstr(answer, "slow\n");
    const char *fast = strstr(answer, "hello\n");
    const char *last = strstr(answer, "last");
    const char *nope = strstr(answer, "404 Not Found");
    assert_true(slow && fast && last && nope && slow < fast && fast < last && last < nope);
    close(fd);
}

/* "printf … | nc -N" closes its sending side at once, and still wants its answer. */
static void half_closed_clients_get_small_answers(void **state)
{
    static const char *const requests[] = {GET_("/hello", ""), GET_("/fast", ""),
                                           GET_("/slow?50", ""), GET_("/nope", "")};

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(requests); i++) {
        int fd = raw_connect(rig->plain_port);
        raw_send(fd, requests[i]);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        (void)raw_read(fd, answer, sizeof(answer), NULL);
        assert_has(answer, "HTTP/1.1 ");
        close(fd);
    }
}

static void a_route_may_close(void **state)
{
    (void)state;
    assert_int_equal(ask(GET_("/close", "")), 200); /* returns: the server closed */
    assert_has(answer, "Connection: close");
}

static void continue_is_said_when_asked_for(void **state)
{
    int fd = raw_connect(rig->plain_port);

    (void)state;
    raw_send(fd, "PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                 "Content-Length: 3\r\n" LAST "\r\n");
    (void)raw_read(fd, answer, sizeof(answer), "\r\n\r\n");
    assert_has(answer, "HTTP/1.1 100 Continue");
    raw_send(fd, "abc");
    (void)raw_read(fd, answer, sizeof(answer), NULL);
    assert_has(answer, "200 OK");
    assert_has(answer, "\r\n\r\nabc");
    close(fd);
    assert_int_equal(ask("PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\n"
                         "Content-Length: 3\r\n" LAST "\r\nabc"),
                     400);
}

static void large_answers_arrive_whole(void **state)
{
    (void)state;
    assert_int_equal(ask(GET_("/big?250000", LAST)), 200);
    assert_has(answer, "Content-Length: 250000\r\n");
    assert_int_equal(strlen(strstr(answer, "\r\n\r\n") + 4), 250000);
}

static void borrowed_answers_are_given_back_once(void **state)
{
    unsigned before = atomic_load(&rig->n_released);

    (void)state;
    assert_int_equal(ask(GET_("/shared?50", LAST)), 200); /* copied */
    assert_has(answer, "Content-Length: 50\r\n");
    assert_int_equal(ask(GET_("/shared?90000", LAST)), 200); /* lent */
    assert_has(answer, "Content-Length: 90000\r\n");
    assert_int_equal(ask("HEAD /shared?90000 HTTP/1.1\r\nHost: x\r\n" LAST "\r\n"), 200);
    assert_int_equal(ask(GET_("/shared?50,fail", LAST)), 409); /* never sent */
    wait_for(&rig->n_released, before + 4);
}

static void request_ids_differ(void **state)
{
    char first[33];

    (void)state;
    assert_int_equal(ask(GET_("/nope", LAST)), 404);
    (void)snprintf(first, sizeof(first), "%s", strstr(answer, "(request ") + 9);
    assert_int_equal(strlen(first), 32);
    assert_int_equal(ask(GET_("/nope", LAST)), 404);
    assert_lacks(answer, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(the_date_goes_on),
        cmocka_unit_test(unknown_paths_are_404_in_the_style_of_the_api),
        cmocka_unit_test(wrong_methods_are_405_with_allow),
        cmocka_unit_test(bodies_must_be_of_the_right_kind_and_size),
        cmocka_unit_test(chunked_bodies_are_read),
        cmocka_unit_test(ambiguous_requests_are_400),
        cmocka_unit_test(oversized_headers_and_targets_are_refused),
        cmocka_unit_test(other_forms_of_requests),
        cmocka_unit_test(head_is_get_without_body),
        cmocka_unit_test(failures_tell_what_they_may),
        cmocka_unit_test(who_is_not_proven_gets_401),
        cmocka_unit_test(fast_routes_run_on_the_loop_and_may_go_to_the_pool),
        cmocka_unit_test(connections_are_kept_and_requests_queue_up),
        cmocka_unit_test(half_closed_clients_get_small_answers),
        cmocka_unit_test(a_route_may_close),
        cmocka_unit_test(continue_is_said_when_asked_for),
        cmocka_unit_test(large_answers_arrive_whole),
        cmocka_unit_test(borrowed_answers_are_given_back_once),
        cmocka_unit_test(request_ids_differ),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("engine", tests, start, stop);
}
