/* The standing of certificates in memory: never older than what the store says, whoever is first.
 */
#include <pthread.h>
#include <unistd.h>

#include "rig.h"
#include "service/authority/revoke.h"
#include "service/validation/status_keep.h"

enum { MANY = 3000 };

struct row {
    struct store_cert cert;
    enum device_state device;
};

static kw_status insert(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    return store_cert_insert(op, txn, ctx);
}

/* A certificate that was issued elsewhere, say. */
static void add_cert(struct place *place, uint32_t number, const char *owner, uint32_t serial_len,
                     struct store_cert *cert)
{
    TEST_OP(op);

    memset(cert, 0, sizeof(*cert));
    KW_TEXT_SET(cert->ca, "devices");
    KW_TEXT_SET(cert->profile, "ldevid");
    KW_TEXT_SET(cert->owner, owner);
    memset(cert->serial, 0x5a, serial_len);
    memcpy(cert->serial + 1, &number, sizeof(number));
    cert->serial_len = serial_len;
    memcpy(cert->fingerprint, &number, sizeof(number));
    cert->fingerprint[31] = 1;
    cert->not_after = INT64_C(2000000000);
    cert->state = CERT_STATE_VALID;
    cert->der[0] = 1;
    cert->der_len = 1;
    assert_ok(&op, store_change(&op, place->service->store, insert, cert));
}

static struct kw_span serial_of(const struct store_cert *cert)
{
    return KW_SPAN(cert->serial, cert->serial_len);
}

static void wait_filled(struct place *place)
{
    struct status_table_size size = {0};

    for (unsigned i = 0; i < 1000 && !size.filled; i++) {
        (void)usleep(10000);
        status_table_measure(status_keep_table(place->service->status), &size);
    }
    assert_true(size.filled);
}

struct step {
    const struct store_cert *cert;
    enum cert_state state;
    bool fail;
};

static kw_status set_state(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct step *step = ctx;

    TRY(op, store_cert_set_state(op, txn, step->cert->row, step->state, 1234567890,
                                 REVOKE_KEY_COMPROMISE));
    ENSURE(op, !step->fail, KW_E_STATE, "no");
    return KW_OK;
}

static kw_status change_state(struct place *place, const struct store_cert *cert,
                              enum cert_state state, bool fail)
{
    struct step step = {.cert = cert, .state = state, .fail = fail};
    TEST_OP(op);

    return store_change(&op, place->service->store, set_state, &step);
}

static bool in_memory(struct place *place, const struct store_cert *cert,
                      struct status_standing *ret)
{
    return status_table_find(status_keep_table(place->service->status), "devices", serial_of(cert),
                             ret);
}

static void unfilled_asks_the_store(void **state)
{
    struct place *place = *state;
    struct store_cert cert;
    struct status_standing now;
    TEST_OP(op);

    add_cert(place, 1, "server:one", 16, &cert);
    assert_false(in_memory(place, &cert, &now));
    assert_ok(&op, status_ask(&op, place->service, "devices", serial_of(&cert), &now));
    assert_int_equal(now.state, CERT_STATE_VALID);
    assert_ok(&op, change_state(place, &cert, CERT_STATE_REVOKED, false));
    assert_ok(&op, status_ask(&op, place->service, "devices", serial_of(&cert), &now));
    assert_int_equal(now.state, CERT_STATE_REVOKED);
}

