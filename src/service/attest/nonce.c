/*
 * Nonces that need no room: when it was made (8 octets), random (8), MAC over both and the device
 * (16), under a key of this process. Used once: a device's record keeps when the newest one that it
 * used had been made, and only a newer one is taken.
 */
#include <pthread.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "os/rng.h"
#include "service/attest/attest_internal.h"

enum { HEAD = 16, MAC = 16 };

static uint8_t mac_key[KW_HASH_BYTES];
static bool mac_key_made;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    mac_key_made = kw_ok(os_random(&own, mac_key, sizeof(mac_key)));
}

static kw_status mac(struct kw_op *op, const char *device, const uint8_t head[HEAD],
                     uint8_t ret[KW_HASH_BYTES])
{
    uint8_t room[HEAD + KW_NAME_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    AUTO(kw_secret) *key = NULL;

    ENSURE(op, pthread_once(&once, make_key) == 0 && mac_key_made, KW_E_UNAVAILABLE,
           "no random numbers");
    kw_writer_put(&w, KW_SPAN(head, HEAD));
    kw_writer_put(&w, kw_span_text(device));
    TRY(op, kw_writer_end(&w));
    TRY(op, kw_secret_copy(KW_SPAN_ARRAY(mac_key), &key));
    return digest_hmac_sha256(op, key, kw_out_span(&out), ret);
}

kw_status attest_nonce_make(struct kw_op *op, const char *device, int64_t at_ms,
                            uint8_t ret[ATTEST_NONCE])
{
    uint8_t full[KW_HASH_BYTES];
    struct kw_out out = {.p = ret, .cap = 8};
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_u64(&w, (uint64_t)at_ms);
    TRY(op, kw_writer_end(&w));
    TRY(op, os_random(op, ret + 8, 8));
    TRY(op, mac(op, device, ret, full));
    memcpy(ret + HEAD, full, MAC);
    return KW_OK;
}

enum attest_reason attest_nonce_judge(const char *device, struct kw_span nonce, int64_t now_ms,
                                      int64_t *ret_at_ms)
{
    struct kw_reader r = kw_reader_of(nonce);
    uint8_t full[KW_HASH_BYTES];
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    if (nonce.len != ATTEST_NONCE || !kw_ok(mac(&own, device, nonce.p, full)) ||
        !kw_equal_consttime(KW_SPAN(full, MAC), KW_SPAN(nonce.p + HEAD, MAC))) {
        return ATTEST_R_WRONG_NONCE;
    }
    *ret_at_ms = (int64_t)kw_reader_u64(&r);
    return now_ms > *ret_at_ms + ATTEST_NONCE_S * 1000 ? ATTEST_R_NONCE_EXPIRED : ATTEST_R_OK;
}
