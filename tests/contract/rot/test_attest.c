/* Attestation by a TPM (swtpm), judged by tpm2-tools: they make the credential and check the quote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/pem.h"
#include "crypto/openssl.h"
#include "env.h"
#include "rot/tpm2/device.h"

static const uint8_t mask_0_to_9[ROT_PCR_MASK_BYTES] = {0xff, 0x03, 0};
static const char qualifying[] = "0123456789abcdef0123456789ABCDEF"; /* 32 octets */

static struct kw_span question(void)
{
    return KW_SPAN(qualifying, ROT_QUALIFYING_MAX);
}

/* --- tpm2-tools --- */

static bool has_tools(void)
{
    return access("/usr/bin/tpm2_checkquote", X_OK) == 0;
}

/* True where the program ends with 0. */
static bool run(const char *const argv[])
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *file(const struct env *env, const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % KW_COUNT(paths)];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", env->dir, name);
    return path;
}

static const char *put(const struct env *env, const char *name, struct kw_span octets)
{
    const char *path = file(env, name);
    env_write(path, octets.p, octets.len);
    return path;
}

static bool tools_accept(const struct env *env, const struct rot_quote *quote, struct kw_span nonce)
{
    char hex[2 * ROT_QUALIFYING_MAX + 1];
    const char *const argv[] = {"tpm2_checkquote",
                                "-Q",
                                "-u",
                                file(env, "ak.pem"),
                                "-m",
                                put(env, "quote", kw_bytes_span(quote->attest)),
                                "-s",
                                put(env, "signature", kw_bytes_span(quote->sig)),
                                "-g",
                                "sha256",
                                "-q",
                                kw_hex(nonce, hex, sizeof(hex)),
                                NULL};
    return run(argv);
}

/* --- fixtures --- */

static void close_keys(struct rot_attest_keys *keys)
{
    rot_attest_keys_done(keys);
}
#define KEYS __attribute__((cleanup(close_keys))) struct rot_attest_keys
#define QUOTE __attribute__((cleanup(rot_quote_done))) struct rot_quote
#define CERTIFIED __attribute__((cleanup(rot_certified_done))) struct rot_certified

/* A TPM as its manufacturer leaves it: with endorsement certificates of a CA of ours. */
static int setup_with_certificate(void **state)
{
    if (env_setup(state) != 0) {
        return 1;
    }
    struct env *env = *state;
    if (!env->usable || access("/usr/bin/swtpm_setup", X_OK) != 0) {
        env->usable = false;
        return 0;
    }
    char dir[sizeof(env->tpm.dir)];
    (void)snprintf(dir, sizeof(dir), "%s", env->tpm.dir);
    swtpm_stop(&env->tpm);
    assert_int_equal(mkdir(file(env, "ekca"), 0700), 0);
    env->usable = swtpm_manufacture(dir, file(env, "ekca"));
    return env->usable && swtpm_start(&env->tpm, dir, 0) ? 0 : 1;
}

static struct env *env_with_tools(void **state)
{
    struct env *env = env_of(state);
    if (!has_tools()) {
        print_message("tpm2-tools are not installed\n");
        skip();
    }
    return env;
}

static void parse_public(const struct kw_bytes *octets, TPM2B_PUBLIC *ret)
{
    size_t at = 0;
    memset(ret, 0, sizeof(*ret));
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Unmarshal(octets->p, octets->len, &at, ret),
                     TSS2_RC_SUCCESS);
    assert_int_equal(at, octets->len);
}

/* "ak.pem", for tpm2_checkquote. */
static void put_pem(const struct env *env, const struct kw_bytes *ak_public)
{
    AUTO(pubkey) *key = NULL;
    AUTO(kw_bytes) *pem = NULL;
    TPM2B_PUBLIC ak;

    parse_public(ak_public, &ak);
    OK(tpm2_public_key(env_op(), &ak.publicArea, tpm2_curve_of(KEY_ALG_EC_P256), &key));
    OK(kw_bytes_new(512, &pem));
    OK(kw_pem_encode("PUBLIC KEY", pubkey_spki(key), pem));
    (void)put(env, "ak.pem", kw_bytes_span(pem));
}

