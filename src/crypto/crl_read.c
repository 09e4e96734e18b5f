#include "crypto/crl_read.h"

#include "crypto/crl_tbs.h"
#include "crypto/der_read.h"

enum { TAG_EXTENSIONS = 0xa0, TAG_KEYID = 0x80, DER_ENUMERATED = 0x0a, KEYID_BYTES = 20 };

#define OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}

/* --- what stands before the entries ----------------------------------------------------------- */

static bool read_head(struct crl_reader *it)
{
    static const struct kw_span version_2 = OCTETS("\x01");
    struct kw_reader *r = &it->rest;
    struct kw_span alg;

    return kw_span_equal(der_read(r, DER_INTEGER), version_2) &&
           der_read_sig_alg(r, &it->sig_alg, &alg) &&
           (it->issuer = der_read_whole(r, DER_SEQUENCE)).len > 2 &&
           der_read_time(r, &it->this_update) && der_read_time(r, &it->next_update);
}

kw_status crl_read_begin(struct kw_op *op, struct kw_span tbs, struct crl_reader *ret)
{
    *ret = (struct crl_reader){.tbs = tbs};
    struct kw_reader whole = kw_reader_of(tbs);

    ret->rest = kw_reader_of(der_read(&whole, DER_SEQUENCE));
    ENSURE(op, kw_ok(kw_reader_end(&whole)) && read_head(ret), KW_E_INPUT,
           "list: not a TBSCertList of version 2 with all its times");
    if (der_read_is(&ret->rest, DER_SEQUENCE)) {
        ret->entries = kw_reader_of(der_read(&ret->rest, DER_SEQUENCE));
        ENSURE(op, ret->entries.rest.len > 0, KW_E_INPUT,
               "list: an empty list of revoked certificates");
    }
    return KW_OK;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The only extension that an entry may have. */
static bool read_reason(struct kw_reader *entry, int *ret)
{
    static const struct kw_span reason_code = OCTETS("\x55\x1d\x15");
    struct kw_reader list = kw_reader_of(der_read(entry, DER_SEQUENCE));
    struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));
    bool is_reason = kw_span_equal(der_read(&one, DER_OID), reason_code);
    struct kw_reader value = kw_reader_of(der_read(&one, DER_OCTET_STRING));
    struct kw_span code = der_read(&value, DER_ENUMERATED);

    *ret = code.len == 1 ? code.p[0] : -1;
    return is_reason && kw_ok(kw_reader_end(&list)) && kw_ok(kw_reader_end(&one)) &&
           kw_ok(kw_reader_end(&value)) && crl_reason_fits(*ret, /* delta= */ true);
}

static bool read_entry(struct crl_reader *it)
{
    struct kw_reader entry = kw_reader_of(der_read(&it->entries, DER_SEQUENCE));
    struct kw_span serial;
    int64_t at = 0;
    int reason = 0;

    if (!der_read_positive(&entry, &serial) || serial.len > KW_SERIAL_MAX ||
        crl_serial_compare(it->last_serial, serial) >= 0 || !der_read_time(&entry, &at) ||
        (entry.rest.len > 0 && !read_reason(&entry, &reason)) || !kw_ok(kw_reader_end(&entry))) {
        return false;
    }
    it->removes = it->removes || reason == CRL_REASON_REMOVE;
    it->last_serial = serial;
    it->n_entries++;
    return true;
}

kw_status crl_read_entries(struct kw_op *op, struct crl_reader *it, size_t max, bool *ret_more)
{
    for (size_t i = 0; i < max && it->entries.rest.len > 0; i++) {
        ENSURE(op, read_entry(it), KW_E_INPUT,
               "entry: revoked certificate %zu is not DER, not above the one before it, or says "
               "more than a reason",
               it->n_entries + 1);
    }
    *ret_more = it->entries.rest.len > 0;
    return KW_OK;
}

size_t crl_read_at(const struct crl_reader *it)
{
    const uint8_t *at = it->entries.rest.len > 0 ? it->entries.rest.p : it->rest.rest.p;

    return at ? (size_t)(at - it->tbs.p) : it->tbs.len;
}

/* --- extensions: each gets the contents of its OCTET STRING ----------------------------------- */

