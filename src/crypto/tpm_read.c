#include "crypto/tpm_read.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/reader.h"
#include "crypto/digest.h"
#include "crypto/ecdsa_raw.h"
#include "crypto/openssl.h"

enum {
    POLICY_MAX = 64,   /* a SHA-512 digest */
    MODULUS_MAX = 512, /* RSA-4096 */
    COORDINATE = 32,   /* P-256 */
    NAME_MAX_ = 66,
    EXTRA_MAX = 64,
    SELECTIONS_MAX = 16,
    CURVE_P256 = 3,
};

KW_OWNED(OSSL_PARAM_BLD, OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
KW_OWNED(OSSL_PARAM, OSSL_PARAM, OSSL_PARAM_free)

/* --- public areas ----------------------------------------------------------------------------- */

static void read_symmetric(struct kw_reader *r, struct tpm_public *ret)
{
    ret->symmetric = kw_reader_u16(r);
    if (ret->symmetric != TPM_ALG_NULL) {
        ret->symmetric_bits = kw_reader_u16(r);
        ret->symmetric_mode = kw_reader_u16(r);
    }
}

static void read_scheme(struct kw_reader *r, struct tpm_public *ret)
{
    ret->scheme = kw_reader_u16(r);
    if (ret->scheme != TPM_ALG_NULL) {
        ret->scheme_hash = kw_reader_u16(r);
    }
}

static void read_rsa(struct kw_reader *r, struct tpm_public *ret)
{
    read_symmetric(r, ret);
    read_scheme(r, ret);
    ret->bits = kw_reader_u16(r);
    ret->exponent = kw_reader_u32(r);
    ret->n = kw_reader_span16(r, MODULUS_MAX);
}

static void read_ecc(struct kw_reader *r, struct tpm_public *ret)
{
    read_symmetric(r, ret);
    read_scheme(r, ret);
    ret->curve = kw_reader_u16(r);
    if (kw_reader_u16(r) != TPM_ALG_NULL) { /* a key derivation scheme: no key of ours has one */
        kw_reader_reject(r);
    }
    ret->x = kw_reader_span16(r, COORDINATE);
    ret->y = kw_reader_span16(r, COORDINATE);
}

static kw_status read_area(struct kw_op *op, struct kw_span area, struct tpm_public *ret)
{
    struct kw_reader r = kw_reader_of(area);

    memset(ret, 0, sizeof(*ret));
    ret->area = area;
    ret->type = kw_reader_u16(&r);
    ret->name_alg = kw_reader_u16(&r);
    ret->attributes = kw_reader_u32(&r);
    (void)kw_reader_span16(&r, POLICY_MAX);
    ENSURE(op, ret->type == TPM_ALG_RSA || ret->type == TPM_ALG_ECC, KW_E_UNSUPPORTED,
           "a TPM key of type 0x%04x", ret->type);
    if (ret->type == TPM_ALG_RSA) {
        read_rsa(&r, ret);
    } else {
        read_ecc(&r, ret);
    }
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INPUT, "not a TPM's public area");
    ENSURE(op, ret->name_alg == TPM_ALG_SHA256, KW_E_UNSUPPORTED, "a name that is not SHA-256");
    ret->name[0] = TPM_ALG_SHA256 >> 8;
    ret->name[1] = TPM_ALG_SHA256 & 0xff;
    digest_sha256(area, ret->name + 2);
    return KW_OK;
}

kw_status tpm_public_read(struct kw_op *op, struct kw_span octets, bool with_size,
                          struct tpm_public *ret)
{
    struct kw_reader r = kw_reader_of(octets);

    if (!with_size) {
        return read_area(op, octets, ret);
    }
    struct kw_span area = kw_reader_span16(&r, octets.len);
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INPUT, "not a TPM2B_PUBLIC");
    return read_area(op, area, ret);
}

/* --- as SubjectPublicKeyInfo ------------------------------------------------------------------ */

static kw_status ecc_spki(struct kw_op *op, const struct tpm_public *area, struct kw_bytes **ret)
{
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    uint8_t point[2 * COORDINATE] = {0};
    AUTO(kw_bytes) *spki = NULL;

    ENSURE(op, area->curve == CURVE_P256 && area->x.len > 0 && area->y.len > 0, KW_E_UNSUPPORTED,
           "a TPM key on curve %u", area->curve);
    memcpy(point + COORDINATE - area->x.len, area->x.p, area->x.len);
    memcpy(point + 2 * COORDINATE - area->y.len, area->y.p, area->y.len);
    TRY(op, kw_bytes_new(sizeof(head) + sizeof(point), &spki));
    TRY(op, kw_bytes_append(spki, KW_SPAN_ARRAY(head)));
    TRY(op, kw_bytes_append(spki, KW_SPAN_ARRAY(point)));
    *ret = TAKE(spki);
    return KW_OK;
}

