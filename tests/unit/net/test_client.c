/* The client against servers that behave and servers that do not. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "os/clock.h"
#include "rig_group.h"

/* A server that says what it is told: per connection, `answers` texts, one a request; then it
 * closes. */
struct script {
    int fd;
    uint16_t port;
    const char *answers[4];  /* of the connections in turn; NULL ends; "" closes without a word;
                                "…wait" lets wait */
    unsigned per_connection; /* answers given on one connection; 0 = 1 */
    atomic_uint n_connections, n_requests;
    char request[4096]; /* the last one */
    pthread_t thread;
};

static void *act(void *arg)
{
    struct script *s = arg;
    unsigned per = s->per_connection ? s->per_connection : 1;
    unsigned next = 0;

    while (next < KW_COUNT(s->answers) && s->answers[next]) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) {
            break;
        }
        atomic_fetch_add(&s->n_connections, 1);
        for (unsigned i = 0; i < per && next < KW_COUNT(s->answers) && s->answers[next]; i++) {
            if (raw_read(fd, s->request, sizeof(s->request), "\r\n\r\n") == 0) {
                break;
            }
            atomic_fetch_add(&s->n_requests, 1);
            const char *text = s->answers[next++];
            if (strcmp(text, "wait") == 0) {
                (void)usleep(700000);
            } else {
                raw_send(fd, text);
            }
        }
        close(fd);
    }
    return NULL;
}

static void script_start(struct script *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);

    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, act, s), 0);
}

static void script_end(struct script *s)
{
    (void)shutdown(s->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->fd);
}

static struct http_client *client_of(uint16_t port, uint32_t total_ms, size_t response_max)
{
    struct http_client *client = NULL;
    char url[64];
    TEST_OP(op);

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    struct http_client_config config = {
        .base_url = url, .total_timeout_ms = total_ms, .response_max = response_max};
    assert_ok(&op, http_client_new(&op, &config, &client));
    return client;
}

static const struct http_call get_call = {.method = HTTP_GET, .path = "/x"};
static const struct http_call post_call = {
    .method = HTTP_POST,
    .path = "/x",
    .content_type = "text/plain",
    .body = {(const uint8_t *)"body", 4}
};

static kw_status call(struct kw_op *op, struct http_client *client, const struct http_call *what)
{
    struct http_answer answer = {0};

    kw_status status = http_client_call(op, client, what, &answer);
    http_answer_done(&answer);
    return status;
}

static void answers_are_read(void **state)
{
    struct http_client *client = rig_client(rig, false, WHO_MAX);
    struct http_answer answer = {0};
    char text[64];
    TEST_OP(op);

    (void)state;
    struct http_call put = {.method = HTTP_PUT, .path = "/echo", .body = kw_span_text("abc")};
    assert_ok(&op, http_client_call(&op, client, &put, &answer));
    assert_int_equal(answer.status, 200);
    assert_string_equal(body_text(&answer, text, sizeof(text)), "abc");
    assert_string_equal(answer.content_type, "application/octet-stream");
    http_answer_done(&answer);
    struct http_call del = {.method = HTTP_DELETE, .path = "/things/1"};
    assert_ok(&op, http_client_call(&op, client, &del, &answer));
    assert_int_equal(answer.status, 204);
    assert_int_equal(answer.body->len, 0);
    http_answer_done(&answer);
    struct http_call head = {.method = HTTP_HEAD, .path = "/hello"};
    assert_ok(&op, http_client_call(&op, client, &head, &answer));
    assert_int_equal(answer.status, 200);
    http_answer_done(&answer);
    struct http_call lots = {.method = HTTP_GET, .path = "/fail/too_many"};
    assert_ok(&op, http_client_call(&op, client, &lots, &answer));
    assert_int_equal(answer.status, 429);
    assert_int_equal(answer.retry_after_s, 1);
    assert_string_equal(answer.content_type, "text/plain");
    http_answer_done(&answer);
    http_client_free(client);
}

