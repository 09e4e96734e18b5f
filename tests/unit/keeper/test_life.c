/* A key's life: time, counts, rotation and destruction, and what a crash may and may not change. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/keeper/matrix.h"
#include "hostile/keeper/rig.h"
#include "model/statement.h"
#include "os/clock.h"
#include "os/files.h"

static struct rig *rig; /* its vault has six keys; no keeper runs */
static struct keyring *keyring;
static int64_t now;

static struct key_cause by_test(int64_t at)
{
    return (struct key_cause){at, "0123", "for the test"};
}

static void reopen(void)
{
    struct kw_op op;

    keyring_free(keyring);
    keyring = NULL;
    kw_op_init(&op, "test", 0);
    kw_status status = keyring_open(&op, rig->vault, rig->unlock, /* create= */ false, &keyring);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
}

static int setup(void **state)
{
    (void)state;
    rig = rig_new();
    now = os_clock_unix_s();
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    keyring_free(keyring);
    keyring = NULL;
    rig_free(rig);
    return 0;
}

static struct key_policy tls_policy(const char *id)
{
    static struct key_policy policy;

    rig_policy(RIG_TLS, rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, id));
    return policy;
}

static struct keeper_key *make(const struct key_policy *policy)
{
    struct key_cause cause = by_test(now);
    struct keeper_key *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(keyring_create(&op, keyring, policy, &cause, &key));
    return key;
}

static enum kw_code use(const char *id, enum keeper_purpose purpose, int64_t at)
{
    struct keeper_key *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    kw_status status = keyring_use(&op, keyring, id, purpose, at, &key);
    if (kw_ok(status)) {
        status = keyring_count(&op, keyring, key, os_clock_mono_ms());
    }
    return status.code;
}

static enum key_state state_of(const char *id)
{
    return state_find(keyring->state, id)->state;
}

static void tick(int64_t at)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(keyring_tick(&op, keyring, at));
}

static void the_matrix(void **state)
{
    unsigned n = 0;

    (void)state;
    matrix_run(keyring, &n);
    assert_true(n > 9000);
    print_message("%u cases\n", n);
}

/* --- time ------------------------------------------------------------------------------------- */

static void a_period_begins_and_ends_by_itself(void **state)
{
    struct key_policy policy = tls_policy("timed");

    (void)state;
    policy.not_before = now + 1000;
    policy.not_after = now + 2000;
    policy.activate = POLICY_ACTIVATE_AT_NOT_BEFORE;
    (void)make(&policy);
    tick(now + 999);
    assert_int_equal(state_of("timed"), KEY_PRE_ACTIVE);
    assert_int_equal(use("timed", KEEPER_SIGN_TLS, now + 999), KW_E_STATE);
    tick(now + 1000);
    assert_int_equal(state_of("timed"), KEY_ACTIVE);
    assert_int_equal(use("timed", KEEPER_SIGN_TLS, now + 2000), KW_CODE_OK);
    tick(now + 2001);
    assert_int_equal(state_of("timed"), KEY_DEACTIVATED);
    reopen();
    assert_int_equal(state_of("timed"), KEY_DEACTIVATED);
    const struct keeper_key_phase *phase =
        &state_find(keyring->state, "timed")->phases[KEY_DEACTIVATED];
    assert_int_equal(phase->since_unix, now + 2001);
    assert_string_equal(phase->who, "clock");
    assert_string_equal(phase->reason, "the originator-usage period is over");
}

/* No tick ever comes, and still nothing is signed outside the period. */
static void a_use_alone_settles_the_state(void **state)
{
    struct key_policy policy = tls_policy("timed");

    (void)state;
    policy.not_before = now + 1000;
    policy.not_after = now + 2000;
    policy.activate = POLICY_ACTIVATE_AT_NOT_BEFORE;
    (void)make(&policy);
    assert_int_equal(use("timed", KEEPER_SIGN_TLS, now + 500), KW_E_STATE);
    assert_int_equal(use("timed", KEEPER_SIGN_TLS, now + 1500), KW_CODE_OK);
    assert_int_equal(use("timed", KEEPER_SIGN_TLS, now + 2001), KW_E_EXPIRED);
    assert_int_equal(state_of("timed"), KEY_DEACTIVATED);
}

