/* Who gets through a handshake, what they are told otherwise, and when a live connection ends. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/server.h"
#include "rig_group.h"

#define GET_(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* A client by OpenSSL alone. */
struct raw_tls {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void raw_tls_open(struct raw_tls *t, uint16_t port, int max_version)
{
    t->ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_max_proto_version(t->ctx, max_version), 1);
    t->ssl = SSL_new(t->ctx);
    t->fd = raw_connect(port);
    assert_int_equal(SSL_set_fd(t->ssl, t->fd), 1);
}

static void raw_tls_close(struct raw_tls *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    close(t->fd);
    ERR_clear_error();
}

static void asked_and_answered(void **state)
{
    (void)state;
    struct http_client *device = rig_client(rig, true, WHO_DEVICE);
    struct http_client *idevid = rig_client(rig, true, WHO_IDEVID);
    struct http_client *nobody = rig_client(rig, true, WHO_MAX);

    expect_get(device, "/me", 200);
    expect_get(device, "/fast-me", 200);
    expect_get(idevid, "/me", 200); /* no extended key usage fits any */
    expect_get(nobody, "/hello", 200);
    expect_get(nobody, "/me", 401);
    http_client_free(device);
    http_client_free(idevid);
    http_client_free(nobody);
}

static void the_certificate_names_the_principal(void **state)
{
    struct http_client *client = rig_client(rig, true, WHO_DEVICE_2);
    struct http_answer answer = {0};
    char text[256];
    TEST_OP(op);

    (void)state;
    assert_ok(&op,
              http_client_call(&op, client, &(struct http_call){.method = HTTP_GET, .path = "/me"},
                               &answer));
    assert_has(body_text(&answer, text, sizeof(text)), "2 device-2 cert ");
    http_answer_done(&answer);
    http_client_free(client);
}

static uint64_t n_failed(const struct rig *of, enum tls_end end)
{
    return http_server_stats(of->server).handshakes_failed[end];
}

static void wait_failed(const struct rig *of, enum tls_end end, uint64_t want)
{
    for (unsigned i = 0; i < 500 && n_failed(of, end) < want; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(n_failed(of, end), want);
}

static void expect_alert(enum who who, const char *alert)
{
    struct http_client *client = rig_client(rig, true, who);
    uint64_t failed = n_failed(rig, TLS_END_CERTIFICATE);
    char text[512];
    TEST_OP(op);

    assert_code(&op, try_get(&op, client, "/hello"), KW_E_AUTH);
    assert_int_equal(ERR_peek_error(), 0); /* nor on the client's side */
    kw_op_message(&op, text, sizeof(text));
    assert_has(text, "refuses our certificate");
    assert_has(text, alert);
    /* Also for a request that must not be sent twice: it is certain that nothing was done. */
    struct http_answer answer = {0};
    struct http_call post = {.method = HTTP_POST,
                             .path = "/slow?1",
                             .content_type = "text/plain",
                             .body = kw_span_text("x")};
    assert_code(&op, http_client_call(&op, client, &post, &answer), KW_E_AUTH);
    http_client_free(client);
    wait_failed(rig, TLS_END_CERTIFICATE, failed + 2);
}

static void untrusted_clients_are_told_why(void **state)
{
    (void)state;
    expect_alert(WHO_STRANGER, "unknown CA");
    expect_alert(WHO_EXPIRED, "certificate expired");
    expect_alert(WHO_WRONG_USE, "unsupported certificate");
}

static void the_judge_refuses_in_the_handshake(void **state)
{
    (void)state;
    atomic_store(&rig->judge_code, KW_E_REVOKED);
    expect_alert(WHO_DEVICE, "certificate revoked");
    atomic_store(&rig->judge_code, KW_E_DENIED);
    expect_alert(WHO_DEVICE, "bad certificate");
    atomic_store(&rig->judge_code, KW_E_EXPIRED);
    expect_alert(WHO_DEVICE, "certificate expired");
    atomic_store(&rig->judge_code, KW_E_UNAVAILABLE);
    struct http_client *client = rig_client(rig, true, WHO_DEVICE);
    TEST_OP(op);
    assert_code(&op, try_get(&op, client, "/hello"), KW_E_UNAVAILABLE); /* not the client's fault */
    wait_failed(rig, TLS_END_SERVER, 1);
    assert_has(rig->refused, "certificate 1122");
    atomic_store(&rig->judge_code, KW_CODE_OK);
    expect_get(client, "/me", 200);
    http_client_free(client);
}

static void revocation_bites_on_a_live_connection(void **state)
{
    struct http_client *client = rig_client(rig, true, WHO_DEVICE);

    (void)state;
    expect_get(client, "/me", 200);
    atomic_store(&rig->authenticate_code, KW_E_REVOKED);
    expect_get(client, "/me", 403);
    expect_get(client, "/fast-me", 403);
    expect_get(client, "/hello", 403); /* also where none is needed: it was shown */
    atomic_store(&rig->authenticate_code, KW_E_UNAVAILABLE);
    expect_get(client, "/me", 503);
    atomic_store(&rig->authenticate_code, KW_CODE_OK);
    expect_get(client, "/me", 200);
    http_client_free(client);
}

static void certificates_may_be_required(void **state)
{
    struct rig *kept = rig;

    (void)state;
    rig = rig_start(&(struct rig_options){.client_required = true});
    struct http_client *device = rig_client(rig, true, WHO_DEVICE);
    expect_get(device, "/me", 200);
    http_client_free(device);
    expect_alert(WHO_MAX, "certificate required");
    rig_stop(rig);
    rig = kept;
}

static void intermediates_may_be_known_to_the_server(void **state)
{
    struct rig *lenient = rig_start(&(struct rig_options){.leaf_only = true});

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct http_client *client = NULL;
        char url[64];
        const struct rig *to = i ? rig : lenient;
        struct http_client_config config = rig_client_config(to, true, WHO_DEVICE, url);
        config.n_chain = 1;
        TEST_OP(op);
        assert_ok(&op, http_client_new(&op, &config, &client));
        assert_code(&op, try_get(&op, client, "/me"), i ? KW_E_AUTH : KW_CODE_OK);
        http_client_free(client);
    }
    rig_stop(lenient);
}