static void what_is_sent(void **state)
{
    struct script s = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    TEST_OP(op);

    (void)state;
    script_start(&s);
    struct http_client *client = client_of(s.port, 0, 0);
    assert_ok(&op, call(&op, client,
                        &(struct http_call){
                            .method = HTTP_POST,
                            .path = "/a/../b?c=%20",
                            .content_type = "application/pkcs10",
                            .body = kw_span_text("x"),
                            .user = "dev",
                            .password = "pw",
                            .accept = "text/plain",
                            .headers = {"X-One: 1", "X-Two: 2"}
    }));
    script_end(&s);
    assert_has(s.request, "POST /a/../b?c=%20 HTTP/1.1\r\n"); /* as it was given */
    assert_has(s.request, "Authorization: Basic ZGV2OnB3\r\n");
    assert_has(s.request, "Content-Type: application/pkcs10\r\n");
    assert_has(s.request, "Accept: text/plain\r\n");
    assert_has(s.request, "X-One: 1\r\nX-Two: 2\r\n");
    assert_has(s.request, "Content-Length: 1\r\n");
    assert_lacks(s.request, "Expect");
    http_client_free(client);
}

static void bad_calls_are_refused(void **state)
{
    struct http_client *client = client_of(1, 0, 0);
    static const struct http_call calls[] = {
        {.method = HTTP_GET, .path = "x"},
        {.method = HTTP_GET, .path = "/a b"},
        {.method = HTTP_GET, .path = "/a\r\nX: y"},
        {.method = HTTP_GET, .path = "/a", .accept = "x\r\nY: z"},
        {.method = HTTP_GET, .path = "/a", .headers = {"X: y\nZ: z"}},
        {.method = HTTP_GET, .path = "/a", .user = "a", .password = "b:c"},
    };
    static const char *const urls[] = {"ftp://x/", "file:///etc/passwd", "", "https://"};
    TEST_OP(op);

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(calls); i++) {
        assert_code(&op, call(&op, client, &calls[i]), KW_E_INPUT);
    }
    http_client_free(client);
    for (unsigned i = 0; i < KW_COUNT(urls); i++) {
        struct http_client_config config = {.base_url = urls[i]};
        assert_code(&op, http_client_new(&op, &config, &client), KW_E_INPUT);
    }
}

static void no_server_is_unavailable(void **state)
{
    struct script s = {0};
    TEST_OP(op);

    (void)state;
    script_start(&s);
    script_end(&s); /* a port where nobody listens */
    struct http_client *client = client_of(s.port, 0, 0);
    assert_code(&op, call(&op, client, &get_call), KW_E_UNAVAILABLE);
    assert_code(&op, call(&op, client, &post_call), KW_E_UNAVAILABLE);
    http_client_free(client);
}

/* What was asked once must not be done twice, and who does not know the outcome must say so. */
static void lost_answers_are_unsure_unless_asking_again_does_no_harm(void **state)
{
    static const char *const broken[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                                         "HTTP/1.1 200 OK\r\nContent-Len"};
    TEST_OP(op);

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(broken); i++) {
        struct script s = {
            .answers = {broken[i], broken[i]}
        };
        script_start(&s);
        struct http_client *client = client_of(s.port, 0, 0);
        assert_code(&op, call(&op, client, &post_call), KW_E_UNSURE);
        assert_code(&op, call(&op, client, &get_call), KW_E_UNAVAILABLE);
        script_end(&s);
        assert_int_equal(atomic_load(&s.n_requests), 2);
        http_client_free(client);
    }
}

/* libcurl would repeat a request on a new connection where a kept one breaks. */
static void nothing_is_sent_twice_on_a_kept_connection(void **state)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    TEST_OP(op);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct script s = {
            .answers = {ok, "", ok},
              .per_connection = 2
        };
        script_start(&s);
        struct http_client *client = client_of(s.port, 0, 0);
        assert_ok(&op, call(&op, client, &post_call));
        if (i == 0) {
            assert_code(&op, call(&op, client, &post_call), KW_E_UNSURE);
            assert_int_equal(atomic_load(&s.n_requests), 2);
        } else {
            assert_ok(&op, call(&op, client, &get_call)); /* repeated by itself */
            assert_int_equal(atomic_load(&s.n_requests), 3);
        }
        http_client_free(client);
        script_end(&s);
    }
}

