/* Batches, quarantine, suspension, and keys that nobody may use. */
#include <unistd.h>

#include "base/hex.h"
#include "crypto/openssl.h"
#include "crypto/weak_key.h"
#include "rig.h"
#include "service/event_text.h"
#include "service/quality/batch.h"
#include "service/quality/blocklist.h"
#include "service/quality/quality.h"
#include "service/registration/suspend.h"

static struct kw_op as_alice(void)
{
    struct kw_op op;

    kw_op_init(&op, "operator:alice", 0);
    return op;
}

static void make(struct place *place, const char *id, const char *batch, struct unit *unit)
{
    struct device_request request = {.id = id, .product = "thing-1", .batch = batch};
    TEST_OP(op);

    memset(unit, 0, sizeof(*unit));
    KW_TEXT_SET(unit->id, id);
    assert_ok(&op, device_register(&op, place->service, &request, unit->secret));
    unit_new_key(unit);
}

static enum device_state state_of(struct place *place, const char *id)
{
    struct store_device device;
    TEST_OP(op);

    assert_ok(&op, store_device_get(&op, place->service->store, id, &device));
    return device.state;
}

static enum cert_state now(struct place *place, const struct store_cert *cert)
{
    struct store_cert found;

    return rig_reload(place, cert, &found)->state;
}

/* --- suspension ------------------------------------------------------------------------------- */

