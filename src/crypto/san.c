#include "crypto/san.h"

#include <arpa/inet.h>

#include "base/hex.h"

#define OID_HW_MODULE_NAME "1.3.6.1.5.5.7.8.4"

/* RFC 4108 section 5: HardwareModuleName ::= SEQUENCE { hwType OID, hwSerialNum OCTET STRING } */
struct hw_module {
    ASN1_OBJECT *type;
    ASN1_OCTET_STRING *serial;
};
/* clang-format off */
ASN1_SEQUENCE(hw_module) = {
    ASN1_SIMPLE(struct hw_module, type, ASN1_OBJECT),
    ASN1_SIMPLE(struct hw_module, serial, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END_name(struct hw_module, hw_module);
/* clang-format on */

static void hw_module_free(struct hw_module *hw)
{
    ASN1_item_free((ASN1_VALUE *)hw, ASN1_ITEM_rptr(hw_module));
}
KW_OWNED(hw_module, struct hw_module, hw_module_free)

kw_status text_list_add(struct kw_op *op, struct text_list *list, const char *prefix,
                        struct kw_span text)
{
    static const uint8_t nul = 0;

    ENSURE(op, list->n < TEXT_LIST_MAX, KW_E_INPUT, "more than %d entries in one extension",
           (int)TEXT_LIST_MAX);
    if (!list->arena) {
        TRY(op, kw_bytes_new(128, &list->arena));
    }
    size_t at = list->arena->len;
    TRY(op, kw_bytes_append_text(list->arena, prefix));
    TRY(op, kw_bytes_append(list->arena, text));
    TRY(op, kw_bytes_append(list->arena, KW_SPAN(&nul, 1)));
    list->at[list->n++] = at;
    return KW_OK;
}

const char *text_list_get(const struct text_list *list, unsigned i)
{
    return i < list->n ? (const char *)list->arena->p + list->at[i] : NULL;
}

void text_list_done(struct text_list *list)
{
    kw_bytes_free(list->arena);
    *list = (struct text_list){0};
}

static bool is_graphic(struct kw_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f) {
            return false;
        }
    }
    return text.len > 0;
}

static kw_status add_graphic(struct kw_op *op, struct text_list *list, const char *prefix,
                             const ASN1_STRING *string)
{
    ENSURE(op, is_graphic(der_string(string)), KW_E_INPUT,
           "a subject alternative name is not printable ASCII");
    return text_list_add(op, list, prefix, der_string(string));
}

static kw_status add_ip(struct kw_op *op, struct text_list *list, const ASN1_OCTET_STRING *octets)
{
    char text[INET6_ADDRSTRLEN];
    struct kw_span ip = der_string(octets);

    ENSURE(op, ip.len == 4 || ip.len == 16, KW_E_INPUT, "an IP address of %zu octets", ip.len);
    ENSURE(op, inet_ntop(ip.len == 4 ? AF_INET : AF_INET6, ip.p, text, sizeof(text)), KW_E_INTERNAL,
           "writing an IP address");
    return text_list_add(op, list, "ip:", kw_span_text(text));
}

/* "<prefix><oid>:<hex>", or "<prefix><hex>" without oid. */
static kw_status add_hex(struct kw_op *op, struct text_list *list, const char *prefix,
                         const ASN1_OBJECT *oid, struct kw_span octets)
{
    char dotted[DER_OID_TEXT] = "";
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(2 * octets.len + 2 + DER_OID_TEXT, &text));
    if (oid) {
        TRY(op, der_oid_text(op, oid, dotted));
        TRY(op, kw_bytes_printf(text, "%s:", dotted));
    }
    (void)kw_hex(octets, (char *)text->p + text->len, text->cap - text->len); /* room was made */
    text->len += 2 * octets.len;
    return text_list_add(op, list, prefix, kw_bytes_span(text));
}

