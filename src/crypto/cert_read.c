#include <arpa/inet.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "crypto/cert_internal.h"
#include "crypto/der_read.h"
#include "crypto/digest.h"

enum {
    TAG_VERSION = 0xa0,
    TAG_EXTENSIONS = 0xa3,
    TAG_KEYID = 0x80,
    TAG_DNS = 0x82,
    TAG_URI = 0x86,
    TAG_IP = 0x87,
    TAG_CONTEXT_0 = 0xa0,
    KEYID_BYTES = 20,
    NAME_PARTS_MAX = 16,
};

/* What is known by its octets alone. */
#define OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}
static const struct kw_span version_3 = OCTETS("\x02\x01\x02");
static const struct kw_span hw_module_name = OCTETS("\x2b\x06\x01\x05\x05\x07\x08\x04");
static const struct kw_span access_methods[] = {
    OCTETS("\x2b\x06\x01\x05\x05\x07\x30\x01"), /* OCSP */
    OCTETS("\x2b\x06\x01\x05\x05\x07\x30\x02"), /* issuers */
};

/* False from here on: not of the usual form, somebody else has to look. */
static bool is_graphic(struct kw_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f) {
            return false;
        }
    }
    return text.len > 0;
}

/* One attribute each: SET { SEQUENCE { OID, UTF8String or PrintableString } }. */
static bool check_part(struct kw_reader *names)
{
    struct kw_reader set = kw_reader_of(der_read(names, DER_SET));
    struct kw_reader part = kw_reader_of(der_read(&set, DER_SEQUENCE));
    char oid[DER_OID_TEXT];

    if (!der_read_oid(der_read(&part, DER_OID), oid, sizeof(oid))) {
        return false;
    }
    uint8_t tag = der_read_is(&part, DER_UTF8) ? DER_UTF8 : DER_PRINTABLE;
    struct kw_span text = der_read(&part, tag);
    return kw_ok(kw_reader_end(&set)) && kw_ok(kw_reader_end(&part)) && text.len > 0 &&
           kw_utf8_is_plain(text);
}

static bool read_name(struct kw_reader *r, struct kw_span *ret)
{
    struct kw_span der = der_read_whole(r, DER_SEQUENCE);
    struct kw_reader whole = kw_reader_of(der);
    struct kw_reader names = kw_reader_of(der_read(&whole, DER_SEQUENCE));

    for (unsigned i = 0; i < NAME_PARTS_MAX && names.rest.len > 0; i++) {
        if (!check_part(&names)) {
            return false;
        }
    }
    *ret = der;
    return kw_ok(kw_reader_end(&names)) && der.len > 0 && der.len <= KW_DN_MAX;
}

static bool read_validity(struct kw_reader *r, struct cert *cert)
{
    struct kw_reader times = kw_reader_of(der_read(r, DER_SEQUENCE));

    return der_read_time(&times, &cert->not_before) && der_read_time(&times, &cert->not_after) &&
           kw_ok(kw_reader_end(&times));
}

/* --- extensions: each gets the contents of its OCTET STRING --- */
static bool read_basic_constraints(struct cert *cert, struct kw_span value)
{
    static const struct kw_span leaf = OCTETS("\x30\x00");
    static const struct kw_span ca = OCTETS("\x30\x03\x01\x01\xff");
    static const struct kw_span limited = OCTETS("\x30\x06\x01\x01\xff\x02\x01");

    if (kw_span_equal(value, leaf)) {
        return true;
    }
    cert->is_ca = true;
    if (kw_span_equal(value, ca)) {
        return true;
    }
    if (value.len != limited.len + 1 ||
        !kw_span_equal(kw_span_sub(value, 0, limited.len), limited) || value.p[limited.len] > 127) {
        return false;
    }
    cert->path_len = value.p[limited.len];
    return true;
}

