/*
 * What happens to HSMs in practice: they are pulled out, restarted, exchanged, get another PIN, and
 * hold what others put there.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "pkcs11_rig.h"
#include "rot/pkcs11/device.h"

enum { ROUNDS = 60, RESTARTS = 40 };

static enum kw_code sign_code(struct rot_key *key)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    return rot_key_sign(env_op(), key, kw_span_text("x"), &sig).code;
}

static kw_status sign_call(struct rot *rot, void *key)
{
    (void)rot;
    return (kw_status){sign_code(key)};
}

static unsigned calls(const struct rig *rig, enum p11_fault_function function)
{
    return atomic_load(&rig->fault->calls[function]);
}

static const char *why(char text[1024])
{
    return kw_op_message(env_last_op(), text, 1024);
}

/* --- away and back --- */

static void removed_and_back(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    char text[1024], proof[256];

    atomic_store(&rig->fault->removed, 1);
    assert_int_equal(sign_code(key), KW_E_UNAVAILABLE);
    unsigned n = calls(rig, P11_FAULT_C_GetSlotList);
    assert_int_equal(sign_code(key), KW_E_UNAVAILABLE); /* backs off: nobody is asked */
    assert_non_null(strstr(why(text), "next attempt"));
    assert_int_equal(calls(rig, P11_FAULT_C_GetSlotList), n);
    for (int i = 0; i < 30; i++) { /* no answer about keys while nobody can know */
        const struct timespec step = {.tv_nsec = 20 * 1000000L};
        assert_int_equal(rot_key_load(env_op(), rot, "k", &none).code, KW_E_UNAVAILABLE);
        assert_int_equal(rot_key_destroy(env_op(), rot, "other", proof, sizeof(proof)).code,
                         KW_E_UNAVAILABLE);
        (void)nanosleep(&step, NULL);
    }
    atomic_store(&rig->fault->removed, 0);
    OK(rig_patiently(sign_call, rot, key));
    env_check_signing(key);
}

/* One library serves both; what one has to repair, the other does not notice. */
static void two_users_of_one_library(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *a = rig_open(rig);
    AUTO(rot) *b = rig_open(rig);
    AUTO(rot_key) *key_a = env_generate(a, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *key_b = env_load(b, "k");

    for (unsigned i = 0; i < 10; i++) {
        rig_arm(rig, P11_FAULT_ANY, P11_FAULT_RESTART, 0, 1 + i % 3, 1);
        env_check_signing(i % 2 ? key_a : key_b);
        env_check_signing(i % 2 ? key_b : key_a);
    }
    rot_key_close(TAKE(key_a));
    rot_close(TAKE(a));
    env_check_signing(key_b);
}

struct signer {
    struct rot_key *key;
    unsigned n_good;
    unsigned n_other; /* answers that are neither a signature nor worth a retry */
};

static void *sign_on(void *opaque)
{
    struct signer *signer = opaque;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct kw_op op;
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        kw_op_init(&op, "test", 0);
        kw_status status = rot_key_sign(&op, signer->key, kw_span_text("x"), &sig);
        signer->n_good += kw_ok(status) ? 1 : 0;
        signer->n_other += !kw_ok(status) && !kw_code_may_retry(status.code) ? 1 : 0;
    }
    return NULL;
}

/* C_Initialize again and again below threads that use the library. */
static void restarts_under_load(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *a = rig_open(rig);
    AUTO(rot) *b = rig_open(rig);
    AUTO(rot_key) *key_a = env_generate(a, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *key_b = env_load(b, "k");
    struct signer signers[4] = {{key_a}, {key_b}, {key_a}, {key_b}};
    pthread_t threads[KW_COUNT(signers)];

    rig_arm(rig, P11_FAULT_C_SignInit, P11_FAULT_FAIL, CKR_CRYPTOKI_NOT_INITIALIZED, 10, 1);
    for (size_t i = 0; i < KW_COUNT(signers); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_on, &signers[i]), 0);
    }
    for (unsigned i = 0; i < RESTARTS; i++) {
        const struct timespec step = {.tv_nsec = 5000000L};
        (void)nanosleep(&step, NULL);
        atomic_store(&rig->fault->seen, 0); /* once more */
    }
    for (size_t i = 0; i < KW_COUNT(signers); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(signers[i].n_other, 0);
        assert_true(signers[i].n_good > 0);
    }
    print_message("# %u restarts\n", atomic_load(&rig->fault->fired));
    rig_disarm(rig);
    OK(rig_patiently(sign_call, a, key_a));
    OK(rig_patiently(sign_call, b, key_b));
}

