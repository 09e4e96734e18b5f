/* What goes wrong around a TPM: it goes away, is cleared, is full, is shared; power cuts in our own
 * operations. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "env.h"
#include "os/clock.h"
#include "rot/tpm2/device.h"

static const uint32_t first_handle = TPM2_HANDLE_BASE + TPM2_HANDLE_FIRST;

static struct tpm2_session *visit(const struct env *env)
{
    struct tpm2_session *s = NULL;
    OK(tpm2_session_open(env_op(), env->tpm.tcti, TPM2_VISIT_MAX_MS, &s));
    return s;
}

static struct tpm2_index *index_of(const struct env *env)
{
    char path[256];
    struct tpm2_index *index = NULL;
    env->backend->key_file(env, "", path, sizeof(path));
    OK(tpm2_index_read(env_op(), path, &index));
    return index;
}

static void put_index(const struct env *env, const struct tpm2_index *index)
{
    char path[256];
    env->backend->key_file(env, "", path, sizeof(path));
    OK(tpm2_index_write(env_op(), path, index));
}

static unsigned n_keys(struct env *env)
{
    unsigned keys = 0, leftovers = 0;
    env->backend->count(env, &keys, &leftovers);
    assert_int_equal(leftovers, 0);
    return keys;
}

/* Another TPM where ours was. */
static void replace_tpm(struct env *env)
{
    char dir[100];
    unsigned port = env->tpm.port;
    swtpm_stop(&env->tpm);
    (void)snprintf(dir, sizeof(dir), "%s/other", env->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_true(swtpm_start(&env->tpm, dir, port));
}

static void restart_tpm(struct env *env)
{
    char dir[sizeof(env->tpm.dir)];
    (void)snprintf(dir, sizeof(dir), "%s", env->tpm.dir);
    assert_true(swtpm_start(&env->tpm, dir, env->tpm.port));
}

static kw_status try_sign(struct rot_key *key)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    return rot_key_sign(env_op(), key, kw_span_text("x"), &sig);
}

/* --- away and back --- */

static void a_tpm_that_goes_away_comes_back(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = NULL;
    AUTO(rot_key) *none = NULL;
    char text[256];

    OK(rot_key_generate(env_op(), rot, "k", KEY_ALG_EC_P256, &key));
    swtpm_stop(&env->tpm);
    REFUSED(try_sign(key), KW_E_UNAVAILABLE);
    REFUSED(rot_key_load(env_op(), rot, "k", &none), KW_E_UNAVAILABLE);
    REFUSED(rot_key_generate(env_op(), rot, "n", KEY_ALG_EC_P256, &none), KW_E_UNAVAILABLE);
    REFUSED(rot_key_attributes(env_op(), key, text, sizeof(text)), KW_E_UNAVAILABLE);
    restart_tpm(env);
    env_check_signing(key);
    REFUSED(rot_key_load(env_op(), rot, "n", &none), KW_E_NOT_FOUND);
    swtpm_stop(&env->tpm);
    REFUSED(rot_key_destroy(env_op(), rot, "k", text, sizeof(text)), KW_E_UNAVAILABLE);
    restart_tpm(env);
    OK(rot_key_destroy(env_op(), rot, "k", text, sizeof(text)));
    assert_int_equal(n_keys(env), 0);
}

/* Pulled out in the middle of a command. */
static void killed_while_it_works(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    unsigned n_cut = 0;

    for (unsigned i = 0; i < 10; i++) {
        AUTO(rot_key) *key = NULL;
        pid_t killer = fork();
        if (killer == 0) {
            const struct timespec wait = {.tv_nsec = (2 + 5 * (long)i) * 1000000L};
            (void)nanosleep(&wait, NULL);
            _exit(kill(env->tpm.pid, SIGKILL));
        }
        char label[16];
        (void)snprintf(label, sizeof(label), "k%u", i);
        kw_status status = rot_key_generate(env_op(), rot, label, KEY_ALG_EC_P256, &key);
        assert_true(kw_ok(status) || status.code == KW_E_UNAVAILABLE);
        n_cut += kw_ok(status) ? 0 : 1;
        assert_int_equal(waitpid(killer, NULL, 0), killer);
        swtpm_stop(&env->tpm);
        restart_tpm(env);
        AUTO(rot) *again = env_open(env);
        AUTO(rot_key) *loaded = NULL;
        kw_status found = rot_key_load(env_op(), again, label, &loaded);
        assert_int_equal(found.code, kw_ok(status) ? KW_CODE_OK : KW_E_NOT_FOUND);
        AUTO(tpm2_index) *index = index_of(env);
        assert_int_equal(index->n, n_keys(env));
    }
    print_message("# %u of 10 were cut\n", n_cut);
}