/* One octet of bits, the first bit on top, trailing zeroes left out. */
static bool read_key_usage(struct cert *cert, struct kw_span value)
{
    if (value.len != 4 || value.p[0] != DER_BIT_STRING || value.p[1] != 2 || value.p[2] > 7) {
        return false;
    }
    unsigned bits = value.p[3];
    unsigned unused = value.p[2];
    for (unsigned i = 0; i < 8; i++) {
        cert->key_usage |= bits & 0x80u >> i ? 1u << i : 0;
    }
    return (bits & ((1u << unused) - 1)) == 0 && (bits >> unused & 1);
}

static bool read_eku(struct cert *cert, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader list = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    char oid[DER_OID_TEXT];

    while (list.rest.len > 0 && !list.failed) {
        if (!der_read_oid(der_read(&list, DER_OID), oid, sizeof(oid)) ||
            !kw_ok(text_list_add(NULL, &cert->eku, "", kw_span_text(oid)))) {
            return false;
        }
    }
    return cert->eku.n > 0 && kw_ok(kw_reader_end(&list)) && kw_ok(kw_reader_end(&whole));
}

static bool read_ski(struct cert *cert, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_span keyid = der_read(&whole, DER_OCTET_STRING);

    return kw_ok(kw_reader_end(&whole)) && keyid.len == KEYID_BYTES &&
           kw_ok(kw_out_set(&cert->ski, keyid));
}

static bool read_aki(struct cert *cert, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader aki = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    struct kw_span keyid = der_read(&aki, TAG_KEYID);

    return kw_ok(kw_reader_end(&whole)) && kw_ok(kw_reader_end(&aki)) && keyid.len == KEYID_BYTES &&
           kw_ok(kw_out_set(&cert->aki, keyid));
}

/* [0] { hardwareModuleName, [0] { SEQUENCE { type, serial } } } (RFC 4108 section 5). */
static bool add_hw(struct cert *cert, struct kw_span other)
{
    struct kw_reader r = kw_reader_of(other);
    bool is_hw = kw_span_equal(der_read(&r, DER_OID), hw_module_name);
    struct kw_reader value = kw_reader_of(der_read(&r, TAG_CONTEXT_0));
    struct kw_reader hw = kw_reader_of(der_read(&value, DER_SEQUENCE));
    char text[DER_OID_TEXT + 1 + 2 * KW_NAME_MAX];

    if (!is_hw || !der_read_oid(der_read(&hw, DER_OID), text, DER_OID_TEXT)) {
        return false;
    }
    struct kw_span serial = der_read(&hw, DER_OCTET_STRING);
    if (!kw_ok(kw_reader_end(&r)) || !kw_ok(kw_reader_end(&value)) || !kw_ok(kw_reader_end(&hw)) ||
        serial.len >= KW_NAME_MAX) {
        return false;
    }
    size_t n = strlen(text);
    text[n] = ':';
    (void)kw_hex(serial, text + n + 1, sizeof(text) - n - 1); /* fits: see above */
    return kw_ok(text_list_add(NULL, &cert->san, "hw:", kw_span_text(text)));
}

static bool add_ip(struct cert *cert, struct kw_span ip)
{
    char text[INET6_ADDRSTRLEN];

    return (ip.len == 4 || ip.len == 16) &&
           inet_ntop(ip.len == 4 ? AF_INET : AF_INET6, ip.p, text, sizeof(text)) &&
           kw_ok(text_list_add(NULL, &cert->san, "ip:", kw_span_text(text)));
}

static bool add_graphic(struct cert *cert, const char *prefix, struct kw_span text)
{
    return is_graphic(text) && kw_ok(text_list_add(NULL, &cert->san, prefix, text));
}

static bool add_name(struct cert *cert, struct kw_reader *names)
{
    uint8_t tag = names->rest.p[0];
    struct kw_span v = der_read(names, tag);

    switch (tag) {
    case TAG_DNS:
        return add_graphic(cert, "dns:", v);
    case TAG_URI:
        return add_graphic(cert, "uri:", v);
    case TAG_IP:
        return add_ip(cert, v);
    case TAG_CONTEXT_0:
        return add_hw(cert, v);
    default:
        return false;
    }
}

