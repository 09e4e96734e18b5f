/*
 * JSON Web Signatures (RFC 7515) in compact form, one algorithm, one form:
 * docs/protocol/signed-data.md. Pure: certificates, time and sequence are judged in signed_data.c.
 */
#ifndef DEVICE_JWS_H
#define DEVICE_JWS_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/cert.h"

enum {
    JWS_CERTS_MAX = 3, /* leaf, issuing CA, one above */
    JWS_CERT_TEXT = 4096,
    JWS_TYPE_MAX = 64,
    JWS_DATA_MAX = 65536, /* a broker's message; files go by CMS */
    JWS_TEXT_MAX = 2 * JWS_DATA_MAX,
};

/* The protected header. */
struct jws_header {
    char alg[8];                     /* "ES256" */
    char typ[JWS_TYPE_MAX];          /* what the data is */
    char kid[2 * KW_HASH_BYTES + 1]; /* SHA-256 of the signer's SubjectPublicKeyInfo */
    char aud[KW_NAME_MAX];           /* for whom; "" = for all */
    int64_t iat;                     /* Unix seconds */
    uint64_t seq;
    unsigned n_x5c;
    char x5c[JWS_CERTS_MAX][JWS_CERT_TEXT]; /* base64 of DER, leaf first */
};

/* What a text says, its signature verified by the key of its own leaf certificate, and no more
 * than that. */
struct jws {
    struct jws_header header;
    unsigned n_certs;
    struct cert *certs[JWS_CERTS_MAX];
    struct kw_bytes *data;
};
void jws_free(struct jws *jws);
KW_OWNED(jws, struct jws, jws_free)

/* Sign with the key of certs[0]; kid, alg and x5c of the header are filled in. */
kw_status jws_sign(struct kw_op *op, struct jws_header *header, struct cert *const certs[],
                   unsigned n_certs, const struct privkey *key, struct kw_span data,
                   struct kw_bytes **ret);
/**
 * Errors: KW_E_INPUT no such text, members unknown or missing, kid is not the leaf's;
 * KW_E_UNSUPPORTED another algorithm; KW_E_DENIED the signature does not verify; KW_E_TOO_LARGE.
 */
kw_status jws_open(struct kw_op *op, struct kw_span text, struct jws **ret);

#endif
