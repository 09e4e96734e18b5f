#include "crypto/csr.h"
#include "crypto/dn.h"
#include "device/device.h"
#include "os/files.h"

/* --- requests --------------------------------------------------------------------------------- */

static kw_status build_request(struct kw_op *op, struct device *device, const char *csr_name,
                               const struct privkey *key, struct kw_bytes **ret)
{
    const struct dn_part parts[] = {
        {"CN", device->config.device_id}
    };
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *der = NULL;

    TRY(op, dn_build(op, parts, KW_COUNT(parts), &name), "device id '%s'",
        device->config.device_id);
    TRY(op, csr_build(op, kw_out_span(&name), key, &der), "certification request");
    TRY(op, state_write(op, device, csr_name, kw_bytes_span(der)), "keeping the request");
    *ret = TAKE(der);
    return KW_OK;
}

kw_status request_drop(struct kw_op *op, struct device *device, const char *csr_name,
                       const char *label)
{
    char proof[256];

    TRY(op, rot_key_destroy(op, device->rot, label, proof, sizeof(proof)),
        "destroying a key that the server will never take");
    return state_remove(op, device, csr_name);
}

bool request_fits(struct kw_span der, const struct privkey *key)
{
    struct kw_op quiet;
    AUTO(csr) *csr = NULL;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(csr_parse(&quiet, der, &csr)) &&
           pubkey_equal(csr_public(csr), privkey_public(key));
}

kw_status request_prepare(struct kw_op *op, struct device *device, const char *csr_name,
                          const struct privkey *key, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *kept = NULL;
    kw_status status = state_read(op, device, csr_name, KW_CSR_MAX, &kept);

    if (kw_ok(status) && request_fits(kw_bytes_span(kept), key)) {
        *ret = TAKE(
            kept); /* the very same request again: the server gives the very same certificate */
        return KW_OK;
    }
    if (!kw_ok(status) && status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    return build_request(op, device, csr_name, key, ret);
}

/* Its begin has come where its CA signed it: a clock that is a little behind is no reason to refuse
 * it. Where that is not to be believed, it is not yet valid. */
static int64_t accept_at_s(const struct device *device, const struct cert *cert)
{
    int64_t now_s = device_now_s(device), begin_s = cert_not_before(cert);

    return begin_s > now_s && begin_s <= now_s + DEVICE_LEAP_MAX_S ? begin_s : now_s;
}

kw_status request_accept(struct kw_op *op, struct device *device, const struct privkey *key,
                         const struct cert *cert)
{
    char name[KW_NAME_MAX * 2];

    ENSURE(op, pubkey_equal(cert_public(cert), privkey_public(key)), KW_E_AUTH,
           "the server sent a certificate for another key");
    TRY(op, dn_get(op, cert_subject(cert), "CN", name, sizeof(name)),
        "the server's certificate names nobody");
    ENSURE(op, strcmp(name, device->config.device_id) == 0, KW_E_AUTH,
           "the server sent a certificate for '%.60s'", name);
    kw_status status = cert_verify_path(op, cert, device->issuers, device->n_issuers, device->roots,
                                        device->n_roots, NULL, accept_at_s(device, cert));
    if (kw_ok(status)) {
        device_take_fact(device, cert_not_before(cert));
    } else {
        char why[256];
        kw_op_explain(op, status);
        kw_op_message(op, why, sizeof(why));
        kw_op_clear(op);
        return FAIL(op, KW_E_AUTH,
                    "the server sent a certificate that does not lead to the root: %.100s", why);
    }
    return KW_OK;
}

/* --- first certificates
 * ------------------------------------------------------------------------------------------- */

static const struct step {
    enum device_identity identity, as;
    const char *label, *csr, *profile;
} steps[] = {
    {DEVICE_IDEVID, DEVICE_NONE,   "idevid",   "idevid.csr", "idevid"},
    {DEVICE_LDEVID, DEVICE_IDEVID, "ldevid-a", "ldevid.csr", "ldevid"},
};

/* Refused for what it is rather than for who asks: the next try begins with another key. */
static void drop_refused(const struct kw_op *op, struct device *device, const struct step *step,
                         kw_status refused)
{
    struct kw_op own;

    if (refused.code == KW_E_CONFLICT) {
        kw_op_init(&own, op->principal, op->deadline_ms);
        (void)kw_ok(request_drop(&own, device, step->csr, step->label)); /* else: refused again */
    }
}

static kw_status take_step(struct kw_op *op, struct device *device, const struct step *step,
                           const char *secret)
{
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *csr = NULL;
    AUTO(cert) *cert = NULL;

    TRY(op, keys_make(op, device, step->label, &key));
    TRY(op, request_prepare(op, device, step->csr, key, &csr));
    const struct est_request request = {.label = step->profile,
                                        .verb = "simpleenroll",
                                        .secret = secret,
                                        .key = step->label,
                                        .csr = kw_bytes_span(csr)};
    kw_status status = est_enrol(op, device, step->as, &request, &cert);
    if (!kw_ok(status)) {
        drop_refused(op, device, step, status);
        return status;
    }
    TRY(op, request_accept(op, device, key, cert));
    TRY(op, state_write_certs(op, device, state_cert_name(step->identity), &cert, 1),
        "keeping the certificate");
    return state_remove(op, device, step->csr);
}

static kw_status step_if_needed(struct kw_op *op, struct device *device, const struct step *step,
                                const char *secret)
{
    char path[KW_PATH_BYTES];

    TRY(op, state_path(op, device, state_cert_name(step->identity), path, sizeof(path)));
    if (os_file_exists(path)) { /* the request stays where it was cut behind the certificate */
        return state_remove(op, device, step->csr);
    }
    ENSURE(op, step->as != DEVICE_NONE || secret, KW_E_INPUT,
           "the first identity needs the one-time registration secret");
    TRY(op, take_step(op, device, step, step->as == DEVICE_NONE ? secret : NULL), "%s",
        step->profile);
    return KW_OK;
}

/* A wipe that was cut is finished, its receipts delivered, before a new identity begins. */
static kw_status leave_wipe(struct kw_op *op, struct device *device)
{
    if (!device->config.wiped) {
        return KW_OK;
    }
    TRY(op, device_wipe(op, device), "finishing the wipe");
    device->config.wiped = false;
    return state_save_config(op, device);
}

kw_status device_enrol(struct kw_op *op, struct device *device, const char *secret)
{
    DEVICE_TURN_AUTO turn = {0};

    TRY(op, state_take_turn(op, device, &turn));
    TRY(op, leave_wipe(op, device));
    TRY(op, est_cacerts(op, device));
    for (unsigned i = 0; i < KW_COUNT(steps); i++) {
        TRY(op, step_if_needed(op, device, &steps[i], secret));
    }
    TRY(op, device_hello(op, device, DEVICE_LDEVID), "proving the new identity");
    return KW_OK;
}