/* --- keys --- */

static void the_attestation_key_is_restricted_and_stays(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    KEYS first = {0};
    KEYS again = {0};
    TPM2B_PUBLIC ak, ek;

    assert_true(rot_info(rot).caps & ROT_CAP_ATTEST);
    OK(rot_attest_keys(env_op(), rot, &first));
    parse_public(first.ak_public, &ak);
    assert_int_equal(ak.publicArea.objectAttributes,
                     TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                         TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                         TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT);
    parse_public(first.ek_public, &ek);
    assert_true(ek.publicArea.objectAttributes & TPMA_OBJECT_RESTRICTED);
    assert_true(ek.publicArea.objectAttributes & TPMA_OBJECT_DECRYPT);
    assert_int_equal(first.ek_cert->len, 0); /* nobody made one for this TPM */
    rot_close(TAKE(rot));
    rot = env_open(env);
    OK(rot_attest_keys(env_op(), rot, &again));
    assert_true(kw_span_equal(kw_bytes_span(first.ak_public), kw_bytes_span(again.ak_public)));
    assert_true(kw_span_equal(kw_bytes_span(first.ek_public), kw_bytes_span(again.ek_public)));
}

static kw_status fail_at(struct kw_op *op, const char *label, void *ctx)
{
    (void)ctx;
    return FAIL(op, KW_E_INTERNAL, "there is a key '%s'", label);
}

/* It never signs what it is given, and no other key takes its place. */
static void the_attestation_key_is_no_signing_key(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *none = NULL;
    KEYS keys = {0};
    char proof[256];
    unsigned held = 0, leftovers = 0;

    REFUSED(rot_key_generate(env_op(), rot, ROT_ATTEST_LABEL, KEY_ALG_EC_P256, &none), KW_E_INPUT);
    OK(rot_attest_keys(env_op(), rot, &keys));
    REFUSED(rot_key_load(env_op(), rot, ROT_ATTEST_LABEL, &none), KW_E_INPUT);
    OK(rot_key_each(env_op(), rot, fail_at, NULL));
    OK(rot_key_destroy(env_op(), rot, ROT_ATTEST_LABEL, proof, sizeof(proof)));
    env->backend->count(env, &held, &leftovers);
    assert_int_equal(held, 0);
    assert_int_equal(leftovers, 0);
    QUOTE quote = {0};
    REFUSED(rot_attest_quote(env_op(), rot, question(), mask_0_to_9, &quote), KW_E_NOT_FOUND);
}

static void the_endorsement_certificate_is_of_the_endorsement_key(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(BIGNUM) *modulus = NULL;
    KEYS keys = {0};
    TPM2B_PUBLIC ek;

    OK(rot_attest_keys(env_op(), rot, &keys));
    const uint8_t *der = keys.ek_cert->p;
    AUTO(X509) *cert = d2i_X509(NULL, &der, (long)keys.ek_cert->len);
    assert_non_null(cert);
    assert_ptr_equal(der, keys.ek_cert->p + keys.ek_cert->len); /* nothing behind it */
    parse_public(keys.ek_public, &ek);
    assert_int_equal(ek.publicArea.type, TPM2_ALG_RSA);
    const TPM2B_PUBLIC_KEY_RSA *n = &ek.publicArea.unique.rsa;
    AUTO(BIGNUM) *want = BN_bin2bn(n->buffer, n->size, NULL);
    assert_true(EVP_PKEY_get_bn_param(X509_get0_pubkey(cert), "n", &modulus));
    assert_int_equal(BN_cmp(modulus, want), 0);
}

/* --- activation --- */

enum { CREDENTIAL_MAX = 2048, TOOLS_HEAD = 8 };