static bool read_san(struct cert *cert, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader names = kw_reader_of(der_read(&whole, DER_SEQUENCE));

    while (names.rest.len > 0 && !names.failed) {
        if (!add_name(cert, &names)) {
            return false;
        }
    }
    return cert->san.n > 0 && kw_ok(kw_reader_end(&names)) && kw_ok(kw_reader_end(&whole));
}

/* One URL: SEQUENCE { SEQUENCE { [0] { [0] { uri } } } }. */
static bool read_crl_dp(struct cert *cert, struct kw_span value)
{
    static const uint8_t tags[] = {DER_SEQUENCE, DER_SEQUENCE, TAG_CONTEXT_0, TAG_CONTEXT_0};
    struct kw_reader r = kw_reader_of(value);

    (void)cert;
    for (size_t i = 0; i < sizeof(tags); i++) {
        struct kw_span inside = der_read(&r, tags[i]);
        if (!kw_ok(kw_reader_end(&r))) {
            return false;
        }
        r = kw_reader_of(inside);
    }
    return is_graphic(der_read(&r, TAG_URI)) && kw_ok(kw_reader_end(&r));
}

static bool check_access(struct kw_reader *list)
{
    struct kw_reader one = kw_reader_of(der_read(list, DER_SEQUENCE));
    struct kw_span method = der_read(&one, DER_OID);
    struct kw_span url = der_read(&one, TAG_URI);

    return (kw_span_equal(method, access_methods[0]) || kw_span_equal(method, access_methods[1])) &&
           is_graphic(url) && kw_ok(kw_reader_end(&one));
}

static bool read_aia(struct cert *cert, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader list = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    bool any = list.rest.len > 0;

    (void)cert;
    while (list.rest.len > 0 && !list.failed) {
        if (!check_access(&list)) {
            return false;
        }
    }
    return any && kw_ok(kw_reader_end(&list)) && kw_ok(kw_reader_end(&whole));
}

/* Object identifiers alone, without qualifiers. */
static bool read_policies(struct cert *cert, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader list = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    char oid[DER_OID_TEXT];
    bool any = list.rest.len > 0;

    (void)cert;
    while (list.rest.len > 0 && !list.failed) {
        struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));
        if (!der_read_oid(der_read(&one, DER_OID), oid, sizeof(oid)) ||
            !kw_ok(kw_reader_end(&one))) {
            return false;
        }
    }
    return any && kw_ok(kw_reader_end(&list)) && kw_ok(kw_reader_end(&whole));
}

static bool read_nocheck(struct cert *cert, struct kw_span value)
{
    static const struct kw_span null = OCTETS("\x05\x00");

    (void)cert;
    return kw_span_equal(value, null);
}

/* clang-format off */
static const struct {
    struct kw_span oid;
    unsigned bit;
    bool (*read)(struct cert *cert, struct kw_span value);
} rows[] = {
    {OCTETS("\x55\x1d\x13"), CERT_EXT_BASIC_CONSTRAINTS, read_basic_constraints},
    {OCTETS("\x55\x1d\x0f"), CERT_EXT_KEY_USAGE, read_key_usage},
    {OCTETS("\x55\x1d\x25"), CERT_EXT_EKU, read_eku},
    {OCTETS("\x55\x1d\x0e"), CERT_EXT_SKI, read_ski},
    {OCTETS("\x55\x1d\x23"), CERT_EXT_AKI, read_aki},
    {OCTETS("\x55\x1d\x11"), CERT_EXT_SAN, read_san},
    {OCTETS("\x55\x1d\x1f"), CERT_EXT_CRL_DP, read_crl_dp},
    {OCTETS("\x55\x1d\x20"), CERT_EXT_POLICIES, read_policies},
    {OCTETS("\x2b\x06\x01\x05\x05\x07\x01\x01"), CERT_EXT_AIA, read_aia},
    {OCTETS("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"), CERT_EXT_OCSP_NOCHECK, read_nocheck},
};
/* clang-format on */