static void by_hand_means_by_hand(void **state)
{
    struct key_policy policy = tls_policy("hand");
    struct key_cause cause = by_test(now);
    struct kw_op op;

    (void)state;
    policy.activate = POLICY_ACTIVATE_BY_HAND;
    struct keeper_key *key = make(&policy);
    tick(now + 1);
    assert_int_equal(state_of("hand"), KEY_PRE_ACTIVE);
    kw_op_init(&op, "test", 0);
    cause.now_unix = policy.not_after + 1;
    assert_code(keyring_step(&op, keyring, key, KEY_EVENT_ACTIVATE, &cause), KW_E_EXPIRED);
    cause.now_unix = now + 1;
    assert_ok(keyring_step(&op, keyring, key, KEY_EVENT_ACTIVATE, &cause));
    assert_int_equal(use("hand", KEEPER_SIGN_TLS, now + 1), KW_CODE_OK);
}

static void a_clock_that_goes_back_stops_all(void **state)
{
    struct kw_op op;

    (void)state;
    tick(now + 10000);
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_save(&op, keyring));
    reopen();
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 9700), KW_CODE_OK);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 9699), KW_E_UNAVAILABLE);
    struct key_policy policy = tls_policy("late");
    struct key_cause cause = by_test(now);
    struct keeper_key *key = NULL;
    assert_code(keyring_create(&op, keyring, &policy, &cause, &key), KW_E_UNAVAILABLE);
    keyring_trust_clock(keyring, now, 1000); /* a ceremony */
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now), KW_CODE_OK);
}

/* Far ahead is as wrong as behind, and what it would do to keys cannot be undone: so it waits. */
static void a_clock_that_jumps_ahead_ends_no_key(void **state)
{
    enum { DAY_S = 86400, YEAR_S = 366 * DAY_S, UP_S = 5000 };
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    memset(keyring->boot, 7, sizeof(keyring->boot));
    keyring_trust_clock(keyring, now, UP_S);
    keyring_watch_clock(keyring, now + 2 * YEAR_S, UP_S + 60);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 2 * YEAR_S), KW_E_UNAVAILABLE);
    assert_code(keyring_tick(&op, keyring, now + 2 * YEAR_S), KW_E_UNAVAILABLE);
    assert_int_equal(state_of("tls"), KEY_ACTIVE);
    assert_int_equal(keyring->state->clock_floor, now);
    /* many small jumps are a great one */
    for (int i = 1; i < 40; i++) {
        keyring_watch_clock(keyring, now + i * DAY_S / 2, UP_S + 60);
        (void)kw_ok(keyring_tick(&op, keyring, now + i * DAY_S / 2)); /* either way */
    }
    assert_true(keyring->state->clock_floor <= now + DAY_S + 60);
    /* a restart of the keeper forgets nothing */
    assert_ok(keyring_save(&op, keyring));
    reopen();
    memset(keyring->boot, 7, sizeof(keyring->boot));
    keyring_watch_clock(keyring, now + 2 * YEAR_S, UP_S + 120);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 2 * YEAR_S), KW_E_UNAVAILABLE);
    /* right again: nothing happened. Days that did pass are no jump. */
    keyring_watch_clock(keyring, now + DAY_S, UP_S + 120);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + DAY_S), KW_CODE_OK);
    keyring_watch_clock(keyring, now + 90 * DAY_S, UP_S + 90 * DAY_S);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 90 * DAY_S), KW_CODE_OK);
}

static void a_machine_that_was_off(void **state)
{
    enum { DAY_S = 86400, UP_S = 5000 };
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    keyring_trust_clock(keyring, now, UP_S);
    memset(keyring->boot, 9, sizeof(keyring->boot)); /* started again meanwhile */
    keyring_watch_clock(keyring, now + 40 * DAY_S, 100);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 40 * DAY_S), KW_E_UNAVAILABLE);
    keyring_watch_clock(keyring, now + 20 * DAY_S, UP_S);
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 20 * DAY_S), KW_CODE_OK);
    keyring_watch_clock(keyring, now + 40 * DAY_S, UP_S + 1); /* from here on it is known */
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now + 40 * DAY_S), KW_E_UNAVAILABLE);
    /* somebody looked at another clock */
    assert_ok(keyring_confirm_clock(&op, keyring, now + 400 * DAY_S, UP_S + 2));
    assert_ok(keyring_tick(&op, keyring, now + 400 * DAY_S));
    assert_int_equal(state_of("tls"), KEY_DEACTIVATED);
    assert_int_equal(keyring->state->clock_floor, now + 400 * DAY_S);
}

