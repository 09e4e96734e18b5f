/* Endorsement and attestation key, activation, certification of keys. Quotes are in quote.c. */
#include "rot/tpm2/attest.h"

#include <tss2/tss2_mu.h>

#include "rot/tpm2/ek.h"

KW_OWNED(TPM2B_ATTEST, TPM2B_ATTEST, Esys_Free)

/* --- the attestation key --- */

kw_status tpm2_ak_load(struct kw_op *op, struct tpm2 *self, struct tpm2_key **ret)
{
    void *key = NULL;
    AUTO(pubkey) *public_key = NULL; /* the key has it too */

    TRY(op, tpm2_load(op, self, ROT_ATTEST_LABEL, &key, &public_key), "the attestation key");
    *ret = key;
    return KW_OK;
}

static kw_status load_or_make(struct kw_op *op, struct tpm2 *self, struct tpm2_key **ret)
{
    void *key = NULL;
    AUTO(pubkey) *public_key = NULL;

    kw_status status = tpm2_ak_load(op, self, ret);
    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, tpm2_generate(op, self, ROT_ATTEST_LABEL, KEY_ALG_EC_P256, &key, &public_key),
        "making the attestation key");
    *ret = key;
    return KW_OK;
}

/* --- wire forms --- */

static kw_status marshal_public(struct kw_op *op, const TPM2B_PUBLIC *area, struct kw_bytes **ret)
{
    uint8_t octets[sizeof(*area)];
    size_t len = 0;

    ENSURE(op, Tss2_MU_TPM2B_PUBLIC_Marshal(area, octets, sizeof(octets), &len) == TSS2_RC_SUCCESS,
           KW_E_DEVICE, "the TPM's public area makes no sense");
    return kw_bytes_copy(KW_SPAN(octets, len), ret);
}

static kw_status marshal_signature(struct kw_op *op, const TPMT_SIGNATURE *sig,
                                   struct kw_bytes **ret)
{
    uint8_t octets[sizeof(*sig)];
    size_t len = 0;

    ENSURE(op, Tss2_MU_TPMT_SIGNATURE_Marshal(sig, octets, sizeof(octets), &len) == TSS2_RC_SUCCESS,
           KW_E_DEVICE, "the TPM's signature makes no sense");
    return kw_bytes_copy(KW_SPAN(octets, len), ret);
}

kw_status tpm2_statement_take(struct kw_op *op, const struct tpm2_key *ak, const TPM2B_ATTEST *said,
                              const TPMT_SIGNATURE *signature, struct kw_bytes **ret_attest,
                              struct kw_bytes **ret_sig)
{
    struct kw_span octets = KW_SPAN(said->attestationData, said->size);
    uint8_t room[KW_SIG_MAX];
    struct kw_out der = KW_OUT_ARRAY(room);

    ENSURE(op,
           signature->sigAlg == TPM2_ALG_ECDSA &&
               signature->signature.ecdsa.hash == TPM2_ALG_SHA256,
           KW_E_DEVICE, "the TPM signed otherwise than asked");
    TRY(op, tpm2_signature_der(op, &signature->signature.ecdsa, &der));
    kw_status verified = pubkey_verify(op, ak->public_key, octets, kw_out_span(&der));
    ENSURE(op, kw_ok(verified), KW_E_DEVICE, "the TPM's signature does not verify");
    TRY(op, kw_bytes_copy(octets, ret_attest));
    return marshal_signature(op, signature, ret_sig);
}

TPM2B_DATA tpm2_qualifying(struct kw_span octets)
{
    TPM2B_DATA data = {.size = (UINT16)octets.len}; /* at most ROT_QUALIFYING_MAX, says rot.c */
    memcpy(data.buffer, octets.p, octets.len);
    return data;
}

/* --- operations --- */

static kw_status read_ek(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                         struct rot_attest_keys *ret)
{
    const struct tpm2_ek_form *form = NULL;
    ESYS_TR ek = ESYS_TR_NONE;
    AUTO(TPM2B_PUBLIC) *area = NULL;

    TRY(op, tpm2_ek_choose(op, s, self, &form));
    TRY(op, tpm2_ek_certificate(op, s, form, &ret->ek_cert));
    TRY(op, tpm2_ek_open(op, s, form, &ek, &area));
    return marshal_public(op, area, &ret->ek_public);
}

static kw_status read_keys(struct kw_op *op, const struct tpm2 *self, const struct tpm2_key *ak,
                           struct rot_attest_keys *ret)
{
    AUTO(tpm2_session) *s = NULL;
    AUTO(TPM2B_PUBLIC) *area = NULL;

    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_key_read(op, s, &ak->entry, &area));
    TRY(op, marshal_public(op, area, &ret->ak_public));
    return read_ek(op, s, self, ret);
}

kw_status tpm2_attest_keys(struct kw_op *op, void *opaque, struct rot_attest_keys *ret)
{
    struct tpm2 *self = opaque;
    struct rot_attest_keys keys = {0};
    AUTO(tpm2_key) *ak = NULL;

    ENSURE(op, self->info.caps & ROT_CAP_ATTEST, KW_E_UNSUPPORTED, "this TPM has no P-256");
    TRY(op, load_or_make(op, self, &ak));
    kw_status status = read_keys(op, self, ak, &keys);
    if (!kw_ok(status)) {
        rot_attest_keys_done(&keys);
        return status;
    }
    *ret = keys;
    return KW_OK;
}

/* --- activation --- */

