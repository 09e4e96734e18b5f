/* TBSCertificates, written octet by octet: OpenSSL's templates take ten times as long. */
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/cert_ext.h"
#include "crypto/der_write.h"
#include "crypto/dn.h"
#include "crypto/signed.h"

enum { TBS_USUAL = 1024, TAG_VERSION = 0xa0, TAG_EXTENSIONS = 0xa3, V3 = 2 };

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
    ENSURE(op, spec->not_before >= 0 && spec->not_after <= KW_TIME_NEVER, KW_E_INPUT,
           "time out of range");
    ENSURE(op, spec->serial.len >= 8 && spec->serial.len <= KW_SERIAL_MAX, KW_E_INPUT,
           "a serial number of %zu octets", spec->serial.len);
    ENSURE(op, spec->serial.p[0] != 0, KW_E_INPUT, "the serial number has leading zeroes");
    ENSURE(op, spec->serial.len < KW_SERIAL_MAX || spec->serial.p[0] < 0x80, KW_E_INPUT,
           "the serial number needs a 21st octet for its sign");
    ENSURE(op, !cert_is_empty_name(spec->subject_dn) || (cert_spec_has_san(spec) && !spec->is_ca),
           KW_E_INPUT, "nobody is named: the subject is empty");
    ENSURE(op, !cert_is_empty_name(spec->issuer_dn), KW_E_INPUT, "the issuer has no name");
    ENSURE(op, spec->is_ca || (!cert_spec_has_constraints(spec) && spec->path_len <= 0), KW_E_INPUT,
           "only a CA has name constraints or a path length");
    ENSURE(op, spec->is_ca || !(spec->key_usage & CERT_KU_KEY_CERT_SIGN), KW_E_INPUT,
           "only a CA signs certificates");
    ENSURE(op, !spec->is_ca || spec->key_usage & CERT_KU_KEY_CERT_SIGN, KW_E_INPUT,
           "a CA signs certificates: its key usage must say so");
    ENSURE(op, !(spec->key_usage & impossible_usage(pubkey_alg(spec->key))), KW_E_INPUT,
           "key usage that a key of '%s' cannot have", key_alg_text(pubkey_alg(spec->key)));
    return KW_OK;
}

static void put_version(struct der_writer *w)
{
    size_t at = der_open(w, TAG_VERSION);

    der_put_int(w, V3);
    der_close(w, at);
}

static void put_validity(struct der_writer *w, const struct cert_spec *spec)
{
    size_t at = der_open(w, DER_SEQUENCE);

    der_put_cert_time(w, spec->not_before);
    der_put_cert_time(w, spec->not_after);
    der_close(w, at);
}

static kw_status put_fields(struct kw_op *op, const struct cert_spec *spec, enum key_alg issuer_alg,
                            struct der_writer *w)
{
    struct kw_span sig_alg = der_sig_alg(issuer_alg);

    ENSURE(op, sig_alg.len > 0, KW_E_UNSUPPORTED, "no signature algorithm for a key of '%s'",
           key_alg_text(issuer_alg));
    TRY(op, dn_check(op, spec->issuer_dn, "issuer name"));
    TRY(op, dn_check(op, spec->subject_dn, "subject name"));
    put_version(w);
    der_put_magnitude(w, spec->serial);
    der_copy(w, sig_alg);
    der_copy(w, spec->issuer_dn);
    put_validity(w, spec);
    der_copy(w, spec->subject_dn);
    der_copy(w, pubkey_spki(spec->key));
    return KW_OK;
}

static kw_status put_tbs(struct kw_op *op, const struct cert_spec *spec, enum key_alg issuer_alg,
                         struct der_writer *w)
{
    size_t tbs = der_open(w, DER_SEQUENCE);

    TRY(op, put_fields(op, spec, issuer_alg, w));
    size_t holder = der_open(w, TAG_EXTENSIONS);
    size_t list = der_open(w, DER_SEQUENCE);
    TRY(op, cert_ext_put_all(op, spec, w));
    der_close(w, list);
    der_close(w, holder);
    der_close(w, tbs);
    return der_written(w);
}

kw_status cert_build(struct kw_op *op, const struct cert_spec *spec, const struct privkey *issuer,
                     struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, check_spec(op, spec, issuer), "describing a certificate");
    TRY(op, kw_bytes_new(TBS_USUAL, &der));
    struct der_writer w = der_writer_of(der);
    TRY(op, put_tbs(op, spec, pubkey_alg(privkey_public(issuer)), &w), "building a certificate");
    if (spec->check) {
        TRY(op, spec->check(op, kw_bytes_span(der), spec->check_ctx),
            "checking it before it is signed");
    }
    TRY(op, signed_build(op, kw_bytes_span(der), issuer, ret), "signing a certificate");
    return KW_OK;
}
