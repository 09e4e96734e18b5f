/* The outer form of a message: header, body, protection, certificates. */
#include <stdio.h>

#include "base/time.h"
#include "crypto/cmp_internal.h"
#include "crypto/der.h"

enum { GENERAL_INFO_MAX = 16, HEADER_TAGS = 9 };

static const struct kw_span implicit_confirm = CMP_IT("\x0d"), cert_profile = CMP_IT("\x15");

/* clang-format off */
static const struct {
    enum cmp_type type;
    const char *text;
} types[] = {
    {CMP_IR, "ir"}, {CMP_IP, "ip"}, {CMP_CR, "cr"}, {CMP_CP, "cp"}, {CMP_P10CR, "p10cr"},
    {CMP_KUR, "kur"}, {CMP_KUP, "kup"}, {CMP_RR, "rr"}, {CMP_RP, "rp"}, {CMP_PKICONF, "pkiconf"},
    {CMP_NESTED, "nested"}, {CMP_GENM, "genm"}, {CMP_GENP, "genp"}, {CMP_ERROR, "error"},
    {CMP_CERTCONF, "certConf"}, {CMP_POLLREQ, "pollReq"}, {CMP_POLLREP, "pollRep"},
};
/* clang-format on */

const char *cmp_type_text(enum cmp_type type)
{
    for (size_t i = 0; i < KW_COUNT(types); i++) {
        if (types[i].type == type) {
            return types[i].text;
        }
    }
    return "a message of this type";
}

/* --- small readers ---------------------------------------------------------------------------- */

int64_t cmp_read_int(struct kw_reader *r, uint8_t tag)
{
    struct kw_span v = der_read(r, tag);
    uint64_t value = v.len > 0 && v.p[0] >= 0x80 ? UINT64_MAX : 0;

    if (v.len == 0 || v.len > sizeof(value)) {
        kw_reader_reject(r);
        return 0;
    }
    for (size_t i = 0; i < v.len; i++) {
        value = value << 8 | v.p[i];
    }
    return (int64_t)value;
}

struct kw_span cmp_read_magnitude(struct kw_reader *r, uint8_t tag)
{
    struct kw_span v = der_read(r, tag);

    if (v.len == 0 || v.p[0] >= 0x80) {
        kw_reader_reject(r);
        return KW_SPAN(NULL, 0);
    }
    return v.len > 1 && v.p[0] == 0 ? kw_span_sub(v, 1, v.len) : v;
}

static bool all_digits(struct kw_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
    }
    return true;
}

int64_t cmp_read_time(struct kw_reader *r)
{
    bool utc = der_read_is(r, DER_UTC_TIME);
    struct kw_span v = der_read(r, utc ? DER_UTC_TIME : DER_GENERAL_TIME);
    size_t year = utc ? 2 : 4;
    char text[KW_TIME_TEXT];
    int64_t ms = 0;

    if (v.len != year + 11 || !all_digits(kw_span_sub(v, 0, v.len - 1))) {
        kw_reader_reject(r);
        return 0;
    }
    const char *p = (const char *)v.p;
    const char *century = !utc ? "" : p[0] >= '5' ? "19" : "20"; /* RFC 5280 section 4.1.2.5.1 */
    (void)snprintf(text, sizeof(text), "%s%.*s-%.2s-%.2sT%.2s:%.2s:%.3s", century, (int)year, p,
                   p + year, p + year + 2, p + year + 4, p + year + 6, p + year + 8);
    if (!kw_ok(kw_time_parse(text, &ms))) {
        kw_reader_reject(r);
    }
    return ms / 1000;
}

struct kw_span cmp_read_any(struct kw_reader *r)
{
    if (r->failed || r->rest.len == 0) {
        kw_reader_reject(r);
        return KW_SPAN(NULL, 0);
    }
    return der_read_whole(r, r->rest.p[0]);
}

struct kw_reader cmp_read_only(struct kw_span content)
{
    struct kw_reader outer = kw_reader_of(content);
    struct kw_reader list = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));

    if (!kw_ok(kw_reader_end(&outer)) || !kw_ok(kw_reader_end(&list))) {
        kw_reader_reject(&one);
    }
    return one;
}

