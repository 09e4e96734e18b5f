#include "crypto/der_write.h"
#include "crypto/ocsp_asn1.h"

enum {
    TAG_0 = 0x80,
    TAG_1 = 0x81,
    TAG_2 = 0x82,
    CONSTRUCTED = 0x20,
    DER_ENUMERATED = 0x0a,
    AROUND_MAX = 128, /* all but ResponseData, the signature and the certificate */
};

#define OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}
static const struct kw_span nonce_oid = OCTETS("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02");
static const struct kw_span basic_oid = OCTETS("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01");
static const struct kw_span successful = OCTETS("\x0a\x01\x00");

/* OCSPResponse with only its status, RFC 6960 section 4.2.1; responseBytes are absent on errors. */
struct kw_span ocsp_answer_error(int status)
{
    static const uint8_t answers[][5] = {
        {0x30, 0x03, 0x0a, 0x01, 1}, /* malformedRequest */
        {0x30, 0x03, 0x0a, 0x01, 2}, /* internalError */
        {0x30, 0x03, 0x0a, 0x01, 3}, /* tryLater */
        {0x30, 0x03, 0x0a, 0x01, 6}, /* unauthorized */
    };

    for (size_t i = 0; i < KW_COUNT(answers); i++) {
        if (answers[i][4] == status) {
            return KW_SPAN_ARRAY(answers[i]);
        }
    }
    return KW_SPAN_ARRAY(answers[1]);
}

/* --- ResponseData (RFC 6960 section 4.2.1) ---------------------------------------------------- */

static void put_nonce(struct der_writer *w, struct kw_span nonce)
{
    if (nonce.len == 0) {
        return;
    }
    size_t exts = der_open(w, TAG_1 | CONSTRUCTED);
    size_t list = der_open(w, DER_SEQUENCE);
    size_t one = der_open(w, DER_SEQUENCE);
    der_copy(w, nonce_oid);
    size_t value = der_open(w, DER_OCTET_STRING);
    der_put(w, DER_OCTET_STRING, nonce);
    der_close(w, value);
    der_close(w, one);
    der_close(w, list);
    der_close(w, exts);
}

static void put_state(struct der_writer *w, const struct ocsp_single *single)
{
    uint8_t code = (uint8_t)single->reason;

    if (single->status != OCSP_CERT_REVOKED) {
        der_put(w, single->status == OCSP_CERT_GOOD ? TAG_0 : TAG_2, KW_SPAN(NULL, 0));
        return;
    }
    size_t revoked = der_open(w, TAG_1 | CONSTRUCTED);
    der_put_time(w, single->revoked_unix);
    if (single->reason != 0) {
        size_t reason = der_open(w, TAG_0 | CONSTRUCTED);
        der_put(w, DER_ENUMERATED, KW_SPAN(&code, 1));
        der_close(w, reason);
    }
    der_close(w, revoked);
}

static void put_certid(struct der_writer *w, const struct ocsp_certid *id)
{
    size_t hash_len = id->sha256 ? 32 : 20;
    size_t certid = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < OCSP_HASH_ALGS; i++) {
        if (ocsp_hash_algs[i].sha256 == id->sha256 &&
            ocsp_hash_algs[i].no_parameters == id->no_hash_parameters) {
            der_copy(w, ocsp_hash_algs[i].der);
        }
    }
    der_put(w, DER_OCTET_STRING, KW_SPAN(id->name_hash, hash_len));
    der_put(w, DER_OCTET_STRING, KW_SPAN(id->key_hash, hash_len));
    der_put_magnitude(w, KW_SPAN(id->serial, id->serial_len));
    der_close(w, certid);
}

static void put_single(struct der_writer *w, const struct ocsp_single *single)
{
    size_t whole = der_open(w, DER_SEQUENCE);

    put_certid(w, &single->id);
    put_state(w, single);
    der_put_time(w, single->this_update);
    size_t next = der_open(w, TAG_0 | CONSTRUCTED);
    der_put_time(w, single->next_update);
    der_close(w, next);
    der_close(w, whole);
}

static kw_status check_single(struct kw_op *op, const struct ocsp_single *single)
{
    ENSURE(op, single->status <= OCSP_CERT_UNKNOWN, KW_E_INPUT, "certificate status %d",
           (int)single->status);
    ENSURE(op, single->reason >= 0 && single->reason <= 10, KW_E_INPUT, "revocation reason %d",
           single->reason);
    ENSURE(op, single->id.serial_len > 0 && single->id.serial_len <= sizeof(single->id.serial),
           KW_E_INPUT, "a CertID without serial number");
    return KW_OK;
}