static void older_tls_is_refused(void **state)
{
    uint64_t before = n_failed(rig, TLS_END_PROTOCOL);
    struct raw_tls t;

    (void)state;
    raw_tls_open(&t, rig->tls_port, TLS1_2_VERSION);
    assert_int_not_equal(SSL_connect(t.ssl), 1);
    assert_has(ERR_reason_error_string(ERR_peek_error()), "protocol version");
    raw_tls_close(&t);
    wait_failed(rig, TLS_END_PROTOCOL, before + 1);
    assert_has(rig->refused, "unsupported protocol");
}

/* Another connection, and a handler on this thread, would take them for their own. */
static void failed_handshakes_leave_no_errors(void **state)
{
    const char *const garbage[] = {"GET / HTTP/1.1\r\n\r\n",
                                   "\x16\x03\x01\x00\x05\x01\x02\x03\x04\x05", ""};
    struct raw_tls t;
    char answer[1024];

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(garbage) + 3; i++) {
        if (i < KW_COUNT(garbage)) {
            (void)raw_exchange(rig->tls_port, garbage[i], answer, i == 2 ? 1 : sizeof(answer));
        } else if (i == KW_COUNT(garbage)) {
            raw_tls_open(&t, rig->tls_port, TLS1_2_VERSION);
            assert_int_not_equal(SSL_connect(t.ssl), 1);
            raw_tls_close(&t);
        } else {
            expect_alert(i % 2 ? WHO_STRANGER : WHO_EXPIRED, i % 2 ? "unknown CA" : "expired");
        }
        assert_int_equal(raw_exchange(rig->plain_port,
                                      "GET /stale HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                      answer, sizeof(answer)),
                         200);
        assert_has(answer, "\r\n\r\nnone");
    }
}

static unsigned n_tickets;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    n_tickets += SSL_SESSION_is_resumable(session) ? 1 : 0;
    return 0;
}

