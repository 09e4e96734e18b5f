/* Two-person control at the places that need a clock, a disk or a changed roster. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/keywright-keeper/keyring.h"
#include "crypto/digest.h"
#include "crypto/privkey.h"
#include "hostile/keeper/rig_people.h"
#include "keeper/subjects.h"
#include "os/clock.h"
#include "os/files.h"

static struct rig *rig;
static struct keyring *keyring;
static struct kw_op op;
static int64_t now;

static void open_vault(void)
{
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, /* create= */ false, &keyring));
}

static void close_vault(void)
{
    keyring_free(keyring);
    keyring = NULL;
}

static int setup(void **state)
{
    (void)state;
    rig = rig_new();
    rig_enrol(rig, NULL);
    now = os_clock_unix_s();
    open_vault();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_vault();
    rig_free(rig);
    return 0;
}

static struct approval_subject subject(void)
{
    return subject_key_destroy(KEY_CLASS_TLS_SERVER, "tls", "why");
}

static kw_status sign(uint64_t id, enum approval_verdict verdict, enum rig_person person,
                      int64_t at)
{
    uint8_t text_octets[APPROVAL_TEXT_MAX], octets[APPROVAL_SIGNED_MAX], sig_octets[KW_SIG_MAX];
    struct kw_out text = KW_OUT_ARRAY(text_octets), message = KW_OUT_ARRAY(octets),
                  sig = KW_OUT_ARRAY(sig_octets);
    struct approval_record *record = approvals_find(keyring->approvals, id, /* next= */ false);

    assert_non_null(record);
    assert_ok(approval_text(&record->what, &text));
    assert_ok(approval_signed_octets(verdict, kw_out_span(&text), &message));
    assert_ok(privkey_sign(&op, rig_person_key(person), kw_out_span(&message), &sig));
    return approvals_sign(&op, keyring, id, verdict, rig_names[person], kw_out_span(&sig), at,
                          &record);
}

static struct approval_record *record_of(uint64_t id)
{
    struct approval_record *record = approvals_find(keyring->approvals, id, /* next= */ false);

    if (!record) {
        fail();
        abort(); /* never reached: for the compiler */
    }
    return record;
}

static uint64_t approved(void)
{
    struct approval_subject what = subject();
    struct approval_record *record = NULL;

    assert_ok(approvals_open(&op, keyring, &what, "alice", now, &record));
    uint64_t id = record->what.id;
    assert_ok(sign(id, APPROVAL_REQUEST, RIG_ALICE, now));
    assert_ok(sign(id, APPROVAL_APPROVE, RIG_BOB, now));
    assert_ok(sign(id, APPROVAL_APPROVE, RIG_CAROL, now));
    return id;
}

static kw_status consume(uint64_t id, int64_t at)
{
    struct approval_subject what = subject();

    kw_op_clear(&op);
    return approvals_consume(&op, keyring, &what, id, /* ceremony= */ false, at);
}

static void used_until_the_deadline(void **state)
{
    (void)state;
    uint64_t in_time = approved(), late = approved();
    int64_t deadline = record_of(late)->what.deadline;

    assert_int_equal(deadline, now + 3600);
    assert_ok(consume(in_time, deadline));
    assert_code(consume(late, deadline + 1), KW_E_EXPIRED);
    /* and a clock that goes back does not bring it to life */
    assert_code(consume(late, deadline), KW_E_EXPIRED);
}

static void signed_until_the_deadline(void **state)
{
    struct approval_subject what = subject();
    struct approval_record *record = NULL;

    (void)state;
    assert_ok(approvals_open(&op, keyring, &what, "alice", now, &record));
    uint64_t id = record->what.id;
    assert_ok(sign(id, APPROVAL_REQUEST, RIG_ALICE, now + APPROVALS_UNSIGNED_S));
    assert_ok(sign(id, APPROVAL_APPROVE, RIG_BOB, now + 3600));
    assert_code(sign(id, APPROVAL_APPROVE, RIG_CAROL, now + 3601), KW_E_EXPIRED);
}

static void unsigned_requests_end(void **state)
{
    struct approval_subject what = subject();
    struct approval_record *record = NULL;

    (void)state;
    assert_ok(approvals_open(&op, keyring, &what, "alice", now, &record));
    assert_code(sign(record->what.id, APPROVAL_REQUEST, RIG_ALICE, now + APPROVALS_UNSIGNED_S + 1),
                KW_E_STATE);
}

static void a_clock_put_back_gives_no_time(void **state)
{
    uint64_t id = approved();

    (void)state;
    keyring->state->clock_floor = now + 86400;
    assert_code(consume(id, now), KW_E_UNAVAILABLE);
    keyring->state->clock_floor = now;
    assert_ok(consume(id, now));
}

static struct approver *person(enum rig_person who)
{
    struct approver *at = &keyring->approvals->roster.at[who];

    assert_string_equal(at->name, rig_names[who]);
    return at;
}