/* --- header ----------------------------------------------------------------------------------- */

static struct kw_span read_name(struct kw_reader *r, struct kw_span *ret_name)
{
    struct kw_span whole = cmp_read_any(r);
    struct kw_reader name = kw_reader_of(whole);

    if (ret_name && der_read_is(&name, CMP_TAG(4))) {
        struct kw_reader inner = kw_reader_of(der_read(&name, CMP_TAG(4)));
        *ret_name = der_read_whole(&inner, DER_SEQUENCE);
        if (!kw_ok(kw_reader_end(&inner))) {
            kw_reader_reject(r);
        }
    }
    return whole;
}

static void read_time_field(struct kw_reader *field, struct cmp_message *ret)
{
    ret->has_time = true;
    ret->time = cmp_read_time(field);
}

static void read_alg(struct kw_reader *field, struct cmp_message *ret)
{
    ret->protect_alg = der_read_whole(field, DER_SEQUENCE);
}

static void read_octets(struct kw_reader *field, size_t max, struct kw_span *ret)
{
    *ret = der_read(field, DER_OCTET_STRING);
    if (ret->len == 0 || ret->len > max) {
        kw_reader_reject(field);
    }
}

static void read_sender_kid(struct kw_reader *field, struct cmp_message *ret)
{
    read_octets(field, CMP_KID_MAX, &ret->sender_kid);
}

static void read_recip_kid(struct kw_reader *field, struct cmp_message *ret)
{
    read_octets(field, CMP_KID_MAX, &ret->recip_kid);
}

static void read_transaction(struct kw_reader *field, struct cmp_message *ret)
{
    read_octets(field, CMP_ID_MAX, &ret->transaction_id);
}

static void read_sender_nonce(struct kw_reader *field, struct cmp_message *ret)
{
    read_octets(field, CMP_NONCE_MAX, &ret->sender_nonce);
}

static void read_recip_nonce(struct kw_reader *field, struct cmp_message *ret)
{
    read_octets(field, CMP_NONCE_MAX, &ret->recip_nonce);
}

static void read_free_text(struct kw_reader *field, struct cmp_message *ret)
{
    (void)ret; /* for people, of whom none is here */
    (void)der_read(field, DER_SEQUENCE);
}

/* CertProfileValue ::= SEQUENCE OF UTF8String (RFC 9810 section 5.1.1.4): one for each request. */
static void read_profile(struct kw_reader *info, struct cmp_message *ret)
{
    struct kw_reader names = kw_reader_of(der_read(info, DER_SEQUENCE));

    ret->cert_profile = der_read(&names, DER_UTF8);
    if (!kw_ok(kw_reader_end(&names))) {
        kw_reader_reject(info);
    }
}

/* What is not known is passed over: it asks for things, it forbids none. */
static void read_general_info(struct kw_reader *field, struct cmp_message *ret)
{
    struct kw_reader list = kw_reader_of(der_read(field, DER_SEQUENCE));

    for (unsigned i = 0; i < GENERAL_INFO_MAX && list.rest.len > 0; i++) {
        struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));
        struct kw_span oid = der_read(&one, DER_OID);
        if (kw_span_equal(oid, cert_profile)) {
            read_profile(&one, ret);
        }
        if (one.failed) {
            kw_reader_reject(field);
        }
        ret->implicit_confirm |= kw_span_equal(oid, implicit_confirm);
    }
    if (!kw_ok(kw_reader_end(&list))) {
        kw_reader_reject(field);
    }
}

/* By number of the tag: each may be there once, in this order. */
static void (*const header_fields[HEADER_TAGS])(struct kw_reader *field,
                                                struct cmp_message *ret) = {
    read_time_field,   read_alg,         read_sender_kid, read_recip_kid,    read_transaction,
    read_sender_nonce, read_recip_nonce, read_free_text,  read_general_info,
};