/* tpm2_makecredential for this endorsement key and this Name, split into its two parts. */
static void make_credential(const struct env *env, const struct rot_attest_keys *keys,
                            const uint8_t name[TPM2_NAME_BYTES], uint8_t room[CREDENTIAL_MAX],
                            struct kw_span *ret_blob, struct kw_span *ret_secret)
{
    char hex[2 * TPM2_NAME_BYTES + 1];
    const char *const argv[] = {"tpm2_makecredential",
                                "-Q",
                                "-T",
                                "none",
                                "-u",
                                put(env, "ek.pub", kw_bytes_span(keys->ek_public)),
                                "-s",
                                put(env, "plain", question()),
                                "-n",
                                kw_hex(KW_SPAN(name, TPM2_NAME_BYTES), hex, sizeof(hex)),
                                "-o",
                                file(env, "credential"),
                                NULL};
    assert_true(run(argv));
    size_t n = env_read(file(env, "credential"), room, CREDENTIAL_MAX);
    assert_true(n > TOOLS_HEAD + 2);
    size_t n_blob = 2 + ((size_t)room[TOOLS_HEAD] << 8 | room[TOOLS_HEAD + 1]);
    assert_true(TOOLS_HEAD + n_blob < n);
    *ret_blob = KW_SPAN(room + TOOLS_HEAD, n_blob);
    *ret_secret = KW_SPAN(room + TOOLS_HEAD + n_blob, n - TOOLS_HEAD - n_blob);
}

static void name_of(const struct rot_attest_keys *keys, uint8_t ret[TPM2_NAME_BYTES])
{
    TPM2B_PUBLIC ak;
    parse_public(keys->ak_public, &ak);
    OK(tpm2_public_name(env_op(), &ak.publicArea, ret));
}

static void a_credential_of_tpm2_tools_is_activated(void **state)
{
    struct env *env = env_with_tools(state);
    AUTO(rot) *rot = env_open(env);
    KEYS keys = {0};
    uint8_t name[TPM2_NAME_BYTES];
    uint8_t room[CREDENTIAL_MAX];
    struct kw_span blob, secret;
    AUTO(kw_secret) *opened = NULL;
    AUTO(kw_secret) *refused = NULL;

    OK(rot_attest_keys(env_op(), rot, &keys));
    name_of(&keys, name);
    make_credential(env, &keys, name, room, &blob, &secret);
    OK(rot_attest_activate(env_op(), rot, blob, secret, &opened));
    assert_true(kw_span_equal(kw_secret_span(opened), question()));

    room[TOOLS_HEAD + blob.len - 1] ^= 1; /* altered on its way */
    REFUSED(rot_attest_activate(env_op(), rot, blob, secret, &refused), KW_E_DENIED);
    name[5] ^= 1; /* for another attestation key */
    make_credential(env, &keys, name, room, &blob, &secret);
    REFUSED(rot_attest_activate(env_op(), rot, blob, secret, &refused), KW_E_DENIED);
    REFUSED(
        rot_attest_activate(env_op(), rot, kw_span_sub(blob, 0, blob.len - 1), secret, &refused),
        KW_E_INPUT);
    REFUSED(rot_attest_activate(env_op(), rot, KW_SPAN(NULL, 0), KW_SPAN(NULL, 0), &refused),
            KW_E_INPUT);
    unsigned held = 0, leftovers = 0;
    env->backend->count(env, &held, &leftovers);
    assert_int_equal(leftovers, 0);
}

/* --- quotes --- */

static void extend(const struct env *env, unsigned pcr)
{
    TPML_DIGEST_VALUES values = {.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256}}};
    AUTO(tpm2_session) *s = NULL;
    OK(tpm2_session_open(env_op(), env->tpm.tcti, TPM2_VISIT_MAX_MS, &s));
    values.digests[0].digest.sha256[0] = 1;
    assert_int_equal(Esys_PCR_Extend(s->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE, &values),
                     TSS2_RC_SUCCESS);
}

