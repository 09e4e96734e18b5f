#include "device/jws.h"

#include <stdlib.h>

#include "base/b64.h"
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/ecdsa_raw.h"

static const char ALG[] = "ES256"; /* RFC 7518 section 3.4: ECDSA, P-256, SHA-256 */

static const struct codec_field header_fields[] = {
    FIELD_STRING("alg", struct jws_header, alg, CODEC_REQUIRED, "ES256"),
    FIELD_STRING("typ", struct jws_header, typ, CODEC_REQUIRED, "what the data is"),
    FIELD_STRING("kid", struct jws_header, kid, CODEC_REQUIRED, "SHA-256 of the signer's key"),
    FIELD_STRING("aud", struct jws_header, aud, CODEC_OMIT_EMPTY, "for whom"),
    FIELD_INT("iat", struct jws_header, iat, CODEC_REQUIRED, 0, INT64_MAX, "Unix seconds"),
    FIELD_INT("seq", struct jws_header, seq, CODEC_REQUIRED, 1, INT64_MAX, "greater than before"),
    FIELD_STRINGS("x5c", struct jws_header, x5c, n_x5c, CODEC_REQUIRED, "certificates, leaf first"),
};

void jws_free(struct jws *jws)
{
    if (jws) {
        for (unsigned i = 0; i < jws->n_certs; i++) {
            cert_unref(jws->certs[i]);
        }
        kw_bytes_free(jws->data);
        free(jws);
    }
}

static void key_id(const struct cert *cert, char kid[2 * KW_HASH_BYTES + 1])
{
    kw_hex(KW_SPAN(pubkey_id(cert_public(cert)), KW_HASH_BYTES), kid, 2 * KW_HASH_BYTES + 1);
}

/* --- writing ---------------------------------------------------------------------------------- */

static kw_status put_cert(struct kw_op *op, struct jws_header *header, const struct cert *cert)
{
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, header->n_x5c < JWS_CERTS_MAX, KW_E_TOO_LARGE, "a chain of more than %d",
           JWS_CERTS_MAX);
    TRY(op, kw_bytes_new(JWS_CERT_TEXT, &text));
    TRY(op, kw_b64_encode(cert_der(cert), 0, text));
    ENSURE(op, text->len < JWS_CERT_TEXT, KW_E_TOO_LARGE, "a certificate of %zu octets",
           cert_der(cert).len);
    memcpy(header->x5c[header->n_x5c], text->p, text->len);
    header->x5c[header->n_x5c++][text->len] = '\0';
    return KW_OK;
}

static kw_status put_header(struct kw_op *op, struct jws_header *header, struct kw_bytes *into)
{
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(4096, &json));
    TRY(op, codec_json_encode(op, header_fields, KW_COUNT(header_fields), header, json));
    TRY(op, kw_b64url_encode(kw_bytes_span(json), into));
    return KW_OK;
}

static kw_status put_signature(struct kw_op *op, const struct privkey *key, struct kw_bytes *into)
{
    uint8_t room[KW_SIG_MAX], raw[ECDSA_RAW_BYTES];
    struct kw_out der = KW_OUT_ARRAY(room);

    TRY(op, privkey_sign(op, key, kw_bytes_span(into), &der));
    TRY(op, ecdsa_raw_from_der(op, kw_out_span(&der), raw));
    TRY(op, kw_bytes_append(into, KW_SPAN(".", 1)));
    return kw_b64url_encode(KW_SPAN_ARRAY(raw), into);
}

kw_status jws_sign(struct kw_op *op, struct jws_header *header, struct cert *const certs[],
                   unsigned n_certs, const struct privkey *key, struct kw_span data,
                   struct kw_bytes **ret)
{
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, pubkey_alg(privkey_public(key)) == KEY_ALG_EC_P256, KW_E_UNSUPPORTED,
           "data is signed by P-256 keys only");
    ENSURE(op, data.len <= JWS_DATA_MAX, KW_E_TOO_LARGE, "%zu octets to sign, at most %d are taken",
           data.len, JWS_DATA_MAX);
    KW_TEXT_SET(header->alg, ALG);
    key_id(certs[0], header->kid);
    header->n_x5c = 0;
    for (unsigned i = 0; i < n_certs; i++) {
        TRY(op, put_cert(op, header, certs[i]));
    }
    TRY(op, kw_bytes_new(data.len * 4 / 3 + 4096, &text));
    TRY(op, put_header(op, header, text));
    TRY(op, kw_bytes_append(text, KW_SPAN(".", 1)));
    TRY(op, kw_b64url_encode(data, text));
    TRY(op, put_signature(op, key, text));
    *ret = TAKE(text);
    return KW_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The part up to the next dot, and what is behind it; the last part ends with the text. */
