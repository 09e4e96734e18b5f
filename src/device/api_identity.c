/* keywright/identity.h */
#include <keywright/identity.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/pem.h"
#include "device/api_internal.h"

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

static void serial_of(const struct cert *cert, char *text, size_t cap)
{
    struct kw_span serial = cert_serial(cert);

    if (2 * serial.len < cap) {
        kw_hex(serial, text, cap);
    }
}

static enum keywright_state state_of(const struct device *device, const struct cert *idevid,
                                     const struct cert *ldevid)
{
    int64_t now_s = device_now_s(device);

    if (device->config.wiped) {
        return KEYWRIGHT_STATE_WIPED;
    }
    if (!ldevid) {
        return idevid ? KEYWRIGHT_STATE_BORN : KEYWRIGHT_STATE_NEW;
    }
    if (now_s > cert_not_after(ldevid)) {
        return KEYWRIGHT_STATE_EXPIRED;
    }
    bool due = device->config.renew_asked || now_s >= device_renew_at(ldevid);
    return due ? KEYWRIGHT_STATE_DUE : KEYWRIGHT_STATE_OPERATIONAL;
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
        serial_of(ldevid, ret->ldevid_serial, sizeof(ret->ldevid_serial));
    }
    if (idevid) {
        serial_of(idevid, ret->idevid_serial, sizeof(ret->idevid_serial));
    }
    ret->state = state_of(device, idevid, ldevid);
    ret->assurance_level = info.assurance_level;
    return KW_OK;
}

enum keywright_result keywright_get_status(struct keywright *kw, struct keywright_status *ret)
{
    struct keywright_status filled = {0};
    struct kw_op op;

    enum keywright_result result = API_CALL(kw, op, get_status(&op, &kw->device, &filled));
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

    return API_CALL(kw, op, copy_certificate(&op, &kw->device, pem, pem_len));
}
