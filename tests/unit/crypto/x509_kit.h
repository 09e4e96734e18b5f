/* A small PKI for the tests of certificates, lists and OCSP: root, issuing CA, and one of each
 * leaf. */
#ifndef TESTS_CRYPTO_X509_KIT_H
#define TESTS_CRYPTO_X509_KIT_H

#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/dn.h"
#include "kit.h"

#define NOW INT64_C(1795220000) /* 2026-11-21 */
#define DAY INT64_C(86400)
#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define OID_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"
#define OID_HW_TYPE "1.3.6.1.4.1.54321.1"

/* A name with room of its own, to be used in initialisers. */
struct name {
    uint8_t room[KW_DN_MAX];
    struct kw_out der;
};

static inline struct kw_span name_of(struct name *name, const char *cn, const char *serial)
{
    struct kw_op op;
    struct dn_part parts[] = {
        {"C",            "DE"            },
        {"O",            "Keywright Test"},
        {"CN",           cn              },
        {"serialNumber", serial          }
    };

    kw_op_init(&op, "test", 0);
    name->der = KW_OUT_ARRAY(name->room);
    assert_ok(&op, dn_build(&op, parts, serial ? 4 : 3, &name->der));
    return kw_out_span(&name->der);
}

static inline struct kw_span empty_name(void)
{
    static const uint8_t empty[] = {0x30, 0x00};
    return KW_SPAN_ARRAY(empty);
}

struct pki {
    struct privkey *root_key, *sub_key, *ocsp_key, *leaf_key;
    struct cert *root, *sub, *ocsp, *idevid, *ldevid, *server;
    struct name root_dn, sub_dn, ocsp_dn, idevid_dn, ldevid_dn, server_dn;
};

static inline struct kw_span serial_of(uint8_t n)
{
    static uint8_t serials[256][16];

    memset(serials[n], 0x5a, sizeof(serials[n]));
    serials[n][0] = 0x13;
    serials[n][15] = n;
    return KW_SPAN_ARRAY(serials[n]);
}

static inline struct cert *issue(const struct cert_spec *spec, const struct privkey *issuer)
{
    struct kw_op op;
    struct cert *cert = NULL;
    AUTO(kw_bytes) *der = NULL;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, cert_build(&op, spec, issuer, &der));
    assert_ok(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    assert_span_equal(cert_der(cert), kw_bytes_span(der));
    return cert;
}

static inline struct cert_spec root_spec(struct pki *p)
{
    return (struct cert_spec){
        .issuer_dn = name_of(&p->root_dn, "Test Root", NULL),
        .subject_dn = kw_out_span(&p->root_dn.der),
        .serial = serial_of(1),
        .not_before = NOW - DAY,
        .not_after = NOW + 3650 * DAY,
        .key = privkey_public(p->root_key),
        .is_ca = true,
        .path_len = -1,
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    };
}

static inline struct cert_spec sub_spec(struct pki *p)
{
    return (struct cert_spec){
        .issuer_dn = kw_out_span(&p->root_dn.der),
        .subject_dn = name_of(&p->sub_dn, "Test Issuing CA", NULL),
        .serial = serial_of(2),
        .not_before = NOW - DAY,
        .not_after = NOW + 1825 * DAY,
        .key = privkey_public(p->sub_key),
        .issuer_key = privkey_public(p->root_key),
        .is_ca = true,
        .path_len = 0,
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
        .permit_dns = {"example.test", "localhost"},
        .permit_ip = {"127.0.0.0/255.0.0.0", "fd00::/ff00::"},
        .crl_url = "http://pki.example.test/crl/root",
        .ca_issuers_url = "http://pki.example.test/ca/root",
        .policy_oid = {"1.3.6.1.4.1.54321.2"},
    };
}

static inline struct cert_spec leaf_spec(struct pki *p, struct kw_span subject_dn, uint8_t serial)
{
    return (struct cert_spec){
        .issuer_dn = kw_out_span(&p->sub_dn.der),
        .subject_dn = subject_dn,
        .serial = serial_of(serial),
        .not_before = NOW - DAY,
        .not_after = NOW + 365 * DAY,
        .key = privkey_public(p->leaf_key),
        .issuer_key = privkey_public(p->sub_key),
        .path_len = -1,
        .key_usage = CERT_KU_DIGITAL_SIGNATURE,
        .crl_url = "http://pki.example.test/crl/sub",
        .ocsp_url = "http://ocsp.example.test/",
        .ca_issuers_url = "http://pki.example.test/ca/sub",
        .policy_oid = {"1.3.6.1.4.1.54321.2"},
    };
}

static inline struct cert_spec idevid_spec(struct pki *p)
{
    struct cert_spec spec = leaf_spec(p, name_of(&p->idevid_dn, "DEV1", "SN-0001"), 3);

    spec.not_after = KW_TIME_NEVER;
    spec.hw_type = OID_HW_TYPE;
    spec.hw_serial = kw_span_text("SN-0001");
    return spec;
}

