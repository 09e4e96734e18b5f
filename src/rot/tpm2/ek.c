#include "rot/tpm2/ek.h"

KW_OWNED(TPM2B_NV_PUBLIC, TPM2B_NV_PUBLIC, Esys_Free)
KW_OWNED(TPM2B_MAX_NV_BUFFER, TPM2B_MAX_NV_BUFFER, Esys_Free)

enum {
    NV_CHUNK = 512, /* what each TPM gives at a time (PC Client profile) */
    CERT_MAX = 8192,
    DER_HEAD = 4, /* SEQUENCE with a length of two octets: no certificate is shorter or longer */
};

#define EK_ATTRIBUTES                                                                              \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |            \
     TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

/* TPM2_PolicySecret(TPM_RH_ENDORSEMENT): PolicyA of the profile. */
#define EK_POLICY                                                                                  \
    {                                                                                              \
        .size = 32, .buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,   \
                               0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,   \
                               0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa} \
}

/* clang-format off */
static const TPM2B_PUBLIC rsa_2048 = {
    .publicArea = {
        .type = TPM2_ALG_RSA,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = EK_ATTRIBUTES,
        .authPolicy = EK_POLICY,
        .parameters.rsaDetail = {
            .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
            .scheme.scheme = TPM2_ALG_NULL,
            .keyBits = 2048,
            .exponent = 0,
        },
        .unique.rsa.size = 256,
    },
};

static const TPM2B_PUBLIC ecc_p256 = {
    .publicArea = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = EK_ATTRIBUTES,
        .authPolicy = EK_POLICY,
        .parameters.eccDetail = {
            .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
            .scheme.scheme = TPM2_ALG_NULL,
            .curveID = TPM2_ECC_NIST_P256,
            .kdf.scheme = TPM2_ALG_NULL,
        },
        .unique.ecc = {.x.size = 32, .y.size = 32},
    },
};

/* In order of preference: making a P-256 key costs a TPM a tenth of an RSA key. */
static const struct tpm2_ek_form forms[] = {
    {0x01c0000a, 0x81010002, &ecc_p256},
    {0x01c00002, 0x81010001, &rsa_2048},
};
/* clang-format on */

kw_status tpm2_ek_choose(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                         const struct tpm2_ek_form **ret)
{
    for (size_t i = 0; i < KW_COUNT(forms); i++) {
        ESYS_TR index = ESYS_TR_NONE;
        TRY(op, tpm2_session_find(op, s, forms[i].certificate, &index));
        if (index != ESYS_TR_NONE) {
            *ret = &forms[i];
            return KW_OK;
        }
    }
    *ret = self->algs & KEY_ALG_BIT(KEY_ALG_EC_P256) ? &forms[0] : &forms[1];
    return KW_OK;
}

/* --- the certificate --- */

static kw_status read_chunk(struct kw_op *op, struct tpm2_session *s, ESYS_TR index, ESYS_TR auth,
                            uint16_t size, struct kw_bytes *to)
{
    AUTO(TPM2B_MAX_NV_BUFFER) *chunk = NULL;

    TSS2_RC rc = Esys_NV_Read(s->esys, auth, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                              size, (uint16_t)to->len, &chunk);
    TRY(op, tpm2_status(op, s, rc));
    ENSURE(op, chunk->size == size, KW_E_DEVICE, "the TPM gave %u octets instead of %u",
           chunk->size, size);
    return kw_bytes_append(to, KW_SPAN(chunk->buffer, chunk->size));
}

static kw_status read_index(struct kw_op *op, struct tpm2_session *s, ESYS_TR index,
                            struct kw_bytes **ret)
{
    AUTO(TPM2B_NV_PUBLIC) *about = NULL;
    AUTO(kw_bytes) *all = NULL;

    TRY(op, tpm2_status(op, s,
                        Esys_NV_ReadPublic(s->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                           &about, NULL)));
    size_t left = about->nvPublic.dataSize;
    ENSURE(op, left <= CERT_MAX, KW_E_DEVICE, "%zu octets are too many for a certificate", left);
    TRY(op, kw_bytes_new(left, &all));
    bool by_owner = (about->nvPublic.attributes & TPMA_NV_OWNERREAD) != 0;
    while (left > 0) {
        uint16_t size = (uint16_t)(left < NV_CHUNK ? left : NV_CHUNK);
        TRY(op, read_chunk(op, s, index, by_owner ? ESYS_TR_RH_OWNER : index, size, all));
        left -= size;
    }
    *ret = TAKE(all);
    return KW_OK;
}

