#include "device/device.h"
#include "os/files.h"

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

static bool is_absent(struct kw_op *op, kw_status status)
{
    if (status.code != KW_E_NOT_FOUND) {
        return false;
    }
    kw_op_clear(op);
    return true;
}

/* Is a request for the key of this label on its way? One that is for another key was answered: it
 * is that of the present certificate, and the renewal was cut before it was removed. */
static kw_status request_waits(struct kw_op *op, struct device *device, const char *label,
                               bool *ret)
{
    AUTO(kw_bytes) *csr = NULL;
    AUTO(privkey) *key = NULL;

    *ret = false;
    kw_status status = keys_load(op, device, label, &key);
    if (is_absent(op, status)) {
        return KW_OK;
    }
    TRY(op, status);
    status = state_read(op, device, RENEW_CSR, KW_CSR_MAX, &csr);
    if (is_absent(op, status)) {
        return KW_OK;
    }
    TRY(op, status);
    *ret = request_fits(kw_bytes_span(csr), key);
    return KW_OK;
}

/* The place for the new key: of a renewal that was cut, or emptied of the key that was replaced the
 * last time. */
static kw_status next_key(struct kw_op *op, struct device *device, const char *label,
                          struct privkey **ret)
{
    char proof[256];
    bool waits = false;

    TRY(op, request_waits(op, device, label, &waits));
    if (!waits) {
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

/* With the certificate that is replaced; where that has ended, with the birth identity. */
static kw_status ask(struct kw_op *op, struct device *device, const struct cert *old,
                     struct kw_span csr, struct cert **ret)
{
    bool ended = device_now_s(device) > cert_not_after(old);
    kw_status status = est_enrol(op, device, ended ? DEVICE_IDEVID : DEVICE_LDEVID, "ldevid",
                                 ended ? "simpleenroll" : "simplereenroll", NULL, csr, ret);

    if (status.code ==
        KW_E_CONFLICT) { /* this key will never be taken: the next try makes another */
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        (void)kw_ok(state_remove(&own, device, RENEW_CSR)); /* else it is refused again */
    }
    return status;
}

static kw_status renew(struct kw_op *op, struct device *device, struct cert *old)
{
    AUTO(privkey) *old_key = NULL;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *csr = NULL;
    AUTO(cert) *cert = NULL;
    const char *label = NULL;

    /* the issuing CA may have another key than at the last time */
    TRY(op, est_cacerts(op, device));
    TRY(op, keys_find(op, device, old, &old_key, &label));
    TRY(op, next_key(op, device, other_label(label), &key));
    TRY(op, request_prepare(op, device, RENEW_CSR, key, &csr));
    TRY(op, ask(op, device, old, kw_bytes_span(csr), &cert));
    TRY(op, request_accept(op, device, key, cert));
    TRY(op, put_in_place(op, device, old, cert));
    TRY(op, device_hello(op, device, DEVICE_LDEVID), "proving the new key");
    return KW_OK;
}

kw_status device_renew(struct kw_op *op, struct device *device, bool force)
{
    OS_FD_AUTO int turn = -1;
    AUTO(cert) *old = NULL;

    TRY(op, state_take_turn(op, device, &turn));
    TRY(op, state_read_cert(op, device, DEVICE_LDEVID, &old));
    force |= device->config.renew_asked;
    if (!force && device_now_s(device) < device_renew_at(old)) {
        return KW_OK;
    }
    return renew(op, device, old);
}
