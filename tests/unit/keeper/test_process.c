/* The gate's client and the real program: a ceremony, a server's day, and what goes wrong. */
#include <dirent.h>
#include <endian.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/checkpoint.h"
#include "contract/rot/swtpm.h"
#include "crypto/csr.h"
#include "hostile/keeper/rig.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/files.h"

enum { DEADLINE_MS = 60000, THREADS = 8, CALLS = 50, CRL_ENTRIES = 40000 };

static struct rig *rig;

static int setup(void **state)
{
    (void)state;
    rig = rig_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static struct kw_op new_op(void)
{
    struct kw_op op;

    kw_op_init(&op, "test", os_clock_mono_ms() + DEADLINE_MS);
    assert_true(KW_TEXT_SET(op.request_id, "0123456789abcdef"));
    return op;
}

static kw_status start(struct kw_op *op, bool create, bool ceremony, struct keeper **ret)
{
    struct keeper_config config = {.program = rig->program,
                                   .vault = rig->vault,
                                   .unlock = rig->unlock,
                                   .create = create,
                                   .ceremony = ceremony};

    *op = new_op();
    return keeper_start(op, &config, ret);
}

static struct keeper *serve(void)
{
    struct keeper *keeper = NULL;
    struct kw_op op;
    kw_status status = start(&op, false, false, &keeper);

    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
    return keeper;
}

static void keys_are_listed(void **state)
{
    AUTO(keeper) *keeper = serve();
    struct kw_op op = new_op();
    struct keeper_key_info info;
    uint32_t n = 0;

    (void)state;
    while (kw_ok(keeper_key_at(&op, keeper, n, &info))) {
        AUTO(pubkey) *key = NULL;
        struct keeper_key_info same;
        assert_ok(keeper_key_find(&op, keeper, info.key_id, &same));
        assert_string_equal(same.custody, "soft-sealed");
        assert_int_equal(same.state, KEY_ACTIVE);
        assert_ok(keeper_key_public(&op, keeper, info.key_id, &key));
        assert_true(kw_span_equal(pubkey_spki(key), KW_SPAN(info.spki, info.spki_len)));
        n++;
    }
    assert_int_equal(op.code, KW_E_NOT_FOUND);
    assert_int_equal(n, RIG_KEYS);
    kw_op_clear(&op);
    assert_code(keeper_key_find(&op, keeper, "nobody", &info), KW_E_NOT_FOUND);
}

/* A certificate by the CA key of the keeper, through OpenSSL, as the server makes it. */
static kw_status issue(struct kw_op *op, struct keeper *keeper, const struct privkey *ca,
                       const char *cn, struct kw_bytes **ret)
{
    uint8_t serial[1][KW_SERIAL_BYTES];
    uint8_t dn_room[KW_DN_MAX];
    struct kw_span dn = rig_dn(1, "device", "DEV1");
    int64_t now = os_clock_unix_s();

    memcpy(dn_room, dn.p, dn.len);
    TRY(op, keeper_serials(op, keeper, "ca", 1, serial));
    struct cert_spec spec = {.issuer_dn = rig_ca_dn(RIG_CA),
                             .subject_dn = KW_SPAN(dn_room, dn.len),
                             .serial = KW_SPAN(serial[0], KW_SERIAL_BYTES),
                             .not_before = now,
                             .not_after = now + RIG_DAY_S,
                             .key = privkey_public(rig->device),
                             .issuer_key = rig->key[RIG_CA],
                             .path_len = -1,
                             .key_usage = CERT_KU_DIGITAL_SIGNATURE,
                             .eku = {"1.3.6.1.5.5.7.3.2"},
                             .san_dns = {cn}};
    return cert_build(op, &spec, ca, ret);
}

static void certificates_are_issued(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *ca = NULL;
    AUTO(privkey) *wrong_rule = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *none = NULL;
    AUTO(cert) *cert = NULL;
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT, "leaf", &ca));
    assert_ok(issue(&op, keeper, ca, "device.local", &der));
    assert_ok(cert_parse(&op, kw_bytes_span(der), &cert));
    assert_ok(cert_verify_signature(&op, cert, rig->key[RIG_CA]));
    assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT, "server", &wrong_rule));
    assert_code(issue(&op, keeper, wrong_rule, "device.local", &none), KW_E_DENIED);
    assert_non_null(strstr(kw_op_cause(&op), "eku: "));
    /* The request id of the operation stands in the keeper's log. */
    assert_int_equal(rig_refused(rig, " 0123456789abcdef SIGN_CERT ca denied eku: ", NULL, NULL),
                     1);
}

