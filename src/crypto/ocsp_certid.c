#include "crypto/digest.h"
#include "crypto/ocsp_asn1.h"

enum { NONCE_READ_MAX = 128 }; /* RFC 9654 section 2.1 */

void ocsp_certid_for(struct kw_span issuer_dn, const struct pubkey *issuer_key,
                     struct kw_span serial, bool sha256, struct ocsp_certid *ret)
{
    struct ocsp_certid id = {.sha256 = sha256};

    if (sha256) {
        digest_sha256(issuer_dn, id.name_hash);
        memcpy(id.key_hash, pubkey_bits_sha256(issuer_key), KW_HASH_BYTES);
    } else {
        digest_sha1(issuer_dn, id.name_hash);
        memcpy(id.key_hash, pubkey_sha1(issuer_key), 20);
    }
    struct kw_span cut = kw_span_sub(serial, 0, sizeof(id.serial));
    if (cut.len > 0) {
        memcpy(id.serial, cut.p, cut.len);
    }
    id.serial_len = cut.len;
    *ret = id;
}

bool ocsp_certid_same_issuer(const struct ocsp_certid *a, const struct ocsp_certid *b)
{
    return a->sha256 == b->sha256 && memcmp(a->name_hash, b->name_hash, 32) == 0 &&
           memcmp(a->key_hash, b->key_hash, 32) == 0;
}

bool ocsp_certid_equal(const struct ocsp_certid *a, const struct ocsp_certid *b)
{
    return ocsp_certid_same_issuer(a, b) &&
           kw_span_equal(KW_SPAN(a->serial, a->serial_len), KW_SPAN(b->serial, b->serial_len));
}

static kw_status copy_hash(struct kw_op *op, const ASN1_OCTET_STRING *from, size_t len,
                           uint8_t to[32])
{
    struct kw_span hash = der_string(from);

    ENSURE(op, hash.len == len, KW_E_INPUT, "a CertID's hash of %zu octets", hash.len);
    memcpy(to, hash.p, len);
    return KW_OK;
}

/* OpenSSL hides the parameters of the hash's AlgorithmIdentifier: look at the encoding. */
static kw_status read_parameters(struct kw_op *op, OCSP_CERTID *id, bool *ret_absent)
{
    AUTO(kw_bytes) *der = NULL;
    struct kw_span rest;
    struct kw_span part = {0};

    TRY(op, kw_bytes_new(128, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(OCSP_CERTID), id, der));
    ENSURE(op,
           der_contents(kw_bytes_span(der), V_ASN1_SEQUENCE, &rest) && der_take(&rest, &part) &&
               der_contents(part, V_ASN1_SEQUENCE, &rest) && der_take(&rest, &part),
           KW_E_INPUT, "hash algorithm of a CertID");
    ENSURE(op, rest.len == 0 || (rest.len == 2 && rest.p[0] == V_ASN1_NULL), KW_E_INPUT,
           "a CertID's hash algorithm has parameters");
    *ret_absent = rest.len == 0;
    return KW_OK;
}

/* A serial number of zero may be asked about, as nothing stops anyone; it is never one of ours. */
static kw_status copy_serial(struct kw_op *op, const ASN1_INTEGER *from, struct ocsp_certid *id)
{
    struct kw_span serial = der_string(from);

    ENSURE(op,
           ASN1_STRING_type(from) == V_ASN1_INTEGER && serial.len > 0 &&
               serial.len <= sizeof(id->serial),
           KW_E_INPUT, "a serial number is negative or longer than %d octets", (int)KW_SERIAL_MAX);
    memcpy(id->serial, serial.p, serial.len);
    id->serial_len = serial.len;
    return KW_OK;
}

bool ocsp_certid_hash_known(OCSP_CERTID *id)
{
    ASN1_OBJECT *algorithm = NULL;

    if (!OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, id)) {
        return false;
    }
    int nid = OBJ_obj2nid(algorithm);
    return nid == NID_sha1 || nid == NID_sha256;
}