static kw_status add_other(struct kw_op *op, struct text_list *list, const OTHERNAME *other)
{
    char dotted[DER_OID_TEXT];
    AUTO(hw_module) *hw = NULL;
    AUTO(kw_bytes) *value = NULL;

    TRY(op, der_oid_text(op, other->type_id, dotted));
    TRY(op, kw_bytes_new(64, &value));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(ASN1_ANY), other->value, value));
    if (strcmp(dotted, OID_HW_MODULE_NAME) != 0) {
        return add_hex(op, list, "other:", other->type_id, kw_bytes_span(value));
    }
    TRY(op,
        der_decode(op, ASN1_ITEM_rptr(hw_module), kw_bytes_span(value), "hardwareModuleName", &hw));
    return add_hex(op, list, "hw:", hw->type, der_string(hw->serial));
}

static kw_status add_dn(struct kw_op *op, struct text_list *list, const X509_NAME *name)
{
    const unsigned char *der = NULL;
    size_t len = 0;

    OSSL_ENSURE(op, X509_NAME_get0_der(name, &der, &len), KW_E_INPUT, "reading a directory name");
    return add_hex(op, list, "dn:", NULL, KW_SPAN(der, len));
}

static kw_status add_name(struct kw_op *op, struct text_list *list, const GENERAL_NAME *name)
{
    char dotted[DER_OID_TEXT];

    switch (name->type) {
    case GEN_DNS:
        return add_graphic(op, list, "dns:", name->d.dNSName);
    case GEN_URI:
        return add_graphic(op, list, "uri:", name->d.uniformResourceIdentifier);
    case GEN_EMAIL:
        return add_graphic(op, list, "email:", name->d.rfc822Name);
    case GEN_IPADD:
        return add_ip(op, list, name->d.iPAddress);
    case GEN_OTHERNAME:
        return add_other(op, list, name->d.otherName);
    case GEN_DIRNAME:
        return add_dn(op, list, name->d.directoryName);
    case GEN_RID:
        TRY(op, der_oid_text(op, name->d.registeredID, dotted));
        return text_list_add(op, list, "rid:", kw_span_text(dotted));
    default:
        return FAIL(op, KW_E_INPUT, "a subject alternative name of kind %d", name->type);
    }
}

kw_status san_texts(struct kw_op *op, const GENERAL_NAMES *names, struct text_list *list)
{
    ENSURE(op, sk_GENERAL_NAME_num(names) > 0, KW_E_INPUT, "no subject alternative name inside");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        TRY(op, add_name(op, list, sk_GENERAL_NAME_value(names, i)));
    }
    return KW_OK;
}

/* Labels of letters, digits and hyphens; `_` is tolerated, as many device names carry it. */
static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = label[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

bool san_is_dns(const char *text, bool constraint)
{
    if (strlen(text) > 253) {
        return false;
    }
    if (constraint && text[0] == '.') {
        text++;
    } else if (!constraint && text[0] == '*' && text[1] == '.') {
        text += 2;
    }
    for (;;) {
        size_t len = strcspn(text, ".");
        if (!is_label(text, len)) {
            return false;
        }
        if (text[len] == '\0') {
            return true;
        }
        text += len + 1;
    }
}

bool san_is_uri(const char *text)
{
    static const char scheme[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    size_t len = strspn(text, scheme);

    return len > 0 && text[len] == ':' && text[len + 1] != '\0' && is_graphic(kw_span_text(text));
}

kw_status san_new_text(struct kw_op *op, int type, const char *text, GENERAL_NAME **ret)
{
    AUTO(GENERAL_NAME) *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();

    if (name && string) {
        GENERAL_NAME_set0_value(name, type, string);
    } else {
        ASN1_IA5STRING_free(string);
        string = NULL;
    }
    OSSL_ENSURE(op, string && ASN1_STRING_set(string, text, (int)strlen(text)), KW_E_MEMORY,
                "encoding a name");
    *ret = TAKE(name);
    return KW_OK;
}

kw_status san_new_ip(struct kw_op *op, struct kw_span octets, GENERAL_NAME **ret)
{
    AUTO(GENERAL_NAME) *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();

    if (name && string) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, string);
    } else {
        ASN1_OCTET_STRING_free(string);
        string = NULL;
    }
    OSSL_ENSURE(op, string && ASN1_OCTET_STRING_set(string, octets.p, (int)octets.len), KW_E_MEMORY,
                "encoding an address");
    *ret = TAKE(name);
    return KW_OK;
}

