/* The dashboard's figures, at their boundaries to the second. */
#include <stdio.h>

#include "model/iso_week.h"
#include "sqlite_env.h"
#include "store/stats.h"

enum { HOUR = 3600, DAY = 86400, ONLINE_MS = 3600000, HALF_HOUR_MS = 1800000 };
static const int64_t now_s = 1795251600; /* 2026-11-21T09:00:00Z, a Saturday */

struct one {
    const char *profile, *device;
    int64_t ends, issued_ms, revoked_s;
    enum cert_state state;
};

static kw_status add(struct kw_op *op, struct store_txn *txn, const struct one *one, unsigned i)
{
    struct store_pubkey key = {
        .class_ = KEY_CLASS_DEVICE_LDEVID, .state = KEY_ACTIVE, .alg = "a", .custody = "c"};
    struct store_cert cert = {.ca = "devices",
                              .serial_len = KW_SERIAL_BYTES,
                              .state = CERT_STATE_VALID,
                              .der_len = 1,
                              .not_before = 1};

    cert.serial[0] = cert.fingerprint[0] = cert.pubkey[0] = key.id[0] = 1;
    cert.serial[15] = cert.fingerprint[15] = cert.pubkey[15] = key.id[15] = (uint8_t)i;
    KW_TEXT_SET(cert.profile, one->profile);
    KW_TEXT_SET(key.profile, one->profile);
    (void)snprintf(cert.owner, sizeof(cert.owner), "device:%s", one->device);
    KW_TEXT_SET(key.owner, cert.owner);
    (void)snprintf(cert.subject, sizeof(cert.subject), "CN=%s", one->device);
    cert.not_after = one->ends;
    cert.issued_ms = one->issued_ms;
    TRY(op, store_pubkey_insert(op, txn, &key));
    TRY(op, store_cert_insert(op, txn, &cert));
    return one->state == CERT_STATE_VALID
               ? KW_OK
               : store_cert_set_state(op, txn, cert.row, one->state, one->revoked_s, 0);
}

static const int64_t old_ms = (INT64_C(1795251600) - 400 * DAY) * 1000;

static kw_status fill(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const int64_t now_ms = now_s * 1000, week_ms = 7 * DAY * INT64_C(1000), far = now_s + 99 * DAY;
    /* clang-format off */
    const struct one certs[] = {
        {"Device_01", "A", now_s - 1, old_ms, 0, CERT_STATE_VALID }, /* ended a second ago */
        {"Device_01", "B", now_s, old_ms, 0, CERT_STATE_VALID }, /* its last second */
        {"Device_01", "B", now_s + 48 * HOUR, old_ms, 0, CERT_STATE_VALID },
        {"Device_01", "B", now_s + 48 * HOUR + 1, old_ms, 0, CERT_STATE_VALID },
        {"Device_01", "B", now_s + 7 * DAY, old_ms, 0, CERT_STATE_VALID },
        {"Device_01", "B", now_s + 7 * DAY + 1, old_ms, 0, CERT_STATE_VALID },
        {"Device_02", "B", now_s + 14 * DAY, old_ms, 0, CERT_STATE_VALID },
        {"Device_02", "B", now_s + 14 * DAY + 1, old_ms, 0, CERT_STATE_VALID },
        {"Gateway", "C", far, now_ms - week_ms, 0, CERT_STATE_VALID }, /* exactly: not in it */
        {"Gateway", "C", far, now_ms - week_ms + 1, 0, CERT_STATE_VALID },
        {"Hub", "C", far, now_ms - week_ms + HALF_HOUR_MS, 0, CERT_STATE_VALID },
        {"Hub", "C", far, now_ms - week_ms + HALF_HOUR_MS + 1, 0, CERT_STATE_VALID },
        {"Hub", "C", far, now_ms - week_ms + 2 * HALF_HOUR_MS, 0, CERT_STATE_VALID },
        {"Gateway", "D", far, now_ms, now_s - 7 * DAY, CERT_STATE_REVOKED },
        {"Gateway", "D", far, now_ms, now_s - 7 * DAY + 1, CERT_STATE_REVOKED },
        {"Gateway", "E", now_s + HOUR, now_ms, now_s, CERT_STATE_HELD },
        {"Gateway", "E", now_s + HOUR, now_ms, now_s, CERT_STATE_SUPERSEDED},
    };
    /* clang-format on */
    const struct {
        const char *id;
        int64_t seen_ms;
        enum device_state state;
    } devices[] = {
        {"A", now_ms,                 DEVICE_ACTIVE    }, /* its certificate has ended: none */
        {"B", now_ms - ONLINE_MS,     DEVICE_ACTIVE    }, /* exactly: offline */
        {"C", now_ms - ONLINE_MS + 1, DEVICE_ACTIVE    }, /* online */
        {"D", now_ms,                 DEVICE_ACTIVE    }, /* revoked: none */
        {"E", now_ms,                 DEVICE_SUSPENDED }, /* held: none */
        {"F", 0,                      DEVICE_REGISTERED}, /* never enrolled: none */
        {"G", now_ms,                 DEVICE_RETIRED   }, /* counts nowhere */
    };
    /* clang-format on */

    (void)ctx;
    for (unsigned i = 0; i < KW_COUNT(devices); i++) {
        struct store_device device = {.product = "p", .hw_type = "1.2"};
        KW_TEXT_SET(device.id, devices[i].id);
        KW_TEXT_SET(device.serial, devices[i].id);
        device.state = devices[i].state;
        device.last_seen_ms = devices[i].seen_ms;
        TRY(op, store_device_insert(op, txn, &device));
    }
    for (unsigned i = 0; i < KW_COUNT(certs); i++) {
        TRY(op, add(op, txn, &certs[i], i + 1));
    }
    return KW_OK;
}

