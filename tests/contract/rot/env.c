#include "env.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rot/tpm2/device.h"

static struct kw_op last_op;

struct kw_op *env_op(void)
{
    kw_op_init(&last_op, "test", 0);
    return &last_op;
}

const struct kw_op *env_last_op(void)
{
    return &last_op;
}

void env_judge(kw_status status, enum kw_code want, const char *file, int line)
{
    char text[1024];
    if (status.code != want) {
        print_error("%s:%d: '%s' instead of '%s': %s\n", file, line, kw_code_text(status.code),
                    kw_code_text(want), kw_op_message(&last_op, text, sizeof(text)));
        _fail(file, line);
    }
}

/* --- soft --- */

static bool soft_start(struct env *env)
{
    (void)env;
    return true;
}

static void soft_uri(const struct env *env, char *text, size_t cap)
{
    (void)snprintf(text, cap, "soft:dir=%s", env->rot_dir);
}

static void soft_stop(struct env *env)
{
    (void)env;
}

static void soft_key_file(const struct env *env, const char *label, char *path, size_t cap)
{
    (void)snprintf(path, cap, "%s/%s.key", env->rot_dir, label);
}

static void soft_count(struct env *env, unsigned *ret_keys, unsigned *ret_leftovers)
{
    unsigned n = 0;
    unsigned others = 0;
    DIR *dir = opendir(env->rot_dir);
    assert_non_null(dir);
    for (struct dirent *entry = NULL; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        bool is_key = len > 4 && strcmp(entry->d_name + len - 4, ".key") == 0;
        n += is_key ? 1 : 0;
        others += !is_key && strcmp(entry->d_name, "device.kek") != 0 &&
                          strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0
                      ? 1
                      : 0;
    }
    (void)closedir(dir);
    *ret_keys = n;
    *ret_leftovers = others;
}

const struct backend env_backend_soft = {
    .name = "soft",
    .caps = ROT_CAP_SEAL,
    .assurance_level = 0,
    .algs = KEY_ALG_BIT(KEY_ALG_EC_P256) | KEY_ALG_BIT(KEY_ALG_EC_P384) |
            KEY_ALG_BIT(KEY_ALG_ED25519) | KEY_ALG_BIT(KEY_ALG_RSA_3072),
    .attribute = "exportable",
    .start = soft_start,
    .uri = soft_uri,
    .stop = soft_stop,
    .key_file = soft_key_file,
    .count = soft_count,
};

/* --- tpm2 on swtpm --- */

