/* Making and destroying keys, safe against a cut at any point: see tpm2/index.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "os/clock.h"
#include "os/files.h"
#include "rot/dirlock.h"
#include "rot/tpm2/device.h"

enum { UNDO_MAX_MS = 3000 };

/* --- generate --- */

/* A key under the storage key, not loaded yet; the storage key and an encrypted session stay for
 * loading it. */
struct made {
    ESYS_TR srk;
    ESYS_TR hmac;
    TPM2B_PRIVATE
    *wrapped; /* never leaves this process: the persistent object is the only copy that lasts */
    TPM2B_PUBLIC *area;
};

static void made_done(struct made *made)
{
    Esys_Free(made->wrapped);
    Esys_Free(made->area);
}

static kw_status make_object(struct kw_op *op, struct tpm2_session *s,
                             const TPM2B_PUBLIC *template_, struct made *ret)
{
    static const TPM2B_SENSITIVE_CREATE no_secret;
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcrs;

    TRY(op, tpm2_srk_open(op, s, /* want_name= */ NULL, &ret->srk, NULL));
    TRY(op, tpm2_session_start_hmac(op, s, ret->srk, &ret->hmac));
    TSS2_RC rc =
        Esys_Create(s->esys, ret->srk, ret->hmac, ESYS_TR_NONE, ESYS_TR_NONE, &no_secret, template_,
                    &no_data, &no_pcrs, &ret->wrapped, &ret->area, NULL, NULL, NULL);
    TRY(op, tpm2_status(op, s, rc), "making the key in the TPM");
    ENSURE(op, tpm2_public_fits(&ret->area->publicArea, template_), KW_E_DEVICE,
           "the TPM made another key than asked for");
    return KW_OK;
}

/* The first handle of our range that neither the index nor the TPM uses. */
static kw_status find_handle(struct kw_op *op, struct tpm2_session *s,
                             const struct tpm2_index *index, uint32_t *ret)
{
    const uint32_t first = TPM2_HANDLE_BASE + TPM2_HANDLE_FIRST;
    AUTO(TPMS_CAPABILITY_DATA) *data = NULL;

    TRY(op, tpm2_capability(op, s, TPM2_CAP_HANDLES, first, TPM2_MAX_CAP_HANDLES, &data));
    const TPML_HANDLE *used = &data->data.handles; /* sorted, as TPM2_GetCapability has it */
    uint32_t i = 0;
    for (uint32_t handle = first; handle < first + TPM2_HANDLE_COUNT; handle++) {
        while (i < used->count && i < TPM2_MAX_CAP_HANDLES && used->handle[i] < handle) {
            i++;
        }
        bool taken = i < used->count && i < TPM2_MAX_CAP_HANDLES && used->handle[i] == handle;
        if (!taken && !tpm2_index_has_handle(index, handle)) {
            *ret = handle;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_FULL, "all %d persistent handles for keys are taken", TPM2_HANDLE_COUNT);
}

static kw_status make_persistent(struct kw_op *op, struct tpm2_session *s, const struct made *made,
                                 uint32_t handle)
{
    ESYS_TR transient = ESYS_TR_NONE;
    ESYS_TR persistent = ESYS_TR_NONE;

    TRY(op,
        tpm2_status(op, s,
                    Esys_Load(s->esys, made->srk, made->hmac, ESYS_TR_NONE, ESYS_TR_NONE,
                              made->wrapped, made->area, &transient)),
        "loading the new key");
    TRY(op, tpm2_session_keep(op, s, transient));
    TRY(op,
        tpm2_status(op, s,
                    Esys_EvictControl(s->esys, ESYS_TR_RH_OWNER, transient, ESYS_TR_PASSWORD,
                                      ESYS_TR_NONE, ESYS_TR_NONE, handle, &persistent)),
        "keeping the new key at handle 0x%08x", handle);
    return KW_OK;
}

/* From the pending entry to the ready one. */
static kw_status settle(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                        struct tpm2_index *index, const struct made *made)
{
    struct tpm2_entry *entry = &index->at[index->n - 1];

    TRY(op, tpm2_index_write(op, self->index_path, index));
    TRY(op, make_persistent(op, s, made, entry->handle));
    entry->state = TPM2_ENTRY_READY;
    TRY(op, tpm2_index_write(op, self->index_path, index));
    return KW_OK;
}

/* Nothing shall remain of a key that was not finished; what cannot be undone now, the next open
 * sweeps. */
static void undo(struct tpm2_session *s, const struct tpm2 *self, struct tpm2_index *index)
{
    struct kw_op op;
    kw_op_init(&op, "system", os_clock_mono_ms() + UNDO_MAX_MS);
    s->tcti.deadline_ms = op.deadline_ms;
    index->at[index->n - 1].state = TPM2_ENTRY_PENDING;
    (void)tpm2_sweep(&op, s, self, index); /* the failure before is the one to tell */
}

static kw_status generate_locked(struct kw_op *op, const struct tpm2 *self, struct tpm2_key *key)
{
    struct tpm2_entry *entry = &key->entry;
    const struct tpm2_curve *curve = tpm2_curve_of(entry->alg);
    const TPM2B_PUBLIC template_ = tpm2_entry_template(entry, curve);
    __attribute__((cleanup(made_done))) struct made made = {0};
    AUTO(tpm2_index) *index = NULL;
    AUTO(tpm2_session) *s = NULL;

    TRY(op, tpm2_index_read(op, self->index_path, &index));
    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_sweep(op, s, self, index), "clearing up behind an interrupted operation");
    ENSURE(op, !tpm2_index_find(index, entry->label), KW_E_CONFLICT, "label '%s' is taken",
           entry->label);
    TRY(op, find_handle(op, s, index, &entry->handle));
    TRY(op, make_object(op, s, &template_, &made));
    TRY(op, tpm2_public_name(op, &made.area->publicArea, entry->name));
    TRY(op, tpm2_public_key(op, &made.area->publicArea, curve, &key->public_key));
    TRY(op, tpm2_index_add(op, index, entry));
    kw_status status = settle(op, s, self, index, &made);
    if (!kw_ok(status)) {
        undo(s, self, index);
    }
    return status;
}