static void follows_every_change(void **state)
{
    struct place *place = *state;
    struct store_cert before, after, odd;
    struct status_standing now;
    TEST_OP(op);

    add_cert(place, 1, "server:one", 16, &before);
    assert_ok(&op, service_start(&op, place->service));
    wait_filled(place);
    add_cert(place, 2, "server:one", 16, &after);
    add_cert(place, 3, "server:one", 20, &odd);
    assert_true(in_memory(place, &before, &now));
    assert_true(in_memory(place, &after, &now));
    assert_int_equal(now.state, CERT_STATE_VALID);
    assert_false(in_memory(place, &odd, &now)); /* an unusual serial number: the store's */
    assert_ok(&op, status_ask(&op, place->service, "devices", serial_of(&odd), &now));
    assert_code(&op, change_state(place, &before, CERT_STATE_REVOKED, true), KW_E_STATE);
    assert_true(in_memory(place, &before, &now));
    assert_int_equal(now.state, CERT_STATE_VALID); /* what failed has not happened */
    assert_ok(&op, change_state(place, &before, CERT_STATE_HELD, false));
    assert_true(in_memory(place, &before, &now));
    assert_int_equal(now.state, CERT_STATE_HELD);
    assert_ok(&op, change_state(place, &before, CERT_STATE_VALID, false));
    assert_ok(&op, change_state(place, &after, CERT_STATE_REVOKED, false));
    assert_true(in_memory(place, &before, &now));
    assert_int_equal(now.state, CERT_STATE_VALID);
    assert_true(in_memory(place, &after, &now));
    assert_int_equal(now.state, CERT_STATE_REVOKED);
    assert_int_equal(now.reason, REVOKE_KEY_COMPROMISE);
    assert_int_equal(now.revoked_s, 1234567890);
    assert_code(&op, status_ask(&op, place->service, "services", serial_of(&after), &now),
                KW_E_NOT_FOUND); /* the same number of another CA */
}

static kw_status suspend(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, ctx, &device));
    device.state = DEVICE_SUSPENDED;
    return store_device_update(op, txn, &device);
}

/* Registered before the table is filled, or after: whose it is, and that it is suspended. */
static void whose_it_is(void **state)
{
    static const char *const ids[] = {"D1", "D2"};
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid;
    struct store_cert_status now;
    TEST_OP(op);

    for (unsigned i = 0; i < 2; i++) {
        unit_both(place, ids[i], &unit, &idevid, &ldevid);
        if (i == 0) {
            assert_ok(&op, service_start(&op, place->service));
            wait_filled(place);
        }
        struct status_table *table = status_keep_table(place->service->status);
        assert_true(status_table_find_all(table, "devices", serial_of(&ldevid), &now));
        assert_string_equal(now.owner, ldevid.owner);
        assert_string_equal(now.profile, "ldevid");
        assert_int_equal(now.device, DEVICE_ACTIVE);
        assert_ok(&op,
                  store_change(&op, place->service->store, suspend, (void *)(uintptr_t)ids[i]));
        assert_true(status_table_find_all(table, "devices", serial_of(&ldevid), &now));
        assert_int_equal(now.device, DEVICE_SUSPENDED);
        unit_done(&unit);
    }
}

/* A commit of unknown outcome: nothing is believed until it was read anew. */
static void doubt(void **state)
{
    struct place *place = *state;
    struct store_cert cert;
    struct status_standing now;
    TEST_OP(op);

    add_cert(place, 1, "server:one", 16, &cert);
    struct status_table *table = status_keep_table(place->service->status);
    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    assert_true(in_memory(place, &cert, &now));
    status_table_doubt(table);
    assert_false(in_memory(place, &cert, &now));
    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    assert_true(in_memory(place, &cert, &now));
}

struct race {
    struct place *place;
    struct store_cert *certs;
};

static void *revoke_all(void *ctx)
{
    struct race *race = ctx;

    for (unsigned i = 0; i < MANY; i += 3) {
        TEST_OP(op);
        assert_ok(&op, change_state(race->place, &race->certs[i], CERT_STATE_REVOKED, false));
    }
    return NULL;
}

static kw_status insert_many(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_cert *certs = ctx;

    for (unsigned i = 0; i < MANY; i++) {
        TRY(op, store_cert_insert(op, txn, &certs[i]));
    }
    return KW_OK;
}

struct counted {
    unsigned n, revoked;
};

static kw_status count_one(struct kw_op *op, void *ctx, struct kw_span serial, bool revoked)
{
    struct counted *counted = ctx;

    (void)op;
    assert_int_equal(serial.len, 16);
    counted->n++;
    counted->revoked += revoked;
    return KW_OK;
}

