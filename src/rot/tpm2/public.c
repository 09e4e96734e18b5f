#include "rot/tpm2/public.h"

#include <openssl/core_names.h>
#include <stdio.h>
#include <tss2/tss2_mu.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "rot/rot.h"

enum { COORDINATE_MAX = 48, POINT_MAX = 1 + 2 * COORDINATE_MAX };

const TPM2B_PUBLIC tpm2_srk_template = {
    .publicArea =
        {
                     .type = TPM2_ALG_ECC,
                     .nameAlg = TPM2_ALG_SHA256,
                     .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
                     .parameters.eccDetail =
                {
                    .symmetric = {.algorithm = TPM2_ALG_AES,
                                  .keyBits.aes = 128,
                                  .mode.aes = TPM2_ALG_CFB},
                    .scheme.scheme = TPM2_ALG_NULL,
                    .curveID = TPM2_ECC_NIST_P256,
                    .kdf.scheme = TPM2_ALG_NULL,
                }, .unique.ecc = {.x.size = 32, .y.size = 32},
                     },
};

const TPM2B_PUBLIC tpm2_sealed_template = {
    .publicArea =
        {
                     .type = TPM2_ALG_KEYEDHASH,
                     .nameAlg = TPM2_ALG_SHA256,
                     .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
                     .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
                     },
};

static const TPMA_OBJECT signing_attributes =
    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT;

static const struct tpm2_curve curves[] = {
    {KEY_ALG_EC_P256, TPM2_ECC_NIST_P256, TPM2_ALG_SHA256, 32, "P-256", "SHA256"},
    {KEY_ALG_EC_P384, TPM2_ECC_NIST_P384, TPM2_ALG_SHA384, 48, "P-384", "SHA384"},
};

/* Words of tpm2-tools, in their order. */
static const struct {
    TPMA_OBJECT bit;
    const char *word;
} attribute_words[] = {
    {TPMA_OBJECT_FIXEDTPM,             "fixedtpm"            },
    {TPMA_OBJECT_STCLEAR,              "stclear"             },
    {TPMA_OBJECT_FIXEDPARENT,          "fixedparent"         },
    {TPMA_OBJECT_SENSITIVEDATAORIGIN,  "sensitivedataorigin" },
    {TPMA_OBJECT_USERWITHAUTH,         "userwithauth"        },
    {TPMA_OBJECT_ADMINWITHPOLICY,      "adminwithpolicy"     },
    {TPMA_OBJECT_NODA,                 "noda"                },
    {TPMA_OBJECT_ENCRYPTEDDUPLICATION, "encryptedduplication"},
    {TPMA_OBJECT_RESTRICTED,           "restricted"          },
    {TPMA_OBJECT_DECRYPT,              "decrypt"             },
    {TPMA_OBJECT_SIGN_ENCRYPT,         "sign"                },
};

const struct tpm2_curve *tpm2_curve_of(enum key_alg alg)
{
    for (size_t i = 0; i < KW_COUNT(curves); i++) {
        if (curves[i].alg == alg) {
            return &curves[i];
        }
    }
    return NULL;
}

TPM2B_PUBLIC tpm2_signing_template(const struct tpm2_curve *curve)
{
    return (TPM2B_PUBLIC){
        .publicArea =
            {
                         .type = TPM2_ALG_ECC,
                         .nameAlg = TPM2_ALG_SHA256,
                         .objectAttributes = signing_attributes,
                         .parameters.eccDetail =
                    {
                        .symmetric.algorithm = TPM2_ALG_NULL,
                        .scheme.scheme = TPM2_ALG_NULL,
                        .curveID = curve->id,
                        .kdf.scheme = TPM2_ALG_NULL,
                    }, },
    };
}

TPM2B_PUBLIC tpm2_attesting_template(const struct tpm2_curve *curve)
{
    TPM2B_PUBLIC form = tpm2_signing_template(curve);
    TPMS_ECC_PARMS *parms = &form.publicArea.parameters.eccDetail;
    form.publicArea.objectAttributes |= TPMA_OBJECT_RESTRICTED;
    parms->scheme.scheme = TPM2_ALG_ECDSA; /* a restricted key has its scheme in it */
    parms->scheme.details.ecdsa.hashAlg = curve->hash;
    return form;
}

