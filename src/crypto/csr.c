#include "crypto/csr.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/pem.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "crypto/ext.h"
#include "crypto/san.h"
#include "crypto/signed.h"

enum {
    CHALLENGE_MAX = 255, /* RFC 2985 section 5.4.1 */
    KEY_NAME_MAX = 64,   /* key identifiers are hashes */
    ATTRIBUTES_MAX = 16, /* clients send below 5 */
};

/* RFC 2986 section 4.1. Some clients leave the attributes out altogether; OpenSSL takes it too. */
struct csr_info {
    ASN1_INTEGER *version;
    X509_NAME *subject;
    ASN1_STRING *key; /* DER SubjectPublicKeyInfo, see cert_tbs.h */
    STACK_OF(X509_ATTRIBUTE) *attributes;
};
/* clang-format off */
ASN1_SEQUENCE(csr_info) = {
    ASN1_SIMPLE(struct csr_info, version, ASN1_INTEGER),
    ASN1_SIMPLE(struct csr_info, subject, X509_NAME),
    ASN1_SIMPLE(struct csr_info, key, ASN1_SEQUENCE),
    ASN1_IMP_SET_OF_OPT(struct csr_info, attributes, X509_ATTRIBUTE, 0),
} static_ASN1_SEQUENCE_END_name(struct csr_info, csr_info);
/* clang-format on */

static void csr_info_free(struct csr_info *info)
{
    ASN1_item_free((ASN1_VALUE *)info, ASN1_ITEM_rptr(csr_info));
}
KW_OWNED(csr_info, struct csr_info, csr_info_free)

struct csr {
    struct kw_bytes *der;
    struct signed_der parts; /* into der */
    struct csr_info *info;
    struct pubkey *key;
    uint8_t sha256[KW_HASH_BYTES], asked[KW_HASH_BYTES];
    char challenge[CHALLENGE_MAX + 1];
    bool has_challenge;
    struct kw_bytes *decrypt_key, *decrypt_secret; /* NULL: absent */
    struct text_list san;
};

static kw_status read_challenge(struct kw_op *op, struct csr *csr, const ASN1_TYPE *value)
{
    unsigned char *text = NULL;
    bool is_string = value->type == V_ASN1_PRINTABLESTRING || value->type == V_ASN1_UTF8STRING ||
                     value->type == V_ASN1_IA5STRING || value->type == V_ASN1_T61STRING ||
                     value->type == V_ASN1_BMPSTRING;

    ENSURE(op, is_string, KW_E_INPUT, "the challenge password is no text");
    int len = ASN1_STRING_to_UTF8(&text, value->value.asn1_string);
    OSSL_ENSURE(op, len >= 0, KW_E_INPUT, "challenge password");
    bool good = kw_utf8_is_plain(KW_SPAN(text, (size_t)len)) &&
                KW_TEXT_SET(csr->challenge, (const char *)text);
    OPENSSL_clear_free(text, (size_t)len);
    ENSURE(op, good, KW_E_INPUT, "the challenge password is over %d octets or not plain text",
           (int)CHALLENGE_MAX);
    csr->has_challenge = true;
    return KW_OK;
}

/* ExtensionRequest ::= Extensions (RFC 2985 section 5.4.2) */
static kw_status read_exts(struct kw_op *op, struct csr *csr, const ASN1_TYPE *value)
{
    AUTO(ext_list) *exts = NULL;
    AUTO(GENERAL_NAMES) *names = NULL;

    ENSURE(op, value->type == V_ASN1_SEQUENCE, KW_E_INPUT, "requested extensions");
    TRY(op, der_decode(op, ASN1_ITEM_rptr(ext_list), der_string(value->value.sequence),
                       "requested extensions", &exts));
    TRY(op, ext_check_list(op, exts));
    const struct ext *san = ext_find(exts, NID_subject_alt_name);
    if (!san) {
        return KW_OK;
    }
    TRY(op, ext_decode(op, san, ASN1_ITEM_rptr(GENERAL_NAMES), &names));
    return san_texts(op, names, &csr->san);
}

/* Both are OCTET STRINGs (RFC 7030 section 4.4.1); an empty one names nothing. */
static kw_status read_key_name(struct kw_op *op, const ASN1_TYPE *value, struct kw_bytes **ret)
{
    ENSURE(op, value->type == V_ASN1_OCTET_STRING, KW_E_INPUT, "a key identifier is no octets");
    struct kw_span id = der_string(value->value.octet_string);
    ENSURE(op, id.len > 0 && id.len <= KEY_NAME_MAX, KW_E_INPUT,
           "a key identifier of %zu octets, 1 to %d are taken", id.len, (int)KEY_NAME_MAX);
    return kw_bytes_copy(id, ret);
}

static kw_status read_decrypt_key(struct kw_op *op, struct csr *csr, const ASN1_TYPE *value)
{
    return read_key_name(op, value, &csr->decrypt_key);
}

static kw_status read_decrypt_secret(struct kw_op *op, struct csr *csr, const ASN1_TYPE *value)
{
    return read_key_name(op, value, &csr->decrypt_secret);
}

