/* What every root of trust must do; run once a backend: contract_rot soft|tpm2|pkcs11. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/csr.h"
#include "crypto/dn.h"
#include "env.h"
#include "handshake.h"
#include "os/clock.h"

enum { CYCLES = 50, THREADS = 8, SIGNATURES = 8, KILLS = 12, FLIP_STEP = 7 };

static void tells_what_it_is(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    struct rot_info info = rot_info(rot);

    assert_string_equal(info.scheme, env->backend->name);
    assert_int_equal(info.caps, env->backend->caps);
    assert_int_equal(info.assurance_level, env->backend->assurance_level);
    print_message("# vendor: %s\n", info.vendor);
    assert_true(info.vendor[0]);
}

static void signs_with_each_algorithm(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);

    for (enum key_alg alg = KEY_ALG_NONE; alg <= KEY_ALG_MAX; alg++) {
        AUTO(rot_key) *key = NULL;
        if (env->backend->algs & KEY_ALG_BIT(alg)) {
            key = env_generate(rot, key_alg_text(alg), alg);
            assert_int_equal(pubkey_alg(rot_key_public(key)), alg);
            env_check_signing(key);
            continue;
        }
        REFUSED(rot_key_generate(env_op(), rot, "refused", alg, &key), KW_E_UNSUPPORTED);
        assert_null(key);
    }
    AUTO(rot_key) *refused = NULL;
    REFUSED(rot_key_load(env_op(), rot, "refused", &refused), KW_E_NOT_FOUND);
}

static void signs_messages_of_any_size(void **state)
{
    static const uint8_t message[100000];
    static const size_t sizes[] = {0, 1, 64, sizeof(message)};
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);

    for (size_t i = 0; i < KW_COUNT(sizes); i++) {
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        OK(rot_key_sign(env_op(), key, KW_SPAN(message, sizes[i]), &sig));
        OK(pubkey_verify(env_op(), rot_key_public(key), KW_SPAN(message, sizes[i]),
                         kw_out_span(&sig)));
    }
    uint8_t little[8];
    struct kw_out sig = KW_OUT_ARRAY(little);
    REFUSED(rot_key_sign(env_op(), key, KW_SPAN(message, 1), &sig), KW_E_TOO_LARGE);
}

static void refuses_bad_labels(void **state)
{
    static const char *const labels[] = {
        "",     "a b", "a/b", "..",  "a.key",
        "../x", "ä",   "a_b", "a\n", "123456789-123456789-123456789-123"};
    AUTO(rot) *rot = env_open(env_of(state));
    char proof[256];

    for (size_t i = 0; i < KW_COUNT(labels); i++) {
        AUTO(rot_key) *key = NULL;
        REFUSED(rot_key_generate(env_op(), rot, labels[i], KEY_ALG_EC_P256, &key), KW_E_INPUT);
        REFUSED(rot_key_load(env_op(), rot, labels[i], &key), KW_E_INPUT);
        REFUSED(rot_key_destroy(env_op(), rot, labels[i], proof, sizeof(proof)), KW_E_INPUT);
    }
    AUTO(rot_key) *longest = env_generate(rot, "123456789-123456789-123456789-12", KEY_ALG_EC_P256);
    env_check_signing(longest);
}

static void a_label_is_taken_once(void **state)
{
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(rot_key) *key = env_generate(rot, "idevid", KEY_ALG_EC_P256);
    AUTO(rot_key) *other = NULL;

    REFUSED(rot_key_generate(env_op(), rot, "idevid", KEY_ALG_EC_P384, &other), KW_E_CONFLICT);
    assert_null(other);
    AUTO(rot_key) *same = env_load(rot, "idevid");
    assert_true(pubkey_equal(rot_key_public(same), rot_key_public(key)));
    env_check_signing(key);
}

static void unknown_labels(void **state)
{
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(rot_key) *key = NULL;
    char proof[256] = "";

    REFUSED(rot_key_load(env_op(), rot, "nobody", &key), KW_E_NOT_FOUND);
    OK(rot_key_destroy(env_op(), rot, "nobody", proof, sizeof(proof)));
    assert_non_null(strstr(proof, "absent"));
}

static void keys_outlive_the_process(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "idevid", KEY_ALG_EC_P384);
    AUTO(rot) *again = env_open(env); /* also beside the first */
    AUTO(rot_key) *loaded = env_load(again, "idevid");

    assert_true(pubkey_equal(rot_key_public(loaded), rot_key_public(key)));
    rot_close(TAKE(rot)); /* its key stays usable */
    env_check_signing(key);
    env_check_signing(loaded);
    rot_key_close(TAKE(key));
    rot_key_close(TAKE(loaded));
    rot_close(TAKE(again));
    again = env_open(env);
    loaded = env_load(again, "idevid");
    env_check_signing(loaded);
}

