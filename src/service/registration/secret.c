#include "service/registration/secret.h"

#include <stdio.h>

#include "base/b64.h"
#include "crypto/digest.h"
#include "os/rng.h"

enum { SECRET_BYTES = 18, HOURS_DEFAULT = 168, HOUR_MS = 3600000 };

kw_status secret_make(struct kw_op *op, int64_t now_ms, uint32_t hours,
                      char text[DEVICE_SECRET_TEXT], struct store_device *device)
{
    uint8_t random[SECRET_BYTES];
    AUTO(kw_bytes) *encoded = NULL;

    TRY(op, os_random(op, random, sizeof(random)));
    TRY(op, kw_bytes_new(DEVICE_SECRET_TEXT, &encoded));
    TRY(op, kw_b64url_encode(KW_SPAN_ARRAY(random), encoded));
    (void)snprintf(text, DEVICE_SECRET_TEXT, "%.*s", (int)encoded->len, (const char *)encoded->p);
    kw_wipe(random, sizeof(random));
    kw_wipe(encoded->p, encoded->len);
    digest_sha256(kw_span_text(text), device->secret_hash);
    device->secret_expires_ms = now_ms + (int64_t)(hours ? hours : HOURS_DEFAULT) * HOUR_MS;
    device->secret_failures = 0;
    memset(device->secret_used_csr, 0, sizeof(device->secret_used_csr));
    return KW_OK;
}

static bool is_zero(const uint8_t hash[KW_HASH_BYTES])
{
    static const uint8_t zero[KW_HASH_BYTES];

    return memcmp(hash, zero, KW_HASH_BYTES) == 0;
}

kw_status secret_check(struct kw_op *op, const struct store_device *device, const char *text,
                       int64_t now_ms, const uint8_t csr[KW_HASH_BYTES])
{
    uint8_t hash[KW_HASH_BYTES];

    ENSURE(op, device->secret_failures < DEVICE_SECRET_TRIES, KW_E_LIMIT,
           "too many wrong registration secrets; have a new one made");
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
    (void)snprintf(event.object, sizeof(event.object), "device:%.80s", failure->id);
    (void)snprintf(event.detail, sizeof(event.detail), "wrong registration secret, %u in a row",
                   device.secret_failures);
    return service_record(op, failure->service, txn, &event);
}

kw_status secret_try(struct kw_op *op, struct service *service, const struct store_device *device,
                     const char *text, int64_t now_ms, const uint8_t csr[KW_HASH_BYTES])
{
    struct failure failure = {.service = service, .id = device->id};
    kw_status status = secret_check(op, device, text, now_ms, csr);

    if (status.code == KW_E_AUTH) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        if (!kw_ok(store_change(&own, service->store, count_failure, &failure))) {
            service_complain(service, &own, "a wrong registration secret could not be counted");
            return FAIL(op, KW_E_UNAVAILABLE, "the registry cannot be written");
        }
    }
    return status;
}