static void connections_are_reused_until_told_otherwise(void **state)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct script s = {
        .answers = {ok, ok, ok, ok},
          .per_connection = 3
    };
    TEST_OP(op);

    (void)state;
    script_start(&s);
    struct http_client *client = client_of(s.port, 0, 0);
    assert_ok(&op, call(&op, client, &post_call));
    assert_ok(&op, call(&op, client, &post_call));
    assert_int_equal(atomic_load(&s.n_connections), 1);
    http_client_disconnect(client);
    http_client_free(client);
    script_end(&s);

    client = rig_client(rig, true, WHO_DEVICE);
    expect_get(client, "/me", 200);
    http_client_disconnect(client); /* at once, not with the next call */
    for (unsigned i = 0; i < 500 && http_server_stats(rig->server).connections_open > 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, 0);
    expect_get(client, "/me", 200);
    http_client_free(client);
}

static void time_limits(void **state)
{
    struct script s = {
        .answers = {"wait", "wait"}
    };
    TEST_OP(op);

    (void)state;
    script_start(&s);
    struct http_client *client = client_of(s.port, 200, 0);
    int64_t begin = os_clock_mono_ms();
    assert_code(&op, call(&op, client, &get_call), KW_E_TIMEOUT);
    assert_in_range(os_clock_mono_ms() - begin, 150, 600);
    assert_code(&op, call(&op, client, &post_call), KW_E_UNSURE);
    http_client_free(client);
    script_end(&s);

    client = rig_client(rig, false, WHO_MAX);
    op.deadline_ms = os_clock_mono_ms() + 150; /* the operation's own counts too */
    begin = os_clock_mono_ms();
    assert_code(&op, try_get(&op, client, "/slow?1000"), KW_E_TIMEOUT);
    assert_in_range(os_clock_mono_ms() - begin, 100, 600);
    assert_code(&op, try_get(&op, client, "/hello"), KW_E_TIMEOUT); /* no time was left */
    http_client_free(client);
}

static void large_answers_are_refused(void **state)
{
    struct http_client *client = client_of(rig->plain_port, 0, 1000);
    TEST_OP(op);

    (void)state;
    assert_ok(&op, try_get(&op, client, "/big?1000"));
    assert_code(&op, try_get(&op, client, "/big?1001"), KW_E_TOO_LARGE);
    assert_ok(&op, try_get(&op, client, "/hello"));
    http_client_free(client);
}

