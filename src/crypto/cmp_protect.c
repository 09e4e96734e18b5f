/* Protection of messages: signatures by certified keys, and MACs from shared secrets. */
#include <openssl/cmp.h>
#include <openssl/crmf.h>

#include "base/secret.h"
#include "crypto/cmp_internal.h"
#include "crypto/signed.h"

KW_OWNED(OSSL_CRMF_PBMPARAMETER, OSSL_CRMF_PBMPARAMETER, OSSL_CRMF_PBMPARAMETER_free)

enum { SALT_MIN = 8, SALT_MAX = 128, ITERATIONS_MIN = 1, DERIVED_MAX = 64 };

static const struct kw_span password_based_mac = CMP_OCTETS("\x2a\x86\x48\x86\xf6\x7d\x07\x42\x0d");
static const struct kw_span pbmac1 = CMP_OCTETS("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e");
static const struct kw_span pbkdf2 = CMP_OCTETS("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c");

/* SHA-1 only inside HMAC, where it still holds: it is what OpenSSL's client says by itself. */
static const struct hash_row {
    struct kw_span oid;
    const char *digest; /* OpenSSL's name */
    bool hmac;
} hashes[] = {
    {CMP_OCTETS("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), "SHA256", false},
    {CMP_OCTETS("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), "SHA384", false},
    {CMP_OCTETS("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), "SHA512", false},
    {CMP_OCTETS("\x2b\x06\x01\x05\x05\x08\x01\x02"),     "SHA1",   true },
    {CMP_OCTETS("\x2a\x86\x48\x86\xf7\x0d\x02\x07"),     "SHA1",   true },
    {CMP_OCTETS("\x2a\x86\x48\x86\xf7\x0d\x02\x09"),     "SHA256", true },
    {CMP_OCTETS("\x2a\x86\x48\x86\xf7\x0d\x02\x0a"),     "SHA384", true },
    {CMP_OCTETS("\x2a\x86\x48\x86\xf7\x0d\x02\x0b"),     "SHA512", true },
};

/* --- AlgorithmIdentifiers --------------------------------------------------------------------- */

/* Split one; params: whole element, empty where absent. */
static struct kw_span read_alg(struct kw_span alg, struct kw_span *ret_params)
{
    struct kw_reader outer = kw_reader_of(alg);
    struct kw_reader r = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    struct kw_span oid = der_read(&r, DER_OID);

    *ret_params = r.rest;
    return r.failed ? KW_SPAN(NULL, 0) : oid;
}

/* The hash of an AlgorithmIdentifier whose parameters are absent or NULL; NULL: not taken. */
static const char *digest_of(struct kw_span alg, bool hmac)
{
    static const struct kw_span null = CMP_OCTETS("\x05\x00");
    struct kw_span params, oid = read_alg(alg, &params);

    if (params.len > 0 && !kw_span_equal(params, null)) {
        return NULL;
    }
    for (size_t i = 0; i < KW_COUNT(hashes); i++) {
        if (hashes[i].hmac == hmac && kw_span_equal(hashes[i].oid, oid)) {
            return hashes[i].digest;
        }
    }
    return NULL;
}

enum cmp_protection cmp_protection_of(const struct cmp_message *message)
{
    struct kw_span params, oid = read_alg(message->protect_alg, &params);

    if (message->protection.len == 0 || message->protect_alg.len == 0) {
        return CMP_PROTECT_NONE;
    }
    if (kw_span_equal(oid, password_based_mac) || kw_span_equal(oid, pbmac1)) {
        return CMP_PROTECT_MAC;
    }
    return signed_alg_is_taken(message->protect_alg) ? CMP_PROTECT_SIGNATURE : CMP_PROTECT_OTHER;
}

/* --- what is protected (RFC 9810 section 5.1.3) ------------------------------------------------
 */

static kw_status protected_part(struct kw_op *op, struct kw_span header, struct kw_span body,
                                struct kw_bytes **ret)
{
    AUTO(kw_bytes) *part = NULL;

    TRY(op, kw_bytes_new(header.len + body.len + 8, &part));
    struct der_writer w = der_writer_of(part);
    size_t at = der_open(&w, DER_SEQUENCE);
    der_copy(&w, header);
    der_copy(&w, body);
    der_close(&w, at);
    TRY(op, der_written(&w));
    *ret = TAKE(part);
    return KW_OK;
}

kw_status cmp_verify_signature(struct kw_op *op, const struct cmp_message *message,
                               const struct pubkey *key)
{
    AUTO(kw_bytes) *part = NULL;

    TRY(op, protected_part(op, message->header, message->body, &part));
    return signed_verify_request(op, message->protect_alg, kw_bytes_span(part), message->protection,
                                 key);
}

/* --- MAC parameters ----------------------------------------------------------------------------
 */

struct mac {
    bool pbm;
    struct kw_span params; /* PBMParameter, whole */
    struct kw_span salt;
    int64_t iterations;
    size_t key_len;           /* PBMAC1 */
    const char *owf, *digest; /* hash of the derivation (PBMAC1: of its PRF), of the HMAC */
};

static bool mac_fits(const struct mac *mac)
{
    return mac->salt.len >= SALT_MIN && mac->salt.len <= SALT_MAX &&
           mac->iterations >= ITERATIONS_MIN && mac->iterations <= CMP_ITERATIONS_MAX && mac->owf &&
           mac->digest;
}

/* PBMParameter: salt, owf, iterationCount, mac. */
static bool read_pbm(struct kw_span params, struct mac *mac)
{
    struct kw_reader outer = kw_reader_of(params);
    struct kw_reader r = kw_reader_of(der_read(&outer, DER_SEQUENCE));

    mac->pbm = true;
    mac->params = params;
    mac->salt = der_read(&r, DER_OCTET_STRING);
    mac->owf = digest_of(der_read_whole(&r, DER_SEQUENCE), /* hmac= */ false);
    mac->iterations = cmp_read_int(&r, DER_INTEGER);
    mac->digest = digest_of(der_read_whole(&r, DER_SEQUENCE), /* hmac= */ true);
    return kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&r));
}

/* PBKDF2-params: salt, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1. */
static bool read_pbkdf2(struct kw_span alg, struct mac *mac)
{
    struct kw_span params;

    if (!kw_span_equal(read_alg(alg, &params), pbkdf2)) {
        return false;
    }
    struct kw_reader outer = kw_reader_of(params);
    struct kw_reader r = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    mac->salt = der_read(&r, DER_OCTET_STRING);
    mac->iterations = cmp_read_int(&r, DER_INTEGER);
    mac->key_len = 32;
    if (der_read_is(&r, DER_INTEGER)) {
        int64_t len = cmp_read_int(&r, DER_INTEGER);
        mac->key_len = len >= 16 && len <= DERIVED_MAX ? (size_t)len : 0;
    }
    mac->owf = "SHA1";
    if (der_read_is(&r, DER_SEQUENCE)) {
        mac->owf = digest_of(der_read_whole(&r, DER_SEQUENCE), /* hmac= */ true);
    }
    return kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&r)) && mac->key_len > 0;
}

/* PBMAC1-params: keyDerivationFunc, messageAuthScheme. */
static bool read_pbmac1(struct kw_span params, struct mac *mac)
{
    struct kw_reader outer = kw_reader_of(params);
    struct kw_reader r = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    struct kw_span kdf = der_read_whole(&r, DER_SEQUENCE);

    mac->digest = digest_of(der_read_whole(&r, DER_SEQUENCE), /* hmac= */ true);
    return kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&r)) && read_pbkdf2(kdf, mac);
}

