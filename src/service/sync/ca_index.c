#include "service/sync/ca_index.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/time.h"
#include "base/utf8.h"
#include "codec/csv.h"

enum { FIELDS = 6, UTC_TIME = 13, GENERALIZED_TIME = 15 };

/* --- parts of a line -------------------------------------------------------------------------- */

static kw_status read_serial(const char *hex, struct ca_index_entry *ret)
{
    struct kw_out out = KW_OUT_ARRAY(ret->serial);

    if (!*hex || !kw_ok(kw_unhex_number(hex, &out)) || out.len == 0) {
        return KW_FAIL(KW_E_INPUT);
    }
    ret->serial_len = (uint32_t)out.len;
    return KW_OK;
}

static kw_status read_time(const char *text, int64_t *ret_s)
{
    int64_t ms = 0;

    kw_status status = kw_time_parse(text, &ms);
    if (kw_ok(status)) {
        *ret_s = ms / 1000;
    }
    return status;
}

/* "261121102233Z" or "20261121102233Z". */
static kw_status read_asn1_time(const char *text, int64_t *ret)
{
    char iso[24];
    size_t n = strlen(text);
    bool utc = n == UTC_TIME;

    if ((!utc && n != GENERALIZED_TIME) || strspn(text, "0123456789") != n - 1 ||
        text[n - 1] != 'Z') {
        return KW_FAIL(KW_E_INPUT);
    }
    const char *p = utc ? text : text + 2;
    /* RFC 5280 section 4.1.2.5.1: years from 50 on are 19YY. */
    const char *century = !utc ? text : p[0] >= '5' ? "19" : "20";
    (void)snprintf(iso, sizeof(iso), "%.2s%.2s-%.2s-%.2sT%.2s:%.2s:%.2sZ", century, p, p + 2, p + 4,
                   p + 6, p + 8, p + 10);
    return read_time(iso, ret);
}

/* The common name of "/C=TW/O=…/CN=NAME/…" or "CN=NAME,O=…". */
static void read_cn(struct ca_index_entry *ret)
{
    const char *at = strstr(ret->subject, "CN=");

    if (!at) {
        at = strstr(ret->subject, "CN = ");
    }
    if (!at) {
        return;
    }
    at += at[2] == '=' ? 3 : 5;
    size_t n = strcspn(at, *ret->subject == '/' ? "/" : ",+");
    if (n < sizeof(ret->cn)) {
        memcpy(ret->cn, at, n);
        ret->cn[n] = 0;
    }
}

/* Cut at a character's end. */
static void put_subject(const char *text, struct ca_index_entry *ret)
{
    struct kw_span rest = kw_span_text(text);
    size_t n = 0;

    while (rest.len > 0) {
        unsigned len = kw_utf8_next(rest);
        if (len == 0 || n + len >= sizeof(ret->subject)) {
            break;
        }
        memcpy(ret->subject + n, rest.p, len);
        n += len;
        rest = kw_span_sub(rest, len, rest.len);
    }
    ret->subject[n] = 0;
    read_cn(ret);
}

/* --- OpenSSL's ------------------------------------------------------------------------------- */

/* flag, end, revocation, serial, file, subject: apart by tabs. */
static kw_status read_openssl(struct kw_span line, struct ca_index_entry *ret)
{
    char text[CSV_LINE_MAX + 1];
    char *fields[FIELDS] = {text};
    unsigned n = 1;

    memcpy(text, line.p, line.len);
    text[line.len] = 0;
    for (char *p = text; *p; p++) {
        if (*p == '\t' && n < FIELDS) {
            *p = 0;
            fields[n++] = p + 1;
        } else if (*p == '\t') {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    const char *flags = "VRE", *flag = strchr(flags, *fields[0]);
    if (n != FIELDS || strlen(fields[0]) != 1 || !flag) {
        return KW_FAIL(KW_E_INPUT);
    }
    bool revoked = *flag == 'R';
    if (revoked != (*fields[2] != 0) || !kw_ok(read_asn1_time(fields[1], &ret->expires_s)) ||
        !kw_ok(read_serial(fields[3], ret))) {
        return KW_FAIL(KW_E_INPUT);
    }
    put_subject(fields[5], ret);
    ret->state = (enum ca_index_state)(CA_INDEX_VALID + (flag - flags));
    return KW_OK;
}

/* --- CSV -------------------------------------------------------------------------------------- */

static const char *const states[] = {
    [CA_INDEX_VALID] = "valid",
    [CA_INDEX_REVOKED] = "revoked",
    [CA_INDEX_EXPIRED] = "expired",
};

static kw_status read_csv(struct kw_span line, struct ca_index_entry *ret)
{
    struct csv_line split;

    if (!kw_ok(csv_split(line, &split)) || split.n < 2 || split.n > 4) {
        return KW_FAIL(KW_E_INPUT);
    }
    if (strcmp(split.fields[0], "serial") == 0) {
        return KW_OK; /* the header */
    }
    for (unsigned i = CA_INDEX_VALID; i <= CA_INDEX_EXPIRED; i++) {
        if (strcmp(split.fields[1], states[i]) == 0) {
            ret->state = (enum ca_index_state)i;
        }
    }
    if (ret->state == 0 || !kw_ok(read_serial(split.fields[0], ret)) ||
        (split.n > 2 && *split.fields[2] && !kw_ok(read_time(split.fields[2], &ret->expires_s)))) {
        return KW_FAIL(KW_E_INPUT);
    }
    if (split.n > 3) {
        put_subject(split.fields[3], ret);
    }
    return KW_OK;
}

kw_status ca_index_parse(struct kw_span line, struct ca_index_entry *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (line.len > 0 && line.p[line.len - 1] == '\r') {
        line.len--;
    }
    if (line.len == 0 || *line.p == '#') {
        return KW_OK;
    }
    if (line.len > CSV_LINE_MAX || memchr(line.p, 0, line.len)) {
        return KW_FAIL(KW_E_INPUT);
    }
    kw_status status =
        memchr(line.p, '\t', line.len) ? read_openssl(line, ret) : read_csv(line, ret);
    if (!kw_ok(status)) {
        memset(ret, 0, sizeof(*ret));
    }
    return status;
}
