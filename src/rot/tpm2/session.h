/*
 * One visit to the TPM: connect, do, flush, leave. Between visits the TPM is free for others (a
 * socket of swtpm serves one client at a time), and nothing of ours lies in its few transient slots
 * (a bare one has three).
 */
#ifndef ROT_TPM2_SESSION_H
#define ROT_TPM2_SESSION_H

#include <tss2/tss2_esys.h>

#include "base/limits.h"
#include "base/op.h"
#include "rot/tpm2/tcti.h"

/* How long a visit waits at most: a discrete TPM may need half of it to make an RSA endorsement
 * key.
 */
enum { TPM2_VISIT_MAX_MS = 60000, TPM2_KEPT_MAX = 6 };

struct tpm2_session {
    ESYS_CONTEXT *esys;
    char name[KW_URI_MAX]; /* the TCTI's text */
    struct tpm2_tcti tcti;
    unsigned n_kept;
    ESYS_TR
    kept[TPM2_KEPT_MAX]; /* transient objects and sessions, flushed at the latest on close */
};

/**
 * Connect. limit_ms: how long all of the visit may wait, where op has no earlier deadline.
 * Errors  KW_E_UNAVAILABLE absent or busy; retry is safe
 *         KW_E_TIMEOUT     it does not answer; the next visit connects anew
 * Blocks  until then.
 */
kw_status tpm2_session_open(struct kw_op *op, const char *tcti, int64_t limit_ms,
                            struct tpm2_session **ret);
void tpm2_session_close(struct tpm2_session *s);
KW_OWNED(tpm2_session, struct tpm2_session, tpm2_session_close)

/* Register what was loaded or started; it is flushed now where there is no room to remember it. */
kw_status tpm2_session_keep(struct kw_op *op, struct tpm2_session *s, ESYS_TR object);
void tpm2_session_flush(struct tpm2_session *s, ESYS_TR object);

/* An HMAC session salted with a storage key: what it authorises is integrity-protected and
 * encrypted on the bus. */
kw_status tpm2_session_start_hmac(struct kw_op *op, struct tpm2_session *s, ESYS_TR salt_key,
                                  ESYS_TR *ret);

/* The same, authorised by a policy; trial: only to find out a policy's digest. */
kw_status tpm2_session_start_policy(struct kw_op *op, struct tpm2_session *s, ESYS_TR salt_key,
                                    bool trial, ESYS_TR *ret);

/* What a TSS call said, as our status: TRY(op, tpm2_status(op, s, Esys_…(…)), "making the key"). */
kw_status tpm2_status(struct kw_op *op, const struct tpm2_session *s, TSS2_RC rc);
/* Is rc the TPM's response code `code` (TPM2_RC_HANDLE, …), whatever parameter or handle it names?
 */
bool tpm2_rc_is(TSS2_RC rc, TPM2_RC code);
/* Did the TPM itself refuse because of a parameter, handle or session that it was given? */
bool tpm2_rc_is_refusal(TSS2_RC rc);

/* An existing object as ESYS handle. *ret is ESYS_TR_NONE where the TPM has no such object. */
kw_status tpm2_session_find(struct kw_op *op, struct tpm2_session *s, TPM2_HANDLE handle,
                            ESYS_TR *ret);

/* ESYS's results, freed with AUTO(TPM2B_PUBLIC) and so on. */
KW_OWNED(TPM2B_PUBLIC, TPM2B_PUBLIC, Esys_Free)
KW_OWNED(TPM2B_PRIVATE, TPM2B_PRIVATE, Esys_Free)
KW_OWNED(TPM2B_NAME, TPM2B_NAME, Esys_Free)
KW_OWNED(TPMT_SIGNATURE, TPMT_SIGNATURE, Esys_Free)
KW_OWNED(TPM2B_DIGEST, TPM2B_DIGEST, Esys_Free)
KW_OWNED(TPMS_CAPABILITY_DATA, TPMS_CAPABILITY_DATA, Esys_Free)

#endif