kw_status tpm2_generate(struct kw_op *op, void *opaque, const char *label, enum key_alg alg,
                        void **ret_key, struct pubkey **ret_public)
{
    struct tpm2 *self = opaque;
    OS_FD_AUTO int locked = -1;
    AUTO(tpm2_key) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY);
    ENSURE(op, self->algs & KEY_ALG_BIT(alg), KW_E_UNSUPPORTED, "this TPM makes no %s keys here",
           key_alg_text(alg));
    key->entry.alg = alg;
    key->entry.state = TPM2_ENTRY_PENDING;
    (void)KW_TEXT_SET(key->entry.label, label); /* checked by rot.c */
    TRY(op, rot_dir_lock(op, self->dir, &locked));
    TRY(op, generate_locked(op, self, key));
    *ret_public = pubkey_ref(key->public_key);
    *ret_key = TAKE(key);
    return KW_OK;
}

/* --- destroy --- */

/* An entry whose object is not there: forget it; it proves something only where its removal had
 * begun. */
static kw_status forget(struct kw_op *op, const struct tpm2 *self, struct tpm2_index *index,
                        const struct tpm2_entry *entry, bool begun)
{
    uint32_t handle = entry->handle;

    tpm2_index_remove(index, entry);
    TRY(op, tpm2_index_write(op, self->index_path, index));
    ENSURE(op, begun, KW_E_DEVICE,
           "the key is not at handle 0x%08x: TPM cleared or replaced; label released, no proof",
           handle);
    return KW_OK;
}

static kw_status evict_proven(struct kw_op *op, struct tpm2_session *s, ESYS_TR object,
                              uint32_t handle)
{
    TRY(op, tpm2_evict(op, s, object, handle));
    TRY(op, tpm2_session_find(op, s, handle, &object));
    ENSURE(op, object == ESYS_TR_NONE, KW_E_DEVICE, "handle 0x%08x still answers", handle);
    return KW_OK;
}

static kw_status destroy_entry(struct kw_op *op, const struct tpm2 *self, struct tpm2_index *index,
                               struct tpm2_entry *entry, char *ret_proof, size_t cap)
{
    const struct tpm2_entry was = *entry;
    char name[2 * TPM2_NAME_BYTES + 1];
    ESYS_TR object = ESYS_TR_NONE;
    AUTO(tpm2_session) *s = NULL;

    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_session_find(op, s, was.handle, &object));
    (void)kw_hex(KW_SPAN_ARRAY(was.name), name, sizeof(name));
    if (object == ESYS_TR_NONE || !tpm2_has_name(s, object, was.name)) {
        TRY(op, forget(op, self, index, entry, was.state == TPM2_ENTRY_PENDING));
        (void)snprintf(ret_proof, cap,
                       "tpm2 handle=0x%08x name=%s not there, removal had begun earlier",
                       was.handle, name);
        return KW_OK;
    }
    entry->state = TPM2_ENTRY_PENDING;
    TRY(op, tpm2_index_write(op, self->index_path, index));
    TRY(op, evict_proven(op, s, object, was.handle));
    tpm2_index_remove(index, entry);
    TRY(op, tpm2_index_write(op, self->index_path, index));
    (void)snprintf(ret_proof, cap, "tpm2 handle=0x%08x name=%s evicted, ReadPublic finds no object",
                   was.handle, name); /* a short room cuts the line, not the deed */
    return KW_OK;
}

kw_status tpm2_destroy(struct kw_op *op, void *opaque, const char *label, char *ret_proof,
                       size_t cap)
{
    struct tpm2 *self = opaque;
    OS_FD_AUTO int locked = -1;
    AUTO(tpm2_index) *index = NULL;

    TRY(op, rot_dir_lock(op, self->dir, &locked));
    TRY(op, tpm2_index_read(op, self->index_path, &index));
    struct tpm2_entry *entry = tpm2_index_find(index, label);
    if (!entry) {
        (void)snprintf(ret_proof, cap, "tpm2 label=%s absent", label);
        return KW_OK;
    }
    TRY(op, destroy_entry(op, self, index, entry, ret_proof, cap));
    return KW_OK;
}
