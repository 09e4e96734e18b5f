#include "crypto/ek_cert.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "crypto/openssl.h"

enum { DEPTH_MAX = 6, SECURITY_LEVEL = 2 /* 112 bits: RSA-2048 with SHA-256 */ };

static void stack_free(STACK_OF(X509) *stack)
{
    sk_X509_pop_free(stack, X509_free);
}
KW_OWNED(x509s, STACK_OF(X509), stack_free)
KW_OWNED(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

/* Exactly one certificate; some makers pad it in the TPM's NV, so what is behind it may be 0xff or
 * zero octets. */
static kw_status read_cert(struct kw_op *op, struct kw_span der, X509 **ret)
{
    const unsigned char *p = der.p;

    *ret = d2i_X509(NULL, &p, (long)der.len);
    OSSL_ENSURE(op, *ret, KW_E_INPUT, "not a certificate");
    for (; p < der.p + der.len; p++) {
        ENSURE(op, *p == 0 || *p == 0xff, KW_E_INPUT, "octets behind the certificate");
    }
    return KW_OK;
}

kw_status ek_root_check(struct kw_op *op, struct kw_span der, char *ret_name, size_t cap,
                        bool *ret_self_signed)
{
    AUTO(X509) *cert = NULL;

    TRY(op, read_cert(op, der, &cert));
    ENSURE(op, X509_check_ca(cert) > 0, KW_E_INPUT, "the certificate is not of a CA");
    X509_NAME_oneline(X509_get_subject_name(cert), ret_name, (int)cap);
    *ret_self_signed = X509_self_signed(cert, /* verify_signature= */ 1) == 1;
    ERR_clear_error();
    return KW_OK;
}

kw_status ek_cert_is_of(struct kw_op *op, struct kw_span der, struct kw_span spki)
{
    AUTO(X509) *cert = NULL;
    const unsigned char *p = spki.p;

    TRY(op, read_cert(op, der, &cert));
    AUTO(EVP_PKEY) *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
    EVP_PKEY *theirs = X509_get0_pubkey(cert);
    bool same = key && theirs && EVP_PKEY_eq(key, theirs) == 1;
    ERR_clear_error();
    ENSURE(op, same, KW_E_DENIED, "the EK certificate is for another key");
    return KW_OK;
}

static kw_status read_all(struct kw_op *op, const struct kw_span ders[], unsigned n,
                          STACK_OF(X509) **ret)
{
    AUTO(x509s) *stack = sk_X509_new_null();

    OSSL_ENSURE(op, stack, KW_E_MEMORY, "verifying an EK certificate");
    for (unsigned i = 0; i < n; i++) {
        AUTO(X509) *cert = NULL;
        TRY(op, read_cert(op, ders[i], &cert));
        OSSL_ENSURE(op, sk_X509_push(stack, cert) > 0, KW_E_MEMORY, "verifying an EK certificate");
        cert = NULL;
    }
    *ret = TAKE(stack);
    return KW_OK;
}

/* TCG EK Credential Profile 3.5.1.12: no CA; of extended key uses, where there are any, that of EKs
 * (the same CAs vouch for platforms). */
static kw_status check_use(struct kw_op *op, X509 *cert)
{
    static const char use_ek[] = "2.23.133.8.1";
    bool found = false;
    int there = 0;

    ENSURE(op, X509_check_ca(cert) == 0, KW_E_DENIED, "a CA's certificate is of no EK");
    AUTO(EXTENDED_KEY_USAGE) *uses = X509_get_ext_d2i(cert, NID_ext_key_usage, &there, NULL);
    ERR_clear_error();
    for (int i = 0; i < sk_ASN1_OBJECT_num(uses) && !found; i++) {
        char text[80];
        (void)OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(uses, i), /* no_name= */ 1);
        found = strcmp(text, use_ek) == 0;
    }
    ENSURE(op, uses || there == -1, KW_E_INPUT, "extended key uses that cannot be read");
    ENSURE(op, !uses || found, KW_E_DENIED, "the certificate is for another use than that of EKs");
    return KW_OK;
}

static kw_status verify(struct kw_op *op, X509_STORE_CTX *ctx)
{
    int verdict = X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    bool late = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;

    ERR_clear_error();
    ENSURE(op, verdict == 1, late ? KW_E_EXPIRED : KW_E_DENIED, "%s",
           X509_verify_cert_error_string(error));
    return KW_OK;
}

kw_status ek_cert_verify(struct kw_op *op, struct kw_span der, const struct kw_span intermediates[],
                         unsigned n_intermediates, const struct kw_span roots[], unsigned n_roots,
                         int64_t at_unix)
{
    AUTO(X509) *cert = NULL;
    AUTO(x509s) *between = NULL;
    AUTO(x509s) *trusted = NULL;
    AUTO(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();

    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "verifying an EK certificate");
    TRY(op, read_cert(op, der, &cert));
    TRY(op, check_use(op, cert));
    TRY(op, read_all(op, intermediates, n_intermediates, &between));
    TRY(op, read_all(op, roots, n_roots, &trusted));
    OSSL_ENSURE(op, X509_STORE_CTX_init(ctx, NULL, cert, between) == 1, KW_E_MEMORY,
                "verifying an EK certificate");
    X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at_unix);
    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    return verify(op, ctx);
}
