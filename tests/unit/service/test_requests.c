/* Enrolments that wait for an officer: who may decide, what a poll finds, limits, and time. */
#include "rig.h"
#include "service/registration/requests.h"

#define OFFICER "operator:alice"

static struct kw_op as(const char *who)
{
    struct kw_op op;

    kw_op_init(&op, who, 0);
    return op;
}

/* The first identity needs an officer's word from now on. */
static void need_officer(struct place *place)
{
    for (unsigned i = 0; i < place->service->n_profiles; i++) {
        KW_TEXT_SET(place->service->profiles[i].data.approval, "officer");
    }
}

static kw_status decide(struct kw_op *op, struct place *place, int64_t id, enum ra_event event,
                        const char *reason)
{
    struct store_ra_request decided;

    return requests_decide(op, place->service, id, event, reason, &decided);
}

static unsigned listed(struct place *place, enum ra_state state, struct store_ra_request *ret)
{
    struct store_ra_filter filter = {.state = state};
    unsigned n = 0;
    TEST_OP(op);

    do {
        unsigned got = 0;
        assert_ok(&op, store_ra_request_list(&op, place->service->store, &filter, 1, ret, &got));
        if (got == 0) {
            return n;
        }
        filter.after = ret->id;
        n++;
    } while (true);
}

static void waits_and_is_issued(void **state)
{
    struct place *place = *state;
    struct store_ra_request found;
    struct store_cert cert, again;
    struct unit unit;
    struct kw_op officer = as(OFFICER);
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    need_officer(place);
    uint64_t before = rig_counts(place).log_entries;
    for (unsigned i = 0; i < 4; i++) {
        assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL);
    }
    assert_int_equal(rig_counts(place).log_entries, before + 1); /* polls are no news */
    assert_int_equal(listed(place, RA_WAITING, &found), 1);
    assert_string_equal(found.owner, "device:D1");
    assert_string_equal(found.profile, "idevid");
    assert_int_equal(found.csr_len, unit.csr->len);
    assert_memory_equal(found.csr, unit.csr->p, unit.csr->len);
    assert_int_equal(rig_counts(place).certs_valid, rig_counts(place).certs);
    uint64_t certs = rig_counts(place).certs;
    assert_ok(&officer, decide(&officer, place, found.id, RA_APPROVE, ""));
    assert_int_equal(rig_counts(place).certs, certs); /* at the next poll, not before */
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    assert_string_equal(cert.owner, "device:D1");
    assert_ok(&op, store_ra_request_get(&op, place->service->store, found.id, &found));
    assert_int_equal(found.state, RA_ISSUED);
    assert_string_equal(found.decided_by, OFFICER);
    assert_int_equal(found.csr_len, 0);
    assert_ok(&op, unit_enrol(&op, place, &unit, &again)); /* its answer was lost on the line */
    assert_memory_equal(cert.fingerprint, again.fingerprint, KW_HASH_BYTES);
    unit_done(&unit);
}

static void refused_with_words(void **state)
{
    struct place *place = *state;
    struct store_ra_request found;
    struct store_cert cert;
    struct unit unit;
    struct kw_op officer = as(OFFICER);
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    need_officer(place);
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL);
    assert_int_equal(listed(place, RA_NONE, &found), 1);
    assert_code(&officer, decide(&officer, place, found.id, RA_REFUSE, ""), KW_E_INPUT);
    assert_ok(&officer, decide(&officer, place, found.id, RA_REFUSE, "not on the list"));
    kw_status status = unit_enrol(&op, place, &unit, &cert);
    assert_int_equal(status.code, KW_E_DENIED);
    assert_non_null(strstr(kw_op_cause(&op), OFFICER));
    assert_non_null(strstr(kw_op_cause(&op), "not on the list"));
    kw_op_clear(&op);
    assert_code(&officer, decide(&officer, place, found.id, RA_APPROVE, ""), KW_E_STATE);
    unit_new_key(&unit); /* another request is another matter */
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL);
    assert_int_equal(listed(place, RA_WAITING, &found), 1);
    assert_ok(&officer, decide(&officer, place, found.id, RA_APPROVE, "looked at"));
    assert_ok(&officer, decide(&officer, place, found.id, RA_REFUSE, "looked at again"));
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_DENIED);
    unit_done(&unit);
}

