/* The lists of a CA: whole, its delta, the part without end, shards; when each is made. */
#include <unistd.h>

#include "base/time.h"
#include "crypto/crl.h"
#include "os/clock.h"
#include "rig.h"
#include "service/authorities.h"
#include "service/validation/crl_journal.h"
#include "service/validation/crl_lists.h"
#include "service/validation/crl_maker.h"
#include "service/validation/crl_saver.h"
#include "service/validation/shard.h"

enum { TRIES = 1000, TRY_US = 10000 };

struct step {
    const struct store_cert *cert;
    enum cert_state state;
    int reason;
};

static kw_status set_state(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct step *step = ctx;

    return store_cert_set_state(op, txn, step->cert->row, step->state, os_clock_unix_s(),
                                step->reason);
}

static void change(struct place *place, const struct store_cert *cert, enum cert_state state,
                   int reason)
{
    struct step step = {cert, state, reason};
    TEST_OP(op);

    assert_ok(&op, store_change(&op, place->service->store, set_state, &step));
}

/* NULL where there is none to be had now. */
static struct crl *list_of(struct place *place, const char *stem)
{
    AUTO(kw_bytes) *der = NULL;
    struct crl *crl = NULL;
    TEST_OP(op);

    if (!kw_ok(crl_get(&op, place->service, stem, &der))) {
        return NULL;
    }
    assert_ok(&op, crl_parse(&op, kw_bytes_span(der), &crl));
    assert_ok(&op, crl_verify_signature(&op, crl, cert_public(rig_ca(place, "devices")->cert)));
    return crl;
}

/* The reason under which a list has it; -1: it has not; -2: there is no list. */
static int reason_in(struct place *place, const char *stem, const struct store_cert *cert)
{
    AUTO(crl) *crl = list_of(place, stem);
    int64_t at = 0;
    int reason = 0;

    if (!crl) {
        return -2;
    }
    return kw_ok(crl_find(crl, KW_SPAN(cert->serial, cert->serial_len), &reason, &at)) ? reason
                                                                                       : -1;
}

static void wait_reason(struct place *place, const char *stem, const struct store_cert *cert,
                        int want)
{
    for (unsigned i = 0; i < TRIES && reason_in(place, stem, cert) != want; i++) {
        (void)usleep(TRY_US);
    }
    assert_int_equal(reason_in(place, stem, cert), want);
}

static uint64_t number_of(struct place *place, const char *stem)
{
    AUTO(crl) *crl = list_of(place, stem);
    uint64_t number = 0;

    assert_non_null(crl);
    assert_true(crl_number(crl, &number));
    return number;
}

/* A certificate without end is on the whole list and on its own, and on none of the shards. */
static void without_end(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid;
    char url[SHARD_URL_MAX];
    TEST_OP(op);

    place->service->config.crl_shards = 3;
    assert_ok(&op, service_start(&op, place->service));
    unit_both(place, "D1", &unit, &idevid, &ldevid);
    assert_int_equal(idevid.shard, SHARD_LIFE);
    assert_in_range(ldevid.shard, 1, 3);
    char shard[SHARD_NAME_MAX], other[SHARD_NAME_MAX];
    shard_name("devices", ldevid.shard, shard);
    shard_name("devices", 1 + ldevid.shard % 3, other);
    change(place, &idevid, CERT_STATE_REVOKED, REVOKE_KEY_COMPROMISE);
    change(place, &ldevid, CERT_STATE_REVOKED, REVOKE_SUPERSEDED);
    wait_reason(place, "devices.life", &idevid, REVOKE_KEY_COMPROMISE);
    wait_reason(place, shard, &ldevid, REVOKE_SUPERSEDED);
    wait_reason(place, "devices", &idevid, REVOKE_KEY_COMPROMISE);
    wait_reason(place, "devices", &ldevid, REVOKE_SUPERSEDED);
    wait_reason(place, other, &ldevid, -1);
    assert_int_equal(reason_in(place, "devices.life", &ldevid), -1);
    assert_int_equal(reason_in(place, other, &idevid), -1);
    assert_int_equal(reason_in(place, shard, &idevid), -1);
    AUTO(crl) *part = list_of(place, shard);
    shard_url(place->service, "devices", ldevid.shard, url);
    assert_string_equal(crl_scope_of(part)->url, url);
    AUTO(crl) *whole = list_of(place, "devices");
    assert_null(crl_scope_of(whole));
    assert_null(crl_delta_url(whole));
    assert_int_equal(reason_in(place, "devices.delta", &ldevid), -2); /* a short list has none */
    unit_done(&unit);
}

