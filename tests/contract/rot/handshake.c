#include "handshake.h"

#include "crypto/openssl.h"

static X509 *self_signed(EVP_PKEY *key)
{
    AUTO(X509) *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);

    bool built = X509_set_version(x509, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) &&
                 X509_gmtime_adj(X509_getm_notBefore(x509), -60) &&
                 X509_gmtime_adj(X509_getm_notAfter(x509), 3600) &&
                 X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                            (const unsigned char *)"localhost", -1, -1, 0) &&
                 X509_set_issuer_name(x509, name) && X509_set_pubkey(x509, key);
    const EVP_MD *md = EVP_PKEY_get_bits(key) == 384 ? EVP_sha384() : EVP_sha256();
    return built && X509_sign(x509, key, md) ? TAKE(x509) : NULL;
}

static SSL *side(SSL_CTX *ctx, BIO *in, BIO *out, bool server)
{
    SSL *ssl = SSL_new(ctx);
    (void)BIO_up_ref(in);
    (void)BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

bool handshake_works(const struct privkey *key)
{
    AUTO(X509) *x509 = self_signed(privkey_evp(key));
    if (!x509) {
        return false;
    }
    AUTO(SSL_CTX) *server_ctx = SSL_CTX_new(TLS_server_method());
    AUTO(SSL_CTX) *client_ctx = SSL_CTX_new(TLS_client_method());
    AUTO(BIO) *to_server = BIO_new(BIO_s_mem());
    AUTO(BIO) *to_client = BIO_new(BIO_s_mem());

    if (!SSL_CTX_use_certificate(server_ctx, x509) ||
        !SSL_CTX_use_PrivateKey(server_ctx, privkey_evp(key)) ||
        !X509_STORE_add_cert(SSL_CTX_get_cert_store(client_ctx), x509)) {
        return false;
    }
    SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
    AUTO(SSL) *server = side(server_ctx, to_server, to_client, true);
    AUTO(SSL) *client = side(client_ctx, to_client, to_server, false);
    for (int i = 0; i < 10 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client));
         i++) {
        (void)SSL_do_handshake(client); /* wants more until the other side has spoken */
        (void)SSL_do_handshake(server);
    }
    return SSL_is_init_finished(server) && SSL_is_init_finished(client);
}