static void attributes_come_from_the_root_of_trust(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "idevid", KEY_ALG_EC_P256);
    char text[256];

    OK(rot_key_attributes(env_op(), key, text, sizeof(text)));
    print_message("# %s\n", text);
    assert_non_null(strstr(text, env->backend->attribute));
    REFUSED(rot_key_attributes(env_op(), key, text, 10), KW_E_TOO_LARGE);
}

static void destroyed_is_gone(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "ldevid", KEY_ALG_EC_P256);
    AUTO(rot_key) *other = env_generate(rot, "other", KEY_ALG_EC_P256);
    AUTO(rot_key) *loaded = NULL;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    char text[256];

    OK(rot_key_destroy(env_op(), rot, "ldevid", text, sizeof(text)));
    print_message("# %s\n", text);
    REFUSED(rot_key_load(env_op(), rot, "ldevid", &loaded), KW_E_NOT_FOUND);
    REFUSED(rot_key_sign(env_op(), key, kw_span_text("x"), &sig), KW_E_STATE);
    REFUSED(rot_key_attributes(env_op(), key, text, sizeof(text)), KW_E_STATE);
    env_check_signing(other);
    OK(rot_key_destroy(env_op(), rot, "ldevid", text, sizeof(text)));
    assert_non_null(strstr(text, "absent"));

    AUTO(rot_key) *reused = env_generate(rot, "ldevid", KEY_ALG_EC_P256);
    assert_false(pubkey_equal(rot_key_public(reused), rot_key_public(key)));
    env_check_signing(reused);
    REFUSED(rot_key_sign(env_op(), key, kw_span_text("x"), &sig), KW_E_STATE);
    unsigned n_keys = 0, n_leftovers = 0;
    env->backend->count(env, &n_keys, &n_leftovers);
    assert_int_equal(n_keys, 2);
    assert_int_equal(n_leftovers, 0);
}

/* Another process destroyed it: the open key must not sign any more as if nothing had been. */
static void destroyed_behind_our_back(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot) *elsewhere = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *loaded = NULL;
    char proof[256];

    OK(rot_key_destroy(env_op(), elsewhere, "k", proof, sizeof(proof)));
    REFUSED(rot_key_load(env_op(), rot, "k", &loaded), KW_E_NOT_FOUND);
    if (env->backend->caps & ROT_CAP_NO_EXPORT) { /* a soft key is in this process's memory */
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        REFUSED(rot_key_sign(env_op(), key, kw_span_text("x"), &sig), KW_E_INTEGRITY);
    }
}

static kw_status gather(struct kw_op *op, const char *label, void *ctx)
{
    TRY(op, kw_bytes_printf(ctx, "%s ", label));
    return KW_OK;
}

static kw_status stop_there(struct kw_op *op, const char *label, void *ctx)
{
    ++*(unsigned *)ctx;
    return FAIL(op, KW_E_STATE, "enough: %s", label);
}

static void lists_its_keys(void **state)
{
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(kw_bytes) *labels = NULL;
    unsigned n = 0;
    char proof[256];

    OK(kw_bytes_new(64, &labels));
    OK(rot_key_each(env_op(), rot, gather, labels));
    assert_int_equal(labels->len, 0);
    rot_key_close(env_generate(rot, "a", KEY_ALG_EC_P256));
    rot_key_close(env_generate(rot, "b", KEY_ALG_EC_P256));
    rot_key_close(env_generate(rot, "c", KEY_ALG_EC_P256));
    OK(rot_key_destroy(env_op(), rot, "b", proof, sizeof(proof)));
    OK(rot_key_each(env_op(), rot, gather, labels));
    assert_true(kw_span_equal(kw_bytes_span(labels), kw_span_text("a c ")));
    REFUSED(rot_key_each(env_op(), rot, stop_there, &n), KW_E_STATE);
    assert_int_equal(n, 1);
}

/* --- sealing --- */

