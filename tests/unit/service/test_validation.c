/* Is a certificate good? The gate's answer, OCSP, CRLs; what revocation and retirement do to them.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crl.h"
#include "crypto/dn.h"
#include "crypto/ocsp.h"
#include "os/clock.h"
#include "rig.h"
#include "service/authorities.h"
#include "service/authority/expire.h"
#include "service/authority/revoke.h"
#include "service/validation/crl_maker.h"
#include "service/validation/ocsp_responder.h"
#include "service/validation/status.h"
#include "service/validation/status_keep.h"

enum { HOUR = 3600 };

/* --- the gate --------------------------------------------------------------------------------- */

static enum kw_code status_at(struct place *place, const struct store_cert *stored, int64_t now_s)
{
    struct store_cert_status status;
    AUTO(cert) *cert = rig_parse(stored);
    TEST_OP(op);

    return status_check(&op, place->service, cert, now_s, &status).code;
}

struct setting {
    const struct store_cert *cert;
    enum cert_state state;
    int64_t at_s;
    enum device_state device;
    const char *id;
};

static kw_status set_cert(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct setting *to = ctx;

    return store_cert_set_state(op, txn, to->cert->row, to->state, to->at_s, REVOKE_UNSPECIFIED);
}

static kw_status set_device(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct setting *to = ctx;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, to->id, &device));
    device.state = to->device;
    return store_device_update(op, txn, &device);
}

static void put_cert_state(struct place *place, const struct store_cert *cert,
                           enum cert_state state, int64_t at_s)
{
    struct setting to = {.cert = cert, .state = state, .at_s = at_s};
    TEST_OP(op);

    assert_ok(&op, store_change(&op, place->service->store, set_cert, &to));
}

static void put_device_state(struct place *place, const char *id, enum device_state state)
{
    struct setting to = {.id = id, .device = state};
    TEST_OP(op);

    assert_ok(&op, store_change(&op, place->service->store, set_device, &to));
}

static void every_state(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, cert;
    int64_t now = os_clock_unix_s();

    unit_both(place, "D1", &unit, &idevid, &cert);
    assert_int_equal(status_at(place, &cert, now), KW_CODE_OK);
    assert_int_equal(status_at(place, &cert, cert.not_before), KW_CODE_OK);
    assert_int_equal(status_at(place, &cert, cert.not_before - 1), KW_E_EXPIRED);
    assert_int_equal(status_at(place, &cert, cert.not_after), KW_CODE_OK);
    assert_int_equal(status_at(place, &cert, cert.not_after + 1), KW_E_EXPIRED);
    put_device_state(place, "D1", DEVICE_SUSPENDED);
    assert_int_equal(status_at(place, &cert, now), KW_E_DENIED);
    put_device_state(place, "D1", DEVICE_RETIRED);
    assert_int_equal(status_at(place, &cert, now), KW_E_DENIED);
    put_device_state(place, "D1", DEVICE_ACTIVE);
    put_cert_state(place, &cert, CERT_STATE_SUPERSEDED, now);
    assert_int_equal(status_at(place, &cert, now + 72 * HOUR), KW_CODE_OK);
    assert_int_equal(status_at(place, &cert, now + 72 * HOUR + 1), KW_E_EXPIRED);
    put_cert_state(place, &cert, CERT_STATE_HELD, now);
    assert_int_equal(status_at(place, &cert, now), KW_E_REVOKED);
    put_cert_state(place, &cert, CERT_STATE_REVOKED, now);
    assert_int_equal(status_at(place, &cert, now), KW_E_REVOKED);
    unit_done(&unit);
}

/* A certificate of this issuer name that the registry does not know; the key does not matter here.
 */
static struct cert *forge(struct kw_span issuer_dn, uint8_t first)
{
    uint8_t serial[KW_SERIAL_BYTES] = {first, 2, 3}, room[KW_DN_MAX];
    const struct dn_part parts[] = {
        {"CN", "forged"}
    };
    struct kw_out name = KW_OUT_ARRAY(room);
    AUTO(privkey) *key = rig_key();
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    TEST_OP(op);

