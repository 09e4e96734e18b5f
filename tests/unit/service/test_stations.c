/* What stands beside the plain enrolment: stations, channel binding, protocols, late renewal. */
#include <stdio.h>
#include <stdlib.h>

#include "base/b64.h"
#include "crypto/dn.h"
#include "os/clock.h"
#include "rig.h"
#include "service/authority/issue.h"
#include "service/authority/revoke.h"
#include "service/registration/station.h"
#include "service/validation/status.h"

enum { HOUR_S = 3600 };

static struct profile *profile_of(struct place *place, const char *name)
{
    for (unsigned i = 0; i < place->service->n_profiles; i++) {
        if (strcmp(place->service->profiles[i].data.name, name) == 0) {
            return &place->service->profiles[i].data;
        }
    }
    fail_msg("no profile %s", name);
    abort();
}

/* --- stations --------------------------------------------------------------------------------- */

/* A certificate that proves the station; which profile it is of, the API looks at. */
static void make_station(struct place *place, const char *owner, struct store_cert *ret)
{
    const struct dn_part parts[] = {
        {"O",  place->service->config.organization},
        {"CN", owner                              },
    };
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);
    AUTO(privkey) *key = rig_key();
    TEST_OP(op);

    assert_ok(&op, dn_build(&op, parts, KW_COUNT(parts), &name));
    struct issue_request request = {.profile = "operator",
                                    .owner = owner,
                                    .subject = kw_out_span(&name),
                                    .key = privkey_public(key),
                                    .event = EVENT_CERT_ISSUE};
    assert_ok(&op, authority_issue(&op, place->service, &request, ret));
}

static kw_status vouch(struct kw_op *op, struct place *place, const struct store_cert *station,
                       const struct unit *unit, const char *profile, struct store_cert *ret)
{
    struct enrol_asker asker = {.fingerprint = station->fingerprint,
                                .cert_profile = station->profile,
                                .via = station->owner,
                                .protocol = "est"};

    return unit_ask(op, place, &asker, profile, unit->csr, ret);
}

/* A station that may enrol thing-1, and a device of it. */
static void set_scene(struct place *place, struct store_cert *station, struct unit *unit)
{
    TEST_OP(op);

    make_station(place, "station:LINE1", station);
    unit_register(place, "D1", unit);
    profile_of(place, "idevid")->ra = true;
    assert_ok(&op, station_grant(&op, place->service, "LINE1", "thing-1"));
}

static void a_station_enrols_what_it_may(void **state)
{
    struct place *place = *state;
    struct store_cert station, cert, again;
    struct store_device device;
    struct unit unit;
    TEST_OP(op);

    set_scene(place, &station, &unit);
    assert_ok(&op, vouch(&op, place, &station, &unit, "", &cert));
    assert_string_equal(cert.owner, "device:D1");
    assert_string_equal(cert.profile, "idevid");
    assert_ok(&op, vouch(&op, place, &station, &unit, "", &again)); /* its answer was lost */
    assert_int_equal(cert.row, again.row);
    assert_ok(&op, store_device_get(&op, place->service->store, "D1", &device));
    assert_int_equal(device.state, DEVICE_ACTIVE);
    unit_new_key(&unit); /* the secret is spent: nobody else is born with it */
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_STATE);
    unit_done(&unit);
}

static void a_device_is_born_once(void **state)
{
    struct place *place = *state;
    struct store_cert station, cert;
    struct unit unit;
    TEST_OP(op);

    set_scene(place, &station, &unit);
    assert_ok(&op, vouch(&op, place, &station, &unit, "", &cert));
    unit_new_key(&unit);
    uint64_t certs = rig_counts(place).certs;
    assert_code(&op, vouch(&op, place, &station, &unit, "", &cert), KW_E_STATE);
    assert_int_equal(rig_counts(place).certs, certs);
    assert_ok(&op, device_new_secret(&op, place->service, "D1", 1, /* cmp= */ false, unit.secret));
    assert_ok(&op, vouch(&op, place, &station, &unit, "", &cert));
    unit_done(&unit);
}