static kw_status read_mac(struct kw_op *op, struct kw_span alg, struct mac *ret)
{
    struct kw_span params, oid = read_alg(alg, &params);
    struct mac mac = {0};

    bool read = kw_span_equal(oid, pbmac1) ? read_pbmac1(params, &mac) : read_pbm(params, &mac);
    ENSURE(op, read, KW_E_INPUT, "the parameters of the MAC cannot be read");
    ENSURE(
        op, mac_fits(&mac), KW_E_UNSUPPORTED,
        "this MAC is not taken: salt of %d to %d octets, at most %d iterations, SHA-256, SHA-384 "
        "or SHA-512 (HMAC also SHA-1)",
        (int)SALT_MIN, (int)SALT_MAX, (int)CMP_ITERATIONS_MAX);
    *ret = mac;
    return KW_OK;
}

kw_status cmp_check_mac(struct kw_op *op, const struct cmp_message *message)
{
    struct mac mac;

    return read_mac(op, message->protect_alg, &mac);
}

/* --- computing it ------------------------------------------------------------------------------
 */

static kw_status compute_pbm(struct kw_op *op, const struct mac *mac, struct kw_span part,
                             struct kw_span secret, struct kw_out *ret)
{
    const unsigned char *p = mac->params.p;
    unsigned char *code = NULL;
    size_t len = 0;
    AUTO(OSSL_CRMF_PBMPARAMETER) *params =
        d2i_OSSL_CRMF_PBMPARAMETER(NULL, &p, (long)mac->params.len);

