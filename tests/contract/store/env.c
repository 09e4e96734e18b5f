#include "env.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local struct kw_op thread_op;
static const struct store_backend *chosen;

struct kw_op *env_op(void)
{
    return env_op_until(0);
}

struct kw_op *env_op_until(int64_t deadline_ms)
{
    kw_op_init(&thread_op, "test", deadline_ms);
    return &thread_op;
}

void env_judge(kw_status status, enum kw_code want, const char *file, int line)
{
    char text[1024];

    if (status.code != want) {
        print_error("%s:%d: '%s' instead of '%s': %s\n", file, line, kw_code_text(status.code),
                    kw_code_text(want), kw_op_message(&thread_op, text, sizeof(text)));
        _fail(file, line);
    }
}

/* --- backends --- */

static const char *sqlite_missing(void)
{
    return NULL;
}

static void sqlite_make(struct env *env, const char *dir)
{
    (void)snprintf(env->where, sizeof(env->where), "%s/store.db", dir);
}

static int first_column(void *ctx, int n, char **values, char **names)
{
    char *text = ctx;

    (void)names;
    if (n > 0 && values[0] && text[0] == '\0') {
        (void)snprintf(text, 200, "%s", values[0]);
    }
    return 0;
}

static void sqlite_check(const struct env *env)
{
    sqlite3 *db = NULL;
    char text[200] = "";

    assert_int_equal(sqlite3_open_v2(env->where, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int rc = sqlite3_exec(db, "PRAGMA integrity_check", first_column, text, NULL);
    (void)sqlite3_close(db);
    assert_int_equal(rc, SQLITE_OK);
    assert_string_equal(text, "ok");
}

static const struct store_backend backends[] = {
    {"sqlite", sqlite_missing, sqlite_make, sqlite_check},
};

int env_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n, const char *suite)
{
    const char *name = argc > 1 ? argv[1] : backends[0].name;

    for (size_t i = 0; i < KW_COUNT(backends); i++) {
        if (strcmp(backends[i].name, name) == 0) {
            chosen = &backends[i];
        }
    }
    if (!chosen) {
        print_error("no backend '%s'\n", name);
        return 1;
    }
    const char *why = chosen->missing();
    if (why) {
        print_message("%s\n", why);
        return 77;
    }
    return _cmocka_run_group_tests(suite, tests, n, NULL, NULL);
}

/* --- a store for each test --- */

void env_open(struct env *env)
{
    if (!env->config.path) {
        env->config.path = env->where;
    }
    assert_ok(store_open(env_op(), &env->config, &env->store));
}

void env_close(struct env *env)
{
    if (env->store) {
        store_close(env->store);
        env->store = NULL;
    }
}

void env_reopen(struct env *env)
{
    env_close(env);
    env_open(env);
}

int env_setup(void **state)
{
    struct env *env = calloc(1, sizeof(*env));
    const char *base = getenv("TMPDIR");

    assert_non_null(env);
    env->backend = chosen;
    (void)snprintf(env->dir, sizeof(env->dir), "%s/kw-store-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(env->dir));
    chosen->make(env, env->dir);
    env_open(env);
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

    env_close(env);
    env->backend->check(env);
    (void)nftw(env->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(env);
    return 0;
}

/* --- samples --- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void sample_octets(void *p, size_t n, uint64_t seed)
{
    uint8_t *octets = p;

    for (size_t i = 0; i < n; i++) {
        octets[i] = (uint8_t)(mix(seed * 1000003 + i / 8) >> (8 * (i % 8)));
    }
}

struct store_device sample_device(unsigned no)
{
    struct store_device device = {
        .product = "lamp",
        .hw_type = "1.3.6.1.4.1.99999.1",
        .state = DEVICE_ACTIVE,
        .registered_ms = 1700000000000 + no,
        .last_seen_ms = no,
        .agent = "keywright-agent/0.1",
        .root_of_trust = "tpm2",
        .batch = "B-0142",
        .firmware = "2.1.0",
        .simulated = no % 2 == 1,
        .secret_expires_ms = 1800000000000 + no,
        .secret_failures = no % 5,
    };

    (void)snprintf(device.id, sizeof(device.id), "DEV%05u", no);
    (void)snprintf(device.serial, sizeof(device.serial), "SN-%u", no);
    sample_octets(device.secret_hash, sizeof(device.secret_hash), no * 10U + 1);
    return device;
}

struct store_pubkey sample_pubkey(unsigned no)
{
    struct store_pubkey key = {
        .profile = "ldevid",
        .class_ = KEY_CLASS_DEVICE_LDEVID,
        .state = KEY_ACTIVE,
        .alg = "p256",
        .custody = "device tpm2 SIMULATED",
        .created_ms = 1700000000000 + no,
        .state_ms = 1700000000001 + no,
    };

    sample_octets(key.id, sizeof(key.id), no * 10U + 2);
    (void)snprintf(key.owner, sizeof(key.owner), "device:DEV%05u", no);
    return key;
}

struct store_cert sample_cert(unsigned no)
{
    struct store_cert cert = {
        .ca = "devices",
        .profile = "ldevid",
        .serial_len = KW_SERIAL_BYTES,
        .not_before = 1700000000 + no,
        .not_after = 1707776000 + no,
        .state = CERT_STATE_VALID,
        .issued_ms = 1700000000000 + no,
        .der_len = 640 + no % 100,
    };

    sample_octets(cert.serial, KW_SERIAL_BYTES, no * 10U + 3);
    sample_octets(cert.pubkey, sizeof(cert.pubkey), no * 10U + 2);
    sample_octets(cert.fingerprint, sizeof(cert.fingerprint), no * 10U + 4);
    sample_octets(cert.csr, sizeof(cert.csr), no * 10U + 5);
    sample_octets(cert.der, cert.der_len, no * 10U + 6);
    cert.serial[0] &= 0x7f;
    (void)snprintf(cert.owner, sizeof(cert.owner), "device:DEV%05u", no);
    (void)snprintf(cert.subject, sizeof(cert.subject), "CN=DEV%05u", no);
    return cert;
}

kw_status insert_all(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct insertion *what = ctx;

    if (what->device) {
        TRY(op, store_device_insert(op, txn, what->device));
    }
    if (what->pubkey) {
        TRY(op, store_pubkey_insert(op, txn, what->pubkey));
    }
    if (what->cert) {
        TRY(op, store_cert_insert(op, txn, what->cert));
    }
    if (what->entry) {
        TRY(op, store_log_append(op, txn, kw_span_text(what->entry)));
    }
    ENSURE(op, what->fail == KW_CODE_OK, what->fail, "as told");
    return KW_OK;
}

kw_status env_insert(struct env *env, const struct insertion *what)
{
    struct insertion copy = *what;

    return store_change(env_op(), env->store, insert_all, &copy);
}

void env_add_device(struct env *env, unsigned no)
{
    struct store_device device = sample_device(no);

    assert_ok(env_insert(env, &(struct insertion){.device = &device}));
}

int64_t env_add_cert(struct env *env, unsigned no)
{
    struct store_cert cert = sample_cert(no);

    assert_ok(env_insert(env, &(struct insertion){.cert = &cert}));
    return cert.row;
}

struct store_counts env_counts(struct env *env)
{
    struct store_counts counts = {0};

    assert_ok(store_counts(env_op(), env->store, &counts));
    return counts;
}
