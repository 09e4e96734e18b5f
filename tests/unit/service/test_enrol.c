/* Secrets, subjects, enrolment and renewal, and races between them. */
#include <pthread.h>

#include <stdatomic.h>

#include "os/clock.h"
#include "rig.h"
#include "service/authority/revoke.h"
#include "service/registration/hello.h"
#include "service/registration/secret.h"
#include "service/registration/subject.h"

enum { RACERS = 8, HOUR_MS = 3600000 };

/* --- hooks: what others do between a check and its use ---------------------------------------- */

kw_status __real_store_device_get(struct kw_op *op, struct store *store, const char *id,
                                  struct store_device *ret);
kw_status __wrap_store_device_get(struct kw_op *op, struct store *store, const char *id,
                                  struct store_device *ret);
typedef void (*meanwhile_fn)(void *ctx);
static _Atomic(meanwhile_fn) meanwhile; /* threads race through it */
static void *meanwhile_ctx;

kw_status __wrap_store_device_get(struct kw_op *op, struct store *store, const char *id,
                                  struct store_device *ret)
{
    kw_status status = __real_store_device_get(op, store, id, ret);
    meanwhile_fn act = atomic_exchange(&meanwhile, NULL);

    if (act) {
        act(meanwhile_ctx);
    }
    return status;
}

static struct store_device device_of(struct place *place, const char *id)
{
    struct store_device device;
    TEST_OP(op);

    assert_ok(&op, __real_store_device_get(&op, place->service->store, id, &device));
    return device;
}

/* --- secrets ---------------------------------------------------------------------------------- */

static void secrets(void **state)
{
    struct store_device device = {.id = "D"};
    uint8_t csr[KW_HASH_BYTES] = {1}, other[KW_HASH_BYTES] = {2};
    char text[DEVICE_SECRET_TEXT], second[DEVICE_SECRET_TEXT];
    TEST_OP(op);

    (void)state;
    assert_code(&op, secret_check(&op, &device, "", 1000, csr), KW_E_AUTH); /* none given out */
    assert_ok(&op, secret_make(&op, 1000, 1, second, &device));
    assert_ok(&op, secret_make(&op, 1000, 1, text, &device));
    assert_string_not_equal(text, second);
    assert_true(strlen(text) >= 24);
    assert_ok(&op, secret_check(&op, &device, text, 1000 + HOUR_MS, csr));
    assert_code(&op, secret_check(&op, &device, second, 1000, csr), KW_E_AUTH);
    assert_code(&op, secret_check(&op, &device, "", 1000, csr), KW_E_AUTH);
    assert_code(&op, secret_check(&op, &device, text, 1001 + HOUR_MS, csr), KW_E_EXPIRED);
    memcpy(device.secret_used_csr, csr, sizeof(csr));
    assert_ok(&op, secret_check(&op, &device, text, 1000, csr));
    assert_code(&op, secret_check(&op, &device, text, 1000, other), KW_E_STATE);
    device.secret_failures = DEVICE_SECRET_TRIES;
    assert_ok(&op, secret_check(&op, &device, text, 1000, csr));
}

/* Anybody may send them. */
static void wrong_secrets_lock_nobody_out(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert;
    char right[DEVICE_SECRET_TEXT];
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    memcpy(right, unit.secret, sizeof(right));
    KW_TEXT_SET(unit.secret, "wrong");
    uint64_t entries = rig_counts(place).log_entries;
    for (unsigned i = 0; i < DEVICE_SECRET_TRIES + 3; i++) {
        assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_AUTH);
    }
    assert_int_equal(rig_counts(place).log_entries, entries + DEVICE_SECRET_TRIES);
    memcpy(unit.secret, right, sizeof(right));
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    unit_done(&unit);
}

/* --- who is who ------------------------------------------------------------------------------- */

