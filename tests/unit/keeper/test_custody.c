/* One suite over the three custodies: keys sealed in the vault, in a simulated HSM, in a simulated
 * TPM. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/keywright-keeper/keyring.h"
#include "contract/keeper/matrix.h"
#include "contract/rot/softhsm.h"
#include "contract/rot/swtpm.h"
#include "hostile/keeper/rig.h"
#include "os/clock.h"
#include "os/files.h"

enum kind { SEALED, PKCS11, TPM2 };

struct world {
    enum kind kind;
    bool usable;
    struct rig *rig; /* names, policies and a folder; its own vault is not used */
    char vault[128], custody[512];
    struct softhsm hsm;
    struct swtpm tpm;
};

static void make_tpm_folder(const struct world *w, char dir[160])
{
    (void)snprintf(dir, 160, "%s/tpm", w->rig->dir);
    assert_ok(os_dir_make(NULL, dir, 0700));
}

static void start_tpm(struct world *w)
{
    char dir[160];

    make_tpm_folder(w, dir);
    w->usable = swtpm_is_installed() && swtpm_start(&w->tpm, dir, 0);
    (void)snprintf(w->custody, sizeof(w->custody), "tpm2:dir=%s/rot,tcti=%s", w->rig->dir,
                   w->tpm.tcti);
}

static void start_hsm(struct world *w)
{
    char dir[160];

    (void)snprintf(dir, sizeof(dir), "%s/hsm", w->rig->dir);
    w->usable = softhsm_library() && softhsm_start(&w->hsm, dir);
    softhsm_uri(&w->hsm, w->custody, sizeof(w->custody));
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->kind = *(const enum kind *)*state;
    w->rig = rig_new();
    w->usable = true;
    (void)snprintf(w->vault, sizeof(w->vault), "%s/other", w->rig->dir);
    if (w->kind == TPM2) {
        start_tpm(w);
    }
    if (w->kind == PKCS11) {
        start_hsm(w);
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->kind == TPM2 && w->usable) {
        swtpm_stop(&w->tpm);
    }
    if (w->kind == PKCS11) {
        softhsm_stop(&w->hsm);
    }
    rig_free(w->rig);
    free(w);
    return 0;
}

static struct world *world_of(void **state)
{
    struct world *w = *state;

    if (!w->usable) {
        print_message("# SKIP: softhsm2 or swtpm is not installed\n");
        skip();
    }
    return w;
}

static const char *custody_of(const struct world *w)
{
    return w->kind == SEALED ? NULL : w->custody;
}

static struct keyring *open_keys(const struct world *w, bool create, const char *custody)
{
    struct keyring *keyring = NULL;
    struct vault vault;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(create ? vault_create(&op, w->vault, w->rig->unlock, &vault)
                     : vault_open(&op, w->vault, w->rig->unlock, &vault));
    assert_ok(keyring_load(&op, &vault, custody, &keyring));
    return keyring;
}

static struct keeper_key *make(const struct world *w, struct keyring *keyring, enum rig_key which)
{
    struct key_cause cause = {os_clock_unix_s(), "test", "test"};
    struct keeper_key *key = NULL;
    struct key_policy policy;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    rig_policy(which, w->rig, &policy);
    kw_status status = keyring_create(&op, keyring, &policy, &cause, &key);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
    return key;
}

static kw_status use(struct kw_op *op, struct keyring *keyring, const char *key_id,
                     enum keeper_purpose purpose, struct keeper_key **ret)
{
    kw_op_init(op, "test", 0);
    return keyring_use(op, keyring, key_id, purpose, os_clock_unix_s(), ret);
}

static void must_sign(struct keyring *keyring, const char *key_id, enum keeper_purpose purpose)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct keeper_key *key = NULL;
    struct kw_op op;

    kw_status status = use(&op, keyring, key_id, purpose, &key);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
    assert_ok(privkey_sign(&op, key->private_key, kw_span_text("message"), &sig));
    assert_ok(
        pubkey_verify(&op, keeper_key_pubkey(key), kw_span_text("message"), kw_out_span(&sig)));
}

static void a_key_signs_now_and_after_a_restart(void **state)
{
    struct world *w = world_of(state);
    AUTO(keyring) *keyring = open_keys(w, /* create= */ true, custody_of(w));
    char text[CUSTODY_TEXT];

    (void)make(w, keyring, RIG_CA);
    (void)make(w, keyring, RIG_TLS);
    must_sign(keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS);
    keyring_free(TAKE(keyring));
    keyring = open_keys(w, /* create= */ false, custody_of(w));
    must_sign(keyring, rig_key_ids[RIG_CA], KEEPER_SIGN_CRL);
    must_sign(keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS);
    custody_text(&keyring->custody, text);
    static const char *const begins[] = {"soft-sealed", "pkcs11 SIMULATED", "tpm2 SIMULATED"};
    assert_memory_equal(text, begins[w->kind], strlen(begins[w->kind]));
}

