/* Whole handshakes in memory, TLS 1.3 and 1.2, with remote keys on both sides. */
#include <openssl/err.h>

#include "crypto/privkey.h"
#include "kit.h"

struct side {
    struct far_side *far;
    struct privkey *remote;
    X509 *x;
    SSL_CTX *ctx;
    SSL *ssl;
};

static void side_done(struct side *side)
{
    SSL_free(side->ssl);
    SSL_CTX_free(side->ctx);
    X509_free(side->x);
    privkey_unref(side->remote);
    assert_int_equal(atomic_load(&side->far->n_freed), 1);
    far_free(side->far);
}
#define SIDE __attribute__((cleanup(side_done))) struct side

static struct side side_new(enum key_alg alg, bool server)
{
    struct side s = {.far = far_new(alg)};

    s.remote = remote_of(s.far);
    s.x = certify(privkey_public(s.remote), privkey_evp(s.remote), server ? "server" : "client");
    assert_non_null(s.x);
    s.ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(s.ctx, s.x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, privkey_evp(s.remote)), 1);
    assert_int_equal(SSL_CTX_check_private_key(s.ctx), 1);
    assert_int_equal(SSL_CTX_set_session_id_context(s.ctx, (const uint8_t *)"t", 1), 1);
    return s;
}

static void trust(struct side *side, X509 *peer)
{
    SSL_CTX_set_verify(side->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(side->ctx), peer), 1);
}

static void connect_sides(struct side *server, struct side *client)
{
    BIO *a = NULL;
    BIO *b = NULL;

    trust(server, client->x);
    trust(client, server->x);
    server->ssl = SSL_new(server->ctx);
    client->ssl = SSL_new(client->ctx);
    SSL_set_accept_state(server->ssl);
    SSL_set_connect_state(client->ssl);
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(server->ssl, a, a);
    SSL_set_bio(client->ssl, b, b);
}

/* Turn by turn until both are done or one fails for good. */
static bool handshake(struct side *server, struct side *client)
{
    for (unsigned turn = 0; turn < 20; turn++) {
        SSL *ssl = turn % 2 == 0 ? client->ssl : server->ssl;
        int r = SSL_do_handshake(ssl);
        if (r != 1 && SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ) {
            return false;
        }
        if (SSL_is_init_finished(server->ssl) && SSL_is_init_finished(client->ssl)) {
            return true;
        }
    }
    return false;
}

/* RFC 8446 section 4.4.3: 64 octets of 0x20, the context string, a zero octet, the transcript hash.
 */
static void assert_tls13_content(const struct kw_bytes *message, const char *context)
{
    uint8_t spaces[64];
    size_t n = strlen(context);

    memset(spaces, ' ', sizeof(spaces));
    assert_true(message->len == 64 + n + 1 + 32 || message->len == 64 + n + 1 + 48);
    assert_memory_equal(message->p, spaces, sizeof(spaces));
    assert_memory_equal(message->p + 64, context, n + 1);
}

static void tls13_with_every_algorithm(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        SIDE server = side_new(all_algs[i], true);
        SIDE client = side_new(all_algs[i], false);

        connect_sides(&server, &client);
        assert_true(handshake(&server, &client));
        assert_string_equal(SSL_get_version(client.ssl), "TLSv1.3");
        assert_int_equal(SSL_get_verify_result(client.ssl), X509_V_OK);
        assert_int_equal(SSL_get_verify_result(server.ssl), X509_V_OK);
        assert_tls13_content(server.far->message, "TLS 1.3, server CertificateVerify");
        assert_tls13_content(client.far->message, "TLS 1.3, client CertificateVerify");
        bool rsa = all_algs[i] == KEY_ALG_RSA_3072;
        assert_int_equal(server.far->pss, rsa);
        assert_int_equal(client.far->pss, rsa);
        /* One for the certificate, one for the handshake: no signature is asked for twice. */
        assert_int_equal(atomic_load(&server.far->n_calls), 2);
        assert_int_not_equal(server.far->deadline_ms, 0);

        char text[4] = "";
        assert_int_equal(SSL_write(client.ssl, "ping", 4), 4);
        assert_int_equal(SSL_read(server.ssl, text, 4), 4);
        assert_memory_equal(text, "ping", 4);
    }
}