kw_status ocsp_certid_read(struct kw_op *op, OCSP_CERTID *id, struct ocsp_certid *ret)
{
    struct ocsp_certid out = {0};
    ASN1_OCTET_STRING *name_hash = NULL;
    ASN1_OCTET_STRING *key_hash = NULL;
    ASN1_OBJECT *algorithm = NULL;
    ASN1_INTEGER *serial = NULL;

    OSSL_ENSURE(op, OCSP_id_get0_info(&name_hash, &algorithm, &key_hash, &serial, id), KW_E_INPUT,
                "CertID");
    ENSURE(op, ocsp_certid_hash_known(id), KW_E_INPUT,
           "a CertID is hashed with neither SHA-1 nor SHA-256");
    out.sha256 = OBJ_obj2nid(algorithm) == NID_sha256;
    TRY(op, read_parameters(op, id, &out.no_hash_parameters));
    TRY(op, copy_hash(op, name_hash, out.sha256 ? 32 : 20, out.name_hash));
    TRY(op, copy_hash(op, key_hash, out.sha256 ? 32 : 20, out.key_hash));
    TRY(op, copy_serial(op, serial, &out));
    *ret = out;
    return KW_OK;
}

/* RFC 6960 section 4.1.1 */
struct certid {
    X509_ALGOR *algorithm;
    ASN1_OCTET_STRING *name_hash, *key_hash;
    ASN1_INTEGER *serial;
};
/* clang-format off */
ASN1_SEQUENCE(certid) = {
    ASN1_SIMPLE(struct certid, algorithm, X509_ALGOR),
    ASN1_SIMPLE(struct certid, name_hash, ASN1_OCTET_STRING),
    ASN1_SIMPLE(struct certid, key_hash, ASN1_OCTET_STRING),
    ASN1_SIMPLE(struct certid, serial, ASN1_INTEGER),
} static_ASN1_SEQUENCE_END_name(struct certid, certid);
/* clang-format on */

static void certid_free(struct certid *id)
{
    ASN1_item_free((ASN1_VALUE *)id, ASN1_ITEM_rptr(certid));
}
KW_OWNED(certid, struct certid, certid_free)

kw_status ocsp_certid_write(struct kw_op *op, const struct ocsp_certid *id, OCSP_CERTID **ret)
{
    AUTO(certid) *out = (struct certid *)ASN1_item_new(ASN1_ITEM_rptr(certid));
    AUTO(kw_bytes) *der = NULL;
    int hash_len = id->sha256 ? 32 : 20;
    int parameters = id->no_hash_parameters ? V_ASN1_UNDEF : V_ASN1_NULL;

    ENSURE(op, id->serial_len > 0 && id->serial_len <= sizeof(id->serial), KW_E_INPUT,
           "a CertID without serial number");
    OSSL_ENSURE(op,
                out &&
                    X509_ALGOR_set0(out->algorithm, OBJ_nid2obj(id->sha256 ? NID_sha256 : NID_sha1),
                                    parameters, NULL) &&
                    ASN1_OCTET_STRING_set(out->name_hash, id->name_hash, hash_len) &&
                    ASN1_OCTET_STRING_set(out->key_hash, id->key_hash, hash_len) &&
                    ASN1_STRING_set(out->serial, id->serial, (int)id->serial_len),
                KW_E_MEMORY, "CertID");
    TRY(op, kw_bytes_new(128, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(certid), out, der));
    return der_decode(op, ASN1_ITEM_rptr(OCSP_CERTID), kw_bytes_span(der), "CertID", ret);
}

kw_status ocsp_nonce_read(struct kw_op *op, struct kw_span value, struct kw_span *ret)
{
    struct kw_span nonce;

    ENSURE(op, der_is_strict(value) && der_contents(value, V_ASN1_OCTET_STRING, &nonce), KW_E_INPUT,
           "the nonce is no OCTET STRING");
    ENSURE(op, nonce.len > 0 && nonce.len <= NONCE_READ_MAX, KW_E_INPUT, "a nonce of %zu octets",
           nonce.len);
    *ret = nonce;
    return KW_OK;
}

kw_status ocsp_nonce_write(struct kw_op *op, struct kw_span nonce, struct kw_bytes *into)
{
    AUTO(ASN1_OCTET_STRING) *string = ASN1_OCTET_STRING_new();

    OSSL_ENSURE(op, string && ASN1_OCTET_STRING_set(string, nonce.p, (int)nonce.len), KW_E_MEMORY,
                "nonce");
    return der_encode(op, ASN1_ITEM_rptr(ASN1_OCTET_STRING), string, into);
}
