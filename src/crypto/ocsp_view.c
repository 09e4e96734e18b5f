/*
 * OCSPResponse of anybody (RFC 6960 section 4.2.1) without OpenSSL, whose templates make a key of
 * each certificate in it before anybody has looked at what the answer is about.
 */
#include "crypto/ocsp_asn1.h"

enum {
    TAG_BYTES = 0xa0,
    TAG_CERTS = 0xa0,
    TAG_VERSION = 0xa0,
    TAG_BY_NAME = 0xa1,
    TAG_BY_KEY = 0xa2,
    TAG_NEXT_UPDATE = 0xa0,
    TAG_EXTENSIONS = 0xa1,
    DER_ENUMERATED = 0x0a,
};

#define OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}
static const struct kw_span basic_oid = OCTETS("\x2b\x06\x01\x05\x05\x07\x30\x01\x01");
static const struct kw_span version_1 = OCTETS("\x02\x01\x00");

bool ocsp_view_ext(struct kw_reader *exts, struct ocsp_ext *ret)
{
    struct kw_reader in = kw_reader_of(der_read(exts, DER_SEQUENCE));

    ret->oid = der_read(&in, DER_OID);
    if (!der_read_critical(&in, &ret->critical)) {
        return false;
    }
    ret->value = der_read(&in, DER_OCTET_STRING);
    return ret->oid.len > 0 && kw_ok(kw_reader_end(&in));
}

/* Extensions behind their tag, where they are there; each is read once. */
static bool read_exts(struct kw_reader *r, struct kw_span *ret)
{
    struct ocsp_ext one;

    *ret = KW_SPAN(NULL, 0);
    if (!der_read_is(r, TAG_EXTENSIONS)) {
        return true;
    }
    struct kw_reader outer = kw_reader_of(der_read(r, TAG_EXTENSIONS));
    *ret = der_read(&outer, DER_SEQUENCE);
    struct kw_reader list = kw_reader_of(*ret);
    while (list.rest.len > 0) {
        if (!ocsp_view_ext(&list, &one)) {
            return false;
        }
    }
    return kw_ok(kw_reader_end(&outer));
}

static bool read_next_update(struct kw_reader *r, struct ocsp_one *one)
{
    one->has_next = der_read_is(r, TAG_NEXT_UPDATE);
    if (!one->has_next) {
        return true;
    }
    struct kw_reader next = kw_reader_of(der_read(r, TAG_NEXT_UPDATE));
    return der_read_gentime(&next, &one->single.next_update) && kw_ok(kw_reader_end(&next));
}

bool ocsp_view_single(struct kw_reader *singles, struct ocsp_one *ret)
{
    struct kw_reader in = kw_reader_of(der_read(singles, DER_SEQUENCE));
    struct kw_reader id = kw_reader_of(der_read_whole(&in, DER_SEQUENCE));

    *ret = (struct ocsp_one){0};
    ret->known = ocsp_certid_take(&id, &ret->single.id);
    bool good = ocsp_state_take(&in, &ret->single) &&
                der_read_gentime(&in, &ret->single.this_update) && read_next_update(&in, ret) &&
                read_exts(&in, &ret->exts) && kw_ok(kw_reader_end(&in));
    if (ret->single.reason == OCSP_REASON_ODD) {
        ret->single.reason = 0;
    }
    return good;
}

static bool read_singles(struct kw_span list)
{
    struct kw_reader r = kw_reader_of(list);
    struct ocsp_one one;

    while (r.rest.len > 0) {
        if (!ocsp_view_single(&r, &one)) {
            return false;
        }
    }
    return list.len > 0;
}

static bool read_responder(struct kw_reader *r, struct ocsp_view *ret)
{
    if (der_read_is(r, TAG_BY_NAME)) {
        ret->name = der_read(r, TAG_BY_NAME);
        return ret->name.len > 0;
    }
    struct kw_reader by_key = kw_reader_of(der_read(r, TAG_BY_KEY));
    ret->key_hash = der_read(&by_key, DER_OCTET_STRING);
    return ret->key_hash.len > 0 && kw_ok(kw_reader_end(&by_key));
}

/* Version 1 is the default, which some spell out. */
static bool read_data(struct kw_span tbs, struct ocsp_view *ret)
{
    struct kw_reader whole = kw_reader_of(tbs);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    int64_t produced_at = 0;

    if (der_read_is(&r, TAG_VERSION) && !kw_span_equal(der_read(&r, TAG_VERSION), version_1)) {
        return false;
    }
    if (!read_responder(&r, ret) || !der_read_gentime(&r, &produced_at)) {
        return false;
    }
    ret->singles = der_read(&r, DER_SEQUENCE);
    return read_singles(ret->singles) && read_exts(&r, &ret->exts) && kw_ok(kw_reader_end(&r));
}

static bool read_certs(struct kw_reader *r, struct kw_span *ret)
{
    *ret = KW_SPAN(NULL, 0);
    if (!der_read_is(r, TAG_CERTS)) {
        return true;
    }
    struct kw_reader outer = kw_reader_of(der_read(r, TAG_CERTS));
    *ret = der_read(&outer, DER_SEQUENCE);
    return kw_ok(kw_reader_end(&outer));
}

static bool read_basic(struct kw_span basic, struct ocsp_view *ret)
{
    struct kw_reader whole = kw_reader_of(basic);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    struct kw_span alg_der;

    ret->tbs = der_read_whole(&r, DER_SEQUENCE);
    struct kw_reader alg = kw_reader_of(der_read_whole(&r, DER_SEQUENCE));
    if (!der_read_sig_alg(&alg, &ret->alg, &alg_der)) {
        ret->alg = KEY_ALG_NONE;
    }
    struct kw_span bits = der_read(&r, DER_BIT_STRING);
    if (bits.len < 1 || bits.p[0] != 0 || !read_certs(&r, &ret->certs)) {
        return false;
    }
    ret->signature = kw_span_sub(bits, 1, bits.len);
    return kw_ok(kw_reader_end(&r)) && kw_ok(kw_reader_end(&whole)) && read_data(ret->tbs, ret);
}

/* ResponseBytes; all kinds but the basic one are nobody's. */
static bool read_bytes(struct kw_reader *r, struct ocsp_view *ret)
{
    struct kw_reader bytes = kw_reader_of(der_read(r, TAG_BYTES));
    struct kw_reader in = kw_reader_of(der_read(&bytes, DER_SEQUENCE));
    bool is_basic = kw_span_equal(der_read(&in, DER_OID), basic_oid);
    struct kw_span basic = der_read(&in, DER_OCTET_STRING);

    return is_basic && kw_ok(kw_reader_end(&in)) && kw_ok(kw_reader_end(&bytes)) &&
           kw_ok(kw_reader_end(r)) && read_basic(basic, ret);
}

bool ocsp_view_read(struct kw_span der, struct ocsp_view *ret)
{
    struct kw_reader whole = kw_reader_of(der);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    struct kw_span status = der_read(&r, DER_ENUMERATED);

    *ret = (struct ocsp_view){.status = status.len == 1 ? status.p[0] : -1};
    if (!kw_ok(kw_reader_end(&whole)) || ret->status < 0) {
        return false;
    }
    return ret->status == 0 ? read_bytes(&r, ret) : kw_ok(kw_reader_end(&r));
}