static void tpm2_checkquote_accepts_a_quote(void **state)
{
    struct env *env = env_with_tools(state);
    AUTO(rot) *rot = env_open(env);
    KEYS keys = {0};
    QUOTE before = {0};
    QUOTE after = {0};

    OK(rot_attest_keys(env_op(), rot, &keys));
    put_pem(env, keys.ak_public);
    OK(rot_attest_quote(env_op(), rot, question(), mask_0_to_9, &before));
    assert_true(tools_accept(env, &before, question()));
    assert_false(tools_accept(env, &before, kw_span_text("another nonce of thirty-two byte")));
    extend(env, 9);
    extend(env, 10); /* not quoted */
    OK(rot_attest_quote(env_op(), rot, question(), mask_0_to_9, &after));
    assert_true(tools_accept(env, &after, question()));
    for (unsigned i = 0; i < ROT_PCRS; i++) {
        bool same = memcmp(before.pcrs[i], after.pcrs[i], KW_HASH_BYTES) == 0;
        assert_int_equal(same, i != 9);
    }
    after.attest->p[after.attest->len - 1] ^= 1;
    assert_false(tools_accept(env, &after, question()));
}

static void each_mask_is_quoted(void **state)
{
    static const uint8_t masks[][ROT_PCR_MASK_BYTES] = {
        {0,    0,    0   },
        {1,    0,    0   },
        {0,    0,    0x80},
        {0xff, 0xff, 0xff}, /* more than one answer of the TPM holds */
    };
    static const uint8_t too_long[ROT_QUALIFYING_MAX + 1];
    AUTO(rot) *rot = env_open(env_of(state));
    KEYS keys = {0};
    QUOTE none = {0};

    OK(rot_attest_keys(env_op(), rot, &keys));
    for (size_t i = 0; i < KW_COUNT(masks); i++) {
        QUOTE quote = {0};
        OK(rot_attest_quote(env_op(), rot, question(), masks[i], &quote));
        assert_non_null(memmem(quote.attest->p, quote.attest->len, qualifying, ROT_QUALIFYING_MAX));
    }
    REFUSED(rot_attest_quote(env_op(), rot, KW_SPAN_ARRAY(too_long), masks[0], &none), KW_E_INPUT);
}

/* PCRs that another process extends all the while: what is returned is what was signed. */
static void pcrs_may_change_meanwhile(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    KEYS keys = {0};
    unsigned n = 0;

    OK(rot_attest_keys(env_op(), rot, &keys));
    pid_t other = fork();
    if (other == 0) {
        for (unsigned i = 0; i < 60; i++) {
            extend(env, 9);
        }
        _exit(0);
    }
    for (unsigned i = 0; i < 20; i++) {
        QUOTE quote = {0};
        kw_status status = rot_attest_quote(env_op(), rot, question(), mask_0_to_9, &quote);
        assert_true(kw_ok(status) || status.code == KW_E_UNAVAILABLE);
        n += kw_ok(status) ? 1 : 0;
    }
    assert_int_equal(waitpid(other, NULL, 0), other);
    assert_true(n > 0);
}

/* --- certified keys --- */