static void suspended_and_back(void **state)
{
    struct place *place = *state;
    struct store_cert idevid, ldevid, renewed, more;
    struct unit unit;
    struct kw_op op = as_alice();

    unit_both(place, "D1", &unit, &idevid, &ldevid);
    unit_new_key(&unit);
    assert_ok(&op, unit_renew(&op, place, &unit, &ldevid, &renewed));
    assert_code(&op, device_suspend(&op, place->service, "D1", op.principal, ""), KW_E_INPUT);
    assert_code(&op, device_resume(&op, place->service, "D1", NULL, ""), KW_E_STATE);
    assert_ok(&op, device_suspend(&op, place->service, "D1", op.principal, "lost"));
    assert_int_equal(state_of(place, "D1"), DEVICE_SUSPENDED);
    assert_int_equal(now(place, &idevid), CERT_STATE_HELD);
    assert_int_equal(now(place, &ldevid), CERT_STATE_HELD);
    assert_int_equal(now(place, &renewed), CERT_STATE_HELD);
    assert_code(&op, device_suspend(&op, place->service, "D1", op.principal, "x"), KW_E_STATE);
    struct kw_op quiet = as_alice();
    unit_new_key(&unit);
    assert_false(kw_ok(unit_renew(&quiet, place, &unit, &renewed, &more)));
    assert_ok(&op, device_resume(&op, place->service, "D1", NULL, ""));
    assert_int_equal(state_of(place, "D1"), DEVICE_ACTIVE);
    assert_int_equal(now(place, &idevid), CERT_STATE_VALID);
    assert_int_equal(now(place, &ldevid), CERT_STATE_SUPERSEDED); /* as it was */
    assert_int_equal(now(place, &renewed), CERT_STATE_VALID);
    assert_ok(&op, unit_renew(&op, place, &unit, &renewed, &more));
    assert_code(&op, device_suspend(&op, place->service, "D9", op.principal, "x"), KW_E_NOT_FOUND);
    unit_done(&unit);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void registered_into_batches(void **state)
{
    struct place *place = *state;
    struct device_request request = {.id = "D3", .product = "thing-1", .batch = "B1"};
    char secret[DEVICE_SECRET_TEXT];
    struct store_batch batch;
    struct unit unit;
    struct kw_op op = as_alice();

    assert_ok(&op, batch_open(&op, place->service, "B1", "thing-1", 2, &batch));
    assert_code(&op, batch_open(&op, place->service, "B1", "thing-1", 2, &batch), KW_E_CONFLICT);
    make(place, "D1", "B1", &unit);
    unit_done(&unit);
    make(place, "D2", "B1", &unit);
    unit_done(&unit);
    assert_code(&op, device_register(&op, place->service, &request, secret), KW_E_LIMIT);
    request.batch = "B2"; /* opened by its first unit */
    assert_ok(&op, device_register(&op, place->service, &request, secret));
    assert_ok(&op, store_batch_get(&op, place->service->store, "B2", &batch));
    assert_int_equal(batch.units, 1);
    assert_int_equal(batch.state, BATCH_OPEN);
    request.id = "D4";
    request.product = "thing-2";
    assert_code(&op, device_register(&op, place->service, &request, secret), KW_E_CONFLICT);
    assert_ok(&op, batch_close(&op, place->service, "B2", &batch));
    request.product = "thing-1";
    assert_code(&op, device_register(&op, place->service, &request, secret), KW_E_STATE);
}

static bool yes(void *ctx)
{
    (void)ctx;
    return true;
}

/* Until the worker has brought the batch into this state. */
static void wait_batch(struct place *place, const char *name, enum batch_state want)
{
    struct store_batch batch = {0};
    TEST_OP(op);

    for (unsigned i = 0; i < 3000 && batch.state != want; i++) {
        (void)usleep(10000);
        assert_ok(&op, store_batch_get(&op, place->service->store, name, &batch));
    }
    assert_int_equal(batch.state, want);
}

static void wait_device(struct place *place, const char *id, enum device_state want)
{
    for (unsigned i = 0; i < 3000 && state_of(place, id) != want; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(state_of(place, id), want);
}

static void quarantine(void **state)
{
    struct place *place = *state;
    struct store_cert cert, more;
    struct store_batch batch;
    struct unit first, second, other;
    struct kw_op op = as_alice();

    make(place, "D1", "B1", &first);
    make(place, "D2", "B1", &second);
    make(place, "D3", NULL, &other);
    assert_ok(&op, unit_enrol(&op, place, &first, &cert));
    assert_ok(&op, device_suspend(&op, place->service, "D2", op.principal, "by hand"));
    assert_ok(&op, batch_worker_start(&op, place->service, &place->service->batches));
    assert_ok(&op, batch_close(&op, place->service, "B1", &batch));
    wait_batch(place, "B1", BATCH_CLOSED);
    assert_code(&op, batch_release(&op, place->service, "B1", "x", &batch), KW_E_STATE);
    assert_code(&op, batch_quarantine(&op, place->service, "B1", "", &batch), KW_E_INPUT);
    assert_ok(&op, batch_quarantine(&op, place->service, "B1", "bad chip", &batch));
    wait_device(place, "D1", DEVICE_SUSPENDED);
    assert_int_equal(now(place, &cert), CERT_STATE_HELD);
    assert_code(&op, device_resume(&op, place->service, "D1", NULL, ""), KW_E_STATE);
    assert_int_equal(state_of(place, "D3"), DEVICE_REGISTERED);
    assert_ok(&op, unit_enrol(&op, place, &other, &more)); /* others are not concerned */
    assert_code(&op, batch_release(&op, place->service, "B1", "", &batch), KW_E_INPUT);
    assert_ok(&op, batch_release(&op, place->service, "B1", "looked at", &batch));
    wait_device(place, "D1", DEVICE_ACTIVE);
    assert_int_equal(now(place, &cert), CERT_STATE_VALID);
    assert_int_equal(state_of(place, "D2"), DEVICE_SUSPENDED); /* that was another's word */
    assert_ok(&op, device_resume(&op, place->service, "D2", NULL, ""));
    unit_done(&first);
    unit_done(&second);
    unit_done(&other);
}

/* A unit that is not suspended yet gets nothing either. */
static void no_enrolment_in_quarantine(void **state)
{
    struct place *place = *state;
    struct store_cert cert;
    struct store_batch batch;
    struct unit unit;
    struct kw_op op = as_alice();

    make(place, "D1", "B1", &unit);
    assert_ok(&op, batch_quarantine(&op, place->service, "B1", "bad chip", &batch));
    kw_status status = unit_enrol(&op, place, &unit, &cert);
    assert_int_equal(status.code, KW_E_DENIED);
    assert_non_null(strstr(kw_op_cause(&op), "quarantine"));
    unit_done(&unit);
}

/* --- shared factors, as certificates of units have them --------------------------------------- */

static kw_status insert_cert(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    return store_cert_insert(op, txn, ctx);
}

static EVP_PKEY *rsa_of(const BIGNUM *p, const BIGNUM *q)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_new(), *e = BN_new();
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *make_ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    uint8_t n_octets[512], e_octets[4] = {1, 0, 1, 0};

    assert_true(BN_mul(n, p, q, ctx) && BN_set_word(e, 65537));
    assert_true(BN_bn2nativepad(n, n_octets, 384) > 0);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN("n", n_octets, 384),
        OSSL_PARAM_construct_BN("e", e_octets, 3),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_PKEY_fromdata_init(make_ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(make_ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(make_ctx);
    BN_free(n);
    BN_free(e);
    BN_CTX_free(ctx);
    return key;
}

/* A certificate in the store with this key, signed by nobody in particular. */
static void put_cert(struct place *place, const char *id, EVP_PKEY *key, uint8_t number)
{
    struct store_cert cert = {
        .serial = {0x40, number},
          .serial_len = KW_SERIAL_BYTES, .state = CERT_STATE_VALID
    };
    AUTO(privkey) *signer = rig_key();
    AUTO(pubkey) *public = NULL;
    AUTO(kw_bytes) *der = NULL;
    TEST_OP(op);

    static const uint8_t empty_name[] = {0x30, 0x00};
    assert_ok(&op, pubkey_from_evp(&op, key, &public));
    struct cert_spec spec = {.issuer_dn = KW_SPAN_ARRAY(empty_name),
                             .subject_dn = KW_SPAN_ARRAY(empty_name),
                             .serial = KW_SPAN(cert.serial, cert.serial_len),
                             .not_before = 1700000000,
                             .not_after = 1900000000,
                             .key = public,
                             .issuer_key = privkey_public(signer),
                             .san_dns = {"unit.example"},
                             .path_len = -1};
    struct store_cert sample;
    struct unit unit;
    char other[32];
    (void)snprintf(other, sizeof(other), "X%u", number);
    unit_register(place, other, &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &sample));
    unit_done(&unit);
    AUTO(cert) *issuer = rig_parse(&sample);
    spec.issuer_dn = spec.subject_dn = cert_subject(issuer);
    assert_ok(&op, cert_build(&op, &spec, signer, &der));
    KW_TEXT_SET(cert.ca, "devices");
    (void)snprintf(cert.owner, sizeof(cert.owner), "device:%s", id);
    KW_TEXT_SET(cert.profile, "idevid");
    memcpy(cert.der, der->p, der->len);
    cert.der_len = (uint32_t)der->len;
    digest_sha256(kw_bytes_span(der), cert.fingerprint);
    memcpy(cert.pubkey, pubkey_id(public), KW_HASH_BYTES);
    assert_ok(&op, store_change(&op, place->service->store, insert_cert, &cert));
}

static void shared_factor_puts_the_batch_in_quarantine(void **state)
{
    struct place *place = *state;
    BIGNUM *p[5];
    struct store_batch batch;
    struct unit unit[3];
    uint32_t checked = 0;
    char finding[256], id[8];
    struct kw_op op = as_alice();

    for (unsigned i = 0; i < KW_COUNT(p); i++) {
        p[i] = BN_new();
        assert_true(BN_generate_prime_ex(p[i], 1536, 0, NULL, NULL, NULL));
    }
    for (unsigned i = 0; i < KW_COUNT(unit); i++) {
        (void)snprintf(id, sizeof(id), "D%u", i);
        make(place, id, "B1", &unit[i]);
        EVP_PKEY *key = rsa_of(p[i == 2 ? 0 : i], p[i + 2]);
        put_cert(place, id, key, (uint8_t)(i + 1));
        EVP_PKEY_free(key);
        unit_done(&unit[i]);
        if (i == 1) { /* two that have nothing in common */
            assert_ok(&op, store_batch_get(&op, place->service->store, "B1", &batch));
            assert_ok(&op,
                      batch_compare(&op, place->service, &batch, yes, NULL, &checked, finding));
            assert_int_equal(checked, 2);
            assert_string_equal(finding, "");
        }
    }
    assert_ok(&op, batch_worker_start(&op, place->service, &place->service->batches));
    assert_ok(&op, batch_close(&op, place->service, "B1", &batch));
    wait_batch(place, "B1", BATCH_QUARANTINED);
    assert_ok(&op, store_batch_get(&op, place->service->store, "B1", &batch));
    assert_int_equal(batch.checked, 3);
    assert_non_null(strstr(batch.finding, "D0"));
    assert_non_null(strstr(batch.finding, "D2"));
    assert_null(strstr(batch.finding, "D1"));
    wait_device(place, "D1", DEVICE_SUSPENDED);
    wait_device(place, "D0", DEVICE_SUSPENDED);
    for (unsigned i = 0; i < KW_COUNT(p); i++) {
        BN_free(p[i]);
    }
}

/* --- after a restore ---------------------------------------------------------------------------
 */

struct looking {
    enum event_type type;
    struct event found;
};

static kw_status look(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct looking *it = ctx;
    struct event event;

    (void)index;
    TRY(op, event_decode(op, entry, &event));
    if (event.type == it->type) {
        it->found = event;
    }
    return KW_OK;
}

/* The newest event of a type, as if it had happened to another object. */
static struct event told(struct place *place, enum event_type type, const char *object)
{
    struct looking it = {.type = type};
    TEST_OP(op);

    assert_ok(&op, store_log_each(&op, place->service->store, 0, 100000, look, &it));
    assert_int_equal(it.found.type, type);
    KW_TEXT_SET(it.found.object, object);
    return it.found;
}

struct doing {
    kw_status (*again)(struct kw_op *op, struct store_txn *txn, const struct event *event);
    struct event event;
};

static kw_status do_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct doing *it = ctx;

    return it->again(op, txn, &it->event);
}

/* What the log says of one thing, done to another that it did not happen to. */
static void the_log_says_it_again(void **state)
{
    struct place *place = *state;
    struct store_cert cert;
    struct store_batch batch;
    struct unit first, second;
    struct kw_op op = as_alice();

    make(place, "D1", "B1", &first);
    make(place, "D2", "B2", &second);
    assert_ok(&op, unit_enrol(&op, place, &second, &cert));
    assert_ok(&op, device_suspend(&op, place->service, "D1", op.principal, "lost, maybe: stolen"));
    struct doing it = {device_suspend_again, told(place, EVENT_DEVICE_SUSPEND, "device:D2")};
    for (unsigned i = 0; i < 2; i++) { /* a replay may meet what it did before */
        assert_ok(&op, store_change(&op, place->service->store, do_in, &it));
        assert_int_equal(state_of(place, "D2"), DEVICE_SUSPENDED);
        assert_int_equal(now(place, &cert), CERT_STATE_HELD);
    }
    assert_ok(&op, device_resume(&op, place->service, "D1", NULL, ""));
    it = (struct doing){device_resume_again, told(place, EVENT_DEVICE_RESUME, "device:D2")};
    assert_ok(&op, store_change(&op, place->service->store, do_in, &it));
    assert_int_equal(state_of(place, "D2"), DEVICE_ACTIVE);
    assert_int_equal(now(place, &cert), CERT_STATE_VALID);
    assert_ok(&op, batch_quarantine(&op, place->service, "B1", "bad: chip, of May", &batch));
    static const char *const names[] = {"B2", "B9"}; /* one that is there, one that is not */
    for (unsigned i = 0; i < KW_COUNT(names); i++) {
        char object[16];
        (void)snprintf(object, sizeof(object), "batch:%s", names[i]);
        it = (struct doing){batch_again, told(place, EVENT_BATCH_QUARANTINE, object)};
        assert_ok(&op, store_change(&op, place->service->store, do_in, &it));
        assert_ok(&op, store_batch_get(&op, place->service->store, names[i], &batch));
        assert_int_equal(batch.state, BATCH_QUARANTINED);
        assert_string_equal(batch.finding, "bad: chip, of May");
        assert_string_equal(batch.product, "thing-1");
        assert_int_equal(batch.units, 1);
    }
    unit_done(&first);
    unit_done(&second);
}

/* --- block lists ------------------------------------------------------------------------------ */

#define SHA256 "e3b0c44298fc1c149AFBF4C8996FB92427ae41e4649b934ca495991b7852b855"
static void lines_of_block_lists(void **state)
{
    static const struct {
        const char *line;
        enum kw_code code;
        enum blocked_kind kind;
    } rows[] = {
        {"",                                      KW_CODE_OK, 0              },
        {"# spki:00",                             KW_CODE_OK, 0              },
        {"   \t\r",                               KW_CODE_OK, 0              },
        {SHA256,                                  KW_CODE_OK, BLOCKED_SPKI   },
        {"spki:" SHA256 "\r",                     KW_CODE_OK, BLOCKED_SPKI   },
        {"0123456789abcdef0123",                  KW_CODE_OK, BLOCKED_MODULUS},
        {"modulus:0123456789abcdef0123",          KW_CODE_OK, BLOCKED_MODULUS},
        {"number:0123456789abcdef0123456789abcd", KW_CODE_OK, BLOCKED_NUMBER },
        {"0123456789abcdef0123456789abcd",        KW_E_INPUT, 0              },
        {"spki:0123",                             KW_E_INPUT, 0              },
        {"number:",                               KW_E_INPUT, 0              },
        {"0123456789abcdef012g",                  KW_E_INPUT, 0              },
        {"0123456789abcdef0123 0",                KW_E_INPUT, 0              },
        {"\xef\xbb\xbf"
         "0123456789abcdef0123",         KW_E_INPUT, 0              },
    };
    struct store_blocked blocked;

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(rows); i++) {
        kw_status status = blocklist_parse_line(kw_span_text(rows[i].line), &blocked);
        assert_int_equal(status.code, rows[i].code);
        assert_int_equal(kw_ok(status) ? blocked.kind : 0, rows[i].kind);
    }
}

