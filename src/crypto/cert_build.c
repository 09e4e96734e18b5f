#include <arpa/inet.h>

#include "crypto/cert_tbs.h"
#include "crypto/san.h"
#include "crypto/signed.h"

KW_OWNED(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
KW_OWNED(NAME_CONSTRAINTS, NAME_CONSTRAINTS, NAME_CONSTRAINTS_free)
KW_OWNED(GENERAL_SUBTREE, GENERAL_SUBTREE, GENERAL_SUBTREE_free)
KW_OWNED(CERTIFICATEPOLICIES, CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free)
KW_OWNED(POLICYINFO, POLICYINFO, POLICYINFO_free)
KW_OWNED(CRL_DIST_POINTS, CRL_DIST_POINTS, CRL_DIST_POINTS_free)
KW_OWNED(DIST_POINT, DIST_POINT, DIST_POINT_free)
KW_OWNED(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)
KW_OWNED(ACCESS_DESCRIPTION, ACCESS_DESCRIPTION, ACCESS_DESCRIPTION_free)

static bool has_san(const struct cert_spec *spec)
{
    return spec->san_dns[0] || spec->san_ip[0] || spec->san_uri[0] || spec->hw_type;
}

static bool has_constraints(const struct cert_spec *spec)
{
    return spec->permit_dns[0] || spec->permit_ip[0];
}

static bool is_empty_name(struct kw_span dn)
{
    static const uint8_t empty[] = {0x30, 0x00};

    return kw_span_equal(dn, KW_SPAN_ARRAY(empty));
}

/* RFC 8813 section 3 and RFC 9295 section 3: what a key cannot do must not be claimed. */
static unsigned impossible_usage(enum key_alg alg)
{
    const unsigned encipherment = CERT_KU_KEY_ENCIPHERMENT | CERT_KU_DATA_ENCIPHERMENT;

    switch (alg) {
    case KEY_ALG_EC_P256:
    case KEY_ALG_EC_P384:
        return encipherment;
    case KEY_ALG_ED25519:
        return encipherment | CERT_KU_KEY_AGREEMENT;
    default:
        return 0;
    }
}

static kw_status check_spec(struct kw_op *op, const struct cert_spec *spec,
                            const struct privkey *issuer)
{
    ENSURE(op,
           pubkey_equal(spec->issuer_key ? spec->issuer_key : spec->key, privkey_public(issuer)),
           KW_E_INPUT, "the certificate would name another key than the one that signs it");
    ENSURE(op, spec->not_before <= spec->not_after, KW_E_INPUT, "validity ends before it begins");
    ENSURE(op, spec->serial.len >= 8 && spec->serial.len <= KW_SERIAL_MAX, KW_E_INPUT,
           "a serial number of %zu octets", spec->serial.len);
    ENSURE(op, spec->serial.len < KW_SERIAL_MAX || spec->serial.p[0] < 0x80, KW_E_INPUT,
           "the serial number needs a 21st octet for its sign");
    ENSURE(op, !is_empty_name(spec->subject_dn) || (has_san(spec) && !spec->is_ca), KW_E_INPUT,
           "nobody is named: the subject is empty");
    ENSURE(op, !is_empty_name(spec->issuer_dn), KW_E_INPUT, "the issuer has no name");
    ENSURE(op, spec->is_ca || (!has_constraints(spec) && spec->path_len <= 0), KW_E_INPUT,
           "only a CA has name constraints or a path length");
    ENSURE(op, spec->is_ca || !(spec->key_usage & CERT_KU_KEY_CERT_SIGN), KW_E_INPUT,
           "only a CA signs certificates");
    ENSURE(op, !spec->is_ca || spec->key_usage & CERT_KU_KEY_CERT_SIGN, KW_E_INPUT,
           "a CA signs certificates: its key usage must say so");
    ENSURE(op, !(spec->key_usage & impossible_usage(pubkey_alg(spec->key))), KW_E_INPUT,
           "key usage that a key of '%s' cannot have", key_alg_text(pubkey_alg(spec->key)));
    return KW_OK;
}

typedef kw_status (*add_fn)(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts);

/* Section 4.2.1.9: critical in a CA; an end entity has none. */
static kw_status add_basic_constraints(struct kw_op *op, const struct cert_spec *spec,
                                       STACK_OF(ext) **exts)
{
    AUTO(BASIC_CONSTRAINTS) *constraints = NULL;

    if (!spec->is_ca) {
        return KW_OK;
    }
    constraints = BASIC_CONSTRAINTS_new();
    OSSL_ENSURE(op, constraints, KW_E_MEMORY, "basic constraints");
    constraints->ca = 0xff;
    if (spec->path_len >= 0) {
        constraints->pathlen = ASN1_INTEGER_new();
        OSSL_ENSURE(op,
                    constraints->pathlen && ASN1_INTEGER_set(constraints->pathlen, spec->path_len),
                    KW_E_MEMORY, "basic constraints");
    }
    return ext_add(op, exts, NID_basic_constraints, /* critical= */ true,
                   ASN1_ITEM_rptr(BASIC_CONSTRAINTS), constraints);
}

static kw_status add_key_usage(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    return spec->key_usage ? ext_add_key_usage(op, exts, spec->key_usage) : KW_OK;
}

static kw_status add_eku(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    return spec->eku[0] ? ext_add_eku(op, exts, spec->eku, CERT_EKU_MAX) : KW_OK;
}

/* Section 4.2.1.2 method 1; mandatory in a CA, and it lets a relying party find the key elsewhere
 * too. */
static kw_status add_ski(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(ASN1_OCTET_STRING) *ski = ASN1_OCTET_STRING_new();

    OSSL_ENSURE(op, ski && ASN1_OCTET_STRING_set(ski, pubkey_sha1(spec->key), 20), KW_E_MEMORY,
                "subject key identifier");
    return ext_add(op, exts, NID_subject_key_identifier, /* critical= */ false,
                   ASN1_ITEM_rptr(ASN1_OCTET_STRING), ski);
}

static kw_status add_aki(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    return spec->issuer_key ? ext_add_aki(op, exts, spec->issuer_key) : KW_OK;
}

/* Section 4.2.1.6: "If the subject field contains an empty sequence, then … critical." */
static kw_status add_san(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(GENERAL_NAMES) *names = NULL;

    if (!has_san(spec)) {
        return KW_OK;
    }
    names = GENERAL_NAMES_new();
    OSSL_ENSURE(op, names, KW_E_MEMORY, "subject alternative names");
    for (size_t i = 0; i < CERT_SAN_MAX && spec->san_dns[i]; i++) {
        TRY(op, san_add_dns(op, names, spec->san_dns[i]));
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->san_ip[i]; i++) {
        TRY(op, san_add_ip(op, names, spec->san_ip[i]));
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->san_uri[i]; i++) {
        TRY(op, san_add_uri(op, names, spec->san_uri[i]));
    }
    if (spec->hw_type) {
        TRY(op, san_add_hw(op, names, spec->hw_type, spec->hw_serial));
    }
    return ext_add(op, exts, NID_subject_alt_name, is_empty_name(spec->subject_dn),
                   ASN1_ITEM_rptr(GENERAL_NAMES), names);
}

/* Takes *name over. `minimum` stays at its default, which DER leaves out. */
static kw_status add_subtree(struct kw_op *op, STACK_OF(GENERAL_SUBTREE) **list,
                             GENERAL_NAME **name)
{
    AUTO(GENERAL_SUBTREE) *subtree = GENERAL_SUBTREE_new();

    if (!*list) {
        *list = sk_GENERAL_SUBTREE_new_null();
    }
    OSSL_ENSURE(op, subtree && *list, KW_E_MEMORY, "name constraints");
    GENERAL_NAME_free(subtree->base);
    subtree->base = TAKE(*name);
    OSSL_ENSURE(op, sk_GENERAL_SUBTREE_push(*list, subtree) > 0, KW_E_MEMORY, "name constraints");
    (void)TAKE(subtree); /* the list has it now */
    return KW_OK;
}

static kw_status add_subtree_dns(struct kw_op *op, STACK_OF(GENERAL_SUBTREE) **list,
                                 const char *dns)
{
    AUTO(GENERAL_NAME) *name = NULL;

    TRY(op, san_new_text(op, GEN_DNS, dns, &name));
    return add_subtree(op, list, &name);
}

static kw_status add_subtree_ip(struct kw_op *op, STACK_OF(GENERAL_SUBTREE) **list,
                                struct kw_span octets)
{
    AUTO(GENERAL_NAME) *name = NULL;

    TRY(op, san_new_ip(op, octets, &name));
    return add_subtree(op, list, &name);
}

/* "address/mask", both of one family, the mask of leading ones only. */
static kw_status read_ip_range(struct kw_op *op, const char *text, struct kw_out *ret)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t octets[32];
    const char *slash = strchr(text, '/');
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    size_t n = family == AF_INET6 ? 16 : 4;

    ENSURE(op, slash && (size_t)(slash - text) < sizeof(address), KW_E_INPUT,
           "'%s' is no address range", text);
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    ENSURE(op,
           inet_pton(family, address, octets) == 1 && inet_pton(family, slash + 1, octets + n) == 1,
           KW_E_INPUT, "'%s' is no address range", text);
    for (size_t bit = 1; bit < 8 * n; bit++) {
        bool before = octets[n + (bit - 1) / 8] & 0x80 >> (bit - 1) % 8;
        bool now = octets[n + bit / 8] & 0x80 >> bit % 8;
        ENSURE(op, before || !now, KW_E_INPUT, "the mask of '%s' has holes", text);
    }
    TRY(op, kw_out_set(ret, KW_SPAN(octets, 2 * n)));
    return KW_OK;
}

