#include "service/registration/secret.h"

#include <stdio.h>

#include "base/b64.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "keeper/data.h"
#include "model/object.h"
#include "os/rng.h"
#include "service/keys/line.h"

enum { SECRET_BYTES = 18, HOURS_DEFAULT = 168, HOUR_MS = 3600000 };

static int64_t ends(int64_t now_ms, uint32_t hours)
{
    return now_ms + (int64_t)(hours ? hours : HOURS_DEFAULT) * HOUR_MS;
}

static kw_status encode(struct kw_op *op, struct kw_span octets, char text[DEVICE_SECRET_TEXT])
{
    AUTO(kw_bytes) *encoded = NULL;

    TRY(op, kw_bytes_new(DEVICE_SECRET_TEXT, &encoded));
    TRY(op, kw_b64url_encode(octets, encoded));
    (void)snprintf(text, DEVICE_SECRET_TEXT, "%.*s", (int)encoded->len, (const char *)encoded->p);
    kw_wipe(encoded->p, encoded->len);
    return KW_OK;
}

static void put(const char *text, int64_t expires_ms, struct store_device *device)
{
    digest_sha256(kw_span_text(text), device->secret_hash);
    device->secret_expires_ms = expires_ms;
    device->secret_failures = 0;
    memset(device->secret_used_csr, 0, sizeof(device->secret_used_csr));
}

kw_status secret_make(struct kw_op *op, int64_t now_ms, uint32_t hours,
                      char text[DEVICE_SECRET_TEXT], struct store_device *device)
{
    uint8_t random[SECRET_BYTES];

    TRY(op, os_random(op, random, sizeof(random)));
    kw_status status = encode(op, KW_SPAN_ARRAY(random), text);
    kw_wipe(random, sizeof(random));
    TRY(op, status);
    put(text, ends(now_ms, hours), device);
    return KW_OK;
}

/* --- secrets that can be known again ---------------------------------------------------------- */

/* Another end, another secret: the same one never serves twice. */
static kw_status derive(struct kw_op *op, struct service *service, const char *key_id,
                        const char *device_id, int64_t expires_ms, char text[DEVICE_SECRET_TEXT])
{
    uint8_t room[sizeof(uint64_t)];
    struct kw_out salt = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&salt);
    AUTO(kw_secret) *octets = NULL;

    kw_writer_u64(&w, (uint64_t)expires_ms);
    TRY(op, kw_writer_end(&w));
    TRY(op, keeper_data_derive(op, service_keeper(service, key_id), key_id, SECRET_LABEL,
                               kw_out_span(&salt), kw_span_text(device_id), SECRET_BYTES, &octets));
    return encode(op, kw_secret_span(octets), text);
}

static kw_status newest_key(struct kw_op *op, struct service *service, struct keeper_key_info *ret)
{
    TRY(op, line_newest(op, service, SECRET_KEY, 1u << KEY_ACTIVE, ret),
        "a registration secret for CMP (make it without, or a key '%s' of class kdf-master with "
        "scope %s)",
        SECRET_KEY, SECRET_LABEL);
    return KW_OK;
}

kw_status secret_make_known(struct kw_op *op, struct service *service, int64_t now_ms,
                            uint32_t hours, char text[DEVICE_SECRET_TEXT],
                            struct store_device *device)
{
    struct keeper_key_info key;
    int64_t expires_ms = ends(now_ms, hours);

    TRY(op, newest_key(op, service, &key));
    TRY(op, derive(op, service, key.key_id, device->id, expires_ms, text));
    put(text, expires_ms, device);
    return KW_OK;
}

static bool is_of(const struct store_device *device, const char *text)
{
    uint8_t hash[KW_HASH_BYTES];

    digest_sha256(kw_span_text(text), hash);
    return device->secret_expires_ms &&
           kw_equal_consttime(KW_SPAN_ARRAY(hash), KW_SPAN_ARRAY(device->secret_hash));
}