static void another_decides(void **state)
{
    struct place *place = *state;
    struct store_ra_request found;
    struct enrol_request request = {0};
    struct enrol_asker asker = {.device_id = "D1", .cert_profile = "", .via = "station:S1"};
    struct profile profile = {.approval = "officer", .name = "idevid"};
    struct unit unit;
    AUTO(csr) *csr = NULL;
    static const char *const nobody[] = {"device:D1", "station:S1", "", "system", "operator:own"};
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, enrol_request_from_csr(&op, kw_bytes_span(unit.csr), &csr, &request));
    assert_code(
        &op, registration_permit(&op, place->service, &profile, "operator:own", &request, &asker),
        KW_E_APPROVAL);
    assert_int_equal(listed(place, RA_WAITING, &found), 1);
    assert_string_equal(found.via, "station:S1");
    for (unsigned i = 0; i < KW_COUNT(nobody); i++) {
        struct kw_op who = as(nobody[i]);
        assert_code(&who, decide(&who, place, found.id, RA_APPROVE, ""), KW_E_DENIED);
    }
    assert_int_equal(listed(place, RA_WAITING, &found), 1);
    struct kw_op officer = as(OFFICER);
    assert_code(&officer, decide(&officer, place, found.id + 1, RA_APPROVE, ""), KW_E_NOT_FOUND);
    assert_ok(&officer, decide(&officer, place, found.id, RA_APPROVE, ""));
    unit_done(&unit);
}

static void bounded(void **state)
{
    struct place *place = *state;
    struct store_ra_request found;
    struct store_cert cert;
    struct unit unit, other;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    unit_register(place, "D2", &other);
    need_officer(place);
    for (unsigned i = 0; i < REQUESTS_OF_ONE_MAX; i++) {
        unit_new_key(&unit);
        assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL);
    }
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL); /* the same again */
    unit_new_key(&unit);
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_LIMIT);
    assert_int_equal(listed(place, RA_WAITING, &found), REQUESTS_OF_ONE_MAX);
    assert_code(&op, unit_enrol(&op, place, &other, &cert), KW_E_APPROVAL);
    unit_done(&unit);
    unit_done(&other);
}

static kw_status update(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    return store_ra_request_update(op, txn, ctx);
}

static void put_state(struct kw_op *op, struct store_ra_request *request, struct place *place)
{
    assert_ok(op, store_change(op, place->service->store, update, request));
}

static void lapses(void **state)
{
    struct place *place = *state;
    struct store_ra_request found, second;
    struct store_cert cert;
    struct unit unit;
    struct kw_op officer = as(OFFICER);
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    need_officer(place);
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL);
    assert_int_equal(listed(place, RA_WAITING, &found), 1);
    found.lapses_ms = 1000; /* long ago */
    put_state(&op, &found, place);
    assert_code(&officer, decide(&officer, place, found.id, RA_APPROVE, ""), KW_E_STATE);
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL); /* a new one */
    assert_int_equal(listed(place, RA_WAITING, &second), 1);
    assert_int_not_equal(second.id, found.id);
    assert_ok(&officer, decide(&officer, place, second.id, RA_APPROVE, ""));
    assert_ok(&op, store_ra_request_get(&op, place->service->store, second.id, &second));
    second.lapses_ms = 1000; /* approved, and nobody came for it */
    put_state(&op, &second, place);
    assert_ok(&op, requests_sweep(&op, place->service));
    assert_int_equal(listed(place, RA_LAPSED, &found), 2);
    assert_ok(&op, requests_sweep(&op, place->service));
    assert_code(&op, unit_enrol(&op, place, &unit, &cert), KW_E_APPROVAL);
    assert_int_equal(listed(place, RA_WAITING, &found), 1);
    unit_done(&unit);
}

static void no_officer_no_waiting(void **state)
{
    struct place *place = *state;
    struct store_ra_request found;
    struct store_cert cert;
    struct unit unit;
    TEST_OP(op);

    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    assert_int_equal(listed(place, RA_NONE, &found), 0);
    unit_done(&unit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_and_is_issued, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(refused_with_words, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(another_decides, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(bounded, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(lapses, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(no_officer_no_waiting, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
