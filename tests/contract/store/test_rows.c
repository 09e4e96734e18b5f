/* Every function over rows: what goes in comes out, what must be unique is. */
#include "env.h"

#include <stdio.h>
#include <stdlib.h>

/* A change that runs one of the calls below. */
struct call {
    kw_status (*run)(struct kw_op *op, struct store_txn *txn, struct call *call);
    const struct store_device *device;
    struct store_device *got_device;
    struct store_pubkey *got_pubkey;
    struct store_cert *got_cert;
    const char *name;
    const uint8_t *hash;
    int64_t row, at;
    int state, reason;
    struct kw_span content;
    uint64_t number;
};

static kw_status run_call(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct call *call = ctx;

    return call->run(op, txn, call);
}

static kw_status change(struct env *env, struct call *call)
{
    return store_change(env_op(), env->store, run_call, call);
}

/* --- devices --- */

static void assert_same_device(const struct store_device *a, const struct store_device *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->product, b->product);
    assert_string_equal(a->serial, b->serial);
    assert_string_equal(a->hw_type, b->hw_type);
    assert_string_equal(a->agent, b->agent);
    assert_string_equal(a->root_of_trust, b->root_of_trust);
    assert_string_equal(a->batch, b->batch);
    assert_string_equal(a->firmware, b->firmware);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->simulated, b->simulated);
    assert_int_equal(a->registered_ms, b->registered_ms);
    assert_int_equal(a->last_seen_ms, b->last_seen_ms);
    assert_int_equal(a->secret_expires_ms, b->secret_expires_ms);
    assert_int_equal(a->secret_failures, b->secret_failures);
    assert_memory_equal(a->secret_hash, b->secret_hash, KW_HASH_BYTES);
    assert_memory_equal(a->secret_used_csr, b->secret_used_csr, KW_HASH_BYTES);
}

static kw_status update_device(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_device_update(op, txn, call->device);
}

static kw_status get_device(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_device_get_txn(op, txn, call->name, call->got_device);
}

static void device_comes_back_as_it_went_in(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1), got = {0};

    sample_octets(device.secret_used_csr, KW_HASH_BYTES, 77);
    assert_ok(env_insert(env, &(struct insertion){.device = &device}));
    assert_ok(store_device_get(env_op(), env->store, "DEV00001", &got));
    assert_same_device(&device, &got);
    memset(&got, 0, sizeof(got));
    assert_ok(
        change(env, &(struct call){.run = get_device, .name = "DEV00001", .got_device = &got}));
    assert_same_device(&device, &got);
}

static void device_update_leaves_identity_alone(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1), got = {0}, want = device;

    env_add_device(env, 1);
    want.state = DEVICE_SUSPENDED;
    want.last_seen_ms = 5;
    want.simulated = false;
    want.secret_failures = 9;
    want.secret_expires_ms = 0;
    memset(want.secret_hash, 0, sizeof(want.secret_hash));
    assert_true(KW_TEXT_SET(want.agent, "other"));
    assert_true(KW_TEXT_SET(want.firmware, "2.2.0-rc1"));
    device = want;
    assert_true(KW_TEXT_SET(device.batch, "ignored"));
    assert_true(KW_TEXT_SET(device.product, "ignored"));
    assert_true(KW_TEXT_SET(device.serial, "ignored"));
    device.registered_ms = 1;
    assert_ok(change(env, &(struct call){.run = update_device, .device = &device}));
    assert_ok(store_device_get(env_op(), env->store, device.id, &got));
    assert_same_device(&want, &got);
    assert_int_equal(env_counts(env).devices_active, 0);
}