/* Where the token is away the keys are there, and say so until it is back. */
static void a_token_that_is_away_is_waited_for(void **state)
{
    struct world *w = world_of(state);
    struct keeper_key *key = NULL;
    struct kw_op op;
    AUTO(keyring) *keyring = open_keys(w, /* create= */ true, custody_of(w));

    (void)make(w, keyring, RIG_TLS);
    keyring_free(TAKE(keyring));
    keyring = open_keys(w, /* create= */ false,
                        w->kind == PKCS11
                            ? "pkcs11:token=nowhere?module-path=/usr/lib/softhsm/libsofthsm2.so"
                            : "tpm2:dir=/dev/null/none,tcti=swtpm:host=127.0.0.1,port=1");
    if (w->kind == SEALED) {
        must_sign(keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS); /* it needs no token */
        return;
    }
    assert_non_null(keeper_key_pubkey(keyring_find(keyring, rig_key_ids[RIG_TLS])));
    kw_status status = use(&op, keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS, &key);
    assert_code(status, KW_E_UNAVAILABLE);
    keyring_free(TAKE(keyring));
    keyring = open_keys(w, /* create= */ false, custody_of(w));
    must_sign(keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS);
}

/* Another key under the label is not taken for the one that was made. */
static void another_key_in_its_place_is_refused(void **state)
{
    struct world *w = world_of(state);
    char label[VAULT_TOKEN_TEXT], proof[256];
    struct keeper_key *key = NULL;
    struct kw_op op;
    AUTO(keyring) *keyring = open_keys(w, /* create= */ true, custody_of(w));

    if (w->kind == SEALED) {
        return; /* test_vault */
    }
    memcpy(label, make(w, keyring, RIG_TLS)->token, sizeof(label));
    keyring_free(TAKE(keyring));
    AUTO(rot) *rot = NULL;
    AUTO(rot_key) *other = NULL;
    kw_op_init(&op, "test", 0);
    assert_ok(rot_open(&op, w->custody, &rot));
    assert_ok(rot_key_destroy(&op, rot, label, proof, sizeof(proof)));
    assert_ok(rot_key_generate(&op, rot, label, KEY_ALG_EC_P256, &other));
    rot_key_close(TAKE(other));
    rot_close(TAKE(rot));
    keyring = open_keys(w, /* create= */ false, custody_of(w));
    assert_code(use(&op, keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS, &key), KW_E_INTEGRITY);
}

/* A rekeying leaves token keys as they are. */
static void a_rekeyed_vault_finds_its_token_keys(void **state)
{
    struct world *w = world_of(state);
    struct kw_op op;
    AUTO(keyring) *keyring = open_keys(w, /* create= */ true, custody_of(w));

    (void)make(w, keyring, RIG_TLS);
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_save(&op, keyring));
    assert_ok(keyring_rekey(&op, keyring, NULL));
    keyring_free(TAKE(keyring));
    keyring = open_keys(w, /* create= */ false, custody_of(w));
    must_sign(keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS);
}

/* Gone from the token, and its id for ever. */
static void a_destroyed_key_is_gone_from_its_token(void **state)
{
    struct world *w = world_of(state);
    struct key_cause cause = {os_clock_unix_s(), "test", "test"};
    struct keeper_key *key = NULL;
    struct key_proof proof;
    char label[VAULT_TOKEN_TEXT];
    struct kw_op op;
    AUTO(keyring) *keyring = open_keys(w, /* create= */ true, custody_of(w));

    key = make(w, keyring, RIG_TLS);
    memcpy(label, key->token, sizeof(label));
    kw_op_init(&op, "test", 0);
    assert_ok(keyring_step(&op, keyring, key, KEY_EVENT_DEACTIVATE, &cause));
    kw_status status = keyring_destroy(&op, keyring, rig_key_ids[RIG_TLS], &cause, &proof);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
    keyring_free(TAKE(keyring));
    if (w->kind != SEALED) {
        AUTO(rot) *rot = NULL;
        AUTO(rot_key) *left = NULL;
        assert_ok(rot_open(&op, w->custody, &rot));
        assert_code(rot_key_load(&op, rot, label, &left), KW_E_NOT_FOUND);
        assert_memory_equal(proof.method, "token: ", 7);
    }
    keyring = open_keys(w, /* create= */ false, custody_of(w));
    assert_code(use(&op, keyring, rig_key_ids[RIG_TLS], KEEPER_SIGN_TLS, &key), KW_E_STATE);
}

/* Every state, purpose, period and count, and every step: the same whoever holds the key. */
static void the_matrix_holds(void **state)
{
    const struct world *w = world_of(state);
    AUTO(keyring) *keyring = open_keys(w, /* create= */ true, custody_of(w));
    unsigned n = 0;

    matrix_run(keyring, &n);
    assert_true(n > 9000);
    print_message("# %u cases\n", n);
}

static enum kind kinds[] = {SEALED, PKCS11, TPM2};
#define TEST(name, kind) {#name "/" #kind, name, setup, teardown, &kinds[kind]}
#define ALL(name) TEST(name, SEALED), TEST(name, PKCS11), TEST(name, TPM2)
int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(a_key_signs_now_and_after_a_restart),    ALL(a_token_that_is_away_is_waited_for),
        ALL(another_key_in_its_place_is_refused),    ALL(a_rekeyed_vault_finds_its_token_keys),
        ALL(a_destroyed_key_is_gone_from_its_token), ALL(the_matrix_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