/* What a peer offers must not lead to a hash that the far side does not make. */
static void tls13_when_the_peer_prefers_other_hashes(void **state)
{
    (void)state;
    SIDE server = side_new(KEY_ALG_RSA_3072, true);
    SIDE client = side_new(KEY_ALG_RSA_3072, false);

    char list[] = "rsa_pss_rsae_sha512:rsa_pss_rsae_sha384:rsa_pss_rsae_sha256:RSA+SHA256";
    assert_int_equal(SSL_CTX_set1_sigalgs_list(client.ctx, list), 1);
    connect_sides(&server, &client);
    assert_true(handshake(&server, &client));
    int nid = NID_undef;
    assert_int_equal(SSL_get_peer_signature_nid(client.ssl, &nid), 1);
    assert_int_equal(nid, NID_sha256);
}

static void tls12_with_every_algorithm(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        SIDE server = side_new(all_algs[i], true);
        SIDE client = side_new(all_algs[i], false);

        assert_int_equal(SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION), 1);
        connect_sides(&server, &client);
        assert_true(handshake(&server, &client));
        assert_string_equal(SSL_get_version(client.ssl), "TLSv1.2");
    }
}

static void a_mix_of_algorithms_on_one_server(void **state)
{
    (void)state;
    SIDE server = side_new(KEY_ALG_EC_P256, true);
    SIDE client = side_new(KEY_ALG_EC_P384, false);
    SIDE second = side_new(KEY_ALG_ED25519, true);

    assert_int_equal(SSL_CTX_use_certificate(server.ctx, second.x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server.ctx, privkey_evp(second.remote)), 1);
    trust(&client, second.x);
    char client_list[] = "ed25519:ECDSA+SHA384";
    char server_list[] = "ECDSA+SHA384";
    assert_int_equal(SSL_CTX_set1_sigalgs_list(client.ctx, client_list), 1);
    assert_int_equal(SSL_CTX_set1_client_sigalgs_list(server.ctx, server_list), 1);
    connect_sides(&server, &client);
    assert_true(handshake(&server, &client));
    assert_int_equal(atomic_load(&second.far->n_calls), 2);
    assert_int_equal(atomic_load(&server.far->n_calls), 1);
    SSL_CTX_free(server.ctx); /* the second key's last user */
    SSL_free(server.ssl);
    server.ctx = NULL;
    server.ssl = NULL;
}

static void a_wrong_certificate_is_noticed(void **state)
{
    (void)state;
    SIDE server = side_new(KEY_ALG_EC_P256, true);
    SIDE other = side_new(KEY_ALG_EC_P256, true);

    assert_int_equal(SSL_CTX_use_PrivateKey(server.ctx, privkey_evp(other.remote)), 0);
    ERR_clear_error();
    SSL_CTX_free(other.ctx);
    other.ctx = NULL;
}

static void a_refusal_ends_the_handshake_and_tells_why(void **state)
{
    struct kw_op op;
    (void)state;
    SIDE server = side_new(KEY_ALG_EC_P256, true);
    SIDE client = side_new(KEY_ALG_EC_P256, false);

    connect_sides(&server, &client);
    server.far->refuse = KW_E_TIMEOUT;
    kw_op_init(&op, "system", 0);
    ERR_clear_error();
    assert_false(handshake(&server, &client));
    assert_code(crypto_fail(&op, KW_E_AUTH, __FILE__, __LINE__, "handshake"), KW_E_TIMEOUT);
    assert_string_equal(kw_op_cause(&op), "handshake: not within policy");

    /* And the same keys serve the next connection. */
    SSL_free(server.ssl);
    SSL_free(client.ssl);
    server.far->refuse = KW_CODE_OK;
    connect_sides(&server, &client);
    assert_true(handshake(&server, &client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls13_with_every_algorithm),
        cmocka_unit_test(tls13_when_the_peer_prefers_other_hashes),
        cmocka_unit_test(tls12_with_every_algorithm),
        cmocka_unit_test(a_mix_of_algorithms_on_one_server),
        cmocka_unit_test(a_wrong_certificate_is_noticed),
        cmocka_unit_test(a_refusal_ends_the_handshake_and_tells_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