static void absent_device_is_not_found(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1), got = {.secret_failures = 7};
    struct store_cert cert = sample_cert(1);

    assert_fails(store_device_get(env_op(), env->store, "DEV00001", &got), KW_E_NOT_FOUND);
    assert_int_equal(got.secret_failures, 7);
    assert_fails(change(env, &(struct call){.run = update_device, .device = &device}),
                 KW_E_NOT_FOUND);
    /* A certificate's owner is no device yet. */
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    assert_fails(store_device_get(env_op(), env->store, "DEV00001", &got), KW_E_NOT_FOUND);
    assert_fails(change(env, &(struct call){.run = update_device, .device = &device}),
                 KW_E_NOT_FOUND);
    assert_ok(env_insert(env, &(struct insertion){.device = &device}));
}

static void device_id_and_serial_are_unique(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1);

    env_add_device(env, 1);
    assert_true(KW_TEXT_SET(device.serial, "another"));
    assert_fails(env_insert(env, &(struct insertion){.device = &device}), KW_E_CONFLICT);
    device = sample_device(1);
    assert_true(KW_TEXT_SET(device.id, "ANOTHER"));
    assert_fails(env_insert(env, &(struct insertion){.device = &device}), KW_E_CONFLICT);
    assert_true(KW_TEXT_SET(device.product, "other product")); /* the serial is its own */
    assert_ok(env_insert(env, &(struct insertion){.device = &device}));
    device.state = (enum device_state)9;
    assert_fails(env_insert(env, &(struct insertion){.device = &device}), KW_E_INPUT);
    assert_int_equal(env_counts(env).devices, 2);
}

static void devices_list_in_order_of_id(void **state)
{
    struct env *env = *state;
    struct store_device got[4];
    unsigned n = 0;

    for (unsigned no = 9; no > 0; no--) {
        env_add_device(env, no);
    }
    assert_ok(store_device_list(env_op(), env->store, "", 4, got, &n));
    assert_int_equal(n, 4);
    assert_string_equal(got[0].id, "DEV00001");
    assert_string_equal(got[3].id, "DEV00004");
    assert_ok(store_device_list(env_op(), env->store, "DEV00007", 4, got, &n));
    assert_int_equal(n, 2);
    assert_string_equal(got[1].id, "DEV00009");
    assert_ok(store_device_list(env_op(), env->store, "DEV00009", 4, got, &n));
    assert_int_equal(n, 0);
}

static void longest_names_fit(void **state)
{
    struct env *env = *state;
    struct store_device device = sample_device(1), got = {0};

    memset(device.id, 'i', sizeof(device.id) - 1);
    memset(device.serial, 's', sizeof(device.serial) - 1);
    memset(device.product, 'p', sizeof(device.product) - 1);
    memset(device.agent, 'a', sizeof(device.agent) - 1);
    assert_ok(env_insert(env, &(struct insertion){.device = &device}));
    assert_ok(store_device_get(env_op(), env->store, device.id, &got));
    assert_same_device(&device, &got);
    device.id[0] = '\0';
    assert_fails(env_insert(env, &(struct insertion){.device = &device}), KW_E_INPUT);
}

/* --- public keys --- */

static kw_status set_key_state(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_pubkey_set_state(op, txn, call->hash, (enum key_state)call->state, call->at);
}

static kw_status get_key(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_pubkey_get_txn(op, txn, call->hash, call->got_pubkey);
}

static void assert_same_key(const struct store_pubkey *a, const struct store_pubkey *b)
{
    assert_memory_equal(a->id, b->id, KW_HASH_BYTES);
    assert_string_equal(a->owner, b->owner);
    assert_string_equal(a->profile, b->profile);
    assert_string_equal(a->alg, b->alg);
    assert_string_equal(a->custody, b->custody);
    assert_int_equal(a->class_, b->class_);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->state_ms, b->state_ms);
}

static void pubkey_has_one_owner_for_ever(void **state)
{
    struct env *env = *state;
    struct store_pubkey key = sample_pubkey(1), got = {0}, other = key;

    assert_ok(env_insert(env, &(struct insertion){.pubkey = &key}));
    assert_true(KW_TEXT_SET(other.owner, "device:THIEF"));
    assert_fails(env_insert(env, &(struct insertion){.pubkey = &other}), KW_E_CONFLICT);
    assert_fails(env_insert(env, &(struct insertion){.pubkey = &key}), KW_E_CONFLICT);
    assert_ok(store_pubkey_get(env_op(), env->store, key.id, &got));
    assert_same_key(&key, &got);
    assert_ok(change(env, &(struct call){.run = get_key, .hash = key.id, .got_pubkey = &other}));
    assert_same_key(&key, &other);
    assert_int_equal(env_counts(env).pubkeys, 1);
}