static struct kw_bytes *seal(struct rot *rot, const struct kw_secret *plain)
{
    struct kw_bytes *sealed = NULL;
    OK(rot_seal(env_op(), rot, plain, &sealed));
    return sealed;
}

static struct kw_secret *secret_of(size_t len)
{
    struct kw_secret *secret = NULL;
    OK(kw_secret_new(len, &secret));
    for (size_t i = 0; i < len; i++) {
        kw_secret_data(secret)[i] = (uint8_t)(i + len);
    }
    return secret;
}

static void unseals_what_it_sealed(void **state)
{
    static const size_t sizes[] = {1, 32, 128};
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);

    for (size_t i = 0; i < KW_COUNT(sizes); i++) {
        AUTO(kw_secret) *plain = secret_of(sizes[i]);
        AUTO(kw_secret) *opened = NULL;
        AUTO(kw_bytes) *sealed = seal(rot, plain);
        if (sizes[i] > 8) {
            assert_null(memmem(sealed->p, sealed->len, kw_secret_data(plain), sizes[i]));
        }
        AUTO(rot) *later = env_open(env);
        OK(rot_unseal(env_op(), later, kw_bytes_span(sealed), &opened));
        assert_true(kw_secret_equal(plain, opened));
    }
    AUTO(kw_secret) *none = secret_of(0);
    AUTO(kw_secret) *much = secret_of(129);
    AUTO(kw_bytes) *sealed = NULL;
    REFUSED(rot_seal(env_op(), rot, none, &sealed), KW_E_INPUT);
    REFUSED(rot_seal(env_op(), rot, much, &sealed), KW_E_TOO_LARGE);
}

static void altered_seals_are_refused(void **state)
{
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(kw_secret) *plain = secret_of(32);
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *sealed = seal(rot, plain);

    for (size_t i = 0; i < sealed->len; i += i < 6 ? 1 : FLIP_STEP) {
        sealed->p[i] ^= 0x10;
        REFUSED(rot_unseal(env_op(), rot, kw_bytes_span(sealed), &opened), KW_E_INTEGRITY);
        sealed->p[i] ^= 0x10;
    }
    for (size_t len = 0; len < sealed->len; len += FLIP_STEP) {
        REFUSED(rot_unseal(env_op(), rot, KW_SPAN(sealed->p, len), &opened), KW_E_INTEGRITY);
    }
    OK(kw_bytes_append(sealed, kw_span_text("x")));
    REFUSED(rot_unseal(env_op(), rot, kw_bytes_span(sealed), &opened), KW_E_INTEGRITY);
    assert_null(opened);
    sealed->len--;
    OK(rot_unseal(env_op(), rot, kw_bytes_span(sealed), &opened));
}

static void another_one_cannot_unseal(void **state)
{
    struct env *env = env_of(state);
    void *other_state = (void *)(uintptr_t)env->backend;
    AUTO(rot) *rot = env_open(env);
    AUTO(kw_secret) *plain = secret_of(32);
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_bytes) *sealed = seal(rot, plain);

    assert_int_equal(env_setup(&other_state), 0);
    AUTO(rot) *other = env_open(other_state);
    REFUSED(rot_unseal(env_op(), other, kw_bytes_span(sealed), &opened), KW_E_INTEGRITY);
    rot_close(TAKE(other));
    assert_int_equal(env_teardown(&other_state), 0);
}

/* --- stored form --- */

static void altered_files_are_refused(void **state)
{
    struct env *env = env_of(state);
    uint8_t good[8192], bad[8192];
    char path[256];
    AUTO(rot) *rot = env_open(env);
    rot_key_close(env_generate(rot, "idevid", KEY_ALG_EC_P256));

    if (!env->backend->key_file) {
        print_message("# the token keeps its files by itself\n");
        return;
    }
    env->backend->key_file(env, "idevid", path, sizeof(path));
    size_t n = env_read(path, good, sizeof(good));
    for (size_t i = 0; i < n; i++) {
        AUTO(rot_key) *key = NULL;
        memcpy(bad, good, n);
        bad[i] ^= 0x01;
        env_write(path, bad, n);
        REFUSED(rot_key_load(env_op(), rot, "idevid", &key), KW_E_INTEGRITY);
    }
    for (size_t len = 0; len < n; len += FLIP_STEP) {
        AUTO(rot_key) *key = NULL;
        env_write(path, good, len);
        REFUSED(rot_key_load(env_op(), rot, "idevid", &key), KW_E_INTEGRITY);
    }
    env_write(path, good, n);
    AUTO(rot_key) *key = env_load(rot, "idevid");
    env_check_signing(key);
}