/* --- stopped and let go on --- */

enum { PATIENCE_MS = 300 };

static struct kw_op *impatient_op(void)
{
    struct kw_op *op = env_op();
    op->deadline_ms = os_clock_mono_ms() + PATIENCE_MS;
    return op;
}

static void hang(const struct env *env)
{
    assert_int_equal(kill(env->tpm.pid, SIGSTOP), 0);
}

static void go_on(const struct env *env)
{
    assert_int_equal(kill(env->tpm.pid, SIGCONT), 0);
}

static void await_no_lost_line(void)
{
    const struct timespec step = {.tv_nsec = 1000000};
    while (tpm2_lines_lost() > 0) { /* for ever: the runner's limit ends it */
        (void)nanosleep(&step, NULL);
    }
}

static void a_tpm_that_hangs_is_given_up(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot) *no_rot = NULL;
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    char uri[512], text[1024];

    for (unsigned i = 0; i < 2; i++) {
        hang(env);
        struct kw_op *op = impatient_op();
        REFUSED(rot_key_sign(op, key, kw_span_text("x"), &sig), KW_E_TIMEOUT);
        assert_non_null(strstr(kw_op_message(op, text, sizeof(text)), "does not answer"));
        assert_non_null(strstr(text, env->tpm.tcti));
        REFUSED(rot_key_load(impatient_op(), rot, "k", &none), KW_E_TIMEOUT);
        REFUSED(rot_key_generate(impatient_op(), rot, "n", KEY_ALG_EC_P256, &none), KW_E_TIMEOUT);
        env->backend->uri(env, uri, sizeof(uri));
        REFUSED(rot_open(impatient_op(), uri, &no_rot), KW_E_TIMEOUT);
        go_on(env);
        env_check_signing(key);
        await_no_lost_line();
        assert_int_equal(n_keys(env), 1);
    }
}

/* Whose time is over when it is their turn does not touch the TPM: no connection is given up. */
static void too_late_is_not_begun(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);

    (void)tpm2_lines_left_something();
    hang(env);
    for (unsigned i = 0; i < 2 * TPM2_LINES_LOST_MAX; i++) {
        struct kw_op *op = env_op();
        op->deadline_ms = os_clock_mono_ms();
        REFUSED(rot_key_sign(op, key, kw_span_text("x"), &sig), KW_E_TIMEOUT);
    }
    assert_int_equal(tpm2_lines_lost(), 0);
    assert_false(tpm2_lines_left_something());
    go_on(env);
    env_check_signing(key);
}

/* Stopped in the middle of a command: what that had begun is cleared up, in this process. */
static void stopped_while_it_works(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    unsigned n_given_up = 0;

    for (unsigned i = 0; i < 6; i++) {
        AUTO(rot_key) *key = NULL;
        AUTO(kw_secret) *plain = NULL;
        AUTO(kw_bytes) *sealed = NULL;
        char label[16];
        pid_t stopper = fork();
        if (stopper == 0) {
            const struct timespec wait = {.tv_nsec = (2 + 4 * (long)i) * 1000000L};
            (void)nanosleep(&wait, NULL);
            _exit(kill(env->tpm.pid, SIGSTOP));
        }
        (void)snprintf(label, sizeof(label), "k%u", i);
        kw_status status = rot_key_generate(impatient_op(), rot, label, KEY_ALG_EC_P256, &key);
        assert_true(kw_ok(status) || status.code == KW_E_TIMEOUT);
        n_given_up += kw_ok(status) ? 0 : 1;
        assert_int_equal(waitpid(stopper, NULL, 0), stopper);
        go_on(env);
        OK(kw_secret_new(32, &plain));
        OK(rot_seal(env_op(), rot, plain, &sealed)); /* has room, and takes what was left away */
        unsigned keys = 0, leftovers = 0;
        env->backend->count(env, &keys, &leftovers);
        assert_int_equal(leftovers, 0);
        (void)snprintf(label, sizeof(label), "after%u", i);
        AUTO(rot_key) *after = env_generate(rot, label, KEY_ALG_EC_P256);
        AUTO(tpm2_index) *index = index_of(env);
        assert_int_equal(index->n, n_keys(env));
    }
    await_no_lost_line();
    print_message("# %u of 6 were given up\n", n_given_up);
}