static void pubkeys_that_begin_alike_are_told_apart(void **state)
{
    struct env *env = *state;
    struct store_pubkey key = sample_pubkey(1), got = {0};

    for (unsigned i = 0; i < 5; i++) {
        key.id[KW_HASH_BYTES - 1] = (uint8_t)i;
        key.created_ms = i;
        assert_ok(env_insert(env, &(struct insertion){.pubkey = &key}));
    }
    key.id[KW_HASH_BYTES - 1] = 3;
    assert_ok(store_pubkey_get(env_op(), env->store, key.id, &got));
    assert_int_equal(got.created_ms, 3);
    assert_fails(env_insert(env, &(struct insertion){.pubkey = &key}), KW_E_CONFLICT);
    key.id[KW_HASH_BYTES - 1] = 9;
    assert_fails(store_pubkey_get(env_op(), env->store, key.id, &got), KW_E_NOT_FOUND);
}

static void pubkey_state_changes(void **state)
{
    struct env *env = *state;
    struct store_pubkey key = sample_pubkey(1), got = {0};
    struct call call = {.run = set_key_state, .hash = key.id, .state = KEY_COMPROMISED, .at = 42};

    assert_fails(change(env, &call), KW_E_NOT_FOUND);
    assert_ok(env_insert(env, &(struct insertion){.pubkey = &key}));
    assert_ok(change(env, &call));
    assert_ok(store_pubkey_get(env_op(), env->store, key.id, &got));
    assert_int_equal(got.state, KEY_COMPROMISED);
    assert_int_equal(got.state_ms, 42);
    call.state = KEY_STATE_MAX;
    assert_fails(change(env, &call), KW_E_INPUT);
}

static void pubkeys_list_in_order_of_id(void **state)
{
    struct env *env = *state;
    struct store_pubkey got[10];
    unsigned n = 0, more = 0;

    for (unsigned no = 0; no < 9; no++) {
        struct store_pubkey key = sample_pubkey(no);
        key.id[0] = (uint8_t)(no * 31); /* both halves of the order of signed numbers */
        assert_ok(env_insert(env, &(struct insertion){.pubkey = &key}));
    }
    assert_ok(store_pubkey_list(env_op(), env->store, NULL, 4, got, &n));
    assert_int_equal(n, 4);
    assert_ok(store_pubkey_list(env_op(), env->store, got[3].id, 6, got + 4, &more));
    assert_int_equal(more, 5);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(got[i].id[0], i * 31);
    }
}

/* --- certificates --- */

static void assert_same_cert(const struct store_cert *a, const struct store_cert *b)
{
    assert_int_equal(a->row, b->row);
    assert_string_equal(a->ca, b->ca);
    assert_int_equal(a->serial_len, b->serial_len);
    assert_memory_equal(a->serial, b->serial, a->serial_len);
    assert_string_equal(a->owner, b->owner);
    assert_string_equal(a->profile, b->profile);
    assert_memory_equal(a->pubkey, b->pubkey, KW_HASH_BYTES);
    assert_memory_equal(a->fingerprint, b->fingerprint, KW_HASH_BYTES);
    assert_memory_equal(a->csr, b->csr, KW_HASH_BYTES);
    assert_int_equal(a->not_before, b->not_before);
    assert_int_equal(a->not_after, b->not_after);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->revoked_s, b->revoked_s);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->issued_ms, b->issued_ms);
    assert_string_equal(a->subject, b->subject);
    assert_int_equal(a->der_len, b->der_len);
    assert_memory_equal(a->der, b->der, a->der_len);
}

