/* BasicOCSPResponse as ASN.1 templates, for ocsp_answer.c and ocsp_tbs.c. */
#ifndef CRYPTO_OCSP_ASN1_H
#define CRYPTO_OCSP_ASN1_H

#include "crypto/ext.h"
#include "crypto/ocsp.h"

/*
 * RFC 6960 section 4.2.1 narrowed to what we sign: version 1, ResponderID byKey, no
 * singleExtensions. So reading it back refuses everything else by itself.
 */
struct ocsp_revoked {
    ASN1_GENERALIZEDTIME *time;
    ASN1_ENUMERATED *reason; /* NULL = unspecified */
};

/* Alternatives in the order of enum ocsp_cert_status. */
struct ocsp_state {
    int type;
    union {
        ASN1_NULL *good;
        struct ocsp_revoked *revoked;
        ASN1_NULL *unknown;
    } value;
};

struct ocsp_item {
    OCSP_CERTID *id;
    struct ocsp_state *state;
    ASN1_GENERALIZEDTIME *this_update;
    ASN1_GENERALIZEDTIME *next_update;
};
typedef struct ocsp_item ocsp_item;
DEFINE_STACK_OF(ocsp_item)

struct ocsp_data {
    ASN1_OCTET_STRING *responder_key;
    ASN1_GENERALIZEDTIME *produced_at;
    STACK_OF(ocsp_item) *items;
    STACK_OF(ext) *exts; /* NULL = absent */
};
DECLARE_ASN1_ITEM(ocsp_revoked)
DECLARE_ASN1_ITEM(ocsp_item)
DECLARE_ASN1_ITEM(ocsp_data)

void ocsp_item_free(struct ocsp_item *item);
KW_OWNED(ocsp_item, struct ocsp_item, ocsp_item_free)
void ocsp_data_free(struct ocsp_data *data);
KW_OWNED(ocsp_data, struct ocsp_data, ocsp_data_free)

/* Is it hashed in a way that ocsp_certid_read() takes? */
bool ocsp_certid_hash_known(OCSP_CERTID *id);
/* CertID from and to OpenSSL's. KW_E_INPUT for hashes other than SHA-1 and SHA-256 and wrong
 * lengths. */
kw_status ocsp_certid_read(struct kw_op *op, OCSP_CERTID *id, struct ocsp_certid *ret);
kw_status ocsp_certid_write(struct kw_op *op, const struct ocsp_certid *id, OCSP_CERTID **ret);
/* The usual form of a ResponseData, octet by octet. False for all else: somebody else has to look.
 */
bool ocsp_tbs_read(struct kw_span der, struct ocsp_tbs *ret);
/* The same by OpenSSL's templates. KW_E_INPUT. */
kw_status ocsp_tbs_parse_templates(struct kw_op *op, struct kw_span der, struct ocsp_tbs *ret);
/* A CertID's hashAlgorithm as DER, with and without the usual NULL. */
enum { OCSP_HASH_ALGS = 4 };
extern const struct ocsp_hash_alg {
    bool sha256, no_parameters;
    struct kw_span der;
} ocsp_hash_algs[OCSP_HASH_ALGS];
/* A nonce's octets from its extension value. KW_E_INPUT. */
kw_status ocsp_nonce_read(struct kw_op *op, struct kw_span value, struct kw_span *ret);
/* And back: DER of the OCTET STRING. */
kw_status ocsp_nonce_write(struct kw_op *op, struct kw_span nonce, struct kw_bytes *into);

#endif