static void others_may_look_meanwhile(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(tpm2_session) *s = visit(env); /* a second client, while the key is open */
    ESYS_TR object = ESYS_TR_NONE;

    OK(tpm2_session_find(env_op(), s, first_handle, &object));
    assert_int_not_equal(object, ESYS_TR_NONE);
    tpm2_session_close(TAKE(s));
    env_check_signing(key);
}

/* --- another TPM, or a cleared one --- */

static void a_replaced_tpm_is_noticed(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    char text[1024];

    replace_tpm(env);
    REFUSED(try_sign(key), KW_E_INTEGRITY);
    struct kw_op *op = env_op();
    REFUSED(rot_key_load(op, rot, "k", &none), KW_E_INTEGRITY);
    REFUSED(rot_key_load(op, rot, "k", &none), KW_E_INTEGRITY);
    assert_non_null(strstr(kw_op_message(op, text, sizeof(text)), "cleared or replaced"));
    /* The same handle, taken by somebody else's object. */
    {
        AUTO(tpm2_session) *s = visit(env);
        ESYS_TR srk = ESYS_TR_NONE, kept = ESYS_TR_NONE;
        OK(tpm2_srk_open(env_op(), s, NULL, &srk, NULL));
        assert_int_equal(Esys_EvictControl(s->esys, ESYS_TR_RH_OWNER, srk, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, first_handle, &kept),
                         TSS2_RC_SUCCESS);
    }
    REFUSED(try_sign(key), KW_E_INTEGRITY);
    REFUSED(rot_key_load(env_op(), rot, "k", &none), KW_E_INTEGRITY);
    REFUSED(rot_key_destroy(env_op(), rot, "k", text, sizeof(text)), KW_E_DEVICE);
    assert_int_equal(n_keys(env), 1); /* theirs */
    OK(rot_key_destroy(env_op(), rot, "k", text, sizeof(text)));
    assert_non_null(strstr(text, "absent"));
    AUTO(rot_key) *fresh = env_generate(rot, "k", KEY_ALG_EC_P256);
    env_check_signing(fresh);
    assert_int_equal(n_keys(env), 2);
}

