#include "crypto/dn.h"

#include "base/utf8.h"
#include "crypto/der.h"

/* X.520 upper bounds (RFC 5280 appendix A.1), in characters. */
static const struct attribute {
    const char *type;
    int nid;
    int asn1;
    unsigned min, max;
} attributes[] = {
    {"C",            NID_countryName,            V_ASN1_PRINTABLESTRING, 2, 2 },
    {"O",            NID_organizationName,       V_ASN1_UTF8STRING,      1, 64},
    {"OU",           NID_organizationalUnitName, V_ASN1_UTF8STRING,      1, 64},
    {"CN",           NID_commonName,             V_ASN1_UTF8STRING,      1, 64},
    {"serialNumber", NID_serialNumber,           V_ASN1_PRINTABLESTRING, 1, 64},
    {"DC",           NID_domainComponent,        V_ASN1_IA5STRING,       1, 63}, /* RFC 1034 */
};

static const struct attribute *attribute_of(const char *type)
{
    for (size_t i = 0; i < KW_COUNT(attributes); i++) {
        if (strcmp(attributes[i].type, type) == 0) {
            return &attributes[i];
        }
    }
    return NULL;
}

static unsigned count_characters(struct kw_span text)
{
    unsigned n = 0;

    for (; text.len > 0; n++) {
        text = kw_span_sub(text, kw_utf8_next(text), text.len);
    }
    return n;
}

static bool is_printable_string(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?";

    return strspn(text, allowed) == strlen(text);
}

/* RFC 1034 section 3.5. */
static bool is_label(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

    return strspn(text, allowed) == strlen(text);
}

static bool is_upper(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text);
}

static kw_status check_value(struct kw_op *op, const struct attribute *attribute, const char *value)
{
    ENSURE(op, kw_utf8_is_plain(kw_span_text(value)), KW_E_INPUT,
           "%s has control characters or is not UTF-8", attribute->type);
    unsigned n = count_characters(kw_span_text(value));
    ENSURE(op, n >= attribute->min && n <= attribute->max, KW_E_INPUT,
           "%s has %u characters, allowed are %u to %u", attribute->type, n, attribute->min,
           attribute->max);
    ENSURE(op, attribute->asn1 != V_ASN1_PRINTABLESTRING || is_printable_string(value), KW_E_INPUT,
           "%s may only have the characters of a PrintableString", attribute->type);
    ENSURE(op, attribute->nid != NID_domainComponent || is_label(value), KW_E_INPUT,
           "DC is one label of a domain name");
    ENSURE(op, attribute->nid != NID_countryName || is_upper(value), KW_E_INPUT,
           "C is two capital letters (ISO 3166)");
    return KW_OK;
}

static kw_status add_part(struct kw_op *op, X509_NAME *name, const struct dn_part *part)
{
    const struct attribute *attribute = attribute_of(part->type);

    ENSURE(op, attribute, KW_E_INPUT, "'%s' is no attribute of our names", part->type);
    TRY(op, check_value(op, attribute, part->value));
    OSSL_ENSURE(op,
                X509_NAME_add_entry_by_NID(name, attribute->nid, attribute->asn1,
                                           (const unsigned char *)part->value, -1, -1, 0),
                KW_E_MEMORY, "building a name");
    return KW_OK;
}

kw_status dn_build(struct kw_op *op, const struct dn_part parts[], unsigned n, struct kw_out *der)
{
    AUTO(X509_NAME) *name = X509_NAME_new();
    AUTO(kw_bytes) *bytes = NULL;

    OSSL_ENSURE(op, name, KW_E_MEMORY, "building a name");
    for (unsigned i = 0; i < n; i++) {
        TRY(op, add_part(op, name, &parts[i]));
    }
    TRY(op, kw_bytes_new(KW_DN_MAX, &bytes));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(X509_NAME), name, bytes));
    ENSURE(op, bytes->len <= KW_DN_MAX, KW_E_TOO_LARGE, "a name of %zu octets", bytes->len);
    TRY(op, kw_out_set(der, kw_bytes_span(bytes)), "the name does not fit");
    return KW_OK;
}

/* Cut at a character, never inside one. */
static void copy_cut(struct kw_span from, char *text, size_t cap)
{
    size_t n = 0;

    for (;;) {
        unsigned next = kw_utf8_next(kw_span_sub(from, n, from.len));
        if (next == 0 || n + next >= cap) {
            break;
        }
        n += next;
    }
    if (n > 0) {
        memcpy(text, from.p, n);
    }
    text[n] = '\0';
}

static bool print_name(const X509_NAME *name, unsigned long flags, char *text, size_t cap)
{
    AUTO(BIO) *bio = BIO_new(BIO_s_mem());
    char *data = NULL;

    if (!bio || X509_NAME_print_ex(bio, name, 0, flags) < 0) {
        return false;
    }
    long len = BIO_get_mem_data(bio, &data);
    struct kw_span printed = KW_SPAN(data, len > 0 ? (size_t)len : 0);
    if (!kw_utf8_is_plain(printed)) {
        return false;
    }
    copy_cut(printed, text, cap);
    return true;
}

const char *dn_text(struct kw_span der, char *text, size_t cap)
{
    AUTO(X509_NAME) *name = NULL;

    if (cap == 0) {
        return text;
    }
    (void)snprintf(text, cap, "?");
    if (!kw_ok(der_decode(NULL, ASN1_ITEM_rptr(X509_NAME), der, "name", &name))) {
        return text;
    }
    /* Letters beyond ASCII as they are, unless that would bring control characters along. */
    if (!print_name(name, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB, text, cap)) {
        (void)print_name(name, XN_FLAG_RFC2253, text, cap); /* "?" stays */
    }
    return text;
}

static kw_status copy_value(struct kw_op *op, const ASN1_STRING *string, char *value, size_t cap)
{
    unsigned char *utf8 = NULL;

    int len = ASN1_STRING_to_UTF8(&utf8, string);
    OSSL_ENSURE(op, len >= 0, KW_E_INPUT, "reading an attribute");
    bool plain = kw_utf8_is_plain(KW_SPAN(utf8, (size_t)len));
    bool copied = plain && kw_text_copy(value, cap, (const char *)utf8);
    OPENSSL_free(utf8);
    ENSURE(op, copied, KW_E_INPUT, "an attribute is not plain text, or too long");
    return KW_OK;
}

kw_status dn_get(struct kw_op *op, struct kw_span der, const char *type, char *value, size_t cap)
{
    AUTO(X509_NAME) *name = NULL;
    const struct attribute *attribute = attribute_of(type);

    ENSURE(op, attribute, KW_E_INPUT, "'%s' is no attribute of our names", type);
    TRY(op, der_decode(op, ASN1_ITEM_rptr(X509_NAME), der, "name", &name));
    int at = -1;
    for (int i = -1; (i = X509_NAME_get_index_by_NID(name, attribute->nid, i)) >= 0;) {
        at = i;
    }
    ENSURE(op, at >= 0, KW_E_NOT_FOUND, "the name has no %s", type);
    return copy_value(op, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)), value, cap);
}

/* Both are whole elements one after the other, so an octet prefix ends at an RDN's end. */
bool dn_within(struct kw_span name, struct kw_span prefix)
{
    struct kw_span all;
    struct kw_span first;

    if (!der_is_strict(name) || !der_is_strict(prefix) ||
        !der_contents(name, V_ASN1_SEQUENCE, &all) ||
        !der_contents(prefix, V_ASN1_SEQUENCE, &first)) {
        return false;
    }
    return kw_span_equal(kw_span_sub(all, 0, first.len), first);
}
