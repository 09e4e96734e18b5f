#include "rot/tpm2/session.h"

#include <stdlib.h>

#include "os/clock.h"

enum { FLUSH_MAX_MS = 2000, HANG_UP_MAX_MS = 2000 };

/* Whose time is over does not begin: a connection given up costs others theirs. */
static kw_status end_of_visit(struct kw_op *op, int64_t limit_ms, int64_t *ret_ms)
{
    int64_t now_ms = os_clock_mono_ms();
    int64_t limit = now_ms + limit_ms;

    ENSURE(op, !op->deadline_ms || now_ms < op->deadline_ms, KW_E_TIMEOUT,
           "the time was over before it was the TPM's turn; retry later");
    *ret_ms = op->deadline_ms && op->deadline_ms < limit ? op->deadline_ms : limit;
    return KW_OK;
}

kw_status tpm2_session_open(struct kw_op *op, const char *tcti, int64_t limit_ms,
                            struct tpm2_session **ret)
{
    AUTO(tpm2_session) *s = calloc(1, sizeof(*s));
    struct tpm2_line *line = NULL;
    int64_t until_ms = 0;

    ENSURE(op, s, KW_E_MEMORY);
    TRY(op, end_of_visit(op, limit_ms, &until_ms));
    TRY(op, tpm2_line_open(op, &tpm2_wire_loader, tcti, until_ms, &line));
    tpm2_tcti_init(&s->tcti, line, until_ms);
    (void)KW_TEXT_SET(s->name, tcti); /* the line has taken it: it fits */
    TSS2_RC rc = Esys_Initialize(&s->esys, (TSS2_TCTI_CONTEXT *)&s->tcti, NULL);
    TRY(op, tpm2_status(op, s, rc), "opening the TPM");
    *ret = TAKE(s);
    return KW_OK;
}

void tpm2_session_close(struct tpm2_session *s)
{
    if (!s) {
        return;
    }
    s->tcti.deadline_ms =
        os_clock_mono_ms() + FLUSH_MAX_MS; /* clean up also behind a late operation */
    while (s->n_kept > 0) {
        tpm2_session_flush(s, s->kept[s->n_kept - 1]);
    }
    if (s->esys) {
        Esys_Finalize(&s->esys);
    }
    if (s->tcti.broken) {
        tpm2_lines_leave_something();
    }
    tpm2_line_close(TAKE(s->tcti.line), os_clock_mono_ms() + HANG_UP_MAX_MS);
    free(s);
}

kw_status tpm2_session_keep(struct kw_op *op, struct tpm2_session *s, ESYS_TR object)
{
    if (s->n_kept == TPM2_KEPT_MAX) {
        (void)Esys_FlushContext(s->esys, object); /* the failure told is that there is no room */
        return FAIL(op, KW_E_INTERNAL, "too many objects in one visit to the TPM");
    }
    s->kept[s->n_kept++] = object;
    return KW_OK;
}

void tpm2_session_flush(struct tpm2_session *s, ESYS_TR object)
{
    for (unsigned i = 0; i < s->n_kept; i++) {
        if (s->kept[i] == object) {
            s->kept[i] = s->kept[--s->n_kept];
            break;
        }
    }
    if (!s->tcti.broken) {
        (void)Esys_FlushContext(s->esys, object); /* nothing to be done where the TPM refuses */
    }
}

static kw_status start_session(struct kw_op *op, struct tpm2_session *s, ESYS_TR salt_key,
                               TPM2_SE type, ESYS_TR *ret)
{
    static const TPMT_SYM_DEF aes_128_cfb = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    const TPMA_SESSION flags =
        TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;
    ESYS_TR session = ESYS_TR_NONE;

    TSS2_RC rc =
        Esys_StartAuthSession(s->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              ESYS_TR_NONE, NULL, type, &aes_128_cfb, TPM2_ALG_SHA256, &session);
    TRY(op, tpm2_status(op, s, rc), "starting an encrypted session");
    TRY(op, tpm2_session_keep(op, s, session));
    rc = Esys_TRSess_SetAttributes(s->esys, session, flags, 0xff);
    TRY(op, tpm2_status(op, s, rc), "starting an encrypted session");
    *ret = session;
    return KW_OK;
}

kw_status tpm2_session_start_hmac(struct kw_op *op, struct tpm2_session *s, ESYS_TR salt_key,
                                  ESYS_TR *ret)
{
    return start_session(op, s, salt_key, TPM2_SE_HMAC, ret);
}

kw_status tpm2_session_start_policy(struct kw_op *op, struct tpm2_session *s, ESYS_TR salt_key,
                                    bool trial, ESYS_TR *ret)
{
    return start_session(op, s, salt_key, trial ? TPM2_SE_TRIAL : TPM2_SE_POLICY, ret);
}

kw_status tpm2_session_find(struct kw_op *op, struct tpm2_session *s, TPM2_HANDLE handle,
                            ESYS_TR *ret)
{
    ESYS_TR object = ESYS_TR_NONE;
    TSS2_RC rc =
        Esys_TR_FromTPMPublic(s->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);
    if (tpm2_rc_is(rc, TPM2_RC_HANDLE) || tpm2_rc_is(rc, TPM2_RC_REFERENCE_H0)) {
        *ret = ESYS_TR_NONE;
        return KW_OK;
    }
    TRY(op, tpm2_status(op, s, rc), "looking at handle 0x%08x", handle);
    *ret = object;
    return KW_OK;
}
