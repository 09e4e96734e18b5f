#include "crypto/der.h"

#include <openssl/err.h>

#include "base/limits.h"
#include "base/time.h"

/* One constructed element that is being walked through. */
struct level {
    const uint8_t *end;
    struct kw_span previous; /* last element of a SET, to see its order */
    bool is_set;
};

struct element {
    struct kw_span whole;
    struct kw_span contents;
    int tag, class_;
    bool constructed;
};

/* Lengths and tags in their shortest form only. */
static bool read_element(const uint8_t *p, const uint8_t *end, struct element *ret)
{
    const uint8_t *q = p;
    long len = 0;

    int flags = ASN1_get_object(&q, &len, &ret->tag, &ret->class_, end - p);
    if (flags & 0x80 || flags & 0x01 || len < 0 || len > end - q) {
        return false;
    }
    ret->constructed = flags & V_ASN1_CONSTRUCTED;
    ret->contents = KW_SPAN(q, (size_t)len);
    ret->whole = KW_SPAN(p, (size_t)(q - p) + (size_t)len);
    return len <= INT32_MAX - 16 &&
           ASN1_object_size(ret->constructed, (int)len, ret->tag) == (int)ret->whole.len;
}

static bool is_integer(struct kw_span v)
{
    if (v.len == 0) {
        return false;
    }
    return v.len == 1 || !((v.p[0] == 0x00 && v.p[1] < 0x80) || (v.p[0] == 0xff && v.p[1] >= 0x80));
}

static bool is_bit_string(struct kw_span v)
{
    if (v.len == 0 || v.p[0] > 7 || (v.len == 1 && v.p[0] != 0)) {
        return false;
    }
    return (v.p[v.len - 1] & ((1u << v.p[0]) - 1)) == 0 || v.len == 1;
}

static bool is_oid(struct kw_span v)
{
    if (v.len == 0 || v.p[v.len - 1] >= 0x80) {
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == 0x80 && (i == 0 || v.p[i - 1] < 0x80)) {
            return false;
        }
    }
    return true;
}

static bool is_normal(const struct element *e)
{
    struct kw_span v = e->contents;

    if (e->class_ != V_ASN1_UNIVERSAL) {
        return true;
    }
    if (e->constructed) {
        return e->tag == V_ASN1_SEQUENCE || e->tag == V_ASN1_SET;
    }
    switch (e->tag) {
    case V_ASN1_EOC:
    case V_ASN1_SEQUENCE:
    case V_ASN1_SET:
        return false;
    case V_ASN1_BOOLEAN:
        return v.len == 1 && (v.p[0] == 0x00 || v.p[0] == 0xff);
    case V_ASN1_INTEGER:
    case V_ASN1_ENUMERATED:
        return is_integer(v);
    case V_ASN1_NULL:
        return v.len == 0;
    case V_ASN1_BIT_STRING:
        return is_bit_string(v);
    case V_ASN1_OBJECT:
        return is_oid(v);
    default:
        return true;
    }
}

/* X.690 section 11.6: elements of a SET OF ascend. */
static bool in_order(struct level *level, struct kw_span whole)
{
    struct kw_span previous = level->previous;
    level->previous = whole;
    if (!level->is_set || previous.len == 0) {
        return true;
    }
    size_t common = previous.len < whole.len ? previous.len : whole.len;
    int order = memcmp(previous.p, whole.p, common);
    return order < 0 || (order == 0 && previous.len <= whole.len);
}

/* A stack of ends instead of recursion: the peer chooses the depth. */
static bool walk(struct kw_span der)
{
    struct level levels[DER_DEPTH_MAX] = {{.end = der.p + der.len}};
    unsigned depth = 0;
    const uint8_t *p = der.p;

    for (;;) {
        struct element e = {0};
        if (!read_element(p, levels[depth].end, &e) || !is_normal(&e) ||
            !in_order(&levels[depth], e.whole)) {
            return false;
        }
        p = e.contents.p;
        if (!e.constructed) {
            p += e.contents.len;
        } else if (e.contents.len != 0) {
            if (++depth == DER_DEPTH_MAX) {
                return false;
            }
            levels[depth] = (struct level){
                .end = p + e.contents.len,
                .is_set = e.class_ == V_ASN1_UNIVERSAL && e.tag == V_ASN1_SET,
            };
        }
        while (depth > 0 && p == levels[depth].end) {
            depth--;
        }
        if (depth == 0) {
            return p == levels[0].end;
        }
    }
}

