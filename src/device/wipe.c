/*
 * Destruction. Each key signs its receipt as its last act, is destroyed and read back as gone;
 * receipts wait in the folder until the server has them. Every step can be repeated: a wipe that
 * was cut goes on where it was.
 */
#include <stdio.h>

#include "base/b64.h"
#include "base/hex.h"
#include "codec/json.h"
#include "device/device.h"
#include "model/receipt.h"
#include "os/clock.h"
#include "os/files.h"
#include "rot/erase.h"

enum { RECEIPT_MAX = 8192 };

struct receipt_message {
    char device[KW_NAME_MAX];
    struct device_receipt receipt;
};
static const struct codec_field receipt_fields[] = {
    FIELD_STRING("device", struct receipt_message, device, 0, "device id"),
    FIELD_STRING("action", struct receipt_message, receipt.action, 0, "wipe"),
    FIELD_STRING("key", struct receipt_message, receipt.key_id, 0,
                 "SHA-256 of the key's SubjectPublicKeyInfo"),
    FIELD_TIME("time", struct receipt_message, receipt.unix_ms, 0, "the device's clock"),
    FIELD_STRING("proof", struct receipt_message, receipt.proof, 0, "signed"),
    FIELD_STRING("readback", struct receipt_message, receipt.readback, 0, "reported afterwards"),
    FIELD_STRING("signature", struct receipt_message, receipt.signature, 0, "base64"),
};

void device_receipt_name(const char *label, char name[64])
{
    (void)snprintf(name, 64, "receipts/%s.json", label);
}

static kw_status save(struct kw_op *op, struct device *device, const char *label,
                      const struct receipt_message *message)
{
    char name[64];
    AUTO(kw_bytes) *json = NULL;

    TRY(op, kw_bytes_new(1024, &json));
    TRY(op, codec_json_encode(op, receipt_fields, KW_COUNT(receipt_fields), message, json));
    device_receipt_name(label, name);
    return state_write(op, device, name, kw_bytes_span(json));
}

/* --- one key ---------------------------------------------------------------------------------- */

static kw_status put_signature(struct kw_op *op, const struct privkey *key,
                               struct receipt_message *message)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *encoded = NULL;

    TRY(op, kw_bytes_new(512, &text));
    TRY(op, device_receipt_text(message->device, &message->receipt, text));
    TRY(op, privkey_sign(op, key, kw_bytes_span(text), &sig), "last signature");
    TRY(op, kw_bytes_new(KW_SIG_MAX, &encoded));
    TRY(op, kw_b64_encode(kw_out_span(&sig), 0, encoded));
    (void)snprintf(message->receipt.signature, sizeof(message->receipt.signature), "%.*s",
                   (int)encoded->len, (const char *)encoded->p);
    return KW_OK;
}

static kw_status last_act(struct kw_op *op, struct device *device, const char *label,
                          struct rot_key *key, struct receipt_message *message)
{
    struct device_receipt *receipt = &message->receipt;
    AUTO(privkey) *signer = NULL;

    KW_TEXT_SET(message->device, device->config.device_id);
    KW_TEXT_SET(receipt->action, "wipe");
    kw_hex(KW_SPAN(pubkey_id(rot_key_public(key)), KW_HASH_BYTES), receipt->key_id,
           sizeof(receipt->key_id));
    receipt->unix_ms = os_clock_unix_ms();
    kw_status status = rot_key_attributes(op, key, receipt->proof, sizeof(receipt->proof));
    if (!kw_ok(status)) {
        rot_key_close(key);
        return status;
    }
    TRY(op, rot_key_privkey(op, key, &signer));
    TRY(op, put_signature(op, signer, message));
    return save(op, device, label, message);
}