/* Manufacturers pad behind it. 0: no DER. */
static size_t der_length(struct kw_span octets)
{
    bool head = octets.len >= DER_HEAD && octets.p[0] == 0x30 && octets.p[1] == 0x82;
    size_t len = head ? DER_HEAD + (((size_t)octets.p[2] << 8) | octets.p[3]) : 0;
    return len <= octets.len ? len : 0;
}

kw_status tpm2_ek_certificate(struct kw_op *op, struct tpm2_session *s,
                              const struct tpm2_ek_form *form, struct kw_bytes **ret)
{
    ESYS_TR index = ESYS_TR_NONE;
    AUTO(kw_bytes) *octets = NULL;

    TRY(op, tpm2_session_find(op, s, form->certificate, &index));
    if (index == ESYS_TR_NONE) {
        return kw_bytes_new(0, ret);
    }
    TRY(op, read_index(op, s, index, &octets), "reading the EK certificate at 0x%08x",
        form->certificate);
    size_t len = der_length(kw_bytes_span(octets));
    ENSURE(op, len > 0, KW_E_DEVICE, "what lies at 0x%08x is no certificate", form->certificate);
    octets->len = len;
    *ret = TAKE(octets);
    return KW_OK;
}

/* --- the key --- */

static bool fits(const TPMT_PUBLIC *area, const TPMT_PUBLIC *ours)
{
    return area->type == ours->type && area->nameAlg == ours->nameAlg &&
           area->objectAttributes == ours->objectAttributes &&
           kw_span_equal(KW_SPAN(area->authPolicy.buffer, area->authPolicy.size),
                         KW_SPAN(ours->authPolicy.buffer, ours->authPolicy.size));
}

static kw_status read_public(struct kw_op *op, struct tpm2_session *s, ESYS_TR object,
                             TPM2B_PUBLIC **ret)
{
    TRY(op, tpm2_status(op, s,
                        Esys_ReadPublic(s->esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        ret, NULL, NULL)));
    return KW_OK;
}

/* *ret is ESYS_TR_NONE where nobody left the key there. */
static kw_status open_persistent(struct kw_op *op, struct tpm2_session *s,
                                 const struct tpm2_ek_form *form, ESYS_TR *ret,
                                 TPM2B_PUBLIC **ret_public)
{
    ESYS_TR object = ESYS_TR_NONE;
    AUTO(TPM2B_PUBLIC) *area = NULL;

    TRY(op, tpm2_session_find(op, s, form->persistent, &object));
    if (object == ESYS_TR_NONE) {
        return KW_OK;
    }
    TRY(op, read_public(op, s, object, &area), "reading handle 0x%08x", form->persistent);
    if (fits(&area->publicArea, &form->template_->publicArea)) {
        *ret = object;
        *ret_public = TAKE(area);
    }
    return KW_OK;
}

kw_status tpm2_ek_open(struct kw_op *op, struct tpm2_session *s, const struct tpm2_ek_form *form,
                       ESYS_TR *ret, TPM2B_PUBLIC **ret_public)
{
    static const TPM2B_SENSITIVE_CREATE no_secret;
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcrs;
    ESYS_TR object = ESYS_TR_NONE;

    TRY(op, open_persistent(op, s, form, ret, ret_public));
    if (*ret_public) {
        return KW_OK;
    }
    TSS2_RC rc = Esys_CreatePrimary(s->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &no_secret, form->template_, &no_data, &no_pcrs,
                                    &object, NULL, NULL, NULL, NULL);
    TRY(op, tpm2_status(op, s, rc), "making the endorsement key");
    TRY(op, tpm2_session_keep(op, s, object));
    TRY(op, read_public(op, s, object, ret_public), "reading the endorsement key");
    *ret = object;
    return KW_OK;
}