bool der_is_strict(struct kw_span der)
{
    if (der.len == 0 || der.len > KW_CRL_MAX) {
        return false;
    }
    ERR_set_mark();
    bool strict = walk(der);
    ERR_pop_to_mark();
    return strict;
}

struct kw_span der_string(const ASN1_STRING *string)
{
    if (!string || ASN1_STRING_length(string) <= 0) {
        return KW_SPAN(NULL, 0);
    }
    return KW_SPAN(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

static bool take_element(struct kw_span *rest, struct element *e)
{
    if (rest->len == 0) {
        return false;
    }
    ERR_set_mark();
    bool good = read_element(rest->p, rest->p + rest->len, e);
    ERR_pop_to_mark();
    if (good) {
        *rest = kw_span_sub(*rest, e->whole.len, rest->len);
    }
    return good;
}

bool der_take(struct kw_span *rest, struct kw_span *ret)
{
    struct element e = {0};

    if (!take_element(rest, &e)) {
        return false;
    }
    *ret = e.whole;
    return true;
}

bool der_contents(struct kw_span der, int tag, struct kw_span *ret)
{
    struct element e = {0};

    if (!take_element(&der, &e) || der.len != 0 || e.class_ != V_ASN1_UNIVERSAL || e.tag != tag) {
        return false;
    }
    *ret = e.contents;
    return true;
}

static bool encodes_to(const ASN1_ITEM *item, const void *object, struct kw_span der)
{
    unsigned char *again = NULL;

    int len = ASN1_item_i2d(object, &again, item);
    bool same = len > 0 && kw_span_equal(KW_SPAN(again, (size_t)len), der);
    OPENSSL_free(again);
    return same;
}

kw_status der_decode(struct kw_op *op, const ASN1_ITEM *item, struct kw_span der, const char *what,
                     void *ret)
{
    ENSURE(op, der_is_strict(der), KW_E_INPUT, "%s: not DER", what);
    const unsigned char *p = der.p;
    ASN1_VALUE *object = ASN1_item_d2i(NULL, &p, (long)der.len, item);
    OSSL_ENSURE(op, object, KW_E_INPUT, what);
    if (p != der.p + der.len || !encodes_to(item, object, der)) {
        ASN1_item_free(object, item);
        return FAIL(op, KW_E_INPUT, "%s: encoded differently than DER asks", what);
    }
    *(ASN1_VALUE **)ret = object;
    return KW_OK;
}

kw_status der_encode(struct kw_op *op, const ASN1_ITEM *item, const void *object,
                     struct kw_bytes *into)
{
    int len = ASN1_item_i2d(object, NULL, item);
    OSSL_ENSURE(op, len > 0, KW_E_INTERNAL, "encoding an ASN.1 object");
    TRY(op, kw_bytes_reserve(into, (size_t)len));
    unsigned char *p = into->p + into->len;
    /* Where memory ends, OpenSSL's encoder of SETs writes nothing and says nothing: look where p
     * is. */
    OSSL_ENSURE(op, ASN1_item_i2d(object, &p, item) == len && p == into->p + into->len + len,
                KW_E_INTERNAL, "encoding an ASN.1 object");
    into->len += (size_t)len;
    return KW_OK;
}

kw_status der_header(struct kw_bytes *into, bool constructed, size_t len, int tag, int class_)
{
    uint8_t header[16];
    uint8_t *p = header;

    if (len > INT32_MAX - sizeof(header)) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    ASN1_put_object(&p, constructed, (int)len, tag, class_);
    return kw_bytes_append(into, KW_SPAN(header, (size_t)(p - header)));
}

kw_status der_time_set(struct kw_op *op, ASN1_TIME *time, int64_t unix_s)
{
    ENSURE(op, unix_s >= 0 && unix_s <= KW_TIME_NEVER, KW_E_INPUT, "time out of range");
    OSSL_ENSURE(op, ASN1_TIME_set(time, (time_t)unix_s), KW_E_MEMORY, "encoding a time");
    return KW_OK;
}

kw_status der_gentime_set(struct kw_op *op, ASN1_GENERALIZEDTIME *time, int64_t unix_s)
{
    ENSURE(op, unix_s >= 0 && unix_s <= KW_TIME_NEVER, KW_E_INPUT, "time out of range");
    OSSL_ENSURE(op, ASN1_GENERALIZEDTIME_set(time, (time_t)unix_s), KW_E_MEMORY, "encoding a time");
    return KW_OK;
}

/* RFC 5280 section 4.1.2.5.1, 4.1.2.5.2: seconds, Z, no fraction. OpenSSL takes more forms. */
static bool has_plain_form(const ASN1_TIME *time)
{
    struct kw_span text = der_string(time);
    size_t len = ASN1_STRING_type(time) == V_ASN1_UTCTIME ? 13 : 15;

    if (text.len != len || text.p[len - 1] != 'Z') {
        return false;
    }
    for (size_t i = 0; i < len - 1; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
    }
    return true;
}

kw_status der_time_get(struct kw_op *op, const ASN1_TIME *time, int64_t *ret_unix_s)
{
    struct tm tm = {0};

    ENSURE(op, time && has_plain_form(time), KW_E_INPUT, "a time is not to the second in UTC");
    OSSL_ENSURE(op, ASN1_TIME_to_tm(time, &tm), KW_E_INPUT, "reading a time");
    *ret_unix_s = timegm(&tm);
    return KW_OK;
}

kw_status der_time_get_strict(struct kw_op *op, const ASN1_TIME *time, int64_t *ret_unix_s)
{
    const int64_t year_2050 = INT64_C(2524608000);
    int64_t unix_s = 0;

    TRY(op, der_time_get(op, time, &unix_s));
    bool utc = ASN1_STRING_type(time) == V_ASN1_UTCTIME;
    ENSURE(op, utc == (unix_s < year_2050), KW_E_INPUT,
           "UTCTime through 2049, then GeneralizedTime");
    *ret_unix_s = unix_s;
    return KW_OK;
}

kw_status der_oid_text(struct kw_op *op, const ASN1_OBJECT *oid, char text[DER_OID_TEXT])
{
    int len = OBJ_obj2txt(text, DER_OID_TEXT, oid, /* no_name= */ 1);
    OSSL_ENSURE(op, len > 0 && len < DER_OID_TEXT, KW_E_INPUT, "an object identifier is too long");
    return KW_OK;
}

kw_status der_oid_new(struct kw_op *op, const char *dotted, ASN1_OBJECT **ret)
{
    ENSURE(op, strlen(dotted) < DER_OID_TEXT && strspn(dotted, "0123456789.") == strlen(dotted),
           KW_E_INPUT, "an object identifier is not dotted digits");
    ASN1_OBJECT *oid = OBJ_txt2obj(dotted, /* no_name= */ 1);
    OSSL_ENSURE(op, oid, KW_E_INPUT, "an object identifier");
    *ret = oid;
    return KW_OK;
}

/* RFC 5280 section 4.1.2.2: "The serial number MUST be a positive integer", at most 20 octets. */
kw_status der_serial_check(struct kw_op *op, const ASN1_INTEGER *number, size_t max)
{
    struct kw_span magnitude = der_string(number);

    ENSURE(op,
           ASN1_STRING_type(number) == V_ASN1_INTEGER && magnitude.len > 0 && magnitude.p[0] != 0,
           KW_E_INPUT, "a serial number is not positive");
    ENSURE(op, magnitude.len <= max, KW_E_INPUT, "a serial number is longer than %zu octets", max);
    return KW_OK;
}

kw_status der_serial_set(struct kw_op *op, ASN1_INTEGER *number, struct kw_span magnitude)
{
    ENSURE(op, magnitude.len > 0 && magnitude.len <= KW_SERIAL_MAX && magnitude.p[0] != 0,
           KW_E_INPUT, "a serial number is not 1 to %d octets without leading zeroes",
           (int)KW_SERIAL_MAX);
    OSSL_ENSURE(op, ASN1_STRING_set(number, magnitude.p, (int)magnitude.len), KW_E_MEMORY,
                "encoding a serial number");
    return KW_OK;
}

kw_status der_raw_add(struct kw_op *op, STACK_OF(der_raw) **list, struct kw_span element)
{
    ASN1_STRING *raw = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

    if (!*list) {
        *list = sk_der_raw_new_null();
    }
    if (!raw || !*list || !ASN1_STRING_set(raw, element.p, (int)element.len) ||
        sk_der_raw_push(*list, raw) <= 0) {
        ASN1_STRING_free(raw);
        return crypto_fail(op, KW_E_MEMORY, KW_HERE_FILE, KW_HERE_LINE, "collecting objects");
    }
    return KW_OK;
}