static kw_status make_key(struct kw_op *op, struct keeper *keeper, const char *rule,
                          enum key_alg alg, const struct privkey *recipient, struct pubkey **made,
                          struct kw_bytes **sealed)
{
    *op = new_op();
    return keeper_key_birth(op, keeper, "ca", rule, alg, privkey_public(recipient),
                            kw_span_text("its name"), made, sealed);
}

/* Only under a rule that says so, and for who can decrypt it; what is in it: test_cms_key.c. */
static void keys_are_made_for_others(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *theirs = NULL;
    AUTO(privkey) *signs = NULL;
    AUTO(pubkey) *made = NULL, *again = NULL, *none = NULL;
    AUTO(kw_bytes) *sealed = NULL, *second = NULL, *nothing = NULL;
    struct kw_op op = new_op();

    (void)state;
    assert_ok(privkey_generate(&op, KEY_ALG_EC_P256, &theirs));
    assert_ok(privkey_generate(&op, KEY_ALG_ED25519, &signs));
    assert_ok(make_key(&op, keeper, "leaf", KEY_ALG_EC_P256, theirs, &made, &sealed));
    assert_int_equal(pubkey_alg(made), KEY_ALG_EC_P256);
    assert_true(sealed->len > 300);
    assert_ok(make_key(&op, keeper, "leaf", KEY_ALG_EC_P256, theirs, &again, &second));
    assert_false(pubkey_equal(made, again));
    assert_code(make_key(&op, keeper, "server", KEY_ALG_EC_P256, theirs, &none, &nothing),
                KW_E_DENIED);
    assert_non_null(strstr(kw_op_cause(&op), "no keys are made"));
    assert_code(make_key(&op, keeper, "absent", KEY_ALG_EC_P256, theirs, &none, &nothing),
                KW_E_DENIED);
    assert_code(make_key(&op, keeper, "leaf", KEY_ALG_RSA_3072, theirs, &none, &nothing),
                KW_E_DENIED);
    assert_code(make_key(&op, keeper, "leaf", KEY_ALG_EC_P256, signs, &none, &nothing),
                KW_E_UNSUPPORTED);
    assert_null(none);
}

static kw_status many(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    static uint8_t serial[KW_SERIAL_BYTES];
    uint32_t *n = ctx;

    (void)op;
    memset(serial, 0x11, sizeof(serial));
    uint32_t mark = htobe32(*n);
    memcpy(serial + 4, &mark, sizeof(mark));
    *ret = (struct crl_entry){KW_SPAN_ARRAY(serial), os_clock_unix_s(), 1};
    *ret_more = (*n)++ < CRL_ENTRIES;
    return KW_OK;
}

/* Small ones go in the packet, large ones beside it. */
static void lists_of_any_size_are_signed(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *ca = NULL;
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CRL, NULL, &ca));
    for (unsigned i = 0; i < 2; i++) {
        AUTO(kw_bytes) *der = NULL;
        AUTO(crl) *crl = NULL;
        uint32_t n = i == 0 ? CRL_ENTRIES - 3 : 0;
        struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());
        spec.next = many;
        spec.ctx = &n;
        assert_ok(crl_build(&op, &spec, ca, &der));
        assert_ok(crl_parse(&op, kw_bytes_span(der), &crl));
        assert_int_equal(crl_count(crl), i == 0 ? 3 : CRL_ENTRIES);
        assert_ok(crl_verify_signature(&op, crl, rig->key[RIG_CA]));
    }
}