static kw_status cert_by_fingerprint(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_cert_by_fingerprint_txn(op, txn, call->hash, call->got_cert);
}

static kw_status cert_by_csr(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_cert_by_csr_txn(op, txn, call->name, call->hash, call->got_cert);
}

static kw_status set_cert_state(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_cert_set_state(op, txn, call->row, (enum cert_state)call->state, call->at,
                                call->reason);
}

static void certificate_is_found_by_every_key(void **state)
{
    struct env *env = *state;
    static struct store_cert cert, got;

    cert = sample_cert(3);
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    assert_int_equal(cert.row, 1);
    assert_ok(store_cert_by_serial(env_op(), env->store, "devices",
                                   KW_SPAN(cert.serial, cert.serial_len), &got));
    assert_same_cert(&cert, &got);
    assert_ok(store_cert_by_serial(env_op(), env->store, /* ca= any */ NULL,
                                   KW_SPAN(cert.serial, cert.serial_len), &got));
    assert_same_cert(&cert, &got);
    assert_ok(store_cert_by_fingerprint(env_op(), env->store, cert.fingerprint, &got));
    assert_same_cert(&cert, &got);
    assert_ok(change(
        env,
        &(struct call){.run = cert_by_fingerprint, .hash = cert.fingerprint, .got_cert = &got}));
    assert_same_cert(&cert, &got);
    assert_ok(change(
        env, &(struct call){
                 .run = cert_by_csr, .name = cert.owner, .hash = cert.csr, .got_cert = &got}));
    assert_same_cert(&cert, &got);
}

static void certificate_is_not_found_by_other_keys(void **state)
{
    struct env *env = *state;
    static struct store_cert cert, got;

    cert = sample_cert(3);
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    assert_fails(store_cert_by_serial(env_op(), env->store, "other",
                                      KW_SPAN(cert.serial, cert.serial_len), &got),
                 KW_E_NOT_FOUND);
    assert_fails(store_cert_by_serial(env_op(), env->store, "devices",
                                      KW_SPAN(cert.serial, cert.serial_len - 1), &got),
                 KW_E_NOT_FOUND);
    assert_fails(store_cert_by_serial(env_op(), env->store, "devices", KW_SPAN(NULL, 0), &got),
                 KW_E_NOT_FOUND);
    assert_fails(store_cert_by_fingerprint(env_op(), env->store, cert.csr, &got), KW_E_NOT_FOUND);
    assert_fails(change(env, &(struct call){.run = cert_by_csr,
                                            .name = "device:OTHER",
                                            .hash = cert.csr,
                                            .got_cert = &got}),
                 KW_E_NOT_FOUND);
    assert_fails(change(env, &(struct call){.run = cert_by_csr,
                                            .name = cert.owner,
                                            .hash = cert.fingerprint,
                                            .got_cert = &got}),
                 KW_E_NOT_FOUND);
}

static void newest_certificate_answers_for_a_request(void **state)
{
    struct env *env = *state;
    static struct store_cert old, new, got;

    old = sample_cert(1);
    new = sample_cert(2);
    memcpy(new.csr, old.csr, sizeof(new.csr));
    assert_true(KW_TEXT_SET(new.owner, old.owner));
    assert_ok(env_insert(env, &(struct insertion){.cert = &old}));
    assert_ok(env_insert(env, &(struct insertion){.cert = &new}));
    assert_true(new.row > old.row);
    assert_ok(change(
        env,
        &(struct call){.run = cert_by_csr, .name = old.owner, .hash = old.csr, .got_cert = &got}));
    assert_same_cert(&new, &got);
}

