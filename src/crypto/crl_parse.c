#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "crypto/crl_tbs.h"
#include "crypto/signed.h"

enum { KEYID_MAX = 64 };

/* Compact and sorted: a million entries in 40 MB. */
struct row {
    int64_t revoked_unix;
    uint8_t serial[KW_SERIAL_MAX];
    uint8_t serial_len;
    uint8_t reason;
};

struct crl {
    struct kw_bytes *der;
    struct signed_der parts; /* into der */
    struct crl_tbs *tbs;     /* its entries are freed once they are in rows */
    struct row *rows;
    size_t n_rows, cap_rows;
    int64_t this_update, next_update;
    unsigned version;
    bool has_number, has_unknown_ext, has_scope;
    uint64_t number;
    uint64_t base_number; /* 0 = a complete list */
    struct crl_scope scope;
    char delta_url[KW_CRL_URL_MAX];
    struct kw_out aki;
    uint8_t aki_room[KEYID_MAX];
};

KW_OWNED(ASN1_ENUMERATED, ASN1_ENUMERATED, ASN1_ENUMERATED_free)
KW_OWNED(ISSUING_DIST_POINT, ISSUING_DIST_POINT, ISSUING_DIST_POINT_free)
KW_OWNED(CRL_DIST_POINTS, CRL_DIST_POINTS, CRL_DIST_POINTS_free)

static int compare_rows(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;

    return crl_serial_compare(KW_SPAN(left->serial, left->serial_len),
                              KW_SPAN(right->serial, right->serial_len));
}

static kw_status read_reason(struct kw_op *op, const struct ext *one, uint8_t *ret)
{
    AUTO(ASN1_ENUMERATED) *value = NULL;
    int64_t reason = 0;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(ASN1_ENUMERATED), &value));
    OSSL_ENSURE(op, ASN1_ENUMERATED_get_int64(&reason, value), KW_E_INPUT, "revocation reason");
    ENSURE(op, reason >= 0 && reason <= CRL_REASON_MAX && reason != 7, KW_E_INPUT,
           "revocation reason %d", (int)reason);
    *ret = (uint8_t)reason;
    return KW_OK;
}

/* Section 5.3: an unknown critical entry extension makes the list unusable. */
static kw_status read_item_exts(struct kw_op *op, const struct crl_item *item, uint8_t *ret_reason)
{
    TRY(op, ext_check_list(op, item->exts));
    for (int i = 0; i < ext_count(item->exts); i++) {
        const struct ext *one = sk_ext_value(item->exts, i);
        if (ext_nid(one) == NID_crl_reason) {
            TRY(op, read_reason(op, one, ret_reason));
            continue;
        }
        ENSURE(op, !one->critical, KW_E_INPUT, "an unknown critical entry extension");
    }
    return KW_OK;
}

static kw_status grow_rows(struct kw_op *op, struct crl *crl)
{
    if (crl->n_rows < crl->cap_rows) {
        return KW_OK;
    }
    size_t cap = crl->cap_rows ? 2 * crl->cap_rows : 64;
    struct row *rows = realloc(crl->rows, cap * sizeof(*rows));
    ENSURE(op, rows, KW_E_MEMORY, "reading a revocation list");
    crl->rows = rows;
    crl->cap_rows = cap;
    return KW_OK;
}

static kw_status read_item(struct kw_op *op, struct crl *crl, struct kw_span der)
{
    AUTO(crl_item) *item = NULL;
    struct row row = {0};

    TRY(op, der_decode(op, ASN1_ITEM_rptr(crl_item), der, "revoked certificate", &item));
    TRY(op, der_serial_check(op, item->serial, KW_SERIAL_MAX));
    struct kw_span serial = der_string(item->serial);
    memcpy(row.serial, serial.p, serial.len);
    row.serial_len = (uint8_t)serial.len;
    TRY(op, der_time_get(op, item->date, &row.revoked_unix), "revocation date");
    TRY(op, read_item_exts(op, item, &row.reason));
    TRY(op, grow_rows(op, crl));
    crl->rows[crl->n_rows++] = row;
    return KW_OK;
}

