/*
 * Renewal. A new key and a request for it lie in the folder before the server hears of them; the
 * certificate that comes waits as ldevid-next.pem until one handshake proved it; then it takes the
 * old one's place, and the old one stays for the overlap. A renewal that was begun is gone on with,
 * whatever else is asked for: with the same key, the same request and so the same certificate.
 */
#include "device/device.h"
#include "device/events.h"
#include "os/files.h"

/* One renewal on its way. */
struct renewal {
    struct device *device;
    struct cert *old;         /* in use */
    const char *label, *next; /* of its key; of the key to be */
};

static void renewal_done(struct renewal *it)
{
    cert_unref(it->old);
}
#define RENEWAL_AUTO __attribute__((cleanup(renewal_done))) struct renewal

static bool is_absent(struct kw_op *op, kw_status status)
{
    if (status.code != KW_E_NOT_FOUND) {
        return false;
    }
    kw_op_clear(op);
    return true;
}

/* --- what a cut left -------------------------------------------------------------------------- */

/* Received and not proven yet; NULL where there is none, or it is damaged: the request that is kept
 * brings it again. */
static kw_status read_next(struct kw_op *op, struct device *device, struct cert **ret)
{
    kw_status status = state_read_cert(op, device, DEVICE_NEXT, ret);

    if (is_absent(op, status)) {
        return KW_OK;
    }
    if (status.code == KW_E_INPUT) {
        kw_op_clear(op);
        return state_remove(op, device, state_cert_name(DEVICE_NEXT));
    }
    return status;
}

static kw_status forget_journal(struct kw_op *op, struct device *device)
{
    TRY(op, state_remove(op, device, DEVICE_RENEW_CSR));
    return state_remove(op, device, state_cert_name(DEVICE_NEXT));
}

/* Is a request for the key of this label on its way? */
static kw_status request_waits(struct kw_op *op, const struct renewal *it, bool *ret)
{
    AUTO(kw_bytes) *csr = NULL;
    AUTO(privkey) *key = NULL;

    *ret = false;
    kw_status status = keys_load(op, it->device, it->next, &key);
    if (is_absent(op, status)) {
        return KW_OK;
    }
    TRY(op, status);
    status = state_read(op, it->device, DEVICE_RENEW_CSR, KW_CSR_MAX, &csr);
    if (is_absent(op, status)) {
        return KW_OK;
    }
    TRY(op, status);
    *ret = request_fits(kw_bytes_span(csr), key);
    return KW_OK;
}

/* The label that the certificate in use does not have. */
static const char *other_label(const char *label)
{
    return strcmp(label, "ldevid-a") == 0 ? "ldevid-b" : "ldevid-a";
}

/* Nothing was begun: a request and a certificate that lie there are those of the one in use (it was
 * cut at its last step), and a key that has neither is of a renewal that was cut at its first. */
static kw_status tidy(struct kw_op *op, const struct renewal *it)
{
    char path[KW_PATH_BYTES], proof[256];

    TRY(op, forget_journal(op, it->device));
    TRY(op, state_path(op, it->device, state_cert_name(DEVICE_PREVIOUS), path, sizeof(path)));
    return os_file_exists(path)
               ? KW_OK
               : rot_key_destroy(op, it->device->rot, it->next, proof, sizeof(proof));
}