bool tpm2_public_fits(const TPMT_PUBLIC *area, const TPM2B_PUBLIC *template_)
{
    const TPMT_PUBLIC *ours = &template_->publicArea;
    const TPMS_ECC_PARMS *is = &area->parameters.eccDetail;
    const TPMS_ECC_PARMS *want = &ours->parameters.eccDetail;
    bool scheme = is->scheme.scheme == want->scheme.scheme &&
                  (want->scheme.scheme == TPM2_ALG_NULL ||
                   is->scheme.details.ecdsa.hashAlg == want->scheme.details.ecdsa.hashAlg);
    return area->type == TPM2_ALG_ECC && area->nameAlg == ours->nameAlg &&
           area->objectAttributes == ours->objectAttributes && area->authPolicy.size == 0 &&
           is->curveID == want->curveID && scheme;
}

bool tpm2_public_is_srk(const TPMT_PUBLIC *area)
{
    const TPMT_PUBLIC *ours = &tpm2_srk_template.publicArea;
    const TPMS_ECC_PARMS *parms = &area->parameters.eccDetail;
    return area->type == ours->type && area->nameAlg == ours->nameAlg &&
           area->objectAttributes == ours->objectAttributes && area->authPolicy.size == 0 &&
           parms->curveID == ours->parameters.eccDetail.curveID &&
           parms->symmetric.algorithm == TPM2_ALG_AES && parms->symmetric.keyBits.aes == 128 &&
           parms->symmetric.mode.aes == TPM2_ALG_CFB && parms->scheme.scheme == TPM2_ALG_NULL;
}

kw_status tpm2_public_name(struct kw_op *op, const TPMT_PUBLIC *area, uint8_t ret[TPM2_NAME_BYTES])
{
    uint8_t octets[sizeof(TPMT_PUBLIC)];
    size_t len = 0;

    ENSURE(op, area->nameAlg == TPM2_ALG_SHA256, KW_E_UNSUPPORTED, "name algorithm 0x%04x",
           area->nameAlg);
    ENSURE(op, Tss2_MU_TPMT_PUBLIC_Marshal(area, octets, sizeof(octets), &len) == TSS2_RC_SUCCESS,
           KW_E_DEVICE, "the TPM's public area makes no sense");
    ret[0] = TPM2_ALG_SHA256 >> 8;
    ret[1] = TPM2_ALG_SHA256 & 0xff;
    digest_sha256(KW_SPAN(octets, len), ret + 2);
    return KW_OK;
}

/* Big-endian, in the field's full width. */
static bool put_coordinate(const TPM2B_ECC_PARAMETER *from, uint8_t *to, unsigned n_bytes)
{
    if (from->size > n_bytes) {
        return false;
    }
    memset(to, 0, n_bytes);
    memcpy(to + n_bytes - from->size, from->buffer, from->size);
    return true;
}

kw_status tpm2_public_key(struct kw_op *op, const TPMT_PUBLIC *area, const struct tpm2_curve *curve,
                          struct pubkey **ret)
{
    uint8_t point[POINT_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    char group[16];
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    AUTO(EVP_PKEY) *pkey = NULL;

    ENSURE(op, ctx, KW_E_MEMORY);
    ENSURE(op,
           put_coordinate(&area->unique.ecc.x, point + 1, curve->n_bytes) &&
               put_coordinate(&area->unique.ecc.y, point + 1 + curve->n_bytes, curve->n_bytes),
           KW_E_DEVICE, "the TPM's point is too large for its curve");
    (void)KW_TEXT_SET(group, curve->group); /* OSSL_PARAM wants a writable text */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
                                          1 + 2 * (size_t)curve->n_bytes),
        OSSL_PARAM_construct_end(),
    };
    OSSL_ENSURE(op, EVP_PKEY_fromdata_init(ctx) == 1, KW_E_INTERNAL, "reading the TPM's key");
    OSSL_ENSURE(op, EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1, KW_E_DEVICE,
                "reading the TPM's key");
    TRY(op, pubkey_from_evp(op, pkey, ret));
    return KW_OK;
}

void tpm2_attributes_text(TPMA_OBJECT attributes, char *text, size_t cap)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < KW_COUNT(attribute_words) && at < cap; i++) {
        if (attributes & attribute_words[i].bit) {
            int n = snprintf(text + at, cap - at, "%s%s", at ? "|" : "", attribute_words[i].word);
            at += n > 0 ? (size_t)n : 0;
        }
    }
}

TPML_PCR_SELECTION tpm2_pcr_selection(uint32_t pcrs)
{
    const TPMS_PCR_SELECTION bank = {
        .hash = TPM2_ALG_SHA256,
        .sizeofSelect = ROT_PCR_MASK_BYTES,
        .pcrSelect = {(BYTE)pcrs, (BYTE)(pcrs >> 8), (BYTE)(pcrs >> 16)},
    };

    return (TPML_PCR_SELECTION){.count = 1, .pcrSelections = {bank}};
}