static kw_status read_revoked(struct kw_op *op, struct crl *crl)
{
    struct kw_span rest;
    struct kw_span one;

    if (!crl->tbs->revoked) {
        return KW_OK;
    }
    ENSURE(op, der_contents(der_string(crl->tbs->revoked), V_ASN1_SEQUENCE, &rest) && rest.len > 0,
           KW_E_INPUT, "an empty list of revoked certificates");
    while (rest.len > 0) {
        ENSURE(op, der_take(&rest, &one), KW_E_INPUT, "revoked certificates");
        TRY(op, read_item(op, crl, one));
    }
    qsort(crl->rows, crl->n_rows, sizeof(crl->rows[0]), compare_rows);
    for (size_t i = 1; i < crl->n_rows; i++) {
        ENSURE(op, compare_rows(&crl->rows[i - 1], &crl->rows[i]) != 0, KW_E_INPUT,
               "a serial number is listed twice");
    }
    ASN1_STRING_free(crl->tbs->revoked);
    crl->tbs->revoked = NULL;
    return KW_OK;
}

/* A number above 64 bits is allowed (20 octets), but never ours: then crl_number() has none. */
static kw_status read_number(struct kw_op *op, struct crl *crl, const struct ext *one)
{
    AUTO(ASN1_INTEGER) *number = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(ASN1_INTEGER), &number));
    ENSURE(op,
           ASN1_STRING_type(number) == V_ASN1_INTEGER &&
               ASN1_STRING_length(number) <= KW_SERIAL_MAX,
           KW_E_INPUT, "CRL number out of range");
    ERR_set_mark();
    crl->has_number = ASN1_INTEGER_get_uint64(&crl->number, number);
    ERR_pop_to_mark();
    return KW_OK;
}

/* One URL as the full name; false for all else that it can be. */
static bool read_point(const DIST_POINT_NAME *point, char url[KW_CRL_URL_MAX])
{
    if (!point || point->type != 0 || sk_GENERAL_NAME_num(point->name.fullname) != 1) {
        return false;
    }
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(point->name.fullname, 0);
    if (name->type != GEN_URI) {
        return false;
    }
    struct kw_span text = der_string(name->d.uniformResourceIdentifier);
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f) {
            return false;
        }
    }
    (void)snprintf(url, KW_CRL_URL_MAX, "%.*s", (int)text.len, (const char *)text.p);
    return text.len > 0 && text.len < KW_CRL_URL_MAX;
}

static kw_status read_scope(struct kw_op *op, struct crl *crl, const struct ext *one)
{
    AUTO(ISSUING_DIST_POINT) *idp = NULL;
    struct crl_scope *scope = &crl->scope;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(ISSUING_DIST_POINT), &idp));
    scope->only_users = idp->onlyuser > 0;
    scope->only_cas = idp->onlyCA > 0;
    bool ours = one->critical && !idp->onlysomereasons && idp->indirectCRL <= 0 &&
                idp->onlyattr <= 0 && (!scope->only_users || !scope->only_cas) &&
                (!idp->distpoint || read_point(idp->distpoint, scope->url)) &&
                (idp->distpoint || scope->only_users || scope->only_cas);
    crl->has_scope = ours;
    crl->has_unknown_ext = crl->has_unknown_ext || !ours;
    return KW_OK;
}

static kw_status read_base(struct kw_op *op, struct crl *crl, const struct ext *one)
{
    AUTO(ASN1_INTEGER) *number = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(ASN1_INTEGER), &number));
    ERR_set_mark();
    bool ours = one->critical && ASN1_INTEGER_get_uint64(&crl->base_number, number) == 1 &&
                crl->base_number > 0;
    ERR_pop_to_mark();
    crl->has_unknown_ext = crl->has_unknown_ext || !ours;
    return KW_OK;
}