static kw_status destroy(struct kw_op *op, struct device *device, const char *label)
{
    struct receipt_message message = {0};
    AUTO(rot_key) *key = NULL;
    kw_status status = rot_key_load(op, device->rot, label, &key);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    if (status.code == KW_E_INTEGRITY || status.code == KW_E_DEVICE || status.code == KW_E_INPUT) {
        kw_op_clear(op); /* it cannot sign any more, but what is left of it goes as well */
        return rot_key_destroy(op, device->rot, label, message.receipt.readback,
                               sizeof(message.receipt.readback));
    }
    TRY(op, status, "key '%s'", label);
    TRY(op, last_act(op, device, label, TAKE(key), &message), "receipt for key '%s'", label);
    TRY(op,
        rot_key_destroy(op, device->rot, label, message.receipt.readback,
                        sizeof(message.receipt.readback)),
        "destroying key '%s'", label);
    return save(op, device, label, &message);
}

/* --- delivery --------------------------------------------------------------------------------- */

static kw_status deliver(struct kw_op *op, struct device *device, const char *label)
{
    char name[64];
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    device_receipt_name(label, name);
    kw_status status = state_read(op, device, name, RECEIPT_MAX, &json);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    struct http_call call = {.method = HTTP_POST,
                             .path = "/device/v1/receipts",
                             .content_type = "application/json",
                             .body = kw_bytes_span(json)};
    status = server_call(op, device, DEVICE_NONE, &call, &answer);
    if (status.code == KW_E_DENIED) { /* a key that never got a certificate is not known there:
                                         nothing to account for */
        kw_op_clear(op);
    } else {
        TRY(op, status, "the receipt waits in %s", device->dir);
    }
    return state_remove(op, device, name);
}

/* --- the whole -------------------------------------------------------------------------------- */

static const char *const leavings[] = {"idevid.pem",      "ldevid.pem",    "ldevid-previous.pem",
                                       "idevid.csr",      "ldevid.csr",    "ldevid-next.csr",
                                       "ldevid-next.pem", "ca.pem",        "heartbeat-a",
                                       "heartbeat-b",     DEVICE_SEAL_FILE};

/* It signs nothing that it is given, so there is no receipt of its own. */
static kw_status destroy_attesting(struct kw_op *op, struct device *device)
{
    char proof[256];

    TRY(op, rot_key_destroy(op, device->rot, ROT_ATTEST_LABEL, proof, sizeof(proof)),
        "destroying the attestation key");
    return KW_OK;
}

/* LDevIDs first: the birth identity goes last. */
static kw_status destroy_all(struct kw_op *op, struct device *device)
{
    char path[KW_PATH_BYTES];
    unsigned n = 0;

    TRY(op, state_path(op, device, "receipts", path, sizeof(path)));
    TRY(op, os_dir_make(op, path, 0700));
    TRY(op, os_dir_clear_temporaries(op, path), "clearing up");
    while (device_labels[n]) {
        n++;
    }
    kw_status first = destroy_attesting(op, device);
    while (n-- > 0) { /* every key has its turn, whatever becomes of another */
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        kw_status status = destroy(kw_ok(first) ? op : &own, device, device_labels[n]);
        first = kw_ok(first) ? status : first;
    }
    return first;
}

/* The data key's seal is overwritten, as its copy would open on the same root of trust; and where
 * that can be, what seals goes too. */
static kw_status destroy_seals(struct kw_op *op, struct device *device)
{
    char path[KW_PATH_BYTES];
    size_t size = 0;

    TRY(op, state_path(op, device, DEVICE_SEAL_FILE, path, sizeof(path)));
    TRY(op, rot_erase_file(op, path, &size), "the sealed data key");
    return rot_forget(op, device->rot);
}

kw_status device_wipe(struct kw_op *op, struct device *device)
{
    DEVICE_TURN_AUTO turn = {0};

    TRY(op, state_take_turn(op, device, &turn));
    server_hang_up(device);
    device->config.wiped = true;
    TRY(op, state_save_config(op, device), "noting that a wipe has begun");
    TRY(op, destroy_all(op, device));
    TRY(op, destroy_seals(op, device));
    for (unsigned i = 0; i < KW_COUNT(leavings); i++) {
        TRY(op, state_remove(op, device, leavings[i]));
    }
    for (unsigned i = 0; device_labels[i]; i++) {
        TRY(op, deliver(op, device, device_labels[i]));
    }
    return KW_OK;
}
