/*
 * Every function that the backend calls, failing in every way at every place of every operation:
 * nothing crashes, no answer is wrong, no half key stays, and once the token is well everything
 * goes on without a restart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pkcs11_rig.h"
#include "rot/pkcs11/rv.h"

enum { EDGE = 3 }; /* the first and last so many places of an operation meet all faults */

struct scene {
    struct rig *rig;
    struct rot *rot;
    struct rot_key *key; /* "kept", open */
    struct kw_secret *plain;
    struct kw_bytes *sealed;
};

/* --- faults --- */

/* Every code of the table is tried at the edges; these stand for their kinds in between. */
static const CK_RV kinds[] = {CKR_GENERAL_ERROR, CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_REMOVED,
                              CKR_OBJECT_HANDLE_INVALID, CKR_FUNCTION_NOT_SUPPORTED};
static const CK_RV all[] = {
    CKR_HOST_MEMORY,
    CKR_GENERAL_ERROR,
    CKR_FUNCTION_FAILED,
    CKR_ARGUMENTS_BAD,
    CKR_DEVICE_ERROR,
    CKR_DEVICE_MEMORY,
    CKR_DEVICE_REMOVED,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_SESSION_CLOSED,
    CKR_SESSION_HANDLE_INVALID,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_NOT_PRESENT,
    CKR_USER_NOT_LOGGED_IN,
    CKR_BUFFER_TOO_SMALL,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_VENDOR_DEFINED | 0x1234,
    0x7777, /* no code at all */
};

struct operation {
    const char *name;
    kw_status (*call)(struct rot *rot, void *ctx);
    bool makes;    /* "new" is there behind it */
    bool destroys; /* "new" is there before it, and not behind it */
};

struct fault {
    const struct operation *operation;
    unsigned function;
    unsigned place;
    unsigned action;
    CK_RV rv;
    unsigned n_times;
};

static const char *name_of(unsigned function)
{
    static const char *const names[] = {
#define X(name) #name,
        P11_FAULT_FUNCTIONS(X)
#undef X
    };
    return names[function];
}

static const struct fault *playing; /* for the words of an assertion that fails meanwhile */

static void tell(const struct fault *fault, const char *what)
{
    print_error("%s: %s call %u: action %u %s (%u times): %s\n", fault->operation->name,
                name_of(fault->function), fault->place, fault->action, p11_rv_text(fault->rv),
                fault->n_times, what);
}

/* --- operations: what they do, and what has to be true where they say that they did it --- */

static kw_status do_generate(struct rot *rot, void *ctx)
{
    AUTO(rot_key) *key = NULL;
    (void)ctx;
    kw_status status = rot_key_generate(env_op(), rot, "new", KEY_ALG_EC_P256, &key);
    assert_int_equal(key != NULL, kw_ok(status));
    return status;
}

static kw_status do_load(struct rot *rot, void *ctx)
{
    struct scene *scene = ctx;
    AUTO(rot_key) *key = NULL;
    kw_status status = rot_key_load(env_op(), rot, "kept", &key);
    if (kw_ok(status)) {
        assert_true(pubkey_equal(rot_key_public(key), rot_key_public(scene->key)));
    }
    return status;
}

static kw_status do_sign(struct rot *rot, void *ctx)
{
    struct scene *scene = ctx;
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_span message = kw_span_text("to be signed");
    (void)rot;
    kw_status status = rot_key_sign(env_op(), scene->key, message, &sig);
    if (kw_ok(status)) {
        OK(pubkey_verify(env_op(), rot_key_public(scene->key), message, kw_out_span(&sig)));
        return status;
    }
    assert_int_equal(sig.len, 0);
    return status;
}

static kw_status do_destroy(struct rot *rot, void *ctx)
{
    char proof[256];
    (void)ctx;
    return rot_key_destroy(env_op(), rot, "new", proof, sizeof(proof));
}

static kw_status count_label(struct kw_op *op, const char *label, void *ctx)
{
    (void)op;
    *(unsigned *)ctx += strcmp(label, "kept") == 0 ? 1 : 100;
    return KW_OK;
}

static kw_status do_list(struct rot *rot, void *ctx)
{
    unsigned n = 0;
    (void)ctx;
    kw_status status = rot_key_each(env_op(), rot, count_label, &n);
    if (kw_ok(status) && n != 1) {
        tell(playing, "a wrong list");
        fail();
    }
    return status;
}