static void a_cleared_tpm_is_noticed(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    AUTO(kw_secret) *plain = NULL;
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    OK(kw_secret_new(32, &plain));
    OK(rot_seal(env_op(), rot, plain, &sealed));
    {
        AUTO(tpm2_session) *s = visit(env);
        assert_int_equal(
            Esys_Clear(s->esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
            TSS2_RC_SUCCESS);
    }
    REFUSED(try_sign(key), KW_E_INTEGRITY);
    REFUSED(rot_key_load(env_op(), rot, "k", &none), KW_E_INTEGRITY);
    REFUSED(rot_unseal(env_op(), rot, kw_bytes_span(sealed), &opened), KW_E_INTEGRITY);
}

/* --- a storage key that somebody made persistent --- */

static void a_persistent_storage_key_is_used(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(kw_secret) *plain = NULL;
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *before = NULL;
    AUTO(kw_bytes) *after = NULL;

    OK(kw_secret_new(32, &plain));
    OK(rot_seal(env_op(), rot, plain, &before));
    {
        AUTO(tpm2_session) *s = visit(env);
        ESYS_TR srk = ESYS_TR_NONE, kept = ESYS_TR_NONE;
        OK(tpm2_srk_open(env_op(), s, NULL, &srk, NULL));
        assert_int_equal(s->n_kept, 1);
        assert_int_equal(Esys_EvictControl(s->esys, ESYS_TR_RH_OWNER, srk, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, 0x81000001, &kept),
                         TSS2_RC_SUCCESS);
    }
    {
        AUTO(tpm2_session) *s = visit(env);
        ESYS_TR srk = ESYS_TR_NONE;
        OK(tpm2_srk_open(env_op(), s, NULL, &srk, NULL));
        assert_int_equal(s->n_kept, 0); /* nothing had to be made */
    }
    OK(rot_unseal(env_op(), rot, kw_bytes_span(before), &opened));
    assert_true(kw_secret_equal(plain, opened));
    OK(rot_seal(env_op(), rot, plain, &after));
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    env_check_signing(key);
    assert_int_equal(n_keys(env), 1);
}

/* --- what a power cut leaves --- */

static void pending_entries_are_swept(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *none = NULL;
    rot_key_close(env_generate(rot, "mine", KEY_ALG_EC_P256));
    rot_key_close(env_generate(rot, "cut", KEY_ALG_EC_P256));
    rot_key_close(env_generate(rot, "stolen", KEY_ALG_EC_P256));
    rot_close(TAKE(rot));

    AUTO(tpm2_index) *index = index_of(env);
    tpm2_index_find(index, "cut")->state = TPM2_ENTRY_PENDING;
    struct tpm2_entry *stolen = tpm2_index_find(index, "stolen");
    stolen->state = TPM2_ENTRY_PENDING;
    stolen->name[5] ^= 1; /* what lies there is not what we had begun with */
    struct tpm2_entry never = *tpm2_index_find(index, "cut");
    (void)KW_TEXT_SET(never.label, "never");
    never.handle = first_handle + 9; /* cut before the handle was taken */
    OK(tpm2_index_add(env_op(), index, &never));
    put_index(env, index);

    rot = env_open(env);
    assert_int_equal(n_keys(env), 2); /* "mine", and what is not ours to remove */
    REFUSED(rot_key_load(env_op(), rot, "cut", &none), KW_E_NOT_FOUND);
    REFUSED(rot_key_load(env_op(), rot, "stolen", &none), KW_E_NOT_FOUND);
    AUTO(rot_key) *mine = env_load(rot, "mine");
    env_check_signing(mine);
    AUTO(rot_key) *next = env_generate(rot, "next", KEY_ALG_EC_P256);
    env_check_signing(next);
    assert_int_equal(n_keys(env), 3);
    AUTO(tpm2_index) *now = index_of(env);
    assert_int_equal(now->n, 2);
}

static void destroying_goes_on_after_a_cut(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    char proof[256];

    for (unsigned evicted = 0; evicted < 2; evicted++) {
        rot_key_close(env_generate(rot, "k", KEY_ALG_EC_P256));
        AUTO(tpm2_index) *index = index_of(env);
        struct tpm2_entry *entry = tpm2_index_find(index, "k");
        entry->state = TPM2_ENTRY_PENDING;
        put_index(env, index);
        if (evicted) {
            AUTO(tpm2_session) *s = visit(env);
            ESYS_TR object = ESYS_TR_NONE;
            OK(tpm2_session_find(env_op(), s, entry->handle, &object));
            OK(tpm2_evict(env_op(), s, object, entry->handle));
        }
        OK(rot_key_destroy(env_op(), rot, "k", proof, sizeof(proof)));
        print_message("# %s\n", proof);
        assert_non_null(strstr(proof, evicted ? "had begun earlier" : "evicted"));
        assert_int_equal(n_keys(env), 0);
    }
}

/* A process that was killed with objects loaded; a bare TPM keeps them. */
static void own_leftovers_are_flushed(void **state)
{
    struct env *env = env_of(state);
    unsigned keys = 0, leftovers = 0;

    for (unsigned i = 0; i < 3; i++) {
        AUTO(tpm2_session) *s = visit(env);
        ESYS_TR srk = ESYS_TR_NONE, hmac = ESYS_TR_NONE;
        OK(tpm2_srk_open(env_op(), s, NULL, &srk, NULL));
        OK(tpm2_session_start_hmac(env_op(), s, srk, &hmac));
        s->n_kept = 0; /* forget to flush */
    }
    env->backend->count(env, &keys, &leftovers);
    assert_int_equal(leftovers, 6);
    AUTO(rot) *rot = env_open(env);
    assert_int_equal(n_keys(env), 0);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    env_check_signing(key);
}

/* --- no room --- */

static void fill_slots(const struct env *env)
{
    static const TPM2B_SENSITIVE_CREATE no_secret;
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcrs;
    TPM2B_PUBLIC foreign = tpm2_srk_template;
    AUTO(tpm2_session) *s = visit(env);
    ESYS_TR object = ESYS_TR_NONE;

    foreign.publicArea.parameters.eccDetail.symmetric.keyBits.aes = 256; /* not our template */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(Esys_CreatePrimary(s->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                            ESYS_TR_NONE, ESYS_TR_NONE, &no_secret, &foreign,
                                            &no_data, &no_pcrs, &object, NULL, NULL, NULL, NULL),
                         TSS2_RC_SUCCESS);
    }
}