static void redirects_are_not_followed_and_proxies_not_used(void **state)
{
    struct script s = {.answers = {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                                   "Content-Length: 0\r\n\r\n"}};
    struct http_answer answer = {0};
    TEST_OP(op);

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    script_start(&s);
    struct http_client *client = client_of(s.port, 0, 0);
    assert_ok(&op, http_client_call(&op, client, &get_call, &answer));
    assert_int_equal(answer.status, 302);
    http_answer_done(&answer);
    http_client_free(client);
    script_end(&s);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void nonsense_is_not_an_answer(void **state)
{
    struct script s = {.answers = {"SSH-2.0-OpenSSH\r\n\r\n"}};
    TEST_OP(op);

    (void)state;
    script_start(&s);
    struct http_client *client = client_of(s.port, 0, 0);
    assert_false(kw_ok(call(&op, client, &get_call)));
    http_client_free(client);
    script_end(&s);
}

/* TLS: whom the client trusts. */

static struct http_client *tls_client_of(struct http_client_config *config)
{
    struct http_client *client = NULL;
    TEST_OP(op);

    assert_ok(&op, http_client_new(&op, config, &client));
    return client;
}

static void only_our_roots_are_trusted(void **state)
{
    struct cert *other[] = {rig_pki()->other_root};
    char url[64];
    char text[512];
    TEST_OP(op);

    (void)state;
    struct http_client_config config = rig_client_config(rig, true, WHO_MAX, url);
    config.roots = other;
    struct http_client *client = tls_client_of(&config);
    assert_code(&op, call(&op, client, &post_call), KW_E_AUTH);
    assert_has(kw_op_message(&op, text, sizeof(text)), "not trusted");
    http_client_free(client);
    config.n_roots = 0;
    client = tls_client_of(&config);
    assert_code(&op, call(&op, client, &get_call), KW_E_AUTH);
    http_client_free(client);
}

static void the_servers_certificate_must_be_a_servers(void **state)
{
    static const struct {
        enum who who;
        enum kw_code code;
        const char *words; /* "" for libcurl's, which change */
    } cases[] = {
        {WHO_WRONG_USE, KW_E_AUTH,    ""           }, /* it does not say "localhost" */
        {WHO_DEVICE,    KW_E_AUTH,    "not trusted"}, /* a client's */
        {WHO_EXPIRED,   KW_E_EXPIRED, "has expired"},
        {WHO_STRANGER,  KW_E_AUTH,    "not trusted"},
    };
    char url[64];
    char text[512];
    TEST_OP(op);

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(cases); i++) {
        struct rig *other = rig_start(&(struct rig_options){.identity = &cases[i].who});
        struct http_client_config config = rig_client_config(other, true, WHO_MAX, url);
        struct http_client *client = tls_client_of(&config);
        assert_code(&op, call(&op, client, &post_call), cases[i].code);
        (void)kw_op_message(&op, text, sizeof(text));
        assert_has(text, cases[i].words);
        assert_int_equal(atomic_load(&other->n_observed), 0);
        http_client_free(client);
        rig_stop(other);
    }
}

static void addresses_are_names_too(void **state)
{
    char url[64];

    (void)state;
    struct http_client_config config = rig_client_config(rig, true, WHO_MAX, url);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", rig->tls_port);
    struct http_client *client = tls_client_of(&config);
    expect_get(client, "/hello", 200);
    http_client_free(client);
}

static kw_status judge(struct kw_op *op, void *ctx, const struct cert *leaf,
                       const struct cert *issuer)
{
    const enum kw_code *code = ctx;
    const struct pki *p = rig_pki();

    ENSURE(op,
           memcmp(cert_sha256(leaf), cert_sha256(p->leaf[WHO_SERVER]), KW_HASH_BYTES) == 0 &&
               memcmp(cert_sha256(issuer), cert_sha256(p->ca), KW_HASH_BYTES) == 0,
           KW_E_INTERNAL, "not the server and its issuer");
    ENSURE(op, *code == KW_CODE_OK, *code, "judged");
    return KW_OK;
}

static void the_judge_has_the_last_word(void **state)
{
    enum kw_code code = KW_CODE_OK;
    char url[64];
    char text[512];
    TEST_OP(op);

    (void)state;
    struct http_client_config config = rig_client_config(rig, true, WHO_DEVICE, url);
    config.judge = judge;
    config.judge_ctx = &code;
    struct http_client *client = tls_client_of(&config);
    expect_get(client, "/me", 200);
    http_client_disconnect(client);
    code = KW_E_REVOKED;
    assert_code(&op, call(&op, client, &post_call), KW_E_REVOKED);
    assert_has(kw_op_message(&op, text, sizeof(text)), "judged");
    code = KW_E_DENIED;
    assert_code(&op, call(&op, client, &get_call), KW_E_DENIED);
    code = KW_CODE_OK;
    expect_get(client, "/me", 200);
    http_client_free(client);
}

static kw_status refuse_to_sign(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                                struct kw_out *sig)
{
    (void)message;
    (void)pss;
    (void)sig;
    *(int64_t *)ctx = op->deadline_ms;
    return FAIL(op, KW_E_UNAVAILABLE, "the TPM sleeps");
}