/* What a parent had open, its child opens again for itself. */
static void a_child_process(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    int status = 0;

    pid_t pid = fork();
    if (pid == 0) {
        _exit(sign_code(key) == KW_CODE_OK && sign_code(key) == KW_CODE_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    env_check_signing(key);
}

/* A firewall forgot the session while nobody used it: found out before it is used. */
static void an_idle_session_is_tried_first(void **state)
{
    struct rig *rig = rig_of(state);
    char uri[512];
    void *self = NULL;
    void *key = NULL;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    AUTO(pubkey) *public_key = NULL;

    softhsm_uri(&rig->hsm, uri, sizeof(uri));
    OK(rot_pkcs11_ops.open(env_op(), strchr(uri, ':') + 1, &self));
    OK(rot_pkcs11_ops.generate(env_op(), self, "k", KEY_ALG_EC_P256, &key, &public_key));
    unsigned n = calls(rig, P11_FAULT_C_GetSessionInfo);
    OK(rot_pkcs11_ops.sign(env_op(), self, key, KEY_ALG_EC_P256, kw_span_text("x"), &sig));
    assert_int_equal(calls(rig, P11_FAULT_C_GetSessionInfo), n); /* in use: not asked */
    ((struct p11 *)self)->used_ms -= 31000;
    OK(rot_pkcs11_ops.sign(env_op(), self, key, KEY_ALG_EC_P256, kw_span_text("x"), &sig));
    assert_int_equal(calls(rig, P11_FAULT_C_GetSessionInfo), n + 1);
    ((struct p11 *)self)->used_ms -= 31000;
    rig_arm(rig, P11_FAULT_C_GetSessionInfo, P11_FAULT_FAIL, CKR_SESSION_CLOSED, 1, 1);
    unsigned n_sign = calls(rig, P11_FAULT_C_Sign);
    OK(rot_pkcs11_ops.sign(env_op(), self, key, KEY_ALG_EC_P256, kw_span_text("x"), &sig));
    assert_int_equal(calls(rig, P11_FAULT_C_Sign), n_sign + 1); /* the lost session was not used */
    rot_pkcs11_ops.key_close(self, key);
    rot_pkcs11_ops.close(self);
}

static void another_token_in_its_place(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    char text[1024];

    rig_arm(rig, P11_FAULT_ANY, P11_FAULT_SESSIONS, 0, 1, 1);
    atomic_store(&rig->fault->exchanged, 1);
    assert_int_equal(sign_code(key), KW_E_DEVICE);
    assert_non_null(strstr(why(text), "another token is in its place"));
    assert_int_equal(sign_code(key), KW_E_DEVICE);
    atomic_store(&rig->fault->exchanged, 0);
    assert_true(kw_ok(rig_patiently(sign_call, rot, key)));
}

static void *sign_slowly(void *key)
{
    return (void *)(uintptr_t)sign_code(key);
}

/* The library hangs: who waits behind it gives up in time, and it goes on afterwards. */
static void a_hanging_library(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    pthread_t thread;
    struct kw_op op;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    void *code = NULL;

    rig->fault->hang_ms = 700;
    rig_arm(rig, P11_FAULT_C_Sign, P11_FAULT_HANG, 0, 1, 1);
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, key), 0);
    while (atomic_load(&rig->fault->fired) == 0) {
        const struct timespec step = {.tv_nsec = 1000000L};
        (void)nanosleep(&step, NULL);
    }
    kw_op_init(&op, "test", os_clock_mono_ms() + 50);
    assert_int_equal(rot_key_sign(&op, key, kw_span_text("x"), &sig).code, KW_E_TIMEOUT);
    assert_int_equal(pthread_join(thread, &code), 0);
    assert_int_equal((uintptr_t)code, KW_CODE_OK);
    env_check_signing(key);
}

