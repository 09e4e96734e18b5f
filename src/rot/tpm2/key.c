/* Signing keys: open, sign, describe, list. Making and destroying them is in lifecycle.c. */
#include <openssl/ecdsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/openssl.h"
#include "rot/tpm2/device.h"

KW_OWNED(ECDSA_SIG, ECDSA_SIG, ECDSA_SIG_free)

#define LOST "the TPM was cleared or replaced: this identity is lost; re-provision"

void tpm2_key_free(struct tpm2_key *key)
{
    pubkey_unref(key->public_key);
    free(key);
}

void tpm2_key_close(void *self, void *key)
{
    (void)self;
    tpm2_key_free(key);
}

TPM2B_PUBLIC tpm2_entry_template(const struct tpm2_entry *entry, const struct tpm2_curve *curve)
{
    return strcmp(entry->label, ROT_ATTEST_LABEL) == 0 ? tpm2_attesting_template(curve)
                                                       : tpm2_signing_template(curve);
}

kw_status tpm2_key_open(struct kw_op *op, struct tpm2_session *s, const struct tpm2_entry *entry,
                        ESYS_TR *ret)
{
    ESYS_TR object = ESYS_TR_NONE;

    TRY(op, tpm2_session_find(op, s, entry->handle, &object));
    ENSURE(op, object != ESYS_TR_NONE, KW_E_INTEGRITY, "nothing at handle 0x%08x: " LOST,
           entry->handle);
    ENSURE(op, tpm2_has_name(s, object, entry->name), KW_E_INTEGRITY,
           "another object at handle 0x%08x: " LOST, entry->handle);
    *ret = object;
    return KW_OK;
}

kw_status tpm2_key_read(struct kw_op *op, struct tpm2_session *s, const struct tpm2_entry *entry,
                        TPM2B_PUBLIC **ret)
{
    uint8_t name[TPM2_NAME_BYTES];
    ESYS_TR object = ESYS_TR_NONE;
    AUTO(TPM2B_PUBLIC) *area = NULL;

    TRY(op, tpm2_key_open(op, s, entry, &object));
    TRY(op,
        tpm2_status(op, s,
                    Esys_ReadPublic(s->esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    &area, NULL, NULL)),
        "reading handle 0x%08x", entry->handle);
    TRY(op, tpm2_public_name(op, &area->publicArea, name));
    ENSURE(op, kw_span_equal(KW_SPAN_ARRAY(name), KW_SPAN_ARRAY(entry->name)), KW_E_INTEGRITY,
           "the TPM's key has not the Name that it claims");
    *ret = TAKE(area);
    return KW_OK;
}

static kw_status key_from(struct kw_op *op, const struct tpm2 *self, const struct tpm2_entry *entry,
                          struct tpm2_key *key)
{
    const struct tpm2_curve *curve = tpm2_curve_of(entry->alg);
    AUTO(tpm2_session) *s = NULL;
    AUTO(TPM2B_PUBLIC) *area = NULL;

    ENSURE(op, curve, KW_E_INTEGRITY, "the index names an algorithm that no TPM key has");
    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_key_read(op, s, entry, &area));
    const TPM2B_PUBLIC template_ = tpm2_entry_template(entry, curve);
    ENSURE(op, tpm2_public_fits(&area->publicArea, &template_), KW_E_INTEGRITY,
           "the object at handle 0x%08x is no signing key of ours", entry->handle);
    TRY(op, tpm2_public_key(op, &area->publicArea, curve, &key->public_key));
    key->entry = *entry;
    return KW_OK;
}

kw_status tpm2_load(struct kw_op *op, void *opaque, const char *label, void **ret_key,
                    struct pubkey **ret_public)
{
    struct tpm2 *self = opaque;
    AUTO(tpm2_index) *index = NULL;
    AUTO(tpm2_key) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY);
    TRY(op, tpm2_index_read(op, self->index_path, &index));
    const struct tpm2_entry *entry = tpm2_index_find(index, label);
    ENSURE(op, entry && entry->state == TPM2_ENTRY_READY, KW_E_NOT_FOUND, "there is no key '%s'",
           label);
    TRY(op, key_from(op, self, entry, key));
    *ret_public = pubkey_ref(key->public_key);
    *ret_key = TAKE(key);
    return KW_OK;
}

/* --- signing --- */

static kw_status hash_message(struct kw_op *op, const struct tpm2_curve *curve,
                              struct kw_span message, TPM2B_DIGEST *ret)
{
    size_t len = 0;
    OSSL_ENSURE(op,
                EVP_Q_digest(NULL, curve->digest, NULL, message.p, message.len, ret->buffer, &len),
                KW_E_INTERNAL, "hashing the message");
    ret->size = (UINT16)len;
    return KW_OK;
}