static void figures_at_their_boundaries(void **state)
{
    struct place *place = *state;
    struct store_stats stats = {0};
    char week[ISO_WEEK_TEXT];

    assert_ok(place_open(place));
    kw_op_init(&place->op, "test", 0);
    assert_ok(store_change(&place->op, place->store, fill, NULL));
    store_stats_begin(now_s * 1000, &stats);
    assert_ok(store_stats_issued(&place->op, place->store, &stats));
    assert_ok(store_stats_standing(&place->op, place->store, ONLINE_MS, &stats));
    assert_int_equal(stats.ends_48h, 2);
    assert_int_equal(stats.ends_7d, 4); /* cumulative */
    assert_int_equal(stats.ends_14d, 6);
    assert_int_equal(stats.certs_active, 12);
    assert_int_equal(stats.issued_7d, 8);
    assert_int_equal(stats.revoked_7d, 1);
    assert_int_equal(stats.devices_online, 1);
    assert_int_equal(stats.devices_offline, 1);
    assert_int_equal(stats.devices_without, 4);
    assert_int_equal(stats.n_profiles, 4);
    assert_string_equal(stats.profiles[0].name, "Device_01");
    assert_int_equal(stats.profiles[0].issued, 6);
    assert_int_equal(stats.profiles[0].issued_7d, 0);
    assert_string_equal(stats.profiles[2].name, "Gateway");
    assert_int_equal(stats.profiles[2].issued, 6);
    assert_int_equal(stats.profiles[2].issued_7d, 5);
    /* Saturday: the week under way began on Monday the 16th; what is 7 days old lies in the one
     * before */
    assert_string_equal(iso_week_text(stats.weeks[STATS_WEEKS - 1].start_s, week), "2026-W47");
    assert_int_equal(stats.weeks[STATS_WEEKS - 1].issued, 4);
    assert_int_equal(stats.weeks[STATS_WEEKS - 2].issued, 5);
    assert_int_equal(stats.weeks[STATS_WEEKS - 1].revoked, 0);
    assert_int_equal(stats.weeks[STATS_WEEKS - 2].revoked, 2);
    assert_int_equal(stats.weeks[0].issued, 0);
    /* 7 days that begin within an hour */
    store_stats_begin(now_s * 1000 + HALF_HOUR_MS, &stats);
    assert_ok(store_stats_issued(&place->op, place->store, &stats));
    assert_string_equal(stats.profiles[3].name, "Hub");
    assert_int_equal(stats.profiles[3].issued, 3);
    assert_int_equal(stats.profiles[3].issued_7d, 2);
    assert_int_equal(stats.profiles[2].issued_7d, 4);
    assert_int_equal(stats.issued_7d, 6);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {PLACE_TEST(figures_at_their_boundaries)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