/* --- counts ----------------------------------------------------------------------------------- */

/* However often the keeper is killed, the key is never used more than it may be. */
static void crashes_gain_no_use(void **state)
{
    struct key_policy policy = tls_policy("few");
    unsigned n_used = 0;

    (void)state;
    policy.usage_max = 5000; /* reserved by blocks of four */
    (void)make(&policy);
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(use("few", KEEPER_SIGN_TLS, now), KW_CODE_OK);
            n_used++;
        }
        reopen(); /* without a word */
        assert_true(state_find(keyring->state, "few")->signatures >= n_used);
    }
    struct key_record *record = state_find(keyring->state, "few");
    record->signatures = record->reserved = policy.usage_max - 3;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(use("few", KEEPER_SIGN_TLS, now), KW_CODE_OK);
    }
    assert_int_equal(use("few", KEEPER_SIGN_TLS, now), KW_E_STATE);
    assert_int_equal(state_of("few"), KEY_DEACTIVATED);
    reopen();
    assert_int_equal(use("few", KEEPER_SIGN_TLS, now), KW_E_STATE);
}

static void a_clean_end_gives_back(void **state)
{
    struct key_policy policy = tls_policy("few");
    struct kw_op op;

    (void)state;
    policy.usage_max = 100000;
    (void)make(&policy);
    assert_int_equal(use("few", KEEPER_SIGN_TLS, now), KW_CODE_OK);
    keyring_give_back(keyring);
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_save(&op, keyring));
    reopen();
    assert_int_equal(state_find(keyring->state, "few")->signatures, 1);
}

static void a_rate_is_kept(void **state)
{
    struct key_policy policy = tls_policy("slow");
    int64_t mono = 1000000;
    struct kw_op op;

    (void)state;
    policy.rate_per_minute = 6;
    struct keeper_key *key = make(&policy);
    kw_op_init(&op, "test", 0);
    assert_code(keyring_count(&op, keyring, key, mono), KW_E_LIMIT); /* empty at the start */
    assert_code(keyring_count(&op, keyring, key, mono + 9999), KW_E_LIMIT);
    assert_ok(keyring_count(&op, keyring, key, mono + 10000));
    assert_code(keyring_count(&op, keyring, key, mono + 10001), KW_E_LIMIT);
    mono += 10000000;
    for (unsigned i = 0; i < 6; i++) {
        assert_ok(keyring_count(&op, keyring, key, mono));
    }
    assert_code(keyring_count(&op, keyring, key, mono), KW_E_LIMIT);
}

/* --- rotation --------------------------------------------------------------------------------- */

static struct keeper_key *rotate(const char *id, int64_t at, enum kw_code code)
{
    struct key_cause cause = by_test(at);
    struct keeper_key *next = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_code(keyring_rotate(&op, keyring, keyring_find(keyring, id), &cause, &next), code);
    return next;
}

static void a_successor_is_made_under_the_same_policy(void **state)
{
    struct key_policy policy = tls_policy("line");

    (void)state;
    policy.overlap_s = 3600;
    policy.usage_max = 1000;
    (void)make(&policy);
    const struct keeper_key *next = rotate("line", now + 10, KW_CODE_OK);
    assert_string_equal(next->policy.key_id, "line.2");
    assert_int_equal(next->policy.not_before, now + 10);
    assert_int_equal(next->policy.not_after - next->policy.not_before,
                     policy.not_after - policy.not_before);
    assert_int_equal(next->policy.usage_max, 1000);
    assert_string_equal(state_find(keyring->state, "line")->successor, "line.2");
    assert_string_equal(next->record->predecessor, "line");
    assert_int_equal(use("line", KEEPER_SIGN_TLS, now + 3609), KW_CODE_OK);
    assert_int_equal(use("line.2", KEEPER_SIGN_TLS, now + 3609), KW_CODE_OK);
    assert_null(rotate("line", now + 20, KW_E_CONFLICT));
    assert_null(rotate("line.2", now + 20, KW_E_STATE)); /* one step at a time */
    assert_int_equal(use("line", KEEPER_SIGN_TLS, now + 3610), KW_E_STATE);
    reopen();
    assert_int_equal(state_of("line"), KEY_DEACTIVATED);
    assert_string_equal(rotate("line.2", now + 4000, KW_CODE_OK)->policy.key_id, "line.3");
}