static void a_key_is_certified(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    AUTO(rot_key) *key = env_generate(rot, "ldevid-a", KEY_ALG_EC_P256);
    KEYS keys = {0};
    CERTIFIED certified = {0};
    CERTIFIED refused = {0};
    uint8_t name[TPM2_NAME_BYTES];
    TPM2B_PUBLIC area;
    TPMS_ATTEST said;
    char proof[256];
    size_t at = 0;

    OK(rot_attest_keys(env_op(), rot, &keys));
    OK(rot_attest_certify(env_op(), rot, key, question(), &certified));
    parse_public(certified.key_public, &area);
    OK(tpm2_public_name(env_op(), &area.publicArea, name));
    assert_int_equal(
        Tss2_MU_TPMS_ATTEST_Unmarshal(certified.attest->p, certified.attest->len, &at, &said),
        TSS2_RC_SUCCESS);
    assert_int_equal(said.magic, TPM2_GENERATED_VALUE);
    assert_int_equal(said.type, TPM2_ST_ATTEST_CERTIFY);
    assert_memory_equal(said.attested.certify.name.name, name, sizeof(name));
    assert_memory_equal(said.extraData.buffer, qualifying, ROT_QUALIFYING_MAX);
    OK(rot_key_destroy(env_op(), rot, "ldevid-a", proof, sizeof(proof)));
    REFUSED(rot_attest_certify(env_op(), rot, key, question(), &refused), KW_E_STATE);
}

static void a_cleared_tpm_attests_no_more(void **state)
{
    struct env *env = env_of(state);
    AUTO(rot) *rot = env_open(env);
    KEYS keys = {0};
    KEYS none = {0};
    QUOTE quote = {0};
    {
        OK(rot_attest_keys(env_op(), rot, &keys));
        AUTO(tpm2_session) *s = NULL;
        OK(tpm2_session_open(env_op(), env->tpm.tcti, TPM2_VISIT_MAX_MS, &s));
        assert_int_equal(
            Esys_Clear(s->esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
            TSS2_RC_SUCCESS);
    }
    REFUSED(rot_attest_quote(env_op(), rot, question(), mask_0_to_9, &quote), KW_E_INTEGRITY);
    REFUSED(rot_attest_keys(env_op(), rot, &none), KW_E_INTEGRITY);
}

/* --- roots of trust without it --- */

static void others_say_that_they_cannot(void **state)
{
    AUTO(rot) *rot = env_open(env_of(state));
    AUTO(rot_key) *key = env_generate(rot, "k", KEY_ALG_EC_P256);
    AUTO(kw_secret) *secret = NULL;
    struct rot_attest_keys keys = {0};
    struct rot_certified certified = {0};
    struct rot_quote quote = {0};

    assert_false(rot_info(rot).caps & ROT_CAP_ATTEST);
    REFUSED(rot_attest_keys(env_op(), rot, &keys), KW_E_UNSUPPORTED);
    REFUSED(rot_attest_activate(env_op(), rot, question(), question(), &secret), KW_E_UNSUPPORTED);
    REFUSED(rot_attest_certify(env_op(), rot, key, question(), &certified), KW_E_UNSUPPORTED);
    REFUSED(rot_attest_quote(env_op(), rot, question(), mask_0_to_9, &quote), KW_E_UNSUPPORTED);
}

#define ROW(function, setup, backend)                                                              \
    {#function "/" #backend, function, setup, env_teardown,                                        \
     (void *)(uintptr_t)&env_backend_##backend}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_attestation_key_is_restricted_and_stays, env_setup, tpm2),
        ROW(the_attestation_key_is_no_signing_key, env_setup, tpm2),
        ROW(the_endorsement_certificate_is_of_the_endorsement_key, setup_with_certificate, tpm2),
        ROW(a_credential_of_tpm2_tools_is_activated, env_setup, tpm2),
        ROW(a_credential_of_tpm2_tools_is_activated, setup_with_certificate, tpm2),
        ROW(tpm2_checkquote_accepts_a_quote, env_setup, tpm2),
        ROW(each_mask_is_quoted, env_setup, tpm2),
        ROW(pcrs_may_change_meanwhile, env_setup, tpm2),
        ROW(a_key_is_certified, env_setup, tpm2),
        ROW(a_cleared_tpm_attests_no_more, env_setup, tpm2),
        ROW(others_say_that_they_cannot, env_setup, soft),
        ROW(others_say_that_they_cannot, env_setup, pkcs11),
    };
    return cmocka_run_group_tests_name("rot/attest", tests, NULL, NULL);
}
