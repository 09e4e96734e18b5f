/*
 * Seal and unseal. The secret crosses the bus only as an encrypted parameter (AES-128-CFB) of an
 * HMAC session that is salted with the storage key. On unsealing that key's Name must be the one
 * that the blob remembers, so nobody on the bus can put another key in its place; on sealing it is
 * trusted as the TPM names it.
 */
#include "rot/tpm2/device.h"
#include "rot/tpm2/sealed.h"

static void wipe_sensitive(TPM2B_SENSITIVE_CREATE *sensitive)
{
    kw_wipe(sensitive, sizeof(*sensitive));
}

static void free_data(TPM2B_SENSITIVE_DATA **data)
{
    if (*data) {
        kw_wipe(*data, sizeof(**data));
        Esys_Free(*data);
    }
}

/* The policy "these PCRs as they are now", in a session that was started. */
static kw_status add_policy(struct kw_op *op, struct tpm2_session *s, ESYS_TR session,
                            uint32_t pcrs)
{
    const TPML_PCR_SELECTION selection = tpm2_pcr_selection(pcrs);

    TSS2_RC rc = Esys_PolicyPCR(s->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                                &selection);
    return tpm2_status(op, s, rc);
}

/* The public area of a seal: by policy where it is bound to PCRs. */
static kw_status template_of(struct kw_op *op, struct tpm2_session *s, ESYS_TR srk, uint32_t pcrs,
                             TPM2B_PUBLIC *ret)
{
    AUTO(TPM2B_DIGEST) *digest = NULL;
    ESYS_TR trial = ESYS_TR_NONE;

    *ret = tpm2_sealed_template;
    if (pcrs == 0) {
        return KW_OK;
    }
    TRY(op, tpm2_session_start_policy(op, s, srk, /* trial= */ true, &trial));
    TRY(op, add_policy(op, s, trial, pcrs), "reading the PCRs");
    TSS2_RC rc =
        Esys_PolicyGetDigest(s->esys, trial, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest);
    TRY(op, tpm2_status(op, s, rc), "the policy of the PCRs");
    ret->publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_USERWITHAUTH;
    ret->publicArea.authPolicy = *digest;
    tpm2_session_flush(s, trial);
    return KW_OK;
}

static kw_status create_sealed(struct kw_op *op, struct tpm2_session *s, ESYS_TR srk, ESYS_TR hmac,
                               const TPM2B_PUBLIC *form, const struct kw_secret *plain,
                               struct tpm2_sealed *ret)
{
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcrs;
    __attribute__((cleanup(wipe_sensitive))) TPM2B_SENSITIVE_CREATE sensitive = {0};
    AUTO(TPM2B_PRIVATE) *wrapped = NULL;
    AUTO(TPM2B_PUBLIC) *area = NULL;
    TPM2B_SENSITIVE_DATA *data = &sensitive.sensitive.data;
    struct kw_out room = {data->buffer, sizeof(data->buffer), 0};

    TRY(op, kw_out_set(&room, kw_secret_span(plain)), "no room for the secret");
    data->size = (UINT16)room.len;
    TSS2_RC rc = Esys_Create(s->esys, srk, hmac, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, form,
                             &no_data, &no_pcrs, &wrapped, &area, NULL, NULL, NULL);
    TRY(op, tpm2_status(op, s, rc), "sealing in the TPM");
    ret->area = *area;
    ret->wrapped = *wrapped;
    return KW_OK;
}

kw_status tpm2_seal(struct kw_op *op, void *opaque, const struct kw_secret *plain,
                    struct kw_bytes **ret)
{
    struct tpm2 *self = opaque;
    struct tpm2_sealed sealed = {0};
    ESYS_TR srk = ESYS_TR_NONE;
    ESYS_TR hmac = ESYS_TR_NONE;
    TPM2B_PUBLIC form;
    AUTO(tpm2_session) *s = NULL;

    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_srk_open(op, s, /* want_name= */ NULL, &srk, sealed.parent));
    TRY(op, template_of(op, s, srk, self->pcrs, &form));
    TRY(op, tpm2_session_start_hmac(op, s, srk, &hmac));
    TRY(op, create_sealed(op, s, srk, hmac, &form, plain, &sealed));
    TRY(op, tpm2_sealed_encode(&sealed, ret), "encoding the sealed secret");
    return KW_OK;
}