/* A CA in its overlap's end signs no leaves, but lists until its leaves are gone. */
static void a_ca_that_was_replaced_signs_lists_only(void **state)
{
    struct key_policy policy;

    (void)state;
    rig_policy(RIG_CA, rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, "old-ca"));
    policy.processing_until = policy.not_after + RIG_DAY_S;
    policy.overlap_s = 100;
    struct keeper_key *old = make(&policy);
    old->record->crl_number = 41;
    const struct keeper_key *next = rotate("old-ca", now, KW_CODE_OK);
    assert_int_equal(next->record->crl_number, 41);
    assert_memory_not_equal(next->policy.ca_key_sha1, old->policy.ca_key_sha1, 20);
    assert_memory_equal(next->policy.ca_key_sha1, pubkey_sha1(keeper_key_pubkey(next)), 20);
    assert_int_equal(use("old-ca", KEEPER_SIGN_CERT, now + 99), KW_CODE_OK);
    assert_int_equal(use("old-ca", KEEPER_SIGN_CERT, now + 100), KW_E_STATE);
    assert_int_equal(use("old-ca", KEEPER_SIGN_CRL, now + 100), KW_CODE_OK);
    assert_int_equal(use("old-ca", KEEPER_SIGN_CRL, policy.processing_until), KW_CODE_OK);
    assert_int_equal(use("old-ca", KEEPER_SIGN_CRL, policy.processing_until + 1), KW_E_EXPIRED);
}

/* --- destruction ------------------------------------------------------------------------------ */

static void destroy(const char *id, struct key_proof *proof)
{
    struct key_cause cause = by_test(now);
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    kw_status status = keyring_destroy(&op, keyring, id, &cause, proof);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
}

static struct kw_bytes *read_key_file(const char *id, char path[256])
{
    struct kw_bytes *octets = NULL;

    (void)snprintf(path, 256, "%s/keys/%s.key", rig->vault, id);
    assert_ok(os_file_read(NULL, path, 1 << 20, &octets));
    return octets;
}

static void a_destroyed_key_is_gone_for_ever(void **state)
{
    char path[256];
    AUTO(kw_bytes) *copy = read_key_file("tls", path);
    struct key_policy policy = tls_policy("tls");
    struct key_cause cause = by_test(now);
    struct keeper_key *key = NULL;
    struct key_proof proof;
    struct kw_op op;

    (void)state;
    uint32_t generation = keyring->vault.generation;
    destroy("tls", &proof);
    assert_false(os_file_exists(path));
    assert_int_equal(proof.kek_retired, generation);
    assert_int_equal(keyring->vault.generation, generation + 1);
    assert_non_null(strstr(proof.probe, "refused"));
    assert_int_equal(use("tls", KEEPER_SIGN_TLS, now), KW_E_STATE);
    kw_op_init(&op, "test", 0);
    assert_code(keyring_create(&op, keyring, &policy, &cause, &key), KW_E_CONFLICT);
    /* A copy of its file from before brings nothing back, and the others are as they were. */
    assert_ok(os_file_write(NULL, path, 0600, kw_bytes_span(copy)));
    reopen();
    assert_false(os_file_exists(path));
    assert_null(keyring_find(keyring, "tls"));
    assert_int_equal(use("ocsp", KEEPER_SIGN_OCSP, now), KW_CODE_OK);
    assert_int_equal(keyring->n, RIG_KEYS - 1);
}

/* The plug is pulled after the state and before the octets. */
static void a_destruction_that_was_cut_short_is_finished(void **state)
{
    char path[256];
    AUTO(kw_bytes) *copy = read_key_file("tls", path);
    struct key_cause cause = by_test(now);
    struct key_proof proof;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_step(&op, keyring, keyring_find(keyring, "tls"), KEY_EVENT_DESTROY, &cause));
    assert_true(os_file_exists(path));
    reopen();
    assert_false(os_file_exists(path));
    destroy("tls", &proof); /* again: for the proof */
    assert_non_null(strstr(proof.proof, "retired"));
}