static kw_status do_attributes(struct rot *rot, void *ctx)
{
    struct scene *scene = ctx;
    char text[256];
    (void)rot;
    kw_status status = rot_key_attributes(env_op(), scene->key, text, sizeof(text));
    if (kw_ok(status)) {
        assert_non_null(strstr(text, "|sensitive|always-sensitive|never-extractable|local|sign"));
    }
    return status;
}

static kw_status do_seal(struct rot *rot, void *ctx)
{
    struct scene *scene = ctx;
    AUTO(kw_bytes) *sealed = NULL;
    return rot_seal(env_op(), rot, scene->plain, &sealed);
}

static kw_status do_unseal(struct rot *rot, void *ctx)
{
    struct scene *scene = ctx;
    AUTO(kw_secret) *opened = NULL;
    kw_status status = rot_unseal(env_op(), rot, kw_bytes_span(scene->sealed), &opened);
    if (kw_ok(status)) {
        assert_true(kw_secret_equal(opened, scene->plain));
    }
    return status;
}

static kw_status do_reopen(struct rot *rot, void *ctx)
{
    struct scene *scene = ctx;
    AUTO(rot) *again = NULL;
    (void)rot;
    return (kw_status){rig_open_code(scene->rig, &again)};
}

static const struct operation operations[] = {
    {"generate", do_generate, .makes = true},
    {"load", do_load},
    {"sign", do_sign},
    {"destroy", do_destroy, .destroys = true},
    {"list", do_list},
    {"attributes", do_attributes},
    {"seal", do_seal},
    {"unseal", do_unseal},
    {"open", do_reopen},
};

/* What an operation may never say of a key or label that it does not hold of. */
static bool is_wrong(enum kw_code code, const struct fault *fault)
{
    bool about_handle =
        fault->rv == CKR_OBJECT_HANDLE_INVALID || fault->rv == CKR_KEY_HANDLE_INVALID;
    bool about_form = about_handle || fault->rv == CKR_BUFFER_TOO_SMALL;
    return code == KW_E_NOT_FOUND || code == KW_E_CONFLICT || code == KW_E_INTERNAL ||
           code == KW_E_STATE || code == KW_E_INPUT || (code == KW_E_INTEGRITY && !about_form);
}

static void prepare(struct scene *scene, const struct operation *operation)
{
    if (operation->destroys) {
        assert_true(kw_ok(rig_patiently(do_generate, scene->rot, scene)));
    }
}

/* After the token is well again: the key that was kept signs, and of "new" there is all or none. */
static void recover(struct scene *scene, const struct fault *fault, bool done)
{
    rig_disarm(scene->rig);
    kw_status status = rig_patiently(do_sign, scene->rot, scene);
    if (!kw_ok(status)) {
        char text[1024];
        tell(fault, "no recovery");
        print_error("%s: %s\n", kw_code_text(status.code),
                    kw_op_message(env_last_op(), text, sizeof(text)));
        fail();
    }
    unsigned n = rig_count(scene->rig);
    bool expected = fault->operation->destroys ? n == 1 || !done /* half done: see below */
                                               : n == (fault->operation->makes && done ? 2U : 1U);
    if (!expected) {
        tell(fault, done ? "done, but" : "failed, but");
        print_error("%u keys in the token\n", n);
        fail();
    }
    assert_true(kw_ok(do_destroy(scene->rot, scene)));
    assert_int_equal(rig_count(scene->rig), 1);
}

static void play(struct scene *scene, const struct fault *fault)
{
    prepare(scene, fault->operation);
    rig_arm(scene->rig, fault->function, fault->action, fault->rv, fault->place, fault->n_times);
    playing = fault;
    kw_status status = fault->operation->call(scene->rot, scene);
    if (is_wrong(status.code, fault)) {
        char text[1024];
        tell(fault, kw_op_message(env_last_op(), text, sizeof(text)));
        print_error("a wrong answer: %s\n", kw_code_text(status.code));
        fail();
    }
    recover(scene, fault, kw_ok(status));
}

/* How often the operation calls the function where all goes well. */
static unsigned count_calls(struct scene *scene, const struct operation *operation,
                            unsigned function)
{
    prepare(scene, operation);
    unsigned before = atomic_load(&scene->rig->fault->calls[function]);
    assert_true(kw_ok(operation->call(scene->rot, scene)));
    unsigned n = atomic_load(&scene->rig->fault->calls[function]) - before;
    assert_true(kw_ok(do_destroy(scene->rot, scene)));
    return n;
}