static kw_status rsa_key(struct kw_op *op, const struct tpm_public *area, EVP_PKEY **ret)
{
    AUTO(OSSL_PARAM_BLD) *build = OSSL_PARAM_BLD_new();
    AUTO(BIGNUM) *n = BN_bin2bn(area->n.p, (int)area->n.len, NULL);
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    unsigned long e = area->exponent ? area->exponent : 65537;

    OSSL_ENSURE(op,
                build && n && ctx && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
                    OSSL_PARAM_BLD_push_ulong(build, OSSL_PKEY_PARAM_RSA_E, e),
                KW_E_MEMORY, "reading a TPM's key");
    AUTO(OSSL_PARAM) *params = OSSL_PARAM_BLD_to_param(build);
    OSSL_ENSURE(op,
                params && EVP_PKEY_fromdata_init(ctx) == 1 &&
                    EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_PUBLIC_KEY, params) == 1,
                KW_E_INPUT, "reading a TPM's key");
    return KW_OK;
}

static kw_status rsa_spki(struct kw_op *op, const struct tpm_public *area, struct kw_bytes **ret)
{
    AUTO(EVP_PKEY) *key = NULL;
    unsigned char *der = NULL;

    ENSURE(op,
           (area->bits == 2048 || area->bits == 3072 || area->bits == 4096) &&
               area->n.len == area->bits / 8 && (area->n.p[0] & 0x80) &&
               (area->n.p[area->n.len - 1] & 1),
           KW_E_UNSUPPORTED, "a TPM's RSA key of %u bits", area->bits);
    TRY(op, rsa_key(op, area, &key));
    int n = i2d_PUBKEY(key, &der);
    OSSL_ENSURE(op, n > 0, KW_E_MEMORY, "reading a TPM's key");
    kw_status status = kw_bytes_copy(KW_SPAN(der, (size_t)n), ret);
    OPENSSL_free(der);
    return status;
}

kw_status tpm_public_spki(struct kw_op *op, const struct tpm_public *area, struct kw_bytes **ret)
{
    return area->type == TPM_ALG_RSA ? rsa_spki(op, area, ret) : ecc_spki(op, area, ret);
}

/* --- statements ------------------------------------------------------------------------------- */

static void read_selection(struct kw_reader *r, bool only, struct tpm_statement *ret)
{
    uint16_t hash = kw_reader_u16(r);
    uint8_t n = kw_reader_u8(r);
    struct kw_span mask = kw_reader_take(r, n);

    if (only && hash == TPM_ALG_SHA256 && n == sizeof(ret->pcr_mask) && mask.len == n) {
        memcpy(ret->pcr_mask, mask.p, n);
        ret->one_sha256_bank = true;
    }
}

static void read_quote(struct kw_reader *r, struct tpm_statement *ret)
{
    uint32_t n = kw_reader_u32(r);

    if (n > SELECTIONS_MAX) {
        kw_reader_reject(r);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        read_selection(r, n == 1, ret);
    }
    ret->pcr_digest = kw_reader_span16(r, EXTRA_MAX);
}

static void read_attested(struct kw_reader *r, struct tpm_statement *ret)
{
    if (ret->kind == TPM_STATEMENT_QUOTE) {
        read_quote(r, ret);
    } else if (ret->kind == TPM_STATEMENT_CERTIFY) {
        ret->name = kw_reader_span16(r, NAME_MAX_);
        (void)kw_reader_span16(r, NAME_MAX_);
    } else { /* another kind: the caller sees which */
        (void)kw_reader_take(r, r->rest.len);
    }
}

kw_status tpm_statement_read(struct kw_op *op, struct kw_span octets, struct tpm_statement *ret)
{
    struct kw_reader r = kw_reader_of(octets);

    memset(ret, 0, sizeof(*ret));
    ret->magic = kw_reader_u32(&r);
    ret->kind = kw_reader_u16(&r);
    ret->signer = kw_reader_span16(&r, NAME_MAX_);
    ret->extra = kw_reader_span16(&r, EXTRA_MAX);
    ret->clock_ms = kw_reader_u64(&r);
    ret->reset_count = kw_reader_u32(&r);
    ret->restart_count = kw_reader_u32(&r);
    ret->clock_safe = kw_reader_u8(&r) == 1;
    ret->firmware = kw_reader_u64(&r);
    read_attested(&r, ret);
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INPUT, "not a TPM's statement");
    return KW_OK;
}

kw_status tpm_signature_verify(struct kw_op *op, const struct pubkey *key, struct kw_span octets,
                               struct kw_span signature)
{
    struct kw_reader r = kw_reader_of(signature);
    uint8_t raw[ECDSA_RAW_BYTES] = {0}, room[KW_SIG_MAX];
    struct kw_out der = KW_OUT_ARRAY(room);
    uint16_t scheme = kw_reader_u16(&r);
    uint16_t hash = kw_reader_u16(&r);
    struct kw_span x = kw_reader_span16(&r, COORDINATE);
    struct kw_span y = kw_reader_span16(&r, COORDINATE);

    ENSURE(op, kw_ok(kw_reader_end(&r)) && scheme == TPM_ALG_ECDSA && hash == TPM_ALG_SHA256,
           KW_E_INPUT, "not an ECDSA signature with SHA-256");
    ENSURE(op, pubkey_alg(key) == KEY_ALG_EC_P256, KW_E_INPUT, "the key is not P-256");
    /* Some TPMs give leading zeroes, others leave them out. */
    memcpy(raw + COORDINATE - x.len, x.p, x.len);
    memcpy(raw + 2 * COORDINATE - y.len, y.p, y.len);
    TRY(op, ecdsa_raw_to_der(op, raw, &der));
    return pubkey_verify(op, key, octets, kw_out_span(&der));
}