static void a_wrong_signature_goes_nowhere(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;

    rig_arm(rig, P11_FAULT_C_Sign, P11_FAULT_SPOIL, 0, 1, 0);
    assert_int_equal(sign_code(key), KW_E_DEVICE);
    REFUSED(rot_key_generate(env_op(), rot, "new", KEY_ALG_EC_P256, &none), KW_E_DEVICE);
    rig_disarm(rig);
    env_check_signing(key);
    assert_int_equal(rig_count(rig), 1); /* the unproven one is gone */
}

/* What the token cannot do for one does not close it for the others. */
static void one_bad_request_is_nobody_elses_loss(void **state)
{
    static const struct {
        unsigned function;
        CK_RV rv;
        enum kw_code code;
    } rows[] = {
        {P11_FAULT_C_GenerateKeyPair, CKR_DEVICE_MEMORY,     KW_E_FULL       },
        {P11_FAULT_C_GenerateKeyPair, CKR_MECHANISM_INVALID, KW_E_UNSUPPORTED},
        {P11_FAULT_C_SignInit,        CKR_DATA_LEN_RANGE,    KW_E_UNSUPPORTED},
        {P11_FAULT_C_Sign,            CKR_ARGUMENTS_BAD,     KW_E_DEVICE     },
    };
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        AUTO(rot_key) *none = NULL;
        rig_arm(rig, rows[i].function, P11_FAULT_FAIL, rows[i].rv, 1, 0);
        REFUSED(rot_key_generate(env_op(), rot, "new", KEY_ALG_EC_P256, &none), rows[i].code);
        rig_disarm(rig);
        env_check_signing(key); /* at once */
        assert_int_equal(rig_count(rig), 1);
    }
}

/* --- PIN --- */

static void write_pin(const struct rig *rig, const char *pin)
{
    env_write(rig->hsm.pin_file, (const uint8_t *)pin, strlen(pin));
}

static void a_refused_pin_is_not_tried_again(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    char text[1024];

    write_pin(rig, "123456");
    rig_arm(rig, P11_FAULT_ANY, P11_FAULT_SESSIONS, 0, 1, 1);
    unsigned n = calls(rig, P11_FAULT_C_Login);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(sign_code(key), KW_E_DENIED);
    }
    assert_non_null(strstr(why(text), "not tried again before the file changes"));
    assert_int_equal(calls(rig, P11_FAULT_C_Login), n + 1);
    write_pin(rig, "654321"); /* another wrong one: one more try */
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(sign_code(key), KW_E_DENIED);
    }
    rot_key_close(TAKE(key));
    rot_close(TAKE(rot));
    for (unsigned i = 0; i < 20; i++) { /* nor by a service that is started again and again */
        assert_int_equal(rig_open_code(rig, &rot), KW_E_DENIED);
    }
    assert_non_null(strstr(why(text), "not tried again before the file changes"));
    assert_int_equal(calls(rig, P11_FAULT_C_Login), n + 2);
    write_pin(rig, SOFTHSM_PIN "\r\n");
    rot = rig_open(rig);
    key = env_load(rot, "k");
    env_check_signing(key);
    assert_null(strstr(text, "654321"));
    (void)snprintf(text, sizeof(text), "%s.refused", rig->hsm.pin_file);
    assert_int_not_equal(access(text, F_OK), 0);
}

static void what_login_may_say(void **state)
{
    static const CK_RV rvs[] = {CKR_PIN_LOCKED, CKR_PIN_EXPIRED, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE,
                                CKR_USER_PIN_NOT_INITIALIZED};
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = NULL;

    for (size_t i = 0; i < KW_COUNT(rvs); i++) {
        write_pin(rig, SOFTHSM_PIN); /* worth another try: its time changed */
        rig_arm(rig, P11_FAULT_C_Login, P11_FAULT_FAIL, rvs[i], 1, 0);
        assert_int_equal(rig_open_code(rig, &rot), KW_E_DENIED);
        assert_int_equal(atomic_load(&rig->fault->fired), 1);
    }
    write_pin(rig, SOFTHSM_PIN);
    rig_arm(rig, P11_FAULT_C_Login, P11_FAULT_FAIL_AFTER, CKR_USER_ALREADY_LOGGED_IN, 1, 1);
    assert_int_equal(rig_open_code(rig, &rot), KW_CODE_OK);
}