static void checkpoints_are_signed(void **state)
{
    AUTO(keeper) *keeper = serve();
    struct checkpoint cp = {.origin = RIG_ORIGIN, .size = 1};
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    char body[CHECKPOINT_TEXT_MAX];
    struct kw_op op = new_op();
    uint64_t last_size = 77;

    (void)state;
    cp.root = tlog_leaf_hash(KW_SPAN("x", 1));
    assert_ok(checkpoint_body(&op, &cp, body, sizeof(body)));
    struct kw_span text = kw_span_text(body);
    assert_ok(keeper_sign_checkpoint(&op, keeper, "log", text, 0, NULL, 0, &sig, &last_size));
    assert_ok(pubkey_verify(&op, rig->key[RIG_LOG], text, kw_out_span(&sig)));
    assert_int_equal(last_size, 77); /* set only on a refusal */
    assert_code(keeper_sign_checkpoint(&op, keeper, "log", text, 0, NULL, 0, &sig, &last_size),
                KW_E_DENIED);
    assert_int_equal(last_size, 1);
}

/* What the keeper would call malformed would end the channel for everybody: it never leaves. */
static void names_of_no_key_end_no_channel(void **state)
{
    static const char *const names[] = {"a\rb", "\x01", "\xff\xfe", "\xc0\xaf", "nobody"};
    AUTO(keeper) *keeper = serve();
    struct keeper_key_life life;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(names); i++) {
        struct kw_op op = new_op();
        bool is_text = i + 1 == KW_COUNT(names);
        assert_code(keeper_key_history(&op, keeper, names[i], &life),
                    is_text ? KW_E_NOT_FOUND : KW_E_INPUT);
        kw_op_clear(&op);
        assert_ok(keeper_key_history(&op, keeper, "log", &life)); /* the same channel, at once */
    }
}

static void the_ca_asks_its_root(void **state)
{
    AUTO(keeper) *keeper = NULL;
    AUTO(privkey) *ca = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(csr) *csr = NULL;
    struct kw_op op;

    (void)state;
    assert_ok(start(&op, false, /* ceremony= */ true, &keeper));
    assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT_REQUEST, NULL, &ca));
    assert_ok(csr_build(&op, rig_ca_dn(RIG_CA), ca, &der));
    assert_ok(csr_parse(&op, kw_bytes_span(der), &csr));
    assert_true(pubkey_equal(csr_public(csr), rig->key[RIG_CA]));
}

static void purposes_need_their_argument(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *key = NULL;
    struct kw_op op = new_op();

    (void)state;
    assert_code(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT, NULL, &key), KW_E_INPUT);
    assert_code(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CRL, "x", &key), KW_E_INPUT);
    assert_code(keeper_privkey(&op, keeper, "ca", (enum keeper_purpose)99, NULL, &key), KW_E_INPUT);
    assert_code(keeper_privkey(&op, keeper, "nobody", KEEPER_SIGN_CRL, NULL, &key), KW_E_NOT_FOUND);
}

/* Counts outlive the process that ended in order. */
static void signatures_are_counted(void **state)
{
    struct keeper_key_info info;

    (void)state;
    for (unsigned i = 1; i <= 2; i++) {
        AUTO(keeper) *keeper = serve();
        AUTO(privkey) *ca = NULL;
        AUTO(kw_bytes) *der = NULL;
        struct kw_op op = new_op();
        assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT, "leaf", &ca));
        assert_ok(issue(&op, keeper, ca, "device.local", &der));
        assert_ok(keeper_key_find(&op, keeper, "ca", &info));
        assert_int_equal(info.signatures, i);
    }
}

