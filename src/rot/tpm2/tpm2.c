/* The TPM 2.0 root of trust. One visit to the TPM an operation; nothing of ours stays in its
 * transient slots. */
#include <stdlib.h>

#include "os/files.h"
#include "rot/dirlock.h"
#include "rot/erase.h"
#include "rot/params.h"
#include "rot/tpm2/device.h"

enum { TIMEOUT_MAX_S = 600 };

/* Best effort: what stays loaded costs slots, not this visit; it goes at the next open at the
 * latest. */
static void clear_up(struct kw_op *op, const struct tpm2 *self, struct tpm2_session *s)
{
    AUTO(tpm2_index) *index = NULL;
    struct kw_op own;

    kw_op_init(&own, op->principal, op->deadline_ms);
    if (kw_ok(tpm2_index_read(&own, self->index_path, &index))) {
        (void)tpm2_sweep_loaded(&own, s, index);
    }
}

kw_status tpm2_visit(struct kw_op *op, const struct tpm2 *self, struct tpm2_session **ret)
{
    AUTO(tpm2_session) *s = NULL;

    TRY(op, tpm2_session_open(op, self->tcti, self->timeout_ms, &s));
    if (tpm2_lines_left_something()) {
        clear_up(op, self, s);
    }
    *ret = TAKE(s);
    return KW_OK;
}

static kw_status visit_first(struct kw_op *op, struct tpm2 *self)
{
    AUTO(tpm2_session) *s = NULL;
    AUTO(tpm2_index) *index = NULL;
    OS_FD_AUTO int locked = -1;

    TRY(op, os_dir_make(op, self->dir, 0700));
    TRY(op, rot_dir_lock(op, self->dir, &locked));
    TRY(op, rot_erase_leftovers(op, self->dir));
    TRY(op, tpm2_index_read(op, self->index_path, &index));
    TRY(op, tpm2_visit(op, self, &s));
    TRY(op, tpm2_identify(op, s, self));
    TRY(op, tpm2_sweep(op, s, self, index), "clearing up behind an interrupted operation");
    return KW_OK;
}

static void tpm2_close(void *self)
{
    free(self);
}
KW_OWNED(tpm2, struct tpm2, tpm2_close)

/* "7+11": which PCRs (SHA-256 bank) a seal is bound to. */
static kw_status take_pcrs(struct kw_op *op, const char *text, uint32_t *ret)
{
    *ret = 0;
    while (*text) {
        char *end = NULL;
        unsigned long n = strtoul(text, &end, 10);
        bool digit = *text >= '0' && *text <= '9';
        ENSURE(op, digit && n < ROT_PCRS && (*end == '\0' || (*end == '+' && end[1] != '\0')),
               KW_E_INPUT, "pcr= takes PCR numbers 0 to %d with '+' between them", ROT_PCRS - 1);
        ENSURE(op, !(*ret & 1u << n), KW_E_INPUT, "PCR %lu is named twice", n);
        *ret |= 1u << n;
        text = *end == '+' ? end + 1 : end;
    }
    return KW_OK;
}

/* "5": seconds that one visit may wait for the TPM. */
static kw_status take_timeout(struct kw_op *op, const char *text, int64_t *ret_ms)
{
    char *end = NULL;
    unsigned long seconds = strtoul(text, &end, 10);
    bool is_number = text[0] >= '1' && text[0] <= '9' && *end == '\0';

    *ret_ms = TPM2_VISIT_MAX_MS;
    if (!text[0]) {
        return KW_OK;
    }
    ENSURE(op, is_number && seconds <= TIMEOUT_MAX_S, KW_E_INPUT, "timeout= takes 1 to %d seconds",
           TIMEOUT_MAX_S);
    *ret_ms = (int64_t)seconds * 1000;
    return KW_OK;
}

static kw_status tpm2_open(struct kw_op *op, const char *params, void **ret_self)
{
    AUTO(tpm2) *self = calloc(1, sizeof(*self));
    char pcrs[80] = "";
    char timeout[8] = "";
    ENSURE(op, self, KW_E_MEMORY);
    const struct rot_param table[] = {
        {.name = "dir", .required = true, .value = self->dir, .cap = sizeof(self->dir)},
        {.name = "pcr", .value = pcrs, .cap = sizeof(pcrs)},
        {.name = "timeout", .value = timeout, .cap = sizeof(timeout)},
        {.name = "tcti", .required = true, .rest = true, .value = self->tcti, .cap = KW_URI_MAX},
    };

    TRY(op, rot_params_parse(op, params, table, KW_COUNT(table)));
    TRY(op, take_pcrs(op, pcrs, &self->pcrs));
    TRY(op, take_timeout(op, timeout, &self->timeout_ms));
    TRY(op, os_path_join(op, self->index_path, sizeof(self->index_path), self->dir, "tpm2.index"));
    TRY(op, visit_first(op, self));
    *ret_self = TAKE(self);
    return KW_OK;
}

static void tpm2_info(const void *self, struct rot_info *ret)
{
    *ret = ((const struct tpm2 *)self)->info;
}

const struct rot_ops rot_tpm2_ops = {
    .version = ROT_OPS_VERSION,
    .scheme = "tpm2",
    .doc =
        "tpm2:dir=PATH[,pcr=7+11][,timeout=SECONDS],tcti=TCTI  TPM 2.0; PATH keeps which label is "
        "which handle, seals are bound to the PCRs",
    .open = tpm2_open,
    .close = tpm2_close,
    .info = tpm2_info,
    .generate = tpm2_generate,
    .load = tpm2_load,
    .key_close = tpm2_key_close,
    .sign = tpm2_sign,
    .attributes = tpm2_attributes,
    .destroy = tpm2_destroy,
    .forget = rot_no_forget,
    .each = tpm2_each,
    .seal = tpm2_seal,
    .unseal = tpm2_unseal,
    .attest_keys = tpm2_attest_keys,
    .attest_activate = tpm2_attest_activate,
    .attest_certify = tpm2_attest_certify,
    .attest_quote = tpm2_attest_quote,
};
