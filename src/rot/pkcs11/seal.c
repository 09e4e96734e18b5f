/* Seal and unseal with an AES-256 key that never leaves the token. */
#include "os/files.h"
#include "os/rng.h"
#include "rot/pkcs11/device.h"
#include "rot/pkcs11/sealed.h"

enum { TAG_BITS = 128, TRIAL_BYTES = 32 };
_Static_assert((int)P11_SEALED_ID_BYTES == (int)P11_ID_BYTES, "one id");

/* --- the key --- */

static const struct {
    CK_ATTRIBUTE_TYPE type;
    bool want;
} flags[] = {
    {CKA_TOKEN,       true },
    {CKA_PRIVATE,     true },
    {CKA_SENSITIVE,   true },
    {CKA_EXTRACTABLE, false},
    {CKA_ENCRYPT,     true },
    {CKA_DECRYPT,     true },
    {CKA_WRAP,        false},
    {CKA_UNWRAP,      false},
    {CKA_SIGN,        false},
    {CKA_DERIVE,      false},
};
/* And what the token says of its past: cannot be asked for. */
static const CK_ATTRIBUTE_TYPE proofs[] = {CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL};

static kw_status check_key(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE key)
{
    bool is = false;

    for (size_t i = 0; i < KW_COUNT(flags); i++) {
        TRY(op, p11_get_bool(op, self, key, flags[i].type, &is));
        ENSURE(op, is == flags[i].want, KW_E_INTEGRITY,
               "the token's sealing key is none of ours (attribute 0x%lx)", flags[i].type);
    }
    for (size_t i = 0; i < KW_COUNT(proofs); i++) {
        TRY(op, p11_get_bool(op, self, key, proofs[i], &is));
        ENSURE(op, is, KW_E_INTEGRITY, "the token's sealing key is none of ours (attribute 0x%lx)",
               proofs[i]);
    }
    return KW_OK;
}

static kw_status ask_key(struct kw_op *op, struct p11 *self, struct p11_id *id,
                         CK_OBJECT_HANDLE *ret)
{
    static char label[] = P11_SEAL_LABEL;
    CK_BBOOL values[KW_COUNT(flags)];
    CK_ATTRIBUTE attributes[KW_COUNT(flags) + 3];
    CK_ULONG len = P11_SEAL_KEY_BYTES;
    CK_ULONG n = 0;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};

    for (; n < KW_COUNT(flags); n++) {
        values[n] = flags[n].want ? CK_TRUE : CK_FALSE;
        attributes[n] = (CK_ATTRIBUTE){flags[n].type, &values[n], sizeof(values[n])};
    }
    attributes[n++] = (CK_ATTRIBUTE){CKA_VALUE_LEN, &len, sizeof(len)};
    attributes[n++] = (CK_ATTRIBUTE){CKA_LABEL, label, strlen(label)};
    attributes[n++] = (CK_ATTRIBUTE){CKA_ID, id->octets, id->len};
    return P11_CALL(op, self, C_GenerateKey, &mechanism, attributes, n, ret);
}

static kw_status make_key(struct kw_op *op, struct p11 *self, struct p11_id *ret_id,
                          CK_OBJECT_HANDLE *ret)
{
    TRY(op, p11_orphan_new(op, self, ret_id));
    TRY(op, ask_key(op, self, ret_id, ret), "making a sealing key in the token");
    TRY(op, check_key(op, self, *ret));
    p11_orphan_keep(self, ret_id);
    return KW_OK;
}

/* The key that seals: the first good one of that label. Two hosts may have made one each. */
static kw_status find_key(struct kw_op *op, struct p11 *self, struct p11_id *ret_id,
                          CK_OBJECT_HANDLE *ret)
{
    P11_FOUND found = {0};
    bool ours = false;

    TRY(op, p11_find_by_label(op, self, CKO_SECRET_KEY, P11_SEAL_LABEL, &found));
    if (found.n == 0) {
        return make_key(op, self, ret_id, ret);
    }
    TRY(op, p11_get_id(op, self, found.at[0], ret_id, &ours));
    ENSURE(op, ours, KW_E_INTEGRITY, "Keywright did not make the token's key '%s'", P11_SEAL_LABEL);
    TRY(op, check_key(op, self, found.at[0]));
    *ret = found.at[0];
    return KW_OK;
}