static kw_status permit(struct kw_op *op, const struct cert_spec *spec, NAME_CONSTRAINTS *nc)
{
    for (size_t i = 0; i < CERT_SAN_MAX && spec->permit_dns[i]; i++) {
        ENSURE(op, san_is_dns(spec->permit_dns[i], /* constraint= */ true), KW_E_INPUT,
               "'%s' is no DNS name", spec->permit_dns[i]);
        TRY(op, add_subtree_dns(op, &nc->permittedSubtrees, spec->permit_dns[i]));
    }
    for (size_t i = 0; i < CERT_SAN_MAX && spec->permit_ip[i]; i++) {
        uint8_t room[32];
        struct kw_out range = KW_OUT_ARRAY(room);
        TRY(op, read_ip_range(op, spec->permit_ip[i], &range));
        TRY(op, add_subtree_ip(op, &nc->permittedSubtrees, kw_out_span(&range)));
    }
    return KW_OK;
}

static kw_status add_name_constraints(struct kw_op *op, const struct cert_spec *spec,
                                      STACK_OF(ext) **exts)
{
    AUTO(NAME_CONSTRAINTS) *nc = NULL;

    if (!has_constraints(spec)) {
        return KW_OK;
    }
    nc = NAME_CONSTRAINTS_new();
    OSSL_ENSURE(op, nc, KW_E_MEMORY, "name constraints");
    TRY(op, permit(op, spec, nc));
    return ext_add(op, exts, NID_name_constraints, /* critical= */ true,
                   ASN1_ITEM_rptr(NAME_CONSTRAINTS), nc);
}

