#include "crypto/dn.h"

#include <stdio.h>

#include "base/utf8.h"
#include "crypto/der.h"
#include "crypto/der_write.h"

enum { NAME_USUAL = 256 }; /* octets */

#define OID(octets) {(const uint8_t *)(octets), sizeof(octets) - 1}

/* X.520 upper bounds (RFC 5280 appendix A.1), in characters. */
static const struct attribute {
    const char *type;
    int nid;
    uint8_t asn1;
    unsigned min, max;
    struct kw_span oid; /* contents */
} attributes[] = {
    /* clang-format off */
    {"C",            NID_countryName,            DER_PRINTABLE, 2, 2,  OID("\x55\x04\x06")},
    {"O",            NID_organizationName,       DER_UTF8,      1, 64, OID("\x55\x04\x0a")},
    {"OU",           NID_organizationalUnitName, DER_UTF8,      1, 64, OID("\x55\x04\x0b")},
    {"CN",           NID_commonName,             DER_UTF8,      1, 64, OID("\x55\x04\x03")},
    {"serialNumber", NID_serialNumber,           DER_PRINTABLE, 1, 64, OID("\x55\x04\x05")},
    {"DC",           NID_domainComponent,        DER_IA5,       1, 63, /* RFC 1034 */
     OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")},
    /* clang-format on */
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
    ENSURE(op, attribute->asn1 != DER_PRINTABLE || is_printable_string(value), KW_E_INPUT,
           "%s may only have the characters of a PrintableString", attribute->type);
    ENSURE(op, attribute->nid != NID_domainComponent || is_label(value), KW_E_INPUT,
           "DC is one label of a domain name");
    ENSURE(op, attribute->nid != NID_countryName || is_upper(value), KW_E_INPUT,
           "C is two capital letters (ISO 3166)");
    return KW_OK;
}

static kw_status add_part(struct kw_op *op, struct der_writer *w, const struct dn_part *part)
{
    const struct attribute *attribute = attribute_of(part->type);

    ENSURE(op, attribute, KW_E_INPUT, "'%s' is no attribute of our names", part->type);
    TRY(op, check_value(op, attribute, part->value));
    size_t rdn = der_open(w, DER_SET);
    size_t pair = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, attribute->oid);
    der_put(w, attribute->asn1, kw_span_text(part->value));
    der_close(w, pair);
    der_close(w, rdn);
    return KW_OK;
}

kw_status dn_build(struct kw_op *op, const struct dn_part parts[], unsigned n, struct kw_out *der)
{
    AUTO(kw_bytes) *bytes = NULL;

    TRY(op, kw_bytes_new(NAME_USUAL, &bytes));
    struct der_writer w = der_writer_of(bytes);
    size_t name = der_open(&w, DER_SEQUENCE);
    for (unsigned i = 0; i < n; i++) {
        TRY(op, add_part(op, &w, &parts[i]));
    }
    der_close(&w, name);
    TRY(op, der_written(&w), "building a name");
    ENSURE(op, bytes->len <= KW_DN_MAX, KW_E_TOO_LARGE, "a name of %zu octets", bytes->len);
    TRY(op, kw_out_set(der, kw_bytes_span(bytes)), "the name does not fit");
    return KW_OK;
}

/* --- the usual name --------------------------------------------------------------------------- */

/*
 * One attribute of ours an RDN, its value plain text of the usual kinds: read octet by octet, which
 * takes a tenth of what OpenSSL's templates take. Every other name is left to those.
 */
enum { RDNS_USUAL = 8 };

struct rdn {
    const struct attribute *attribute;
    struct kw_span value;
};

static const struct attribute *attribute_with(struct kw_span oid)
{
    for (size_t i = 0; i < KW_COUNT(attributes); i++) {
        if (kw_span_equal(attributes[i].oid, oid)) {
            return &attributes[i];
        }
    }
    return NULL;
}