/* The token says that one more wrong PIN locks it: nobody gambles. */
static void the_last_try_is_left_to_people(void **state)
{
    static const CK_FLAGS flags[] = {CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED};
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = NULL;

    for (size_t i = 0; i < KW_COUNT(flags); i++) {
        unsigned n = calls(rig, P11_FAULT_C_Login);
        rig->fault->token_flags = flags[i];
        assert_int_equal(rig_open_code(rig, &rot), KW_E_DENIED);
        assert_int_equal(calls(rig, P11_FAULT_C_Login), n);
    }
}

static void the_pin_file_is_private(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = NULL;
    unsigned n = calls(rig, P11_FAULT_C_Login);

    assert_int_equal(chmod(rig->hsm.pin_file, 0640), 0);
    assert_int_equal(rig_open_code(rig, &rot), KW_E_DENIED);
    assert_int_equal(chmod(rig->hsm.pin_file, 0600), 0);
    write_pin(rig, "123\n");
    assert_int_equal(rig_open_code(rig, &rot), KW_E_INPUT);
    write_pin(rig, "");
    assert_int_equal(rig_open_code(rig, &rot), KW_E_INPUT);
    assert_int_equal(unlink(rig->hsm.pin_file), 0);
    assert_int_not_equal(rig_open_code(rig, &rot), KW_CODE_OK);
    assert_int_equal(calls(rig, P11_FAULT_C_Login), n);
}

/* --- what others put into the token --- */

static kw_status count_one(struct kw_op *op, const char *label, void *ctx)
{
    (void)op;
    (void)label;
    ++*(unsigned *)ctx;
    return KW_OK;
}

struct stray {
    const char *label;
    const char *id; /* 20 octets */
    bool extractable;
    bool decrypts;
    const uint8_t *curve;
    size_t n_curve;
};

static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t p521[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};

static void make_stray(const struct rig *rig, const struct stray *stray)
{
    struct softhsm_view view;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_BBOOL sensitive = stray->extractable ? no : yes;
    CK_BBOOL extractable = stray->extractable ? yes : no;
    CK_BBOOL decrypts = stray->decrypts ? yes : no;
    CK_OBJECT_HANDLE pair[2];
    CK_MECHANISM mechanism = {.mechanism = CKM_EC_KEY_PAIR_GEN};
    void *label = (void *)(uintptr_t)stray->label;
    void *id = (void *)(uintptr_t)stray->id;
    CK_ATTRIBUTE public[] = {
        {CKA_TOKEN,     &yes,                            1                   },
        {CKA_EC_PARAMS, (void *)(uintptr_t)stray->curve, stray->n_curve      },
        {CKA_LABEL,     label,                           strlen(stray->label)},
        {CKA_ID,        id,                              strlen(stray->id)   },
    };
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN,        &yes,         1                   },
        {CKA_PRIVATE,      &yes,         1                   },
        {CKA_SENSITIVE,    &sensitive,   1                   },
        {CKA_EXTRACTABLE,  &extractable, 1                   },
        {CKA_SIGN,         &yes,         1                   },
        {CKA_SIGN_RECOVER, &no,          1                   },
        {CKA_DECRYPT,      &decrypts,    1                   },
        {CKA_UNWRAP,       &no,          1                   },
        {CKA_DERIVE,       &no,          1                   },
        {CKA_LABEL,        label,        strlen(stray->label)},
        {CKA_ID,           id,           strlen(stray->id)   },
    };
    assert_true(softhsm_view(&rig->hsm, &view));
    assert_int_equal(view.f->C_GenerateKeyPair(view.session, &mechanism, public, KW_COUNT(public),
                                               private, KW_COUNT(private), &pair[0], &pair[1]),
                     CKR_OK);
    assert_int_equal(view.f->C_CloseSession(view.session), CKR_OK);
}

