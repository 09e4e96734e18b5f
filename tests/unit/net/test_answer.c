/* Answers of servers that we did not write, whole and in pieces. */
#include "kit.h"
#include "net/client_parse.h"

struct heard {
    char fields[512]; /* "name=value;" */
    char body[128];
    size_t body_max; /* more: stop */
};

static void on_header(void *arg, const char *name, const char *value)
{
    struct heard *heard = arg;
    size_t n = strlen(heard->fields);

    (void)snprintf(heard->fields + n, sizeof(heard->fields) - n, "%s=%s;", name, value);
}

static bool on_body(void *arg, struct kw_span piece)
{
    struct heard *heard = arg;
    size_t n = strlen(heard->body);

    if (n + piece.len > heard->body_max) {
        return false;
    }
    memcpy(heard->body + n, piece.p, piece.len);
    return true;
}

static const struct answer_events events = {.header = on_header, .body = on_body};

/* What remains is said after the text, and the connection's end. */
struct outcome {
    enum answer_state state;
    int status;
    bool keeps;
};

static struct outcome feed(const char *text, size_t step, bool no_body, struct heard *heard)
{
    AUTO(answer_parser) *parser = NULL;
    enum answer_state state = ANSWER_MORE;
    size_t len = strlen(text);

    *heard = (struct heard){.body_max = 100};
    assert_true(kw_ok(answer_parser_new(&events, heard, no_body, &parser)));
    for (size_t at = 0; at < len && state == ANSWER_MORE; at += step) {
        size_t n = len - at < step ? len - at : step;
        state = answer_parse(parser, KW_SPAN(text + at, n));
    }
    if (state == ANSWER_MORE) {
        state = answer_parse(parser, KW_SPAN(NULL, 0));
    }
    return (struct outcome){state, answer_parser_status(parser),
                            state == ANSWER_WHOLE && answer_parser_keeps(parser)};
}

static const struct {
    const char *text;
    struct outcome outcome;
    const char *fields, *body;
    bool no_body;
} answers[] = {
    {"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 2\r\n\r\nhi",
     {ANSWER_WHOLE, 200, true},
     "A=1;Content-Length=2;", "hi"},
    {"HTTP/1.1 204 No Content\r\n\r\n", {ANSWER_WHOLE, 204, true}, "", ""},
    {"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 103 Early\r\nB: 2\r\n\r\n"
     "HTTP/1.1 201 Made\r\nC: 3\r\nContent-Length: 0\r\n\r\n", {ANSWER_WHOLE, 201, true},
     "C=3;Content-Length=0;", ""},
    {"HTTP/1.1 101 Other\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nnoise",
     {ANSWER_WHOLE, 101, false},
     "Upgrade=x;Connection=upgrade;", ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1\r\nh\r\n1;x=y\r\ni\r\n0\r\nT: 1\r\n\r\n", {ANSWER_WHOLE, 200, true},
     "Transfer-Encoding=chunked;", "hi"},
    {"HTTP/1.1 200 OK\r\n\r\nhi", {ANSWER_WHOLE, 200, false}, "", "hi"},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
     {ANSWER_WHOLE, 200, false},
     "Connection=close;Content-Length=2;", "hi"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
     {ANSWER_WHOLE, 200, false},
     "Content-Length=2;", "hi"},
    {"HTTP/1.1 503 Later\r\nRetry-After:\t 7 \r\nContent-Length: 0\r\n\r\n",
     {ANSWER_WHOLE, 503, true},
     "Retry-After=7;Content-Length=0;", ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
     {ANSWER_WHOLE, 200, true},
     "Content-Length=9;", "",
     true},
};

static void what_is_whole_is_told_however_it_comes(void **state)
{
    struct heard heard;

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(answers); i++) {
        size_t len = strlen(answers[i].text);
        for (size_t step = 1; step <= len; step++) {
            struct outcome got = feed(answers[i].text, step, answers[i].no_body, &heard);
            if (got.state != answers[i].outcome.state || got.status != answers[i].outcome.status) {
                fail_msg("answer %u in steps of %zu: %d", i, step, got.status);
            }
            assert_string_equal(heard.fields, answers[i].fields);
            assert_string_equal(heard.body, answers[i].body);
            bool spoiled_unseen = got.status == 101; /* by how much of the noise was there */
            assert_true(spoiled_unseen || got.keeps == answers[i].outcome.keeps);
        }
    }
}