/* While it is filled, over and over, others revoke: at each end it says what the store says. */
static void filled_while_it_changes(void **state)
{
    struct place *place = *state;
    struct race race = {.place = place, .certs = calloc(MANY, sizeof(*race.certs))};
    struct status_table *table = status_keep_table(place->service->status);
    struct counted counted = {0}, before = {0};
    pthread_t thread;
    TEST_OP(op);

    assert_non_null(race.certs);
    add_cert(place, 0xffff, "server:one", 16, &race.certs[0]);
    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    assert_ok(&op, status_table_each(&op, table, "devices", 0, count_one, &before));
    for (unsigned i = 0; i < MANY; i++) {
        race.certs[i] = race.certs[0];
        memcpy(race.certs[i].serial + 1, &i, sizeof(i));
        memcpy(race.certs[i].fingerprint, &i, sizeof(i));
    }
    assert_ok(&op, store_change(&op, place->service->store, insert_many, race.certs));
    assert_int_equal(pthread_create(&thread, NULL, revoke_all, &race), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_ok(&op, status_table_fill(&op, table, place->service->store));
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (unsigned i = 0; i < MANY; i++) {
        struct status_standing now;
        assert_true(in_memory(place, &race.certs[i], &now));
        assert_int_equal(now.state, i % 3 == 0 ? CERT_STATE_REVOKED : CERT_STATE_VALID);
    }
    assert_ok(&op, status_table_each(&op, table, "devices", 0, count_one, &counted));
    assert_int_equal(counted.n, before.n + MANY);
    assert_int_equal(counted.revoked, MANY / 3);
    counted = (struct counted){0};
    assert_ok(&op, status_table_each(&op, table, "devices", 2000000001, count_one, &counted));
    assert_int_equal(counted.n, 0);
    free(race.certs);
}

/* --- figures ---------------------------------------------------------------------------------- */

enum { FIGURE_DEVICES = 7, HOUR_S = 3600, DAY_S = 86400, ONLINE_MS = 3600000 };

struct figure_cert {
    unsigned device;
    int64_t ends_s, revoked_s;
    enum cert_state state;
};

static kw_status add_devices(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const int64_t *now_s = ctx;
    const int64_t now_ms = *now_s * 1000;
    const struct {
        int64_t seen_ms;
        enum device_state state;
    } devices[FIGURE_DEVICES] = {
        {now_ms,                 DEVICE_ACTIVE    },
        {now_ms - ONLINE_MS,     DEVICE_ACTIVE    }, /* exactly: offline */
        {now_ms - ONLINE_MS + 1, DEVICE_ACTIVE    },
        {now_ms,                 DEVICE_ACTIVE    },
        {now_ms,                 DEVICE_SUSPENDED },
        {0,                      DEVICE_REGISTERED},
        {now_ms,                 DEVICE_RETIRED   },
    };

    for (unsigned i = 0; i < FIGURE_DEVICES; i++) {
        struct store_device device = {.product = "p", .hw_type = "1.2"};
        (void)snprintf(device.id, sizeof(device.id), "F%u", i);
        KW_TEXT_SET(device.serial, device.id);
        device.state = devices[i].state;
        device.last_seen_ms = devices[i].seen_ms;
        TRY(op, store_device_insert(op, txn, &device));
    }
    return KW_OK;
}

static kw_status see_device(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_device *device = ctx;

    return store_device_update(op, txn, device);
}

static void add_figure_certs(struct place *place, int64_t now_s)
{
    const struct figure_cert certs[] = {
        {0, now_s - 1,               0,                     CERT_STATE_VALID     },
        {1, now_s,                   0,                     CERT_STATE_VALID     }, /* its last */
        {1, now_s + 48 * HOUR_S,     0,                     CERT_STATE_VALID     },
        {1, now_s + 48 * HOUR_S + 1, 0,                     CERT_STATE_VALID     },
        {2, now_s + 7 * DAY_S,       0,                     CERT_STATE_VALID     },
        {2, now_s + 7 * DAY_S + 1,   0,                     CERT_STATE_VALID     },
        {2, now_s + 14 * DAY_S,      0,                     CERT_STATE_VALID     },
        {6, now_s + 14 * DAY_S + 1,  0,                     CERT_STATE_VALID     },
        {3, now_s + 99 * DAY_S,      now_s - 7 * DAY_S,     CERT_STATE_REVOKED   },
        {3, now_s + 99 * DAY_S,      now_s - 7 * DAY_S + 1, CERT_STATE_REVOKED   },
        {3, now_s + 99 * DAY_S,      now_s - 70 * DAY_S,    CERT_STATE_REVOKED   },
        {3, now_s + 99 * DAY_S,      now_s - 700 * DAY_S,   CERT_STATE_REVOKED   },
        {4, now_s + 99 * DAY_S,      now_s,                 CERT_STATE_HELD      },
        {4, now_s + 99 * DAY_S,      now_s,                 CERT_STATE_SUPERSEDED},
    };

    for (unsigned i = 0; i < KW_COUNT(certs); i++) {
        struct store_cert cert = {.not_after = certs[i].ends_s,
                                  .state = certs[i].state,
                                  .revoked_s = certs[i].revoked_s,
                                  .serial_len = KW_SERIAL_BYTES,
                                  .der_len = 1};
        TEST_OP(op);
        KW_TEXT_SET(cert.ca, "devices");
        KW_TEXT_SET(cert.profile, "ldevid");
        (void)snprintf(cert.owner, sizeof(cert.owner), "device:F%u", certs[i].device);
        cert.serial[0] = cert.fingerprint[0] = 0x40;
        cert.serial[15] = cert.fingerprint[15] = (uint8_t)i;
        assert_ok(&op, store_change(&op, place->service->store, insert, &cert));
    }
}

/* The store and the memory count the same, before and after a filling. */
static void compare_figures(struct place *place, int64_t now_s, struct store_stats *ret)
{
    struct store_stats stored;
    TEST_OP(op);

    store_stats_begin(now_s * 1000, &stored);
    store_stats_begin(now_s * 1000, ret);
    assert_ok(&op, store_stats_standing(&op, place->service->store, ONLINE_MS, &stored));
    assert_ok(&op,
              status_table_count(&op, status_keep_table(place->service->status), ONLINE_MS, ret));
    assert_memory_equal(ret, &stored, sizeof(stored));
}

static void figures_as_the_store_counts(void **state)
{
    struct place *place = *state;
    struct status_table *table = status_keep_table(place->service->status);
    int64_t now_s = 1795251600; /* 2026-11-21T09:00:00Z */
    struct store_device seen;
    struct store_stats before, stats;
    TEST_OP(op);

    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    compare_figures(place, now_s, &before); /* the rig has certificates of its own */
    assert_ok(&op, store_change(&op, place->service->store, add_devices, &now_s));
    add_figure_certs(place, now_s);
    compare_figures(place, now_s, &stats);
    assert_int_equal(stats.ends_48h - before.ends_48h, 2);
    assert_int_equal(stats.ends_7d - before.ends_7d, 4);
    assert_int_equal(stats.ends_14d - before.ends_14d, 6);
    assert_int_equal(stats.certs_active - before.certs_active, 7);
    assert_int_equal(stats.revoked_7d - before.revoked_7d, 1);
    assert_int_equal(stats.devices_online - before.devices_online, 1);
    assert_int_equal(stats.devices_offline - before.devices_offline, 1);
    assert_int_equal(stats.devices_without - before.devices_without, 4);
    assert_ok(&op, store_device_get(&op, place->service->store, "F1", &seen));
    seen.last_seen_ms = now_s * 1000;
    assert_ok(&op, store_change(&op, place->service->store, see_device, &seen));
    compare_figures(place, now_s, &stats); /* a sign of life */
    assert_int_equal(stats.devices_online - before.devices_online, 2);
    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    compare_figures(place, now_s, &stats); /* read anew */
    assert_int_equal(stats.devices_online - before.devices_online, 2);
}

/* What is not all in memory is not counted there. */
static void figures_only_of_all(void **state)
{
    struct place *place = *state;
    struct status_table *table = status_keep_table(place->service->status);
    struct store_cert cert;
    struct store_stats stats;
    TEST_OP(op);

    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    store_stats_begin(1795251600000, &stats);
    status_table_doubt(table);
    assert_code(&op, status_table_count(&op, table, ONLINE_MS, &stats), KW_E_UNAVAILABLE);
    kw_op_clear(&op);
    assert_ok(&op, status_table_fill(&op, table, place->service->store));
    assert_ok(&op, status_table_count(&op, table, ONLINE_MS, &stats));
    add_cert(place, 77, "service:x", 20, &cert);
    assert_code(&op, status_table_count(&op, table, ONLINE_MS, &stats), KW_E_UNSUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unfilled_asks_the_store),
        TEST(follows_every_change),
        TEST(whose_it_is),
        TEST(doubt),
        TEST(filled_while_it_changes),
        TEST(figures_as_the_store_counts),
        TEST(figures_only_of_all),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
