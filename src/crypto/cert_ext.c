#include "crypto/cert_ext.h"

#include "crypto/san.h"

enum { KEYID_BYTES = 20, TAG_KEYID = 0x80, TAG_0 = 0xa0, USAGE_BITS = 7 };

/* Contents of the OIDs that mark extensions and ways to ask. */
#define OID(octets) {(const uint8_t *)(octets), sizeof(octets) - 1}
static const struct kw_span by_ocsp = OID("\x2b\x06\x01\x05\x05\x07\x30\x01"),
                            by_issuers = OID("\x2b\x06\x01\x05\x05\x07\x30\x02");

bool cert_spec_has_san(const struct cert_spec *spec)
{
    return spec->san_dns[0] || spec->san_ip[0] || spec->san_uri[0] || spec->hw_type;
}

bool cert_spec_has_constraints(const struct cert_spec *spec)
{
    return spec->permit_dn.len > 0 || spec->permit_dns[0] || spec->permit_ip[0] ||
           spec->exclude_other_dns || spec->exclude_other_ip;
}

bool cert_is_empty_name(struct kw_span dn)
{
    static const uint8_t empty[] = {DER_SEQUENCE, 0x00};

    return kw_span_equal(dn, KW_SPAN_ARRAY(empty));
}

/* --- which there are -------------------------------------------------------------------------- */

static bool is_ca(const struct cert_spec *spec)
{
    return spec->is_ca;
}

static bool has_usage(const struct cert_spec *spec)
{
    return spec->key_usage != 0;
}

static bool has_eku(const struct cert_spec *spec)
{
    return spec->eku[0] != NULL;
}

static bool always(const struct cert_spec *spec)
{
    (void)spec;
    return true;
}

static bool has_issuer(const struct cert_spec *spec)
{
    return spec->issuer_key != NULL;
}

static bool has_policies(const struct cert_spec *spec)
{
    return spec->policy_oid[0] != NULL;
}

static bool has_crl(const struct cert_spec *spec)
{
    return spec->crl_url != NULL;
}

static bool has_access(const struct cert_spec *spec)
{
    return spec->ocsp_url || spec->ca_issuers_url;
}

static bool has_nocheck(const struct cert_spec *spec)
{
    return spec->ocsp_nocheck;
}

/* Section 4.2.1.6: "If the subject field contains an empty sequence, then … critical." */
static bool is_named_by_san(const struct cert_spec *spec)
{
    return cert_is_empty_name(spec->subject_dn);
}

/* --- what is in them -------------------------------------------------------------------------- */

/* Section 4.2.1.9: critical in a CA; an end entity has none. */
static kw_status put_basic_constraints(struct kw_op *op, const struct cert_spec *spec,
                                       struct der_writer *w)
{
    static const uint8_t yes[] = {0xff};
    size_t at = der_open(w, DER_SEQUENCE);

    (void)op;
    der_put(w, DER_BOOLEAN, KW_SPAN_ARRAY(yes));
    if (spec->path_len >= 0) {
        der_put_int(w, spec->path_len);
    }
    der_close(w, at);
    return KW_OK;
}

/* A named bit list ends with its last bit (X.690 section 11.2.2). */
static kw_status put_key_usage(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    uint8_t bits[2] = {0, 0}; /* how many are unused; the bits, the first on top */

    ENSURE(op, spec->key_usage <= 0x7f, KW_E_INPUT, "key usage 0x%x", spec->key_usage);
    for (unsigned i = 0; i < USAGE_BITS; i++) {
        if (spec->key_usage & 1u << i) {
            bits[0] = (uint8_t)(7 - i);
            bits[1] |= (uint8_t)(0x80u >> i);
        }
    }
    der_put(w, DER_BIT_STRING, KW_SPAN_ARRAY(bits));
    return KW_OK;
}

static kw_status put_eku(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    size_t at = der_open(w, DER_SEQUENCE);

    for (unsigned i = 0; i < CERT_EKU_MAX && spec->eku[i]; i++) {
        TRY(op, der_put_oid(op, w, spec->eku[i]), "extended key usage '%s'", spec->eku[i]);
    }
    der_close(w, at);
    return KW_OK;
}

/* Section 4.2.1.2 method 1; mandatory in a CA, and it lets a relying party find the key elsewhere
 * too. */
static kw_status put_ski(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    (void)op;
    der_put(w, DER_OCTET_STRING, KW_SPAN(pubkey_sha1(spec->key), KEYID_BYTES));
    return KW_OK;
}

/* Section 4.2.1.1: "Conforming CAs MUST mark this extension as non-critical." */
static kw_status put_aki(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    size_t at = der_open(w, DER_SEQUENCE);

    (void)op;
    der_put(w, TAG_KEYID, KW_SPAN(pubkey_sha1(spec->issuer_key), KEYID_BYTES));
    der_close(w, at);
    return KW_OK;
}

