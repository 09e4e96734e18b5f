/* A gate that wants a false fact, an image nobody approved, or metadata of another time signed. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "hostile/keeper/rig_purposes.h"
#include "keeper/memfd.h"
#include "os/clock.h"

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static void state_it(const char *key_id, const char *text, enum kw_code code, const char *reason)
{
    attack_begin();
    struct keeper_reply reply =
        purpose_ask(KEEPER_ROW_SIGN_STATEMENT, key_id, kw_span_text(text), (struct kw_span){0});
    attack_check(row(KEEPER_ROW_SIGN_STATEMENT), &reply, code, reason);
}

static void verify(const struct keeper_reply *reply, enum purpose_key key, struct kw_span message)
{
    struct keeper_answer answer = purpose_good(KEEPER_ROW_SIGN_STATEMENT, reply);

    assert_ok(pubkey_verify(NULL, purpose_public[key], message, answer.octets));
}

static void right_statements(void **state)
{
    int64_t now = os_clock_unix_s();
    struct kw_span record = kw_span_text(purpose_record(now - 5 * RIG_DAY_S));
    struct kw_span evidence = kw_span_text(purpose_evidence(now - 1000, now));

    (void)state;
    struct keeper_reply reply =
        purpose_ask(KEEPER_ROW_SIGN_STATEMENT, "station", record, (struct kw_span){0});
    verify(&reply, PURPOSE_STATION, record);
    reply = purpose_ask(KEEPER_ROW_SIGN_STATEMENT, "evidence", evidence, (struct kw_span){0});
    verify(&reply, PURPOSE_EVIDENCE, evidence);
}

static void no_statement_of_another_kind(void **state)
{
    static const char destruction[] =
        "destruction v1\nkey: ca\nclass: issuing-ca\nspki-sha256: none\ncustody: sealed\n"
        "method: m\nproof: p\nprobe: q\nkek-version: 1\napprovals: a\ntime: 2026-11-21T00:00:00Z\n";
    int64_t now = os_clock_unix_s();

    (void)state;
    state_it("station", purpose_evidence(now - 100, now), KW_E_DENIED, "statement-kind:");
    state_it("evidence", purpose_record(now), KW_E_DENIED, "statement-kind:");
    state_it("station", purpose_release("2.0.0", "1", RIG_HASH), KW_E_DENIED, "statement-kind:");
    state_it("evidence", destruction, KW_E_DENIED, "statement-kind:"); /* the keeper's own word */
    state_it("station", destruction, KW_E_DENIED, "statement-kind:");
    state_it("evidence", "", KW_E_INPUT, "statement: the first line");
    state_it("evidence", "evidence-manifest v2\n", KW_E_INPUT, "statement: the first line");
}

static void no_implausible_time(void **state)
{
    int64_t now = os_clock_unix_s();

    (void)state;
    state_it("station", purpose_record(now + 400), KW_E_DENIED, "statement-date:");
    state_it("station", purpose_record(now - 32 * RIG_DAY_S), KW_E_DENIED, "statement-date:");
    state_it("station", purpose_record(KW_TIME_NEVER), KW_E_DENIED, "statement-date:");
    state_it("station", purpose_record(0), KW_E_DENIED, "statement-date:");
    state_it("evidence", purpose_evidence(now, now - 1), KW_E_DENIED, "statement-period:");
    state_it("evidence", purpose_evidence(now, now + 400), KW_E_DENIED, "statement-period:");
}

/* Devices judge certificates by it. */
static void time_is_now_and_by_its_own_key(void **state)
{
    char text[256];
    char when[KW_TIME_TEXT];
    int64_t now = os_clock_unix_s();

    (void)state;
    (void)snprintf(text, sizeof(text), "device-time v1\nnonce: " RIG_HASH "\ntime: %s\n",
                   kw_time_text(now, when));
    struct keeper_reply reply =
        purpose_ask(KEEPER_ROW_SIGN_STATEMENT, "ocsp", kw_span_text(text), (struct kw_span){0});
    struct keeper_answer answer = purpose_good(KEEPER_ROW_SIGN_STATEMENT, &reply);
    assert_ok(pubkey_verify(NULL, attack_rig->key[RIG_OCSP], kw_span_text(text), answer.octets));
    state_it("evidence", text, KW_E_DENIED, "");
    state_it("station", text, KW_E_DENIED, "");
    state_it("ocsp", purpose_evidence(now - 100, now), KW_E_DENIED, "");
    state_it("ocsp", "device-time v1\nnonce: 00\n", KW_E_INPUT, "statement: nonce");
    (void)snprintf(text, sizeof(text), "device-time v1\nnonce: " RIG_HASH "\ntime: %s\n",
                   kw_time_text(now + 3600, when));
    state_it("ocsp", text, KW_E_DENIED, "statement-time:");
}

