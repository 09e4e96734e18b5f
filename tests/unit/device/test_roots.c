/* Which roots a device trusts: the old one goes when the new one was used and is all that is handed
 * out; nobody but the one in use names a successor; a spare one is there from birth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/dn.h"
#include "device/device.h"
#include "os/clock.h"
#include "os/files.h"

enum { HOUR = 3600 };

static char base[64];

/* --- certificates ----------------------------------------------------------------------------- */

static struct authority {
    struct privkey *key;
    struct cert *root; /* self-signed */
} old, fresh, third, stranger;

static int path_len = -1; /* of the CAs that are made now */

static struct cert *make(const char *cn, const struct privkey *key, bool is_ca,
                         const struct authority *by)
{
    static uint8_t count;
    uint8_t serial[KW_SERIAL_BYTES] = {0x11, [15] = ++count}, room[KW_DN_MAX];
    const struct dn_part parts[] = {
        {"CN", cn}
    };
    struct kw_out name = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(dn_build(&op, parts, 1, &name)));
    struct cert_spec spec = {.subject_dn = kw_out_span(&name),
                             .issuer_dn = by ? cert_subject(by->root) : kw_out_span(&name),
                             .issuer_key = by ? cert_public(by->root) : NULL,
                             .serial = KW_SPAN_ARRAY(serial),
                             .not_before = os_clock_unix_s() - HOUR,
                             .not_after = os_clock_unix_s() + 100 * HOUR,
                             .key = privkey_public(key),
                             .is_ca = is_ca,
                             .path_len = is_ca ? path_len : 0,
                             .key_usage = is_ca ? CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN
                                                : CERT_KU_DIGITAL_SIGNATURE};
    assert_true(kw_ok(cert_build(&op, &spec, by ? by->key : key, &der)));
    assert_true(kw_ok(cert_parse(&op, kw_bytes_span(der), &cert)));
    return cert;
}

static void make_authority(struct authority *it, const char *cn)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(privkey_generate(&op, KEY_ALG_EC_P256, &it->key)));
    it->root = make(cn, it->key, /* is_ca= */ true, NULL);
}

/* Its name and key, signed by another. */
static struct cert *link_of(const struct authority *it, const char *cn, const struct authority *by)
{
    return make(cn, it->key, /* is_ca= */ true, by);
}

/* --- a device --------------------------------------------------------------------------------- */

static void open_device(struct device *device, struct cert *root)
{
    memset(device, 0, sizeof(*device));
    assert_true(KW_TEXT_SET(device->dir, base));
    device->root = cert_ref(root);
    roots_load(device);
}

static void learn(struct device *device, struct cert *const certs[], unsigned n)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(roots_learn(&op, device, certs, n)));
}

/* One call to a server whose certificate leads to this root. */
static void call(struct device *device, const struct authority *by)
{
    AUTO(cert) *leaf = make("localhost", stranger.key, /* is_ca= */ false, by);

    roots_judge(device, leaf, by->root);
    roots_note_use(device);
}

