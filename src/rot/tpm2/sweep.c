#include "rot/tpm2/device.h"

kw_status tpm2_evict(struct kw_op *op, struct tpm2_session *s, ESYS_TR object, TPM2_HANDLE handle)
{
    ESYS_TR none = ESYS_TR_NONE;
    TSS2_RC rc = Esys_EvictControl(s->esys, ESYS_TR_RH_OWNER, object, ESYS_TR_PASSWORD,
                                   ESYS_TR_NONE, ESYS_TR_NONE, handle, &none);
    TRY(op, tpm2_status(op, s, rc), "taking handle 0x%08x back", handle);
    return KW_OK;
}

bool tpm2_has_name(struct tpm2_session *s, ESYS_TR object, const uint8_t name[TPM2_NAME_BYTES])
{
    AUTO(TPM2B_NAME) *is = NULL;
    return Esys_TR_GetName(s->esys, object, &is) == TSS2_RC_SUCCESS &&
           kw_span_equal(KW_SPAN(is->name, is->size), KW_SPAN(name, TPM2_NAME_BYTES));
}

/* What lies at the entry's handle goes only where it is the entry's own object. */
static kw_status finish_pending(struct kw_op *op, struct tpm2_session *s,
                                const struct tpm2_entry *entry)
{
    ESYS_TR object = ESYS_TR_NONE;

    TRY(op, tpm2_session_find(op, s, entry->handle, &object));
    if (object != ESYS_TR_NONE && tpm2_has_name(s, object, entry->name)) {
        TRY(op, tpm2_evict(op, s, object, entry->handle));
    }
    return KW_OK;
}

static kw_status sweep_pending(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                               struct tpm2_index *index)
{
    unsigned before = index->n;

    for (unsigned i = index->n; i-- > 0;) {
        if (index->at[i].state == TPM2_ENTRY_PENDING) {
            TRY(op, finish_pending(op, s, &index->at[i]), "finishing with key '%s'",
                index->at[i].label);
            tpm2_index_remove(index, &index->at[i]);
        }
    }
    if (index->n != before) {
        TRY(op, tpm2_index_write(op, self->index_path, index));
    }
    return KW_OK;
}

static bool is_of_index(struct tpm2_session *s, ESYS_TR object, const struct tpm2_index *index)
{
    for (unsigned i = 0; i < index->n; i++) {
        if (tpm2_has_name(s, object, index->at[i].name)) {
            return true;
        }
    }
    return false;
}

/*
 * A process of ours that was killed on a TPM without resource manager left these behind: the
 * storage key (anybody can have it made again, so nobody loses anything) or a key of the index.
 */
static kw_status sweep_transient(struct kw_op *op, struct tpm2_session *s, TPM2_HANDLE handle,
                                 const struct tpm2_index *index)
{
    AUTO(TPM2B_PUBLIC) *area = NULL;
    ESYS_TR object = ESYS_TR_NONE;

    TRY(op, tpm2_session_find(op, s, handle, &object));
    if (object == ESYS_TR_NONE) {
        return KW_OK;
    }
    TRY(op, tpm2_status(op, s,
                        Esys_ReadPublic(s->esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        &area, NULL, NULL)));
    if (tpm2_public_is_srk(&area->publicArea) || is_of_index(s, object, index)) {
        tpm2_session_flush(s, object);
    }
    return KW_OK;
}

/* Nobody else's: tools save theirs and resource managers hide theirs; ours live only as long as a
 * visit. */
static kw_status sweep_session(struct kw_op *op, struct tpm2_session *s, TPM2_HANDLE handle,
                               const struct tpm2_index *index)
{
    ESYS_TR session = ESYS_TR_NONE;
    (void)index;

    if (handle >> 24 != TPM2_HT_HMAC_SESSION) {
        return KW_OK;
    }
    TRY(op, tpm2_session_find(op, s, handle, &session));
    if (session != ESYS_TR_NONE) {
        tpm2_session_flush(s, session);
    }
    return KW_OK;
}

static kw_status sweep_each(struct kw_op *op, struct tpm2_session *s, TPM2_HANDLE from,
                            const struct tpm2_index *index,
                            kw_status (*sweep)(struct kw_op *op, struct tpm2_session *s,
                                               TPM2_HANDLE handle, const struct tpm2_index *index))
{
    AUTO(TPMS_CAPABILITY_DATA) *data = NULL;

    TRY(op, tpm2_capability(op, s, TPM2_CAP_HANDLES, from, TPM2_MAX_CAP_HANDLES, &data));
    const TPML_HANDLE *list = &data->data.handles;
    for (uint32_t i = 0; i < list->count && i < TPM2_MAX_CAP_HANDLES; i++) {
        TRY(op, sweep(op, s, list->handle[i], index), "looking at handle 0x%08x", list->handle[i]);
    }
    return KW_OK;
}

kw_status tpm2_sweep_loaded(struct kw_op *op, struct tpm2_session *s,
                            const struct tpm2_index *index)
{
    TRY(op, sweep_each(op, s, TPM2_LOADED_SESSION_FIRST, index, sweep_session));
    TRY(op, sweep_each(op, s, TPM2_HANDLE_TRANSIENT, index, sweep_transient));
    return KW_OK;
}

kw_status tpm2_sweep(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                     struct tpm2_index *index)
{
    TRY(op, tpm2_sweep_loaded(op, s, index));
    TRY(op, sweep_pending(op, s, self, index));
    return KW_OK;
}