static void a_remote_keys_refusal_is_told(void **state)
{
    struct privkey *remote = NULL;
    int64_t deadline_ms = 0;
    char url[64];
    char text[512];
    TEST_OP(op);

    (void)state;
    assert_ok(&op, privkey_remote(&op, privkey_public(rig_pki()->key[WHO_DEVICE]), refuse_to_sign,
                                  &deadline_ms, NULL, &remote));
    struct http_client_config config = rig_client_config(rig, true, WHO_DEVICE, url);
    config.key = remote;
    struct http_client *client = tls_client_of(&config);
    op.deadline_ms = os_clock_mono_ms() + 4321;
    assert_code(&op, call(&op, client, &post_call), KW_E_UNAVAILABLE);
    assert_has(kw_op_message(&op, text, sizeof(text)), "the TPM sleeps");
    assert_true(deadline_ms == op.deadline_ms); /* it may take as long as the call */
    http_client_free(client);
    privkey_unref(remote);
}

static void identities_must_be_whole(void **state)
{
    struct http_client *client = NULL;
    char url[64];
    TEST_OP(op);

    (void)state;
    struct http_client_config config = rig_client_config(rig, true, WHO_DEVICE, url);
    config.key = NULL;
    assert_code(&op, http_client_new(&op, &config, &client), KW_E_INPUT);
    config.key = rig_pki()->key[WHO_DEVICE_2];
    client = tls_client_of(&config);
    assert_code(&op, call(&op, client, &get_call), KW_E_INPUT);
    http_client_free(client);
}

/* The server's own exporter is RFC 9266's: the client's must be the same with that label. */
static void a_call_is_bound_to_its_connection(void **state)
{
    uint8_t exporter[HTTP_EXPORTER];
    char url[64];
    struct http_answer answer = {0};
    struct http_call bound = {.method = HTTP_POST, .path = "/binding", .exporter = exporter};
    const struct http_call ask = {.method = HTTP_GET, .path = "/binding"};
    TEST_OP(op);

    (void)state;
    struct http_client_config config = rig_client_config(rig, true, WHO_DEVICE, url);
    config.exporter_label = "EXPORTER-Channel-Binding";
    struct http_client *client = tls_client_of(&config);
    assert_false(http_client_exporter(client, exporter));
    assert_ok(&op, http_client_call(&op, client, &ask, &answer));
    assert_true(http_client_exporter(client, exporter));
    assert_int_equal(answer.body->len, sizeof(exporter));
    assert_memory_equal(answer.body->p, exporter, sizeof(exporter));
    http_answer_done(&answer);
    assert_ok(&op, call(&op, client, &bound)); /* the same one */

    http_client_disconnect(client);
    unsigned handled = atomic_load(&rig->n_handled);
    assert_code(&op, call(&op, client, &bound), KW_E_UNAVAILABLE);
    assert_int_equal(atomic_load(&rig->n_handled), handled); /* nothing was sent */
    assert_ok(&op, call(&op, client, &ask));
    assert_code(&op, call(&op, client, &bound), KW_E_UNAVAILABLE); /* another one than then */
    assert_ok(&op, call(&op, client, &ask));
    assert_true(http_client_exporter(client, exporter));
    assert_ok(&op, call(&op, client, &bound));
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(what_is_sent),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(no_server_is_unavailable),
        cmocka_unit_test(lost_answers_are_unsure_unless_asking_again_does_no_harm),
        cmocka_unit_test(nothing_is_sent_twice_on_a_kept_connection),
        cmocka_unit_test(connections_are_reused_until_told_otherwise),
        cmocka_unit_test(time_limits),
        cmocka_unit_test(large_answers_are_refused),
        cmocka_unit_test(redirects_are_not_followed_and_proxies_not_used),
        cmocka_unit_test(nonsense_is_not_an_answer),
        cmocka_unit_test(only_our_roots_are_trusted),
        cmocka_unit_test(the_servers_certificate_must_be_a_servers),
        cmocka_unit_test(addresses_are_names_too),
        cmocka_unit_test(the_judge_has_the_last_word),
        cmocka_unit_test(a_remote_keys_refusal_is_told),
        cmocka_unit_test(identities_must_be_whole),
        cmocka_unit_test(a_call_is_bound_to_its_connection),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("client", tests, start, stop);
}
