#include "device/device.h"

kw_status device_sign(struct kw_op *op, struct device *device, struct kw_span data,
                      struct kw_out *sig)
{
    AUTO(cert) *cert = NULL;
    AUTO(privkey) *key = NULL;
    const char *label = NULL;

    TRY(op, state_read_cert(op, device, DEVICE_LDEVID, &cert));
    TRY(op, keys_find(op, device, cert, &key, &label));
    TRY(op, privkey_sign(op, key, data, sig), "signing with key '%s'", label);
    return KW_OK;
}