static kw_status read_freshest(struct kw_op *op, struct crl *crl, const struct ext *one)
{
    AUTO(CRL_DIST_POINTS) *points = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(CRL_DIST_POINTS), &points));
    const DIST_POINT *first =
        sk_DIST_POINT_num(points) == 1 ? sk_DIST_POINT_value(points, 0) : NULL;
    bool ours = !one->critical && first && !first->reasons && !first->CRLissuer &&
                read_point(first->distpoint, crl->delta_url);
    crl->has_unknown_ext = crl->has_unknown_ext || !ours;
    return KW_OK;
}

static kw_status read_exts(struct kw_op *op, struct crl *crl)
{
    TRY(op, ext_check_list(op, crl->tbs->exts));
    for (int i = 0; i < ext_count(crl->tbs->exts); i++) {
        const struct ext *one = sk_ext_value(crl->tbs->exts, i);
        switch (ext_nid(one)) {
        case NID_issuing_distribution_point:
            TRY(op, read_scope(op, crl, one));
            break;
        case NID_delta_crl:
            TRY(op, read_base(op, crl, one));
            break;
        case NID_freshest_crl:
            TRY(op, read_freshest(op, crl, one));
            break;
        case NID_authority_key_identifier:
            TRY(op, ext_read_aki(op, one, &crl->aki));
            break;
        case NID_crl_number:
            TRY(op, read_number(op, crl, one));
            break;
        default:
            crl->has_unknown_ext = true;
        }
    }
    return KW_OK;
}

static kw_status read_fields(struct kw_op *op, struct crl *crl)
{
    const struct crl_tbs *tbs = crl->tbs;
    uint64_t version = 0;

    if (tbs->version) {
        OSSL_ENSURE(op, ASN1_INTEGER_get_uint64(&version, tbs->version), KW_E_INPUT, "version");
        ENSURE(op, version == 1, KW_E_INPUT, "no version of a revocation list");
    }
    crl->version = (unsigned)version + 1;
    ENSURE(op, version == 1 || !tbs->exts, KW_E_INPUT, "extensions before version 2");
    TRY(op, der_time_get(op, tbs->this_update, &crl->this_update), "thisUpdate");
    if (tbs->next_update) {
        TRY(op, der_time_get(op, tbs->next_update, &crl->next_update), "nextUpdate");
    }
    TRY(op, read_exts(op, crl));
    return read_revoked(op, crl);
}

static kw_status check_inner_alg(struct kw_op *op, const struct crl *crl)
{
    AUTO(kw_bytes) *inner = NULL;

    TRY(op, kw_bytes_new(32, &inner));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(X509_ALGOR), crl->tbs->sig_alg, inner));
    ENSURE(op, kw_span_equal(kw_bytes_span(inner), crl->parts.alg), KW_E_INPUT,
           "inner and outer signature algorithm differ");
    return KW_OK;
}

static kw_status crl_new(struct kw_op *op, struct kw_span der, struct crl **ret)
{
    AUTO(crl) *crl = calloc(1, sizeof(*crl));

    ENSURE(op, crl, KW_E_MEMORY);
    crl->aki = KW_OUT_ARRAY(crl->aki_room);
    TRY(op, kw_bytes_copy(der, &crl->der));
    TRY(op, signed_parse(op, kw_bytes_span(crl->der), &crl->parts));
    TRY(op, der_decode(op, ASN1_ITEM_rptr(crl_tbs), crl->parts.tbs, "TBSCertList", &crl->tbs));
    TRY(op, check_inner_alg(op, crl));
    TRY(op, read_fields(op, crl));
    *ret = TAKE(crl);
    return KW_OK;
}

kw_status crl_parse(struct kw_op *op, struct kw_span der, struct crl **ret)
{
    ENSURE(op, der.len <= KW_CRL_MAX, KW_E_INPUT, "a revocation list of %zu octets", der.len);
    TRY(op, crl_new(op, der, ret), "reading a revocation list");
    return KW_OK;
}

/* The TBS's own algorithm stands behind the version. */
static bool find_alg(struct kw_span tbs, struct kw_span *ret)
{
    struct kw_span rest;

    if (!der_is_strict(tbs) || !der_contents(tbs, V_ASN1_SEQUENCE, &rest) ||
        !der_take(&rest, ret)) {
        return false;
    }
    return ret->p[0] != V_ASN1_INTEGER || der_take(&rest, ret);
}

