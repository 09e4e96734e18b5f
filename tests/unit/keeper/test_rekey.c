/* A vault's new key-encrypting key, cut short at every write, and old copies that open no more. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/keywright-keeper/keyring.h"
#include "hostile/keeper/rig.h"
#include "os/files.h"

static struct rig *rig; /* its vault has six keys; no keeper runs */
static char other_unlock[128];
static int writes_left; /* then the disk is gone, as after a kill; -1: never */
static int writes_done;

kw_status __real_os_file_write(struct kw_op *op, const char *path, mode_t mode,
                               struct kw_span content);
kw_status __wrap_os_file_write(struct kw_op *op, const char *path, mode_t mode,
                               struct kw_span content);

kw_status __wrap_os_file_write(struct kw_op *op, const char *path, mode_t mode,
                               struct kw_span content)
{
    if (writes_left == 0) {
        return FAIL(op, KW_E_IO, "the plug was pulled");
    }
    writes_left -= writes_left > 0;
    writes_done++;
    return __real_os_file_write(op, path, mode, content);
}

static int setup(void **state)
{
    char path[96];

    (void)state;
    writes_left = -1;
    rig = rig_new();
    (void)snprintf(path, sizeof(path), "%s/other", rig->dir);
    assert_ok(os_file_write(NULL, path, 0600, kw_span_text("quite another passphrase")));
    (void)snprintf(other_unlock, sizeof(other_unlock), "passphrase-file:%s", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    writes_left = -1;
    rig_free(rig);
    return 0;
}

static kw_status open_by(struct kw_op *op, const char *unlock, struct keyring **ret)
{
    kw_op_init(op, "test", 0);
    return keyring_open(op, rig->vault, unlock, /* create= */ false, ret);
}

/* It opens by this secret, and every key is the one that was made. */
static void must_hold_all_keys(const char *unlock)
{
    AUTO(keyring) *keyring = NULL;
    struct kw_op op;

    kw_status status = open_by(&op, unlock, &keyring);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
    assert_null(keyring->vault.old_kek);
    assert_int_equal(keyring->n, RIG_KEYS);
    for (unsigned i = 0; i < RIG_KEYS; i++) {
        const struct keeper_key *key = keyring_find(keyring, rig_key_ids[i]);
        assert_true(pubkey_equal(keeper_key_pubkey(key), rig->key[i]));
    }
}

static kw_status rekey(struct kw_op *op, bool by_other)
{
    AUTO(keyring) *keyring = NULL;
    struct opener opener = {0};

    assert_ok(open_by(op, rig->unlock, &keyring));
    if (by_other) {
        assert_ok(opener_new(op, other_unlock, &opener));
    }
    return keyring_rekey(op, keyring, by_other ? &opener : NULL);
}

static struct kw_bytes *read_file(const char *name, char path[192])
{
    struct kw_bytes *octets = NULL;

    (void)snprintf(path, 192, "%s/%s", rig->vault, name);
    assert_ok(os_file_read(NULL, path, 1 << 20, &octets));
    return octets;
}

static void an_old_copy_of_a_key_opens_no_more(void **state)
{
    char path[192];
    struct kw_op op;
    AUTO(keyring) *keyring = NULL;
    AUTO(kw_bytes) *old = read_file("keys/ca.key", path);

    (void)state;
    assert_ok(rekey(&op, /* by_other= */ false));
    must_hold_all_keys(rig->unlock);
    assert_ok(os_file_write(NULL, path, 0600, kw_bytes_span(old)));
    assert_code(open_by(&op, rig->unlock, &keyring), KW_E_INTEGRITY);
}

static void the_old_secret_opens_no_more(void **state)
{
    struct kw_op op;
    AUTO(keyring) *keyring = NULL;

    (void)state;
    assert_ok(rekey(&op, /* by_other= */ true));
    must_hold_all_keys(other_unlock);
    assert_code(open_by(&op, rig->unlock, &keyring), KW_E_DENIED);
    assert_ok(open_by(&op, other_unlock, &keyring));
    assert_ok(keyring_rekey(&op, keyring, NULL)); /* and once more, under the new one */
    keyring_free(TAKE(keyring));
    must_hold_all_keys(other_unlock);
}

/* The old header's octets are zeroes where they lay. */
static void the_old_header_is_overwritten(void **state)
{
    char path[192], kept[200];
    struct kw_op op;
    AUTO(kw_bytes) *old = read_file("vault", path);
    AUTO(kw_bytes) *left = NULL;

    (void)state;
    /* a second name for the inode; begin writes another file, whose inode is the one overwritten */
    AUTO(keyring) *keyring = NULL;
    assert_ok(open_by(&op, rig->unlock, &keyring));
    assert_ok(vault_rekey_begin(&op, &keyring->vault, NULL));
    (void)snprintf(kept, sizeof(kept), "%s.kept", path);
    assert_int_equal(link(path, kept), 0);
    assert_ok(keyring_rekey_finish(&op, keyring));
    assert_ok(os_file_read(NULL, kept, 1 << 16, &left));
    for (size_t i = 0; i < left->len; i++) {
        assert_int_equal(left->p[i], 0);
    }
    assert_int_equal(unlink(kept), 0);
}

static void cut_at(int n)
{
    struct kw_op op;
    AUTO(keyring) *keyring = NULL;

    writes_left = n;
    kw_status status = rekey(&op, /* by_other= */ true);
    writes_left = -1;
    if (kw_ok(status)) {
        return;
    }
    if (n % 2 && kw_ok(open_by(&op, other_unlock, &keyring))) { /* the new secret finishes it */
        keyring_free(TAKE(keyring));
        must_hold_all_keys(other_unlock);
        return;
    }
    assert_ok(open_by(&op, rig->unlock, &keyring)); /* so does the old one */
    bool begun = kw_secret_len(keyring->vault.kek) > 0 && keyring->vault.opener.slot.method == 0;
    keyring_free(TAKE(keyring));
    must_hold_all_keys(begun ? other_unlock : rig->unlock);
}

static void cut_short_anywhere_it_is_finished(void **state)
{
    struct kw_op op;

    writes_done = 0;
    assert_ok(rekey(&op, /* by_other= */ true));
    int needed = writes_done;
    assert_true(needed >= RIG_KEYS + 3); /* two headers, the state, the keys */
    for (int n = 0; n < needed; n++) {
        (void)teardown(state);
        (void)setup(state);
        cut_at(n);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_old_copy_of_a_key_opens_no_more),
        TEST(the_old_secret_opens_no_more),
        TEST(the_old_header_is_overwritten),
        TEST(cut_short_anywhere_it_is_finished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
