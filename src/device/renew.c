#include "device/device.h"

static const char RENEW_CSR[] = "ldevid-next.csr";

int64_t device_renew_at(const struct cert *cert)
{
    int64_t begin = cert_not_before(cert);

    return begin + (cert_not_after(cert) - begin) / 3 * 2;
}

/* The label that the certificate in use does not have. */
static const char *other_label(const char *label)
{
    return strcmp(label, "ldevid-a") == 0 ? "ldevid-b" : "ldevid-a";
}

static bool has_request(struct device *device)
{
    struct kw_op quiet;
    AUTO(kw_bytes) *csr = NULL;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(state_read(&quiet, device, RENEW_CSR, KW_CSR_MAX, &csr));
}

/* The place for the new key: of a renewal that was cut, or emptied of the key that was replaced the
 * last time. */
static kw_status next_key(struct kw_op *op, struct device *device, const char *label,
                          struct privkey **ret)
{
    char proof[256];

    if (!has_request(device)) {
        TRY(op, state_remove(op, device, state_cert_name(DEVICE_PREVIOUS)));
        TRY(op, rot_key_destroy(op, device->rot, label, proof, sizeof(proof)),
            "destroying the key before the last");
    }
    return keys_make(op, device, label, ret);
}

/* Old one first: whatever happens between the two writes, the current certificate has a key. */
static kw_status put_in_place(struct kw_op *op, struct device *device, struct cert *old,
                              struct cert *new_)
{
    TRY(op, state_write_certs(op, device, state_cert_name(DEVICE_PREVIOUS), &old, 1),
        "keeping the old certificate");
    TRY(op, state_write_certs(op, device, state_cert_name(DEVICE_LDEVID), &new_, 1),
        "keeping the new certificate");
    server_hang_up(device);
    return state_remove(op, device, RENEW_CSR);
}

static kw_status renew(struct kw_op *op, struct device *device, struct cert *old)
{
    AUTO(privkey) *old_key = NULL;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *csr = NULL;
    AUTO(cert) *cert = NULL;
    const char *label = NULL;

    TRY(op, keys_find(op, device, old, &old_key, &label));
    TRY(op, next_key(op, device, other_label(label), &key));
    TRY(op, request_prepare(op, device, RENEW_CSR, key, &csr));
    TRY(op, est_enrol(op, device, DEVICE_LDEVID, "ldevid", "simplereenroll", NULL,
                      kw_bytes_span(csr), &cert));
    TRY(op, request_accept(op, device, key, cert));
    TRY(op, put_in_place(op, device, old, cert));
    TRY(op, device_hello(op, device, DEVICE_LDEVID), "proving the new key");
    return KW_OK;
}

kw_status device_renew(struct kw_op *op, struct device *device, bool force)
{
    AUTO(cert) *old = NULL;

    TRY(op, state_read_cert(op, device, DEVICE_LDEVID, &old));
    if (!force && device_now_s(device) < device_renew_at(old)) {
        return KW_OK;
    }
    return renew(op, device, old);
}