/* Not to be trusted for one reason each, under the label that we ask for. */
static void strays_are_refused(void **state)
{
    static const struct stray strays[] = {
        {"foreign-out", "0123456789abcdefghij",                 true,  false, p256, sizeof(p256)},
        {"extractable", "KWID------16-octets1",                 true,  false, p256, sizeof(p256)},
        {"decrypts",    "KWID------16-octets2",                 false, true,  p256, sizeof(p256)},
        {"curve",       "KWID------16-octets3",                 false, false, p521, sizeof(p521)},
        {"no-id",       "",                                     false, false, p256, sizeof(p256)},
        {"long-id",     "0123456789abcdefghijklmnopqrstuvwxyz", false, false, p256, sizeof(p256)},
    };
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    char proof[256];

    for (size_t i = 0; i < KW_COUNT(strays); i++) {
        AUTO(rot_key) *key = NULL;
        const char *label = strays[i].label;
        bool ours = strncmp(strays[i].id, "KWID--", 6) == 0;
        make_stray(rig, &strays[i]);
        REFUSED(rot_key_load(env_op(), rot, label, &key), KW_E_INTEGRITY);
        REFUSED(rot_key_generate(env_op(), rot, label, KEY_ALG_EC_P256, &key), KW_E_CONFLICT);
        REFUSED(rot_key_destroy(env_op(), rot, label, proof, sizeof(proof)),
                ours ? KW_CODE_OK : KW_E_INTEGRITY);
        assert_null(key);
    }
    assert_int_equal(rig_count(rig), 3); /* nobody else's key was destroyed */
}

/* Made in the token by the vendor's tool (an operator's card): it signs, but is not ours to destroy
 * or to list. */
static void keys_that_others_made_in_the_token(void **state)
{
    static const struct stray strays[] = {
        {"alice", "\x01",                 false, false, p256, sizeof(p256)},
        {"bob",   "0123456789abcdefghij", false, true,  p256, sizeof(p256)},
    };
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *none = NULL;
    char proof[256];
    unsigned n = 0;

    for (size_t i = 0; i < KW_COUNT(strays); i++) {
        const char *label = strays[i].label;
        make_stray(rig, &strays[i]);
        AUTO(rot_key) *key = env_load(rot, label);
        env_check_signing(key);
        rig_arm(rig, P11_FAULT_ANY, P11_FAULT_SESSIONS, 0, 1, 1);
        env_check_signing(key); /* found again */
        REFUSED(rot_key_generate(env_op(), rot, label, KEY_ALG_EC_P256, &none), KW_E_CONFLICT);
        REFUSED(rot_key_destroy(env_op(), rot, label, proof, sizeof(proof)), KW_E_INTEGRITY);
    }
    assert_int_equal(rig_count(rig), 2);
    OK(rot_key_each(env_op(), rot, count_one, &n));
    assert_int_equal(n, 0);
}

static void duplicates_are_refused(void **state)
{
    static const struct stray twin = {"k",         "KWID------16-octets1", false, false, p256,
                                      sizeof(p256)};
    static const struct stray mate = {"m",         "KWID------16-octets2", false, false, p256,
                                      sizeof(p256)};
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    char proof[256];

    make_stray(rig, &twin);
    REFUSED(rot_key_load(env_op(), rot, "k", &none), KW_E_INTEGRITY);
    env_check_signing(key); /* it was known before */
    OK(rot_key_destroy(env_op(), rot, "k", proof, sizeof(proof)));
    assert_int_equal(rig_count(rig), 0); /* both were under the label */
    make_stray(rig, &mate);
    make_stray(rig, &mate);
    REFUSED(rot_key_load(env_op(), rot, "m", &none), KW_E_INTEGRITY);
}

