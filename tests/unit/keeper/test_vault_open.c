/* Opening by people: shares one at a time, guesses that cost time, secrets that are replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/keywright-keeper/vault_open.h"
#include "crypto/share.h"
#include "hostile/keeper/rig.h"
#include "os/files.h"

enum { MINUTE_MS = 60000 };

struct world {
    char dir[64], vault[96];
    struct vault_opening opening;
    struct keyring *keyring;
    struct kw_secret *shares[KW_SHARES_MAX];
    unsigned n_shares;
    int64_t now_ms;
};
static struct world w;
static struct kw_op op;

static kw_status ask(enum opening_command command, struct kw_span secret, uint8_t m, uint8_t n)
{
    struct opening_request request = {.command = command, .m = m, .n = n, .secret = secret};

    kw_op_init(&op, "test", 0);
    return vault_open_do(&op, &w.opening, &w.keyring, &request, w.now_ms, w.shares, &w.n_shares);
}

static kw_status give(unsigned i)
{
    return ask(OPENING_SHARE, kw_secret_span(w.shares[i]), 0, 0);
}

static kw_status say(enum opening_command command, const char *secret)
{
    return ask(command, kw_span_text(secret), 0, 0);
}

static struct opening_reply status(void)
{
    struct opening_reply reply = {0};

    kw_op_init(&op, "test", 0);
    vault_open_status(&op, &w.opening, w.keyring, w.now_ms, &reply);
    return reply;
}

static int setup(void **state)
{
    (void)state;
    w = (struct world){
        .now_ms = 1000, .opening = {.unlock = "shares:2,3", .fresh = true}
    };
    (void)snprintf(w.dir, sizeof(w.dir), "/tmp/kw-open-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    (void)snprintf(w.vault, sizeof(w.vault), "%s/vault", w.dir);
    kw_op_init(&op, "test", 0);
    assert_ok(vault_attach(&op, w.vault, /* create= */ true, &w.opening.folder));
    return 0;
}

static int teardown(void **state)
{
    char command[96];

    (void)state;
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        kw_secret_free(w.shares[i]);
    }
    keyring_free(w.keyring);
    vault_open_done(&w.opening);
    (void)snprintf(command, sizeof(command), "%s", w.dir);
    const char *const argv[] = {"/bin/rm", "-rf", command, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        (void)execv(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static void make_by_shares(void)
{
    assert_ok(ask(OPENING_NEW_SHARES, (struct kw_span){0}, 2, 3));
    assert_int_equal(w.n_shares, 3);
    assert_null(w.keyring); /* not before they were read back */
    assert_ok(give(2));
    assert_ok(give(0));
    assert_non_null(w.keyring);
}

static void seal(void)
{
    assert_ok(ask(OPENING_SEAL, (struct kw_span){0}, 0, 0));
    assert_null(w.keyring);
}

static void two_of_three_open_it(void **state)
{
    (void)state;
    make_by_shares();
    seal();
    assert_ok(give(1));
    assert_int_equal(status().given, 1);
    assert_int_equal(status().needed, 2);
    assert_false(status().open);
    assert_code(give(1), KW_E_CONFLICT);
    assert_ok(give(2));
    assert_true(status().open);
    assert_code(give(0), KW_E_STATE);
}

static void a_share_that_waits_too_long_is_dropped(void **state)
{
    (void)state;
    make_by_shares();
    seal();
    assert_ok(give(1));
    w.now_ms += 11 * MINUTE_MS;
    assert_ok(give(2));
    assert_null(w.keyring);
    assert_int_equal(status().given, 1);
    assert_ok(ask(OPENING_FORGET, (struct kw_span){0}, 0, 0));
    assert_int_equal(status().given, 0);
}

static void a_share_of_another_set_is_named(void **state)
{
    AUTO(kw_secret) *secret = NULL;
    struct kw_secret *other[2] = {0};
    struct share_info info;

    (void)state;
    make_by_shares();
    seal();
    assert_ok(kw_secret_new(SHARE_SECRET_BYTES, &secret));
    assert_ok(share_split(&op, secret, 2, 2, other));
    assert_ok(share_check(&op, other[0], &info));
    assert_code(ask(OPENING_SHARE, kw_secret_span(other[0]), 0, 0), KW_E_INPUT);
    assert_non_null(strstr(kw_op_cause(&op), info.set));
    assert_int_equal(status().given, 0);
    kw_secret_free(other[0]);
    kw_secret_free(other[1]);
}

/* Each wrong one doubles the wait; meanwhile even the right one is not looked at. */
static void guesses_cost_time(void **state)
{
    int64_t wait_ms = 1000;

    (void)state;
    assert_ok(say(OPENING_NEW_PASSPHRASE, "correct horse battery"));
    assert_non_null(w.keyring);
    seal();
    for (unsigned i = 0; i < 3; i++) {
        assert_code(say(OPENING_PASSPHRASE, "incorrect horse"), KW_E_DENIED);
        w.now_ms += wait_ms - 1;
        assert_code(say(OPENING_PASSPHRASE, "correct horse battery"), KW_E_LIMIT);
        w.now_ms += 1;
        wait_ms *= 2;
    }
    assert_ok(say(OPENING_PASSPHRASE, "correct horse battery"));
    assert_non_null(w.keyring);
}

static void a_new_secret_needs_leave(void **state)
{
    (void)state;
    assert_ok(say(OPENING_NEW_PASSPHRASE, "correct horse battery"));
    assert_code(say(OPENING_NEW_PASSPHRASE, "another passphrase"), KW_E_DENIED);
    vault_open_allow(&w.opening, w.now_ms);
    w.now_ms += 11 * MINUTE_MS;
    assert_code(say(OPENING_NEW_PASSPHRASE, "another passphrase"), KW_E_DENIED);
    vault_open_allow(&w.opening, w.now_ms);
    assert_ok(say(OPENING_NEW_PASSPHRASE, "another passphrase"));
    seal();
    assert_code(say(OPENING_NEW_PASSPHRASE, "a third passphrase"), KW_E_STATE);
    assert_code(say(OPENING_PASSPHRASE, "correct horse battery"), KW_E_DENIED);
    w.now_ms += MINUTE_MS;
    assert_ok(say(OPENING_PASSPHRASE, "another passphrase"));
}

/* From a passphrase to shares; they count only once they were read back. */
static void shares_take_over_once_they_were_read_back(void **state)
{
    (void)state;
    assert_ok(say(OPENING_NEW_PASSPHRASE, "correct horse battery"));
    vault_open_allow(&w.opening, w.now_ms);
    assert_ok(ask(OPENING_NEW_SHARES, (struct kw_span){0}, 2, 2));
    seal(); /* too early */
    assert_ok(say(OPENING_PASSPHRASE, "correct horse battery"));
    for (unsigned i = 0; i < 2; i++) {
        kw_secret_free(w.shares[i]);
        w.shares[i] = NULL;
    }
    vault_open_allow(&w.opening, w.now_ms);
    assert_ok(ask(OPENING_NEW_SHARES, (struct kw_span){0}, 2, 2));
    assert_ok(give(0));
    assert_ok(give(1));
    seal();
    assert_code(say(OPENING_PASSPHRASE, "correct horse battery"), KW_E_DENIED);
    w.now_ms += MINUTE_MS;
    assert_ok(give(1));
    assert_ok(give(0));
    assert_non_null(w.keyring);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_of_three_open_it),
        TEST(a_share_that_waits_too_long_is_dropped),
        TEST(a_share_of_another_set_is_named),
        TEST(guesses_cost_time),
        TEST(a_new_secret_needs_leave),
        TEST(shares_take_over_once_they_were_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