/* OBJECT IDENTIFIER contents of id-aa (1.2.840.113549.1.9.16.2) and one arc more. */
#define ID_AA(arc) {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, (arc)}
enum { ID_AA_BYTES = 11 };

/* What is not in the table is ignored: a request is never an authorisation. */
static const struct {
    int nid; /* NID_undef: by its octets, which OpenSSL has no number for */
    uint8_t oid[ID_AA_BYTES];
    kw_status (*read)(struct kw_op *op, struct csr *csr, const ASN1_TYPE *value);
} attributes[] = {
    {NID_pkcs9_challengePassword, {0},       read_challenge     },
    {NID_ext_req,                 {0},       read_exts          },
    {NID_undef,                   ID_AA(37), read_decrypt_secret}, /* decryptKeyID */
    {NID_undef,                   ID_AA(54), read_decrypt_key   }, /* asymmDecryptKeyID */
};

static bool is_of_row(const ASN1_OBJECT *oid, size_t row)
{
    if (attributes[row].nid != NID_undef) {
        return OBJ_obj2nid(oid) == attributes[row].nid;
    }
    return OBJ_length(oid) == ID_AA_BYTES &&
           memcmp(OBJ_get0_data(oid), attributes[row].oid, ID_AA_BYTES) == 0;
}

static kw_status read_attribute(struct kw_op *op, struct csr *csr, size_t row)
{
    const STACK_OF(X509_ATTRIBUTE) *list = csr->info->attributes;
    X509_ATTRIBUTE *found = NULL;

    for (int i = 0; list && i < sk_X509_ATTRIBUTE_num(list); i++) {
        X509_ATTRIBUTE *one = sk_X509_ATTRIBUTE_value(list, i);
        if (!is_of_row(X509_ATTRIBUTE_get0_object(one), row)) {
            continue;
        }
        ENSURE(op, !found && X509_ATTRIBUTE_count(one) == 1, KW_E_INPUT,
               "an attribute stands there twice, or has not one value");
        found = one;
    }
    return found ? attributes[row].read(op, csr, X509_ATTRIBUTE_get0_type(found, 0)) : KW_OK;
}

static kw_status read_attributes(struct kw_op *op, struct csr *csr)
{
    int n = csr->info->attributes ? sk_X509_ATTRIBUTE_num(csr->info->attributes) : 0;

    ENSURE(op, n <= ATTRIBUTES_MAX, KW_E_INPUT, "%d attributes, at most %d are taken", n,
           (int)ATTRIBUTES_MAX);
    for (size_t row = 0; row < KW_COUNT(attributes); row++) {
        TRY(op, read_attribute(op, csr, row));
    }
    return KW_OK;
}

/*
 * Strict DER, but not re-encoded: clients forget to sort their attributes (a SET OF behind an
 * implicit tag), and the signature covers the octets as they came.
 */
static kw_status decode(struct kw_op *op, struct csr *csr)
{
    struct kw_span tbs = csr->parts.tbs;
    const unsigned char *p = tbs.p;
    uint64_t version = 0;

    csr->info = (struct csr_info *)ASN1_item_d2i(NULL, &p, (long)tbs.len, ASN1_ITEM_rptr(csr_info));
    OSSL_ENSURE(op, csr->info && p == tbs.p + tbs.len, KW_E_INPUT, "CertificationRequestInfo");
    OSSL_ENSURE(op, ASN1_INTEGER_get_uint64(&version, csr->info->version) && version == 0,
                KW_E_INPUT, "the request is not of version 1");
    ENSURE(op, csr_subject(csr).len <= KW_DN_MAX, KW_E_INPUT, "a name is longer than %d octets",
           (int)KW_DN_MAX);
    return KW_OK;
}

/* The octets as they came; X509_ATTRIBUTE keeps none, but a strict one encodes to the same again.
 */
static kw_status append_attribute(struct kw_op *op, X509_ATTRIBUTE *one, struct kw_bytes *into)
{
    if (OBJ_obj2nid(X509_ATTRIBUTE_get0_object(one)) == NID_pkcs9_challengePassword) {
        return KW_OK;
    }
    return der_encode(op, ASN1_ITEM_rptr(X509_ATTRIBUTE), one, into);
}

/* Key, name and attributes, one DER element after the other: not the signature, which clients make
 * anew when the answer was lost. */
static kw_status hash_asked(struct kw_op *op, struct csr *csr)
{
    AUTO(kw_bytes) *asked = NULL;
    const STACK_OF(X509_ATTRIBUTE) *list = csr->info->attributes;

    TRY(op, kw_bytes_new(csr->der->len, &asked));
    TRY(op, kw_bytes_append(asked, der_string(csr->info->key)));
    TRY(op, kw_bytes_append(asked, csr_subject(csr)));
    for (int i = 0; list && i < sk_X509_ATTRIBUTE_num(list); i++) {
        TRY(op, append_attribute(op, sk_X509_ATTRIBUTE_value(list, i), asked));
    }
    digest_sha256(kw_bytes_span(asked), csr->asked);
    return KW_OK;
}

