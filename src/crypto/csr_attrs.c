#include "crypto/csr_attrs.h"

#include "crypto/ext.h"

enum { ATTRS_MAX = 4, ROOM = 256 };

/* Appends a whole element of a universal tag. */
static kw_status put(struct kw_op *op, int tag, struct kw_span contents, struct kw_bytes *into)
{
    bool constructed = tag == V_ASN1_SEQUENCE || tag == V_ASN1_SET;

    TRY(op, der_header(into, constructed, contents.len, tag, V_ASN1_UNIVERSAL));
    return kw_bytes_append(into, contents);
}

static kw_status put_oid(struct kw_op *op, const char *dotted, struct kw_bytes *into)
{
    AUTO(ASN1_OBJECT) *oid = NULL;

    TRY(op, der_oid_new(op, dotted, &oid), "attribute '%s'", dotted);
    return put(op, V_ASN1_OBJECT, KW_SPAN(OBJ_get0_data(oid), OBJ_length(oid)), into);
}

static kw_status put_attr(struct kw_op *op, const struct csr_attr *attr, struct kw_bytes *into)
{
    AUTO(kw_bytes) *both = NULL;

    if (!attr->has_values) {
        return put_oid(op, attr->oid, into);
    }
    TRY(op, kw_bytes_new(ROOM, &both));
    TRY(op, put_oid(op, attr->oid, both));
    TRY(op, put(op, V_ASN1_SET, attr->values, both));
    return put(op, V_ASN1_SEQUENCE, kw_bytes_span(both), into);
}

kw_status csr_attrs_encode(struct kw_op *op, const struct csr_attr attrs[], unsigned n,
                           struct kw_bytes **ret)
{
    AUTO(kw_bytes) *list = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(ROOM, &list));
    TRY(op, kw_bytes_new(ROOM, &der));
    for (unsigned i = 0; i < n; i++) {
        TRY(op, put_attr(op, &attrs[i], list));
    }
    TRY(op, put(op, V_ASN1_SEQUENCE, kw_bytes_span(list), der));
    *ret = TAKE(der);
    return KW_OK;
}

/* RFC 9908 section 3.2: exactly one attribute names the key's type; its value is the curve or the
 * least number of bits. */
#define EC "1.2.840.10045.2.1"
#define RSA "1.2.840.113549.1.1.1"
#define ED25519 "1.3.101.112"
static const struct key_row {
    enum key_alg alg;
    const char *type, *curve;
    unsigned bits;
    const char *signature;
} keys[] = {
    {KEY_ALG_EC_P256,  EC,      "1.2.840.10045.3.1.7", 0,    "1.2.840.10045.4.3.2"  },
    {KEY_ALG_EC_P384,  EC,      "1.3.132.0.34",        0,    "1.2.840.10045.4.3.3"  },
    {KEY_ALG_ED25519,  ED25519, NULL,                  0,    ED25519                },
    {KEY_ALG_RSA_3072, RSA,     NULL,                  3072, "1.2.840.113549.1.1.11"},
};

static const struct key_row *row_of(enum key_alg alg)
{
    for (size_t i = 0; i < KW_COUNT(keys); i++) {
        if (keys[i].alg == alg) {
            return &keys[i];
        }
    }
    return NULL;
}

static kw_status put_parameters(struct kw_op *op, const struct key_row *row, struct kw_bytes *into)
{
    const uint8_t bits[] = {(uint8_t)(row->bits >> 8), (uint8_t)row->bits};

    if (row->curve) {
        return put_oid(op, row->curve, into);
    }
    return row->bits ? put(op, V_ASN1_INTEGER, KW_SPAN_ARRAY(bits), into) : KW_OK;
}

/* RFC 9908 section 3.1: one extensionRequest with one value, the Extensions as they are wanted. */
static kw_status put_extensions(struct kw_op *op, const struct csr_wish *wish,
                                struct kw_bytes *into)
{
    AUTO(ext_list) *exts = NULL;

    if (wish->key_usage) {
        TRY(op, ext_add_key_usage(op, &exts, wish->key_usage));
    }
    if (wish->eku[0]) {
        TRY(op, ext_add_eku(op, &exts, wish->eku, CERT_EKU_MAX));
    }
    return exts ? der_encode(op, ASN1_ITEM_rptr(ext_list), exts, into) : KW_OK;
}

kw_status csr_attrs_build(struct kw_op *op, const struct csr_wish *wish, struct kw_bytes **ret)
{
    const struct key_row *row = row_of(wish->alg);
    struct csr_attr attrs[ATTRS_MAX];
    AUTO(kw_bytes) *parameters = NULL;
    AUTO(kw_bytes) *exts = NULL;
    unsigned n = 0;

    ENSURE(op, row, KW_E_INPUT, "no kind of key to ask for");
    TRY(op, kw_bytes_new(ROOM, &parameters));
    TRY(op, kw_bytes_new(ROOM, &exts));
    TRY(op, put_parameters(op, row, parameters));
    TRY(op, put_extensions(op, wish, exts));
    if (wish->challenge) {
        attrs[n++] = (struct csr_attr){.oid = "1.2.840.113549.1.9.7"};
    }
    attrs[n++] = (struct csr_attr){row->type, true, kw_bytes_span(parameters)};
    if (exts->len > 0) {
        attrs[n++] = (struct csr_attr){"1.2.840.113549.1.9.14", true, kw_bytes_span(exts)};
    }
    attrs[n++] = (struct csr_attr){.oid = row->signature};
    return csr_attrs_encode(op, attrs, n, ret);
}