static kw_status check_all(struct kw_op *op, const struct ocsp_single at[], unsigned n,
                           struct kw_span nonce)
{
    ENSURE(op, n >= 1 && n <= OCSP_CERTIDS_MAX, KW_E_INPUT, "%u answers", n);
    ENSURE(op, nonce.len <= OCSP_NONCE_MAX, KW_E_INPUT, "a nonce of %zu octets", nonce.len);
    for (unsigned i = 0; i < n; i++) {
        TRY(op, check_single(op, &at[i]));
    }
    return KW_OK;
}

static kw_status build_tbs(struct kw_op *op, const struct ocsp_single at[], unsigned n,
                           struct kw_span nonce, int64_t produced_at, const struct pubkey *key,
                           struct kw_bytes *into)
{
    struct der_writer w = der_writer_of(into);

    TRY(op, check_all(op, at, n, nonce));
    size_t whole = der_open(&w, DER_SEQUENCE);
    size_t by_key = der_open(&w, TAG_2 | CONSTRUCTED);
    der_put(&w, DER_OCTET_STRING, KW_SPAN(pubkey_sha1(key), 20));
    der_close(&w, by_key);
    der_put_time(&w, produced_at);
    size_t list = der_open(&w, DER_SEQUENCE);
    for (unsigned i = 0; i < n; i++) {
        put_single(&w, &at[i]);
    }
    der_close(&w, list);
    put_nonce(&w, nonce);
    der_close(&w, whole);
    ENSURE(op, kw_ok(der_written(&w)), KW_E_INPUT, "times out of range");
    return KW_OK;
}

/* --- BasicOCSPResponse and what is around it -------------------------------------------------- */

static void put_basic(struct der_writer *w, struct kw_span tbs, enum key_alg alg,
                      struct kw_span signature, struct kw_span cert)
{
    size_t basic = der_open(w, DER_SEQUENCE);

    der_copy(w, tbs);
    der_copy(w, der_sig_alg(alg));
    der_put_bits(w, signature);
    size_t certs = der_open(w, TAG_0 | CONSTRUCTED);
    der_put(w, DER_SEQUENCE, cert); /* SEQUENCE OF Certificate */
    der_close(w, certs);
    der_close(w, basic);
}

static kw_status assemble(struct kw_op *op, struct kw_span tbs, enum key_alg alg,
                          struct kw_span signature, struct kw_span cert, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(tbs.len + signature.len + cert.len + AROUND_MAX, &der));
    struct der_writer w = der_writer_of(der);
    size_t whole = der_open(&w, DER_SEQUENCE);
    der_copy(&w, successful);
    size_t bytes = der_open(&w, TAG_0 | CONSTRUCTED);
    size_t response = der_open(&w, DER_SEQUENCE);
    der_copy(&w, basic_oid);
    size_t value = der_open(&w, DER_OCTET_STRING);
    put_basic(&w, tbs, alg, signature, cert);
    der_close(&w, value);
    der_close(&w, response);
    der_close(&w, bytes);
    der_close(&w, whole);
    TRY(op, der_written(&w), "putting an OCSP answer together");
    *ret = TAKE(der);
    return KW_OK;
}

kw_status ocsp_answer_build(struct kw_op *op, const struct ocsp_single at[], unsigned n,
                            struct kw_span nonce, int64_t produced_at,
                            const struct cert *signer_cert, const struct privkey *signer,
                            struct kw_bytes **ret)
{
    const struct pubkey *key = privkey_public(signer);
    uint8_t room[KW_SIG_MAX];
    struct kw_out signature = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *tbs = NULL;

    ENSURE(op, pubkey_equal(cert_public(signer_cert), key), KW_E_INPUT,
           "the OCSP signer's certificate is of another key");
    TRY(op, kw_bytes_new(512, &tbs));
    TRY(op, build_tbs(op, at, n, nonce, produced_at, key, tbs), "building an OCSP answer");
    TRY(op, privkey_sign(op, signer, kw_bytes_span(tbs), &signature), "signing an OCSP answer");
    return assemble(op, kw_bytes_span(tbs), pubkey_alg(key), kw_out_span(&signature),
                    cert_der(signer_cert), ret);
}
