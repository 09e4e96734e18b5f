#include "service/fleet/wipe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/reader.h"
#include "base/time.h"
#include "base/writer.h"
#include "crypto/digest.h"
#include "model/object.h"
#include "os/clock.h"

/* --- as stored: "wipe:ID", its version the state, two numbers in digits ------------------------
 */

static void blob_name(const char *id, char name[KW_NAME_MAX + 8])
{
    (void)snprintf(name, KW_NAME_MAX + 8, "wipe:%.90s", id);
}

static kw_status read_order(struct kw_op *op, struct kw_span text, uint64_t state,
                            struct wipe_order *ret)
{
    char digits[64], *end = NULL;

    (void)snprintf(digits, sizeof(digits), "%.*s", (int)text.len, (const char *)text.p);
    ENSURE(op, state < WIPE_STATE_MAX, KW_E_INTEGRITY, "the order of a wipe is damaged");
    ret->state = (enum wipe_state)state;
    ret->ordered_ms = strtoll(digits, &end, 10);
    ret->until_ms = strtoll(end, NULL, 10);
    return KW_OK;
}

kw_status wipe_get(struct kw_op *op, struct service *service, const char *id,
                   struct wipe_order *ret)
{
    char name[KW_NAME_MAX + 8];
    uint64_t state = 0;
    AUTO(kw_bytes) *text = NULL;

    memset(ret, 0, sizeof(*ret));
    blob_name(id, name);
    kw_status status = store_blob_get(op, service->store, name, &state, &text);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return read_order(op, kw_bytes_span(text), state, ret);
}

kw_status wipe_end(struct kw_op *op, struct store_txn *txn, const char *id,
                   const struct wipe_order *order, enum wipe_state state)
{
    char name[KW_NAME_MAX + 8], digits[64];

    blob_name(id, name);
    (void)snprintf(digits, sizeof(digits), "%lld %lld", (long long)order->ordered_ms,
                   (long long)order->until_ms);
    return store_blob_put(op, txn, name, (uint64_t)state, kw_span_text(digits));
}

bool wipe_is_open(const struct wipe_order *order, int64_t now_ms)
{
    return order->state == WIPE_ORDERED && now_ms < order->until_ms;
}

const char *wipe_state_text(const struct wipe_order *order, int64_t now_ms)
{
    static const char *const texts[WIPE_STATE_MAX] = {[WIPE_NONE] = "",
                                                      [WIPE_ORDERED] = "ordered",
                                                      [WIPE_CANCELLED] = "cancelled",
                                                      [WIPE_DONE] = "done"};

    return order->state == WIPE_ORDERED && !wipe_is_open(order, now_ms) ? "expired"
                                                                        : texts[order->state];
}

/* --- operators -------------------------------------------------------------------------------- */

struct wipe_change {
    struct service *service;
    const char *id;
    struct wipe_order order;
    struct event event;
};

static kw_status put(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct wipe_change *it = ctx;

    TRY(op, wipe_end(op, txn, it->id, &it->order, it->order.state));
    return service_record(op, it->service, txn, &it->event);
}

static kw_status change(struct kw_op *op, struct wipe_change *it, const char *says,
                        const char *reason)
{
    it->event.type = EVENT_DEVICE_WIPE;
    object_write(OBJECT_DEVICE, it->id, it->event.object);
    (void)snprintf(it->event.detail, sizeof(it->event.detail), "%s%s%.250s", says,
                   *reason ? ": " : "", reason);
    return store_change(op, it->service->store, put, it);
}

static kw_status order_now(struct kw_op *op, struct service *service, const char *id,
                           uint32_t hours, const char *reason)
{
    struct wipe_change it = {.service = service, .id = id};
    char says[96], until[KW_TIME_TEXT];

    it.order.state = WIPE_ORDERED;
    it.order.ordered_ms = os_clock_unix_ms();
    it.order.until_ms = it.order.ordered_ms + (int64_t)hours * 3600000;
    (void)snprintf(says, sizeof(says), "a wipe is ordered, until %s",
                   kw_time_text(it.order.until_ms / 1000, until));
    return change(op, &it, says, reason);
}

/* What people sign. */
static struct approval_subject subject_of(const char *id, uint32_t hours, const char *reason)
{
    struct approval_subject subject =
        approval_subject_of(APPROVE_DEVICE_WIPE, KEY_CLASS_NONE, NULL);