static kw_status add_policies(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(CERTIFICATEPOLICIES) *policies = NULL;

    if (!spec->policy_oid[0]) {
        return KW_OK;
    }
    policies = CERTIFICATEPOLICIES_new();
    OSSL_ENSURE(op, policies, KW_E_MEMORY, "certificate policies");
    for (size_t i = 0; i < KW_COUNT(spec->policy_oid) && spec->policy_oid[i]; i++) {
        AUTO(POLICYINFO) *policy = POLICYINFO_new();
        ASN1_OBJECT *oid = NULL;
        OSSL_ENSURE(op, policy, KW_E_MEMORY, "certificate policies");
        TRY(op, der_oid_new(op, spec->policy_oid[i], &oid), "policy '%s'", spec->policy_oid[i]);
        ASN1_OBJECT_free(policy->policyid);
        policy->policyid = oid;
        OSSL_ENSURE(op, sk_POLICYINFO_push(policies, policy) > 0, KW_E_MEMORY,
                    "certificate policies");
        (void)TAKE(policy); /* the list has it now */
    }
    return ext_add(op, exts, NID_certificate_policies, /* critical= */ false,
                   ASN1_ITEM_rptr(CERTIFICATEPOLICIES), policies);
}

static kw_status url_new(struct kw_op *op, const char *url, GENERAL_NAME **ret)
{
    ENSURE(op, san_is_uri(url), KW_E_INPUT, "'%s' is no URL", url);
    return san_new_text(op, GEN_URI, url, ret);
}

static kw_status crl_dp_new(struct kw_op *op, const char *url, DIST_POINT **ret)
{
    AUTO(GENERAL_NAME) *name = NULL;
    AUTO(DIST_POINT) *point = DIST_POINT_new();

    TRY(op, url_new(op, url, &name));
    if (point) {
        point->distpoint = DIST_POINT_NAME_new();
    }
    OSSL_ENSURE(op, point && point->distpoint, KW_E_MEMORY, "CRL distribution point");
    point->distpoint->type = 0; /* fullName */
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    OSSL_ENSURE(op,
                point->distpoint->name.fullname &&
                    sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) > 0,
                KW_E_MEMORY, "CRL distribution point");
    (void)TAKE(name); /* the list has it now */
    *ret = TAKE(point);
    return KW_OK;
}

static kw_status add_crl_dp(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(CRL_DIST_POINTS) *points = NULL;
    AUTO(DIST_POINT) *point = NULL;

    if (!spec->crl_url) {
        return KW_OK;
    }
    points = CRL_DIST_POINTS_new();
    TRY(op, crl_dp_new(op, spec->crl_url, &point));
    OSSL_ENSURE(op, points && sk_DIST_POINT_push(points, point) > 0, KW_E_MEMORY,
                "CRL distribution point");
    (void)TAKE(point); /* the list has it now */
    return ext_add(op, exts, NID_crl_distribution_points, /* critical= */ false,
                   ASN1_ITEM_rptr(CRL_DIST_POINTS), points);
}