kw_status crl_parse_tbs(struct kw_op *op, struct kw_span tbs, struct crl **ret)
{
    struct kw_span alg;
    int64_t unix_s = 0;
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;

    ENSURE(op, tbs.len <= KW_CRL_MAX && find_alg(tbs, &alg), KW_E_INPUT, "not a TBSCertList");
    TRY(op, signed_wrap(op, tbs, alg, &der));
    TRY(op, crl_new(op, kw_bytes_span(der), &crl), "reading a revocation list to be signed");
    TRY(op, der_time_get_strict(op, crl->tbs->this_update, &unix_s), "thisUpdate");
    ENSURE(op, crl->tbs->next_update, KW_E_INPUT, "no nextUpdate");
    TRY(op, der_time_get_strict(op, crl->tbs->next_update, &unix_s), "nextUpdate");
    *ret = TAKE(crl);
    return KW_OK;
}

void crl_free(struct crl *crl)
{
    if (crl) {
        free(crl->rows);
        crl_tbs_free(crl->tbs);
        kw_bytes_free(crl->der);
        free(crl);
    }
}

struct kw_span crl_issuer(const struct crl *crl)
{
    const unsigned char *der = NULL;
    size_t len = 0;

    if (!X509_NAME_get0_der(crl->tbs->issuer, &der, &len)) {
        return KW_SPAN(NULL, 0);
    }
    return KW_SPAN(der, len);
}

struct kw_span crl_aki(const struct crl *crl)
{
    return kw_out_span(&crl->aki);
}

int64_t crl_this_update(const struct crl *crl)
{
    return crl->this_update;
}

int64_t crl_next_update(const struct crl *crl)
{
    return crl->next_update;
}

bool crl_number(const struct crl *crl, uint64_t *ret)
{
    if (crl->has_number) {
        *ret = crl->number;
    }
    return crl->has_number;
}

const struct crl_scope *crl_scope_of(const struct crl *crl)
{
    return crl->has_scope ? &crl->scope : NULL;
}

uint64_t crl_base_number(const struct crl *crl)
{
    return crl->base_number;
}

const char *crl_delta_url(const struct crl *crl)
{
    return crl->delta_url[0] ? crl->delta_url : NULL;
}

enum key_alg crl_sig_alg(const struct crl *crl)
{
    return crl->parts.key_alg;
}

unsigned crl_version(const struct crl *crl)
{
    return crl->version;
}

bool crl_has_unknown_ext(const struct crl *crl)
{
    return crl->has_unknown_ext;
}

size_t crl_count(const struct crl *crl)
{
    return crl->n_rows;
}

void crl_entry_at(const struct crl *crl, size_t i, struct crl_entry *ret)
{
    const struct row *row = &crl->rows[i];

    *ret = (struct crl_entry){.serial = KW_SPAN(row->serial, row->serial_len),
                              .revoked_unix = row->revoked_unix,
                              .reason = row->reason};
}

kw_status crl_find(const struct crl *crl, struct kw_span serial, int *ret_reason, int64_t *ret_unix)
{
    struct row key = {0};

    if (serial.len == 0 || serial.len > sizeof(key.serial) || crl->n_rows == 0) {
        return KW_FAIL(KW_E_NOT_FOUND);
    }
    memcpy(key.serial, serial.p, serial.len);
    key.serial_len = (uint8_t)serial.len;
    const struct row *row =
        bsearch(&key, crl->rows, crl->n_rows, sizeof(crl->rows[0]), compare_rows);
    if (!row) {
        return KW_FAIL(KW_E_NOT_FOUND);
    }
    *ret_reason = row->reason;
    *ret_unix = row->revoked_unix;
    return KW_OK;
}

kw_status crl_verify_signature(struct kw_op *op, const struct crl *crl, const struct pubkey *issuer)
{
    return signed_verify(op, &crl->parts, issuer);
}