static void sessions_are_not_resumed(void **state)
{
    struct raw_tls t;
    char answer[1024] = "";

    (void)state;
    raw_tls_open(&t, rig->tls_port, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(t.ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(t.ctx, on_ticket);
    assert_int_equal(SSL_connect(t.ssl), 1);
    assert_int_equal(SSL_write(t.ssl, GET_("/hello"), strlen(GET_("/hello"))),
                     strlen(GET_("/hello")));
    assert_true(SSL_read(t.ssl, answer, sizeof(answer) - 1) > 0);
    assert_int_equal(n_tickets, 0);
    SSL_SESSION *session = SSL_get1_session(t.ssl);
    assert_false(SSL_SESSION_is_resumable(session));
    SSL_SESSION_free(session);
    raw_tls_close(&t);
}

/* libest reads 1,024 octets once and wants all headers in them; one record is one SSL_read(). */
static void small_answers_are_one_record(void **state)
{
    static const char *const paths[] = {GET_("/hello"), GET_("/shared?900"), GET_("/shared?5000"),
                                        GET_("/big?8000"), GET_("/nope")};
    static char answer[16384];
    struct raw_tls t;

    (void)state;
    raw_tls_open(&t, rig->tls_port, TLS1_3_VERSION);
    assert_int_equal(SSL_connect(t.ssl), 1);
    for (unsigned i = 0; i < KW_COUNT(paths); i++) {
        size_t length = 0;
        assert_true(SSL_write(t.ssl, paths[i], (int)strlen(paths[i])) > 0);
        int n = SSL_read(t.ssl, answer, sizeof(answer) - 1);
        assert_true(n > 0);
        answer[n] = '\0';
        const char *body = strstr(answer, "\r\n\r\n");
        assert_non_null(body);
        assert_true(body - answer < 1024 - 4);
        assert_int_equal(sscanf(strstr(answer, "Content-Length: ") + 16, "%zu", &length), 1);
        assert_int_equal((size_t)(answer + n - body - 4), length);
    }
    raw_tls_close(&t);
}

static void a_closing_server_says_goodbye(void **state)
{
    struct raw_tls t;
    char answer[1024];
    int n = 0;

    (void)state;
    raw_tls_open(&t, rig->tls_port, TLS1_3_VERSION);
    assert_int_equal(SSL_connect(t.ssl), 1);
    assert_true(SSL_write(t.ssl, GET_("/close"), (int)strlen(GET_("/close"))) > 0);
    do {
        n = SSL_read(t.ssl, answer, sizeof(answer));
    } while (n > 0);
    assert_int_equal(SSL_get_error(t.ssl, n), SSL_ERROR_ZERO_RETURN);
    raw_tls_close(&t);
}

static void wait_open(uint64_t want)
{
    for (unsigned i = 0; i < 500 && http_server_stats(rig->server).connections_open != want; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, want);
}

static void kicked_certificates_lose_their_connections(void **state)
{
    const uint8_t *print = cert_sha256(rig_pki()->leaf[WHO_DEVICE]);
    struct http_client *first = rig_client(rig, true, WHO_DEVICE);
    struct http_client *second = rig_client(rig, true, WHO_DEVICE);
    struct http_client *other = rig_client(rig, true, WHO_DEVICE_2);

    (void)state;
    wait_open(0);
    expect_get(first, "/me", 200);
    expect_get(second, "/me", 200);
    expect_get(other, "/me", 200);
    wait_open(3);
    assert_int_equal(http_server_kick(rig->server, print), 2);
    wait_open(1);
    assert_int_equal(http_server_kick(rig->server, print), 0);
    expect_get(other, "/me", 200);
    expect_get(first, "/me", 200); /* connects anew; the judge lets it */
    http_client_free(first);
    http_client_free(second);
    http_client_free(other);
}

/* The answer that is being made still arrives (it may be the one to "revoke this certificate"),
 * then the connection ends. */
static void a_kick_during_a_request_ends_the_connection_after_it(void **state)
{
    const struct pki *p = rig_pki();
    struct raw_tls t;
    char answer[1024] = "";

    (void)state;
    wait_open(0);
    raw_tls_open(&t, rig->tls_port, TLS1_3_VERSION);
    assert_int_equal(SSL_use_certificate(t.ssl, cert_x509(p->leaf[WHO_DEVICE])), 1);
    assert_int_equal(SSL_add1_chain_cert(t.ssl, cert_x509(p->ca)), 1);
    assert_int_equal(SSL_use_PrivateKey(t.ssl, privkey_evp(p->key[WHO_DEVICE])), 1);
    assert_int_equal(SSL_connect(t.ssl), 1);
    unsigned handled = atomic_load(&rig->n_handled);
    assert_true(SSL_write(t.ssl, GET_("/slow?200"), (int)strlen(GET_("/slow?200"))) > 0);
    wait_for(&rig->n_handled, handled + 1);
    assert_int_equal(http_server_kick(rig->server, cert_sha256(p->leaf[WHO_DEVICE])), 1);
    assert_true(SSL_read(t.ssl, answer, sizeof(answer) - 1) > 0);
    assert_has(answer, "200 OK");
    assert_has(answer, "Connection: close");
    assert_true(SSL_read(t.ssl, answer, sizeof(answer) - 1) <= 0);
    raw_tls_close(&t);
    wait_open(0);
}

static kw_status sign_far_away(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                               struct kw_out *sig)
{
    (void)ctx;
    (void)pss;
    return privkey_sign(op, rig_pki()->key[WHO_SERVER], message, sig);
}

static void the_servers_key_may_be_remote(void **state)
{
    struct privkey *remote = NULL;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, privkey_remote(&op, privkey_public(rig_pki()->key[WHO_SERVER]), sign_far_away,
                                  NULL, NULL, &remote));
    struct rig *other = rig_start(&(struct rig_options){.key = remote});
    struct http_client *client = rig_client(other, true, WHO_DEVICE);
    expect_get(client, "/me", 200);
    http_client_free(client);
    rig_stop(other);
    privkey_unref(remote);
}

static kw_status sign_never(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                            struct kw_out *sig)
{
    (void)ctx;
    (void)message;
    (void)pss;
    (void)sig;
    return FAIL(op, KW_E_UNAVAILABLE, "the keeper did not answer in time");
}

/* What the log's line is made of. */
static void a_key_that_does_not_sign_is_told(void **state)
{
    struct privkey *remote = NULL;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, privkey_remote(&op, privkey_public(rig_pki()->key[WHO_SERVER]), sign_never, NULL,
                                  NULL, &remote));
    struct rig *other = rig_start(&(struct rig_options){.key = remote});
    struct http_client *client = rig_client(other, true, WHO_DEVICE);
    assert_code(&op, try_get(&op, client, "/hello"), KW_E_UNAVAILABLE);
    wait_failed(other, TLS_END_SERVER, 1);
    assert_has(other->refused, "127.0.0.1:");
    assert_has(other->refused, "the keeper did not answer in time");
    assert_int_equal(n_failed(other, TLS_END_GONE), 0);
    http_client_free(client);
    rig_stop(other);
    privkey_unref(remote);
}

