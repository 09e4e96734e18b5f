/* keywright/sign.h */
#include <keywright/sign.h>

#include "device/api_internal.h"
#include "device/events.h"

enum keywright_result keywright_sign(struct keywright *kw, const void *data, size_t len, void *sig,
                                     size_t *sig_len)
{
    struct kw_out out = {sig, *sig_len, 0};
    struct kw_op op;

    enum keywright_result result =
        API_CALL(kw, op, device_sign(&op, &kw->device, KW_SPAN(data, len), &out));
    if (result == KEYWRIGHT_OK) {
        *sig_len = out.len;
    }
    return result;
}

static kw_status sign_data(struct kw_op *op, struct device *device,
                           const struct keywright_data *what, struct kw_span data,
                           struct kw_out *out)
{
    AUTO(kw_bytes) *text = NULL;

    ENSURE(op, what->type, KW_E_INPUT, "what the data is must be said");
    TRY(op, device_sign_data(op, device, what->type, what->audience, data, &text));
    TRY(op, kw_bytes_append(text, KW_SPAN("", 1)));
    return api_copy(op, kw_bytes_span(text), out);
}

enum keywright_result keywright_sign_data(struct keywright *kw, const struct keywright_data *what,
                                          const void *data, size_t len, char *text,
                                          size_t *text_len)
{
    struct kw_out out = {(uint8_t *)text, *text_len, 0};
    struct kw_op op;

    enum keywright_result result =
        API_CALL(kw, op, sign_data(&op, &kw->device, what, KW_SPAN(data, len), &out));
    *text_len = result == KEYWRIGHT_OK ? out.len : *text_len;
    return result;
}

static kw_status verify_data(struct kw_op *op, struct device *device,
                             const struct keywright_data *expect, struct kw_span text,
                             struct kw_out *out, struct keywright_data_facts *ret,
                             enum data_refusal *ret_refusal)
{
    struct data_expect expected = {.type = expect->type,
                                   .signer = expect->signer,
                                   .for_all = expect->for_all != 0,
                                   .max_age_s = expect->max_age_s,
                                   .status_age_s = expect->status_age_s,
                                   .status_grace_s = expect->status_grace_s};
    struct data_facts facts = {.refusal = DATA_MALFORMED};
    AUTO(kw_bytes) *data = NULL;

    *ret_refusal = facts.refusal;
    ENSURE(op, expect->type, KW_E_INPUT, "what the data must be is to be said");
    ENSURE(op, out->cap >= text.len, KW_E_TOO_LARGE, /* before it counts as taken */
           "there is room for %zu octets, the text has %zu", out->cap, text.len);
    kw_status status = device_verify_data(op, device, text, &expected, &facts, &data);
    *ret_refusal = facts.refusal;
    TRY(op, status);
    *ret = (struct keywright_data_facts){.time = facts.time_s, .sequence = facts.seq};
    KW_TEXT_SET(ret->signer, facts.signer);
    KW_TEXT_SET(ret->key_id, facts.key_id);
    return api_copy(op, kw_bytes_span(data), out);
}

enum keywright_result keywright_verify_data(struct keywright *kw,
                                            const struct keywright_data *expect, const char *text,
                                            size_t text_len, void *data, size_t *data_len,
                                            struct keywright_data_facts *ret)
{
    struct kw_out out = {data, *data_len, 0};
    struct kw_op op;

    enum keywright_result result = API_CALL(
        kw, op,
        verify_data(&op, &kw->device, expect, KW_SPAN(text, text_len), &out, ret, &kw->refusal));
    *data_len = result == KEYWRIGHT_OK ? out.len : *data_len;
    return result;
}

static const char *const refusals[] = {
    [KEYWRIGHT_TAKEN] = "taken",
    [KEYWRIGHT_MALFORMED] = "malformed",
    [KEYWRIGHT_WRONG_SIGNATURE] = "wrong-signature",
    [KEYWRIGHT_WRONG_TYPE] = "wrong-type",
    [KEYWRIGHT_WRONG_AUDIENCE] = "wrong-audience",
    [KEYWRIGHT_TOO_OLD] = "too-old",
    [KEYWRIGHT_FROM_THE_FUTURE] = "from-the-future",
    [KEYWRIGHT_SIGNER_UNTRUSTED] = "signer-untrusted",
    [KEYWRIGHT_WRONG_SIGNER] = "wrong-signer",
    [KEYWRIGHT_REPLAYED] = "replayed",
    [KEYWRIGHT_NOT_KEPT] = "not-kept",
};
_Static_assert((int)KEYWRIGHT_NOT_KEPT == (int)DATA_NOT_KEPT, "the same numbers");

enum keywright_refusal keywright_refused(const struct keywright *kw)
{
    return (enum keywright_refusal)kw->refusal;
}

const char *keywright_refusal_name(enum keywright_refusal refusal)
{
    return (unsigned)refusal < KW_COUNT(refusals) ? refusals[refusal] : "unknown";
}
