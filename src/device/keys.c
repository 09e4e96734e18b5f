#include "device/device.h"

const char *const device_labels[] = {"idevid", "ldevid-a", "ldevid-b", NULL};

kw_status keys_load(struct kw_op *op, struct device *device, const char *label,
                    struct privkey **ret)
{
    AUTO(rot_key) *key = NULL;

    TRY(op, rot_key_load(op, device->rot, label, &key), "key '%s'", label);
    return rot_key_privkey(op, TAKE(key), ret);
}

kw_status keys_make(struct kw_op *op, struct device *device, const char *label,
                    struct privkey **ret)
{
    AUTO(rot_key) *key = NULL;
    kw_status status = keys_load(op, device, label, ret);

    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, rot_key_generate(op, device->rot, label, KEY_ALG_EC_P256, &key), "making key '%s'",
        label);
    return rot_key_privkey(op, TAKE(key), ret);
}

kw_status keys_find(struct kw_op *op, struct device *device, const struct cert *cert,
                    struct privkey **ret, const char **ret_label)
{
    for (unsigned i = 0; device_labels[i]; i++) {
        AUTO(privkey) *key = NULL;
        kw_status status = keys_load(op, device, device_labels[i], &key);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            continue;
        }
        TRY(op, status);
        if (pubkey_equal(privkey_public(key), cert_public(cert))) {
            *ret = TAKE(key);
            *ret_label = device_labels[i];
            return KW_OK;
        }
    }
    return FAIL(
        op, KW_E_INTEGRITY,
        "the root of trust does not hold the key of this certificate: the identity is lost");
}
