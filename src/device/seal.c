/*
 * Secrets at rest. A data key that only this root of trust opens lies in the state folder; each
 * sealed thing has a key of its own made from it: docs/protocol/sealed-data.md.
 */
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "device/device.h"
#include "os/files.h"
#include "os/rng.h"

enum { SALT_BYTES = 32, SEALED_KEY_MAX = 8192 };

static const char MAGIC[8] = "KWSEAL1"; /* with its NUL */

static kw_status make_data_key(struct kw_op *op, struct device *device, struct kw_secret **ret)
{
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    TRY(op, kw_secret_new(AEAD_KEY_BYTES, &key));
    TRY(op, os_random(op, kw_secret_data(key), AEAD_KEY_BYTES));
    TRY(op, rot_seal(op, device->rot, key, &sealed), "sealing the data key");
    TRY(op, state_write(op, device, DEVICE_SEAL_FILE, kw_bytes_span(sealed)), "data key");
    *ret = TAKE(key);
    return KW_OK;
}

static kw_status load_data_key(struct kw_op *op, struct device *device, struct kw_secret **ret)
{
    AUTO(kw_bytes) *sealed = NULL;

    TRY(op, state_read(op, device, DEVICE_SEAL_FILE, SEALED_KEY_MAX, &sealed));
    TRY(op, rot_unseal(op, device->rot, kw_bytes_span(sealed), ret), "data key");
    ENSURE(op, kw_secret_len(*ret) == AEAD_KEY_BYTES, KW_E_INTEGRITY, "data key");
    return KW_OK;
}

/* Two processes that seal for the first time make one key. */
static kw_status take_data_key(struct kw_op *op, struct device *device, struct kw_secret **ret)
{
    DEVICE_TURN_AUTO turn = {0};
    kw_status status = load_data_key(op, device, ret);

    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, state_take_turn(op, device, &turn));
    status = load_data_key(op, device, ret);
    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    return make_data_key(op, device, ret);
}

/* What binds a sealed thing to its form and name. */
static kw_status header_of(struct kw_op *op, const char *name, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *aad = NULL;

    ENSURE(op, *name && strlen(name) < KW_NAME_MAX, KW_E_INPUT,
           "the name of what is sealed must have 1 to %d characters", KW_NAME_MAX - 1);
    TRY(op, kw_bytes_new(KW_NAME_MAX + sizeof(MAGIC), &aad));
    TRY(op, kw_bytes_append(aad, KW_SPAN(MAGIC, sizeof(MAGIC))));
    TRY(op, kw_bytes_append(aad, KW_SPAN(name, strlen(name))));
    *ret = TAKE(aad);
    return KW_OK;
}

kw_status device_seal(struct kw_op *op, struct device *device, const char *name,
                      struct kw_span plain, struct kw_bytes **ret)
{
    uint8_t salt[SALT_BYTES];
    AUTO(kw_secret) *data_key = NULL;
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_bytes) *aad = NULL;
    AUTO(kw_bytes) *box = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    ENSURE(op, !device->config.wiped, KW_E_NOT_FOUND, "the identity was wiped; enrol anew");
    TRY(op, header_of(op, name, &aad));
    TRY(op, take_data_key(op, device, &data_key));
    TRY(op, os_random(op, salt, sizeof(salt)));
    TRY(op, kdf_hkdf_sha256(op, data_key, KW_SPAN_ARRAY(salt), kw_bytes_span(aad), AEAD_KEY_BYTES,
                            &key));
    TRY(op, aead_seal(op, key, kw_bytes_span(aad), plain, &box));
    TRY(op, kw_bytes_new(sizeof(MAGIC) + sizeof(salt) + box->len, &sealed));
    TRY(op, kw_bytes_append(sealed, KW_SPAN(MAGIC, sizeof(MAGIC))));
    TRY(op, kw_bytes_append(sealed, KW_SPAN_ARRAY(salt)));
    TRY(op, kw_bytes_append(sealed, kw_bytes_span(box)));
    *ret = TAKE(sealed);
    return KW_OK;
}

kw_status device_unseal(struct kw_op *op, struct device *device, const char *name,
                        struct kw_span sealed, struct kw_secret **ret)
{
    size_t n_head = sizeof(MAGIC) + SALT_BYTES;
    AUTO(kw_secret) *data_key = NULL;
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_bytes) *aad = NULL;

    ENSURE(op, sealed.len > n_head && memcmp(sealed.p, MAGIC, sizeof(MAGIC)) == 0, KW_E_INTEGRITY,
           "this was not sealed here");
    TRY(op, header_of(op, name, &aad));
    kw_status status = load_data_key(op, device, &data_key);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY, "the key of what was sealed is gone");
    }
    TRY(op, status);
    TRY(op, kdf_hkdf_sha256(op, data_key, kw_span_sub(sealed, sizeof(MAGIC), SALT_BYTES),
                            kw_bytes_span(aad), AEAD_KEY_BYTES, &key));
    TRY(op,
        aead_open(op, key, kw_bytes_span(aad), kw_span_sub(sealed, n_head, sealed.len - n_head),
                  ret),
        "unsealing '%s'", name);
    return KW_OK;
}