static unsigned play_place(struct scene *scene, struct fault fault, bool at_edge)
{
    const CK_RV *rvs = at_edge ? all : kinds;
    size_t n_rvs = at_edge ? KW_COUNT(all) : KW_COUNT(kinds);
    unsigned n = 0;

    fault.n_times = 1;
    for (size_t i = 0; i < n_rvs; i++) {
        for (fault.action = P11_FAULT_FAIL; fault.action <= P11_FAULT_FAIL_AFTER; fault.action++) {
            fault.rv = rvs[i];
            play(scene, &fault);
            n++;
        }
    }
    static const unsigned losses[] = {P11_FAULT_LOGOUT, P11_FAULT_SESSIONS, P11_FAULT_RESTART};
    for (size_t i = 0; i < KW_COUNT(losses); i++) {
        fault.action = losses[i];
        play(scene, &fault);
        n++;
    }
    return n;
}

/* The function fails and fails: the operation gives up with the table's word for it. */
static unsigned play_for_ever(struct scene *scene, struct fault fault)
{
    static const CK_RV rvs[] = {CKR_DEVICE_REMOVED, CKR_FUNCTION_FAILED};
    for (size_t i = 0; i < KW_COUNT(rvs); i++) {
        fault.action = P11_FAULT_FAIL;
        fault.rv = rvs[i];
        fault.place = 1;
        fault.n_times = 0;
        play(scene, &fault);
    }
    return KW_COUNT(rvs);
}

static void scene_open(struct scene *scene, struct rig *rig)
{
    scene->rig = rig;
    scene->rot = rig_open(rig);
    scene->key = env_generate(scene->rot, "kept", KEY_ALG_EC_P256);
    OK(kw_secret_new(32, &scene->plain));
    memset(kw_secret_data(scene->plain), 0x5a, 32);
    OK(rot_seal(env_op(), scene->rot, scene->plain, &scene->sealed));
}

static void scene_close(struct scene *scene)
{
    rot_key_close(scene->key);
    rot_close(scene->rot);
    kw_secret_free(scene->plain);
    kw_bytes_free(scene->sealed);
}

static void play_operation(struct rig *rig, const struct operation *operation)
{
    const bool thorough = getenv("KW_ALL_FAULTS") != NULL; /* make soak: every return value */
    struct scene scene = {0};
    unsigned n = 0;

    scene_open(&scene, rig);
    for (unsigned function = 0; function < P11_FAULT_MAX; function++) {
        unsigned n_calls = count_calls(&scene, operation, function);
        for (unsigned place = 1; place <= n_calls; place++) {
            bool at_edge = thorough && (place <= EDGE || place + EDGE > n_calls);
            n += play_place(&scene, (struct fault){operation, function, place}, at_edge);
        }
        n += n_calls > 0 ? play_for_ever(&scene, (struct fault){operation, function}) : 0;
    }
    print_message("# %s: %u faults\n", operation->name, n);
    scene_close(&scene);
}

#define OPERATION(name, at)                                                                        \
    static void faults_of_##name(void **state)                                                     \
    {                                                                                              \
        play_operation(rig_of(state), &operations[at]);                                            \
    }
OPERATION(generate, 0)
OPERATION(load, 1)
OPERATION(sign, 2)
OPERATION(destroy, 3)
OPERATION(list, 4)
OPERATION(attributes, 5)
OPERATION(seal, 6)
OPERATION(unseal, 7)
OPERATION(open, 8)

#define ROW(function) {#function, function, rig_setup, rig_teardown, NULL}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ROW(faults_of_generate), ROW(faults_of_load),   ROW(faults_of_sign),
        ROW(faults_of_destroy),  ROW(faults_of_list),   ROW(faults_of_attributes),
        ROW(faults_of_seal),     ROW(faults_of_unseal), ROW(faults_of_open),
    };
    if (argc < 2) {
        return 2;
    }
    rig_use_library(argv[1]);
    if (argc > 2) {
        cmocka_set_test_filter(argv[2]);
    }
    return cmocka_run_group_tests_name("rot/pkcs11 faults", tests, NULL, NULL);
}