static bool tpm2_start(struct env *env)
{
    char dir[80];
    if (!swtpm_is_installed()) {
        print_message("swtpm is not installed\n");
        return false;
    }
    (void)snprintf(dir, sizeof(dir), "%s/tpm", env->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_true(swtpm_start(&env->tpm, dir, 0));
    return true;
}

static void tpm2_uri(const struct env *env, char *text, size_t cap)
{
    (void)snprintf(text, cap, "tpm2:dir=%s,tcti=%s", env->rot_dir, env->tpm.tcti);
}

static void tpm2_stop(struct env *env)
{
    swtpm_stop(&env->tpm);
}

static void tpm2_key_file(const struct env *env, const char *label, char *path, size_t cap)
{
    (void)label;
    (void)snprintf(path, cap, "%s/tpm2.index", env->rot_dir);
}

static unsigned count_handles(struct tpm2_session *s, uint32_t from)
{
    AUTO(TPMS_CAPABILITY_DATA) *data = NULL;
    OK(tpm2_capability(env_op(), s, TPM2_CAP_HANDLES, from, TPM2_MAX_CAP_HANDLES, &data));
    return data->data.handles.count;
}

static void tpm2_count(struct env *env, unsigned *ret_keys, unsigned *ret_leftovers)
{
    AUTO(tpm2_session) *s = NULL;
    OK(tpm2_session_open(env_op(), env->tpm.tcti, TPM2_VISIT_MAX_MS, &s));
    *ret_keys = count_handles(s, TPM2_HANDLE_BASE + TPM2_HANDLE_FIRST);
    *ret_leftovers = count_handles(s, TPM2_HANDLE_TRANSIENT) +
                     count_handles(s, TPM2_LOADED_SESSION_FIRST) +
                     count_handles(s, TPM2_ACTIVE_SESSION_FIRST);
}

const struct backend env_backend_tpm2 = {
    .name = "tpm2",
    .caps = ROT_CAP_HARDWARE | ROT_CAP_SIMULATED | ROT_CAP_SEAL | ROT_CAP_NO_EXPORT |
            ROT_CAP_RANDOM | ROT_CAP_ATTEST,
    .assurance_level = 3,
    .algs = KEY_ALG_BIT(KEY_ALG_EC_P256) | KEY_ALG_BIT(KEY_ALG_EC_P384),
    .attribute = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign",
    .start = tpm2_start,
    .uri = tpm2_uri,
    .stop = tpm2_stop,
    .key_file = tpm2_key_file,
    .count = tpm2_count,
};

/* --- pkcs11 on SoftHSM --- */

static bool pkcs11_start(struct env *env)
{
    char dir[80];
    if (!softhsm_library()) {
        print_message("SoftHSM 2 is not installed\n");
        return false;
    }
    (void)snprintf(dir, sizeof(dir), "%s/hsm", env->dir);
    assert_true(softhsm_start(&env->hsm, dir));
    return true;
}

static void pkcs11_uri(const struct env *env, char *text, size_t cap)
{
    softhsm_uri(&env->hsm, text, cap);
}

static void pkcs11_stop(struct env *env)
{
    softhsm_stop(&env->hsm);
}

static void pkcs11_count(struct env *env, unsigned *ret_keys, unsigned *ret_leftovers)
{
    softhsm_count(&env->hsm, ret_keys, ret_leftovers);
}

const struct backend env_backend_pkcs11 = {
    .name = "pkcs11",
    .caps =
        ROT_CAP_HARDWARE | ROT_CAP_SIMULATED | ROT_CAP_SEAL | ROT_CAP_NO_EXPORT | ROT_CAP_RANDOM,
    .assurance_level = 1,
    .algs = KEY_ALG_BIT(KEY_ALG_EC_P256) | KEY_ALG_BIT(KEY_ALG_EC_P384) |
            KEY_ALG_BIT(KEY_ALG_ED25519) | KEY_ALG_BIT(KEY_ALG_RSA_3072),
    .attribute = " token|private|sensitive|always-sensitive|never-extractable|local|sign",
    .start = pkcs11_start,
    .uri = pkcs11_uri,
    .stop = pkcs11_stop,
    .key_file = NULL,
    .count = pkcs11_count,
};

/* --- fixtures --- */

int env_setup(void **state)
{
    struct env *env = calloc(1, sizeof(*env));
    assert_non_null(env);
    env->backend = *state;
    (void)snprintf(env->dir, sizeof(env->dir), "/tmp/kw-rot-XXXXXX");
    assert_non_null(mkdtemp(env->dir));
    (void)snprintf(env->rot_dir, sizeof(env->rot_dir), "%s/rot", env->dir);
    env->usable = env->backend->start(env);
    *state = env;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int env_teardown(void **state)
{
    struct env *env = *state;
    env->backend->stop(env);
    int removed = nftw(env->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(env);
    return removed;
}

struct env *env_of(void **state)
{
    struct env *env = *state;
    if (!env->usable) {
        skip();
    }
    return env;
}

/* --- shorthands --- */

struct rot *env_open(const struct env *env)
{
    char uri[512];
    struct rot *rot = NULL;
    env->backend->uri(env, uri, sizeof(uri));
    OK(rot_open(env_op(), uri, &rot));
    return rot;
}

struct rot_key *env_generate(struct rot *rot, const char *label, enum key_alg alg)
{
    struct rot_key *key = NULL;
    OK(rot_key_generate(env_op(), rot, label, alg, &key));
    return key;
}

struct rot_key *env_load(struct rot *rot, const char *label)
{
    struct rot_key *key = NULL;
    OK(rot_key_load(env_op(), rot, label, &key));
    return key;
}

void env_check_signing(struct rot_key *key)
{
    struct kw_span message = kw_span_text("to be signed");
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    OK(rot_key_sign(env_op(), key, message, &sig));
    OK(pubkey_verify(env_op(), rot_key_public(key), message, kw_out_span(&sig)));
    REFUSED(pubkey_verify(env_op(), rot_key_public(key), kw_span_text("to be signes"),
                          kw_out_span(&sig)),
            KW_E_DENIED);
}

size_t env_read(const char *path, uint8_t *room, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, room, cap);
    assert_true(n >= 0 && (size_t)n < cap);
    (void)close(fd);
    return (size_t)n;
}

void env_write(const char *path, const uint8_t *octets, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets, n), n);
    (void)close(fd);
}
