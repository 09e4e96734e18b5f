/* The store contract runs on any backend; each test gets an empty one of its own. */
#ifndef CONTRACT_STORE_ENV_H
#define CONTRACT_STORE_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

struct env;

struct store_backend {
    const char *name;
    const char *(*missing)(void); /* why it cannot be tested here; NULL = it can */
    void (*make)(struct env *env, const char *dir); /* sets env->where to an empty database */
    void (*check)(const struct env *env);           /* fails the test where it is damaged */
};

struct env {
    const struct store_backend *backend;
    char dir[128];
    char where[192];
    struct store *store;
    struct store_config config;
};

/* main(): argv[1] names the backend. Returns the exit status; 77 where it is missing. */
int env_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n, const char *suite);
/* For each test: a folder and an open store; closed, checked and removed behind it. */
int env_setup(void **state);
int env_teardown(void **state);
#define STORE_TEST(function) cmocka_unit_test_setup_teardown(function, env_setup, env_teardown)

void env_open(struct env *env); /* by env->config; where NULL is its path, env->where */
void env_close(struct env *env);
void env_reopen(struct env *env);

/* A fresh operation of this thread, without a deadline. */
struct kw_op *env_op(void);
struct kw_op *env_op_until(int64_t deadline_ms);
void env_judge(kw_status status, enum kw_code want, const char *file, int line);
#define assert_ok(expr) env_judge((expr), KW_CODE_OK, __FILE__, __LINE__)
#define assert_fails(expr, want) env_judge((expr), (want), __FILE__, __LINE__)

/* Rows that differ by number alone; equal numbers give equal rows. */
struct store_device sample_device(unsigned no);
struct store_pubkey sample_pubkey(unsigned no);
struct store_cert sample_cert(unsigned no);
void sample_octets(void *p, size_t n, uint64_t seed);

/* A change that inserts what is not NULL, then appends the text to the log, then fails if told. */
struct insertion {
    const struct store_device *device;
    const struct store_pubkey *pubkey;
    struct store_cert *cert;
    const char *entry;
    enum kw_code fail;
};
kw_status insert_all(struct kw_op *op, struct store_txn *txn, void *ctx);
kw_status env_insert(struct env *env, const struct insertion *what);
/* The same for device and certificate number `no` alone. */
void env_add_device(struct env *env, unsigned no);
int64_t env_add_cert(struct env *env, unsigned no);

struct store_counts env_counts(struct env *env);

#endif
