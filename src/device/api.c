/* The public functions: include/keywright/keywright.h. */
#include <keywright/keywright.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/pem.h"
#include "device/device.h"
#include "os/clock.h"

enum { TIMEOUT_DEFAULT_MS = 30000, ERROR_MAX = 1024 };

struct keywright {
    struct device device;
    uint32_t timeout_ms;
    char error[ERROR_MAX];
};

static _Thread_local char open_error[ERROR_MAX];

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

static enum keywright_result conclude(const struct kw_op *op, kw_status status,
                                      char error[ERROR_MAX])
{
    error[0] = 0;
    if (kw_ok(status)) {
        return KEYWRIGHT_OK;
    }
    kw_op_message(op, error, ERROR_MAX);
    return results[status.code];
}

static void begin(struct keywright *kw, struct kw_op *op)
{
    kw_op_init(op, "device", os_clock_mono_ms() + kw->timeout_ms);
}

const char *keywright_error(const struct keywright *kw)
{
    return kw ? kw->error : open_error;
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

    if (!kw) {
        (void)snprintf(open_error, sizeof(open_error), "no memory");
        return KEYWRIGHT_UNAVAILABLE;
    }
    kw->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
    begin(kw, &op);
    enum keywright_result result = conclude(&op, open_device(&op, config, &kw->device), open_error);
    if (result != KEYWRIGHT_OK) {
        keywright_close(kw);
        return result;
    }
    *ret = kw;
    return KEYWRIGHT_OK;
}

void keywright_close(struct keywright *kw)
{
    if (kw) {
        device_done(&kw->device);
        free(kw);
    }
}

/* --- what a device does
 * ------------------------------------------------------------------------------------------- */

enum keywright_result keywright_enrol(struct keywright *kw, const char *secret)
{
    struct kw_op op;

    begin(kw, &op);
    return conclude(&op, device_enrol(&op, &kw->device, secret), kw->error);
}

enum keywright_result keywright_hello_as(struct keywright *kw, enum keywright_identity identity)
{
    static const enum device_identity identities[] = {[KEYWRIGHT_CURRENT] = DEVICE_LDEVID,
                                                      [KEYWRIGHT_PREVIOUS] = DEVICE_PREVIOUS,
                                                      [KEYWRIGHT_BIRTH] = DEVICE_IDEVID};
    struct kw_op op;

    begin(kw, &op);
    kw_status status = (unsigned)identity < KW_COUNT(identities)
                           ? device_hello(&op, &kw->device, identities[identity])
                           : FAIL(&op, KW_E_INPUT, "no such identity");
    return conclude(&op, status, kw->error);
}

enum keywright_result keywright_hello(struct keywright *kw)
{
    return keywright_hello_as(kw, KEYWRIGHT_CURRENT);
}

enum keywright_result keywright_renew(struct keywright *kw, int force)
{
    struct kw_op op;

    begin(kw, &op);
    return conclude(&op, device_renew(&op, &kw->device, force), kw->error);
}

enum keywright_result keywright_sign(struct keywright *kw, const void *data, size_t len, void *sig,
                                     size_t *sig_len)
{
    struct kw_out out = {sig, *sig_len, 0};
    struct kw_op op;

    begin(kw, &op);
    enum keywright_result result =
        conclude(&op, device_sign(&op, &kw->device, KW_SPAN(data, len), &out), kw->error);
    if (result == KEYWRIGHT_OK) {
        *sig_len = out.len;
    }
    return result;
}

enum keywright_result keywright_wipe(struct keywright *kw)
{
    struct kw_op op;

    begin(kw, &op);
    return conclude(&op, device_wipe(&op, &kw->device), kw->error);
}

/* --- what a device is
 * --------------------------------------------------------------------------------------------- */

/* False where there is no such certificate; a damaged one is a failure. */
static kw_status read_identity(struct kw_op *op, struct device *device,
                               enum device_identity identity, char hex[65], struct cert **ret)
{
    kw_status status = state_read_cert(op, device, identity, ret);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    kw_hex(KW_SPAN(cert_sha256(*ret), KW_HASH_BYTES), hex, 65);
    return KW_OK;
}

static kw_status get_status(struct kw_op *op, struct device *device, struct keywright_status *ret)
{
    struct rot_info info = rot_info(device->rot);
    AUTO(cert) *idevid = NULL;
    AUTO(cert) *ldevid = NULL;
    AUTO(cert) *previous = NULL;

    KW_TEXT_SET(ret->device_id, device->config.device_id);
    (void)snprintf(ret->root_of_trust, sizeof(ret->root_of_trust), "%s %s%s", info.scheme,
                   info.vendor, info.caps & ROT_CAP_SIMULATED ? " SIMULATED" : "");
    TRY(op, read_identity(op, device, DEVICE_IDEVID, ret->idevid_sha256, &idevid));
    TRY(op, read_identity(op, device, DEVICE_LDEVID, ret->ldevid_sha256, &ldevid));
    TRY(op, read_identity(op, device, DEVICE_PREVIOUS, ret->ldevid_previous_sha256, &previous));
    ret->has_idevid = idevid != NULL;
    ret->has_ldevid = ldevid != NULL;
    if (ldevid) {
        ret->ldevid_not_before = cert_not_before(ldevid);
        ret->ldevid_not_after = cert_not_after(ldevid);
        ret->renew_at = device_renew_at(ldevid);
    }
    return KW_OK;
}

enum keywright_result keywright_get_status(struct keywright *kw, struct keywright_status *ret)
{
    struct keywright_status filled = {0};
    struct kw_op op;

    begin(kw, &op);
    enum keywright_result result = conclude(&op, get_status(&op, &kw->device, &filled), kw->error);
    if (result == KEYWRIGHT_OK) {
        *ret = filled;
    }
    return result;
}

static kw_status get_certificate(struct kw_op *op, struct device *device, struct kw_bytes *pem)
{
    AUTO(cert) *cert = NULL;

    TRY(op, state_read_cert(op, device, DEVICE_LDEVID, &cert));
    TRY(op, kw_pem_encode("CERTIFICATE", cert_der(cert), pem));
    for (unsigned i = 0; i < device->n_issuers; i++) {
        if (device_issued_by(cert, device->issuers[i])) {
            TRY(op, kw_pem_encode("CERTIFICATE", cert_der(device->issuers[i]), pem));
        }
    }
    return kw_bytes_append(pem, KW_SPAN("", 1));
}

static kw_status copy_certificate(struct kw_op *op, struct device *device, char *pem,
                                  size_t *pem_len)
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(4096, &text));
    TRY(op, get_certificate(op, device, text));
    ENSURE(op, text->len <= *pem_len, KW_E_TOO_LARGE, "the chain has %zu octets", text->len);
    memcpy(pem, text->p, text->len);
    *pem_len = text->len;
    return KW_OK;
}

enum keywright_result keywright_certificate(struct keywright *kw, char *pem, size_t *pem_len)
{
    struct kw_op op;

    begin(kw, &op);
    return conclude(&op, copy_certificate(&op, &kw->device, pem, pem_len), kw->error);
}