/* The client's word, not ours: it does not know our root. */
static void a_client_may_refuse_us(void **state)
{
    uint64_t before = n_failed(rig, TLS_END_ALERT);
    struct raw_tls t;

    (void)state;
    raw_tls_open(&t, rig->tls_port, TLS1_3_VERSION);
    SSL_set_verify(t.ssl, SSL_VERIFY_PEER, NULL);
    assert_int_not_equal(SSL_connect(t.ssl), 1);
    raw_tls_close(&t);
    wait_failed(rig, TLS_END_ALERT, before + 1);
}

static void who_leaves_is_counted_only(void **state)
{
    uint64_t before = n_failed(rig, TLS_END_GONE);
    unsigned told = atomic_load(&rig->n_refused);

    (void)state;
    close(raw_connect(rig->tls_port));
    wait_failed(rig, TLS_END_GONE, before + 1);
    assert_int_equal(atomic_load(&rig->n_refused), told);
}

static void plain_text_on_the_tls_port_is_no_request(void **state)
{
    char answer[1024];
    unsigned before = atomic_load(&rig->n_observed);

    (void)state;
    assert_int_equal(raw_exchange(rig->tls_port, GET_("/hello"), answer, sizeof(answer)), 0);
    assert_lacks(answer, "hello");
    assert_int_equal(atomic_load(&rig->n_observed), before);
}

static void bad_configurations_are_refused(void **state)
{
    const struct pki *p = rig_pki();
    struct cert *chain[] = {p->leaf[WHO_SERVER]};
    struct tls_server *tls = NULL;
    TEST_OP(op);

    (void)state;
    struct tls_server_config config = {.chain = chain, .n_chain = 1, .key = p->key[WHO_DEVICE]};
    assert_code(&op, tls_server_new(&op, &config, &tls), KW_E_INPUT); /* another's key */
    config.key = NULL;
    assert_code(&op, tls_server_new(&op, &config, &tls), KW_E_INPUT);
    config.key = p->key[WHO_SERVER];
    config.client_required = true;
    assert_code(&op, tls_server_new(&op, &config, &tls), KW_E_INPUT); /* by which root? */
    tls_server_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_and_answered),
        cmocka_unit_test(the_certificate_names_the_principal),
        cmocka_unit_test(untrusted_clients_are_told_why),
        cmocka_unit_test(the_judge_refuses_in_the_handshake),
        cmocka_unit_test(revocation_bites_on_a_live_connection),
        cmocka_unit_test(certificates_may_be_required),
        cmocka_unit_test(intermediates_may_be_known_to_the_server),
        cmocka_unit_test(older_tls_is_refused),
        cmocka_unit_test(failed_handshakes_leave_no_errors),
        cmocka_unit_test(sessions_are_not_resumed),
        cmocka_unit_test(small_answers_are_one_record),
        cmocka_unit_test(a_closing_server_says_goodbye),
        cmocka_unit_test(kicked_certificates_lose_their_connections),
        cmocka_unit_test(a_kick_during_a_request_ends_the_connection_after_it),
        cmocka_unit_test(the_servers_key_may_be_remote),
        cmocka_unit_test(a_key_that_does_not_sign_is_told),
        cmocka_unit_test(a_client_may_refuse_us),
        cmocka_unit_test(who_leaves_is_counted_only),
        cmocka_unit_test(plain_text_on_the_tls_port_is_no_request),
        cmocka_unit_test(bad_configurations_are_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("tls", tests, start, stop);
}