/* --- use through OpenSSL --- */

static struct privkey *privkey_of(struct rot_key *key)
{
    struct privkey *privkey = NULL;
    OK(rot_key_privkey(env_op(), key, &privkey));
    return privkey;
}

static void makes_requests(void **state)
{
    const struct dn_part cn = {"CN", "device 1"};
    uint8_t room[KW_DN_MAX];
    struct kw_out dn = KW_OUT_ARRAY(room);
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(privkey) *key = privkey_of(env_generate(rot, "idevid", KEY_ALG_EC_P256));
    AUTO(kw_bytes) *der = NULL;
    AUTO(csr) *csr = NULL;

    rot_close(TAKE(rot)); /* the key keeps it */
    OK(dn_build(env_op(), &cn, 1, &dn));
    OK(csr_build(env_op(), kw_out_span(&dn), key, &der));
    OK(csr_parse(env_op(), kw_bytes_span(der), &csr));
    assert_true(pubkey_equal(csr_public(csr), privkey_public(key)));
}

static void serves_tls(void **state)
{
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(privkey) *p256 = privkey_of(env_generate(rot, "p256", KEY_ALG_EC_P256));
    AUTO(privkey) *p384 = privkey_of(env_generate(rot, "p384", KEY_ALG_EC_P384));
    char proof[256];

    assert_true(handshake_works(p256));
    assert_true(handshake_works(p384));
    OK(rot_key_destroy(env_op(), rot, "p256", proof, sizeof(proof)));
    assert_false(handshake_works(p256));
    assert_true(handshake_works(p384));
}

/* --- wear and contention --- */

static void cycles_leave_nothing(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(kw_secret) *plain = secret_of(32);
    unsigned n_keys = 0, n_leftovers = 0;
    char proof[256];

    for (unsigned i = 0; i < CYCLES; i++) {
        AUTO(kw_bytes) *sealed = seal(rot, plain);
        AUTO(kw_secret) *opened = NULL;
        rot_key_close(env_generate(rot, "k", KEY_ALG_EC_P256));
        OK(rot_unseal(env_op(), rot, kw_bytes_span(sealed), &opened));
        OK(rot_key_destroy(env_op(), rot, "k", proof, sizeof(proof)));
        env->backend->count(env, &n_keys, &n_leftovers);
        assert_int_equal(n_keys, 0);
        assert_int_equal(n_leftovers, 0);
    }
}

struct job {
    struct rot_key *key;
    unsigned n_good;
};

static void *sign_often(void *opaque)
{
    struct job *job = opaque;
    for (unsigned i = 0; i < SIGNATURES; i++) {
        struct kw_op op;
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_span message = KW_SPAN(&i, sizeof(i));
        kw_op_init(&op, "test", os_clock_mono_ms() + 60000);
        bool good = kw_ok(rot_key_sign(&op, job->key, message, &sig)) &&
                    kw_ok(pubkey_verify(&op, rot_key_public(job->key), message, kw_out_span(&sig)));
        job->n_good += good ? 1 : 0;
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *a = env_generate(rot, "a", KEY_ALG_EC_P256);
    AUTO(rot_key) *b = env_generate(rot, "b", KEY_ALG_EC_P384);
    pthread_t threads[THREADS];
    struct job jobs[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.key = i % 2 ? a : b};
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(jobs[i].n_good, SIGNATURES);
    }
    unsigned n_keys = 0, n_leftovers = 0;
    env->backend->count(env, &n_keys, &n_leftovers);
    assert_int_equal(n_leftovers, 0);
}

/* Who waits in line gives up in time. */
static void a_deadline_holds_in_the_queue(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "a", KEY_ALG_EC_P256);
    struct job job = {.key = key};
    pthread_t thread;
    struct kw_op op;
    unsigned n_late = 0;

    assert_int_equal(pthread_create(&thread, NULL, sign_often, &job), 0);
    for (unsigned i = 0; i < 20; i++) {
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        kw_op_init(&op, "test", os_clock_mono_ms()); /* over at once */
        kw_status status = rot_key_sign(&op, key, kw_span_text("x"), &sig);
        n_late += status.code == KW_E_TIMEOUT ? 1 : 0;
        assert_true(kw_ok(status) || status.code == KW_E_TIMEOUT);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(job.n_good, SIGNATURES);
    print_message("# %u of 20 gave up\n", n_late);
}