static bool read_header(struct kw_span header, struct cmp_message *ret)
{
    struct kw_reader outer = kw_reader_of(header);
    struct kw_reader r = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    int64_t pvno = cmp_read_int(&r, DER_INTEGER);

    ret->pvno = pvno > 0 && pvno < UINT8_MAX ? (unsigned)pvno : 0;
    ret->sender = read_name(&r, &ret->sender_name);
    ret->recipient = read_name(&r, NULL);
    for (unsigned i = 0; i < HEADER_TAGS; i++) {
        if (!der_read_is(&r, CMP_TAG(i))) {
            continue;
        }
        struct kw_reader field = kw_reader_of(der_read(&r, CMP_TAG(i)));
        header_fields[i](&field, ret);
        if (!kw_ok(kw_reader_end(&field))) {
            return false;
        }
    }
    return kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&r));
}

/* --- message ---------------------------------------------------------------------------------- */

static void read_body(struct kw_reader *r, struct cmp_message *ret)
{
    uint8_t tag = r->rest.len > 0 ? r->rest.p[0] : 0;

    if ((tag & 0xe0) != CMP_TAG(0) || (tag & 0x1f) >= CMP_TYPE_MAX) {
        kw_reader_reject(r);
        return;
    }
    ret->type = (enum cmp_type)(tag & 0x1f);
    ret->body = der_read_whole(r, tag);
    struct kw_reader inner = kw_reader_of(ret->body);
    ret->content = der_read(&inner, tag);
}

static void read_protection(struct kw_reader *r, struct cmp_message *ret)
{
    struct kw_reader field = kw_reader_of(der_read(r, CMP_TAG(0)));
    struct kw_span bits = der_read(&field, DER_BIT_STRING);

    if (!kw_ok(kw_reader_end(&field)) || bits.len < 2 || bits.p[0] != 0) {
        kw_reader_reject(r);
    }
    ret->protection = kw_span_sub(bits, 1, bits.len);
}

static void read_extra(struct kw_reader *r, struct cmp_message *ret)
{
    struct kw_reader field = kw_reader_of(der_read(r, CMP_TAG(1)));
    struct kw_reader list = kw_reader_of(der_read(&field, DER_SEQUENCE));

    while (list.rest.len > 0 && !list.failed && ret->n_extra < CMP_EXTRA_MAX) {
        ret->extra[ret->n_extra++] = der_read_whole(&list, DER_SEQUENCE);
    }
    if (!kw_ok(kw_reader_end(&field)) || !kw_ok(kw_reader_end(&list))) {
        kw_reader_reject(r);
    }
}

static bool read_message(struct kw_span der, bool whole, struct cmp_message *ret)
{
    struct kw_reader outer = kw_reader_of(der);
    struct kw_reader r = kw_reader_of(der_read(&outer, DER_SEQUENCE));

    ret->header = der_read_whole(&r, DER_SEQUENCE);
    read_body(&r, ret);
    if (whole && der_read_is(&r, CMP_TAG(0))) {
        read_protection(&r, ret);
    }
    if (whole && der_read_is(&r, CMP_TAG(1))) {
        read_extra(&r, ret);
    }
    return kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&r)) &&
           read_header(ret->header, ret);
}

kw_status cmp_read(struct kw_op *op, struct kw_span der, struct cmp_message *ret)
{
    struct cmp_message message = {0};

    ENSURE(op, der.len <= CMP_MESSAGE_MAX, KW_E_TOO_LARGE, "%zu octets, at most %d are taken",
           der.len, (int)CMP_MESSAGE_MAX);
    ENSURE(op, der_is_strict(der) && read_message(der, /* whole= */ true, &message), KW_E_INPUT,
           "not a PKIMessage");
    *ret = message;
    return KW_OK;
}

kw_status cmp_read_protected(struct kw_op *op, struct kw_span der, struct cmp_message *ret)
{
    struct cmp_message message = {0};

    ENSURE(op, der_is_strict(der) && read_message(der, /* whole= */ false, &message), KW_E_INPUT,
           "not the protected part of a PKIMessage");
    *ret = message;
    return KW_OK;
}