static kw_status ask_signature(struct kw_op *op, struct tpm2_session *s, ESYS_TR object,
                               const struct tpm2_curve *curve, const TPM2B_DIGEST *digest,
                               TPMT_SIGNATURE **ret)
{
    /* No ticket: the key is unrestricted, the digest was made here. */
    static const TPMT_TK_HASHCHECK no_ticket = {.tag = TPM2_ST_HASHCHECK,
                                                .hierarchy = TPM2_RH_NULL};
    const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = curve->hash};
    AUTO(TPMT_SIGNATURE) *signature = NULL;

    TRY(op, tpm2_status(op, s,
                        Esys_Sign(s->esys, object, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                  digest, &scheme, &no_ticket, &signature)));
    ENSURE(op,
           signature->sigAlg == TPM2_ALG_ECDSA && signature->signature.ecdsa.hash == curve->hash,
           KW_E_DEVICE, "the TPM signed otherwise than asked");
    *ret = TAKE(signature);
    return KW_OK;
}

kw_status tpm2_signature_der(struct kw_op *op, const TPMS_SIGNATURE_ECDSA *from, struct kw_out *sig)
{
    uint8_t der[KW_SIG_MAX];
    uint8_t *end = der;
    AUTO(ECDSA_SIG) *pair = ECDSA_SIG_new();
    AUTO(BIGNUM) *r = BN_bin2bn(from->signatureR.buffer, from->signatureR.size, NULL);
    AUTO(BIGNUM) *s = BN_bin2bn(from->signatureS.buffer, from->signatureS.size, NULL);

    ENSURE(op, pair && r && s && ECDSA_SIG_set0(pair, r, s), KW_E_MEMORY);
    r = NULL; /* the pair has both */
    s = NULL;
    int len = i2d_ECDSA_SIG(pair, NULL);
    ENSURE(op, len > 0 && (size_t)len <= sizeof(der), KW_E_DEVICE,
           "the TPM's signature is too large");
    len = i2d_ECDSA_SIG(pair, &end);
    TRY(op, kw_out_set(sig, KW_SPAN(der, (size_t)len)), "no room for the signature");
    return KW_OK;
}

kw_status tpm2_sign(struct kw_op *op, void *opaque, void *opaque_key, enum key_alg alg,
                    struct kw_span message, struct kw_out *sig)
{
    struct tpm2 *self = opaque;
    struct tpm2_key *key = opaque_key;
    const struct tpm2_curve *curve = tpm2_curve_of(alg);
    TPM2B_DIGEST digest = {0};
    ESYS_TR object = ESYS_TR_NONE;
    AUTO(tpm2_session) *s = NULL;
    AUTO(TPMT_SIGNATURE) *signature = NULL;

    ENSURE(op, curve, KW_E_UNSUPPORTED, "no TPM key of this kind");
    TRY(op, hash_message(op, curve, message, &digest));
    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_key_open(op, s, &key->entry, &object));
    TRY(op, ask_signature(op, s, object, curve, &digest, &signature));
    TRY(op, tpm2_signature_der(op, &signature->signature.ecdsa, sig));
    kw_status verified = pubkey_verify(op, key->public_key, message, kw_out_span(sig));
    ENSURE(op, kw_ok(verified), KW_E_DEVICE, "the TPM's signature does not verify");
    return KW_OK;
}

/* --- description --- */

kw_status tpm2_attributes(struct kw_op *op, void *opaque, void *opaque_key, char *text, size_t cap)
{
    struct tpm2 *self = opaque;
    const struct tpm2_entry *entry = &((struct tpm2_key *)opaque_key)->entry;
    char name[2 * TPM2_NAME_BYTES + 1];
    char words[160];
    AUTO(tpm2_session) *s = NULL;
    AUTO(TPM2B_PUBLIC) *area = NULL;

    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_key_read(op, s, entry, &area));
    tpm2_attributes_text(area->publicArea.objectAttributes, words, sizeof(words));
    int n = snprintf(text, cap, "tpm2 handle=0x%08x name=%s %s", entry->handle,
                     kw_hex(KW_SPAN_ARRAY(entry->name), name, sizeof(name)), words);
    ENSURE(op, n >= 0 && (size_t)n < cap, KW_E_TOO_LARGE, "no room for the attributes");
    return KW_OK;
}

kw_status tpm2_each(struct kw_op *op, void *opaque,
                    kw_status (*each)(struct kw_op *op, const char *label, void *ctx), void *ctx)
{
    struct tpm2 *self = opaque;
    AUTO(tpm2_index) *index = NULL;

    TRY(op, tpm2_index_read(op, self->index_path, &index));
    for (unsigned i = 0; i < index->n; i++) {
        bool signs = strcmp(index->at[i].label, ROT_ATTEST_LABEL) != 0;
        if (signs && index->at[i].state == TPM2_ENTRY_READY) {
            TRY(op, each(op, index->at[i].label, ctx));
        }
    }
    return KW_OK;
}
