/* keywright/types.h: results, opening, closing. */
#include <stdlib.h>

#include "device/api_internal.h"
#include "os/clock.h"

enum { TIMEOUT_DEFAULT_MS = 30000 };

/* --- results ---------------------------------------------------------------------------------- */

static const enum keywright_result results[KW_CODE_MAX] = {
    [KW_CODE_OK] = KEYWRIGHT_OK,
    [KW_E_APPROVAL] = KEYWRIGHT_REFUSED,
    [KW_E_INPUT] = KEYWRIGHT_BAD_INPUT,
    [KW_E_AUTH] = KEYWRIGHT_NOT_TRUSTED,
    [KW_E_DENIED] = KEYWRIGHT_REFUSED,
    [KW_E_REVOKED] = KEYWRIGHT_NOT_TRUSTED,
    [KW_E_EXPIRED] = KEYWRIGHT_REFUSED,
    [KW_E_NOT_FOUND] = KEYWRIGHT_NO_IDENTITY,
    [KW_E_METHOD] = KEYWRIGHT_INTERNAL,
    [KW_E_CONFLICT] = KEYWRIGHT_REFUSED,
    [KW_E_STATE] = KEYWRIGHT_REFUSED,
    [KW_E_TOO_LARGE] = KEYWRIGHT_BAD_INPUT,
    [KW_E_MEDIA] = KEYWRIGHT_INTERNAL,
    [KW_E_LIMIT] = KEYWRIGHT_UNAVAILABLE,
    [KW_E_INTERNAL] = KEYWRIGHT_INTERNAL,
    [KW_E_INTEGRITY] = KEYWRIGHT_LOST,
    [KW_E_DEVICE] = KEYWRIGHT_LOST,
    [KW_E_UNSUPPORTED] = KEYWRIGHT_BAD_INPUT,
    [KW_E_UNAVAILABLE] = KEYWRIGHT_UNAVAILABLE,
    [KW_E_UNSURE] = KEYWRIGHT_UNAVAILABLE, /* our requests may be repeated: same key, same request,
                                              same answer */
    [KW_E_TIMEOUT] = KEYWRIGHT_UNAVAILABLE,
    [KW_E_FULL] = KEYWRIGHT_STORAGE,
    [KW_E_IO] = KEYWRIGHT_STORAGE,
    [KW_E_MEMORY] = KEYWRIGHT_UNAVAILABLE,
};

void api_begin(struct keywright *kw, struct kw_op *op)
{
    kw->error[0] = '\0';
    kw->device.retry_after_s = 0;
    kw_op_init(op, "device", os_clock_mono_ms() + kw->timeout_ms);
}

kw_status api_not_open(struct kw_op *op)
{
    return FAIL(op, KW_E_INPUT, "this device was not opened");
}

enum keywright_result api_end(struct keywright *kw, struct kw_op *op, kw_status status)
{
    if (kw_ok(status)) {
        return KEYWRIGHT_OK;
    }
    kw_op_explain(op, status);
    kw_op_message(op, kw->error, sizeof(kw->error));
    return results[status.code];
}

enum keywright_result api_end_task(struct keywright *kw, struct kw_op *op, enum device_task task,
                                   kw_status status)
{
    device_note(&kw->device, task, status);
    return api_end(kw, op, status);
}

kw_status api_copy(struct kw_op *op, struct kw_span from, struct kw_out *to)
{
    ENSURE(op, kw_ok(kw_out_set(to, from)), KW_E_TOO_LARGE, "there is room for %zu octets of %zu",
           to->cap, from.len);
    return KW_OK;
}

const char *keywright_error(const struct keywright *kw)
{
    return kw ? kw->error : "no memory";
}

const char *keywright_version(void)
{
    return KW_VERSION;
}

/* --- open and close --------------------------------------------------------------------------- */

static bool take(char *to, size_t cap, const char *from)
{
    return !from || kw_text_copy(to, cap, from);
}

static kw_status open_device(struct kw_op *op, const struct keywright_config *config,
                             struct device *device)
{
    struct device_config wanted = {0};

    ENSURE(op, config->state_dir && *config->state_dir, KW_E_INPUT, "no state folder given");
    ENSURE(op,
           take(wanted.server, sizeof(wanted.server), config->server) &&
               take(wanted.device_id, sizeof(wanted.device_id), config->device_id) &&
               take(wanted.root_of_trust, sizeof(wanted.root_of_trust), config->root_of_trust),
           KW_E_INPUT, "server, device id or root of trust is too long");
    ENSURE(op,
           !config->firmware || (firmware_valid(config->firmware) &&
                                 take(wanted.firmware, sizeof(wanted.firmware), config->firmware)),
           KW_E_INPUT, "the version of the firmware must have 1 to %d letters, digits and '._+-'",
           FIRMWARE_MAX - 1);
    return state_open(op, device, config->state_dir, &wanted, config->trust_file);
}

enum keywright_result keywright_open(const struct keywright_config *config, struct keywright **ret)
{
    struct keywright *kw = calloc(1, sizeof(*kw));
    struct kw_op op;

    *ret = kw;
    if (!kw) {
        return KEYWRIGHT_UNAVAILABLE;
    }
    kw->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
    api_begin(kw, &op);
    enum keywright_result result = api_end(kw, &op, open_device(&op, config, &kw->device));
    kw->open = result == KEYWRIGHT_OK;
    return result;
}

void keywright_close(struct keywright *kw)
{
    if (kw) {
        device_done(&kw->device);
        free(kw);
    }
}