    OSSL_ENSURE(op, params, KW_E_INPUT, "PBMParameter");
    OSSL_ENSURE(op,
                OSSL_CRMF_pbm_new(NULL, NULL, params, part.p, part.len, secret.p, secret.len, &code,
                                  &len) == 1,
                KW_E_UNSUPPORTED, "password-based MAC");
    kw_status status = kw_out_set(ret, KW_SPAN(code, len));
    OPENSSL_free(code);
    return status;
}

static kw_status compute_pbmac1(struct kw_op *op, const struct mac *mac, struct kw_span part,
                                struct kw_span secret, struct kw_out *ret)
{
    unsigned char key[DERIVED_MAX];
    size_t len = 0;
    const EVP_MD *prf = EVP_get_digestbyname(mac->owf);

    OSSL_ENSURE(op,
                prf && PKCS5_PBKDF2_HMAC((const char *)secret.p, (int)secret.len, mac->salt.p,
                                         (int)mac->salt.len, (int)mac->iterations, prf,
                                         (int)mac->key_len, key) == 1,
                KW_E_UNSUPPORTED, "PBKDF2");
    bool made = EVP_Q_mac(NULL, "HMAC", NULL, mac->digest, NULL, key, mac->key_len, part.p,
                          part.len, ret->p, ret->cap, &len) != NULL;
    kw_wipe(key, sizeof(key));
    OSSL_ENSURE(op, made, KW_E_UNSUPPORTED, "PBMAC1");
    ret->len = len;
    return KW_OK;
}

kw_status cmp_compute_mac(struct kw_op *op, struct kw_span alg, struct kw_span part,
                          const struct kw_secret *secret, struct kw_out *ret)
{
    struct mac mac;

    TRY(op, read_mac(op, alg, &mac));
    return (mac.pbm ? compute_pbm : compute_pbmac1)(op, &mac, part, kw_secret_span(secret), ret);
}

kw_status cmp_verify_mac(struct kw_op *op, const struct cmp_message *message,
                         const struct kw_secret *secret)
{
    uint8_t room[CMP_MAC_MAX];
    struct kw_out code = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *part = NULL;

    TRY(op, protected_part(op, message->header, message->body, &part));
    TRY(op, cmp_compute_mac(op, message->protect_alg, kw_bytes_span(part), secret, &code));
    ENSURE(op, kw_equal_consttime(kw_out_span(&code), message->protection), KW_E_DENIED,
           "the MAC does not verify");
    return KW_OK;
}

/* --- certHash ----------------------------------------------------------------------------------
 */

kw_status cmp_cert_hash(struct kw_op *op, struct kw_span cert_der, struct kw_span hash_alg,
                        struct kw_out *ret)
{
    struct signed_der parts;
    const char *digest = NULL;
    size_t len = 0;

    if (hash_alg.len > 0) {
        digest = digest_of(hash_alg, /* hmac= */ false);
    } else {
        TRY(op, signed_parse(op, cert_der, &parts));
        digest = key_alg_digest(parts.key_alg);
        digest = digest ? digest : "SHA512"; /* Ed25519: RFC 9481 section 2.2.1 */
    }
    ENSURE(op, digest && ret->cap >= CMP_MAC_MAX, KW_E_UNSUPPORTED, "certHash by an unknown hash");
    OSSL_ENSURE(op, EVP_Q_digest(NULL, digest, NULL, cert_der.p, cert_der.len, ret->p, &len) == 1,
                KW_E_UNSUPPORTED, "certHash");
    ret->len = len;
    return KW_OK;
}