/* --- AES-256-GCM --- */

struct gcm {
    uint8_t aad[P11_SEALED_AAD_BYTES];
    CK_GCM_PARAMS params;
    CK_MECHANISM mechanism;
};

static kw_status gcm_init(struct gcm *gcm, const struct p11_id *id, uint8_t *nonce)
{
    struct kw_out aad = KW_OUT_ARRAY(gcm->aad);
    kw_status status = p11_sealed_aad(id->octets, &aad);

    gcm->params = (CK_GCM_PARAMS){
        .pIv = nonce,
        .ulIvLen = P11_SEALED_NONCE_BYTES,
        .ulIvBits = 8 * P11_SEALED_NONCE_BYTES,
        .pAAD = gcm->aad,
        .ulAADLen = sizeof(gcm->aad),
        .ulTagBits = TAG_BITS,
    };
    gcm->mechanism = (CK_MECHANISM){CKM_AES_GCM, &gcm->params, sizeof(gcm->params)};
    return status;
}

/* The nonce is ours; a token that insists on one of its own puts it in its place. */
static kw_status encrypt(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE key,
                         const struct p11_id *id, struct kw_span plain, struct kw_out *text,
                         uint8_t nonce[P11_SEALED_NONCE_BYTES])
{
    struct gcm gcm;
    CK_ULONG n = text->cap;

    TRY(op, os_random(op, nonce, P11_SEALED_NONCE_BYTES));
    TRY(op, gcm_init(&gcm, id, nonce));
    TRY(op, P11_CALL(op, self, C_EncryptInit, &gcm.mechanism, key));
    TRY(op, P11_CALL(op, self, C_Encrypt, (CK_BYTE *)(uintptr_t)plain.p, plain.len, text->p, &n));
    ENSURE(op, n == plain.len + P11_SEALED_TAG_BYTES && n <= text->cap, KW_E_DEVICE,
           "the token sealed %zu octets to %lu", plain.len, n);
    text->len = n;
    return KW_OK;
}

/* *ret_asked: the token had the octets when it failed. */
static kw_status decrypt(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE key,
                         const struct p11_sealed *sealed, bool *ret_asked, struct kw_secret **ret)
{
    struct gcm gcm;
    struct p11_id id = {.len = P11_SEALED_ID_BYTES};
    uint8_t nonce[P11_SEALED_NONCE_BYTES];
    size_t want = sealed->text.len - P11_SEALED_TAG_BYTES;
    CK_ULONG n = P11_SEALED_TEXT_MAX;
    AUTO(kw_secret) *plain = NULL;

    memcpy(id.octets, sealed->id, P11_SEALED_ID_BYTES);
    memcpy(nonce, sealed->nonce, sizeof(nonce));
    TRY(op, kw_secret_new(P11_SEALED_TEXT_MAX, &plain), "room for the secret");
    TRY(op, gcm_init(&gcm, &id, nonce));
    TRY(op, P11_CALL(op, self, C_DecryptInit, &gcm.mechanism, key));
    *ret_asked = true;
    TRY(op, P11_CALL(op, self, C_Decrypt, (CK_BYTE *)(uintptr_t)sealed->text.p, sealed->text.len,
                     kw_secret_data(plain), &n));
    ENSURE(op, n == want, KW_E_DEVICE, "the token unsealed %zu octets to %lu", want, n);
    kw_secret_trim(plain, n);
    *ret = TAKE(plain);
    return KW_OK;
}

/* --- seal --- */

struct sealing {
    const struct kw_secret *plain;
    struct kw_bytes **ret;
};

static kw_status seal_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct sealing *to = ctx;
    struct p11_sealed sealed;
    struct p11_id id = {.len = P11_SEALED_ID_BYTES};
    CK_OBJECT_HANDLE key = 0;
    uint8_t text_room[P11_SEALED_TEXT_MAX];
    uint8_t room[P11_SEALED_MAX];
    struct kw_out text = KW_OUT_ARRAY(text_room);
    struct kw_out out = KW_OUT_ARRAY(room);

    TRY(op, find_key(op, self, &id, &key));
    TRY(op, encrypt(op, self, key, &id, kw_secret_span(to->plain), &text, sealed.nonce));
    memcpy(sealed.id, id.octets, sizeof(sealed.id));
    sealed.text = kw_out_span(&text);
    TRY(op, p11_sealed_encode(&sealed, &out), "encoding the sealed secret");
    TRY(op, kw_bytes_copy(kw_out_span(&out), to->ret));
    return KW_OK;
}

