/* Signed data, sealed data, TLS contexts and the time of a device that enrolled at a gate of the
 * test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <keywright/keywright.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate.h"

static char base[64], work[80], rot_uri[128], server[64];
static struct gate *gate;
static struct keywright *kw;

static struct keywright *open_device(const char *dir, const char *uri)
{
    struct keywright_config config = {.state_dir = dir,
                                      .server = server,
                                      .device_id = GATE_DEVICE,
                                      .trust_file = gate->trust,
                                      .root_of_trust = uri};
    struct keywright *opened = NULL;

    assert_int_equal(keywright_open(&config, &opened), KEYWRIGHT_OK);
    return opened;
}

static int enrol(void **state)
{
    (void)state;
    gate->ocsp = GATE_OCSP_GOOD;
    kw = open_device(work, rot_uri);
    if (keywright_enrol(kw, GATE_SECRET) != KEYWRIGHT_OK) {
        (void)fprintf(stderr, "%s\n", keywright_error(kw));
        return -1;
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int forget(void **state)
{
    (void)state;
    keywright_close(kw);
    return nftw(work, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- signed data ------------------------------------------------------------------------------ */

static char text[16384];
static size_t n_text;
static char data[16384];
static size_t n_data;
static struct keywright_data_facts facts;

static void sign(const char *type, const char *audience, const char *what)
{
    struct keywright_data said = {.type = type, .audience = audience};

    n_text = sizeof(text);
    if (keywright_sign_data(kw, &said, what, strlen(what), text, &n_text) != KEYWRIGHT_OK) {
        fail_msg("%s", keywright_error(kw));
    }
    n_text--;
    assert_int_equal(strlen(text), n_text);
}

static enum keywright_result verify(const struct keywright_data *expect)
{
    n_data = sizeof(data);
    return keywright_verify_data(kw, expect, text, n_text, data, &n_data, &facts);
}

static void taken_once(void **state)
{
    struct keywright_data expect = {.type = "command", .signer = GATE_DEVICE};
    uint64_t first;

    (void)state;
    sign("command", GATE_DEVICE, "TURN_LIGHT_ON");
    assert_int_equal(verify(&expect), KEYWRIGHT_OK);
    assert_int_equal(n_data, 13);
    assert_memory_equal(data, "TURN_LIGHT_ON", 13);
    assert_string_equal(facts.signer, GATE_DEVICE);
    first = facts.sequence;
    assert_int_equal(verify(&expect), KEYWRIGHT_REFUSED);
    assert_non_null(strstr(keywright_error(kw), "replayed"));
    assert_int_equal(keywright_refused(kw), KEYWRIGHT_REPLAYED);
    assert_string_equal(keywright_refusal_name(keywright_refused(kw)), "replayed");
    keywright_close(kw); /* the guard outlives the process */
    kw = open_device(work, rot_uri);
    assert_int_equal(verify(&expect), KEYWRIGHT_REFUSED);
    sign("command", GATE_DEVICE, "");
    assert_int_equal(verify(&expect), KEYWRIGHT_OK);
    assert_int_equal(n_data, 0);
    assert_true(facts.sequence > first);
}

static void not_as_expected(void **state)
{
    struct keywright_data expect = {.type = "command"};

    (void)state;
    sign("receipt", GATE_DEVICE, "x");
    assert_int_equal(verify(&expect), KEYWRIGHT_REFUSED);
    assert_int_equal(keywright_refused(kw), KEYWRIGHT_WRONG_TYPE);
    sign("command", "DEV2", "x"); /* to another hub */
    assert_int_equal(verify(&expect), KEYWRIGHT_REFUSED);
    assert_int_equal(keywright_refused(kw), KEYWRIGHT_WRONG_AUDIENCE);
    sign("command", NULL, "x");
    assert_int_equal(verify(&expect), KEYWRIGHT_REFUSED);
    expect.for_all = 1;
    expect.signer = "cloud";
    assert_int_equal(verify(&expect), KEYWRIGHT_REFUSED);
    assert_int_equal(keywright_refused(kw), KEYWRIGHT_WRONG_SIGNER);
    expect.signer = NULL;
    n_data = 3; /* too little room: it does not count as taken */
    assert_int_equal(keywright_verify_data(kw, &expect, text, n_text, data, &n_data, &facts),
                     KEYWRIGHT_BAD_INPUT);
    assert_int_equal(verify(&expect), KEYWRIGHT_OK);
}

/* Whichever character is another one: never the data, and never a crash. */
static void altered(void **state)
{
    struct keywright_data expect = {.type = "command"};

    (void)state;
    sign("command", GATE_DEVICE, "TURN_LIGHT_ON");
    for (size_t i = 0; i < n_text; i += i < n_text - 120 ? 37 : 1) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(&expect), KEYWRIGHT_OK);
        text[i] = kept;
    }
    size_t whole = n_text;
    for (n_text = 0; n_text < whole; n_text += 29) {
        assert_int_not_equal(verify(&expect), KEYWRIGHT_OK);
    }
    n_text = whole;
    assert_int_equal(verify(&expect), KEYWRIGHT_OK);
}