static void a_station_names_its_device(void **state)
{
    struct place *place = *state;
    struct device_request named = {.id = "D9", .product = "thing-1", .serial = "SN-9"};
    const struct dn_part parts[] = {
        {"serialNumber", "SN-9"}
    };
    struct store_cert station, cert;
    struct unit unit;
    char secret[DEVICE_SECRET_TEXT];
    uint8_t room[KW_DN_MAX];
    struct kw_out name = KW_OUT_ARRAY(room);
    TEST_OP(op);

    set_scene(place, &station, &unit);
    kw_bytes_free(unit.csr);
    unit.csr = rig_csr(unit.key, "");
    assert_code(&op, vouch(&op, place, &station, &unit, "", &cert), KW_E_INPUT);
    assert_ok(&op, device_register(&op, place->service, &named, secret));
    assert_ok(&op, dn_build(&op, parts, KW_COUNT(parts), &name));
    kw_bytes_free(unit.csr);
    assert_ok(&op, csr_build(&op, kw_out_span(&name), unit.key, &unit.csr));
    assert_ok(&op, vouch(&op, place, &station, &unit, "", &cert));
    assert_string_equal(cert.owner, "device:D9");
    unit_done(&unit);
}

/* The cause of a refusal; "" after none. */
static const char *cause(struct kw_op *op, kw_status status, char text[KW_OP_TEXT_MAX])
{
    text[0] = '\0';
    if (!kw_ok(status)) {
        (void)snprintf(text, KW_OP_TEXT_MAX, "%s", kw_op_cause(op));
    }
    kw_op_clear(op);
    return text;
}

static void a_station_learns_of_no_other_device(void **state)
{
    struct place *place = *state;
    struct device_request foreign = {.id = "F1", .product = "thing-2"};
    struct store_cert station, cert;
    struct unit unit;
    char secret[DEVICE_SECRET_TEXT], first[KW_OP_TEXT_MAX], second[KW_OP_TEXT_MAX];
    TEST_OP(op);

    set_scene(place, &station, &unit);
    assert_ok(&op, device_register(&op, place->service, &foreign, secret));
    kw_bytes_free(unit.csr);
    unit.csr = rig_csr(unit.key, "F1"); /* of another product */
    uint64_t entries = rig_counts(place).log_entries;
    assert_string_not_equal(cause(&op, vouch(&op, place, &station, &unit, "", &cert), first), "");
    assert_int_equal(rig_counts(place).log_entries, entries + 1); /* recorded */
    kw_bytes_free(unit.csr);
    unit.csr = rig_csr(unit.key, "NOBODY");
    assert_string_equal(cause(&op, vouch(&op, place, &station, &unit, "", &cert), second), first);
    unit_done(&unit);
}

static void what_a_station_may_not(void **state)
{
    struct place *place = *state;
    struct store_cert station, other, cert;
    struct unit unit;
    TEST_OP(op);

    set_scene(place, &station, &unit);
    make_station(place, "station:LINE2", &other);
    assert_code(&op, vouch(&op, place, &other, &unit, "", &cert), KW_E_DENIED); /* no grant */
    assert_code(&op, vouch(&op, place, &station, &unit, "ldevid", &cert), KW_E_DENIED);
    assert_code(&op, vouch(&op, place, &station, &unit, "tls-server", &cert), KW_E_DENIED);
    KW_TEXT_SET(station.owner, "station:LINE2"); /* LINE1's certificate under another's name */
    assert_ok(&op, station_grant(&op, place->service, "LINE2", "thing-1"));
    assert_code(&op, vouch(&op, place, &station, &unit, "", &cert), KW_E_DENIED);
    KW_TEXT_SET(station.owner, "station:LINE1");
    assert_ok(&op, station_end(&op, place->service, "LINE1", "thing-1"));
    assert_code(&op, vouch(&op, place, &station, &unit, "", &cert), KW_E_DENIED);
    assert_ok(&op, station_grant(&op, place->service, "LINE1", "thing-1"));
    profile_of(place, "idevid")->ra = false;
    assert_code(&op, vouch(&op, place, &station, &unit, "idevid", &cert), KW_E_DENIED);
    assert_code(&op, vouch(&op, place, &station, &unit, "", &cert),
                KW_E_NOT_FOUND); /* nor ldevid */
    profile_of(place, "idevid")->ra = true;
    assert_ok(&op, authority_revoke(&op, place->service, &station, REVOKE_KEY_COMPROMISE));
    assert_code(&op, vouch(&op, place, &station, &unit, "", &cert), KW_E_REVOKED);
    unit_done(&unit);
}