/* ret_begun: there is a renewal to go on with. */
static kw_status look(struct kw_op *op, struct renewal *it, bool *ret_begun)
{
    AUTO(privkey) *key = NULL;

    TRY(op, state_read_cert(op, it->device, DEVICE_LDEVID, &it->old));
    TRY(op, keys_find(op, it->device, it->old, &key, &it->label));
    it->next = other_label(it->label);
    TRY(op, request_waits(op, it, ret_begun));
    return *ret_begun ? KW_OK : tidy(op, it);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The place for the new key is emptied of the one that was replaced the last time. */
static kw_status make_room(struct kw_op *op, const struct renewal *it)
{
    char proof[256];

    TRY(op, state_remove(op, it->device, state_cert_name(DEVICE_PREVIOUS)));
    TRY(op, rot_key_destroy(op, it->device->rot, it->next, proof, sizeof(proof)),
        "destroying the key before the last");
    return KW_OK;
}

/* With the certificate that is replaced; where that has ended, by our clock or by the server's,
 * with the birth identity: a device that slept too long is not stranded. A revoked one is refused:
 * only people lead back from there. */
static kw_status ask(struct kw_op *op, const struct renewal *it, struct kw_span csr,
                     struct cert **ret)
{
    struct device *device = it->device;
    struct est_request request = {
        .label = "ldevid", .verb = "simplereenroll", .key = it->next, .csr = csr};

    if (device_now_s(device) <= cert_not_after(it->old)) {
        kw_status status = est_enrol(op, device, DEVICE_LDEVID, &request, ret);
        if (status.code != KW_E_EXPIRED) {
            return status;
        }
        kw_op_clear(op);
    }
    request.verb = "simpleenroll";
    return est_enrol(op, device, DEVICE_IDEVID, &request, ret);
}

/* This key will never be taken: the next try makes another. */
static void drop(const struct kw_op *op, const struct renewal *it)
{
    struct kw_op own;

    kw_op_init(&own, op->principal, op->deadline_ms);
    server_hang_up(it->device);
    if (kw_ok(
            request_drop(&own, it->device, DEVICE_RENEW_CSR, it->next))) { /* else: refused again */
        (void)kw_ok(state_remove(&own, it->device, state_cert_name(DEVICE_NEXT)));
    }
}

static kw_status receive(struct kw_op *op, const struct renewal *it)
{
    struct device *device = it->device;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *csr = NULL;
    AUTO(cert) *cert = NULL;

    /* the issuing CA may have another key than at the last time */
    TRY(op, est_cacerts(op, device));
    TRY(op, keys_make(op, device, it->next, &key));
    TRY(op, request_prepare(op, device, DEVICE_RENEW_CSR, key, &csr));
    kw_status status = ask(op, it, kw_bytes_span(csr), &cert);
    if (status.code == KW_E_CONFLICT) {
        drop(op, it);
    }
    TRY(op, status);
    TRY(op, request_accept(op, device, key, cert));
    return state_write_certs(op, device, state_cert_name(DEVICE_NEXT), &cert, 1);
}

/* --- taking it into use ----------------------------------------------------------------------- */

/* One handshake with the new key, while the old one is still what everything else uses. */
static kw_status prove(struct kw_op *op, const struct renewal *it)
{
    kw_status status = device_hello(op, it->device, DEVICE_NEXT);

    server_hang_up(it->device);
    bool never = status.code == KW_E_REVOKED || status.code == KW_E_EXPIRED;
    if (never) { /* revoked, or ended, before it was ever used */
        drop(op, it);
    }
    return status;
}

/* Old one first: whatever happens between the two writes, the current certificate has a key. */
static kw_status put_in_place(struct kw_op *op, const struct renewal *it)
{
    struct device *device = it->device;
    AUTO(cert) *next = NULL;

    TRY(op, state_read_cert(op, device, DEVICE_NEXT, &next));
    TRY(op, state_write_certs(op, device, state_cert_name(DEVICE_PREVIOUS), &it->old, 1),
        "keeping the old certificate");
    TRY(op, state_write_certs(op, device, state_cert_name(DEVICE_LDEVID), &next, 1),
        "keeping the new certificate");
    return forget_journal(op, device);
}

static kw_status go_on(struct kw_op *op, const struct renewal *it)
{
    AUTO(cert) *next = NULL;

    TRY(op, read_next(op, it->device, &next));
    if (!next) {
        TRY(op, receive(op, it));
    }
    TRY(op, prove(op, it), "proving the new key");
    return put_in_place(op, it);
}

kw_status device_renew(struct kw_op *op, struct device *device, bool force)
{
    DEVICE_TURN_AUTO turn = {0};
    RENEWAL_AUTO it = {.device = device};
    bool begun = false;

    TRY(op, state_take_turn(op, device, &turn));
    TRY(op, look(op, &it, &begun));
    if (!begun && !force && device_renew_in_s(device, it.old) > 0) {
        return KW_OK;
    }
    if (!begun) {
        TRY(op, make_room(op, &it));
    }
    TRY(op, go_on(op, &it));
    events_note(device, DEVICE_EVENT_RENEW, "success", "a new key and certificate are in use");
    return KW_OK;
}