static void signer_revoked(void **state)
{
    struct keywright_data expect = {.type = "command"};

    (void)state;
    sign("command", GATE_DEVICE, "x");
    gate->ocsp = GATE_OCSP_REVOKED;
    assert_int_equal(verify(&expect), KEYWRIGHT_NOT_TRUSTED);
    assert_int_equal(keywright_refused(kw), KEYWRIGHT_SIGNER_UNTRUSTED);
    gate->ocsp = GATE_OCSP_HTTP_500; /* it cannot be found out */
    assert_int_equal(verify(&expect), KEYWRIGHT_NOT_TRUSTED);
    gate->ocsp = GATE_OCSP_GOOD;
    assert_int_equal(verify(&expect), KEYWRIGHT_OK);
}

/* A kept answer counts as long as the caller says, and by a grace where nobody answers. */
static void signer_revoked_a_while_ago(void **state)
{
    struct keywright_data expect = {.type = "command", .status_age_s = 300};
    static const struct {
        enum gate_ocsp ocsp;
        uint32_t age_s, grace_s;
        enum keywright_result want;
    } cases[] = {
        {GATE_OCSP_REVOKED,  300, 0,   KEYWRIGHT_OK         },
        {GATE_OCSP_REVOKED,  0,   0,   KEYWRIGHT_OK         }, /* a day */
        {GATE_OCSP_REVOKED,  100, 900, KEYWRIGHT_NOT_TRUSTED}, /* the word is final */
        {GATE_OCSP_HTTP_500, 100, 200, KEYWRIGHT_OK         },
        {GATE_OCSP_HTTP_500, 100, 50,  KEYWRIGHT_NOT_TRUSTED},
        {GATE_OCSP_HTTP_500, 100, 0,   KEYWRIGHT_NOT_TRUSTED},
        {GATE_OCSP_GOOD,     100, 0,   KEYWRIGHT_OK         },
    };

    (void)state;
    gate->ocsp_age_s = 200;
    gate->ocsp = GATE_OCSP_GOOD;
    sign("command", GATE_DEVICE, "x");
    assert_int_equal(verify(&expect), KEYWRIGHT_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sign("command", GATE_DEVICE, "x");
        gate->ocsp = cases[i].ocsp;
        expect.status_age_s = cases[i].age_s;
        expect.status_grace_s = cases[i].grace_s;
        if (verify(&expect) != cases[i].want) {
            fail_msg("case %zu: %s", i, keywright_error(kw));
        }
    }
    gate->ocsp_age_s = 0;
}

/* --- sealed data ------------------------------------------------------------------------------ */

static void sealed(void **state)
{
    static unsigned char plain[100000], box[sizeof(plain) + KEYWRIGHT_SEAL_OVERHEAD];
    static unsigned char again[sizeof(plain)];
    size_t n = sizeof(box), n_again = sizeof(again);

    (void)state;
    memset(plain, 0x5a, sizeof(plain));
    assert_int_equal(keywright_seal(kw, "wifi", plain, sizeof(plain), box, &n), KEYWRIGHT_OK);
    assert_int_equal(n, sizeof(box));
    assert_int_equal(keywright_renew(kw, 1), KEYWRIGHT_OK);
    keywright_close(kw);
    kw = open_device(work, rot_uri);
    assert_int_equal(keywright_unseal(kw, "wifi", box, n, again, &n_again), KEYWRIGHT_OK);
    assert_memory_equal(plain, again, sizeof(plain));
    assert_int_equal(keywright_unseal(kw, "token", box, n, again, &n_again), KEYWRIGHT_LOST);
    for (size_t i = 0; i < n; i += 9973) {
        box[i] ^= 1;
        assert_int_equal(keywright_unseal(kw, "wifi", box, n, again, &n_again), KEYWRIGHT_LOST);
        box[i] ^= 1;
    }
    assert_int_equal(keywright_unseal(kw, "wifi", box, 39, again, &n_again), KEYWRIGHT_LOST);
}