    assert_ok(&op, dn_build(&op, parts, 1, &name));
    struct cert_spec spec = {.issuer_dn = issuer_dn.len ? issuer_dn : kw_out_span(&name),
                             .subject_dn = kw_out_span(&name),
                             .serial = KW_SPAN_ARRAY(serial),
                             .not_before = 1,
                             .not_after = os_clock_unix_s() + HOUR,
                             .key = privkey_public(key),
                             .issuer_key = privkey_public(key),
                             .path_len = -1,
                             .key_usage = CERT_KU_DIGITAL_SIGNATURE};
    assert_ok(&op, cert_build(&op, &spec, key, &der));
    assert_ok(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    return cert;
}

static void strangers(void **state)
{
    struct place *place = *state;
    struct store_cert_status status;
    AUTO(cert) *foreign = forge(KW_SPAN("", 0), 1);
    AUTO(cert) *unknown = forge(cert_subject(rig_ca(place, "devices")->cert), 1);
    TEST_OP(op);

    assert_code(&op, status_check(&op, place->service, foreign, os_clock_unix_s(), &status),
                KW_E_DENIED);
    assert_code(&op, status_check(&op, place->service, unknown, os_clock_unix_s(), &status),
                KW_E_DENIED);
    assert_code(&op,
                status_check(&op, place->service, place->service->authorities->root, 1, &status),
                KW_E_DENIED);
}

/* A profile that was taken away: nobody can say how long its replaced certificates hold. */
static void superseded_without_profile(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, cert;
    int64_t now = os_clock_unix_s();

    unit_both(place, "D1", &unit, &idevid, &cert);
    put_cert_state(place, &cert, CERT_STATE_SUPERSEDED, now);
    for (unsigned i = 0; i < place->service->n_profiles; i++) {
        if (strcmp(place->service->profiles[i].data.name, "ldevid") == 0) {
            KW_TEXT_SET(place->service->profiles[i].data.name, "gone");
        }
    }
    assert_int_equal(status_at(place, &cert, now), KW_E_DENIED);
    unit_done(&unit);
}

/* --- revocation ------------------------------------------------------------------------------- */

static void revocation(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, cert, room;
    struct store_pubkey key;
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &cert);
    uint64_t entries = rig_counts(place).log_entries;
    assert_ok(&op, authority_revoke(&op, place->service, &cert, REVOKE_KEY_COMPROMISE));
    assert_int_equal(rig_counts(place).log_entries, entries + 1);
    assert_int_equal(status_at(place, &cert, os_clock_unix_s()), KW_E_REVOKED);
    assert_ok(&op, store_pubkey_get(&op, place->service->store, cert.pubkey, &key));
    assert_int_equal(key.state, KEY_COMPROMISED);
    assert_code(&op, authority_revoke(&op, place->service, &cert, REVOKE_UNSPECIFIED), KW_E_STATE);
    (void)rig_reload(place, &cert, &room);
    assert_int_equal(room.reason, REVOKE_KEY_COMPROMISE);
    assert_code(&op, authority_revoke(&op, place->service, &room, REVOKE_UNSPECIFIED), KW_E_STATE);
    assert_int_equal(rig_counts(place).log_entries, entries + 1);
    assert_ok(&op, authority_revoke(&op, place->service, &idevid, REVOKE_SUPERSEDED));
    assert_ok(&op, store_pubkey_get(&op, place->service->store, idevid.pubkey, &key));
    assert_int_equal(key.state, KEY_DEACTIVATED);
    unit_done(&unit);
}

