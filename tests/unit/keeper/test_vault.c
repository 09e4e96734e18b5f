/* The vault: what lies on disk is what was sealed, or nothing opens. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/keywright-keeper/keyring.h"
#include "crypto/cert.h"
#include "hostile/keeper/rig.h"
#include "os/clock.h"
#include "os/files.h"

static struct key_cause by_test = {.who = "test", .reason = "test"};
static struct rig *rig; /* its vault has six keys; no keeper runs */

static int setup(void **state)
{
    (void)state;
    rig = rig_new();
    by_test.now_unix = os_clock_unix_s();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static kw_status open_it(struct kw_op *op)
{
    AUTO(keyring) *keyring = NULL;

    kw_op_init(op, "test", 0);
    return keyring_open(op, rig->vault, rig->unlock, /* create= */ false, &keyring);
}

static void must_open(void)
{
    struct kw_op op;
    kw_status status = open_it(&op);

    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
}

static void must_refuse(enum kw_code code, const char *text)
{
    struct kw_op op;
    char said[2048];

    assert_code(open_it(&op), code);
    if (!strstr(kw_op_message(&op, said, sizeof(said)), text)) {
        fail_msg("'%s' is not said in '%s'", text, said);
    }
}

static void path_of(char path[192], const char *name)
{
    (void)snprintf(path, 192, "%s/%s", rig->vault, name);
}

static struct kw_bytes *read_file(const char *name)
{
    struct kw_bytes *octets = NULL;
    char path[192];

    path_of(path, name);
    assert_ok(os_file_read(NULL, path, 1 << 20, &octets));
    return octets;
}

static void write_file(const char *name, struct kw_span content)
{
    char path[192];

    path_of(path, name);
    assert_ok(os_file_write(NULL, path, 0600, content));
}

static void remove_file(const char *name)
{
    char path[192];

    path_of(path, name);
    assert_int_equal(unlink(path), 0);
}

static void it_opens_again(void **state)
{
    (void)state;
    must_open();
    must_open();
}

static void nobody_else_may_look(void **state)
{
    static const char *const files[] = {"vault", "state", "lock", "keys/ca.key"};
    struct stat about;
    char path[192];

    (void)state;
    assert_int_equal(stat(rig->vault, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    for (size_t i = 0; i < KW_COUNT(files); i++) {
        path_of(path, files[i]);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
    }
}

/* No octet of any file can be changed without the vault's saying so. */
static void every_altered_octet_is_noticed(void **state)
{
    static const char *const files[] = {"state", "keys/ca.key", "keys/log.key"};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(files); i++) {
        AUTO(kw_bytes) *whole = read_file(files[i]);
        size_t step = whole->len / 12 + 1; /* each opening costs an scrypt */
        for (size_t at = i; at < whole->len; at += step) {
            whole->p[at] ^= 0x01;
            write_file(files[i], kw_bytes_span(whole));
            must_refuse(KW_E_INTEGRITY, "altered");
            whole->p[at] ^= 0x01;
        }
        write_file(files[i], KW_SPAN(whole->p, whole->len - 1));
        must_refuse(KW_E_INTEGRITY, "altered");
        write_file(files[i], kw_bytes_span(whole));
    }
    must_open();
}

/* The header: damage is either seen as such or makes the passphrase wrong. */
static void every_altered_octet_of_the_header_is_noticed(void **state)
{
    AUTO(kw_bytes) *whole = read_file("vault");
    struct kw_op op;

    (void)state;
    for (size_t at = 0; at < whole->len; at += 5) {
        whole->p[at] ^= 0x01;
        write_file("vault", kw_bytes_span(whole));
        enum kw_code code = open_it(&op).code;
        assert_true(code == KW_E_DENIED || code == KW_E_INTEGRITY || code == KW_E_INPUT);
        whole->p[at] ^= 0x01;
    }
    write_file("vault", kw_bytes_span(whole));
    must_open();
}

/* One policy for another: the key that is sealed under it does not open. */
static void a_wider_policy_is_noticed(void **state)
{
    AUTO(kw_bytes) *whole = read_file("keys/ca.key");
    struct key_policy *policy = calloc(1, sizeof(*policy));
    struct vault_key_file file;
    uint8_t encoded_room[POLICY_ENCODED_MAX];
    uint8_t file_room[VAULT_KEY_FILE_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(encoded_room);
    struct kw_out out = KW_OUT_ARRAY(file_room);

    (void)state;
    assert_non_null(policy);
    assert_ok(vault_key_file_decode(kw_bytes_span(whole), &file));
    assert_ok(policy_decode(file.policy, policy));
    policy->rules[0].is_ca = 1;
    policy->rules[0].key_birth = 0;
    policy->rules[0].key_usage |= CERT_KU_KEY_CERT_SIGN;
    assert_ok(policy_encode(policy, &encoded));
    file.policy = kw_out_span(&encoded);
    assert_ok(vault_key_file_encode(&file, &out));
    write_file("keys/ca.key", kw_out_span(&out));
    must_refuse(KW_E_INTEGRITY, "the file of key 'ca' was altered");
    free(policy);
}

static void one_key_for_another_is_noticed(void **state)
{
    AUTO(kw_bytes) *other = read_file("keys/ca2.key");

    (void)state;
    write_file("keys/ca.key", kw_bytes_span(other));
    must_refuse(KW_E_INTEGRITY, "the file of key 'ca' was altered");
}

static void a_missing_state_is_noticed(void **state)
{
    (void)state;
    remove_file("state");
    must_refuse(KW_E_INTEGRITY, "'state' is missing from the vault: restore the whole folder");
}

static void a_missing_key_is_noticed(void **state)
{
    (void)state;
    remove_file("keys/tls.key");
    must_refuse(KW_E_INTEGRITY, "the file of key 'tls' is missing");
}

/* A state from before the key was made. */
static void an_older_state_is_noticed(void **state)
{
    AUTO(keyring) *keyring = NULL;
    AUTO(kw_bytes) *old = read_file("state");
    struct key_policy *policy = calloc(1, sizeof(*policy));
    struct keeper_key *key = NULL;
    struct kw_op op;

    (void)state;
    assert_non_null(policy);
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
    rig_policy(RIG_TLS, rig, policy);
    assert_true(KW_TEXT_SET(policy->key_id, "tls-2"));
    assert_ok(keyring_create(&op, keyring, policy, &by_test, &key));
    free(policy);
    keyring_free(TAKE(keyring));
    must_open();
    write_file("state", kw_bytes_span(old));
    must_refuse(KW_E_INTEGRITY, "'state' is older than key 'tls-2'");
}

/* A key's life in the files: an id that was used is used up, also where its making was cut short.
 */
static void an_id_never_comes_back(void **state)
{
    AUTO(keyring) *keyring = NULL;
    struct key_policy *policy = calloc(1, sizeof(*policy));
    struct keeper_key *key = NULL;
    struct key_record *record = NULL;
    struct kw_op op;

    (void)state;
    assert_non_null(policy);
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
    rig_policy(RIG_TLS, rig, policy);
    assert_code(keyring_create(&op, keyring, policy, &by_test, &key), KW_E_CONFLICT);
    /* As if the power went after the record and before the key. */
    assert_ok(state_add(&op, keyring->state, "cut-short", &record));
    assert_ok(keyring_save(&op, keyring));
    keyring_free(TAKE(keyring));
    kw_op_clear(&op);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
    assert_null(keyring_find(keyring, "cut-short"));
    assert_int_equal(state_find(keyring->state, "cut-short")->state, KEY_DESTROYED);
    assert_true(KW_TEXT_SET(policy->key_id, "cut-short"));
    assert_code(keyring_create(&op, keyring, policy, &by_test, &key), KW_E_CONFLICT);
    free(policy);
}

/* A line of the log whose first key's making was cut short was not begun; one with a key was. */
static void a_line_that_was_cut_short_begins_again(void **state)
{
    AUTO(keyring) *keyring = NULL;
    struct keeper_key *key = NULL;
    struct key_record *record = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    for (unsigned cuts = 0; cuts < 3; cuts++) {
        assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
        const struct keeper_key *log = keyring_find(keyring, rig_key_ids[RIG_LOG]);
        assert_non_null(log);
        unsigned n = keyring->state->n;
        if (cuts == 2) {
            assert_ok(keyring_line(&op, keyring, log, &by_test, &key));
            assert_string_equal(key->policy.key_id, "log-2");
            assert_int_equal(keyring->state->n, n);
            assert_ok(keyring_line(&op, keyring, log, &by_test, &key));
            assert_string_equal(key->policy.key_id, "log-3");
        } else if (cuts == 0) { /* as if the power went after the record and before the key */
            assert_ok(state_add(&op, keyring->state, "log-2", &record));
            record->class_ = KEY_CLASS_LOG_SIGNER;
            assert_ok(keyring_save(&op, keyring));
        }
        keyring_free(TAKE(keyring));
    }
}

static void a_wrong_passphrase_is_denied(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/passphrase", rig->dir);
    assert_ok(os_file_write(NULL, path, 0600, kw_span_text("another passphrase")));
    must_refuse(KW_E_DENIED, "the passphrase is wrong");
    assert_ok(os_file_write(NULL, path, 0600, kw_span_text("short")));
    must_refuse(KW_E_INPUT, "5 characters, at least 8");
    assert_ok(os_file_write(NULL, path, 0644, kw_span_text(RIG_PASSPHRASE)));
    assert_int_equal(chmod(path, 0644), 0);
    must_refuse(KW_E_DENIED, "");
    assert_ok(os_file_write(NULL, path, 0600, kw_span_text(RIG_PASSPHRASE))); /* no line end */
    must_open();
}

static void another_method_is_denied(void **state)
{
    (void)state;
    (void)snprintf(rig->unlock, sizeof(rig->unlock), "tpm2:dir=/tmp,tcti=none");
    must_refuse(KW_E_DENIED, "opened by passphrase, not by 'tpm2:'");
    (void)snprintf(rig->unlock, sizeof(rig->unlock), "magic");
    must_refuse(KW_E_INPUT, "unknown unlock method");
}

static void two_keepers_never_share(void **state)
{
    AUTO(keyring) *keyring = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
    must_refuse(KW_E_UNAVAILABLE, "another keeper uses");
    keyring_free(TAKE(keyring));
    must_open();
}

static void nothing_is_overwritten(void **state)
{
    AUTO(keyring) *keyring = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_code(keyring_open(&op, rig->vault, rig->unlock, /* create= */ true, &keyring),
                KW_E_CONFLICT);
    kw_op_clear(&op);
    remove_file("vault"); /* keys without their header are still somebody's keys */
    assert_code(keyring_open(&op, rig->vault, rig->unlock, /* create= */ true, &keyring),
                KW_E_CONFLICT);
    kw_op_clear(&op);
    must_refuse(KW_E_NOT_FOUND, "there is no vault");
}

/* The private key's octets stand in no file. */
static void files_hold_no_private_key(void **state)
{
    AUTO(keyring) *keyring = NULL;
    AUTO(kw_secret) *pkcs8 = NULL;
    AUTO(kw_bytes) *file = read_file("keys/log.key");
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
    assert_ok(privkey_to_pkcs8(&op, keyring_find(keyring, "log")->private_key, &pkcs8));
    struct kw_span seed = kw_span_sub(kw_secret_span(pkcs8), 16, 16); /* half of Ed25519's 32 */
    assert_int_equal(seed.len, 16);
    assert_null(memmem(file->p, file->len, seed.p, seed.len));
}

/* Hashes of the CA's key: of its bits alone, and by the keeper. */
static void hashes_are_of_the_key_bits(void **state)
{
    AUTO(keyring) *keyring = NULL;
    struct ocsp_certid id;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_open(&op, rig->vault, rig->unlock, false, &keyring));
    const struct keeper_key *ca = keyring_find(keyring, "ca");
    ocsp_certid_for(rig_ca_dn(RIG_CA), rig->key[RIG_CA], KW_SPAN("12345678", 8), true, &id);
    assert_memory_equal(ca->policy.ca_key_sha256, id.key_hash, 32);
    assert_memory_equal(ca->policy.ca_key_sha1, pubkey_sha1(rig->key[RIG_CA]), 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_opens_again),
        TEST(nobody_else_may_look),
        TEST(every_altered_octet_is_noticed),
        TEST(every_altered_octet_of_the_header_is_noticed),
        TEST(a_wider_policy_is_noticed),
        TEST(one_key_for_another_is_noticed),
        TEST(a_missing_state_is_noticed),
        TEST(a_missing_key_is_noticed),
        TEST(an_older_state_is_noticed),
        TEST(an_id_never_comes_back),
        TEST(a_line_that_was_cut_short_begins_again),
        TEST(a_wrong_passphrase_is_denied),
        TEST(another_method_is_denied),
        TEST(two_keepers_never_share),
        TEST(nothing_is_overwritten),
        TEST(files_hold_no_private_key),
        TEST(hashes_are_of_the_key_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