static void what_breaks_off_is_not_whole(void **state)
{
    struct heard heard;
    char text[256];

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(answers); i++) {
        /* The one whose end is the connection's is whole at any length of its body. */
        const char *head_end = strstr(answers[i].text, "\r\n\r\n");
        bool until_end = !strstr(answers[i].text, "Length") && !strstr(answers[i].text, "chunked");
        size_t len = until_end || answers[i].no_body ? (size_t)(head_end + 4 - answers[i].text)
                                                     : strlen(answers[i].text);
        len = answers[i].outcome.status == 101 ? 1 : len;
        for (size_t n = 1; n < len; n++) {
            (void)snprintf(text, sizeof(text), "%.*s", (int)n, answers[i].text);
            assert_int_equal(feed(text, n, answers[i].no_body, &heard).state, ANSWER_CUT);
        }
    }
}

static void octets_after_the_end_spoil_the_connection(void **state)
{
    struct heard heard;

    (void)state;
    static const char two[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n";
    struct outcome got = feed(two, strlen(two), false, &heard);
    assert_int_equal(got.state, ANSWER_WHOLE);
    assert_false(got.keeps);
    assert_string_equal(heard.body, "x");
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nA\x01: b\r\n\r\n",
    };
    struct heard heard;

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        for (size_t step = 1; step <= strlen(texts[i]); step++) {
            assert_int_equal(feed(texts[i], step, false, &heard).state, ANSWER_BAD);
        }
    }
}

static void a_listener_may_stop_it(void **state)
{
    char text[256];
    struct heard heard;

    (void)state;
    (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n%0101d", 0);
    assert_int_equal(feed(text, 7, false, &heard).state, ANSWER_BAD);
}

static void what_does_not_fit_is_left_out(void **state)
{
    struct heard heard;
    char text[1024];

    (void)state;
    (void)snprintf(
        text, sizeof(text),
        "HTTP/1.1 200 OK\r\nLong: %0300d\r\nX%070d: y\r\nA: b\r\nContent-Length: 0\r\n\r\n", 0, 0);
    for (size_t step = 1; step < 400; step += 13) {
        assert_int_equal(feed(text, step, false, &heard).state, ANSWER_WHOLE);
        assert_string_equal(heard.fields, "A=b;Content-Length=0;");
    }
}

static void assert_part(struct kw_span part, const char *text)
{
    assert_int_equal(part.len, strlen(text));
    assert_memory_equal(part.p ? part.p : (const uint8_t *)"", text, part.len);
}

static void urls(void **state)
{
    static const struct {
        const char *url, *host, *authority, *path;
        unsigned port;
    } good[] = {
        {"https://localhost:8443",    "localhost",         "localhost:8443",    "",     8443},
        {"http://127.0.0.1/a/b",      "127.0.0.1",         "127.0.0.1",         "/a/b", 0   },
        {"https://[::1]:8443/x",      "::1",               "[::1]:8443",        "/x",   8443},
        {"HTTPS://gate.acme.example", "gate.acme.example", "gate.acme.example", "",     0   },
    };
    static const char *const bad[] = {
        "",          "https://",       "localhost",    "https://a:b/",     "https://user@host/",
        "https:///", "https://a/?q=1", "https://a b/", "https://a:99999/", "https://a/#f",
    };
    struct url_parts parts;

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(good); i++) {
        assert_true(url_split(good[i].url, &parts));
        assert_part(parts.host, good[i].host);
        assert_part(parts.authority, good[i].authority);
        assert_part(parts.path, good[i].path);
        assert_int_equal(parts.port, good[i].port);
    }
    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        if (url_split(bad[i], &parts)) {
            fail_msg("'%s' is taken", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_whole_is_told_however_it_comes),
        cmocka_unit_test(what_breaks_off_is_not_whole),
        cmocka_unit_test(octets_after_the_end_spoil_the_connection),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_listener_may_stop_it),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(urls),
    };

    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