/* What counts is who is on the roster when it is used. */
static void a_changed_roster_counts(void **state)
{
    uint64_t id = approved();
    struct roster roster = keyring->approvals->roster;

    (void)state;
    person(RIG_BOB)->roles = ROLE_AUDITOR;
    assert_code(consume(id, now), KW_E_APPROVAL);
    keyring->approvals->roster = roster;
    assert_true(KW_TEXT_SET(person(RIG_BOB)->name, "bert"));
    assert_code(consume(id, now), KW_E_APPROVAL);
    keyring->approvals->roster = roster;
    person(RIG_BOB)->spki[40] ^= 1;
    assert_code(consume(id, now), KW_E_APPROVAL);
    keyring->approvals->roster = roster;
    assert_true(KW_TEXT_SET(person(RIG_ALICE)->name, "alien"));
    assert_code(consume(id, now), KW_E_DENIED);
    keyring->approvals->roster = roster;
    memcpy(person(RIG_BOB)->spki, person(RIG_ALICE)->spki, person(RIG_ALICE)->spki_len);
    struct approval_record *record = record_of(id);
    memcpy(record->signers[1].key, record->signers[0].key, KW_HASH_BYTES);
    assert_code(consume(id, now), KW_E_APPROVAL); /* one key is one person */
}

static void path_of(char path[192], const char *name)
{
    (void)snprintf(path, 192, "%s/%s", rig->vault, name);
}

static void must_refuse(const char *text)
{
    char said[2048];

    kw_op_clear(&op);
    assert_code(keyring_open(&op, rig->vault, rig->unlock, false, &keyring), KW_E_INTEGRITY);
    if (!strstr(kw_op_message(&op, said, sizeof(said)), text)) {
        fail_msg("'%s' is not said in '%s'", text, said);
    }
}

static void an_older_file_is_refused(void **state)
{
    AUTO(kw_bytes) *before = NULL;
    AUTO(kw_bytes) *after = NULL;
    char path[192];

    (void)state;
    path_of(path, "approvals");
    uint64_t id = approved();
    assert_ok(os_file_read(&op, path, 1 << 20, &before));
    assert_ok(consume(id, now));
    assert_ok(os_file_read(&op, path, 1 << 20, &after));
    close_vault();
    assert_ok(os_file_write(&op, path, 0600, kw_bytes_span(before)));
    must_refuse("is older than its state");
    for (size_t i = 0; i < after->len; i += 7) {
        after->p[i] ^= 0x10;
        assert_ok(os_file_write(&op, path, 0600, kw_bytes_span(after)));
        must_refuse("was altered");
        after->p[i] ^= 0x10;
    }
    assert_ok(os_file_write(&op, path, 0600, KW_SPAN(after->p, after->len - 1)));
    must_refuse("was altered");
    assert_int_equal(unlink(path), 0);
    must_refuse("is missing");
    assert_ok(os_file_write(&op, path, 0600, kw_bytes_span(after)));
    open_vault();
    assert_code(consume(id, now), KW_E_DENIED);
}

/* A disk that takes nothing: the operation is not done, and the approval not lost. */
static void nothing_is_used_without_being_written(void **state)
{
    uint64_t id = approved();
    char path[192], inside[208];

    (void)state;
    path_of(path, "approvals");
    (void)snprintf(inside, sizeof(inside), "%s/in-the-way", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_false(kw_ok(consume(id, now)));
    assert_int_equal(record_of(id)->state, APPROVAL_OPEN);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(rmdir(path), 0);
    assert_ok(consume(id, now));
    assert_code(consume(id, now), KW_E_DENIED);
}

static void keep_alone(struct roster *roster)
{
    memset(&roster->at[1], 0, sizeof(roster->at) - sizeof(roster->at[0]));
    roster->n = 1;
    for (unsigned i = 0; i < roster->n_rules; i++) {
        roster->rules[i].needed = 1;
    }
}

/* One person alone may enrol a second, and nothing else. */
static void one_person_can_only_add(void **state)
{
    struct roster usual, more, weaker;
    struct approval_subject change;
    struct approval_record *record = NULL;

    (void)state;
    rig_roster(&usual);
    struct roster alone = usual;
    keep_alone(&alone);
    keyring->approvals->roster = alone;
    more = alone;
    more.at[more.n++] = usual.at[1];
    weaker = more;
    weaker.rules[0].deadline_s = 7200;
    assert_code(approvals_set_roster(&op, keyring, &weaker, 1, false, now), KW_E_DENIED);
    kw_op_clear(&op);
    assert_code(approvals_set_roster(&op, keyring, &more, 0, false, now), KW_E_APPROVAL);
    kw_op_clear(&op);
    assert_ok(roster_change(&alone, &more, digest_sha256, &change));
    assert_ok(approvals_open(&op, keyring, &change, "alice", now, &record));
    uint64_t id = record->what.id;
    assert_code(approvals_set_roster(&op, keyring, &more, id, false, now), KW_E_APPROVAL);
    kw_op_clear(&op);
    assert_ok(sign(id, APPROVAL_REQUEST, RIG_ALICE, now));
    assert_ok(approvals_set_roster(&op, keyring, &more, id, false, now));
    (void)person(RIG_BOB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(used_until_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(signed_until_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(unsigned_requests_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_put_back_gives_no_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_roster_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(an_older_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_used_without_being_written, setup, teardown),
        cmocka_unit_test_setup_teardown(one_person_can_only_add, setup, teardown),
    };

    return cmocka_run_group_tests_name("keeper_approvals", tests, NULL, NULL);
}