static void starts_that_fail(void **state)
{
    AUTO(keeper) *keeper = NULL;
    char path[128];
    struct kw_op op;

    (void)state;
    assert_code(start(&op, /* create= */ true, false, &keeper), KW_E_CONFLICT);
    (void)snprintf(path, sizeof(path), "%s/passphrase", rig->dir);
    assert_ok(os_file_write(NULL, path, 0600, kw_span_text("another passphrase")));
    assert_code(start(&op, false, false, &keeper), KW_E_DENIED);
    assert_non_null(strstr(kw_op_cause(&op), "the passphrase is wrong"));
    assert_ok(os_file_write(NULL, path, 0600, kw_span_text(RIG_PASSPHRASE)));
    (void)snprintf(path, sizeof(path), "%s/state", rig->vault);
    assert_int_equal(unlink(path), 0);
    assert_code(start(&op, false, false, &keeper), KW_E_INTEGRITY);
    (void)snprintf(rig->vault, sizeof(rig->vault), "%s/none", rig->dir);
    assert_code(start(&op, false, false, &keeper), KW_E_NOT_FOUND);
    (void)snprintf(rig->program, sizeof(rig->program), "/nonexistent");
    assert_code(start(&op, false, false, &keeper), KW_E_NOT_FOUND);
    assert_null(keeper);
}

/* The keeper's process, found as our only child. */
static pid_t child(void)
{
    char path[300];
    const struct dirent *task = NULL;
    DIR *tasks = opendir("/proc/self/task");
    long pid = 0;

    assert_non_null(tasks);
    while (pid == 0 && (task = readdir(tasks)) != NULL) { /* children of the thread that began it */
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/children", task->d_name);
        FILE *file = fopen(path, "r");
        if (!file) {
            continue;
        }
        char line[32] = "";
        pid = fgets(line, sizeof(line), file) ? strtol(line, NULL, 10) : 0;
        (void)fclose(file);
    }
    (void)closedir(tasks);
    assert_true(pid > 1);
    return (pid_t)pid;
}

static enum kw_code ask(struct keeper *keeper)
{
    struct kw_op op = new_op();
    struct keeper_info info;

    return keeper_info(&op, keeper, &info).code;
}

/* Killed, it comes back by itself; keys stay valid, requests meanwhile are told to come again. */
static void a_killed_keeper_comes_back(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *ca = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct kw_op op = new_op();
    int64_t until_ms = os_clock_mono_ms() + DEADLINE_MS;

    (void)state;
    assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT, "leaf", &ca));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(kill(child(), SIGKILL), 0);
        while (keeper_alive(keeper)) {
            (void)usleep(1000);
        }
        assert_int_equal(ask(keeper), KW_E_UNAVAILABLE);
        while (!keeper_alive(keeper) && os_clock_mono_ms() < until_ms) {
            (void)usleep(1000);
        }
        assert_int_equal(ask(keeper), KW_CODE_OK);
    }
    assert_ok(issue(&op, keeper, ca, "device.local", &der));
}

/* Stopped, its keys are told so; nothing hangs. */
/* Stopped as a hung HSM would stop it: it is killed and started anew, and nobody waits for ever. */
static void a_hung_keeper_is_replaced(void **state)
{
    AUTO(keeper) *keeper = serve();
    int64_t until_ms = os_clock_mono_ms() + 2 * DEADLINE_MS;

    (void)state;
    pid_t hung = child();
    assert_int_equal(kill(hung, SIGSTOP), 0);
    while (keeper_restarts(keeper) == 0) {
        assert_true(os_clock_mono_ms() < until_ms);
        (void)usleep(100000);
    }
    assert_int_equal(ask(keeper), KW_CODE_OK);
    assert_int_equal(kill(hung, 0), -1);
}