static void foreign_objects_fill_the_slots(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *none = NULL;
    unsigned keys = 0, leftovers = 0;
    char text[1024];

    fill_slots(env);
    struct kw_op *op = env_op();
    REFUSED(rot_key_generate(op, rot, "k", KEY_ALG_EC_P256, &none), KW_E_UNAVAILABLE);
    assert_non_null(strstr(kw_op_message(op, text, sizeof(text)), "0x902"));
    env->backend->count(env, &keys, &leftovers);
    assert_int_equal(keys, 0);
    assert_int_equal(leftovers, 3); /* theirs stay */
    {
        AUTO(tpm2_session) *s = visit(env);
        for (unsigned i = 0; i < 3; i++) {
            ESYS_TR object = ESYS_TR_NONE;
            OK(tpm2_session_find(env_op(), s, TPM2_HANDLE_TRANSIENT + i, &object));
            tpm2_session_flush(s, object);
        }
    }
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    env_check_signing(key);
}

/* The TPM's own memory for persistent objects ends before our 256 handles do. */
static void a_full_tpm_says_so(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    unsigned n = 0;
    kw_status status = KW_OK;

    for (; n < 256 && kw_ok(status); n++) {
        AUTO(rot_key) *key = NULL;
        char label[16];
        (void)snprintf(label, sizeof(label), "k%u", n);
        status = rot_key_generate(env_op(), rot, label, KEY_ALG_EC_P256, &key);
    }
    print_message("# room for %u keys\n", n - 1);
    REFUSED(status, KW_E_FULL);
    assert_int_equal(n_keys(env), n - 1);
    AUTO(tpm2_index) *index = index_of(env);
    assert_int_equal(index->n, n - 1); /* nothing remains of the one that failed */
    AUTO(rot_key) *last = env_load(rot, "k0");
    env_check_signing(last);
}

/* --- passwords --- */

static void an_owner_password_is_said(void **state)
{
    static const TPM2B_AUTH password = {.size = 4, .buffer = "pass"};
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    char text[1024];
    {
        AUTO(tpm2_session) *s = visit(env);
        assert_int_equal(Esys_HierarchyChangeAuth(s->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                                  ESYS_TR_NONE, ESYS_TR_NONE, &password),
                         TSS2_RC_SUCCESS);
    }
    struct kw_op *op = env_op();
    REFUSED(rot_key_generate(op, rot, "n", KEY_ALG_EC_P256, &none), KW_E_DENIED);
    assert_non_null(strstr(kw_op_message(op, text, sizeof(text)), "password"));
    REFUSED(rot_key_destroy(env_op(), rot, "k", text, sizeof(text)), KW_E_DENIED);
    assert_int_equal(n_keys(env), 1);
    rot_key_close(TAKE(key));
}

/* --- on the bus --- */

enum { BUS_MAX = 1 << 20 };

static bool is_on_the_bus(const char *path, struct kw_span what)
{
    static uint8_t bus[BUS_MAX];
    size_t n = env_read(path, bus, sizeof(bus));
    return memmem(bus, n, what.p, what.len) != NULL;
}