static void finding(void **state)
{
    static const char *const bad[] = {"", "zz", "0", "devices/", "devices/zz"};
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert, found;
    char serial[2 * KW_SERIAL_MAX + 1], print[65], path[128];
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    for (unsigned i = 0; i < cert.serial_len; i++) {
        (void)snprintf(serial + 2 * i, 3, "%02x", cert.serial[i]);
    }
    for (unsigned i = 0; i < KW_HASH_BYTES; i++) {
        (void)snprintf(print + 2 * i, 3, "%02x", cert.fingerprint[i]);
    }
    assert_ok(&op, authority_find(&op, place->service, serial, &found));
    assert_int_equal(found.row, cert.row);
    assert_ok(&op, authority_find(&op, place->service, print, &found));
    (void)snprintf(path, sizeof(path), "devices/%s", serial);
    assert_ok(&op, authority_find(&op, place->service, path, &found));
    (void)snprintf(path, sizeof(path), "services/%s", serial);
    assert_code(&op, authority_find(&op, place->service, path, &found), KW_E_NOT_FOUND);
    print[0] = print[0] == '0' ? '1' : '0';
    assert_code(&op, authority_find(&op, place->service, print, &found), KW_E_NOT_FOUND);
    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        kw_status status = authority_find(&op, place->service, bad[i], &found);
        assert_true(status.code == KW_E_INPUT || status.code == KW_E_NOT_FOUND);
        kw_op_clear(&op);
    }
    unit_done(&unit);
}

static void retirement(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid, room;
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &ldevid);
    assert_ok(&op, authority_revoke(&op, place->service, &ldevid, REVOKE_KEY_COMPROMISE));
    assert_ok(&op, device_retire(&op, place->service, "D1", REVOKE_CESSATION_OF_OPERATION));
    assert_int_equal(rig_reload(place, &idevid, &room)->state, CERT_STATE_REVOKED);
    assert_int_equal(rig_reload(place, &ldevid, &room)->reason, REVOKE_KEY_COMPROMISE);
    assert_code(&op, device_retire(&op, place->service, "D1", REVOKE_UNSPECIFIED), KW_E_STATE);
    assert_code(&op, device_retire(&op, place->service, "none", REVOKE_UNSPECIFIED),
                KW_E_NOT_FOUND);
    unit_done(&unit);
}

/* Cut after the device's record and before its certificates: the next call finishes it. */
static void retirement_that_was_cut(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid, room;
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &ldevid);
    put_device_state(place, "D1", DEVICE_RETIRED);
    assert_ok(&op, device_retire(&op, place->service, "D1", REVOKE_CESSATION_OF_OPERATION));
    assert_int_equal(rig_reload(place, &idevid, &room)->state, CERT_STATE_REVOKED);
    assert_int_equal(rig_reload(place, &ldevid, &room)->state, CERT_STATE_REVOKED);
    unit_done(&unit);
}

static void overlap_ends(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, one, two, room;
    int64_t now = os_clock_unix_s();
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &one);
    unit_done(&unit);
    unit_both(place, "D2", &unit, &idevid, &two);
    unit_done(&unit);
    put_cert_state(place, &one, CERT_STATE_SUPERSEDED, now - 72 * HOUR - 1);
    put_cert_state(place, &two, CERT_STATE_SUPERSEDED, now - 72 * HOUR + 60);
    assert_ok(&op, expire_superseded(&op, place->service));
    assert_ok(&op, expire_superseded(&op, place->service));
    assert_int_equal(rig_reload(place, &one, &room)->state, CERT_STATE_REVOKED);
    assert_int_equal(room.reason, REVOKE_SUPERSEDED);
    assert_int_equal(rig_reload(place, &two, &room)->state, CERT_STATE_SUPERSEDED);
}

/* --- OCSP ------------------------------------------------------------------------------------- */

struct question {
    struct place *place;
    const struct cert *cert, *issuer;
    bool sha256;
    struct kw_span nonce;
};

/* Ask and judge as a relying party; *ret_cached: was it remembered? */
static enum kw_code ask(const struct question *q, int *ret_status, bool *ret_cached)
{
    struct ocsp_reply reply = {0}, cached = {0};
    struct ocsp_single single;
    AUTO(kw_bytes) *query = NULL;
    TEST_OP(op);