/* --- the journal ------------------------------------------------------------------------------ */

static void note(const char *id, enum keeper_purpose purpose, const char *message)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(keyring_note(&op, keyring, keyring_find(keyring, id), purpose, kw_span_text(message),
                           "4f1c"));
}

static unsigned read_rows(uint64_t from, struct keeper_journal_row rows[64])
{
    static uint8_t octets[64 * KEEPER_JOURNAL_ROW_MAX];
    struct kw_out out = KW_OUT_ARRAY(octets);
    struct kw_writer w = kw_writer_of(&out);
    struct kw_op op;
    unsigned n = 0;

    kw_op_init(&op, "test", 0);
    assert_ok(journal_read(&op, keyring->journal, from, 64, &w, &n));
    struct kw_reader r = kw_reader_of(kw_out_span(&out));
    for (unsigned i = 0; i < n; i++) {
        rows[i] = (struct keeper_journal_row){0};
        keeper_journal_row_decode(&r, &rows[i]);
    }
    assert_ok(kw_reader_end(&r));
    return n;
}

static void each_use_is_written_down(void **state)
{
    struct keeper_journal_row rows[64];
    struct kw_op op;

    (void)state;
    uint64_t before = keyring->state->journal_seq;
    note("ca", KEEPER_SIGN_CERT, "certificate");
    note("tls", KEEPER_SIGN_TLS, "one");
    note("tls", KEEPER_SIGN_TLS, "two");
    note("ca", KEEPER_SIGN_CRL, "list");
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_flush(&op, keyring, now, /* all= */ true));
    reopen(); /* what was written outlives the process without being saved */
    unsigned n = read_rows(before + 1, rows);
    assert_true(n == 3 || n == 4); /* the minute may have changed between the two */
    assert_int_equal(rows[0].kind, KEEPER_JOURNAL_USE);
    assert_int_equal(rows[0].what, KEEPER_SIGN_CERT);
    assert_string_equal(rows[0].key_id, "ca");
    assert_string_equal(rows[0].who, "4f1c");
    assert_int_equal(rows[n - 1].kind, KEEPER_JOURNAL_USES);
    assert_string_equal(rows[n - 1].key_id, "tls");
    if (n == 3) {
        assert_int_equal(rows[2].count, 2);
    }
}

static void rows_are_found_by_number(void **state)
{
    struct keeper_journal_row rows[64];

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        note("ca", KEEPER_SIGN_CERT, "x");
    }
    uint64_t last = keyring->state->journal_seq;
    reopen();
    assert_int_equal(keyring->state->journal_seq, last);
    for (uint64_t from = 1; from <= last; from += 37) {
        unsigned n = read_rows(from, rows);
        assert_int_equal(n, last - from + 1 < 64 ? last - from + 1 : 64);
        assert_int_equal(rows[0].seq, from);
        assert_int_equal(rows[n - 1].seq, from + n - 1);
    }
    assert_int_equal(read_rows(last + 1, rows), 0);
}

/* As who follows it reads it; meanwhile it grows, and somebody else begins at the start again. */
static void rows_are_read_page_by_page(void **state)
{
    struct keeper_journal_row rows[64];
    uint64_t from = 1;

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        note("ca", KEEPER_SIGN_CERT, "x");
    }
    for (unsigned n = 0; (n = read_rows(from, rows)) > 0; from += n) {
        assert_int_equal(rows[0].seq, from);
        assert_int_equal(rows[n - 1].seq, from + n - 1);
    }
    assert_int_equal(from, keyring->state->journal_seq + 1);
    note("ca", KEEPER_SIGN_CERT, "y");
    assert_int_equal(read_rows(from, rows), 1);
    assert_int_equal(rows[0].seq, from);
    assert_int_equal(read_rows(1, rows), 64);
    assert_int_equal(rows[0].seq, 1);
}

static void journal_path(char path[256])
{
    (void)snprintf(path, 256, "%s/journal", rig->vault);
}

static enum kw_code try_open(void)
{
    struct keyring *other = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    kw_status status = keyring_open(&op, rig->vault, rig->unlock, false, &other);
    keyring_free(other);
    return status.code;
}