/* Fewer parts in the configuration later: what was issued stays on the list that it names. */
static void parts_outlive_the_configuration(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid;
    char shard[SHARD_NAME_MAX];
    TEST_OP(op);

    place->service->config.crl_shards = 5;
    unit_both(place, "D1", &unit, &idevid, &ldevid);
    shard_name("devices", ldevid.shard, shard);
    place_close(place);
    assert_ok(&op, place_open(&op, place));
    assert_int_equal(place->service->config.crl_shards, 0);
    assert_ok(&op, service_start(&op, place->service));
    change(place, &ldevid, CERT_STATE_REVOKED, REVOKE_KEY_COMPROMISE);
    wait_reason(place, shard, &ldevid, REVOKE_KEY_COMPROMISE);
    unit_done(&unit);
}

static void names(void **state)
{
    static const char *const none[] = {"devices.s0",    "devices.s01",   "devices.s1025",
                                       "devices.s9999", "devices.s2x",   "devices.",
                                       "devices.x",     "nobody.life",   ".life",
                                       "devices.S1",    "devices.life.", "devices.delta.delta"};
    struct place *place = *state;
    struct kw_bytes *der = NULL;
    TEST_OP(op);

    assert_ok(&op, service_start(&op, place->service));
    for (unsigned i = 0; i < KW_COUNT(none); i++) {
        assert_code(&op, crl_get(&op, place->service, none[i], &der), KW_E_NOT_FOUND);
    }
    assert_code(&op, crl_get(&op, place->service, "devices.s7", &der), KW_E_NOT_FOUND);
}

/* On hold, released, on hold again, revoked: in the delta as in the whole list. */
static void hold_and_release(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert, other;
    TEST_OP(op);

    place->service->config.crl_delta_from = 0;
    assert_ok(&op, service_start(&op, place->service));
    unit_both(place, "D1", &unit, &other, &cert);
    change(place, &cert, CERT_STATE_HELD, REVOKE_CERTIFICATE_HOLD);
    wait_reason(place, "devices", &cert, REVOKE_CERTIFICATE_HOLD);
    wait_reason(place, "devices.delta", &cert, REVOKE_CERTIFICATE_HOLD);
    change(place, &cert, CERT_STATE_VALID, REVOKE_UNSPECIFIED);
    wait_reason(place, "devices", &cert, -1);
    wait_reason(place, "devices.delta", &cert, 8); /* removeFromCRL */
    change(place, &other, CERT_STATE_REVOKED, REVOKE_SUPERSEDED);
    wait_reason(place, "devices.delta", &other, REVOKE_SUPERSEDED);
    wait_reason(place, "devices", &other, REVOKE_SUPERSEDED);
    wait_reason(place, "devices", &cert, -1);
    AUTO(crl) *whole = list_of(place, "devices");
    AUTO(crl) *delta = list_of(place, "devices.delta");
    assert_non_null(crl_delta_url(whole));
    assert_true(crl_base_number(delta) > 0);
    assert_true(crl_base_number(delta) < number_of(place, "devices.delta"));
    assert_int_equal(crl_base_number(whole), 0);
    unit_done(&unit);
}

/* What was published before a restart is there at once, and numbers go on. */
static void restart(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert cert;
    TEST_OP(op);

    assert_ok(&op, service_start(&op, place->service));
    unit_register(place, "D1", &unit);
    assert_ok(&op, unit_enrol(&op, place, &unit, &cert));
    change(place, &cert, CERT_STATE_REVOKED, REVOKE_KEY_COMPROMISE);
    wait_reason(place, "devices.life", &cert, REVOKE_KEY_COMPROMISE);
    uint64_t whole = number_of(place, "devices"), life = number_of(place, "devices.life");
    place_close(place);
    assert_ok(&op, place_open(&op, place));
    assert_ok(&op, service_start(&op, place->service));
    assert_int_equal(reason_in(place, "devices.life", &cert), REVOKE_KEY_COMPROMISE);
    for (unsigned i = 0; i < TRIES && number_of(place, "devices") <= whole; i++) {
        (void)usleep(TRY_US);
    }
    assert_true(number_of(place, "devices") > whole);
    for (unsigned i = 0; i < TRIES && number_of(place, "devices.life") <= life; i++) {
        (void)usleep(TRY_US);
    }
    assert_true(number_of(place, "devices.life") > life);
    unit_done(&unit);
}