    assert_ok(&op, ocsp_query_build(&op, q->cert, q->issuer, q->sha256, q->nonce, &query));
    assert_ok(&op, ocsp_respond(&op, q->place->service, "devices", kw_bytes_span(query), &reply));
    kw_status status =
        ocsp_answer_check(&op, reply.der, q->cert, q->issuer, q->nonce, os_clock_unix_s(), &single);
    *ret_status = kw_ok(status) ? (int)single.status : -1;
    assert_true(q->nonce.len == 0 || reply.max_age_s == 0);
    *ret_cached = ocsp_respond_cached(q->place->service, "devices", kw_bytes_span(query), &cached);
    if (*ret_cached) {
        assert_true(kw_span_equal(cached.der, reply.der));
        ocsp_reply_release(&cached);
    }
    ocsp_reply_release(&reply);
    return status.code;
}

/* The background work runs, and the table of standings is filled. */
static void start_filled(struct place *place)
{
    struct status_table_size size = {0};
    TEST_OP(op);

    assert_ok(&op, service_start(&op, place->service));
    for (unsigned i = 0; i < 1000 && !size.filled; i++) {
        (void)usleep(10000);
        status_table_measure(status_keep_table(place->service->status), &size);
    }
    assert_true(size.filled);
}

static void ocsp_good_then_revoked(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert stored;
    bool cached = false;
    int status = 0;
    TEST_OP(op);

    start_filled(place);
    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &stored));
    AUTO(cert) *cert = rig_parse(&stored);
    struct question q = {.place = place, .cert = cert, .issuer = rig_ca(place, "devices")->cert};
    for (unsigned sha256 = 0; sha256 < 2; sha256++) {
        q.sha256 = sha256;
        assert_int_equal(ask(&q, &status, &cached), KW_CODE_OK);
        assert_int_equal(status, OCSP_CERT_GOOD);
        assert_true(cached);
    }
    q.nonce = KW_SPAN("0123456789abcdef", 16);
    assert_int_equal(ask(&q, &status, &cached), KW_CODE_OK);
    assert_int_equal(status, OCSP_CERT_GOOD);
    assert_false(cached);
    assert_ok(&op, authority_revoke(&op, place->service, &stored, REVOKE_KEY_COMPROMISE));
    for (unsigned sha256 = 0; sha256 < 2; sha256++) {
        q.sha256 = sha256;
        q.nonce = sha256 ? KW_SPAN("", 0) : q.nonce;
        assert_int_equal(ask(&q, &status, &cached), KW_CODE_OK);
        assert_int_equal(status, OCSP_CERT_REVOKED);
    }
    unit_done(&unit);
}

static void assert_reply(struct place *place, const char *ca, struct kw_span request, int error)
{
    struct ocsp_reply reply = {0};
    TEST_OP(op);

    assert_ok(&op, ocsp_respond(&op, place->service, ca, request, &reply));
    assert_true(kw_span_equal(reply.der, ocsp_answer_error(error)));
    assert_int_equal(reply.max_age_s, 0);
    assert_false(ocsp_respond_cached(place->service, ca, request, &reply));
}

static void ocsp_refusals(void **state)
{
    struct place *place = *state;
    struct ocsp_reply reply;
    const struct cert *devices = rig_ca(place, "devices")->cert;
    AUTO(cert) *unknown = forge(cert_subject(devices), 1);
    AUTO(cert) *foreign = forge(KW_SPAN("", 0), 1);
    AUTO(kw_bytes) *query = NULL;
    AUTO(kw_bytes) *other = NULL;
    TEST_OP(op);

    assert_reply(place, "devices", KW_SPAN("", 0), 1);
    assert_reply(place, "devices", KW_SPAN("\x30\x03\x02\x01\x01", 5), 1);
    assert_ok(&op, ocsp_query_build(&op, unknown, devices, true, KW_SPAN("", 0), &query));
    assert_reply(place, "devices", kw_bytes_span(query), 6);
    assert_reply(place, "services", kw_bytes_span(query), 6);
    query->p[query->len - 1] ^= 0x80;
    query->len--;
    assert_reply(place, "devices", kw_bytes_span(query), 1);
    assert_ok(&op, ocsp_query_build(&op, foreign, foreign, true, KW_SPAN("", 0), &other));
    assert_reply(place, "devices", kw_bytes_span(other), 6);
    assert_code(&op, ocsp_respond(&op, place->service, "none", kw_bytes_span(other), &reply),
                KW_E_NOT_FOUND);
}

