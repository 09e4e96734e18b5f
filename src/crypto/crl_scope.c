/* issuingDistributionPoint and freshestCRL (RFC 5280 sections 5.2.5, 5.2.6), with one URL. */
#include "crypto/crl_tbs.h"
#include "crypto/der_read.h"

enum {
    TAG_POINT = 0xa0,     /* DistributionPointName, around it */
    TAG_FULL_NAME = 0xa0, /* GeneralNames, in it */
    TAG_URI = 0x86,
    TAG_ONLY_USERS = 0x81,
    TAG_ONLY_CAS = 0x82,
    URL_MAX = KW_CRL_URL_MAX - 1,
    ROOM = URL_MAX + 32,
};
_Static_assert(URL_MAX < 240, "every length below has at most two octets");

/* Put an element around what is there. */
static void wrap(struct kw_out *out, uint8_t tag)
{
    size_t n = out->len < 0x80 ? 2 : 3;

    memmove(out->p + n, out->p, out->len);
    out->p[0] = tag;
    out->p[1] = n == 2 ? (uint8_t)out->len : 0x81;
    if (n == 3) {
        out->p[2] = (uint8_t)out->len;
    }
    out->len += n;
}

static bool is_url(struct kw_span url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.p[i] <= 0x20 || url.p[i] >= 0x7f) {
            return false;
        }
    }
    return url.len > 0 && url.len <= URL_MAX;
}

static kw_status put_point(struct kw_op *op, const char *url, struct kw_out *out)
{
    ENSURE(op, is_url(kw_span_text(url)), KW_E_INPUT, "no URL of a distribution point: '%s'", url);
    TRY(op, kw_out_set(out, kw_span_text(url)));
    wrap(out, TAG_URI);
    wrap(out, TAG_FULL_NAME);
    wrap(out, TAG_POINT);
    return KW_OK;
}

/* What is false is left out. */
static kw_status put_flag(struct kw_out *out, uint8_t tag, bool flag)
{
    const uint8_t element[] = {tag, 1, 0xff};

    return flag ? kw_out_append(out, KW_SPAN_ARRAY(element)) : KW_OK;
}

kw_status crl_scope_encode(struct kw_op *op, const struct crl_scope *scope, struct kw_bytes *into)
{
    uint8_t room[ROOM];
    struct kw_out out = KW_OUT_ARRAY(room);

    ENSURE(op, !scope->only_users || !scope->only_cas, KW_E_INPUT, "a scope of nothing");
    if (scope->url[0]) {
        TRY(op, put_point(op, scope->url, &out));
    }
    TRY(op, put_flag(&out, TAG_ONLY_USERS, scope->only_users));
    TRY(op, put_flag(&out, TAG_ONLY_CAS, scope->only_cas));
    ENSURE(op, out.len > 0, KW_E_INPUT, "an empty scope"); /* MUST NOT, section 5.2.5 */
    wrap(&out, DER_SEQUENCE);
    return kw_bytes_append(into, kw_out_span(&out));
}

kw_status crl_points_encode(struct kw_op *op, const char *url, struct kw_bytes *into)
{
    uint8_t room[ROOM];
    struct kw_out out = KW_OUT_ARRAY(room);

    TRY(op, put_point(op, url, &out));
    wrap(&out, DER_SEQUENCE);
    wrap(&out, DER_SEQUENCE);
    return kw_bytes_append(into, kw_out_span(&out));
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_point(struct kw_reader *r, char url[KW_CRL_URL_MAX])
{
    struct kw_reader point = kw_reader_of(der_read(r, TAG_POINT));
    struct kw_reader names = kw_reader_of(der_read(&point, TAG_FULL_NAME));
    struct kw_span uri = der_read(&names, TAG_URI);

    if (!kw_ok(kw_reader_end(&point)) || !kw_ok(kw_reader_end(&names)) || !is_url(uri)) {
        return false;
    }
    memcpy(url, uri.p, uri.len);
    url[uri.len] = '\0';
    return true;
}

/* Absent, or TRUE: DER leaves a default out. */
static bool read_flag(struct kw_reader *r, uint8_t tag, bool *ret)
{
    if (!der_read_is(r, tag)) {
        *ret = false;
        return true;
    }
    struct kw_span value = der_read(r, tag);
    *ret = true;
    return value.len == 1 && value.p[0] == 0xff;
}

bool crl_scope_read(struct kw_span value, struct crl_scope *ret)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader r = kw_reader_of(der_read(&whole, DER_SEQUENCE));

    *ret = (struct crl_scope){0};
    if (!kw_ok(kw_reader_end(&whole)) || r.rest.len == 0 ||
        (der_read_is(&r, TAG_POINT) && !read_point(&r, ret->url))) {
        return false;
    }
    return read_flag(&r, TAG_ONLY_USERS, &ret->only_users) &&
           read_flag(&r, TAG_ONLY_CAS, &ret->only_cas) && kw_ok(kw_reader_end(&r)) &&
           (!ret->only_users || !ret->only_cas);
}

bool crl_points_read(struct kw_span value, char url[KW_CRL_URL_MAX])
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader list = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));

    return kw_ok(kw_reader_end(&whole)) && kw_ok(kw_reader_end(&list)) && read_point(&one, url) &&
           kw_ok(kw_reader_end(&one));
}