static kw_status read_csr(struct kw_op *op, struct kw_span der, struct csr **ret)
{
    AUTO(csr) *csr = calloc(1, sizeof(*csr));

    ENSURE(op, csr, KW_E_MEMORY);
    ENSURE(op, der.len <= KW_CSR_MAX, KW_E_INPUT, "%zu octets, at most %d are taken", der.len,
           (int)KW_CSR_MAX);
    TRY(op, kw_bytes_copy(der, &csr->der));
    TRY(op, signed_parse(op, kw_bytes_span(csr->der), &csr->parts));
    TRY(op, decode(op, csr));
    TRY(op, pubkey_parse(op, der_string(csr->info->key), &csr->key));
    TRY(op,
        signed_verify_request(op, csr->parts.alg, csr->parts.tbs, csr->parts.signature, csr->key),
        "proof of possession");
    TRY(op, read_attributes(op, csr));
    digest_sha256(kw_bytes_span(csr->der), csr->sha256);
    TRY(op, hash_asked(op, csr));
    *ret = TAKE(csr);
    return KW_OK;
}

kw_status csr_parse(struct kw_op *op, struct kw_span der, struct csr **ret)
{
    TRY(op, read_csr(op, der, ret), "reading a certification request");
    return KW_OK;
}

void csr_free(struct csr *csr)
{
    if (csr) {
        text_list_done(&csr->san);
        pubkey_unref(csr->key);
        csr_info_free(csr->info);
        kw_bytes_free(csr->der);
        kw_bytes_free(csr->decrypt_key);
        kw_bytes_free(csr->decrypt_secret);
        OPENSSL_cleanse(csr->challenge, sizeof(csr->challenge));
        free(csr);
    }
}

struct kw_span csr_der(const struct csr *csr)
{
    return kw_bytes_span(csr->der);
}

const uint8_t *csr_sha256(const struct csr *csr)
{
    return csr->sha256;
}

const uint8_t *csr_asked_sha256(const struct csr *csr)
{
    return csr->asked;
}

const struct pubkey *csr_public(const struct csr *csr)
{
    return csr->key;
}

struct kw_span csr_subject(const struct csr *csr)
{
    const unsigned char *der = NULL;
    size_t len = 0;

    if (!X509_NAME_get0_der(csr->info->subject, &der, &len)) {
        return KW_SPAN(NULL, 0);
    }
    return KW_SPAN(der, len);
}

const char *csr_challenge(const struct csr *csr)
{
    return csr->has_challenge ? csr->challenge : NULL;
}

static struct kw_span span_or_none(const struct kw_bytes *bytes)
{
    return bytes ? kw_bytes_span(bytes) : KW_SPAN(NULL, 0);
}

struct kw_span csr_decrypt_key(const struct csr *csr)
{
    return span_or_none(csr->decrypt_key);
}

struct kw_span csr_decrypt_secret(const struct csr *csr)
{
    return span_or_none(csr->decrypt_secret);
}

unsigned csr_san_count(const struct csr *csr)
{
    return csr->san.n;
}

const char *csr_san(const struct csr *csr, unsigned i)
{
    return text_list_get(&csr->san, i);
}

/* "attributes [0]" is there even when empty (RFC 2986 section 4.1). */
static kw_status fill(struct kw_op *op, struct kw_span subject_dn, const struct privkey *key,
                      struct csr_info *info)
{
    struct kw_span spki = pubkey_spki(privkey_public(key));
    X509_NAME *subject = NULL;

    TRY(op, der_decode(op, ASN1_ITEM_rptr(X509_NAME), subject_dn, "subject name", &subject));
    X509_NAME_free(info->subject);
    info->subject = subject;
    info->attributes = sk_X509_ATTRIBUTE_new_null();
    OSSL_ENSURE(op,
                info->attributes && ASN1_INTEGER_set(info->version, 0) &&
                    ASN1_STRING_set(info->key, spki.p, (int)spki.len),
                KW_E_MEMORY, "request fields");
    return KW_OK;
}

kw_status csr_build(struct kw_op *op, struct kw_span subject_dn, const struct privkey *key,
                    struct kw_bytes **ret)
{
    AUTO(csr_info) *info = (struct csr_info *)ASN1_item_new(ASN1_ITEM_rptr(csr_info));
    AUTO(kw_bytes) *tbs = NULL;

    OSSL_ENSURE(op, info, KW_E_MEMORY, "building a certification request");
    TRY(op, fill(op, subject_dn, key, info), "building a certification request");
    TRY(op, kw_bytes_new(512, &tbs));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(csr_info), info, tbs));
    TRY(op, signed_build(op, kw_bytes_span(tbs), key, ret), "signing a certification request");
    return KW_OK;
}

bool csr_find_pem(struct kw_span text, struct kw_bytes **ret)
{
    static const char *const labels[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"};

    for (size_t i = 0; i < KW_COUNT(labels); i++) {
        struct kw_span rest = text;
        if (kw_ok(kw_pem_next(&rest, labels[i], KW_CSR_MAX, ret))) {
            return true;
        }
    }
    return false;
}