/* --- documents in the store ------------------------------------------------------------------- */

static struct crl_doc *doc_of(size_t len, uint64_t number)
{
    struct kw_bytes *der = NULL;
    struct crl_doc *doc = NULL;
    TEST_OP(op);

    assert_ok(&op, kw_bytes_new(len, &der));
    for (der->len = 0; der->len < len; der->len++) {
        der->p[der->len] = (uint8_t)(der->len * 7 + number);
    }
    assert_ok(&op, crl_doc_new(&op, &der, number, 3, 1000, 2000, &doc));
    return doc;
}

/* Made while the clock ran half a year ahead. */
static struct crl_doc *doc_to_come(struct crl_doc *doc)
{
    doc->this_update = os_clock_unix_s() + 180 * 86400;
    doc->next_update = doc->this_update + 86400;
    return doc;
}

/* What ended only by that clock is listed again, as it has not ended. */
static void a_clock_that_ran_ahead(void **state)
{
    struct place *place = *state;
    struct unit unit;
    struct store_cert idevid, ldevid;
    AUTO(crl_doc) *made = doc_to_come(doc_of(200000, 9));
    TEST_OP(op);

    assert_ok(&op, service_start(&op, place->service));
    unit_both(place, "D1", &unit, &idevid, &ldevid);
    assert_true(ldevid.not_after < made->this_update);
    change(place, &ldevid, CERT_STATE_REVOKED, REVOKE_KEY_COMPROMISE);
    wait_reason(place, "devices", &ldevid, REVOKE_KEY_COMPROMISE);
    place_close(place);
    assert_ok(&op, place_open(&op, place));
    assert_ok(&op, crl_doc_save(&op, place->service, "devices", made, NULL, NULL));
    assert_ok(&op, service_start(&op, place->service));
    for (unsigned i = 0, len = 200000; i < TRIES && len == 200000; i++) {
        AUTO(kw_bytes) *der = NULL;
        assert_ok(&op, crl_get(&op, place->service, "devices", &der));
        len = (unsigned)der->len;
        (void)usleep(TRY_US);
    }
    assert_int_equal(reason_in(place, "devices", &ldevid), REVOKE_KEY_COMPROMISE);
    unit_done(&unit);
}

/* A list of the future is believed by nobody: it is made anew without waiting for its half. */
static void a_list_to_come_is_due(void **state)
{
    AUTO(crl_doc) *doc = doc_of(10, 1);
    struct crl_lists *lists = NULL;
    struct crl_list_id id = {.ca = 0}, taken;
    const struct crl_pace pace = {.now_s = 1000, .now_ms = 5000, .life_s = 1000, .gather_ms = 100};
    TEST_OP(op);

    (void)state;
    assert_ok(&op, crl_lists_new(&op, &lists));
    crl_lists_add(lists, &id);
    assert_true(crl_lists_take_due(lists, &pace, &taken));
    crl_lists_settle(lists, &id, doc, 0);
    assert_false(crl_lists_take_due(lists, &pace, &taken));
    doc->this_update = 100000;
    doc->next_update = 101000;
    crl_lists_settle(lists, &id, doc, 0);
    assert_true(crl_lists_take_due(lists, &pace, &taken));
    crl_lists_free(lists);
}

static void long_documents_in_pieces(void **state)
{
    struct place *place = *state;
    AUTO(crl_doc) *first = doc_of(1 << 20, 1);
    AUTO(crl_doc) *second = doc_of((1 << 20) + 5, 2);
    AUTO(crl_doc) *got = NULL;
    AUTO(crl_doc) *again = NULL;
    TEST_OP(op);

    assert_string_equal(first->last_modified, "Thu, 01 Jan 1970 00:16:40 GMT");
    assert_ok(&op, crl_doc_save(&op, place->service, "x", first, NULL, NULL));
    assert_ok(&op, crl_doc_load(&op, place->service, "x", &got));
    assert_true(kw_span_equal(kw_bytes_span(got->der), kw_bytes_span(first->der)));
    assert_int_equal(got->number, 1);
    assert_int_equal(got->entries, 3);
    assert_int_equal(got->next_update, 2000);
    assert_string_equal(got->etag, first->etag);
    assert_ok(&op, crl_doc_save(&op, place->service, "x", second, NULL, NULL));
    assert_ok(&op, crl_doc_load(&op, place->service, "x", &again));
    assert_true(kw_span_equal(kw_bytes_span(again->der), kw_bytes_span(second->der)));
    assert_string_not_equal(again->etag, first->etag);
}