static kw_status add_access(struct kw_op *op, AUTHORITY_INFO_ACCESS *aia, int method,
                            const char *url)
{
    AUTO(ACCESS_DESCRIPTION) *access = NULL;
    AUTO(GENERAL_NAME) *name = NULL;

    if (!url) {
        return KW_OK;
    }
    access = ACCESS_DESCRIPTION_new();
    TRY(op, url_new(op, url, &name));
    OSSL_ENSURE(op, access, KW_E_MEMORY, "authority information access");
    ASN1_OBJECT_free(access->method);
    access->method = OBJ_nid2obj(method);
    GENERAL_NAME_free(access->location);
    access->location = TAKE(name);
    OSSL_ENSURE(op, sk_ACCESS_DESCRIPTION_push(aia, access) > 0, KW_E_MEMORY,
                "authority information access");
    (void)TAKE(access); /* the list has it now */
    return KW_OK;
}

static kw_status add_aia(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    AUTO(AUTHORITY_INFO_ACCESS) *aia = NULL;

    if (!spec->ocsp_url && !spec->ca_issuers_url) {
        return KW_OK;
    }
    aia = AUTHORITY_INFO_ACCESS_new();
    OSSL_ENSURE(op, aia, KW_E_MEMORY, "authority information access");
    TRY(op, add_access(op, aia, NID_ad_OCSP, spec->ocsp_url));
    TRY(op, add_access(op, aia, NID_ad_ca_issuers, spec->ca_issuers_url));
    return ext_add(op, exts, NID_info_access, /* critical= */ false,
                   ASN1_ITEM_rptr(AUTHORITY_INFO_ACCESS), aia);
}

/* RFC 6960 section 4.2.2.2.1: the value is NULL. */
static kw_status add_nocheck(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    static const uint8_t null[] = {V_ASN1_NULL, 0x00};

    if (!spec->ocsp_nocheck) {
        return KW_OK;
    }
    return ext_add_der(op, exts, NID_id_pkix_OCSP_noCheck, /* critical= */ false,
                       KW_SPAN_ARRAY(null));
}

/* Also the order in the certificate. */
static const add_fn adders[] = {
    add_basic_constraints, add_key_usage, add_eku,    add_ski, add_aki,     add_san,
    add_name_constraints,  add_policies,  add_crl_dp, add_aia, add_nocheck,
};

kw_status cert_exts_make(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts)
{
    for (size_t i = 0; i < KW_COUNT(adders); i++) {
        TRY(op, adders[i](op, spec, exts));
    }
    return KW_OK;
}

static kw_status set_fields(struct kw_op *op, const struct cert_spec *spec, enum key_alg issuer_alg,
                            struct cert_tbs *tbs)
{
    struct kw_span key = pubkey_spki(spec->key);

    tbs->version = ASN1_INTEGER_new();
    OSSL_ENSURE(op, tbs->version && ASN1_INTEGER_set(tbs->version, 2), KW_E_MEMORY, "version");
    TRY(op, der_serial_set(op, tbs->serial, spec->serial));
    X509_ALGOR_free(tbs->sig_alg);
    tbs->sig_alg = NULL;
    TRY(op, signed_alg_new(op, issuer_alg, &tbs->sig_alg));
    TRY(op, cert_tbs_name(op, spec->issuer_dn, "issuer name", tbs->issuer));
    TRY(op, cert_tbs_name(op, spec->subject_dn, "subject name", tbs->subject));
    TRY(op, der_time_set(op, tbs->validity->not_before, spec->not_before), "notBefore");
    TRY(op, der_time_set(op, tbs->validity->not_after, spec->not_after), "notAfter");
    OSSL_ENSURE(op, ASN1_STRING_set(tbs->key, key.p, (int)key.len), KW_E_MEMORY, "public key");
    return KW_OK;
}

kw_status cert_build(struct kw_op *op, const struct cert_spec *spec, const struct privkey *issuer,
                     struct kw_bytes **ret)
{
    AUTO(cert_tbs) *tbs = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, check_spec(op, spec, issuer), "describing a certificate");
    TRY(op, cert_tbs_new(op, &tbs));
    TRY(op, set_fields(op, spec, pubkey_alg(privkey_public(issuer)), tbs),
        "building a certificate");
    TRY(op, cert_exts_make(op, spec, &tbs->exts), "building a certificate");
    TRY(op, kw_bytes_new(1024, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(cert_tbs), tbs, der));
    if (spec->check) {
        TRY(op, spec->check(op, kw_bytes_span(der), spec->check_ctx),
            "checking it before it is signed");
    }
    TRY(op, signed_build(op, kw_bytes_span(der), issuer, ret), "signing a certificate");
    return KW_OK;
}
