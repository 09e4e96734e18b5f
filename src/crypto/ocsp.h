/* OCSP (RFC 6960, nonce RFC 9654, profile RFC 9919): requests and answers, both sides. */
#ifndef CRYPTO_OCSP_H
#define CRYPTO_OCSP_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/cert.h"

enum { OCSP_CERTIDS_MAX = 8, OCSP_NONCE_MAX = 32 };

/* CertID of a request; echoed byte for byte in the answer. */
struct ocsp_certid {
    bool sha256;             /* else SHA-1 */
    bool no_hash_parameters; /* the hash's AlgorithmIdentifier lacks the usual NULL */
    uint8_t name_hash[32];   /* 20 or 32 octets, then zeroes */
    uint8_t key_hash[32];
    uint8_t serial[KW_SERIAL_MAX];
    size_t serial_len;
};

/* What is asked about a certificate of this issuer; at most KW_SERIAL_MAX octets of serial are
 * taken. */
void ocsp_certid_for(struct kw_span issuer_dn, const struct pubkey *issuer_key,
                     struct kw_span serial, bool sha256, struct ocsp_certid *ret);
/* Same hash algorithm and issuer; and same serial. The form of the hash's parameters does not
 * matter. */
bool ocsp_certid_same_issuer(const struct ocsp_certid *a, const struct ocsp_certid *b);
bool ocsp_certid_equal(const struct ocsp_certid *a, const struct ocsp_certid *b);

struct ocsp_query {
    unsigned n;
    struct ocsp_certid at[OCSP_CERTIDS_MAX];
    uint8_t nonce[OCSP_NONCE_MAX];
    size_t nonce_len;  /* 0 = none */
    bool unknown_hash; /* a CertID of neither SHA-1 nor SHA-256: nobody's that we know */
};

/* Read a DER OCSPRequest. A CertID of another hash is left zero (unknown_hash). KW_E_INPUT (answer
 * malformedRequest): also nonce of 0 or > 128 octets;
 * nonces of 33..128 are not echoed. */
kw_status ocsp_query_parse(struct kw_op *op, struct kw_span der, struct ocsp_query *ret);

enum ocsp_cert_status { OCSP_CERT_GOOD = 0, OCSP_CERT_REVOKED = 1, OCSP_CERT_UNKNOWN = 2 };

struct ocsp_single {
    struct ocsp_certid id;
    enum ocsp_cert_status status;
    int64_t revoked_unix;
    int reason; /* 0 = left out */
    int64_t this_update, next_update;
};

/* Build and sign a successful answer; signer_cert goes into certs, ResponderID is byKey. A remote
 * key gets the DER ResponseData. */
kw_status ocsp_answer_build(struct kw_op *op, const struct ocsp_single at[], unsigned n,
                            struct kw_span nonce, int64_t produced_at,
                            const struct cert *signer_cert, const struct privkey *signer,
                            struct kw_bytes **ret);
/* An error answer: 1 malformedRequest, 2 internalError, 3 tryLater, 6 unauthorized. Constant
 * octets. */
struct kw_span ocsp_answer_error(int status);

/* What a keeper is asked to sign, read back strictly. */
struct ocsp_tbs {
    uint8_t responder_key_sha1[20];
    int64_t produced_at;
    unsigned n;
    struct ocsp_single at[OCSP_CERTIDS_MAX];
};
/* KW_E_INPUT for anything that is not exactly a ResponseData with byKey and SingleResponses without
 * extensions. */
kw_status ocsp_tbs_parse(struct kw_op *op, struct kw_span tbs, struct ocsp_tbs *ret);

/* For relying parties: a request about `cert` issued by `issuer`, with an optional nonce. */
kw_status ocsp_query_build(struct kw_op *op, const struct cert *cert, const struct cert *issuer,
                           bool sha256, struct kw_span nonce, struct kw_bytes **ret);
/**
 * Judge an answer: signed by the issuer or its delegate (EKU, direct issue), about this
 * certificate, fresh at `now_unix` (skew 300 s), with a nextUpdate, nonce equal where one was sent.
 * ret: the single answer.
 * Errors: KW_E_INPUT, KW_E_DENIED, KW_E_EXPIRED, KW_E_UNAVAILABLE (tryLater, internalError).
 */
kw_status ocsp_answer_check(struct kw_op *op, struct kw_span der, const struct cert *cert,
                            const struct cert *issuer, struct kw_span nonce, int64_t now_unix,
                            struct ocsp_single *ret);
/* What an answer says, NOT CHECKED: for its times, by which it can then be checked. */
kw_status ocsp_answer_peek(struct kw_op *op, struct kw_span der, const struct cert *cert,
                           const struct cert *issuer, struct ocsp_single *ret);

#endif