static void blocked_keys(void **state)
{
    struct place *place = *state;
    struct blocklist_report report;
    struct store_cert cert;
    struct unit good, bad;
    struct key_names names;
    char hex[2 * KW_HASH_BYTES + 1], text[256];
    struct kw_op op = as_alice();

    unit_register(place, "D1", &good);
    unit_register(place, "D2", &bad);
    assert_ok(&op, unit_enrol(&op, place, &good, &cert));
    kw_hex(KW_SPAN_ARRAY(cert.pubkey), hex, sizeof(hex));
    (void)snprintf(text, sizeof(text), "# found on a disk\r\nspki:%s\n%s\n", hex, hex);
    assert_ok(&op, blocklist_add(&op, place->service, "leak", kw_span_text(text), &report));
    assert_int_equal(report.added, 1);
    assert_int_equal(report.known, 1);
    assert_int_equal(report.n_hits, 2); /* a line each */
    assert_string_equal(report.hits[0].owner, "device:D1");
    /* Before it is used: by the name that badkeys has for it. */
    assert_ok(&op, key_names(&op, privkey_public(bad.key), &names));
    kw_hex(KW_SPAN_ARRAY(names.number), hex, sizeof(hex));
    (void)snprintf(text, sizeof(text), "number:%s", hex);
    assert_ok(&op, blocklist_add(&op, place->service, "badkeys", kw_span_text(text), &report));
    kw_status status = unit_enrol(&op, place, &bad, &cert);
    assert_int_equal(status.code, KW_E_DENIED);
    assert_non_null(strstr(kw_op_cause(&op), "badkeys"));
    kw_op_clear(&op);
    unit_new_key(&bad);
    assert_ok(&op, unit_enrol(&op, place, &bad, &cert));
    int64_t after = 0;
    assert_ok(&op, blocklist_walk(&op, place->service, &after, &report));
    assert_int_equal(after, 0);
    assert_int_equal(report.n_hits, 1);
    assert_code(&op, blocklist_add(&op, place->service, "x", kw_span_text("nonsense\n"), &report),
                KW_E_INPUT);
    unit_done(&good);
    unit_done(&bad);
}