static bool read_aki(struct crl_reader *it, struct kw_span value)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_reader aki = kw_reader_of(der_read(&whole, DER_SEQUENCE));

    it->aki = der_read(&aki, TAG_KEYID);
    return kw_ok(kw_reader_end(&whole)) && kw_ok(kw_reader_end(&aki)) && it->aki.len == KEYID_BYTES;
}

static bool read_u64(struct kw_span value, uint64_t *ret)
{
    struct kw_reader whole = kw_reader_of(value);
    struct kw_span v = {0};

    bool read = der_read_positive(&whole, &v) && kw_ok(kw_reader_end(&whole)) && v.len <= 8;
    *ret = 0;
    for (size_t i = 0; read && i < v.len; i++) {
        *ret = *ret << 8 | v.p[i];
    }
    return read;
}

static bool read_number(struct crl_reader *it, struct kw_span value)
{
    return read_u64(value, &it->number);
}

static bool read_base(struct crl_reader *it, struct kw_span value)
{
    return read_u64(value, &it->base_number);
}

static bool read_scope(struct crl_reader *it, struct kw_span value)
{
    it->has_scope = true;
    return crl_scope_read(value, &it->scope);
}

static bool read_freshest(struct crl_reader *it, struct kw_span value)
{
    return crl_points_read(value, it->delta_url);
}

/* clang-format off */
static const struct row {
    const char *name;
    struct kw_span oid;
    bool critical, required;
    bool (*read)(struct crl_reader *it, struct kw_span value);
} rows[] = {
    {"authorityKeyIdentifier",   OCTETS("\x55\x1d\x23"), false, true,  read_aki},
    {"cRLNumber",                OCTETS("\x55\x1d\x14"), false, true,  read_number},
    {"issuingDistributionPoint", OCTETS("\x55\x1d\x1c"), true,  false, read_scope},
    {"deltaCRLIndicator",        OCTETS("\x55\x1d\x1b"), true,  false, read_base},
    {"freshestCRL",              OCTETS("\x55\x1d\x2e"), false, false, read_freshest},
};
/* clang-format on */

static const struct row *row_of(struct kw_span oid)
{
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (kw_span_equal(oid, rows[i].oid)) {
            return &rows[i];
        }
    }
    return NULL;
}

static kw_status read_ext(struct kw_op *op, struct crl_reader *it, struct kw_reader *list,
                          unsigned *seen)
{
    struct kw_reader one = kw_reader_of(der_read(list, DER_SEQUENCE));
    const struct row *row = row_of(der_read(&one, DER_OID));
    bool critical = false;

    ENSURE(op, row, KW_E_INPUT,
           "ext-unknown: there is an extension other than AKI, CRL number, scope and deltas");
    bool sound = der_read_critical(&one, &critical);
    struct kw_span value = der_read(&one, DER_OCTET_STRING);
    ENSURE(op, sound && kw_ok(kw_reader_end(&one)), KW_E_INPUT, "ext: %s is not DER", row->name);
    unsigned bit = 1u << (row - rows);
    ENSURE(op, !(*seen & bit), KW_E_INPUT, "ext: %s stands there twice", row->name);
    *seen |= bit;
    ENSURE(op, critical == row->critical, KW_E_INPUT, "ext: %s is %scritical", row->name,
           critical ? "" : "not ");
    ENSURE(op, row->read(it, value), KW_E_INPUT,
           "ext-form: %s is not DER, or says what is said in no list of ours", row->name);
    return KW_OK;
}

kw_status crl_read_end(struct kw_op *op, struct crl_reader *it)
{
    struct kw_reader outer = kw_reader_of(der_read(&it->rest, TAG_EXTENSIONS));
    struct kw_reader list = kw_reader_of(der_read(&outer, DER_SEQUENCE));
    unsigned seen = 0;

    ENSURE(op, kw_ok(kw_reader_end(&outer)) && kw_ok(kw_reader_end(&it->rest)), KW_E_INPUT,
           "list: no extensions, or octets behind them");
    while (list.rest.len > 0 && !list.failed) {
        TRY(op, read_ext(op, it, &list, &seen));
    }
    ENSURE(op, kw_ok(kw_reader_end(&list)), KW_E_INPUT, "list: its extensions are not DER");
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        ENSURE(op, !rows[i].required || seen & 1u << i, KW_E_INPUT, "ext-missing: %s is missing",
               rows[i].name);
    }
    return KW_OK;
}