static inline struct cert_spec ldevid_spec(struct pki *p)
{
    struct cert_spec spec = leaf_spec(p, name_of(&p->ldevid_dn, "DEV1", NULL), 4);

    spec.eku[0] = OID_CLIENT_AUTH;
    spec.san_uri[0] = "urn:example:device:DEV1";
    return spec;
}

static inline struct cert_spec server_spec(struct pki *p)
{
    struct cert_spec spec = leaf_spec(p, name_of(&p->server_dn, "gate", NULL), 5);

    spec.eku[0] = OID_SERVER_AUTH;
    spec.san_dns[0] = "gate.example.test";
    spec.san_dns[1] = "localhost";
    spec.san_ip[0] = "127.0.0.1";
    spec.san_ip[1] = "fd00::1";
    return spec;
}

static inline struct cert_spec ocsp_spec(struct pki *p)
{
    struct cert_spec spec = leaf_spec(p, name_of(&p->ocsp_dn, "Test OCSP", NULL), 6);

    spec.key = privkey_public(p->ocsp_key);
    spec.eku[0] = OID_OCSP_SIGNING;
    spec.ocsp_nocheck = true;
    spec.ocsp_url = NULL;
    spec.crl_url = NULL;
    return spec;
}

static inline struct pki *pki_new(enum key_alg ca_alg)
{
    struct pki *p = calloc(1, sizeof(*p));
    struct privkey **keys[] = {&p->root_key, &p->sub_key, &p->ocsp_key, &p->leaf_key};
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    for (size_t i = 0; i < KW_COUNT(keys); i++) {
        assert_ok(&op, privkey_generate(&op, i < 2 ? ca_alg : KEY_ALG_EC_P256, keys[i]));
    }
    struct cert_spec spec = root_spec(p);
    p->root = issue(&spec, p->root_key);
    spec = sub_spec(p);
    p->sub = issue(&spec, p->root_key);
    spec = idevid_spec(p);
    p->idevid = issue(&spec, p->sub_key);
    spec = ldevid_spec(p);
    p->ldevid = issue(&spec, p->sub_key);
    spec = server_spec(p);
    p->server = issue(&spec, p->sub_key);
    spec = ocsp_spec(p);
    p->ocsp = issue(&spec, p->sub_key);
    return p;
}

static inline void pki_free(struct pki *p)
{
    struct cert *certs[] = {p->root, p->sub, p->ocsp, p->idevid, p->ldevid, p->server};
    struct privkey *keys[] = {p->root_key, p->sub_key, p->ocsp_key, p->leaf_key};

    for (size_t i = 0; i < KW_COUNT(certs); i++) {
        cert_unref(certs[i]);
    }
    for (size_t i = 0; i < KW_COUNT(keys); i++) {
        privkey_unref(keys[i]);
    }
    free(p);
}
KW_OWNED(pki, struct pki, pki_free)

/* The TBS inside SIGNED{}, as a keeper gets it. */
static inline struct kw_span tbs_of(struct kw_span der)
{
    const unsigned char *p = der.p;
    long len = 0;
    int tag = 0;
    int class = 0;

    assert_int_equal(ASN1_get_object(&p, &len, &tag, &class, (long)der.len) & 0x80, 0);
    const unsigned char *tbs = p;
    assert_int_equal(ASN1_get_object(&p, &len, &tag, &class, len) & 0x80, 0);
    return KW_SPAN(tbs, (size_t)(p - tbs) + (size_t)len);
}

/* How often does this run of octets stand in there? */
static inline unsigned occurrences(struct kw_span in, const char *hex)
{
    AUTO(kw_bytes) *run = from_hex(hex);
    unsigned n = 0;

    for (size_t i = 0; i + run->len <= in.len; i++) {
        n += memcmp(in.p + i, run->p, run->len) == 0;
    }
    return n;
}

/* Hand every truncation, every flipped bit and every octet set to 00, 80 and FF to a parser. */
static inline void damage_everywhere(struct kw_span der, void (*take)(struct kw_span, void *),
                                     void *ctx)
{
    AUTO(kw_bytes) *copy = NULL;

    assert_true(kw_ok(kw_bytes_copy(der, &copy)));
    for (size_t n = 0; n < der.len; n++) {
        AUTO(kw_bytes) *cut = NULL; /* of its own, so that a sanitizer sees a read beyond */
        assert_true(kw_ok(kw_bytes_copy(KW_SPAN(der.p, n), &cut)));
        take(kw_bytes_span(cut), ctx);
    }
    for (size_t i = 0; i < der.len; i++) {
        static const uint8_t values[] = {0x00, 0x80, 0xff};
        for (int bit = 0; bit < 8; bit++) {
            copy->p[i] = (uint8_t)(der.p[i] ^ 1u << bit);
            take(kw_bytes_span(copy), ctx);
        }
        for (size_t v = 0; v < sizeof(values); v++) {
            copy->p[i] = values[v];
            take(kw_bytes_span(copy), ctx);
        }
        copy->p[i] = der.p[i];
    }
}

#endif