static void a_station_renews_nothing(void **state)
{
    struct place *place = *state;
    struct store_cert station, cert;
    struct unit unit;
    AUTO(csr) *csr = NULL;
    struct enrol_request request;
    TEST_OP(op);

    set_scene(place, &station, &unit);
    struct enrol_asker asker = {.fingerprint = station.fingerprint, .via = station.owner};
    assert_ok(&op, enrol_request_from_csr(&op, kw_bytes_span(unit.csr), &csr, &request));
    assert_code(&op, enrol_again(&op, place->service, &asker, "", &request, &cert), KW_E_DENIED);
    unit_done(&unit);
}

static void grants_are_recorded(void **state)
{
    struct place *place = *state;
    struct store_grant grants[4], after;
    unsigned n = 0;
    TEST_OP(op);

    uint64_t entries = rig_counts(place).log_entries;
    assert_ok(&op, station_grant(&op, place->service, "LINE2", "b"));
    assert_ok(&op, station_grant(&op, place->service, "LINE1", "b"));
    assert_ok(&op, station_grant(&op, place->service, "LINE1", "a"));
    assert_code(&op, station_grant(&op, place->service, "LINE1", "a"), KW_E_CONFLICT);
    assert_code(&op, station_end(&op, place->service, "LINE1", "never-seen"), KW_E_NOT_FOUND);
    assert_code(&op, station_end(&op, place->service, "LINE2", "a"), KW_E_NOT_FOUND);
    assert_code(&op, station_grant(&op, place->service, "LINE/1", "a"), KW_E_INPUT);
    assert_code(&op, station_grant(&op, place->service, "", "a"), KW_E_INPUT);
    assert_int_equal(rig_counts(place).log_entries, entries + 3);
    assert_ok(&op, store_station_list(&op, place->service->store, NULL, 4, grants, &n));
    assert_int_equal(n, 3);
    assert_string_equal(grants[0].station, "LINE1");
    assert_string_equal(grants[0].product, "a");
    assert_string_equal(grants[2].station, "LINE2");
    after = grants[0];
    assert_ok(&op, store_station_list(&op, place->service->store, &after, 4, grants, &n));
    assert_int_equal(n, 2);
    assert_ok(&op, station_end(&op, place->service, "LINE1", "b"));
    assert_ok(&op, store_station_list(&op, place->service->store, NULL, 4, grants, &n));
    assert_int_equal(n, 2);
}

/* --- channel binding -------------------------------------------------------------------------- */

static kw_status ask_bound(struct kw_op *op, struct place *place, const struct unit *unit,
                           struct kw_span binding, const char *challenge, struct store_cert *ret)
{
    struct enrol_asker asker = {.device_id = unit->id,
                                .secret = unit->secret,
                                .cert_profile = "",
                                .protocol = "est",
                                .binding = binding};
    AUTO(csr) *csr = NULL;
    struct enrol_request request;

    TRY(op, enrol_request_from_csr(op, kw_bytes_span(unit->csr), &csr, &request));
    request.challenge = challenge;
    return enrol_first(op, place->service, &asker, "", &request, ret);
}

static void bound_requests(void **state)
{
    struct place *place = *state;
    const uint8_t channel[32] = {1, 2, 3}, other[32] = {9};
    struct store_cert cert;
    struct unit unit;
    AUTO(kw_bytes) *text = NULL;
    char challenge[64];
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, kw_bytes_new(64, &text));
    assert_ok(&op, kw_b64_encode(KW_SPAN_ARRAY(channel), 0, text));
    (void)snprintf(challenge, sizeof(challenge), "%.*s", (int)text->len, (const char *)text->p);
    struct kw_span mine = KW_SPAN_ARRAY(channel), none = KW_SPAN(NULL, 0);

    /* What is there is verified, whether the profile wants it or not. */
    assert_code(&op, ask_bound(&op, place, &unit, mine, "wrong", &cert), KW_E_DENIED);
    assert_code(&op, ask_bound(&op, place, &unit, mine, "", &cert), KW_E_DENIED);
    assert_code(&op, ask_bound(&op, place, &unit, none, "", &cert), KW_E_DENIED);
    assert_code(&op, ask_bound(&op, place, &unit, KW_SPAN_ARRAY(other), challenge, &cert),
                KW_E_DENIED);
    KW_TEXT_SET(profile_of(place, "idevid")->channel_binding, "required");
    assert_code(&op, ask_bound(&op, place, &unit, mine, NULL, &cert), KW_E_DENIED);
    assert_ok(&op, ask_bound(&op, place, &unit, mine, challenge, &cert));
    unit_done(&unit);
}