static bool trusts(const struct device *device, const struct authority *it)
{
    for (unsigned i = 0; i < device->n_roots; i++) {
        if (kw_span_equal(cert_der(device->roots[i]), cert_der(it->root))) {
            return true;
        }
    }
    return false;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void the_old_root_goes_only_after_the_new_one_was_used(void **state)
{
    struct device device;
    AUTO(cert) *link = link_of(&fresh, "new", &old);
    struct cert *const both[] = {old.root, fresh.root, link};
    struct cert *const after[] = {fresh.root, link};

    (void)state;
    open_device(&device, old.root);
    learn(&device, both, 3);
    assert_true(trusts(&device, &old) && trusts(&device, &fresh));
    learn(&device, after, 2); /* early: it was never used */
    assert_true(trusts(&device, &old));
    call(&device, &old); /* that is no use of the new one */
    learn(&device, after, 2);
    assert_true(trusts(&device, &old));
    call(&device, &fresh);
    learn(&device, both, 3); /* late: the server still has the old one */
    assert_true(trusts(&device, &old));
    roots_done(&device);
    open_device(&device, old.root); /* what was learned and used outlives a restart */
    assert_true(trusts(&device, &old) && trusts(&device, &fresh));
    learn(&device, after, 2);
    assert_true(trusts(&device, &fresh) && !trusts(&device, &old));
    assert_true(roots_was_pinned(&device, old.root) && !roots_was_pinned(&device, third.root));
    roots_done(&device);
    open_device(&device, fresh.root);
    assert_int_equal(device.n_roots, 1);
    roots_done(&device);
}

static void nobody_else_names_a_successor(void **state)
{
    struct device device;
    AUTO(cert) *by_stranger = link_of(&fresh, "new", &stranger);
    AUTO(cert) *other_name = link_of(&fresh, "other", &old);
    AUTO(cert) *other_key = link_of(&third, "new", &old);
    AUTO(cert) *no_ca = make("new", fresh.key, /* is_ca= */ false, &old);
    struct cert *const links[] = {by_stranger, other_name, other_key, no_ca};

    (void)state;
    open_device(&device, old.root);
    struct cert *const alone[] = {fresh.root};
    learn(&device, alone, 1);
    assert_int_equal(device.n_roots, 1);
    for (unsigned i = 0; i < KW_COUNT(links); i++) {
        struct cert *const certs[] = {old.root, fresh.root, links[i]};
        learn(&device, certs, 3);
        assert_int_equal(device.n_roots, 1);
    }
    roots_done(&device);
}

/* Its own certificate under the root looks like a link to what it signs of itself. */
static void a_ca_below_the_root_does_not_name_itself(void **state)
{
    struct device device;

    (void)state;
    path_len = 0;
    AUTO(cert) *as_ca = link_of(&stranger, "stranger", &old);
    AUTO(cert) *as_root = make("stranger", stranger.key, /* is_ca= */ true, NULL);
    path_len = -1;
    struct cert *const certs[] = {old.root, as_ca, as_root}, *const more[] = {as_ca, stranger.root};
    open_device(&device, old.root);
    learn(&device, certs, 3);
    learn(&device, more, 2);
    assert_int_equal(device.n_roots, 1);
    roots_done(&device);
}

/* It slept while the root rolled over twice: the links lead it from one to the next. */
static void links_lead_over_more_than_one_root(void **state)
{
    struct device device;
    AUTO(cert) *link = link_of(&fresh, "new", &old);
    AUTO(cert) *next = link_of(&third, "third", &fresh);
    struct cert *const certs[] = {third.root, next, link};
    struct cert *const broken[] = {third.root, next};

    (void)state;
    open_device(&device, old.root);
    learn(&device, broken, 2);
    assert_int_equal(device.n_roots, 1);
    learn(&device, certs, 3);
    assert_true(trusts(&device, &old) && trusts(&device, &third));
    call(&device, &third);
    learn(&device, certs, 3);
    assert_true(trusts(&device, &third) && !trusts(&device, &old));
    roots_done(&device);
}

/* A new root that is not in use yet does not name the one after it, and another one that the old
 * one names is not taken for used. */
static void each_new_root_is_used_for_itself(void **state)
{
    struct device device;
    AUTO(cert) *link = link_of(&fresh, "new", &old);
    AUTO(cert) *next = link_of(&third, "third", &fresh);
    AUTO(cert) *other = link_of(&third, "third", &old);
    struct cert *const first[] = {fresh.root, link, third.root, next};
    struct cert *const second[] = {fresh.root, third.root, other};

    (void)state;
    open_device(&device, old.root);
    learn(&device, first, 4);
    assert_true(trusts(&device, &fresh) && !trusts(&device, &third));
    call(&device, &fresh);
    learn(&device, second, 3);
    assert_true(trusts(&device, &old) && trusts(&device, &third));
    learn(&device, second, 3);
    assert_true(trusts(&device, &old)); /* third was not used */
    roots_done(&device);
}

static void write_trust(char path[96])
{
    struct device folder = {0};
    struct cert *const both[] = {old.root, third.root};
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(KW_TEXT_SET(folder.dir, base));
    assert_true(kw_ok(state_write_certs(&op, &folder, "trust.pem", both, 2)));
    (void)snprintf(path, 96, "%s/trust.pem", base);
}

/* The second certificate of the file that is trusted at birth. */
static void a_spare_root_is_there_from_birth(void **state)
{
    struct device device = {0};
    struct device_config wanted = {.server = "https://localhost:1", .device_id = "DEV1"},
                         none = {0};
    char trust[96], dir[96];
    struct kw_op op;

    (void)state;
    write_trust(trust);
    (void)snprintf(dir, sizeof(dir), "%s/state", base);
    (void)snprintf(wanted.root_of_trust, sizeof(wanted.root_of_trust), "soft:dir=%s/keys", base);
    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(state_open(&op, &device, dir, &wanted, trust)));
    assert_true(trusts(&device, &old) && trusts(&device, &third));
    device_done(&device);
    assert_true(kw_ok(state_open(&op, &device, dir, &none, NULL)));
    assert_true(trusts(&device, &old) && trusts(&device, &third));
    AUTO(cert) *link = link_of(&fresh, "new", &third); /* it names no successor */
    struct cert *const certs[] = {fresh.root, link};
    learn(&device, certs, 2);
    assert_true(!trusts(&device, &fresh));
    device_done(&device);
}

static void damaged_files_leave_the_root_in_use(void **state)
{
    struct device device, folder = {0};
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_true(KW_TEXT_SET(folder.dir, base));
    assert_true(kw_ok(state_write(&op, &folder, "root-next.pem", kw_span_text("-----BEGIN CE"))));
    assert_true(kw_ok(state_write(&op, &folder, "root-next.used", kw_span_text("used\n"))));
    open_device(&device, old.root);
    assert_int_equal(device.n_roots, 1);
    struct cert *const certs[] = {fresh.root};
    learn(&device, certs, 1);
    assert_true(trusts(&device, &old) && !trusts(&device, &fresh));
    roots_done(&device);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof(base), "/tmp/kw-roots-XXXXXX");
    return mkdtemp(base) ? 0 : 1;
}

static int teardown(void **state)
{
    const char *const argv[] = {"/bin/rm", "-rf", base, NULL};
    int ended = -1;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return waitpid(pid, &ended, 0) == pid ? ended : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_old_root_goes_only_after_the_new_one_was_used, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_else_names_a_successor, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ca_below_the_root_does_not_name_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(links_lead_over_more_than_one_root, setup, teardown),
        cmocka_unit_test_setup_teardown(each_new_root_is_used_for_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_spare_root_is_there_from_birth, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_files_leave_the_root_in_use, setup, teardown),
    };

    make_authority(&old, "old");
    make_authority(&fresh, "new");
    make_authority(&third, "third");
    make_authority(&stranger, "stranger");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