static bool next_part(struct kw_span *rest, struct kw_span *ret)
{
    const uint8_t *dot = rest->len > 0 ? memchr(rest->p, '.', rest->len) : NULL;

    if (!dot) {
        return false;
    }
    size_t n = (size_t)(dot - rest->p);
    *ret = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, n + 1, rest->len - n - 1);
    return true;
}

static kw_status read_certs(struct kw_op *op, struct jws *jws)
{
    for (unsigned i = 0; i < jws->header.n_x5c; i++) {
        const char *text = jws->header.x5c[i];
        AUTO(kw_bytes) *der = NULL;
        TRY(op, kw_b64_decode(KW_SPAN(text, strlen(text)), KW_CERT_MAX, &der), "x5c");
        TRY(op, cert_parse(op, kw_bytes_span(der), &jws->certs[i]), "x5c");
        jws->n_certs++;
    }
    return KW_OK;
}

static kw_status read_header(struct kw_op *op, struct kw_span text, struct jws *jws)
{
    char kid[2 * KW_HASH_BYTES + 1];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_b64url_decode(text, JWS_TEXT_MAX, &json), "header");
    TRY(op,
        codec_json_decode(op, kw_bytes_span(json), header_fields, KW_COUNT(header_fields),
                          &jws->header),
        "header");
    ENSURE(op, strcmp(jws->header.alg, ALG) == 0, KW_E_UNSUPPORTED, "algorithm '%s'",
           jws->header.alg);
    TRY(op, read_certs(op, jws));
    key_id(jws->certs[0], kid);
    ENSURE(op, strcmp(kid, jws->header.kid) == 0, KW_E_INPUT,
           "kid is not the key of the certificate");
    return KW_OK;
}

static kw_status check_signature(struct kw_op *op, const struct jws *jws,
                                 struct kw_span signed_text, struct kw_span text)
{
    const struct pubkey *key = cert_public(jws->certs[0]);
    uint8_t room[KW_SIG_MAX];
    struct kw_out der = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *raw = NULL;

    ENSURE(op, pubkey_alg(key) == KEY_ALG_EC_P256, KW_E_UNSUPPORTED, "not signed by a P-256 key");
    TRY(op, kw_b64url_decode(text, ECDSA_RAW_BYTES, &raw), "signature");
    ENSURE(op, raw->len == ECDSA_RAW_BYTES, KW_E_INPUT, "the signature has %zu octets", raw->len);
    TRY(op, ecdsa_raw_to_der(op, raw->p, &der));
    return pubkey_verify(op, key, signed_text, kw_out_span(&der));
}

kw_status jws_open(struct kw_op *op, struct kw_span text, struct jws **ret)
{
    struct kw_span rest = text, header, data;
    AUTO(jws) *jws = calloc(1, sizeof(*jws));

    ENSURE(op, jws, KW_E_MEMORY, "signed data");
    ENSURE(op, text.len <= JWS_TEXT_MAX, KW_E_TOO_LARGE, "signed data of %zu octets", text.len);
    ENSURE(op, next_part(&rest, &header) && next_part(&rest, &data), KW_E_INPUT,
           "this is no JSON Web Signature in compact form");
    TRY(op, read_header(op, header, jws), "signed data");
    TRY(op, kw_b64url_decode(data, JWS_DATA_MAX, &jws->data), "signed data");
    size_t n_signed = header.len + 1 + data.len;
    TRY(op, check_signature(op, jws, kw_span_sub(text, 0, n_signed), rest), "signed data");
    *ret = TAKE(jws);
    return KW_OK;
}