/* While it is open: by the page in which it lies, and by every page after that. */
static void a_row_altered_meanwhile_is_noticed(void **state)
{
    uint8_t octets[64 * KEEPER_JOURNAL_ROW_MAX];
    struct keeper_journal_row rows[64];
    AUTO(kw_bytes) *whole = NULL;
    char path[256];
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        note("ca", KEEPER_SIGN_CERT, "x");
    }
    uint64_t last = keyring->state->journal_seq;
    assert_int_equal(read_rows(last - 99, rows), 64);
    journal_path(path);
    assert_ok(os_file_read(NULL, path, 1 << 24, &whole));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    uint8_t other = whole->p[whole->len - 1] ^ 0x01; /* of the last row's mac */
    assert_int_equal(pwrite(fd, &other, 1, (off_t)whole->len - 1), 1);
    assert_int_equal(close(fd), 0);
    for (unsigned round = 0; round < 2; round++) {
        struct kw_out out = KW_OUT_ARRAY(octets);
        struct kw_writer w = kw_writer_of(&out);
        kw_status status = journal_read(NULL, keyring->journal, last - 35, 64, &w, &n);
        assert_int_equal(status.code, KW_E_INTEGRITY);
    }
}

static void an_altered_journal_is_noticed(void **state)
{
    AUTO(kw_bytes) *whole = NULL;
    char path[256];
    struct kw_op op;

    (void)state;
    note("ca", KEEPER_SIGN_CERT, "certificate");
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_save(&op, keyring));
    keyring_free(TAKE(keyring));
    journal_path(path);
    assert_ok(os_file_read(NULL, path, 1 << 24, &whole));
    for (size_t at = 0; at < whole->len; at += whole->len / 12 + 1) {
        whole->p[at] ^= 0x01;
        assert_ok(os_file_write(NULL, path, 0600, kw_bytes_span(whole)));
        assert_int_equal(try_open(), KW_E_INTEGRITY);
        whole->p[at] ^= 0x01;
    }
    /* A shorter one, though of whole rows, and none at all. */
    assert_ok(os_file_write(NULL, path, 0600, KW_SPAN(whole->p, 8)));
    assert_int_equal(try_open(), KW_E_INTEGRITY);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(try_open(), KW_E_INTEGRITY);
    assert_ok(os_file_write(NULL, path, 0600, kw_bytes_span(whole)));
    assert_int_equal(try_open(), KW_CODE_OK);
}

/* Torn by a power cut: only what nobody relied on goes, and that it went is a row itself. */
static void a_torn_row_is_cut_off(void **state)
{
    struct keeper_journal_row rows[64];
    AUTO(kw_bytes) *whole = NULL;
    char path[256];
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_save(&op, keyring));
    uint64_t last = keyring->state->journal_seq;
    note("ca", KEEPER_SIGN_CERT, "certificate");
    keyring_free(TAKE(keyring));
    journal_path(path);
    assert_ok(os_file_read(NULL, path, 1 << 24, &whole));
    assert_ok(os_file_write(NULL, path, 0600, KW_SPAN(whole->p, whole->len - 5)));
    reopen();
    assert_int_equal(read_rows(last + 1, rows), 1);
    assert_int_equal(rows[0].kind, KEEPER_JOURNAL_CUT);
    assert_true(rows[0].count > 0);
    reopen();
    assert_int_equal(keyring->state->journal_seq, last + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_matrix),
        TEST(a_period_begins_and_ends_by_itself),
        TEST(a_use_alone_settles_the_state),
        TEST(by_hand_means_by_hand),
        TEST(a_clock_that_goes_back_stops_all),
        TEST(a_clock_that_jumps_ahead_ends_no_key),
        TEST(a_machine_that_was_off),
        TEST(crashes_gain_no_use),
        TEST(a_clean_end_gives_back),
        TEST(a_rate_is_kept),
        TEST(a_successor_is_made_under_the_same_policy),
        TEST(a_ca_that_was_replaced_signs_lists_only),
        TEST(a_destroyed_key_is_gone_for_ever),
        TEST(a_destruction_that_was_cut_short_is_finished),
        TEST(each_use_is_written_down),
        TEST(rows_are_found_by_number),
        TEST(rows_are_read_page_by_page),
        TEST(a_row_altered_meanwhile_is_noticed),
        TEST(an_altered_journal_is_noticed),
        TEST(a_torn_row_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
