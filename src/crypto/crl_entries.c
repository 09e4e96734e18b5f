/* revokedCertificates, written octet by octet: a million in a fraction of a second. */
#include <stdio.h>

#include "crypto/crl_tbs.h"

enum { ENTRY_MAX = 64, DAY_S = 86400, GENERAL_TIME_FROM = 2050 };

/* Extensions { reasonCode }: the reason is the last octet. Section 5.3.1: "the reason code CRL
 * entry extension SHOULD be absent instead of using the unspecified (0) reasonCode value". */
static const uint8_t reason_exts[] = {0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55,
                                      0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01};

/* The text of one day, as many entries have it. */
struct day {
    int64_t number; /* since 1970 */
    uint8_t text[16];
    size_t len;
    uint8_t tag;
};

struct writer {
    const struct crl_spec *spec;
    struct day day;
    uint8_t last[KW_SERIAL_MAX];
    size_t last_len;
};

/* Any time of it tells the day as DER has it (crypto/der.h). */
static kw_status know_day(struct kw_op *op, struct day *day, int64_t number)
{
    AUTO(ASN1_TIME) *time = ASN1_TIME_new();

    OSSL_ENSURE(op, time, KW_E_MEMORY, "revocation date");
    TRY(op, der_time_set(op, time, number * DAY_S), "revocation date");
    struct kw_span text = der_string(time);
    ENSURE(op, text.len > 7 && text.len < sizeof(day->text), KW_E_INTERNAL, "revocation date");
    day->len = text.len - 7; /* hhmmssZ */
    memcpy(day->text, text.p, day->len);
    day->tag = (uint8_t)ASN1_STRING_type(time);
    day->number = number;
    return KW_OK;
}

static void put_two(struct kw_out *out, unsigned value)
{
    out->p[out->len++] = (uint8_t)('0' + value / 10);
    out->p[out->len++] = (uint8_t)('0' + value % 10);
}

static void put_octets(struct kw_out *out, const uint8_t *p, size_t len)
{
    memcpy(out->p + out->len, p, len);
    out->len += len;
}

/* out has room of ENTRY_MAX for all of these. */
static kw_status put_time(struct kw_op *op, struct day *day, int64_t unix_s, struct kw_out *out)
{
    ENSURE(op, unix_s >= 0, KW_E_INPUT, "revocation date");
    if (unix_s / DAY_S != day->number) {
        TRY(op, know_day(op, day, unix_s / DAY_S));
    }
    unsigned s = (unsigned)(unix_s % DAY_S);
    out->p[out->len++] = day->tag;
    out->p[out->len++] = (uint8_t)(day->len + 7);
    put_octets(out, day->text, day->len);
    put_two(out, s / 3600);
    put_two(out, s / 60 % 60);
    put_two(out, s % 60);
    out->p[out->len++] = 'Z';
    return KW_OK;
}

/* Ascending: so nobody needs memory to see that none stands there twice. */
static kw_status put_serial(struct kw_op *op, struct writer *w, struct kw_span serial,
                            struct kw_out *out)
{
    struct kw_span last = KW_SPAN(w->last, w->last_len);

    ENSURE(op, serial.len > 0 && serial.len <= KW_SERIAL_MAX && serial.p[0] != 0, KW_E_INPUT,
           "a serial number is not 1 to %d octets without leading zeroes", (int)KW_SERIAL_MAX);
    ENSURE(op, crl_serial_compare(last, serial) < 0, KW_E_INPUT,
           "serial numbers that do not ascend");
    size_t pad = serial.p[0] & 0x80 ? 1 : 0;
    out->p[out->len++] = V_ASN1_INTEGER;
    out->p[out->len++] = (uint8_t)(serial.len + pad);
    put_octets(out, (const uint8_t[]){0}, pad);
    put_octets(out, serial.p, serial.len);
    memcpy(w->last, serial.p, serial.len);
    w->last_len = serial.len;
    return KW_OK;
}

static kw_status put_reason(struct kw_op *op, const struct writer *w, int reason,
                            struct kw_out *out)
{
    if (reason == 0) {
        return KW_OK;
    }
    ENSURE(op, crl_reason_fits(reason, /* delta= */ w->spec->base_number > 0), KW_E_INPUT,
           "revocation reason %d", reason);
    put_octets(out, reason_exts, sizeof(reason_exts));
    out->p[out->len++] = (uint8_t)reason;
    return KW_OK;
}

static kw_status put_entry(struct kw_op *op, struct writer *w, const struct crl_entry *entry,
                           struct kw_bytes *into)
{
    uint8_t room[ENTRY_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    out.len = 2; /* its header */
    TRY(op, put_serial(op, w, entry->serial, &out));
    TRY(op, put_time(op, &w->day, entry->revoked_unix, &out));
    TRY(op, put_reason(op, w, entry->reason, &out));
    room[0] = V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED;
    room[1] = (uint8_t)(out.len - 2);
    return kw_bytes_append(into, kw_out_span(&out));
}

kw_status crl_entries_encode(struct kw_op *op, const struct crl_spec *spec, struct kw_bytes *into)
{
    struct writer w = {.spec = spec, .day = {.number = -1}};

    for (;;) {
        struct crl_entry entry = {0};
        bool more = false;
        TRY(op, spec->next(op, spec->ctx, &entry, &more));
        if (!more) {
            return KW_OK;
        }
        TRY(op, put_entry(op, &w, &entry, into), "encoding a revoked certificate");
        ENSURE(op, into->len < KW_CRL_MAX, KW_E_TOO_LARGE, "the list is over %d octets",
               (int)KW_CRL_MAX);
    }
}

int crl_serial_compare(struct kw_span a, struct kw_span b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len == 0 ? 0 : memcmp(a.p, b.p, a.len);
}

/* 7 is unused; removeFromCRL (8) is for delta lists only. */
bool crl_reason_fits(int reason, bool delta)
{
    return reason > 0 && reason <= CRL_REASON_MAX && reason != 7 &&
           (reason != CRL_REASON_REMOVE || delta);
}