static void protocols(void **state)
{
    struct place *place = *state;
    struct profile *profile = profile_of(place, "idevid");
    struct enrol_asker asker = {.device_id = "D1", .cert_profile = "", .protocol = "est"};
    struct store_cert cert;
    struct unit unit;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    asker.secret = unit.secret;
    profile->n_protocols = 1;
    KW_TEXT_SET(profile->protocols[0], "cmp");
    assert_code(&op, unit_ask(&op, place, &asker, "idevid", unit.csr, &cert), KW_E_DENIED);
    assert_code(&op, unit_ask(&op, place, &asker, "", unit.csr, &cert), KW_E_NOT_FOUND);
    asker.protocol = "cmp";
    assert_ok(&op, unit_ask(&op, place, &asker, "", unit.csr, &cert));
    unit_done(&unit);
}

/* --- late renewal ----------------------------------------------------------------------------- */

static void late_certificates(void **state)
{
    struct place *place = *state;
    struct store_cert idevid, ldevid;
    struct store_cert_status status;
    struct unit unit;
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &ldevid);
    AUTO(cert) *cert = rig_parse(&ldevid);
    int64_t end = ldevid.not_after;
    assert_int_equal(status_late_max_s(place->service), 0);
    assert_ok(&op, status_check(&op, place->service, cert, end, &status));
    assert_code(&op, status_check_late(&op, place->service, cert, end + 1, &status), KW_E_EXPIRED);
    profile_of(place, "ldevid")->renew_expired_hours = 2;
    assert_int_equal(status_late_max_s(place->service), 2 * HOUR_S);
    int64_t last = end + 2 * HOUR_S;
    assert_ok(&op, status_check_late(&op, place->service, cert, last, &status));
    assert_code(&op, status_check_late(&op, place->service, cert, last + 1, &status), KW_E_EXPIRED);
    assert_code(&op, status_check(&op, place->service, cert, end + 1, &status), KW_E_EXPIRED);
    int64_t early = ldevid.not_before - 1;
    assert_code(&op, status_check_late(&op, place->service, cert, early, &status), KW_E_EXPIRED);
    assert_ok(&op, authority_revoke(&op, place->service, &ldevid, REVOKE_KEY_COMPROMISE));
    assert_code(&op, status_check_late(&op, place->service, cert, last, &status), KW_E_REVOKED);
    unit_done(&unit);
}

static void late_for_devices_in_force_only(void **state)
{
    struct place *place = *state;
    struct store_cert station, idevid, ldevid;
    struct store_cert_status status;
    struct unit unit;
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &ldevid);
    make_station(place, "station:LINE1", &station);
    AUTO(cert) *cert = rig_parse(&ldevid);
    AUTO(cert) *others = rig_parse(&station);
    profile_of(place, "ldevid")->renew_expired_hours = 2;
    profile_of(place, "operator")->renew_expired_hours = 2; /* a law forbids it; if it did not */
    assert_code(&op, status_check_late(&op, place->service, others, station.not_after + 1, &status),
                KW_E_EXPIRED);
    assert_ok(&op, status_check_late(&op, place->service, cert, ldevid.not_after + 1, &status));
    assert_ok(&op, device_retire(&op, place->service, "D1", REVOKE_CESSATION_OF_OPERATION));
    assert_code(&op, status_check_late(&op, place->service, cert, ldevid.not_after + 1, &status),
                KW_E_REVOKED);
    unit_done(&unit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_station_enrols_what_it_may),
        TEST(a_device_is_born_once),
        TEST(a_station_names_its_device),
        TEST(a_station_learns_of_no_other_device),
        TEST(what_a_station_may_not),
        TEST(a_station_renews_nothing),
        TEST(grants_are_recorded),
        TEST(bound_requests),
        TEST(protocols),
        TEST(late_certificates),
        TEST(late_for_devices_in_force_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