static void no_other_log(void **state)
{
    char text[2048];
    int64_t now = os_clock_unix_s();

    (void)state;
    (void)snprintf(text, sizeof(text), "%s", purpose_evidence(now - 100, now));
    char *origin = strstr(text, "log.example");
    assert_non_null(origin);
    origin[0] = 'L';
    state_it("evidence", text, KW_E_DENIED, "statement-origin:");
}

/* --- revocation filters (docs/protocol/filter.md) --- */
struct filter_words {
    const uint8_t *issuer;
    const char *number;
    int64_t this_update, next_update, begin_until, end_from;
    const char *revoked;
};

static struct filter_words good_filter(const char *number)
{
    int64_t now = os_clock_unix_s();

    return (struct filter_words){pubkey_id(attack_rig->key[RIG_CA]),
                                 number,
                                 now,
                                 now + RIG_DAY_S,
                                 now - 660,
                                 now - RIG_DAY_S,
                                 "1"};
}

static const char *filter_text(const struct filter_words *words)
{
    static char text[2048];
    char issuer[2 * KW_HASH_BYTES + 1], at[4][KW_TIME_TEXT];

    (void)kw_hex(KW_SPAN(words->issuer, KW_HASH_BYTES), issuer, sizeof(issuer));
    (void)snprintf(text, sizeof(text),
                   "revocation-filter v1\nca: devices\nissuer-spki-sha256: %s\nnumber: %s\n"
                   "this-update: %s\nnext-update: %s\nbegin-until: %s\nend-from: %s\n"
                   "certificates: 5\nrevoked: %s\nbody-sha256: " RIG_HASH "\n",
                   issuer, words->number, kw_time_text(words->this_update, at[0]),
                   kw_time_text(words->next_update, at[1]), kw_time_text(words->begin_until, at[2]),
                   kw_time_text(words->end_from, at[3]), words->revoked);
    return text;
}

static void sign_filter(const char *number)
{
    struct filter_words words = good_filter(number);
    struct kw_span text = kw_span_text(filter_text(&words));
    struct keeper_reply reply =
        purpose_ask(KEEPER_ROW_SIGN_STATEMENT, "ca", text, (struct kw_span){0});
    struct keeper_answer answer = purpose_good(KEEPER_ROW_SIGN_STATEMENT, &reply);

    assert_ok(pubkey_verify(NULL, attack_rig->key[RIG_CA], text, answer.octets));
}

#define REFUSE_FILTER(check, ...)                                                                  \
    do {                                                                                           \
        struct filter_words words = good_filter("900");                                            \
        __VA_ARGS__;                                                                               \
        state_it("ca", filter_text(&words), KW_E_DENIED, check);                                   \
    } while (0)

static void no_filter_that_lies(void **state)
{
    int64_t now = os_clock_unix_s();

    (void)state;
    sign_filter("800");
    REFUSE_FILTER("filter-issuer:", words.issuer = pubkey_id(attack_rig->key[RIG_CA2]));
    REFUSE_FILTER("filter-this-update:", words.this_update = now - 400);
    REFUSE_FILTER("filter-this-update:", words.this_update = now + 400);
    REFUSE_FILTER("filter-next-update:", words.next_update = now);
    REFUSE_FILTER("filter-next-update:", words.next_update = now + 8 * RIG_DAY_S);
    REFUSE_FILTER("filter-coverage:", words.begin_until = now + 100);
    REFUSE_FILTER("filter-coverage:", words.end_from = now + 100);
    REFUSE_FILTER("filter-counts:", words.revoked = "6");
    struct filter_words words = good_filter("900");
    state_it("evidence", filter_text(&words), KW_E_DENIED, "");
    state_it("station", filter_text(&words), KW_E_DENIED, "");
    state_it("ocsp", filter_text(&words), KW_E_DENIED, "");
    state_it("ca", purpose_evidence(now - 100, now), KW_E_DENIED, ""); /* it states nothing else */
}