    approval_detail(&subject, "device", "%s", id);
    approval_detail(&subject, "waits-hours", "%u", hours);
    approval_detail(&subject, "reason", "%.120s", *reason ? reason : "none given");
    return subject;
}

static kw_status ask(struct kw_op *op, struct service *service, const char *id, uint32_t hours,
                     const char *reason, struct keeper_approval *pending)
{
    struct approval_subject subject = subject_of(id, hours, reason);
    uint8_t room[KW_NAME_MAX + WIPE_REASON_MAX + 16];
    struct kw_out args = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&args);

    kw_writer_text(&w, id);
    kw_writer_u32(&w, hours);
    kw_writer_text(&w, reason);
    TRY(op, kw_writer_end(&w), "the order");
    TRY(op, approval_ask_in(op, service, service->keeper, &subject, kw_out_span(&args), pending));
    return FAIL(op, KW_E_APPROVAL, "a wipe of device '%s' needs approval", id);
}

kw_status wipe_order(struct kw_op *op, struct service *service, const char *id, uint32_t hours,
                     const char *reason, struct keeper_approval *pending)
{
    struct store_device device;

    TRY(op, store_device_get(op, service->store, id, &device), "device '%s'", id);
    return service->config.wipe_approval ? ask(op, service, id, hours, reason, pending)
                                         : order_now(op, service, id, hours, reason);
}

/* The keeper verifies the approvals and uses them up; where the server ended behind that, there is
 * no order: it is asked for again. */
kw_status wipe_execute(struct kw_op *op, struct service *service,
                       const struct keeper_approval *approval, struct kw_span args)
{
    struct kw_reader r = kw_reader_of(args);
    char id[KW_NAME_MAX], reason[WIPE_REASON_MAX];

    kw_reader_text(&r, id, sizeof(id));
    uint32_t hours = kw_reader_u32(&r);
    kw_reader_text(&r, reason, sizeof(reason));
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INTEGRITY, "what was asked for is damaged");
    struct approval_subject subject = subject_of(id, hours, reason);
    TRY(op, keeper_approval_use(op, service->keeper, &subject, approval->what.id),
        "a wipe of device '%s'", id);
    return order_now(op, service, id, hours, reason);
}

kw_status wipe_cancel(struct kw_op *op, struct service *service, const char *id, const char *reason)
{
    struct wipe_change it = {.service = service, .id = id};

    TRY(op, wipe_get(op, service, id, &it.order));
    ENSURE(op, wipe_is_open(&it.order, os_clock_unix_ms()), KW_E_STATE,
           "no wipe of device '%s' is ordered", id);
    it.order.state = WIPE_CANCELLED;
    return change(op, &it, "the order of a wipe is cancelled", reason);
}

/* --- the device ------------------------------------------------------------------------------- */

/* Each order that left is in the log, with what the keeper signed. */
static kw_status record_signed(struct kw_op *op, struct service *service, const char *id,
                               const struct fleet_time *stated, const char *key_id)
{
    struct event event = {.type = EVENT_DEVICE_WIPE};

    digest_sha256(kw_span_text(stated->statement), event.digest);
    KW_TEXT_SET(event.key, key_id);
    object_write(OBJECT_DEVICE, id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "the device fetched the signed order");
    return service_record_alone(op, service, &event);
}

kw_status wipe_sign(struct kw_op *op, struct service *service, const char *id,
                    const struct cert *cert, const char *nonce, struct fleet_time *ret)
{
    struct wipe_order order;
    int64_t now_ms = os_clock_unix_ms();
    char now[KW_TIME_TEXT], key[2 * KW_HASH_BYTES + 1], key_id[KW_NAME_MAX];
    const char *const values[] = {id, key, nonce, kw_time_text(now_ms / 1000, now)};

    TRY(op, wipe_get(op, service, id, &order));
    ENSURE(op, wipe_is_open(&order, now_ms), KW_E_STATE, "no wipe of this device is ordered");
    kw_hex(KW_SPAN(pubkey_id(cert_public(cert)), KW_HASH_BYTES), key, sizeof(key));
    TRY(op, fleet_state(op, service, STATEMENT_DEVICE_WIPE, values, KW_COUNT(values), key_id, ret));
    return record_signed(op, service, id, ret, key_id);
}