static kw_status put_piece(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    return store_blob_put(op, txn, ctx, 2, KW_SPAN("cut", 3));
}

static void a_cut_document_is_none(void **state)
{
    static char piece[] = "crl:x#1";
    struct place *place = *state;
    AUTO(crl_doc) *doc = doc_of(1 << 20, 1);
    struct crl_doc *got = NULL;
    TEST_OP(op);

    assert_ok(&op, crl_doc_save(&op, place->service, "x", doc, NULL, NULL));
    assert_ok(&op, store_change(&op, place->service->store, put_piece, piece));
    assert_code(&op, crl_doc_load(&op, place->service, "x", &got), KW_E_NOT_FOUND);
    assert_code(&op, crl_doc_load(&op, place->service, "y", &got), KW_E_NOT_FOUND);
}

/* --- keeping in the background ---------------------------------------------------------------- */

enum { LONG = (128 << 10) + 1 };

static uint64_t kept_number(struct place *place, const char *name)
{
    AUTO(crl_doc) *doc = NULL;
    TEST_OP(op);

    return kw_ok(crl_doc_load(&op, place->service, name, &doc)) ? doc->number : 0;
}

/* What was put before the start and what was put last before the end are both there afterwards; of
 * two of one name the newer. */
static void saver_keeps_the_newest_of_each(void **state)
{
    struct place *place = *state;
    AUTO(crl_doc) *old = doc_of(LONG, 1);
    AUTO(crl_doc) *newer = doc_of(LONG, 2);
    AUTO(crl_doc) *other = doc_of(LONG, 3);
    struct crl_saver *saver = NULL;
    TEST_OP(op);

    assert_ok(&op, crl_saver_new(&op, place->service, &saver));
    crl_saver_put(saver, "k1", old);
    crl_saver_put(saver, "k2", other);
    crl_saver_put(saver, "k1", newer);
    assert_int_equal(old->refs, 1); /* left out, not held */
    assert_int_equal(kept_number(place, "k1"), 0);
    assert_ok(&op, crl_saver_start(&op, saver));
    crl_saver_stop(saver);
    assert_int_equal(kept_number(place, "k1"), 2);
    assert_int_equal(kept_number(place, "k2"), 3);
    assert_int_equal(newer->refs, 1);
    crl_saver_free(saver);
}

/* One that was never started owes nothing. */
static void saver_forgets_what_it_never_kept(void **state)
{
    struct place *place = *state;
    AUTO(crl_doc) *doc = doc_of(100, 1);
    struct crl_saver *saver = NULL;
    TEST_OP(op);

    assert_ok(&op, crl_saver_new(&op, place->service, &saver));
    crl_saver_put(saver, "k3", doc);
    crl_saver_stop(saver);
    crl_saver_free(saver);
    assert_int_equal(doc->refs, 1);
    assert_int_equal(kept_number(place, "k3"), 0);
}

struct rests {
    unsigned n;
};

static void count_rest(void *ctx, int64_t piece_ms)
{
    struct rests *rests = ctx;

    assert_true(piece_ms >= 0);
    rests->n++;
}

/* Others have their turn between two pieces, and nobody waits after the last. */
static void a_rest_between_pieces(void **state)
{
    struct place *place = *state;
    AUTO(crl_doc) *three = doc_of(3 * (LONG - 1), 1);
    AUTO(crl_doc) *one = doc_of(100, 2);
    struct rests rests = {0};
    TEST_OP(op);

    assert_ok(&op, crl_doc_save(&op, place->service, "r", three, count_rest, &rests));
    assert_int_equal(rests.n, 2);
    assert_int_equal(kept_number(place, "r"), 1);
    assert_ok(&op, crl_doc_save(&op, place->service, "r", one, count_rest, &rests));
    assert_int_equal(rests.n, 2);
}