/* Durable, and of filters alone: the numbers of CRLs are another row. */
static void filter_numbers_only_rise(void **state)
{
    (void)state;
    sign_filter("810");
    for (unsigned i = 0; i < 2; i++) {
        REFUSE_FILTER("filter-number:", words.number = "810");
        REFUSE_FILTER("filter-number:", words.number = "0");
        (void)rig_end(attack_rig);
        rig_start(attack_rig, /* ceremony= */ false);
    }
    sign_filter("811");
}

/* --- firmware --- */
static void refuse_firmware(const char *text, uint64_t approval, enum kw_code code,
                            const char *reason)
{
    attack_begin();
    struct keeper_reply reply = purpose_firmware("firmware", text, approval);
    attack_check(row(KEEPER_ROW_SIGN_FIRMWARE), &reply, code, reason);
}

/* OpenSSL hashes the image itself, as a boot loader would. */
static void a_release_verifies_as_its_image(void **state)
{
    static const char image[] = "an image of firmware";
    char hash[2 * KW_HASH_BYTES + 1];
    uint8_t digest[KW_HASH_BYTES];
    char text[2048];

    (void)state;
    digest_sha256(kw_span_text(image), digest);
    (void)kw_hex(KW_SPAN_ARRAY(digest), hash, sizeof(hash));
    (void)snprintf(text, sizeof(text), "%s", purpose_release("2.0.1", "3", hash));
    struct keeper_reply reply = purpose_firmware("firmware", text, purpose_approve(text));
    struct keeper_answer answer = purpose_good(KEEPER_ROW_SIGN_FIRMWARE, &reply);
    assert_ok(
        pubkey_verify(NULL, purpose_public[PURPOSE_FIRMWARE], kw_span_text(image), answer.octets));
}

static void no_release_without_approval(void **state)
{
    char text[2048];
    char other[2048];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s", purpose_release("2.1.0", "3", RIG_HASH));
    (void)snprintf(other, sizeof(other), "%s", purpose_release("2.1.1", "3", RIG_HASH));
    refuse_firmware(text, 0, KW_E_APPROVAL, "");
    uint64_t id = purpose_approve(text);
    refuse_firmware(other, id, KW_E_DENIED, ""); /* another version */
    refuse_firmware(purpose_release("2.1.0", "4", RIG_HASH), id, KW_E_DENIED, "");
    refuse_firmware(text, id + 1000, KW_E_DENIED, ""); /* of nobody */
    struct keeper_reply reply = purpose_firmware("firmware", text, id);
    (void)purpose_good(KEEPER_ROW_SIGN_FIRMWARE, &reply);
    refuse_firmware(text, id, KW_E_DENIED, ""); /* used */
}

static void no_release_outside_the_policy(void **state)
{
    char text[2048];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s", purpose_release("2.2.0", "3", RIG_HASH));
    char *product = strstr(text, "product: lock");
    assert_non_null(product);
    memcpy(product, "product: door", 13);
    refuse_firmware(text, 0, KW_E_DENIED, "release-product:");
    refuse_firmware(purpose_release("3.0.0", "3", RIG_HASH), 0, KW_E_DENIED, "release-version:");
    refuse_firmware(purpose_release("2.0", "3", RIG_HASH), 0, KW_E_DENIED, "release-version:");
    refuse_firmware(purpose_release("2.0.0-rc1", "3", RIG_HASH), 0, KW_E_DENIED,
                    "release-version:");
    refuse_firmware(purpose_release("2.0.0", "-3", RIG_HASH), 0, KW_E_INPUT, "security-counter");
    refuse_firmware(purpose_release("2.0.0", "3", "x"), 0, KW_E_INPUT, "image-sha256");
    refuse_firmware(purpose_record(os_clock_unix_s()), 0, KW_E_DENIED, "statement-kind:");
}

/* Durable: a keeper that is started anew remembers. What nobody approved raises nothing. */
static void the_security_counter_never_falls(void **state)
{
    char text[2048];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s", purpose_release("2.3.0", "9", RIG_HASH));
    struct keeper_reply reply = purpose_firmware("firmware", text, purpose_approve(text));
    (void)purpose_good(KEEPER_ROW_SIGN_FIRMWARE, &reply);
    refuse_firmware(purpose_release("2.3.1", "99", RIG_HASH), 0, KW_E_APPROVAL, "");
    for (unsigned i = 0; i < 2; i++) {
        refuse_firmware(purpose_release("2.3.1", "8", RIG_HASH), 0, KW_E_DENIED,
                        "release-counter: the security counter was 9");
        (void)rig_end(attack_rig);
        rig_start(attack_rig, /* ceremony= */ false);
    }
    (void)snprintf(text, sizeof(text), "%s", purpose_release("2.3.2", "9", RIG_HASH));
    reply = purpose_firmware("firmware", text, purpose_approve(text));
    (void)purpose_good(KEEPER_ROW_SIGN_FIRMWARE, &reply);
}