/* TSS's own recorder between us and the TPM: what somebody with probes on the bus would see. */
static void secrets_do_not_cross_the_bus_in_clear(void **state)
{
    struct env *env = env_of(state);
    struct kw_span secret = kw_span_text("a secret of thirty-two octets...");
    struct kw_span message = kw_span_text("not a secret");
    char path[100], uri[512], text[512];
    AUTO(rot) *rot = NULL;
    AUTO(rot_key) *key = NULL;
    AUTO(kw_secret) *plain = NULL;
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    (void)snprintf(path, sizeof(path), "%s/bus.pcap", env->dir);
    assert_int_equal(setenv("TCTI_PCAP_FILE", path, 1), 0);
    (void)snprintf(uri, sizeof(uri), "tpm2:dir=%s,tcti=pcap:%s", env->rot_dir, env->tpm.tcti);
    struct kw_op *op = env_op();
    if (!kw_ok(rot_open(op, uri, &rot))) {
        print_message("no recorder here: %s\n", kw_op_message(op, text, sizeof(text)));
        skip();
    }
    OK(kw_secret_copy(secret, &plain));
    OK(rot_seal(env_op(), rot, plain, &sealed));
    OK(rot_unseal(env_op(), rot, kw_bytes_span(sealed), &opened));
    assert_true(kw_secret_equal(plain, opened));
    OK(rot_key_generate(env_op(), rot, "k", KEY_ALG_EC_P256, &key));
    uint8_t digest[KW_HASH_BYTES];
    digest_sha256(message, digest);
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    OK(rot_key_sign(env_op(), key, message, &sig));
    rot_key_close(TAKE(key));
    rot_close(TAKE(rot));
    assert_true(is_on_the_bus(path, KW_SPAN_ARRAY(digest))); /* the recorder works */
    assert_false(is_on_the_bus(path, kw_span_sub(secret, 0, 16)));
    assert_false(is_on_the_bus(path, kw_span_sub(secret, 16, 16)));
}

/* --- how long it takes --- */

static void measure(const char *what, struct rot_key *key, unsigned n)
{
    int64_t worst = 0, sum = 0;
    for (unsigned i = 0; i < n; i++) {
        int64_t start = os_clock_mono_ns();
        OK(try_sign(key));
        int64_t took = os_clock_mono_ns() - start;
        worst = took > worst ? took : worst;
        sum += took;
    }
    print_message("# %s: mean %.2f ms, worst %.2f ms\n", what, (double)sum / n / 1e6,
                  (double)worst / 1e6);
    assert_true(sum / n < PRIVKEY_TLS_DEADLINE_MS * INT64_C(1000000));
}

static void signing_is_fast_enough_for_tls(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *p256 = env_generate(rot, "p256", KEY_ALG_EC_P256);
    AUTO(rot_key) *p384 = env_generate(rot, "p384", KEY_ALG_EC_P384);
    int64_t start = os_clock_mono_ns();

    for (unsigned i = 0; i < 20; i++) {
        tpm2_session_close(visit(env));
    }
    print_message("# connect and leave: mean %.2f ms\n",
                  (double)(os_clock_mono_ns() - start) / 20 / 1e6);
    measure("sign P-256", p256, 100);
    measure("sign P-384", p384, 50);
}

#define ROW(function)                                                                              \
    {#function, function, env_setup, env_teardown, (void *)(uintptr_t)&env_backend_tpm2}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_tpm_that_goes_away_comes_back),  ROW(killed_while_it_works),
        ROW(a_tpm_that_hangs_is_given_up),     ROW(too_late_is_not_begun),
        ROW(stopped_while_it_works),           ROW(others_may_look_meanwhile),
        ROW(a_replaced_tpm_is_noticed),        ROW(a_cleared_tpm_is_noticed),
        ROW(a_persistent_storage_key_is_used), ROW(pending_entries_are_swept),
        ROW(destroying_goes_on_after_a_cut),   ROW(own_leftovers_are_flushed),
        ROW(foreign_objects_fill_the_slots),   ROW(a_full_tpm_says_so),
        ROW(an_owner_password_is_said),        ROW(secrets_do_not_cross_the_bus_in_clear),
        ROW(signing_is_fast_enough_for_tls),
    };
    return cmocka_run_group_tests_name("rot/tpm2 faults", tests, NULL, NULL);
}
