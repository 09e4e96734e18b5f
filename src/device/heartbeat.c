/*
 * The heartbeat that is sent next (docs/protocol/heartbeat.md), and the one before it, in two files
 * that are written in turn: where the newer one is damaged the older is sent once more.
 */
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "device/device.h"
#include "os/files.h"
#include "os/rng.h"

static const char DOMAIN[] = "keywright-heartbeat-v1";
static const char *const files[] = {"heartbeat-a", "heartbeat-b"}; /* even counters, odd ones */
enum {
    CONTENT_BYTES = 8 + 2 * KW_HASH_BYTES,
    CHECK_BYTES = 8,
    FILE_BYTES = CONTENT_BYTES + CHECK_BYTES,
    RANDOM_BYTES = 16
};

/* What follows `before`: no copy of this device draws the same random octets. */
static kw_status make_next(struct kw_op *op, const struct heartbeat *before, struct heartbeat *ret)
{
    uint8_t room[64 + KW_HASH_BYTES + 8 + RANDOM_BYTES], random[RANDOM_BYTES];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    struct heartbeat next = {.counter = before->counter + 1};

    memcpy(next.previous, before->link, sizeof(next.previous));
    TRY(op, os_random(op, random, sizeof(random)));
    kw_writer_put(&w, KW_SPAN_ARRAY(DOMAIN));
    kw_writer_put(&w, KW_SPAN_ARRAY(next.previous));
    kw_writer_u64(&w, next.counter);
    kw_writer_put(&w, KW_SPAN_ARRAY(random));
    TRY(op, kw_writer_end(&w), "heartbeat");
    digest_sha256(kw_out_span(&out), next.link);
    *ret = next;
    return KW_OK;
}

static kw_status keep(struct kw_op *op, const struct device *device, const struct heartbeat *beat)
{
    uint8_t room[FILE_BYTES], check[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_u64(&w, beat->counter);
    kw_writer_put(&w, KW_SPAN_ARRAY(beat->link));
    kw_writer_put(&w, KW_SPAN_ARRAY(beat->previous));
    digest_sha256(kw_out_span(&out), check);
    kw_writer_put(&w, KW_SPAN(check, CHECK_BYTES));
    TRY(op, kw_writer_end(&w), "heartbeat");
    return state_write(op, device, files[beat->counter % 2], kw_out_span(&out));
}

static bool is_sound(struct kw_span file, struct heartbeat *ret)
{
    struct kw_reader r = kw_reader_of(kw_span_sub(file, 0, CONTENT_BYTES));
    uint8_t check[KW_HASH_BYTES];

    digest_sha256(kw_span_sub(file, 0, CONTENT_BYTES), check);
    ret->counter = kw_reader_u64(&r);
    kw_reader_copy(&r, ret->link, sizeof(ret->link));
    kw_reader_copy(&r, ret->previous, sizeof(ret->previous));
    return kw_ok(kw_reader_end(&r)) && file.len == FILE_BYTES &&
           memcmp(check, file.p + CONTENT_BYTES, CHECK_BYTES) == 0 && ret->counter > 0 &&
           ret->counter < INT64_MAX;
}

/* Takes the file's heartbeat where it is sound and newer. */
static kw_status look(struct kw_op *op, const struct device *device, const char *name,
                      struct heartbeat *newest)
{
    struct heartbeat found = {0};
    AUTO(kw_bytes) *kept = NULL;
    kw_status status = state_read(op, device, name, FILE_BYTES, &kept);

    if (status.code == KW_E_NOT_FOUND || status.code == KW_E_TOO_LARGE) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (is_sound(kw_bytes_span(kept), &found) && found.counter > newest->counter) {
        *newest = found;
    }
    return KW_OK;
}

/* Where both are lost it begins anew: the server asks an operator whether this is still the same
 * device. */
kw_status heartbeat_get(struct kw_op *op, const struct device *device, struct heartbeat *ret)
{
    static const struct heartbeat none;
    struct heartbeat newest = none;

    for (unsigned i = 0; i < KW_COUNT(files); i++) {
        TRY(op, look(op, device, files[i], &newest));
    }
    if (newest.counter == 0) {
        TRY(op, make_next(op, &none, &newest));
        TRY(op, keep(op, device, &newest));
    }
    *ret = newest;
    return KW_OK;
}

void heartbeat_taken(const struct device *device, const struct heartbeat *sent)
{
    struct heartbeat next;
    struct kw_op own; /* where the next cannot be kept, this one is sent again: as good */

    kw_op_init(&own, NULL, 0);
    if (kw_ok(make_next(&own, sent, &next))) {
        (void)kw_ok(keep(&own, device, &next));
    }
}
