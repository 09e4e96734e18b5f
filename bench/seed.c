#include "seed.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"

enum { FILL = 500, SERIAL = 1, FINGERPRINT, PUBKEY, CSR, ENTRY = 300 };

void seed_spread(uint64_t no, uint8_t kind, uint8_t ret[KW_HASH_BYTES])
{
    digest_sha256_two(KW_SPAN(&kind, 1), KW_SPAN(&no, sizeof(no)), ret);
}

void seed_device_id(const struct seed *seed, uint64_t no, char ret[KW_NAME_MAX])
{
    (void)snprintf(ret, KW_NAME_MAX, "D%llu", (unsigned long long)no / seed->certs_a_device);
}

void seed_cert(const struct seed *seed, uint64_t no, struct store_cert *ret)
{
    uint8_t hash[KW_HASH_BYTES];
    char id[KW_NAME_MAX];

    memset(ret, 0, offsetof(struct store_cert, der));
    seed_spread(no, SERIAL, hash);
    memcpy(ret->serial, hash, KW_SERIAL_BYTES);
    ret->serial[0] = (ret->serial[0] & 0x3f) | 0x40;
    ret->serial_len = KW_SERIAL_BYTES;
    seed_spread(no, FINGERPRINT, ret->fingerprint);
    seed_spread(no, PUBKEY, ret->pubkey);
    seed_spread(no, CSR, ret->csr);
    KW_TEXT_SET(ret->ca, "devices");
    KW_TEXT_SET(ret->profile, "ldevid");
    seed_device_id(seed, no, id);
    (void)snprintf(ret->owner, sizeof(ret->owner), "device:%.80s", id);
    (void)snprintf(ret->subject, sizeof(ret->subject), "O=Example,CN=%.80s", id);
    ret->not_before = 1700000000;
    ret->not_after =
        seed->not_after + (seed->ends_a_second ? (int64_t)(no / seed->ends_a_second) : 0);
    ret->state = CERT_STATE_VALID;
    ret->issued_ms = 1700000000000;
    memcpy(ret->der, seed->der.p, seed->der.len);
    ret->der_len = seed->der.len;
}

static kw_status insert_device(struct kw_op *op, struct store_txn *txn, const struct seed *seed,
                               uint64_t no)
{
    struct store_device device = {.product = "lamp", .hw_type = "1.2.3", .state = DEVICE_ACTIVE};

    seed_device_id(seed, no, device.id);
    KW_TEXT_SET(device.serial, device.id);
    KW_TEXT_SET(device.batch, seed->batch);
    device.registered_ms = device.last_seen_ms = 1700000000000;
    return store_device_insert(op, txn, &device);
}

static kw_status insert_one(struct kw_op *op, struct store_txn *txn, const struct seed *seed,
                            uint64_t no, struct store_cert *cert)
{
    struct store_pubkey key = {.class_ = KEY_CLASS_DEVICE_LDEVID, .state = KEY_ACTIVE};
    char entry[ENTRY];

    seed_cert(seed, no, cert);
    memcpy(key.id, cert->pubkey, KW_HASH_BYTES);
    KW_TEXT_SET(key.owner, cert->owner);
    KW_TEXT_SET(key.profile, cert->profile);
    KW_TEXT_SET(key.alg, "ec-p256");
    KW_TEXT_SET(key.custody, "device");
    if (no % seed->certs_a_device == 0) {
        TRY(op, insert_device(op, txn, seed, no));
    }
    TRY(op, store_pubkey_insert(op, txn, &key));
    TRY(op, store_cert_insert(op, txn, cert));
    memset(entry, 'e', sizeof(entry));
    return seed->logged ? store_log_append(op, txn, KW_SPAN_ARRAY(entry)) : KW_OK;
}

struct range {
    const struct seed *seed;
    uint64_t from, n;
};

static kw_status insert_range(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct range *range = ctx;
    struct store_cert cert;

    for (uint64_t i = 0; i < range->n; i++) {
        TRY(op, insert_one(op, txn, range->seed, range->from + i, &cert));
    }
    return KW_OK;
}

void seed_insert(const struct seed *seed, struct store *store, uint64_t from, uint64_t n)
{
    struct range range = {seed, from, n};
    struct kw_op op;

    bench_op(&op);
    bench_need(&op, store_change(&op, store, insert_range, &range), "seeding");
}

void seed_gate(const struct seed *seed, const struct bench_gate *gate, uint64_t n)
{
    char path[256];
    struct store *store = NULL;
    struct kw_op op;

    (void)snprintf(path, sizeof(path), "%s/store/keywright.db", gate->state);
    struct store_config config = {.path = path};
    bench_op(&op);
    bench_need(&op, store_open(&op, &config, &store), "store");
    for (uint64_t from = 0; from < n; from += FILL) {
        seed_insert(seed, store, from, n - from < FILL ? n - from : FILL);
    }
    store_close(store);
}