/* --- the journal ------------------------------------------------------------------------------ */

static void write_down(struct crl_journal *journal, const char *base, uint8_t serial, bool listed)
{
    struct crl_step step = {.serial = {serial}, .serial_len = 1, .listed = listed, .reason = 1};

    KW_TEXT_SET(step.base, base);
    crl_journal_add(journal, &step);
}

static void journal_tells_the_last_word(void **state)
{
    struct crl_journal *journal = NULL;
    struct crl_step *steps = NULL;
    size_t n = 0;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, crl_journal_new(&op, &journal));
    uint64_t start = crl_journal_mark(journal);
    write_down(journal, "devices", 9, true);
    write_down(journal, "services", 4, true);
    write_down(journal, "devices", 5, true);
    uint64_t middle = crl_journal_mark(journal);
    write_down(journal, "devices", 9, false);
    assert_ok(&op, crl_journal_since(&op, journal, start, "devices", &steps, &n));
    assert_int_equal(n, 2);
    assert_int_equal(steps[0].serial[0], 5);
    assert_true(steps[0].listed);
    assert_int_equal(steps[1].serial[0], 9);
    assert_false(steps[1].listed);
    free(steps);
    crl_journal_cut(journal, middle);
    assert_code(&op, crl_journal_since(&op, journal, start, "devices", &steps, &n), KW_E_NOT_FOUND);
    assert_ok(&op, crl_journal_since(&op, journal, middle, "services", &steps, &n));
    assert_int_equal(n, 0);
    free(steps);
    crl_journal_forget_all(journal);
    assert_code(&op, crl_journal_since(&op, journal, middle, "devices", &steps, &n),
                KW_E_NOT_FOUND);
    uint64_t now = crl_journal_mark(journal);
    assert_ok(&op, crl_journal_since(&op, journal, now, "devices", &steps, &n));
    assert_int_equal(n, 0);
    crl_journal_free(journal);
}

/* Copied in parts, none twice and none left out. */
static void journal_gives_many(void **state)
{
    enum { MANY = 5000, BEFORE = 3 };
    struct crl_journal *journal = NULL;
    struct crl_step *steps = NULL;
    size_t n = 0;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, crl_journal_new(&op, &journal));
    for (unsigned i = 0; i < BEFORE; i++) {
        write_down(journal, "devices", 255, true);
    }
    uint64_t start = crl_journal_mark(journal);
    for (unsigned i = 0; i < MANY; i++) {
        struct crl_step step = {
            .serial = {(uint8_t)(i >> 8), (uint8_t)i},
              .serial_len = 2
        };
        KW_TEXT_SET(step.base, i % 2 ? "devices" : "services");
        crl_journal_add(journal, &step);
    }
    assert_ok(&op, crl_journal_since(&op, journal, start, "devices", &steps, &n));
    assert_int_equal(n, MANY / 2);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(steps[i].serial[0] << 8 | steps[i].serial[1], 2 * i + 1);
    }
    free(steps);
    crl_journal_free(journal);
}

/* More than can be held: no delta is made of half of it. */
static void journal_overflows(void **state)
{
    struct crl_journal *journal = NULL;
    struct crl_step *steps = NULL;
    size_t n = 0;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, crl_journal_new(&op, &journal));
    uint64_t start = crl_journal_mark(journal);
    for (unsigned i = 0; i < 300000; i++) {
        write_down(journal, "devices", (uint8_t)i, true);
    }
    assert_code(&op, crl_journal_since(&op, journal, start, "devices", &steps, &n), KW_E_NOT_FOUND);
    crl_journal_free(journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_end),
        TEST(parts_outlive_the_configuration),
        TEST(names),
        TEST(hold_and_release),
        TEST(restart),
        TEST(a_clock_that_ran_ahead),
        cmocka_unit_test(a_list_to_come_is_due),
        TEST(long_documents_in_pieces),
        TEST(a_cut_document_is_none),
        TEST(saver_keeps_the_newest_of_each),
        TEST(saver_forgets_what_it_never_kept),
        TEST(a_rest_between_pieces),
        cmocka_unit_test(journal_tells_the_last_word),
        cmocka_unit_test(journal_gives_many),
        cmocka_unit_test(journal_overflows),
    };

    return cmocka_run_group_tests_name("crls", tests, NULL, NULL);
}
