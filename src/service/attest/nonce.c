/*
 * Nonces that need no room until they are used: when it was made (8 octets), which start of the
 * server made it (4), random (4), MAC over all that and the device (16), under a key of this start.
 * Used once: the store keeps those used while they could still be taken.
 */
#include <pthread.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "os/rng.h"
#include "service/attest/attest_internal.h"

enum { START = 4, RANDOM = 4, HEAD = 8 + START + RANDOM, MAC = 16 };

static uint8_t mac_key[KW_HASH_BYTES], start[START];
static bool mac_key_made;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    mac_key_made = kw_ok(os_random(&own, mac_key, sizeof(mac_key))) &&
                   kw_ok(os_random(&own, start, sizeof(start)));
}

static kw_status begin(struct kw_op *op)
{
    ENSURE(op, pthread_once(&once, make_key) == 0 && mac_key_made, KW_E_UNAVAILABLE,
           "no random numbers");
    return KW_OK;
}

static kw_status mac(struct kw_op *op, const char *device, const uint8_t head[HEAD],
                     uint8_t ret[KW_HASH_BYTES])
{
    uint8_t room[HEAD + KW_NAME_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    AUTO(kw_secret) *key = NULL;

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
    struct kw_out out = {.p = ret, .cap = 8 + START};
    struct kw_writer w = kw_writer_of(&out);

    TRY(op, begin(op));
    kw_writer_u64(&w, (uint64_t)at_ms);
    kw_writer_put(&w, KW_SPAN_ARRAY(start));
    TRY(op, kw_writer_end(&w));
    TRY(op, os_random(op, ret + 8 + START, RANDOM));
    TRY(op, mac(op, device, ret, full));
    memcpy(ret + HEAD, full, MAC);
    return KW_OK;
}

enum attest_reason attest_nonce_judge(const char *device, struct kw_span nonce, int64_t now_ms,
                                      int64_t *ret_at_ms)
{
    struct kw_reader r = kw_reader_of(nonce);
    int64_t at_ms = (int64_t)kw_reader_u64(&r);
    struct kw_span by = kw_reader_take(&r, START);
    uint8_t full[KW_HASH_BYTES];
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    if (nonce.len != ATTEST_NONCE || !kw_ok(begin(&own))) {
        return ATTEST_R_WRONG_NONCE;
    }
    if (!kw_span_equal(by, KW_SPAN_ARRAY(start))) {
        return ATTEST_R_NONCE_LOST; /* or invented: then as good as no answer */
    }
    if (!kw_ok(mac(&own, device, nonce.p, full)) ||
        !kw_equal_consttime(KW_SPAN(full, MAC), KW_SPAN(nonce.p + HEAD, MAC))) {
        return ATTEST_R_WRONG_NONCE;
    }
    if (now_ms > at_ms + ATTEST_NONCE_S * 1000) {
        return ATTEST_R_NONCE_EXPIRED;
    }
    *ret_at_ms = at_ms;
    return ATTEST_R_OK;
}