/* --- CRLs ------------------------------------------------------------------------------------- */

static bool listed(struct place *place, const char *ca, const struct store_cert *cert,
                   uint64_t *ret_number)
{
    AUTO(kw_bytes) *der = NULL;
    AUTO(crl) *crl = NULL;
    int64_t at = 0;
    int reason = 0;
    TEST_OP(op);

    assert_ok(&op, crl_get(&op, place->service, ca, &der));
    assert_ok(&op, crl_parse(&op, kw_bytes_span(der), &crl));
    assert_true(crl_number(crl, ret_number));
    return kw_ok(crl_find(crl, KW_SPAN(cert->serial, cert->serial_len), &reason, &at));
}

static void crls(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert;
    AUTO(kw_bytes) *der = NULL;
    uint64_t first = 0, number = 0;
    TEST_OP(op);

    assert_code(&op, crl_get(&op, place->service, "devices", &der), KW_E_UNAVAILABLE);
    assert_code(&op, crl_get(&op, place->service, "none", &der), KW_E_NOT_FOUND);
    assert_ok(&op, service_start(&op, place->service));
    assert_ok(&op, crl_get(&op, place->service, "root", &der));
    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    assert_false(listed(place, "devices", &cert, &first));
    assert_ok(&op, authority_revoke(&op, place->service, &cert, REVOKE_KEY_COMPROMISE));
    for (unsigned i = 0; i < 300 && !listed(place, "devices", &cert, &number); i++) {
        (void)usleep(10000);
    }
    assert_true(listed(place, "devices", &cert, &number));
    assert_true(number > first);
    assert_false(listed(place, "services", &cert, &number));
    unit_done(&unit);
}

static unsigned complaints;
static void count_complaint(const char *what, const struct kw_op *op)
{
    (void)what;
    (void)op;
    __atomic_add_fetch(&complaints, 1, __ATOMIC_SEQ_CST);
}

/* One CA that cannot sign does not keep the other's revocations from its list. */
static void one_crl_fails(void **state)
{
    struct place *place = *state;
    struct service *service = place->service;
    struct unit unit;
    struct store_cert cert;
    uint64_t number = 0;
    TEST_OP(op);

    assert_ok(&op, service_start(&op, service));
    service->complain = count_complaint;
    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    struct privkey *kept = rig_ca(place, "devices")->crl_key;
    rig_ca(place, "devices")->crl_key =
        privkey_ref(rig_ca(place, "services")->crl_key); /* signs for another issuer */
    crl_maker_wake(service, "devices");
    for (unsigned i = 0; i < 500 && !__atomic_load_n(&complaints, __ATOMIC_SEQ_CST); i++) {
        (void)usleep(10000);
    }
    uint64_t before = 0;
    (void)listed(place, "services", &cert, &before);
    crl_maker_wake(service, "services");
    for (unsigned i = 0; i < 500 && number <= before; i++) {
        (void)usleep(10000);
        (void)listed(place, "services", &cert, &number);
    }
    assert_true(number > before);
    privkey_unref(kept); /* the service gives the other one back */
    unit_done(&unit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_state),
        TEST(strangers),
        TEST(superseded_without_profile),
        TEST(revocation),
        TEST(finding),
        TEST(retirement),
        TEST(retirement_that_was_cut),
        TEST(overlap_ends),
        TEST(ocsp_good_then_revoked),
        TEST(ocsp_refusals),
        TEST(crls),
        TEST(one_crl_fails),
    };

    return cmocka_run_group_tests_name("validation", tests, NULL, NULL);
}
