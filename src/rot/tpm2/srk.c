/* The storage root key: parent of signing keys and sealed secrets, and salt of encrypted sessions.
 */
#include "rot/tpm2/device.h"

enum { SRK_OFFSET = 0x1 }; /* 0x81000001, TCG's place for it */

static const TPM2B_SENSITIVE_CREATE no_secret;
static const TPM2B_DATA no_data;
static const TPML_PCR_SELECTION no_pcrs;

/* *ret_name is what the TPM says that it is; judged by the caller. */
static kw_status read_name(struct kw_op *op, struct tpm2_session *s, ESYS_TR object,
                           bool *ret_is_srk, uint8_t ret_name[TPM2_NAME_BYTES])
{
    AUTO(TPM2B_PUBLIC) *area = NULL;

    TRY(op, tpm2_status(op, s,
                        Esys_ReadPublic(s->esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        &area, NULL, NULL)));
    *ret_is_srk = tpm2_public_is_srk(&area->publicArea);
    if (*ret_is_srk) {
        TRY(op, tpm2_public_name(op, &area->publicArea, ret_name));
    }
    return KW_OK;
}

static bool is_wanted(const uint8_t *want, const uint8_t name[TPM2_NAME_BYTES])
{
    return !want || kw_span_equal(KW_SPAN(want, TPM2_NAME_BYTES), KW_SPAN(name, TPM2_NAME_BYTES));
}

kw_status tpm2_srk_open(struct kw_op *op, struct tpm2_session *s, const uint8_t *want_name,
                        ESYS_TR *ret, uint8_t ret_name[TPM2_NAME_BYTES])
{
    uint8_t name[TPM2_NAME_BYTES];
    bool is_srk = false;
    ESYS_TR srk = ESYS_TR_NONE;

    TRY(op, tpm2_session_find(op, s, TPM2_HANDLE_BASE + SRK_OFFSET, &srk));
    if (srk != ESYS_TR_NONE) {
        TRY(op, read_name(op, s, srk, &is_srk, name), "reading the storage key");
    }
    if (!is_srk || !is_wanted(want_name, name)) {
        TSS2_RC rc = Esys_CreatePrimary(s->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                        ESYS_TR_NONE, &no_secret, &tpm2_srk_template, &no_data,
                                        &no_pcrs, &srk, NULL, NULL, NULL, NULL);
        TRY(op, tpm2_status(op, s, rc), "making the storage key");
        TRY(op, tpm2_session_keep(op, s, srk));
        TRY(op, read_name(op, s, srk, &is_srk, name), "reading the storage key");
        ENSURE(op, is_srk, KW_E_DEVICE, "the TPM made another storage key than asked for");
    }
    ENSURE(op, is_wanted(want_name, name), KW_E_INTEGRITY,
           "sealed by another TPM, or before this one was cleared");
    if (ret_name) {
        memcpy(ret_name, name, sizeof(name));
    }
    *ret = srk;
    return KW_OK;
}