static kw_status again_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct event *event = ctx;
    uint64_t added = 0;

    TRY(op, blocklist_again(op, txn, event, &added));
    event->unix_ms = (int64_t)added; /* told to the test so */
    return KW_OK;
}

static void the_log_says_which_keys(void **state)
{
    static const char *const bad[] = {"number:00", "3 keys blocked", "spki:" SHA256 "x"};
    struct place *place = *state;
    struct blocklist_report report;
    struct kw_op op = as_alice();

    assert_ok(&op,
              blocklist_add(&op, place->service, "leak",
                            kw_span_text("# both\n" SHA256 "\n0123456789abcdef0123\n"), &report));
    struct event event = told(place, EVENT_KEY_BLOCK, "blocklist:leak");
    assert_string_equal(event.detail,
                        "spki:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 "
                        "modulus:0123456789abcdef0123 ");
    assert_ok(&op, store_change(&op, place->service->store, again_in, &event));
    assert_int_equal(event.unix_ms, 0);       /* it knew them */
    event.detail[sizeof("spki:e") - 1] = '0'; /* e3… becomes e0… */
    KW_TEXT_SET(event.object, "blocklist:other");
    assert_ok(&op, store_change(&op, place->service->store, again_in, &event));
    assert_int_equal(event.unix_ms, 1);
    struct store_blocked first;
    unsigned n = 0;
    assert_ok(&op, store_blocked_list(&op, place->service->store, NULL, 1, &first, &n));
    assert_int_equal(n, 1);
    assert_int_equal(first.id[0], 0xe0); /* in the order of ids */
    assert_string_equal(first.list, "other");
    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        KW_TEXT_SET(event.detail, bad[i]);
        assert_code(&op, store_change(&op, place->service->store, again_in, &event),
                    KW_E_INTEGRITY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(suspended_and_back, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(registered_into_batches, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(quarantine, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(no_enrolment_in_quarantine, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(shared_factor_puts_the_batch_in_quarantine, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(the_log_says_it_again, place_setup, place_teardown),
        cmocka_unit_test(lines_of_block_lists),
        cmocka_unit_test_setup_teardown(blocked_keys, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(the_log_says_which_keys, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
