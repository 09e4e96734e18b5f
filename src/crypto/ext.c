#include "crypto/ext.h"

/* clang-format off */
ASN1_SEQUENCE(ext) = {
    ASN1_SIMPLE(struct ext, oid, ASN1_OBJECT),
    ASN1_OPT(struct ext, critical, ASN1_FBOOLEAN),
    ASN1_SIMPLE(struct ext, value, ASN1_OCTET_STRING),
} ASN1_SEQUENCE_END_name(struct ext, ext);
/* clang-format on */

static void ext_free(struct ext *one)
{
    ASN1_item_free((ASN1_VALUE *)one, ASN1_ITEM_rptr(ext));
}
KW_OWNED(ext, struct ext, ext_free)
KW_OWNED(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

/* clang-format off */
ASN1_ITEM_TEMPLATE(ext_list) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, ext_list, ext)
ASN1_ITEM_TEMPLATE_END(ext_list)
    /* clang-format on */

    void ext_list_free(STACK_OF(ext) *list)
{
    ASN1_item_free((ASN1_VALUE *)list, ASN1_ITEM_rptr(ext_list));
}
KW_OWNED(AUTHORITY_KEYID, AUTHORITY_KEYID, AUTHORITY_KEYID_free)

kw_status ext_add_der(struct kw_op *op, STACK_OF(ext) **list, int nid, bool critical,
                      struct kw_span value)
{
    AUTO(ext) *one = (struct ext *)ASN1_item_new(ASN1_ITEM_rptr(ext));

    OSSL_ENSURE(op, one && ASN1_OCTET_STRING_set(one->value, value.p, (int)value.len), KW_E_MEMORY,
                "adding an extension");
    ASN1_OBJECT_free(one->oid);
    one->oid = OBJ_nid2obj(nid); /* static, never freed */
    one->critical = critical ? 0xff : 0;
    if (!*list) {
        *list = sk_ext_new_null();
    }
    OSSL_ENSURE(op, *list && sk_ext_push(*list, one) > 0, KW_E_MEMORY, "adding an extension");
    (void)TAKE(one); /* the list has it now */
    return KW_OK;
}

kw_status ext_add(struct kw_op *op, STACK_OF(ext) **list, int nid, bool critical,
                  const ASN1_ITEM *item, const void *object)
{
    AUTO(kw_bytes) *value = NULL;

    TRY(op, kw_bytes_new(64, &value));
    TRY(op, der_encode(op, item, object, value));
    return ext_add_der(op, list, nid, critical, kw_bytes_span(value));
}

/* RFC 5280 section 4.2.1.1: "Conforming CAs MUST mark this extension as non-critical." */
kw_status ext_add_aki(struct kw_op *op, STACK_OF(ext) **list, const struct pubkey *issuer)
{
    AUTO(AUTHORITY_KEYID) *aki = AUTHORITY_KEYID_new();

    if (aki) {
        aki->keyid = ASN1_OCTET_STRING_new();
    }
    OSSL_ENSURE(op, aki && aki->keyid && ASN1_OCTET_STRING_set(aki->keyid, pubkey_sha1(issuer), 20),
                KW_E_MEMORY, "naming the issuer's key");
    return ext_add(op, list, NID_authority_key_identifier, /* critical= */ false,
                   ASN1_ITEM_rptr(AUTHORITY_KEYID), aki);
}

kw_status ext_add_key_usage(struct kw_op *op, STACK_OF(ext) **list, unsigned usage)
{
    AUTO(ASN1_BIT_STRING) *bits = ASN1_BIT_STRING_new();

    OSSL_ENSURE(op, bits, KW_E_MEMORY, "key usage");
    ENSURE(op, usage <= 0x7f, KW_E_INPUT, "key usage 0x%x", usage);
    for (int i = 0; i < 7; i++) {
        OSSL_ENSURE(op, !(usage & 1u << i) || ASN1_BIT_STRING_set_bit(bits, i, 1), KW_E_MEMORY,
                    "key usage");
    }
    return ext_add(op, list, NID_key_usage, /* critical= */ true, ASN1_ITEM_rptr(ASN1_BIT_STRING),
                   bits);
}

kw_status ext_add_eku(struct kw_op *op, STACK_OF(ext) **list, const char *const eku[], unsigned max)
{
    AUTO(EXTENDED_KEY_USAGE) *all = EXTENDED_KEY_USAGE_new();

    OSSL_ENSURE(op, all, KW_E_MEMORY, "extended key usage");
    for (unsigned i = 0; i < max && eku[i]; i++) {
        AUTO(ASN1_OBJECT) *oid = NULL;
        TRY(op, der_oid_new(op, eku[i], &oid), "extended key usage '%s'", eku[i]);
        OSSL_ENSURE(op, sk_ASN1_OBJECT_push(all, oid) > 0, KW_E_MEMORY, "extended key usage");
        (void)TAKE(oid); /* the list has it now */
    }
    return ext_add(op, list, NID_ext_key_usage, /* critical= */ false,
                   ASN1_ITEM_rptr(EXTENDED_KEY_USAGE), all);
}

kw_status ext_decode(struct kw_op *op, const struct ext *one, const ASN1_ITEM *item, void *ret)
{
    const char *name = OBJ_nid2sn(ext_nid(one));

    return der_decode(op, item, der_string(one->value), name ? name : "extension", ret);
}

kw_status ext_read_aki(struct kw_op *op, const struct ext *one, struct kw_out *ret)
{
    AUTO(AUTHORITY_KEYID) *aki = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(AUTHORITY_KEYID), &aki));
    if (aki->keyid) {
        TRY(op, kw_out_set(ret, der_string(aki->keyid)), "authority key identifier");
    }
    return KW_OK;
}

int ext_count(const STACK_OF(ext) *list)
{
    return list ? sk_ext_num(list) : 0;
}

int ext_nid(const struct ext *one)
{
    return OBJ_obj2nid(one->oid);
}

kw_status ext_check_list(struct kw_op *op, const STACK_OF(ext) *list)
{
    int n = ext_count(list);

    ENSURE(op, !list || n > 0, KW_E_INPUT, "an empty list of extensions");
    ENSURE(op, n <= EXT_COUNT_MAX, KW_E_INPUT, "%d extensions, at most %d are taken", n,
           (int)EXT_COUNT_MAX);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            ENSURE(op, OBJ_cmp(sk_ext_value(list, i)->oid, sk_ext_value(list, j)->oid) != 0,
                   KW_E_INPUT, "an extension stands there twice");
        }
    }
    return KW_OK;
}

const struct ext *ext_find(const STACK_OF(ext) *list, int nid)
{
    for (int i = 0; i < ext_count(list); i++) {
        if (ext_nid(sk_ext_value(list, i)) == nid) {
            return sk_ext_value(list, i);
        }
    }
    return NULL;
}