static kw_status push(struct kw_op *op, GENERAL_NAMES *names, GENERAL_NAME **name)
{
    OSSL_ENSURE(op, sk_GENERAL_NAME_push(names, *name) > 0, KW_E_MEMORY, "adding a name");
    (void)TAKE(*name); /* the stack has it now */
    return KW_OK;
}

kw_status san_add_dns(struct kw_op *op, GENERAL_NAMES *names, const char *dns)
{
    AUTO(GENERAL_NAME) *name = NULL;

    ENSURE(op, san_is_dns(dns, /* constraint= */ false), KW_E_INPUT, "'%s' is no DNS name", dns);
    TRY(op, san_new_text(op, GEN_DNS, dns, &name));
    return push(op, names, &name);
}

kw_status san_add_ip(struct kw_op *op, GENERAL_NAMES *names, const char *ip)
{
    uint8_t octets[16];
    AUTO(GENERAL_NAME) *name = NULL;

    bool v6 = strchr(ip, ':');
    ENSURE(op, inet_pton(v6 ? AF_INET6 : AF_INET, ip, octets) == 1, KW_E_INPUT,
           "'%s' is no IP address", ip);
    TRY(op, san_new_ip(op, KW_SPAN(octets, v6 ? 16 : 4), &name));
    return push(op, names, &name);
}

kw_status san_add_uri(struct kw_op *op, GENERAL_NAMES *names, const char *uri)
{
    AUTO(GENERAL_NAME) *name = NULL;

    ENSURE(op, san_is_uri(uri), KW_E_INPUT, "'%s' is no URI", uri);
    TRY(op, san_new_text(op, GEN_URI, uri, &name));
    return push(op, names, &name);
}

static kw_status hw_new(struct kw_op *op, const char *type, struct kw_span serial,
                        struct hw_module **ret)
{
    AUTO(hw_module) *hw = (struct hw_module *)ASN1_item_new(ASN1_ITEM_rptr(hw_module));
    ASN1_OBJECT *oid = NULL;

    OSSL_ENSURE(op, hw, KW_E_MEMORY, "encoding a hardware module name");
    TRY(op, der_oid_new(op, type, &oid), "hardware type '%s'", type);
    ASN1_OBJECT_free(hw->type);
    hw->type = oid;
    ENSURE(op, serial.len > 0 && serial.len <= KW_NAME_MAX, KW_E_INPUT,
           "hardware serial number of %zu octets", serial.len);
    OSSL_ENSURE(op, ASN1_OCTET_STRING_set(hw->serial, serial.p, (int)serial.len), KW_E_MEMORY,
                "encoding a hardware module name");
    *ret = TAKE(hw);
    return KW_OK;
}

kw_status san_add_hw(struct kw_op *op, GENERAL_NAMES *names, const char *type,
                     struct kw_span serial)
{
    AUTO(hw_module) *hw = NULL;
    AUTO(ASN1_OBJECT) *oid = NULL;
    AUTO(GENERAL_NAME) *name = GENERAL_NAME_new();

    TRY(op, hw_new(op, type, serial, &hw));
    TRY(op, der_oid_new(op, OID_HW_MODULE_NAME, &oid));
    ASN1_TYPE *value = ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(hw_module), hw, NULL);
    if (!name || !value || !GENERAL_NAME_set0_othername(name, oid, value)) {
        ASN1_TYPE_free(value);
        return crypto_fail(op, KW_E_MEMORY, KW_HERE_FILE, KW_HERE_LINE,
                           "encoding a hardware module name");
    }
    (void)TAKE(oid); /* the name has it now */
    return push(op, names, &name);
}