static void sealed_elsewhere_or_wiped(void **state)
{
    char other_dir[96], other_uri[160];
    unsigned char box[100], plain[100];
    size_t n = sizeof(box), n_plain = sizeof(plain);

    (void)state;
    assert_int_equal(keywright_seal(kw, "wifi", "secret", 6, box, &n), KEYWRIGHT_OK);
    (void)snprintf(other_dir, sizeof(other_dir), "%s/other", work);
    (void)snprintf(other_uri, sizeof(other_uri), "soft:dir=%s/keys", other_dir);
    struct keywright *other = open_device(other_dir, other_uri);
    assert_int_equal(keywright_unseal(other, "wifi", box, n, plain, &n_plain), KEYWRIGHT_LOST);
    keywright_close(other);
    assert_int_equal(keywright_wipe(kw), KEYWRIGHT_OK);
    assert_int_equal(keywright_unseal(kw, "wifi", box, n, plain, &n_plain), KEYWRIGHT_LOST);
    assert_int_equal(keywright_seal(kw, "wifi", "x", 1, box, &n), KEYWRIGHT_NO_IDENTITY);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static bool connects(SSL_CTX *ctx)
{
    char where[32];
    BIO *bio = BIO_new_ssl_connect(ctx);

    (void)snprintf(where, sizeof(where), "127.0.0.1:%u", gate->port);
    assert_non_null(bio);
    (void)BIO_set_conn_hostname(bio, where);
    bool done = BIO_do_handshake(bio) == 1;
    BIO_free_all(bio);
    return done;
}

/* The path is good and nobody is revoked: only the name is another's, whoever asks for it. */
static void tls_host(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.2", "example.test"};
    SSL_CTX *ctx = NULL;

    (void)state;
    for (unsigned i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        assert_int_equal(keywright_tls_context(kw, hosts[i], &ctx), KEYWRIGHT_OK);
        assert_false(connects(ctx));
        SSL_CTX_free(ctx);
        assert_int_equal(keywright_tls_context(kw, NULL, &ctx), KEYWRIGHT_OK);
        (void)X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(ctx), hosts[i], 0);
        assert_false(connects(ctx));
        SSL_CTX_free(ctx);
    }
    assert_int_equal(keywright_tls_context(kw, NULL, &ctx), KEYWRIGHT_OK);
    assert_true(connects(ctx));
    SSL_CTX_free(ctx);
}

static void reason(SSL_CTX *ctx, char why[512])
{
    assert_int_equal(keywright_tls_reason(kw, ctx, why, 512), KEYWRIGHT_OK);
}

static void tls_context(void **state)
{
    SSL_CTX *ctx = NULL;
    char why[512];

    (void)state;
    assert_int_equal(keywright_tls_context(kw, "127.0.0.1", &ctx), KEYWRIGHT_OK);
    assert_true(connects(ctx));
    reason(ctx, why);
    assert_string_equal(why, "");
    SSL_CTX_free(ctx);
    (void)nftw(work, remove_one, 8, FTW_DEPTH | FTW_PHYS); /* kept OCSP answers go */
    keywright_close(kw);
    assert_int_equal(enrol(NULL), 0);
    assert_int_equal(keywright_tls_context(kw, NULL, &ctx), KEYWRIGHT_OK);
    keywright_close(kw); /* the context lives on */
    kw = open_device(work, rot_uri);
    assert_true(connects(ctx));
    SSL_CTX_free(ctx);
}

/* --- the time --------------------------------------------------------------------------------- */

/* Where the clock is not believed the signed time comes before all else, once for a process. */
static void clock_not_believed(void **state)
{
    static const char *const jumps[] = {"-1700000000", "2500000000"}; /* the 1970s, and 2106 */

    (void)state;
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        unsigned before = gate->n_times;
        struct keywright_due due = {0};
        keywright_close(kw);
        kw = open_device(work, rot_uri);
        assert_int_equal(setenv("KEYWRIGHT_TEST_CLOCK_JUMP_S", jumps[i], 1), 0);
        assert_int_equal(keywright_due(kw, &due), KEYWRIGHT_OK);
        assert_true(due.in_ms > 0); /* no clock makes it due */
        assert_int_equal(keywright_hello(kw), KEYWRIGHT_OK);
        assert_int_equal(keywright_renew(kw, /* force= */ 1), KEYWRIGHT_OK);
        assert_int_equal(gate->n_times, before + 1);
        assert_int_equal(unsetenv("KEYWRIGHT_TEST_CLOCK_JUMP_S"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(taken_once, enrol, forget),
        cmocka_unit_test_setup_teardown(not_as_expected, enrol, forget),
        cmocka_unit_test_setup_teardown(altered, enrol, forget),
        cmocka_unit_test_setup_teardown(signer_revoked, enrol, forget),
        cmocka_unit_test_setup_teardown(signer_revoked_a_while_ago, enrol, forget),
        cmocka_unit_test_setup_teardown(sealed, enrol, forget),
        cmocka_unit_test_setup_teardown(sealed_elsewhere_or_wiped, enrol, forget),
        cmocka_unit_test_setup_teardown(tls_context, enrol, forget),
        cmocka_unit_test_setup_teardown(tls_host, enrol, forget),
        cmocka_unit_test_setup_teardown(clock_not_believed, enrol, forget),
    };

    (void)snprintf(base, sizeof(base), "/tmp/kw-data-XXXXXX");
    if (!mkdtemp(base)) {
        return 1;
    }
    (void)snprintf(work, sizeof(work), "%s/work", base);
    (void)snprintf(rot_uri, sizeof(rot_uri), "soft:dir=%s/keys", work);
    gate = gate_start(base);
    (void)snprintf(server, sizeof(server), "https://127.0.0.1:%u", gate->port);
    int failed = cmocka_run_group_tests_name("device_data", tests, NULL, NULL);
    gate_stop(gate);
    (void)nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return failed;
}