/* --- cut at any time --- */

/* Says so on `opened` when it begins. */
static void make_and_destroy_for_ever(const char *uri, int opened)
{
    struct kw_op op;
    struct rot *rot = NULL;
    char proof[256];

    kw_op_init(&op, "test", 0);
    if (!kw_ok(rot_open(&op, uri, &rot)) || write(opened, "o", 1) != 1) {
        _exit(1);
    }
    for (unsigned i = 0;; i++) {
        struct rot_key *key = NULL;
        char label[16];
        (void)snprintf(label, sizeof(label), "k%u", i % 3);
        if (!kw_ok(rot_key_destroy(&op, rot, label, proof, sizeof(proof))) ||
            !kw_ok(rot_key_generate(&op, rot, label, KEY_ALG_EC_P256, &key))) {
            _exit(1);
        }
        rot_key_close(key);
    }
}

static kw_status load_one(struct kw_op *op, const char *label, void *ctx)
{
    AUTO(rot_key) *key = NULL;
    struct rot **rot = ctx;
    TRY(op, rot_key_load(op, *rot, label, &key));
    env_check_signing(key);
    return KW_OK;
}

static kw_status count_one(struct kw_op *op, const char *label, void *ctx)
{
    (void)op;
    (void)label;
    ++*(unsigned *)ctx;
    return KW_OK;
}

/* The time begins when it has opened: SoftHSM empties and writes the token's own file at a login,
 * and whom a kill meets there has no token any more. */
static pid_t start_worker(const char *uri)
{
    int opened[2];
    char octet = 0;

    assert_int_equal(pipe(opened), 0);
    pid_t pid = fork();
    if (pid == 0) {
        make_and_destroy_for_ever(uri, opened[1]);
    }
    (void)close(opened[1]);
    assert_int_equal(read(opened[0], &octet, 1), 1);
    (void)close(opened[0]);
    return pid;
}

static void killed_at_any_time(void **state)
{
    struct env *env = env_of(state);
    char uri[512];
    env->backend->uri(env, uri, sizeof(uri));

    for (unsigned i = 0; i < KILLS; i++) {
        pid_t pid = start_worker(uri);
        const struct timespec wait = {.tv_nsec = (70 + 37 * (long)i) * 1000000L % 1000000000L};
        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        AUTO(rot) *rot = env_open(env);
        unsigned n_listed = 0, n_held = 0, n_leftovers = 0;
        OK(rot_key_each(env_op(), rot, load_one, &rot));
        OK(rot_key_each(env_op(), rot, count_one, &n_listed));
        env->backend->count(env, &n_held, &n_leftovers);
        assert_int_equal(n_listed, n_held);
        assert_int_equal(n_leftovers, 0);
    }
}

#define ROW(function) {#function, function, env_setup, env_teardown, NULL}

int main(int argc, char **argv)
{
    static const struct backend *const backends[] = {&env_backend_soft, &env_backend_tpm2,
                                                     &env_backend_pkcs11};
    struct CMUnitTest tests[] = {
        ROW(tells_what_it_is),
        ROW(signs_with_each_algorithm),
        ROW(signs_messages_of_any_size),
        ROW(refuses_bad_labels),
        ROW(a_label_is_taken_once),
        ROW(unknown_labels),
        ROW(keys_outlive_the_process),
        ROW(attributes_come_from_the_root_of_trust),
        ROW(destroyed_is_gone),
        ROW(destroyed_behind_our_back),
        ROW(lists_its_keys),
        ROW(unseals_what_it_sealed),
        ROW(altered_seals_are_refused),
        ROW(another_one_cannot_unseal),
        ROW(altered_files_are_refused),
        ROW(makes_requests),
        ROW(serves_tls),
        ROW(cycles_leave_nothing),
        ROW(threads_share_it),
        ROW(a_deadline_holds_in_the_queue),
        ROW(killed_at_any_time),
    };

    for (size_t i = 0; argc == 2 && i < KW_COUNT(backends); i++) {
        if (strcmp(argv[1], backends[i]->name) == 0) {
            for (size_t k = 0; k < KW_COUNT(tests); k++) {
                tests[k].initial_state = (void *)(uintptr_t)backends[i];
            }
            return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
        }
    }
    return 2;
}
