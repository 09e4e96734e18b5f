/* Who sent the message: a certificate of ours, or a device with its registration secret. */
#include <stdatomic.h>
#include <stdio.h>

#include "model/object.h"
#include "service/cmp/serving.h"
#include "service/registration/secret.h"
#include "service/validation/status.h"

/* --- by signature (RFC 9483 section 3.2) --------------------------------------------------------
 */

static kw_status check_sender(struct kw_op *op, struct serving *it)
{
    struct kw_span kid = it->message.sender_kid, ski = cert_ski(it->cert);

    ENSURE(op, kw_span_equal(it->message.sender_name, cert_subject(it->cert)), KW_E_DENIED,
           "the sender is not the subject of the protecting certificate");
    ENSURE(op, kid.len == 0 || ski.len == 0 || kw_span_equal(kid, ski), KW_E_DENIED,
           "senderKID is not the key identifier of the protecting certificate");
    ENSURE(op, cert_key_usage(it->cert) & CERT_KU_DIGITAL_SIGNATURE, KW_E_DENIED,
           "the protecting certificate is not for signatures");
    return KW_OK;
}

static kw_status verify(struct kw_op *op, struct serving *it)
{
    kw_status status = cmp_verify_signature(op, &it->message, cert_public(it->cert));

    if (status.code == KW_E_UNSUPPORTED) {
        it->fail = CMP_BAD_ALG;
    }
    return status;
}

/* The very certificate that we issued, octet for octet: who has another with its number and name
 * has forged it. */
static kw_status check_registry(struct kw_op *op, struct serving *it)
{
    struct store_cert cert;
    kw_status known =
        store_cert_by_fingerprint(op, it->service->store, cert_sha256(it->cert), &cert);

    if (known.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "the protecting certificate is none of ours");
    }
    TRY(op, known, "asking the registry");
    return status_check(op, it->service, it->cert, it->now_s, &it->status);
}

static kw_status name_owner(struct kw_op *op, struct serving *it)
{
    const char *device = object_name(OBJECT_DEVICE, it->status.owner);

    KW_TEXT_SET(it->owner, it->status.owner);
    if (device) {
        KW_TEXT_SET(it->device_id, device);
        return KW_OK;
    }
    ENSURE(op, object_kind(it->owner) == OBJECT_STATION, KW_E_DENIED,
           "a certificate of '%s' asks for nothing here", it->owner);
    return KW_OK;
}

static kw_status by_signature(struct kw_op *op, struct serving *it)
{
    ENSURE(op, it->message.n_extra > 0, KW_E_DENIED,
           "the protecting certificate is not the first of extraCerts");
    kw_status parsed = cert_parse(op, it->message.extra[0], &it->cert);
    if (!kw_ok(parsed)) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "the protecting certificate cannot be read");
    }
    TRY(op, check_sender(op, it));
    TRY(op, verify(op, it));
    it->fail = CMP_SIGNER_NOT_TRUSTED;
    TRY(op, check_registry(op, it));
    it->fail = CMP_NOT_AUTHORIZED;
    return name_owner(op, it);
}

/* --- by MAC (RFC 9483 section 3.2: senderKID is the reference value) -----------------------------
 */

/* The same words whatever is wrong: who exists is not told. */
#define MAC_WRONG                                                                                  \
    "the MAC does not verify: wrong device id or secret, or a secret that was not made for CMP"

static kw_status find_device(struct kw_op *op, const struct serving *it, struct store_device *ret)
{
    struct kw_span name = it->message.sender_kid;
    char id[KW_NAME_MAX];

    (void)snprintf(id, sizeof(id), "%.*s", (int)name.len, (const char *)name.p);
    bool whole = name.len < sizeof(id) && strlen(id) == name.len && name.len > 0;
    ENSURE(op, whole, KW_E_DENIED, MAC_WRONG);
    kw_status status = store_device_get(op, it->service->store, id, ret);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, MAC_WRONG);
    }
    return status;
}