static void serial_is_unique_within_its_ca(void **state)
{
    struct env *env = *state;
    static struct store_cert cert;

    (void)env_add_cert(env, 1);
    cert = sample_cert(2);
    memcpy(cert.serial, sample_cert(1).serial, KW_SERIAL_BYTES);
    assert_fails(env_insert(env, &(struct insertion){.cert = &cert}), KW_E_CONFLICT);
    assert_true(KW_TEXT_SET(cert.ca, "servers"));
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    /* Alike in the octets that are indexed. */
    cert = sample_cert(3);
    memcpy(cert.serial, sample_cert(1).serial, 15);
    cert.serial[15] = (uint8_t)(sample_cert(1).serial[15] ^ 1);
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    /* Short ones: 0x05 is not 0x0005. */
    cert = sample_cert(4);
    cert.serial_len = 1;
    cert.serial[0] = 5;
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    cert = sample_cert(5);
    cert.serial_len = 2;
    cert.serial[0] = 0;
    cert.serial[1] = 5;
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    assert_int_equal(env_counts(env).certs, 5);
}

static void fingerprint_is_unique(void **state)
{
    struct env *env = *state;
    static struct store_cert cert;

    (void)env_add_cert(env, 1);
    cert = sample_cert(2);
    memcpy(cert.fingerprint, sample_cert(1).fingerprint, KW_HASH_BYTES);
    assert_fails(env_insert(env, &(struct insertion){.cert = &cert}), KW_E_CONFLICT);
    cert.fingerprint[31] ^= 1; /* alike in the octets that are indexed */
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    assert_int_equal(cert.row, 2);
}

static kw_status insert_and_go_on(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    (void)store_cert_insert(op, txn, call->got_cert); /* what a careless caller would do */
    return KW_OK;
}

static void half_a_certificate_is_never_kept(void **state)
{
    struct env *env = *state;
    static struct store_cert cert, got;

    (void)env_add_cert(env, 1);
    cert = sample_cert(2);
    memcpy(cert.fingerprint, sample_cert(1).fingerprint, KW_HASH_BYTES);
    assert_fails(change(env, &(struct call){.run = insert_and_go_on, .got_cert = &cert}),
                 KW_E_CONFLICT);
    assert_fails(store_cert_by_serial(env_op(), env->store, cert.ca,
                                      KW_SPAN(cert.serial, cert.serial_len), &got),
                 KW_E_NOT_FOUND);
    assert_int_equal(env_counts(env).certs, 1);
}

static void certificate_sizes_have_limits(void **state)
{
    struct env *env = *state;
    static struct store_cert cert, got;

    cert = sample_cert(1);
    cert.der_len = 0;
    assert_fails(env_insert(env, &(struct insertion){.cert = &cert}), KW_E_INPUT);
    cert.der_len = KW_CERT_MAX + 1;
    assert_fails(env_insert(env, &(struct insertion){.cert = &cert}), KW_E_INPUT);
    cert.der_len = 1;
    cert.serial_len = 0;
    assert_fails(env_insert(env, &(struct insertion){.cert = &cert}), KW_E_INPUT);
    cert.serial_len = KW_SERIAL_MAX;
    cert.der_len = KW_CERT_MAX;
    sample_octets(cert.der, sizeof(cert.der), 9);
    memset(cert.csr, 0, sizeof(cert.csr)); /* none */
    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    assert_ok(store_cert_by_fingerprint(env_op(), env->store, cert.fingerprint, &got));
    assert_same_cert(&cert, &got);
    cert.state = (enum cert_state)0;
    assert_fails(env_insert(env, &(struct insertion){.cert = &cert}), KW_E_INPUT);
}

static kw_status set_state(struct env *env, int64_t row, enum cert_state state, int64_t at,
                           int reason)
{
    return change(
        env,
        &(struct call){
            .run = set_cert_state, .row = row, .state = (int)state, .at = at, .reason = reason});
}