/* Whose driver works while it serves may do more, and nobody else. */
static void check_drivers(struct keeper *keeper, bool drivers)
{
    struct keeper_info info;
    struct kw_op op;

    kw_op_init(&op, "test", os_clock_mono_ms() + DEADLINE_MS);
    assert_ok(keeper_info(&op, keeper, &info));
    assert_int_equal(info.drivers, drivers);
}

/* Sealed: nothing but its state is told, nothing is signed, and so it stays over a restart. */
static void a_sealed_vault_gives_nothing(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *ca = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct keeper_vault_status vault;
    struct keeper_key_info info;
    uint32_t generation = 0;
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_privkey(&op, keeper, "ca", KEEPER_SIGN_CERT, "leaf", &ca));
    check_drivers(keeper, false); /* a passphrase needs none */
    assert_ok(keeper_vault_seal(&op, keeper));
    for (unsigned i = 0; i < 2; i++) {
        op = new_op();
        assert_ok(keeper_vault_status(&op, keeper, &vault));
        assert_false(vault.open);
        assert_string_equal(vault.method, "passphrase");
        assert_code(issue(&op, keeper, ca, "device.local", &der), KW_E_UNAVAILABLE);
        assert_code(keeper_key_find(&op, keeper, "ca", &info), KW_E_UNAVAILABLE);
        assert_code(keeper_vault_seal(&op, keeper), KW_E_UNAVAILABLE);
        assert_code(keeper_vault_rekey(&op, keeper, false, 0, &generation), KW_E_UNAVAILABLE);
        assert_int_equal(ask(keeper), KW_CODE_OK); /* it is not ill */
        keeper_stop(TAKE(keeper));
        keeper = serve();
    }
}

static void a_key_outlives_its_keeper(void **state)
{
    AUTO(privkey) *tls = NULL;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct keeper *keeper = serve();
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_privkey(&op, keeper, "tls", KEEPER_SIGN_TLS, NULL, &tls));
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 32);
    struct kw_span content = KW_SPAN(rig->tbs, rig->tbs_len);
    assert_ok(privkey_sign(&op, tls, content, &sig));
    assert_ok(pubkey_verify(&op, rig->key[RIG_TLS], content, kw_out_span(&sig)));
    keeper_stop(keeper);
    assert_code(privkey_sign(&op, tls, content, &sig), KW_E_UNAVAILABLE);
}

/* A vault that only this TPM opens. */
static void a_tpm_opens_its_vault(void **state)
{
    static struct swtpm tpm;
    static struct swtpm other;
    char dir[96];
    char other_dir[96];
    struct kw_op op;

    (void)state;
    if (!swtpm_is_installed()) {
        print_message("swtpm is not installed\n");
        skip();
    }
    (void)snprintf(dir, sizeof(dir), "%s/tpm", rig->dir);
    (void)snprintf(other_dir, sizeof(other_dir), "%s/other", rig->dir);
    assert_int_equal(mkdir(dir, 0700) | mkdir(other_dir, 0700), 0);
    assert_true(swtpm_start(&tpm, dir, 0));
    (void)snprintf(rig->vault, sizeof(rig->vault), "%s/tpm-vault", rig->dir);
    (void)snprintf(rig->unlock, sizeof(rig->unlock), "tpm2:dir=%s,tcti=%s", dir, tpm.tcti);
    for (unsigned i = 0; i < 2; i++) {
        AUTO(keeper) *keeper = NULL;
        kw_status status = start(&op, /* create= */ i == 0, /* ceremony= */ i == 0, &keeper);
        assert_string_equal(kw_op_cause(&op), "");
        assert_ok(status);
        assert_int_equal(ask(keeper), KW_CODE_OK);
        check_drivers(keeper, true);
    }
    AUTO(keeper) *none = NULL;
    assert_true(swtpm_start(&other, other_dir, 0));
    (void)snprintf(rig->unlock, sizeof(rig->unlock), "tpm2:dir=%s,tcti=%s", other_dir, other.tcti);
    assert_code(start(&op, false, false, &none), KW_E_DENIED);
    swtpm_stop(&other);
    swtpm_stop(&tpm);
    (void)snprintf(rig->unlock, sizeof(rig->unlock), "tpm2:dir=%s,tcti=%s", dir, tpm.tcti);
    assert_code(start(&op, false, false, &none), KW_E_UNAVAILABLE);
}