/* After a rotation the key before still serves its overlap out. */
static kw_status try_keys(struct kw_op *op, struct service *service,
                          const struct store_device *device, char text[DEVICE_SECRET_TEXT])
{
    struct keeper_key_info key;
    char line[KW_NAME_MAX], id[KW_NAME_MAX];

    TRY(op, newest_key(op, service, &key));
    TRY(op, derive(op, service, key.key_id, device->id, device->secret_expires_ms, text));
    unsigned generation = line_split(key.key_id, line);
    if (!is_of(device, text) && generation > 1 && policy_key_id(line, generation - 1, id)) {
        TRY(op, derive(op, service, id, device->id, device->secret_expires_ms, text));
    }
    ENSURE(op, is_of(device, text), KW_E_NOT_FOUND,
           "the registration secret of device '%s' was not made for CMP", device->id);
    return KW_OK;
}

kw_status secret_recall(struct kw_op *op, struct service *service,
                        const struct store_device *device, struct kw_secret **ret)
{
    char text[DEVICE_SECRET_TEXT];

    ENSURE(op, device->secret_expires_ms, KW_E_NOT_FOUND,
           "device '%s' has no open registration secret", device->id);
    kw_status status = try_keys(op, service, device, text);
    if (kw_ok(status)) {
        status = kw_secret_copy(kw_span_text(text), ret);
    }
    kw_wipe(text, sizeof(text));
    return status;
}

/* --- use ---------------------------------------------------------------------------------------
 */

static bool is_zero(const uint8_t hash[KW_HASH_BYTES])
{
    static const uint8_t zero[KW_HASH_BYTES];

    return memcmp(hash, zero, KW_HASH_BYTES) == 0;
}

kw_status secret_check(struct kw_op *op, const struct store_device *device, const char *text,
                       int64_t now_ms, const uint8_t csr[KW_HASH_BYTES])
{
    uint8_t hash[KW_HASH_BYTES];

    digest_sha256(kw_span_text(text), hash);
    ENSURE(op,
           device->secret_expires_ms &&
               kw_equal_consttime(KW_SPAN_ARRAY(hash), KW_SPAN_ARRAY(device->secret_hash)),
           KW_E_AUTH, "device id or registration secret is wrong");
    ENSURE(op, now_ms <= device->secret_expires_ms, KW_E_EXPIRED,
           "the registration secret has expired; have a new one made");
    ENSURE(op,
           is_zero(device->secret_used_csr) ||
               memcmp(device->secret_used_csr, csr, KW_HASH_BYTES) == 0,
           KW_E_STATE, "the registration secret was used already; have a new one made");
    return KW_OK;
}

struct failure {
    struct service *service;
    const char *id;
};

static kw_status count_failure(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct failure *failure = ctx;
    struct store_device device;
    struct event event = {.type = EVENT_ACCESS_REFUSE, .result = "unauthenticated"};

    TRY(op, store_device_get_txn(op, txn, failure->id, &device));
    device.secret_failures++;
    TRY(op, store_device_update(op, txn, &device));
    object_write(OBJECT_DEVICE, failure->id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "wrong registration secret, %u in a row",
                   device.secret_failures);
    return service_record(op, failure->service, txn, &event);
}

kw_status secret_try(struct kw_op *op, struct service *service, const struct store_device *device,
                     const char *text, int64_t now_ms, const uint8_t csr[KW_HASH_BYTES])
{
    struct failure failure = {.service = service, .id = device->id};
    kw_status status = secret_check(op, device, text, now_ms, csr);

    /* Whoever knows a device's id can send wrong ones: they fill no log, and they do not take the
     * right one away, which has 144 bits of randomness and is not guessed. */
    if (status.code == KW_E_AUTH && device->secret_failures < DEVICE_SECRET_TRIES) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        if (!kw_ok(store_change(&own, service->store, count_failure, &failure))) {
            service_complain(service, &own, "a wrong registration secret could not be counted");
            return FAIL(op, KW_E_UNAVAILABLE, "the registry cannot be written");
        }
    }
    return status;
}