static kw_status recall(struct kw_op *op, struct serving *it, const struct store_device *device,
                        struct kw_secret **ret)
{
    kw_status status = secret_recall(op, it->service, device, ret);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, MAC_WRONG);
    }
    TRY(op, status);
    ENSURE(op, it->now_s * 1000 <= device->secret_expires_ms, KW_E_EXPIRED,
           "the registration secret has expired; have a new one made");
    return KW_OK;
}

/* Wrong ones, which anybody can send who knows a device's id, do not take the right one away. But a
 * MAC may cost 10 ms: of devices for which many came, one at a time is computed. */
static kw_status verify_mac(struct kw_op *op, struct serving *it, const struct store_device *device,
                            const struct kw_secret *secret)
{
    static atomic_flag taken = ATOMIC_FLAG_INIT;
    bool suspect = device->secret_failures >= DEVICE_SECRET_TRIES;

    ENSURE(op, !suspect || !atomic_flag_test_and_set(&taken), KW_E_LIMIT,
           "wrong secrets come in for device '%s'; try again", device->id);
    kw_status status = cmp_verify_mac(op, &it->message, secret);
    if (suspect) {
        atomic_flag_clear(&taken);
    }
    return status;
}

/* A wrong one counts, as it does in EST. */
static kw_status count_wrong(struct kw_op *op, struct serving *it,
                             const struct store_device *device)
{
    static const uint8_t no_request[KW_HASH_BYTES];

    kw_op_clear(op);
    kw_status status =
        secret_try(op, it->service, device, /* wrong: */ "", it->now_s * 1000, no_request);
    if (status.code != KW_E_AUTH) {
        return status;
    }
    kw_op_clear(op);
    return FAIL(op, KW_E_DENIED, MAC_WRONG);
}

static kw_status by_mac(struct kw_op *op, struct serving *it)
{
    struct store_device device;
    AUTO(kw_secret) *secret = NULL;

    it->fail = CMP_BAD_ALG;
    TRY(op, cmp_check_mac(op, &it->message));
    it->fail = CMP_BAD_MESSAGE_CHECK;
    TRY(op, find_device(op, it, &device));
    TRY(op, recall(op, it, &device, &secret));
    kw_status status = verify_mac(op, it, &device, secret);
    if (status.code == KW_E_DENIED) {
        return count_wrong(op, it, &device);
    }
    TRY(op, status);
    it->fail = CMP_NOT_AUTHORIZED;
    ENSURE(op, device.state == DEVICE_REGISTERED || device.state == DEVICE_ACTIVE, KW_E_STATE,
           "device '%s' is %s", device.id, device_state_text(device.state));
    object_write(OBJECT_DEVICE, device.id, it->owner);
    KW_TEXT_SET(it->device_id, device.id);
    struct kw_span text = kw_secret_span(secret);
    (void)snprintf(it->secret_text, sizeof(it->secret_text), "%.*s", (int)text.len,
                   (const char *)text.p);
    it->secret = TAKE(secret);
    return KW_OK;
}

/* --- either --------------------------------------------------------------------------------------
 */

kw_status cmp_who(struct kw_op *op, struct serving *it)
{
    it->fail = CMP_BAD_MESSAGE_CHECK;
    it->protection = cmp_protection_of(&it->message);
    switch (it->protection) {
    case CMP_PROTECT_SIGNATURE:
        TRY(op, by_signature(op, it));
        break;
    case CMP_PROTECT_MAC:
        TRY(op, by_mac(op, it));
        break;
    case CMP_PROTECT_OTHER:
        it->fail = CMP_BAD_ALG;
        return FAIL(op, KW_E_INPUT, "the message is protected in a way that is not taken here");
    case CMP_PROTECT_NONE:
        return FAIL(op, KW_E_INPUT, "the message is not protected");
    }
    KW_TEXT_SET(op->principal, it->owner);
    return KW_OK;
}

struct enrol_asker cmp_asker(const struct serving *it)
{
    return (struct enrol_asker){
        .device_id = *it->device_id ? it->device_id : NULL,
        .secret = it->secret ? it->secret_text : NULL,
        .fingerprint = it->cert ? cert_sha256(it->cert) : NULL,
        .cert_profile = it->cert ? it->status.profile : "",
        .via = *it->device_id ? NULL : it->owner,
        .through = it->through,
        .protocol = "cmp",
    };
}