static void refuses_strangers(void **state)
{
    struct place *place = *state;
    struct unit unit, other;
    struct store_cert cert;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    unit_register(place, "D2", &other);
    uint64_t certs = rig_counts(place).certs;
    KW_TEXT_SET(unit.id, "D3"); /* nobody; not told from a wrong secret */
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_AUTH);
    KW_TEXT_SET(unit.id, "D2"); /* another's id with its own secret */
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_AUTH);
    KW_TEXT_SET(unit.id, "D1");
    kw_bytes_free(unit.csr);
    unit.csr = rig_csr(unit.key, "D2"); /* a request in another's name */
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_DENIED);
    unit.csr->p[unit.csr->len - 1] ^= 1; /* no proof of possession */
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_INPUT);
    assert_int_equal(rig_counts(place).certs, certs);
    kw_bytes_free(unit.csr);
    unit.csr = rig_csr(unit.key, ""); /* the registry names it */
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    assert_non_null(strstr(cert.subject, "D1"));
    assert_string_equal(cert.owner, "device:D1");
    assert_string_equal(cert.profile, "idevid");
    unit_done(&unit);
    unit_done(&other);
}

static void profile_by_proof(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid, cert;
    struct enrol_asker asker = {.device_id = "D1", .secret = unit.secret, .cert_profile = ""};
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_code(&op, unit_ask(&op, place, &asker, "ldevid", unit.csr, &cert), KW_E_DENIED);
    assert_code(&op, unit_ask(&op, place, &asker, "tls-server", unit.csr, &cert), KW_E_DENIED);
    assert_code(&op, unit_ask(&op, place, &asker, "absent", unit.csr, &cert), KW_E_NOT_FOUND);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    unit_new_key(&unit);
    assert_code(&op, unit_enrol_with(&op, place, &unit, &idevid, "idevid", &cert), KW_E_DENIED);
    assert_ok(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &ldevid));
    assert_string_equal(ldevid.profile, "ldevid");
    unit_new_key(&unit);
    assert_code(&op, unit_enrol_with(&op, place, &unit, &ldevid, "ldevid", &cert), KW_E_DENIED);
    unit_done(&unit);
}

/* --- the same request, the same key ----------------------------------------------------------- */

static void replays(void **state)
{
    struct place *place = *state;
    struct unit unit, other;
    struct store_cert first, again, cert;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &first));
    struct store_counts counts = rig_counts(place);
    assert_ok(&op, unit_enrol(&op, place, &unit, &again));
    assert_memory_equal(first.fingerprint, again.fingerprint, KW_HASH_BYTES);
    assert_int_equal(rig_counts(place).certs, counts.certs);
    /* The IDevID's request is no request for an LDevID. */
    assert_code(&op, unit_enrol_with(&op, place, &unit, &first, "ldevid", &cert), KW_E_CONFLICT);
    /* Another request with the same key, and the same key under another name. */
    kw_bytes_free(unit.csr);
    unit.csr = rig_csr(unit.key, "");
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_STATE);
    assert_ok(&op, device_new_secret(&op, place->service, "D1", 1, /* cmp= */ false, unit.secret));
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_CONFLICT);
    unit_register(place, "D2", &other);
    kw_bytes_free(other.csr);
    other.csr = rig_csr(unit.key, "D2");
    assert_code(&op, unit_enrol(&op, place, &other, &cert), KW_E_CONFLICT);
    assert_int_equal(rig_counts(place).certs, counts.certs);
    assert_int_equal(device_of(place, "D2").state, DEVICE_REGISTERED);
    unit_done(&unit);
    unit_done(&other);
}

static void replay_of_a_revoked_one(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert, again;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    assert_ok(&op, authority_revoke(&op, place->service, &cert, REVOKE_SUPERSEDED));
    assert_code(&op, unit_enrol(&op, place, &unit, &again), KW_E_CONFLICT);
    unit_done(&unit);
}

/* --- renewal ---------------------------------------------------------------------------------- */