/* --- TUF --- */
static void refuse_tuf(const char *key_id, const char *body, enum kw_code code, const char *reason)
{
    attack_begin();
    struct keeper_reply reply = purpose_tuf(key_id, kw_span_text(body));
    attack_check(row(KEEPER_ROW_SIGN_TUF), &reply, code, reason);
}

static void sign_tuf(enum purpose_key key, const char *body)
{
    struct keeper_reply reply = purpose_tuf(purpose_ids[key], kw_span_text(body));

    verify(&reply, key, kw_span_text(body));
}

static void versions_only_rise(void **state)
{
    int64_t at = os_clock_unix_s() + 3600;
    char body[2048];

    (void)state;
    (void)snprintf(body, sizeof(body), "%s", purpose_metadata("timestamp", "7", at));
    sign_tuf(PURPOSE_TIMESTAMP, body);
    sign_tuf(PURPOSE_TIMESTAMP, body); /* the same again, as after an answer that got lost */
    for (unsigned i = 0; i < 2; i++) {
        refuse_tuf("timestamp", purpose_metadata("timestamp", "6", at), KW_E_DENIED,
                   "tuf-version:");
        refuse_tuf("timestamp", purpose_metadata("timestamp", "7", at + 1), KW_E_DENIED,
                   "tuf-fork:");
        (void)rig_end(attack_rig);
        rig_start(attack_rig, /* ceremony= */ false);
    }
    sign_tuf(PURPOSE_TIMESTAMP, purpose_metadata("timestamp", "90", at));
}

static void roots_leave_none_out(void **state)
{
    int64_t at = os_clock_unix_s() + RIG_DAY_S;

    (void)state;
    sign_tuf(PURPOSE_ROOT, purpose_metadata("root", "1", at));
    refuse_tuf("root", purpose_metadata("root", "3", at), KW_E_DENIED, "tuf-gap:");
    sign_tuf(PURPOSE_ROOT, purpose_metadata("root", "2", at));
    sign_tuf(PURPOSE_ROOT, purpose_metadata("root", "3", at));
}

static void no_metadata_outside_the_policy(void **state)
{
    int64_t now = os_clock_unix_s();
    char body[2048];

    (void)state;
    refuse_tuf("timestamp", purpose_metadata("root", "100", now + 3600), KW_E_DENIED, "tuf-role:");
    refuse_tuf("timestamp", purpose_metadata("targets", "100", now + 3600), KW_E_DENIED,
               "tuf-role:");
    refuse_tuf("root", purpose_metadata("timestamp", "100", now + 3600), KW_E_DENIED, "tuf-role:");
    refuse_tuf("timestamp", purpose_metadata("timestamp", "100", now - 1), KW_E_DENIED,
               "tuf-expired:");
    refuse_tuf("timestamp", purpose_metadata("timestamp", "100", now + 8 * RIG_DAY_S), KW_E_DENIED,
               "tuf-expires:");
    refuse_tuf("timestamp", purpose_metadata("timestamp", "100", KW_TIME_NEVER), KW_E_DENIED,
               "tuf-expires:");
    refuse_tuf("timestamp", purpose_metadata("timestamp", "0", now + 3600), KW_E_INPUT, "tuf:");
    refuse_tuf("timestamp", purpose_metadata("timestamp", "1e9", now + 3600), KW_E_INPUT, "tuf:");
    refuse_tuf("timestamp", purpose_metadata("timestamp\",\"version\":\"9", "100", now + 3600),
               KW_E_INPUT, "tuf:");
    refuse_tuf("timestamp", "", KW_E_INPUT, "tuf:");
    (void)snprintf(body, sizeof(body), "%s", purpose_metadata("timestamp", "100", now + 3600));
    memcpy(strstr(body, "1.0.31"), "2.0.31", 6);
    refuse_tuf("timestamp", body, KW_E_DENIED, "tuf-spec:");
}