/* A public half of another key under the private one's id. */
static void the_halves_belong_together(void **state)
{
    static const struct stray other = {"x",         "KWID------16-octets1", false, false, p256,
                                       sizeof(p256)};
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(rot_key) *none = NULL;
    struct softhsm_view view;
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG n = 0;
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    uint8_t id[20], label[] = "k";

    make_stray(rig, &other);
    assert_true(softhsm_view(&rig->hsm, &view));
    CK_ATTRIBUTE ours[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_LABEL, label,  1            }
    };
    assert_int_equal(view.f->C_FindObjectsInit(view.session, ours, 2), CKR_OK);
    assert_int_equal(view.f->C_FindObjects(view.session, &found, 1, &n), CKR_OK);
    assert_int_equal(view.f->C_FindObjectsFinal(view.session), CKR_OK);
    assert_int_equal(n, 1);
    CK_ATTRIBUTE get_id = {CKA_ID, id, sizeof(id)};
    assert_int_equal(view.f->C_GetAttributeValue(view.session, found, &get_id, 1), CKR_OK);
    assert_int_equal(view.f->C_DestroyObject(view.session, found), CKR_OK);
    label[0] = 'x';
    assert_int_equal(view.f->C_FindObjectsInit(view.session, ours, 2), CKR_OK);
    assert_int_equal(view.f->C_FindObjects(view.session, &found, 1, &n), CKR_OK);
    assert_int_equal(view.f->C_FindObjectsFinal(view.session), CKR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(view.f->C_SetAttributeValue(view.session, found, &get_id, 1), CKR_OK);
    assert_int_equal(view.f->C_CloseSession(view.session), CKR_OK);
    REFUSED(rot_key_load(env_op(), rot, "k", &none), KW_E_DEVICE);
}

/* --- what a cut left --- */

static void pending_objects_are_swept(void **state)
{
    static const struct stray pending = {"~k",        "KWID------16-octets1", false, false, p256,
                                         sizeof(p256)};
    static const struct stray foreign = {"~f",        "0123456789abcdefghij", false, false, p256,
                                         sizeof(p256)};
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    char proof[256];

    make_stray(rig, &pending);
    assert_int_equal(rig_count(rig), RIG_LEFTOVERS);
    rot_close(TAKE(rot));
    rot = rig_open(rig);
    assert_int_equal(rig_count(rig), 0);
    make_stray(rig, &pending);
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256); /* in nobody's way */
    OK(rot_key_destroy(env_op(), rot, "k", proof, sizeof(proof)));
    assert_int_equal(rig_count(rig), 0);
    make_stray(rig, &foreign);
    OK(rot_key_destroy(env_op(), rot, "k", proof, sizeof(proof)));
    assert_int_equal(rig_count(rig), RIG_LEFTOVERS); /* not ours to sweep */
}

/* The token was away for the whole rest of the operation, and of the undoing. */
static void a_half_made_key_goes_when_the_token_is_back(void **state)
{
    struct rig *rig = rig_of(state);
    AUTO(rot) *rot = rig_open(rig);
    AUTO(rot_key) *none = NULL;

    for (unsigned i = 0; i < 3; i++) {
        rig_arm(rig, P11_FAULT_C_SignInit, P11_FAULT_FAIL, CKR_DEVICE_ERROR, 1, 0);
        kw_status status = rot_key_generate(env_op(), rot, "k", KEY_ALG_EC_P256, &none);
        assert_int_equal(status.code, KW_E_UNAVAILABLE);
        rig_disarm(rig);
        assert_true(kw_ok(rig_patiently(rig_list, rot, NULL)));
        assert_int_equal(rig_count(rig), 0);
    }
}

/* Some tokens fix a label for ever. */
static void tokens_that_do_not_rename(void **state)
{
    static const CK_RV rvs[] = {CKR_ATTRIBUTE_READ_ONLY, CKR_ACTION_PROHIBITED,
                                CKR_FUNCTION_NOT_SUPPORTED};
    struct rig *rig = rig_of(state);
    char proof[256];

    for (size_t i = 0; i < KW_COUNT(rvs); i++) {
        AUTO(rot) *rot = rig_open(rig);
        rig_arm(rig, P11_FAULT_C_SetAttributeValue, P11_FAULT_FAIL, rvs[i], 1, 0);
        AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
        AUTO(rot_key) *loaded = env_load(rot, "k");
        env_check_signing(loaded);
        assert_int_equal(rig_count(rig), 1);
        OK(rot_key_destroy(env_op(), rot, "k", proof, sizeof(proof)));
        assert_int_equal(rig_count(rig), 0);
        rig_disarm(rig);
    }
}