static void revoked_stays_revoked(void **state)
{
    struct env *env = *state;
    static struct store_cert got;
    int64_t row = env_add_cert(env, 1);

    assert_fails(set_state(env, row + 1, CERT_STATE_REVOKED, 1, 0), KW_E_NOT_FOUND);
    assert_ok(set_state(env, row, CERT_STATE_SUPERSEDED, 0, 0));
    assert_ok(set_state(env, row, CERT_STATE_HELD, 5, REVOKE_CERTIFICATE_HOLD));
    assert_ok(set_state(env, row, CERT_STATE_VALID, 0, 0));
    assert_int_equal(env_counts(env).certs_valid, 1);
    assert_ok(set_state(env, row, CERT_STATE_REVOKED, 1700000009, REVOKE_KEY_COMPROMISE));
    assert_fails(set_state(env, row, CERT_STATE_VALID, 0, 0), KW_E_STATE);
    assert_fails(set_state(env, row, CERT_STATE_REVOKED, 2, 0), KW_E_STATE);
    assert_ok(store_cert_by_fingerprint(env_op(), env->store, sample_cert(1).fingerprint, &got));
    assert_int_equal(got.state, CERT_STATE_REVOKED);
    assert_int_equal(got.revoked_s, 1700000009);
    assert_int_equal(got.reason, REVOKE_KEY_COMPROMISE);
    assert_int_equal(env_counts(env).certs_valid, 0);
    assert_int_equal(env_counts(env).certs_revoked, 1);
}

static void status_tells_of_certificate_and_device(void **state)
{
    struct env *env = *state;
    struct store_cert_status got = {0};
    struct store_device device = sample_device(1);
    struct store_cert cert = sample_cert(1);
    struct kw_span serial = KW_SPAN(cert.serial, cert.serial_len);

    assert_fails(store_cert_status(env_op(), env->store, "devices", serial, &got), KW_E_NOT_FOUND);
    (void)env_add_cert(env, 1);
    assert_ok(store_cert_status(env_op(), env->store, "devices", serial, &got));
    assert_string_equal(got.owner, "device:DEV00001");
    assert_string_equal(got.profile, "ldevid");
    assert_int_equal(got.device, 0);
    assert_int_equal(got.not_before, cert.not_before);
    assert_int_equal(got.not_after, cert.not_after);
    env_add_device(env, 1);
    device.state = DEVICE_RETIRED;
    assert_ok(change(env, &(struct call){.run = update_device, .device = &device}));
    assert_ok(set_state(env, got.row, CERT_STATE_REVOKED, 8, REVOKE_SUPERSEDED));
    assert_ok(store_cert_status(env_op(), env->store, "devices", serial, &got));
    assert_string_equal(got.owner, "device:DEV00001");
    assert_int_equal(got.device, DEVICE_RETIRED);
    assert_int_equal(got.state, CERT_STATE_REVOKED);
    assert_int_equal(got.revoked_s, 8);
    assert_int_equal(got.reason, REVOKE_SUPERSEDED);
    assert_fails(store_cert_status(env_op(), env->store, "servers", serial, &got), KW_E_NOT_FOUND);
}

/* Ten certificates: even rows of CA "servers", profile "tls"; rows 1 … 5 of one owner. */
static void add_ten(struct env *env)
{
    for (unsigned no = 1; no <= 10; no++) {
        struct store_cert cert = sample_cert(no);
        if (no % 2 == 0) {
            assert_true(KW_TEXT_SET(cert.ca, "servers"));
            assert_true(KW_TEXT_SET(cert.profile, "tls"));
        }
        if (no <= 5) {
            assert_true(KW_TEXT_SET(cert.owner, "server:one"));
        }
        assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    }
}

/* The rows of a listing as text: "1 3 5". */
static void assert_list(struct env *env, struct store_cert_filter filter, unsigned max,
                        const char *want)
{
    static struct store_cert got[10];
    char text[64] = "";
    size_t len = 0;
    unsigned n = 0;

    assert_ok(store_cert_list(env_op(), env->store, &filter, max, got, &n));
    for (unsigned i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, i ? " %d" : "%d", (int)got[i].row);
    }
    assert_string_equal(text, want);
}