/* As much as the largest repository has, and what stands in a memory file is read no less. */
static struct keeper_reply tuf_by_fd(struct kw_span body, bool sealed)
{
    struct keeper_msg msg;
    int fd = -1;

    if (sealed) {
        assert_ok(memfd_make(NULL, body, &fd));
    } else {
        fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(fd >= 0 && write(fd, body.p, body.len) == (ssize_t)body.len);
    }
    rig_msg(attack_rig, &msg, "timestamp");
    msg.sign_crl.by_fd = true;
    msg.sign_crl.len = (uint32_t)body.len;
    struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_SIGN_TUF), &msg, fd);
    assert_int_equal(close(fd), 0);
    return reply;
}

static void large_metadata(void **state)
{
    static uint8_t room[KEEPER_TUF_MAX];
    int64_t at = os_clock_unix_s() + 3600;
    char when[KW_TIME_TEXT];

    (void)state;
    int head =
        snprintf((char *)room, sizeof(room), "{\"_type\":\"timestamp\",\"expires\":\"%s\",\"m\":\"",
                 kw_time_text(at, when));
    static const char tail[] = "\",\"spec_version\":\"1.0.31\",\"version\":200}";
    assert_true(head > 0);
    memset(room + head, 'x', sizeof(room) - (size_t)head - strlen(tail));
    memcpy(room + sizeof(room) - strlen(tail), tail, strlen(tail));
    attack_begin();
    struct keeper_reply reply = tuf_by_fd(KW_SPAN_ARRAY(room), /* sealed= */ false);
    attack_check(row(KEEPER_ROW_SIGN_TUF), &reply, KW_E_DENIED, "");
    reply = tuf_by_fd(KW_SPAN_ARRAY(room), /* sealed= */ true);
    verify(&reply, PURPOSE_TIMESTAMP, KW_SPAN_ARRAY(room));
    attack_begin();
    room[sizeof(room) / 2] = '"';
    reply = tuf_by_fd(KW_SPAN_ARRAY(room), /* sealed= */ true);
    attack_check(row(KEEPER_ROW_SIGN_TUF), &reply, KW_E_INPUT, "tuf:");
}

/* Limits hold for a line of keys: a new key is no way around them. Runs last. */
static void a_new_key_of_the_line_keeps_its_marks(void **state)
{
    int64_t at = os_clock_unix_s() + 3600;

    (void)state;
    purpose_rotate(PURPOSE_FIRMWARE, "firmware.2");
    attack_begin();
    struct keeper_reply reply =
        purpose_firmware("firmware.2", purpose_release("2.4.0", "8", RIG_HASH), 0);
    attack_check(row(KEEPER_ROW_SIGN_FIRMWARE), &reply, KW_E_DENIED, "release-counter:");
    purpose_rotate(PURPOSE_TIMESTAMP, "timestamp.2");
    refuse_tuf("timestamp.2", purpose_metadata("timestamp", "2", at), KW_E_DENIED, "tuf-version:");
    reply = purpose_tuf("timestamp.2", kw_span_text(purpose_metadata("timestamp", "5000", at)));
    (void)purpose_good(KEEPER_ROW_SIGN_TUF, &reply);
    refuse_tuf("timestamp", purpose_metadata("timestamp", "4999", at), KW_E_DENIED, "tuf-version:");
    refuse_tuf("timestamp", purpose_metadata("timestamp", "5000", at + 1), KW_E_DENIED,
               "tuf-fork:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_statements),
        cmocka_unit_test(no_statement_of_another_kind),
        cmocka_unit_test(no_implausible_time),
        cmocka_unit_test(time_is_now_and_by_its_own_key),
        cmocka_unit_test(no_other_log),
        cmocka_unit_test(no_filter_that_lies),
        cmocka_unit_test(filter_numbers_only_rise),
        cmocka_unit_test(a_release_verifies_as_its_image),
        cmocka_unit_test(no_release_without_approval),
        cmocka_unit_test(no_release_outside_the_policy),
        cmocka_unit_test(the_security_counter_never_falls),
        cmocka_unit_test(versions_only_rise),
        cmocka_unit_test(roots_leave_none_out),
        cmocka_unit_test(no_metadata_outside_the_policy),
        cmocka_unit_test(large_metadata),
        cmocka_unit_test(a_new_key_of_the_line_keeps_its_marks),
    };

    return cmocka_run_group_tests_name("hostile_keeper_statements", tests, purpose_setup,
                                       purpose_teardown);
}
