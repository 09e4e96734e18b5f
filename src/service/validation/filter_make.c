/* One filter: whom it is about, its tables, its statement, its signature, its word in the log. */
#include <stdio.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/filter.h"
#include "keeper/sign.h"
#include "model/object.h"
#include "model/statement.h"
#include "os/clock.h"
#include "os/rng.h"
#include "service/validation/filter_maker.h"
#include "service/validation/status_keep.h"

enum {
    SETTLED_S = 660, /* notBefore is a minute before; what was made is in the store ten later */
    ENDED_S = 86400, /* for clocks that are slow */
    SALTS = 3,
};

struct making {
    struct service *service;
    const struct ca *ca;
    int64_t now_s, next_s;
    uint64_t number, certs, revoked;
    char counter[KW_NAME_MAX + 8];
    uint8_t digest[KW_HASH_BYTES];
};

static kw_status gather(struct kw_op *op, void *ctx, struct kw_span serial, bool revoked)
{
    return filter_maker_add(op, ctx, serial, revoked);
}

static kw_status make_body(struct kw_op *op, struct making *it, struct kw_bytes **ret)
{
    AUTO(filter_maker) *maker = NULL;
    uint8_t salt[FILTER_SALT_BYTES];
    kw_status status = KW_FAIL(KW_E_CONFLICT);

    TRY(op, filter_maker_new(op, &maker));
    TRY(op, status_table_each(op, status_keep_table(it->service->status), it->ca->id,
                              it->now_s - ENDED_S, gather, maker));
    it->certs = filter_maker_count(maker, &it->revoked);
    for (unsigned i = 0; i < SALTS && status.code == KW_E_CONFLICT; i++) {
        kw_op_clear(op);
        TRY(op, os_random(op, salt, sizeof(salt)));
        status = filter_maker_make(op, maker, salt, ret);
    }
    return status;
}

/* One counter for CRLs and filters of a CA's name, so a restored log raises both (log/replay.c). */
static kw_status take_number(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct making *it = ctx;

    return store_counter_next(op, txn, it->counter, &it->number);
}

static kw_status record(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct making *it = ctx;
    struct event event = {.type = EVENT_CRL_SIGN};

    memcpy(event.digest, it->digest, sizeof(event.digest));
    KW_TEXT_SET(event.key, it->ca->key_id);
    object_write(OBJECT_CA, it->ca->id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "CRL %llu with %llu entries, list %s.filter",
                   (unsigned long long)it->number, (unsigned long long)it->revoked, it->ca->id);
    return service_record(op, it->service, txn, &event);
}

static void decimal(uint64_t n, char text[24])
{
    (void)snprintf(text, 24, "%llu", (unsigned long long)n);
}

static kw_status state_it(struct kw_op *op, const struct making *it, struct kw_span body,
                          struct kw_out *out)
{
    char times[4][KW_TIME_TEXT], numbers[3][24];
    char issuer[2 * KW_HASH_BYTES + 1], hash[2 * KW_HASH_BYTES + 1];
    uint8_t digest[KW_HASH_BYTES];

    digest_sha256(body, digest);
    decimal(it->number, numbers[0]);
    decimal(it->certs, numbers[1]);
    decimal(it->revoked, numbers[2]);
    const char *const values[] = {
        it->ca->id,
        kw_hex(KW_SPAN(pubkey_id(cert_public(it->ca->cert)), KW_HASH_BYTES), issuer,
               sizeof(issuer)),
        numbers[0],
        kw_time_text(it->now_s, times[0]),
        kw_time_text(it->next_s, times[1]),
        kw_time_text(it->now_s - SETTLED_S, times[2]),
        kw_time_text(it->now_s - ENDED_S, times[3]),
        numbers[1],
        numbers[2],
        kw_hex(KW_SPAN_ARRAY(digest), hash, sizeof(hash)),
    };
    TRY(op, statement_write(STATEMENT_REVOCATION_FILTER, values, KW_COUNT(values), out),
        "the statement of a filter");
    return KW_OK;
}

static kw_status sign(struct kw_op *op, struct making *it, struct kw_span body,
                      struct kw_bytes **ret)
{
    uint8_t text[STATEMENT_MAX], octets[KW_SIG_MAX];
    struct kw_out statement = KW_OUT_ARRAY(text), sig = KW_OUT_ARRAY(octets);
    const char *key = it->ca->key_id;

    TRY(op, state_it(op, it, body, &statement));
    TRY(op, keeper_sign_statement(op, service_keeper(it->service, key), key,
                                  kw_out_span(&statement), &sig));
    digest_sha256(kw_out_span(&statement), it->digest);
    return filter_join(op, kw_out_span(&statement), kw_out_span(&sig), body, ret);
}

kw_status filter_make(struct kw_op *op, struct service *service, const struct ca *ca,
                      struct crl_doc **ret)
{
    AUTO(kw_bytes) *body = NULL;
    AUTO(kw_bytes) *file = NULL;
    struct making it = {.service = service, .ca = ca, .now_s = os_clock_unix_s()};

    ENSURE(op, service->log_line == 1, KW_E_STATE,
           "after a loss was accepted, certificates may exist that no filter can know");
    it.next_s = it.now_s + (int64_t)service->config.crl_hours * 3600;
    (void)snprintf(it.counter, sizeof(it.counter), "crl:%s", ca->base);
    TRY(op, make_body(op, &it, &body), "filter of CA '%s'", ca->id);
    TRY(op, store_change(op, service->store, take_number, &it));
    TRY(op, sign(op, &it, kw_bytes_span(body), &file), "signing filter %llu",
        (unsigned long long)it.number);
    TRY(op, store_change(op, service->store, record, &it), "recording the filter");
    return crl_doc_new(op, &file, it.number, it.revoked, it.now_s, it.next_s, ret);
}