static kw_status load_sealed(struct kw_op *op, struct tpm2_session *s, ESYS_TR srk, ESYS_TR hmac,
                             const struct tpm2_sealed *sealed, ESYS_TR *ret)
{
    TSS2_RC rc = Esys_Load(s->esys, srk, hmac, ESYS_TR_NONE, ESYS_TR_NONE, &sealed->wrapped,
                           &sealed->area, ret);
    ENSURE(op, !tpm2_rc_is_refusal(rc), KW_E_INTEGRITY, "the TPM refuses it: altered (0x%03x)", rc);
    TRY(op, tpm2_status(op, s, rc), "loading the sealed secret");
    TRY(op, tpm2_session_keep(op, s, *ret));
    return KW_OK;
}

/* Its own session, or one in which the PCRs speak for it. */
static kw_status authorise(struct kw_op *op, struct tpm2_session *s, ESYS_TR srk, uint32_t pcrs,
                           ESYS_TR hmac, ESYS_TR *ret)
{
    *ret = hmac;
    if (pcrs == 0) {
        return KW_OK;
    }
    TRY(op, tpm2_session_start_policy(op, s, srk, /* trial= */ false, ret));
    return add_policy(op, s, *ret, pcrs);
}

static kw_status check_binding(struct kw_op *op, const struct tpm2 *self,
                               const struct tpm2_sealed *sealed)
{
    bool bound = sealed->area.publicArea.authPolicy.size > 0;

    ENSURE(op, !bound || self->pcrs != 0, KW_E_DENIED,
           "it is sealed to PCRs: name them in the URI (pcr=7+11)");
    ENSURE(op, bound || self->pcrs == 0, KW_E_DENIED, "it is not sealed to PCRs, as the URI says");
    return KW_OK;
}

kw_status tpm2_unseal(struct kw_op *op, void *opaque, struct kw_span octets, struct kw_secret **ret)
{
    struct tpm2 *self = opaque;
    struct tpm2_sealed sealed;
    ESYS_TR srk = ESYS_TR_NONE;
    ESYS_TR hmac = ESYS_TR_NONE;
    ESYS_TR object = ESYS_TR_NONE;
    ESYS_TR leave = ESYS_TR_NONE;
    AUTO(tpm2_session) *s = NULL;
    __attribute__((cleanup(free_data))) TPM2B_SENSITIVE_DATA *data = NULL;

    ENSURE(op, kw_ok(tpm2_sealed_parse(octets, &sealed)), KW_E_INTEGRITY,
           "not sealed by a TPM, or altered");
    TRY(op, check_binding(op, self, &sealed));
    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_srk_open(op, s, sealed.parent, &srk, NULL));
    TRY(op, tpm2_session_start_hmac(op, s, srk, &hmac));
    TRY(op, load_sealed(op, s, srk, hmac, &sealed, &object));
    TRY(op, authorise(op, s, srk, self->pcrs, hmac, &leave));
    TSS2_RC rc = Esys_Unseal(s->esys, object, leave, ESYS_TR_NONE, ESYS_TR_NONE, &data);
    ENSURE(
        op, !tpm2_rc_is(rc, TPM2_RC_POLICY_FAIL), KW_E_DENIED,
        "the PCRs are not as they were when it was sealed (firmware, boot loader or settings "
        "changed): start the system that sealed it, or open the vault's backup and seal it anew");
    TRY(op, tpm2_status(op, s, rc), "unsealing in the TPM");
    TRY(op, kw_secret_copy(KW_SPAN(data->buffer, data->size), ret));
    return KW_OK;
}
