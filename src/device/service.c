/*
 * A service's identity: its key is ours, its certificate an operator's affair. In the state folder
 * it lies where a device's LDevID does, under the same two labels; service.csr is the request that
 * waits. There is no birth certificate: that is how a service is told from a device.
 */
#include "base/pem.h"
#include "device/device.h"
#include "os/files.h"

enum { CERTS_MAX = 8 };

static kw_status check_ours(struct kw_op *op, const struct device *device)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, state_cert_name(DEVICE_IDEVID), path, sizeof(path)));
    ENSURE(op, !os_file_exists(path), KW_E_STATE,
           "this is a device's folder: it enrols and renews by itself");
    ENSURE(op, !device->config.wiped, KW_E_STATE,
           "this folder was wiped; a service begins in a new one");
    return KW_OK;
}

/* None: KW_OK and NULL. */
static kw_status current(struct kw_op *op, const struct device *device, struct cert **ret)
{
    kw_status status = state_read_cert(op, device, DEVICE_LDEVID, ret);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

/* The label that the certificate in use does not have. */
static kw_status free_label(struct kw_op *op, struct device *device, const struct cert *used,
                            const char **ret)
{
    AUTO(privkey) *key = NULL;
    const char *label = "ldevid-b";

    if (used) {
        TRY(op, keys_find(op, device, used, &key, &label));
    }
    *ret = strcmp(label, "ldevid-a") == 0 ? "ldevid-b" : "ldevid-a";
    return KW_OK;
}

/* The key of the request that waits; KW_OK and NULL where none does. */
static kw_status waiting_key(struct kw_op *op, struct device *device, const char *label,
                             struct privkey **ret)
{
    AUTO(kw_bytes) *csr = NULL;
    AUTO(privkey) *key = NULL;
    kw_status status = state_read(op, device, DEVICE_SERVICE_CSR, KW_CSR_MAX, &csr);

    if (kw_ok(status)) {
        status = keys_load(op, device, label, &key);
    }
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (request_fits(kw_bytes_span(csr), key)) {
        *ret = TAKE(key);
    }
    return KW_OK;
}

/* The place is emptied of the key before the last first. */
static kw_status new_key(struct kw_op *op, struct device *device, const char *label,
                         struct privkey **ret)
{
    char proof[256];

    TRY(op, state_remove(op, device, state_cert_name(DEVICE_PREVIOUS)));
    TRY(op, rot_key_destroy(op, device->rot, label, proof, sizeof(proof)),
        "destroying the key before the last");
    return keys_make(op, device, label, ret);
}

kw_status device_service_request(struct kw_op *op, struct device *device, struct kw_bytes **ret)
{
    DEVICE_TURN_AUTO turn = {0};
    AUTO(cert) *used = NULL;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *csr = NULL;
    AUTO(kw_bytes) *pem = NULL;
    const char *label = NULL;

    TRY(op, state_take_turn(op, device, &turn));
    TRY(op, check_ours(op, device));
    TRY(op, current(op, device, &used));
    TRY(op, free_label(op, device, used, &label));
    TRY(op, waiting_key(op, device, label, &key));
    if (!key) {
        TRY(op, new_key(op, device, label, &key));
    }
    TRY(op, request_prepare(op, device, DEVICE_SERVICE_CSR, key, &csr));
    TRY(op, kw_bytes_new(2 * csr->len + 128, &pem));
    TRY(op, kw_pem_encode("CERTIFICATE REQUEST", kw_bytes_span(csr), pem));
    *ret = TAKE(pem);
    return KW_OK;
}

static kw_status install(struct kw_op *op, struct device *device, struct cert *cert)
{
    AUTO(cert) *used = NULL;
    AUTO(privkey) *key = NULL;
    const char *label = NULL;

    TRY(op, current(op, device, &used));
    if (used && kw_span_equal(cert_der(used), cert_der(cert))) {
        return state_remove(op, device, DEVICE_SERVICE_CSR);
    }
    TRY(op, free_label(op, device, used, &label));
    TRY(op, waiting_key(op, device, label, &key));
    ENSURE(op, key, KW_E_INPUT, "no request waits for a certificate");
    TRY(op, est_cacerts(op, device));
    TRY(op, request_accept(op, device, key, cert));
    if (used) { /* first: between the two writes the current certificate has a key */
        TRY(op, state_write_certs(op, device, state_cert_name(DEVICE_PREVIOUS), &used, 1),
            "keeping the old certificate");
    }
    TRY(op, state_write_certs(op, device, state_cert_name(DEVICE_LDEVID), &cert, 1),
        "keeping the new certificate");
    server_hang_up(device);
    return state_remove(op, device, DEVICE_SERVICE_CSR);
}

kw_status device_service_install(struct kw_op *op, struct device *device, struct kw_span pem)
{
    DEVICE_TURN_AUTO turn = {0};
    struct cert *certs[CERTS_MAX];
    unsigned n = 0;

    TRY(op, state_take_turn(op, device, &turn));
    TRY(op, check_ours(op, device));
    TRY(op, cert_parse_pem(op, pem, certs, CERTS_MAX, &n), "the certificate");
    kw_status status = install(op, device, certs[0]);
    for (unsigned i = 0; i < n; i++) {
        cert_unref(certs[i]);
    }
    return status;
}