static void listings_filter_and_go_on(void **state)
{
    struct env *env = *state;

    add_ten(env);
    assert_ok(set_state(env, 3, CERT_STATE_REVOKED, 1, 0));
    assert_list(env, (struct store_cert_filter){0}, 10, "1 2 3 4 5 6 7 8 9 10");
    assert_list(env, (struct store_cert_filter){0}, 3, "1 2 3");
    assert_list(env, (struct store_cert_filter){.after_row = 8}, 3, "9 10");
    assert_list(env, (struct store_cert_filter){.ca = "servers"}, 10, "2 4 6 8 10");
    assert_list(env, (struct store_cert_filter){.profile = "ldevid", .after_row = 1}, 2, "3 5");
    assert_list(env, (struct store_cert_filter){.owner = "server:one"}, 10, "1 2 3 4 5");
    assert_list(env, (struct store_cert_filter){.owner = "server:one", .after_row = 2}, 2, "3 4");
    assert_list(env, (struct store_cert_filter){.owner = "server:one", .ca = "servers"}, 10, "2 4");
    assert_list(env, (struct store_cert_filter){.state = CERT_STATE_REVOKED}, 10, "3");
    assert_list(env, (struct store_cert_filter){.expires_before = 1707776004}, 10, "1 2 3");
    assert_list(env, (struct store_cert_filter){.owner = "nobody"}, 10, "");
    assert_list(env, (struct store_cert_filter){.ca = "none"}, 10, "");
}

struct seen {
    unsigned n, stop_at;
    int64_t last;
    int reasons;
};

static kw_status see(struct kw_op *op, void *ctx, const struct store_revoked *one)
{
    struct seen *seen = ctx;

    ENSURE(op, one->serial.len == KW_SERIAL_BYTES, KW_E_INTEGRITY, "%zu octets", one->serial.len);
    ENSURE(op, one->revoked_s > seen->last, KW_E_INTEGRITY, "out of order");
    ENSURE(op, ++seen->n != seen->stop_at, KW_E_LIMIT, "enough");
    seen->last = one->revoked_s;
    seen->reasons += one->reason;
    return KW_OK;
}

static void revocation_list_has_revoked_and_held_of_one_ca(void **state)
{
    struct env *env = *state;
    struct seen seen = {0};

    add_ten(env);
    for (int64_t row = 1; row <= 9; row++) {
        assert_ok(set_state(env, row, row == 7 ? CERT_STATE_HELD : CERT_STATE_REVOKED, 100 + row,
                            row == 7 ? REVOKE_CERTIFICATE_HOLD : REVOKE_KEY_COMPROMISE));
    }
    assert_ok(
        store_cert_revoked_each(env_op(), env->store, "devices", STORE_SHARD_ANY, 0, see, &seen));
    assert_int_equal(seen.n, 5); /* 1 3 5 7 9 */
    assert_int_equal(seen.reasons, 4 * REVOKE_KEY_COMPROMISE + REVOKE_CERTIFICATE_HOLD);
    seen = (struct seen){.stop_at = 2};
    assert_fails(
        store_cert_revoked_each(env_op(), env->store, "devices", STORE_SHARD_ANY, 0, see, &seen),
        KW_E_LIMIT);
    seen = (struct seen){0};
    assert_ok(
        store_cert_revoked_each(env_op(), env->store, "none", STORE_SHARD_ANY, 0, see, &seen));
    assert_int_equal(seen.n, 0);
}

/* --- blobs, counters, counts --- */

static kw_status put_blob(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_blob_put(op, txn, call->name, call->number, call->content);
}

static kw_status next_number(struct kw_op *op, struct store_txn *txn, struct call *call)
{
    return store_counter_next(op, txn, call->name, &call->number);
}