struct credential {
    TPM2B_ID_OBJECT blob;
    TPM2B_ENCRYPTED_SECRET secret;
};

static bool unmarshal_credential(struct kw_span blob, struct kw_span secret, struct credential *ret)
{
    size_t n_blob = 0;
    size_t n_secret = 0;
    return Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob.p, blob.len, &n_blob, &ret->blob) ==
               TSS2_RC_SUCCESS &&
           Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(secret.p, secret.len, &n_secret,
                                                    &ret->secret) == TSS2_RC_SUCCESS &&
           n_blob == blob.len && n_secret == secret.len;
}

/* A session that satisfies the endorsement key's policy; salted with that key, so that the
 * credential comes back encrypted. */
static kw_status authorise_ek(struct kw_op *op, struct tpm2_session *s, ESYS_TR ek, ESYS_TR *ret)
{
    ESYS_TR policy = ESYS_TR_NONE;

    TRY(op, tpm2_session_start_policy(op, s, ek, /* trial= */ false, &policy));
    TSS2_RC rc = Esys_PolicySecret(s->esys, ESYS_TR_RH_ENDORSEMENT, policy, ESYS_TR_PASSWORD,
                                   ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    TRY(op, tpm2_status(op, s, rc), "the endorsement key's policy");
    *ret = policy;
    return KW_OK;
}

static void wipe_digest(TPM2B_DIGEST **digest)
{
    if (*digest) {
        kw_wipe(*digest, sizeof(**digest));
        Esys_Free(*digest);
    }
}

static kw_status activate(struct kw_op *op, struct tpm2_session *s, ESYS_TR ak, ESYS_TR ek,
                          const struct credential *credential, struct kw_secret **ret)
{
    ESYS_TR policy = ESYS_TR_NONE;
    __attribute__((cleanup(wipe_digest))) TPM2B_DIGEST *opened = NULL;

    TRY(op, authorise_ek(op, s, ek, &policy));
    TSS2_RC rc = Esys_ActivateCredential(s->esys, ak, ek, ESYS_TR_PASSWORD, policy, ESYS_TR_NONE,
                                         &credential->blob, &credential->secret, &opened);
    ENSURE(op, !tpm2_rc_is_refusal(rc), KW_E_DENIED,
           "the credential was not made for this TPM's keys, or altered (0x%03x)", rc);
    TRY(op, tpm2_status(op, s, rc));
    return kw_secret_copy(KW_SPAN(opened->buffer, opened->size), ret);
}

kw_status tpm2_attest_activate(struct kw_op *op, void *opaque, struct kw_span blob,
                               struct kw_span secret, struct kw_secret **ret)
{
    struct tpm2 *self = opaque;
    struct credential credential = {0};
    const struct tpm2_ek_form *form = NULL;
    ESYS_TR ek = ESYS_TR_NONE;
    ESYS_TR object = ESYS_TR_NONE;
    AUTO(tpm2_key) *ak = NULL;
    AUTO(TPM2B_PUBLIC) *area = NULL;
    AUTO(tpm2_session) *s = NULL;

    ENSURE(op, unmarshal_credential(blob, secret, &credential), KW_E_INPUT,
           "not a credential for a TPM");
    TRY(op, tpm2_ak_load(op, self, &ak));
    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_key_open(op, s, &ak->entry, &object));
    TRY(op, tpm2_ek_choose(op, s, self, &form));
    TRY(op, tpm2_ek_open(op, s, form, &ek, &area));
    return activate(op, s, object, ek, &credential, ret);
}

/* --- certification --- */

static kw_status certify(struct kw_op *op, struct tpm2_session *s, const struct tpm2_key *key,
                         const struct tpm2_key *ak, struct kw_span qualifying,
                         struct rot_certified *ret)
{
    static const TPMT_SIG_SCHEME of_the_key = {.scheme = TPM2_ALG_NULL};
    const TPM2B_DATA data = tpm2_qualifying(qualifying);
    ESYS_TR object = ESYS_TR_NONE;
    ESYS_TR signer = ESYS_TR_NONE;
    AUTO(TPM2B_PUBLIC) *area = NULL;
    AUTO(TPM2B_ATTEST) *said = NULL;
    AUTO(TPMT_SIGNATURE) *signature = NULL;

    TRY(op, tpm2_key_read(op, s, &key->entry, &area));
    TRY(op, tpm2_key_open(op, s, &key->entry, &object));
    TRY(op, tpm2_key_open(op, s, &ak->entry, &signer));
    TSS2_RC rc = Esys_Certify(s->esys, object, signer, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD,
                              ESYS_TR_NONE, &data, &of_the_key, &said, &signature);
    TRY(op, tpm2_status(op, s, rc));
    TRY(op, marshal_public(op, area, &ret->key_public));
    return tpm2_statement_take(op, ak, said, signature, &ret->attest, &ret->sig);
}

kw_status tpm2_attest_certify(struct kw_op *op, void *opaque, void *opaque_key,
                              struct kw_span qualifying, struct rot_certified *ret)
{
    struct tpm2 *self = opaque;
    struct rot_certified certified = {0};
    AUTO(tpm2_key) *ak = NULL;
    AUTO(tpm2_session) *s = NULL;

    TRY(op, tpm2_ak_load(op, self, &ak));
    TRY(op, tpm2_visit(op, self, &s));
    kw_status status = certify(op, s, opaque_key, ak, qualifying, &certified);
    if (!kw_ok(status)) {
        rot_certified_done(&certified);
        return status;
    }
    *ret = certified;
    return KW_OK;
}