struct crowd {
    struct keeper *keeper;
    const struct privkey *tls;
    atomic_uint n_wrong;
};

static void *crowd_member(void *ctx)
{
    struct crowd *crowd = ctx;
    struct kw_span content = KW_SPAN(rig->tbs, rig->tbs_len);

    for (unsigned i = 0; i < CALLS; i++) {
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        uint8_t serials[3][KW_SERIAL_BYTES];
        struct kw_op op;
        kw_op_init(&op, "test", os_clock_mono_ms() + DEADLINE_MS);
        if (!kw_ok(privkey_sign(&op, crowd->tls, content, &sig)) ||
            !kw_ok(pubkey_verify(&op, rig->key[RIG_TLS], content, kw_out_span(&sig))) ||
            !kw_ok(keeper_serials(&op, crowd->keeper, "ca", 3, serials))) {
            atomic_fetch_add(&crowd->n_wrong, 1);
        }
    }
    return NULL;
}

static void many_threads_share_it(void **state)
{
    AUTO(keeper) *keeper = serve();
    AUTO(privkey) *tls = NULL;
    struct crowd crowd = {.keeper = keeper};
    pthread_t threads[THREADS];
    struct kw_op op = new_op();

    (void)state;
    assert_ok(keeper_privkey(&op, keeper, "tls", KEEPER_SIGN_TLS, NULL, &tls));
    rig_tls_content(rig, "TLS 1.3, server CertificateVerify", 32);
    crowd.tls = tls;
    atomic_init(&crowd.n_wrong, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &crowd), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&crowd.n_wrong), 0);
}

/* The gate dies: so does the keeper. */
static void it_dies_with_the_gate(void **state)
{
    int pipe_fds[2];
    pid_t keeper_pid = 0;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t gate = fork();
    if (gate == 0) {
        struct keeper *keeper = serve();
        pid_t pid = child();
        ssize_t n = write(pipe_fds[1], &pid, sizeof(pid));
        (void)n; /* the test sees it */
        (void)keeper;
        (void)pause(); /* until it is killed */
        _exit(1);
    }
    assert_int_equal(read(pipe_fds[0], &keeper_pid, sizeof(keeper_pid)), sizeof(keeper_pid));
    assert_int_equal(kill(gate, SIGKILL), 0);
    assert_int_equal(waitpid(gate, NULL, 0), gate);
    int64_t until_ms = os_clock_mono_ms() + DEADLINE_MS;
    while (kill(keeper_pid, 0) == 0 && os_clock_mono_ms() < until_ms) {
        (void)usleep(1000);
    }
    assert_int_not_equal(kill(keeper_pid, 0), 0);
    assert_int_equal(close(pipe_fds[0]) | close(pipe_fds[1]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_listed),
        TEST(certificates_are_issued),
        TEST(keys_are_made_for_others),
        TEST(lists_of_any_size_are_signed),
        TEST(checkpoints_are_signed),
        TEST(names_of_no_key_end_no_channel),
        TEST(the_ca_asks_its_root),
        TEST(purposes_need_their_argument),
        TEST(signatures_are_counted),
        TEST(starts_that_fail),
        TEST(a_killed_keeper_comes_back),
        TEST(a_hung_keeper_is_replaced),
        TEST(a_sealed_vault_gives_nothing),
        TEST(a_key_outlives_its_keeper),
        TEST(a_tpm_opens_its_vault),
        TEST(many_threads_share_it),
        TEST(it_dies_with_the_gate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