static void renewal(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, old, new_, again, room;
    TEST_OP(op);

    unit_both(place, "D1", &unit, &idevid, &old);
    /* The request that made the present certificate makes no new one: an old answer would look
     * like a renewal. */
    assert_code(&op, unit_renew(&op, place, &unit, &old, &new_), KW_E_CONFLICT);
    assert_int_equal(rig_reload(place, &old, &room)->state, CERT_STATE_VALID);
    unit_new_key(&unit);
    assert_code(&op, unit_renew(&op, place, &unit, &idevid, &new_), KW_E_STATE);
    assert_ok(&op, unit_renew(&op, place, &unit, &old, &new_));
    assert_string_equal(new_.profile, "ldevid");
    assert_int_equal(rig_reload(place, &old, &room)->state, CERT_STATE_SUPERSEDED);
    assert_ok(&op, unit_renew(&op, place, &unit, &old, &again)); /* its answer was lost */
    assert_memory_equal(new_.fingerprint, again.fingerprint, KW_HASH_BYTES);
    unit_new_key(&unit);
    assert_ok(&op, authority_revoke(&op, place->service, &new_, REVOKE_UNSPECIFIED));
    assert_code(&op, unit_renew(&op, place, &unit, &new_, &again), KW_E_REVOKED);
    unit_done(&unit);
}

/* --- races ------------------------------------------------------------------------------------ */

struct racer {
    struct place *place;
    const struct unit *unit;
    const struct store_cert *with; /* NULL: first certificate */
    pthread_barrier_t *start;
    struct store_cert cert;
    enum kw_code code;
};

static void *race(void *ctx)
{
    struct racer *racer = ctx;
    TEST_OP(op);

    (void)pthread_barrier_wait(racer->start);
    racer->code = racer->with
                      ? unit_renew(&op, racer->place, racer->unit, racer->with, &racer->cert).code
                      : unit_enrol(&op, racer->place, racer->unit, &racer->cert).code;
    return NULL;
}

static void run_race(struct racer racers[RACERS])
{
    pthread_t threads[RACERS];
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    (void)pthread_barrier_destroy(&start);
}

static void all_the_same(const struct racer racers[RACERS])
{
    for (unsigned i = 0; i < RACERS; i++) {
        if (racers[i].code != KW_CODE_OK) {
            fail_msg("racer %u: %s", i, kw_code_text(racers[i].code));
        }
        assert_memory_equal(racers[i].cert.fingerprint, racers[0].cert.fingerprint, KW_HASH_BYTES);
    }
}

static void race_same_request(void **state)
{
    static struct racer racers[RACERS];
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid;

    unit_register(place, "D1", &unit);
    uint64_t certs = rig_counts(place).certs;
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.place = place, .unit = &unit};
    }
    run_race(racers);
    all_the_same(racers);
    assert_int_equal(rig_counts(place).certs, certs + 1);
    unit_done(&unit);
    unit_both(place, "D2", &unit, &idevid, &ldevid);
    unit_new_key(&unit);
    certs = rig_counts(place).certs;
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.place = place, .unit = &unit, .with = &ldevid};
    }
    run_race(racers);
    all_the_same(racers);
    assert_int_equal(rig_counts(place).certs, certs + 1);
    unit_done(&unit);
}

static void race_same_key(void **state)
{
    static struct racer racers[RACERS];
    struct place *place = *state;
    struct unit units[RACERS];
    struct privkey *key = rig_key();
    unsigned won = 0;

    for (unsigned i = 0; i < RACERS; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "R%u", i);
        unit_register(place, id, &units[i]);
        kw_bytes_free(units[i].csr);
        units[i].csr = rig_csr(key, id);
        racers[i] = (struct racer){.place = place, .unit = &units[i]};
    }
    uint64_t certs = rig_counts(place).certs;
    run_race(racers);
    for (unsigned i = 0; i < RACERS; i++) {
        won += racers[i].code == KW_CODE_OK;
        assert_true(racers[i].code == KW_CODE_OK || racers[i].code == KW_E_CONFLICT);
        enum device_state want = racers[i].code == KW_CODE_OK ? DEVICE_ACTIVE : DEVICE_REGISTERED;
        assert_int_equal(device_of(place, units[i].id).state, want);
        unit_done(&units[i]);
    }
    assert_int_equal(won, 1);
    assert_int_equal(rig_counts(place).certs, certs + 1);
    privkey_unref(key);
}