static void blobs_are_replaced_whole(void **state)
{
    struct env *env = *state;
    size_t big = 3 << 20;
    AUTO(kw_bytes) *got = NULL;
    AUTO(kw_bytes) *large = NULL;
    AUTO(kw_bytes) *empty = NULL;
    uint64_t version = 0;
    struct call call = {.run = put_blob, .name = "crl:devices", .number = 1};

    assert_fails(store_blob_get(env_op(), env->store, "crl:devices", &version, &got),
                 KW_E_NOT_FOUND);
    assert_ok(kw_bytes_new(big, &large));
    sample_octets(large->p, big, 4);
    large->len = big;
    call.content = kw_bytes_span(large);
    assert_ok(change(env, &call));
    assert_ok(store_blob_get(env_op(), env->store, "crl:devices", &version, &got));
    assert_int_equal(version, 1);
    assert_true(kw_span_equal(kw_bytes_span(got), kw_bytes_span(large)));
    call.content = KW_SPAN(NULL, 0);
    call.number = UINT64_MAX;
    assert_ok(change(env, &call));
    assert_ok(store_blob_get(env_op(), env->store, "crl:devices", &version, &empty));
    assert_true(version == UINT64_MAX);
    assert_int_equal(empty->len, 0);
}

static void counters_never_repeat(void **state)
{
    struct env *env = *state;
    struct call crl = {.run = next_number, .name = "crl"},
                other = {.run = next_number, .name = "other"};

    for (uint64_t want = 1; want <= 3; want++) {
        assert_ok(change(env, &crl));
        assert_int_equal(crl.number, want);
    }
    assert_ok(change(env, &other));
    assert_int_equal(other.number, 1);
    env_reopen(env);
    assert_ok(change(env, &crl));
    assert_int_equal(crl.number, 4);
}

static void counts_survive_reopening(void **state)
{
    struct env *env = *state;
    struct store_pubkey key = sample_pubkey(1);
    struct store_cert revoked = sample_cert(7);

    revoked.state = CERT_STATE_REVOKED;
    assert_ok(env_insert(env, &(struct insertion){.pubkey = &key, .entry = "one"}));
    assert_ok(env_insert(env, &(struct insertion){.cert = &revoked, .entry = "two"}));
    env_add_device(env, 1);
    env_add_device(env, 2);
    (void)env_add_cert(env, 1);
    (void)env_add_cert(env, 2);
    env_reopen(env);
    struct store_counts counts = env_counts(env);
    assert_int_equal(counts.devices, 2);
    assert_int_equal(counts.devices_active, 2);
    assert_int_equal(counts.certs, 3);
    assert_int_equal(counts.certs_valid, 2);
    assert_int_equal(counts.certs_revoked, 1);
    assert_int_equal(counts.pubkeys, 1);
    assert_int_equal(counts.log_entries, 2);
    assert_int_equal(env_add_cert(env, 3), 4); /* rows go on rising */
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(device_comes_back_as_it_went_in),
        STORE_TEST(device_update_leaves_identity_alone),
        STORE_TEST(absent_device_is_not_found),
        STORE_TEST(device_id_and_serial_are_unique),
        STORE_TEST(devices_list_in_order_of_id),
        STORE_TEST(longest_names_fit),
        STORE_TEST(pubkey_has_one_owner_for_ever),
        STORE_TEST(pubkeys_that_begin_alike_are_told_apart),
        STORE_TEST(pubkey_state_changes),
        STORE_TEST(pubkeys_list_in_order_of_id),
        STORE_TEST(certificate_is_found_by_every_key),
        STORE_TEST(certificate_is_not_found_by_other_keys),
        STORE_TEST(newest_certificate_answers_for_a_request),
        STORE_TEST(serial_is_unique_within_its_ca),
        STORE_TEST(fingerprint_is_unique),
        STORE_TEST(half_a_certificate_is_never_kept),
        STORE_TEST(certificate_sizes_have_limits),
        STORE_TEST(revoked_stays_revoked),
        STORE_TEST(status_tells_of_certificate_and_device),
        STORE_TEST(listings_filter_and_go_on),
        STORE_TEST(revocation_list_has_revoked_and_held_of_one_ca),
        STORE_TEST(blobs_are_replaced_whole),
        STORE_TEST(counters_never_repeat),
        STORE_TEST(counts_survive_reopening),
    };

    return env_main(argc, argv, tests, KW_COUNT(tests), "store rows");
}