static bool is_ascii(struct kw_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static bool read_value(struct kw_reader *r, struct kw_span *ret)
{
    static const uint8_t tags[] = {DER_UTF8, DER_PRINTABLE, DER_IA5};

    for (size_t i = 0; i < KW_COUNT(tags); i++) {
        if (der_read_is(r, tags[i])) {
            *ret = der_read(r, tags[i]);
            return kw_utf8_is_plain(*ret) && (tags[i] == DER_UTF8 || is_ascii(*ret));
        }
    }
    return false;
}

static bool read_rdn(struct kw_reader *rdns, struct rdn *ret)
{
    struct kw_reader set = kw_reader_of(der_read(rdns, DER_SET));
    struct kw_reader pair = kw_reader_of(der_read(&set, DER_SEQUENCE));

    ret->attribute = attribute_with(der_read(&pair, DER_OID));
    return ret->attribute && read_value(&pair, &ret->value) && kw_ok(kw_reader_end(&pair)) &&
           kw_ok(kw_reader_end(&set));
}

static bool read_usual(struct kw_span der, struct rdn at[RDNS_USUAL], unsigned *ret_n)
{
    struct kw_reader whole = kw_reader_of(der);
    struct kw_reader rdns = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    unsigned n = 0;

    while (n < RDNS_USUAL && der_read_is(&rdns, DER_SET)) {
        if (!read_rdn(&rdns, &at[n])) {
            return false;
        }
        n++;
    }
    *ret_n = n;
    return kw_ok(kw_reader_end(&rdns)) && kw_ok(kw_reader_end(&whole));
}

kw_status dn_check(struct kw_op *op, struct kw_span der, const char *what)
{
    AUTO(X509_NAME) *name = NULL;
    struct rdn rdns[RDNS_USUAL];
    unsigned n = 0;

    return read_usual(der, rdns, &n) ? KW_OK
                                     : der_decode(op, ASN1_ITEM_rptr(X509_NAME), der, what, &name);
}

/* --- text ------------------------------------------------------------------------------------- */

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

/* Nothing that RFC 4514 section 2.4 would have escaped. */
static bool needs_no_escape(struct kw_span value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._:/()@* ";

    for (size_t i = 0; i < value.len; i++) {
        if (!memchr(plain, value.p[i], sizeof(plain) - 1)) {
            return false;
        }
    }
    return value.len > 0 && value.p[0] != ' ' && value.p[value.len - 1] != ' ';
}

/* The last RDN first (RFC 4514 section 2.1). */
static bool print_usual(struct kw_span der, char *text, size_t cap)
{
    struct rdn at[RDNS_USUAL];
    char room[2 * NAME_USUAL + 1];
    size_t len = 0;
    unsigned n = 0;

    if (der.len > NAME_USUAL || !read_usual(der, at, &n)) {
        return false;
    }
    for (unsigned i = n; i > 0; i--) { /* "serialNumber=," is 14 characters for 11 octets of DER */
        const struct rdn *rdn = &at[i - 1];
        if (!needs_no_escape(rdn->value) || len >= sizeof(room)) {
            return false;
        }
        len +=
            (size_t)snprintf(room + len, sizeof(room) - len, "%s%s=%.*s", i < n ? "," : "",
                             rdn->attribute->type, (int)rdn->value.len, (const char *)rdn->value.p);
    }
    copy_cut(KW_SPAN(room, len), text, cap);
    return n > 0;
}

const char *dn_text(struct kw_span der, char *text, size_t cap)
{
    AUTO(X509_NAME) *name = NULL;

    if (cap == 0 || print_usual(der, text, cap)) {
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

static kw_status get_usual(struct kw_op *op, const struct rdn at[], unsigned n,
                           const struct attribute *attribute, char *value, size_t cap)
{
    while (n > 0 && at[n - 1].attribute != attribute) {
        n--;
    }
    ENSURE(op, n > 0, KW_E_NOT_FOUND, "the name has no %s", attribute->type);
    struct kw_span found = at[n - 1].value;
    ENSURE(op, found.len < cap, KW_E_INPUT, "an attribute is not plain text, or too long");
    memcpy(value, found.p, found.len);
    value[found.len] = '\0';
    return KW_OK;
}

kw_status dn_get(struct kw_op *op, struct kw_span der, const char *type, char *value, size_t cap)
{
    AUTO(X509_NAME) *name = NULL;
    const struct attribute *attribute = attribute_of(type);
    struct rdn rdns[RDNS_USUAL];
    unsigned n = 0;

    ENSURE(op, attribute, KW_E_INPUT, "'%s' is no attribute of our names", type);
    if (read_usual(der, rdns, &n)) {
        return get_usual(op, rdns, n, attribute, value, cap);
    }
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

static X509_NAME *name_of(struct kw_span der)
{
    X509_NAME *name = NULL;

    (void)der_decode(NULL, ASN1_ITEM_rptr(X509_NAME), der, "name", &name); /* NULL: none */
    return name;
}

/* One attribute a RDN, as dn_build() makes them; NULL: no memory. */
static X509_NAME *backwards(const X509_NAME *name)
{
    AUTO(X509_NAME) *turned = X509_NAME_new();

    for (int i = 0; turned && i < X509_NAME_entry_count(name); i++) {
        if (X509_NAME_add_entry(turned, X509_NAME_get_entry(name, i), 0, 0) != 1) {
            return NULL;
        }
    }
    return TAKE(turned);
}

bool dn_same(struct kw_span a, struct kw_span b)
{
    AUTO(X509_NAME) *one = name_of(a);
    AUTO(X509_NAME) *other = name_of(b);

    if (!one || !other) {
        return false;
    }
    AUTO(X509_NAME) *turned = backwards(other);
    return X509_NAME_cmp(one, other) == 0 || (turned && X509_NAME_cmp(one, turned) == 0);
}