static void retire_d1(void *ctx)
{
    struct place *place = ctx;
    TEST_OP(op);

    assert_ok(&op, device_retire(&op, place->service, "D1", REVOKE_KEY_COMPROMISE));
}

/* A hello, a new secret or an enrolment that began before a retirement does not undo it. */
static void retired_in_between(void **state)
{
    struct place *place = *state;
    struct unit unit;
    char secret[DEVICE_SECRET_TEXT];
    const struct device_hello hello = {.agent = "agent", .root_of_trust = "soft"};
    TEST_OP(op);

    struct store_cert idevid;
    struct device_welcome welcome = {0};
    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    AUTO(cert) *cert = rig_parse(&idevid);
    meanwhile_ctx = place;
    meanwhile = retire_d1;
    (void)kw_ok(device_seen(&op, place->service, "D1", cert, &hello, &welcome));
    meanwhile = NULL;
    assert_int_equal(device_of(place, "D1").state, DEVICE_RETIRED);
    kw_op_clear(&op);
    assert_code(&op, device_new_secret(&op, place->service, "D1", 1, /* cmp= */ false, secret),
                KW_E_STATE);
    unit_done(&unit);
}

static void retired_during_enrolment(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    uint64_t certs = rig_counts(place).certs;
    meanwhile_ctx = place;
    meanwhile = retire_d1;
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_STATE);
    meanwhile = NULL;
    assert_int_equal(rig_counts(place).certs, certs);
    unit_done(&unit);
}

/* The gate looked at the IDevID before; it was revoked until the LDevID is recorded. */
static void idevid_revoked_in_between(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, cert;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    assert_ok(&op, authority_revoke(&op, place->service, &idevid, REVOKE_SUPERSEDED));
    unit_new_key(&unit);
    uint64_t certs = rig_counts(place).certs;
    assert_code(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &cert), KW_E_REVOKED);
    assert_int_equal(rig_counts(place).certs, certs);
    unit_done(&unit);
}

/* --- no way back by the side door ------------------------------------------------------------- */

struct revocation {
    enum revoke_reason reason;
    bool bars;
};

/* The LDevID ends, the IDevID is still good: what the LDevID was revoked for decides. */
static void revoked_ldevid_bars(void **state)
{
    static const struct revocation cases[] = {
        {REVOKE_UNSPECIFIED,            true },
        {REVOKE_KEY_COMPROMISE,         true },
        {REVOKE_CA_COMPROMISE,          false},
        {REVOKE_AFFILIATION_CHANGED,    true },
        {REVOKE_SUPERSEDED,             false},
        {REVOKE_CESSATION_OF_OPERATION, true },
        {REVOKE_PRIVILEGE_WITHDRAWN,    true },
        {REVOKE_AA_COMPROMISE,          true },
    };
    struct place *place = *state;
    TEST_OP(op);

    for (unsigned i = 0; i < KW_COUNT(cases); i++) {
        struct store_cert idevid, ldevid, cert;
        struct unit unit;
        char id[8];
        (void)snprintf(id, sizeof(id), "B%u", i);
        unit_register(place, id, &unit);
        assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
        unit_new_key(&unit);
        assert_ok(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &ldevid));
        assert_ok(&op, authority_revoke(&op, place->service, &ldevid, cases[i].reason));
        assert_int_equal(device_of(place, id).barred_ms != 0, cases[i].bars);
        unit_new_key(&unit);
        enum kw_code want = cases[i].bars ? KW_E_STATE : KW_CODE_OK;
        assert_code(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &cert), want);
        if (cases[i].bars) {
            assert_ok(&op, device_readmit(&op, place->service, id, "looked at"));
            assert_ok(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &cert));
        }
        assert_code(&op, device_readmit(&op, place->service, id, "again"), KW_E_STATE);
        unit_done(&unit);
    }
}