static kw_status put_san(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    size_t at = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < CERT_SAN_MAX && spec->san_dns[i]; i++) {
        TRY(op, san_put_dns(op, w, spec->san_dns[i]));
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->san_ip[i]; i++) {
        TRY(op, san_put_ip(op, w, spec->san_ip[i]));
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->san_uri[i]; i++) {
        TRY(op, san_put_uri(op, w, spec->san_uri[i]));
    }
    if (spec->hw_type) {
        TRY(op, san_put_hw(op, w, spec->hw_type, spec->hw_serial));
    }
    der_close(w, at);
    return KW_OK;
}

static kw_status put_constraints(struct kw_op *op, const struct cert_spec *spec,
                                 struct der_writer *w)
{
    size_t at = der_open(w, DER_SEQUENCE);

    TRY(op, cert_ext_put_constraints(op, spec, w));
    der_close(w, at);
    return KW_OK;
}

static kw_status put_policies(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    size_t at = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < KW_COUNT(spec->policy_oid) && spec->policy_oid[i]; i++) {
        size_t policy = der_open(w, DER_SEQUENCE);
        TRY(op, der_put_oid(op, w, spec->policy_oid[i]), "policy '%s'", spec->policy_oid[i]);
        der_close(w, policy);
    }
    der_close(w, at);
    return KW_OK;
}

/* Section 4.2.1.13: one point, its fullName one URL. */
static kw_status put_crl_dp(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    const uint8_t layers[] = {DER_SEQUENCE, DER_SEQUENCE, TAG_0, TAG_0};
    size_t at[KW_COUNT(layers)];

    for (size_t i = 0; i < KW_COUNT(layers); i++) {
        at[i] = der_open(w, layers[i]);
    }
    TRY(op, san_put_url(op, w, spec->crl_url));
    for (size_t i = KW_COUNT(layers); i > 0; i--) {
        der_close(w, at[i - 1]);
    }
    return KW_OK;
}

static kw_status put_way(struct kw_op *op, struct der_writer *w, struct kw_span method,
                         const char *url)
{
    if (!url) {
        return KW_OK;
    }
    size_t at = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, method);
    TRY(op, san_put_url(op, w, url));
    der_close(w, at);
    return KW_OK;
}

static kw_status put_aia(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    size_t at = der_open(w, DER_SEQUENCE);

    TRY(op, put_way(op, w, by_ocsp, spec->ocsp_url));
    TRY(op, put_way(op, w, by_issuers, spec->ca_issuers_url));
    der_close(w, at);
    return KW_OK;
}

/* RFC 6960 section 4.2.2.2.1: the value is NULL. */
static kw_status put_nocheck(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    static const uint8_t null[] = {0x05, 0x00};

    (void)op;
    (void)spec;
    der_copy(w, KW_SPAN_ARRAY(null));
    return KW_OK;
}

/* Also the order in the certificate. */
/* clang-format off */
static const struct row {
    bool (*wanted)(const struct cert_spec *spec);
    bool (*critical)(const struct cert_spec *spec); /* NULL: never */
    struct kw_span oid;
    kw_status (*put)(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w);
} rows[] = {
    {is_ca,                     always,            OID("\x55\x1d\x13"), put_basic_constraints},
    {has_usage,                 always,            OID("\x55\x1d\x0f"), put_key_usage},
    {has_eku,                   NULL,              OID("\x55\x1d\x25"), put_eku},
    {always,                    NULL,              OID("\x55\x1d\x0e"), put_ski},
    {has_issuer,                NULL,              OID("\x55\x1d\x23"), put_aki},
    {cert_spec_has_san,         is_named_by_san,   OID("\x55\x1d\x11"), put_san},
    {cert_spec_has_constraints, always,            OID("\x55\x1d\x1e"), put_constraints},
    {has_policies,              NULL,              OID("\x55\x1d\x20"), put_policies},
    {has_crl,                   NULL,              OID("\x55\x1d\x1f"), put_crl_dp},
    {has_access,                NULL,              OID("\x2b\x06\x01\x05\x05\x07\x01\x01"), put_aia},
    {has_nocheck,               NULL,              OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"), put_nocheck},
};
/* clang-format on */

static kw_status put_one(struct kw_op *op, const struct row *row, const struct cert_spec *spec,
                         struct der_writer *w)
{
    static const uint8_t yes[] = {0xff};
    size_t at = der_open(w, DER_SEQUENCE);

    der_put(w, DER_OID, row->oid);
    if (row->critical && row->critical(spec)) {
        der_put(w, DER_BOOLEAN, KW_SPAN_ARRAY(yes));
    }
    size_t value = der_open(w, DER_OCTET_STRING);
    TRY(op, row->put(op, spec, w));
    der_close(w, value);
    der_close(w, at);
    return KW_OK;
}

kw_status cert_ext_put_all(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w)
{
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (rows[i].wanted(spec)) {
            TRY(op, put_one(op, &rows[i], spec, w));
        }
    }
    return KW_OK;
}