static bool read_ext(struct kw_reader *list, struct cert *cert)
{
    struct kw_reader one = kw_reader_of(der_read(list, DER_SEQUENCE));
    struct kw_span oid = der_read(&one, DER_OID);
    bool critical = false;

    if (!der_read_critical(&one, &critical)) {
        return false;
    }
    struct kw_span value = der_read(&one, DER_OCTET_STRING);
    if (!kw_ok(kw_reader_end(&one))) {
        return false;
    }
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (kw_span_equal(oid, rows[i].oid)) {
            bool twice = cert->ext_present & rows[i].bit;
            cert->ext_present |= rows[i].bit;
            cert->ext_critical |= critical ? rows[i].bit : 0;
            return !twice && rows[i].read(cert, value);
        }
    }
    return false;
}

static bool read_exts(struct kw_reader *r, struct cert *cert)
{
    struct kw_reader outer = kw_reader_of(der_read(r, TAG_EXTENSIONS));
    struct kw_reader list = kw_reader_of(der_read(&outer, DER_SEQUENCE));

    while (list.rest.len > 0 && !list.failed) {
        if (!read_ext(&list, cert)) {
            return false;
        }
    }
    return cert->ext_present && kw_ok(kw_reader_end(&list)) && kw_ok(kw_reader_end(&outer));
}

static bool read_serial(struct kw_reader *r, struct kw_span *ret)
{
    *ret = der_read(r, DER_INTEGER);
    return ret->len == KW_SERIAL_BYTES && ret->p[0] > 0 && ret->p[0] < 0x80;
}

/* cert->parts.tbs is read; what it borrows lies in cert->der. */
static bool read_fields(struct cert *cert)
{
    struct kw_reader whole = kw_reader_of(cert->parts.tbs);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    struct kw_span alg;
    struct kw_span spki;

    bool head = kw_span_equal(der_read(&r, TAG_VERSION), version_3) &&
                read_serial(&r, &cert->serial) &&
                der_read_sig_alg(&r, &cert->parts.key_alg, &alg) && read_name(&r, &cert->issuer) &&
                cert->issuer.len > 2 && read_validity(&r, cert) && read_name(&r, &cert->subject);
    if (!head) {
        return false;
    }
    spki = der_read_whole(&r, DER_SEQUENCE);
    return read_exts(&r, cert) && kw_ok(kw_reader_end(&r)) && kw_ok(kw_reader_end(&whole)) &&
           kw_ok(pubkey_parse(NULL, spki, &cert->key));
}

/* Where the signature's algorithm stands, for the certificate around it. */
static bool find_alg(struct kw_span tbs, struct kw_span *ret)
{
    struct kw_reader whole = kw_reader_of(tbs);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    enum key_alg alg = KEY_ALG_NONE;

    (void)der_read(&r, TAG_VERSION); /* failures stay in r */
    (void)der_read(&r, DER_INTEGER);
    return kw_ok(kw_reader_end(&whole)) && der_read_sig_alg(&r, &alg, ret);
}

kw_status cert_read_tbs(struct kw_op *op, struct kw_span tbs, struct cert **ret)
{
    AUTO(cert) *cert = NULL;
    struct kw_span alg;

    if (tbs.len > KW_CERT_MAX || !find_alg(tbs, &alg)) {
        return KW_OK;
    }
    TRY(op, cert_alloc(op, &cert));
    TRY(op, signed_wrap(op, tbs, alg, &cert->der));
    size_t at = cert->der->p[1] < 0x80 ? 2 : 2 + (size_t)(cert->der->p[1] & 0x7f);
    cert->parts.tbs = kw_span_sub(kw_bytes_span(cert->der), at, tbs.len);
    cert->parts.alg = kw_span_sub(kw_bytes_span(cert->der), at + tbs.len, alg.len);
    cert->version = 3;
    digest_sha256(kw_bytes_span(cert->der), cert->sha256);
    if (read_fields(cert)) {
        *ret = TAKE(cert);
    }
    return KW_OK;
}