/* A secret that was made before does not open it, either; one that is made now is a new life. */
static void old_secret_stays_barred(void **state)
{
    struct place *place = *state;
    struct store_cert idevid, again;
    struct unit unit;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    assert_ok(&op, device_new_secret(&op, place->service, "D1", 1, /* cmp= */ false, unit.secret));
    assert_ok(&op, authority_revoke(&op, place->service, &idevid, REVOKE_KEY_COMPROMISE));
    unit_new_key(&unit);
    assert_code(&op, unit_enrol(&op, place, &unit, &again), KW_E_STATE);
    assert_ok(&op, device_new_secret(&op, place->service, "D1", 1, /* cmp= */ false, unit.secret));
    assert_ok(&op, unit_enrol(&op, place, &unit, &again));
    unit_done(&unit);
}

/* On hold: as long as it is held. What has a successor, and what was never taken, bars nothing. */
static void held_superseded_and_unconfirmed(void **state)
{
    struct place *place = *state;
    struct store_cert idevid, ldevid, next, room;
    struct unit unit;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &idevid));
    unit_new_key(&unit);
    assert_ok(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &ldevid));
    assert_ok(&op, authority_hold(&op, place->service, &ldevid));
    unit_new_key(&unit);
    assert_code(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &next), KW_E_STATE);
    assert_ok(&op, authority_release(&op, place->service, rig_reload(place, &ldevid, &room)));
    assert_ok(&op, unit_renew(&op, place, &unit, &ldevid, &next));
    assert_ok(&op, authority_revoke(&op, place->service, rig_reload(place, &ldevid, &room),
                                    REVOKE_UNSPECIFIED));
    assert_int_equal(device_of(place, "D1").barred_ms, 0);
    assert_ok(&op, authority_withdraw(&op, place->service, &next));
    assert_int_equal(device_of(place, "D1").barred_ms, 0);
    unit_new_key(&unit);
    assert_ok(&op, unit_enrol_with(&op, place, &unit, &idevid, "", &next));
    assert_code(&op, device_readmit(&op, place->service, "D1", ""), KW_E_INPUT);
    assert_code(&op, device_readmit(&op, place->service, "none", "x"), KW_E_NOT_FOUND);
    unit_done(&unit);
}

/* One device's certificate does not speak for another. */
static void anothers_certificate(void **state)
{
    struct place *place = *state;
    struct unit one, two;
    struct store_cert idevid[2], ldevid[2], cert;
    TEST_OP(op);

    unit_both(place, "D1", &one, &idevid[0], &ldevid[0]);
    unit_both(place, "D2", &two, &idevid[1], &ldevid[1]);
    unit_new_key(&one);
    assert_code(&op, unit_enrol_with(&op, place, &one, &idevid[1], "", &cert), KW_E_DENIED);
    assert_code(&op, unit_renew(&op, place, &one, &ldevid[1], &cert), KW_E_DENIED);
    unit_done(&one);
    unit_done(&two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets),
        TEST(wrong_secrets_lock_nobody_out),
        TEST(refuses_strangers),
        TEST(profile_by_proof),
        TEST(replays),
        TEST(replay_of_a_revoked_one),
        TEST(renewal),
        TEST(race_same_request),
        TEST(race_same_key),
        TEST(retired_in_between),
        TEST(retired_during_enrolment),
        TEST(idevid_revoked_in_between),
        TEST(revoked_ldevid_bars),
        TEST(old_secret_stays_barred),
        TEST(held_superseded_and_unconfirmed),
        TEST(anothers_certificate),
    };

    return cmocka_run_group_tests_name("enrol", tests, NULL, NULL);
}