/* --- libraries --- */

static enum kw_code open_library(const struct rig *rig, const char *path)
{
    struct softhsm hsm = rig->hsm;
    struct rig other = *rig;
    AUTO(rot) *rot = NULL;
    (void)snprintf(hsm.library, sizeof(hsm.library), "%s", path);
    other.hsm = hsm;
    return rig_open_code(&other, &rot);
}

static void libraries_that_are_none(void **state)
{
    struct rig *rig = rig_of(state);
    char path[100];

    assert_int_equal(open_library(rig, "/nonexistent/libhsm.so"), KW_E_NOT_FOUND);
    (void)snprintf(path, sizeof(path), "%s/text.so", rig->dir);
    env_write(path, (const uint8_t *)"no library", 10);
    assert_int_equal(open_library(rig, path), KW_E_DEVICE);
    assert_int_equal(chmod(path, 0602), 0);
    assert_int_equal(open_library(rig, path), KW_E_DENIED);
    assert_int_equal(open_library(rig, rig->dir), KW_E_NOT_FOUND);
}

/* --- seen from outside --- */

static void pkcs11_tool_agrees(void **state)
{
    struct rig *rig = rig_of(state);
    char path[100];
    uint8_t out[8192] = {0};
    AUTO(rot) *rot = rig_open(rig);
    rot_key_close(env_generate(rot, "k", KEY_ALG_EC_P256));
    (void)snprintf(path, sizeof(path), "%s/out", rig->dir);
    const char *const argv[] = {"pkcs11-tool", "--module", softhsm_library(), "--token-label",
                                "kw-first",    "--login",  "--pin",           SOFTHSM_PIN,
                                "-O",          "--type",   "privkey",         NULL};

    int status = softhsm_run(argv, path);
    if (status == 127) {
        print_message("pkcs11-tool (opensc) is not installed\n");
        rot_close(TAKE(rot));
        skip();
    }
    assert_int_equal(status, 0);
    (void)env_read(path, out, sizeof(out) - 1);
    print_message("# %s\n", (const char *)out);
    assert_non_null(strstr((const char *)out, "Private Key Object; EC"));
    assert_non_null(
        strstr((const char *)out, "sensitive, always sensitive, never extractable, local"));
    const char *usage = strstr((const char *)out, "Usage:");
    assert_non_null(usage);
    assert_non_null(strstr(usage, "sign\n"));
    assert_null(strstr(usage, "decrypt"));
    assert_null(strstr(usage, "unwrap"));
    assert_null(strstr(usage, "derive"));
}

#define ROW(function) {#function, function, rig_setup, rig_teardown, NULL}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ROW(removed_and_back),
        ROW(two_users_of_one_library),
        ROW(restarts_under_load),
        ROW(a_child_process),
        ROW(an_idle_session_is_tried_first),
        ROW(another_token_in_its_place),
        ROW(a_hanging_library),
        ROW(a_wrong_signature_goes_nowhere),
        ROW(one_bad_request_is_nobody_elses_loss),
        ROW(a_refused_pin_is_not_tried_again),
        ROW(what_login_may_say),
        ROW(the_last_try_is_left_to_people),
        ROW(the_pin_file_is_private),
        ROW(strays_are_refused),
        ROW(keys_that_others_made_in_the_token),
        ROW(duplicates_are_refused),
        ROW(the_halves_belong_together),
        ROW(pending_objects_are_swept),
        ROW(a_half_made_key_goes_when_the_token_is_back),
        ROW(tokens_that_do_not_rename),
        ROW(libraries_that_are_none),
        ROW(pkcs11_tool_agrees),
    };
    if (argc < 2) {
        return 2;
    }
    rig_use_library(argv[1]);
    if (argc > 2) {
        cmocka_set_test_filter(argv[2]);
    }
    return cmocka_run_group_tests_name("rot/pkcs11", tests, NULL, NULL);
}
