/* One backend with a fresh folder (and TPM) for each test. */
#ifndef TESTS_CONTRACT_ROT_ENV_H
#define TESTS_CONTRACT_ROT_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rot/rot.h"
#include "softhsm.h"
#include "swtpm.h"

struct env;

/* What differs between the backends. */
struct backend {
    const char *name;
    unsigned caps;
    unsigned assurance_level;
    unsigned algs;                  /* KEY_ALG_BIT */
    const char *attribute;          /* a word that rot_key_attributes() has */
    bool (*start)(struct env *env); /* false: not installed; the reason was printed */
    void (*uri)(const struct env *env, char *text, size_t cap);
    void (*stop)(struct env *env);
    /* The file that holds (or finds) a key; NULL where such files are another program's. */
    void (*key_file)(const struct env *env, const char *label, char *path, size_t cap);
    /* Keys that the backend really holds, and what it should not: leftovers. */
    void (*count)(struct env *env, unsigned *ret_keys, unsigned *ret_leftovers);
};

struct env {
    const struct backend *backend;
    bool usable;
    char dir[64];       /* all below it goes in the end */
    char rot_dir[80];   /* dir= of the URI */
    struct swtpm tpm;   /* tpm2 only */
    struct softhsm hsm; /* pkcs11 only */
};

extern const struct backend env_backend_soft;
extern const struct backend env_backend_tpm2;
extern const struct backend env_backend_pkcs11;

/* cmocka fixtures; *state comes in as the backend and goes on as the env. */
int env_setup(void **state);
int env_teardown(void **state);
/* The env of a test; the test is skipped where its backend is not installed. */
struct env *env_of(void **state);

struct rot *env_open(const struct env *env);
struct rot_key *env_generate(struct rot *rot, const char *label, enum key_alg alg);
struct rot_key *env_load(struct rot *rot, const char *label);
/* Sign a text and verify with the key's public half. */
void env_check_signing(struct rot_key *key);
/* A fresh operation for each call: OK(…) must succeed, REFUSED(…, KW_E_…) must fail so. */
struct kw_op *env_op(void);
const struct kw_op *env_last_op(void);
void env_judge(kw_status status, enum kw_code want, const char *file, int line);
#define OK(call) env_judge((call), KW_CODE_OK, __FILE__, __LINE__)
#define REFUSED(call, code) env_judge((call), (code), __FILE__, __LINE__)

/* Files as a test needs them. */
size_t env_read(const char *path, uint8_t *room, size_t cap);
void env_write(const char *path, const uint8_t *octets, size_t n);

#endif