kw_status p11_seal(struct kw_op *op, void *opaque, const struct kw_secret *plain,
                   struct kw_bytes **ret)
{
    struct p11 *self = opaque;
    struct sealing to = {plain, ret};
    OS_FD_AUTO int locked = -1;

    TRY(op, p11_lock(op, self, &locked)); /* it may have to make the key */
    return p11_visit(op, self, seal_work, &to);
}

/* --- unseal --- */

struct unsealing {
    struct p11_sealed sealed;
    struct kw_secret **ret;
};

/* Does the key open what it sealed just now? */
static kw_status try_key(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE key,
                         const struct p11_sealed *like)
{
    static const uint8_t plain[TRIAL_BYTES];
    uint8_t room[TRIAL_BYTES + P11_SEALED_TAG_BYTES];
    struct kw_out text = KW_OUT_ARRAY(room);
    struct p11_sealed trial = *like;
    struct p11_id id = {.len = P11_SEALED_ID_BYTES};
    AUTO(kw_secret) *opened = NULL;
    bool asked = false;

    memcpy(id.octets, like->id, P11_SEALED_ID_BYTES);
    TRY(op, encrypt(op, self, key, &id, KW_SPAN_ARRAY(plain), &text, trial.nonce));
    trial.text = kw_out_span(&text);
    TRY(op, decrypt(op, self, key, &trial, &asked, &opened));
    ENSURE(op, kw_equal_consttime(kw_secret_span(opened), KW_SPAN_ARRAY(plain)), KW_E_DEVICE,
           "the token does not unseal what it sealed");
    return KW_OK;
}

/*
 * Libraries do not agree on what they say of a wrong tag; some say that they failed. Where the key
 * opens what it seals now and fails again with these octets, the octets are to blame.
 */
static kw_status judge(struct kw_op *op, struct p11 *self, CK_OBJECT_HANDLE key,
                       const struct p11_sealed *sealed, kw_status status, struct kw_secret **ret)
{
    enum p11_heal damage = self->damage;
    bool asked = false;

    if (!kw_ok(try_key(NULL, self, key, sealed))) {
        self->damage = damage > self->damage ? damage : self->damage;
        return status;
    }
    self->damage = P11_HEAL_NONE;
    if (kw_ok(decrypt(NULL, self, key, sealed, &asked, ret))) {
        kw_op_clear(op);
        return KW_OK;
    }
    if (!asked) {
        return status;
    }
    self->damage = P11_HEAL_NONE;
    kw_op_clear(op);
    return FAIL(op, KW_E_INTEGRITY, "altered, or another key's");
}

static kw_status unseal_work(struct kw_op *op, struct p11 *self, void *ctx)
{
    struct unsealing *to = ctx;
    struct p11_id id = {.len = P11_SEALED_ID_BYTES};
    bool asked = false;
    P11_FOUND found = {0};

    memcpy(id.octets, to->sealed.id, P11_SEALED_ID_BYTES);
    TRY(op, p11_find_by_id(op, self, CKO_SECRET_KEY, &id, &found));
    ENSURE(op, found.n == 1, KW_E_INTEGRITY, "this token has not the key that sealed it");
    TRY(op, check_key(op, self, found.at[0]));
    kw_status status = decrypt(op, self, found.at[0], &to->sealed, &asked, to->ret);
    if (!kw_ok(status) && asked && status.code != KW_E_INTEGRITY) {
        status = judge(op, self, found.at[0], &to->sealed, status, to->ret);
    }
    TRY(op, status, "unsealing in the token");
    return KW_OK;
}

kw_status p11_unseal(struct kw_op *op, void *opaque, struct kw_span octets, struct kw_secret **ret)
{
    struct unsealing to = {.ret = ret};

    ENSURE(op, kw_ok(p11_sealed_parse(octets, &to.sealed)), KW_E_INTEGRITY,
           "not sealed by a PKCS#11 token, or altered");
    return p11_visit(op, opaque, unseal_work, &to);
}
