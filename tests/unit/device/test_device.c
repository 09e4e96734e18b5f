/*
 * The device library against a gate that lies, refuses and stops answering; and cut at every point
 * where it writes, removes, makes or destroys keys, or talks: whatever the point, the next call
 * succeeds with the same keys and requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <keywright/keywright.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/device.h"
#include "gate.h"
#include "os/clock.h"
#include "os/files.h"

static char base[64], work[80], kept[80], rot_uri[128], server[64];
static struct gate *gate;

/* --- cutting ---------------------------------------------------------------------------------- */

enum { EXIT_CUT = 42 };
static unsigned cut_at, cut_n; /* point at which this process ends; 0 = never */

static void point(void)
{
    if (++cut_n == cut_at) {
        _exit(EXIT_CUT);
    }
}

#define CUT(type, name, params, args)                                                              \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        point(); /* before */                                                                      \
        type ret_ = __real_##name args;                                                            \
        point(); /* after */                                                                       \
        return ret_;                                                                               \
    }
CUT(kw_status, os_file_write,
    (struct kw_op * op, const char *path, mode_t mode, struct kw_span content),
    (op, path, mode, content))
CUT(kw_status, os_file_shred, (struct kw_op * op, const char *path), (op, path))
CUT(kw_status, rot_key_generate,
    (struct kw_op * op, struct rot *rot, const char *label, enum key_alg alg, struct rot_key **ret),
    (op, rot, label, alg, ret))
CUT(kw_status, rot_key_destroy,
    (struct kw_op * op, struct rot *rot, const char *label, char *proof, size_t cap),
    (op, rot, label, proof, cap))
CUT(kw_status, http_client_call,
    (struct kw_op * op, struct http_client *client, const struct http_call *call,
     struct http_answer *ret),
    (op, client, call, ret))

/* The gate knows the exporter of RFC 9266 only; its value does not matter to the device. */
kw_status __real_http_client_new(struct kw_op *op, const struct http_client_config *config,
                                 struct http_client **ret);
kw_status __wrap_http_client_new(struct kw_op *op, const struct http_client_config *config,
                                 struct http_client **ret);
kw_status __wrap_http_client_new(struct kw_op *op, const struct http_client_config *config,
                                 struct http_client **ret)
{
    struct http_client_config known = *config;

    if (config->exporter_label) {
        assert_string_equal(config->exporter_label, "EXPORTER-keywright-attest");
        known.exporter_label = "EXPORTER-Channel-Binding";
    }
    return __real_http_client_new(op, &known, ret);
}

/* --- help ------------------------------------------------------------------------------------- */

static void run(const char *const argv[])
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void clear(const char *dir)
{
    const char *const argv[] = {"/bin/rm", "-rf", dir, NULL};

    run(argv);
}

static void copy(const char *from, const char *to)
{
    const char *const argv[] = {"/bin/cp", "-a", from, to, NULL};

    clear(to);
    run(argv);
}

static struct keywright_config whole_config(void)
{
    return (struct keywright_config){.state_dir = work,
                                     .server = server,
                                     .device_id = GATE_DEVICE,
                                     .trust_file = gate->trust,
                                     .root_of_trust = rot_uri,
                                     .timeout_ms = 10000};
}

static struct keywright *open_device(void)
{
    struct keywright_config config = whole_config();
    struct keywright *kw = NULL;

    if (keywright_open(&config, &kw) != KEYWRIGHT_OK) {
        fail_msg("%s", keywright_error(kw));
    }
    return kw;
}

#define assert_result(kw, expr, want)                                                              \
    do {                                                                                           \
        enum keywright_result result_ = (expr);                                                    \
        if (result_ != (want)) {                                                                   \
            fail_msg("%d, not %d: %s", (int)result_, (int)(want), keywright_error(kw));            \
        }                                                                                          \
    } while (0)

static int fresh(void **state)
{
    (void)state;
    pid_t pid = gate->pid;
    uint16_t ports[2] = {gate->port, gate->ocsp_port};
    char trust[96], other[96];
    memcpy(trust, gate->trust, sizeof(trust));
    memcpy(other, gate->other_trust, sizeof(other));
    memset(gate, 0, sizeof(*gate));
    gate->pid = pid;
    gate->port = ports[0];
    gate->ocsp_port = ports[1];
    memcpy(gate->trust, trust, sizeof(trust));
    memcpy(gate->other_trust, other, sizeof(other));
    clear(work);
    return 0;
}

static bool has_file(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", work, name);
    return os_file_exists(path);
}

static kw_status note_label(struct kw_op *op, const char *label, void *ctx)
{
    (void)op;
    (void)snprintf((char *)ctx + strlen(ctx), 200 - strlen(ctx), "%s ", label);
    return KW_OK;
}

/* Every label that holds a key, each once, sorted by the root of trust. */
static const char *labels(char text[200])
{
    struct kw_op op;
    AUTO(rot) *rot = NULL;

    kw_op_init(&op, "test", 0);
    text[0] = 0;
    assert_true(kw_ok(rot_open(&op, rot_uri, &rot)));
    assert_true(kw_ok(rot_key_each(&op, rot, note_label, text)));
    return text;
}

/* --- the sweep -------------------------------------------------------------------------------- */

typedef enum keywright_result (*deed)(struct keywright *kw);

static enum keywright_result do_enrol(struct keywright *kw)
{
    return keywright_enrol(kw, GATE_SECRET);
}

static enum keywright_result do_renew(struct keywright *kw)
{
    return keywright_renew(kw, 1);
}

static enum keywright_result do_wipe(struct keywright *kw)
{
    return keywright_wipe(kw);
}

/* In a process of its own; its exit status. */
static int act(deed what, unsigned cut)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        struct keywright_config config = whole_config();
        struct keywright *kw = NULL;
        cut_n = 0;
        cut_at = cut;
        enum keywright_result result = keywright_open(&config, &kw);
        result = result == KEYWRIGHT_OK ? what(kw) : result;
        if (result != KEYWRIGHT_OK) {
            (void)fprintf(stderr, "point %u: %s\n", cut, keywright_error(kw));
        }
        _exit((int)result);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void sweep(const char *name, const char *from, deed what, const char *want_labels,
                  unsigned max_issued, void (*check)(void))
{
    unsigned n = 1, survived = 0;

    for (;; n++) {
        char text[200];
        (void)fresh(NULL);
        if (from) {
            copy(from, work);
        }
        int first = act(what, n);
        if (first == KEYWRIGHT_OK) {
            break; /* no such point: it ran to its end */
        }
        assert_int_equal(first, EXIT_CUT);
        bool good = act(what, 0) == KEYWRIGHT_OK && strcmp(labels(text), want_labels) == 0 &&
                    gate->n_conflicts == 0 && gate->n_issued <= max_issued;
        if (!good) {
            (void)fprintf(stderr, "%s, point %u: labels '%s', %u conflicts, %u issued\n", name, n,
                          labels(text), gate->n_conflicts, gate->n_issued);
            continue;
        }
        check();
        survived++;
    }
    (void)fprintf(stderr, "# %s: %u of %u points survive\n", name, survived, n - 1);
    assert_true(n > 10);
    assert_int_equal(survived, n - 1);
}

static void check_usable(void)
{
    struct keywright *kw = open_device();
    unsigned char sig[128];
    size_t len = sizeof(sig);

    assert_result(kw, keywright_hello(kw), KEYWRIGHT_OK);
    assert_result(kw, keywright_sign(kw, "x", 1, sig, &len), KEYWRIGHT_OK);
    keywright_close(kw);
}

/* And the next renewal works too: nothing is left behind that stops it. */
static void check_renewable(void)
{
    char text[200];

    check_usable();
    assert_int_equal(act(do_renew, 0), KEYWRIGHT_OK);
    assert_int_equal(act(do_renew, 0), KEYWRIGHT_OK);
    assert_int_equal(gate->n_conflicts, 0);
    assert_string_equal(labels(text), "idevid ldevid-a ldevid-b ");
}

static void check_gone(void)
{
    static const char *const names[] = {"idevid.pem",
                                        "ldevid.pem",
                                        "ldevid-previous.pem",
                                        "idevid.csr",
                                        "ldevid.csr",
                                        "ldevid-next.csr",
                                        "receipts/idevid.json",
                                        "receipts/ldevid-a.json",
                                        "receipts/ldevid-b.json"};
    struct keywright *kw = open_device();

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (has_file(names[i])) {
            fail_msg("%s stays", names[i]);
        }
    }
    assert_true(gate->n_receipts >= 3 && gate->n_bad_receipts == 0);
    assert_result(kw, keywright_hello(kw), KEYWRIGHT_NO_IDENTITY);
    keywright_close(kw);
}

static void enrolled(const char *to, bool renewed)
{
    (void)fresh(NULL);
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    if (renewed) {
        assert_int_equal(act(do_renew, 0), KEYWRIGHT_OK);
    }
    copy(work, to);
}

static void cut_enrolment(void **state)
{
    (void)state;
    sweep("enrol", NULL, do_enrol, "idevid ldevid-a ", 2, check_renewable);
}

static void cut_renewal(void **state)
{
    (void)state;
    enrolled(kept, false);
    sweep("first renewal", kept, do_renew, "idevid ldevid-a ldevid-b ", 2, check_renewable);
    enrolled(kept, true);
    sweep("second renewal", kept, do_renew, "idevid ldevid-a ldevid-b ", 2, check_renewable);
}

static void cut_wipe(void **state)
{
    (void)state;
    enrolled(kept, true);
    sweep("wipe", kept, do_wipe, "", 0, check_gone);
}

static void let_it_obey(void)
{
    struct device device = {0};
    const struct device_config none = {0};
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(state_open(&op, &device, work, &none, NULL)));
    device.config.obey_wipe = true;
    assert_true(kw_ok(state_save_config(&op, &device)));
    device_done(&device);
}

/* Another's, another key's, replayed, by nobody who may, or something else that was signed. */
static void an_order_that_is_not_for_us_is_refused(void **state)
{
    char text[200];

    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    let_it_obey();
    for (gate->wipe = GATE_WIPE_OTHER_DEVICE; gate->wipe < GATE_WIPE_MAX; gate->wipe++) {
        assert_int_not_equal(act(keywright_hello, 0), KEYWRIGHT_OK);
        assert_string_equal(labels(text), "idevid ldevid-a ");
    }
    gate->wipe = GATE_WIPE_RIGHT;
    assert_int_equal(act(keywright_hello, 0), KEYWRIGHT_OK);
    assert_string_equal(labels(text), "");
    assert_int_equal(gate->n_receipts, 2);
}

/* A wipe that was cut is finished before the device begins anew. */
static void cut_wipe_then_enrol(void **state)
{
    unsigned n = 1, survived = 0;

    (void)state;
    enrolled(kept, true);
    for (;; n++) {
        char text[200];
        (void)fresh(NULL);
        copy(kept, work);
        if (act(do_wipe, n) == KEYWRIGHT_OK) {
            break;
        }
        bool good = act(do_enrol, 0) == KEYWRIGHT_OK;
        /* Before the wipe has noted that it began, it has not begun. */
        survived += good && (strcmp(labels(text), "idevid ldevid-a ") == 0 || n <= 2);
        if (!good) {
            (void)fprintf(stderr, "wipe then enrol, point %u: labels '%s'\n", n, labels(text));
        }
    }
    (void)fprintf(stderr, "# wipe, then enrol: %u of %u points survive\n", survived, n - 1);
    assert_int_equal(survived, n - 1);
}

/* --- a gate that lies ------------------------------------------------------------------------- */

static void wrong_certificates(void **state)
{
    (void)state;
    for (int mode = GATE_CERT_RIGHT + 1; mode < GATE_CERT_MAX; mode++) {
        (void)fresh(NULL);
        struct keywright *kw = open_device();
        gate->cert = mode;
        enum keywright_result result = keywright_enrol(kw, GATE_SECRET);
        if (result == KEYWRIGHT_OK || has_file("idevid.pem")) {
            fail_msg("certificate of kind %d was taken", mode);
        }
        assert_true(mode == GATE_CERT_GARBAGE || result == KEYWRIGHT_NOT_TRUSTED);
        gate->cert = GATE_CERT_RIGHT;
        assert_result(kw, keywright_enrol(kw, GATE_SECRET), KEYWRIGHT_OK);
        struct keywright_status before, after;
        assert_result(kw, keywright_get_status(kw, &before), KEYWRIGHT_OK);
        gate->cert = mode;
        assert_true(keywright_renew(kw, 1) != KEYWRIGHT_OK);
        assert_result(kw, keywright_get_status(kw, &after), KEYWRIGHT_OK);
        assert_string_equal(before.ldevid_sha256, after.ldevid_sha256);
        assert_result(kw, keywright_hello(kw), KEYWRIGHT_OK);
        gate->cert = GATE_CERT_RIGHT;
        assert_result(kw, keywright_renew(kw, 1), KEYWRIGHT_OK);
        keywright_close(kw);
    }
}

static void server_not_good(void **state)
{
    (void)state;
    for (int mode = GATE_OCSP_GOOD + 1; mode < GATE_OCSP_MAX; mode++) {
        (void)fresh(NULL);
        gate->ocsp = mode;
        struct keywright *kw = open_device();
        if (keywright_enrol(kw, GATE_SECRET) != KEYWRIGHT_NOT_TRUSTED) {
            fail_msg("OCSP answer of kind %d: %s", mode, keywright_error(kw));
        }
        assert_int_equal(gate->n_issued, 0);
        keywright_close(kw);
    }
}

static void other_root(void **state)
{
    struct keywright_config config = whole_config();
    struct keywright *kw = NULL;

    (void)state;
    config.trust_file = gate->other_trust;
    assert_result(kw, keywright_open(&config, &kw), KEYWRIGHT_OK);
    assert_result(kw, keywright_enrol(kw, GATE_SECRET), KEYWRIGHT_NOT_TRUSTED);
    assert_int_equal(gate->n_issued, 0);
    keywright_close(kw);
    /* The wrong root was pinned by mistake: the right one replaces it while nothing hangs on it. */
    kw = open_device();
    assert_result(kw, keywright_enrol(kw, GATE_SECRET), KEYWRIGHT_OK);
    keywright_close(kw);
    assert_result(kw, keywright_open(&config, &kw), KEYWRIGHT_REFUSED);
    assert_non_null(strstr(keywright_error(kw), "another root"));
    assert_result(kw, keywright_hello(kw), KEYWRIGHT_BAD_INPUT); /* it was not opened */
    keywright_close(kw);
    config.trust_file = "/nonexistent/root.pem"; /* pinned long ago, its file is gone */
    assert_result(kw, keywright_open(&config, &kw), KEYWRIGHT_OK);
    keywright_close(kw);
}

/* What the gate's refusals are to the caller. */
static void refusals(void **state)
{
    static const struct {
        int http;
        enum keywright_result want;
    } rows[] = {
        {400, KEYWRIGHT_BAD_INPUT  },
        {401, KEYWRIGHT_REFUSED    },
        {403, KEYWRIGHT_REFUSED    },
        {404, KEYWRIGHT_REFUSED    },
        {405, KEYWRIGHT_REFUSED    },
        {409, KEYWRIGHT_REFUSED    },
        {413, KEYWRIGHT_REFUSED    },
        {429, KEYWRIGHT_UNAVAILABLE},
        {500, KEYWRIGHT_UNAVAILABLE},
        {503, KEYWRIGHT_UNAVAILABLE}
    };

    (void)state;
    enrolled(kept, false);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct keywright *kw = open_device();
        gate->refuse = rows[i].http;
        enum keywright_result result = keywright_hello(kw);
        if (result != rows[i].want) {
            fail_msg("%d: %d, not %d", rows[i].http, (int)result, (int)rows[i].want);
        }
        gate->refuse = 0;
        keywright_close(kw);
    }
}

/* Only "that key is none of yours" lets a receipt go; all else keeps it for later. */
static void receipts_wait(void **state)
{
    static const int http[] = {400, 401, 404, 405, 409, 413, 429, 500, 503};

    (void)state;
    for (unsigned i = 0; i < sizeof(http) / sizeof(http[0]); i++) {
        char text[200];
        (void)fresh(NULL);
        assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
        struct keywright *kw = open_device();
        gate->refuse = http[i];
        assert_true(keywright_wipe(kw) != KEYWRIGHT_OK);
        assert_string_equal(labels(text), "");
        if (!has_file("receipts/idevid.json") || !has_file("receipts/ldevid-a.json")) {
            fail_msg("%d: a receipt is lost", http[i]);
        }
        gate->refuse = 0;
        assert_result(kw, keywright_wipe(kw), KEYWRIGHT_OK);
        assert_int_equal(gate->n_receipts, 2);
        assert_false(has_file("receipts/idevid.json"));
        keywright_close(kw);
    }
}

/* A key that cannot be read any more is destroyed all the same, and so are the others. */
static void wipe_of_a_damaged_key(void **state)
{
    char path[256], text[200];
    struct dirent *entry = NULL;
    struct kw_op op;

    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    (void)snprintf(path, sizeof(path), "%s/keys", work);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    kw_op_init(&op, "test", 0);
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, "ldevid-a", 8) == 0) {
            (void)snprintf(path, sizeof(path), "%s/keys/%.64s", work, entry->d_name);
            assert_true(kw_ok(__real_os_file_write(&op, path, 0600, KW_SPAN("damaged", 7))));
        }
    }
    (void)closedir(dir);
    struct keywright *kw = open_device();
    (void)keywright_wipe(kw);
    assert_string_equal(labels(text), "");
    assert_false(has_file("idevid.pem"));
    keywright_close(kw);
}

/* --- state ------------------------------------------------------------------------------------ */

static void no_secrets_in_state(void **state)
{
    const char *const argv[] = {"/bin/grep", "-rqFe", GATE_SECRET, work, NULL};
    const char *const keys[] = {"/bin/grep", "-rqFe", "PRIVATE KEY", work, NULL};
    struct stat info;
    int status = 0;

    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    assert_int_equal(stat(work, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    for (unsigned i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            (void)execv("/bin/grep", (char *const *)(uintptr_t)(i ? keys : argv));
            _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1); /* nothing found */
    }
}

static enum keywright_result reopen(const struct keywright_config *config)
{
    struct keywright *kw = NULL;
    enum keywright_result result = keywright_open(config, &kw);

    keywright_close(kw);
    return result;
}

static void config_merging(void **state)
{
    struct keywright_config config = {.state_dir = work};

    (void)state;
    assert_int_equal(reopen(&config), KEYWRIGHT_BAD_INPUT); /* nothing is remembered yet */
    config = whole_config();
    config.server = "http://127.0.0.1:1"; /* the secret would go in clear */
    assert_int_equal(reopen(&config), KEYWRIGHT_BAD_INPUT);
    config = whole_config();
    config.device_id = "OTHER";
    assert_int_equal(reopen(&config), KEYWRIGHT_OK); /* not enrolled: all may change */
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    assert_int_equal(reopen(&config), KEYWRIGHT_REFUSED);
    config = whole_config();
    config.root_of_trust = "soft:dir=/tmp/kw-elsewhere";
    assert_int_equal(reopen(&config), KEYWRIGHT_REFUSED);
    config = (struct keywright_config){.state_dir = work};
    assert_int_equal(reopen(&config), KEYWRIGHT_OK);
    config.server = "https://127.0.0.1:1";
    assert_int_equal(reopen(&config), KEYWRIGHT_OK);
    struct keywright *kw = NULL;
    config.server = NULL;
    assert_result(kw, keywright_open(&config, &kw), KEYWRIGHT_OK);
    assert_result(kw, keywright_hello(kw), KEYWRIGHT_UNAVAILABLE); /* moved, and remembered */
    keywright_close(kw);
}

/* How far the floor is ahead, as the next start has it, after a hello to a gate of such clocks. */
static int64_t floor_after(int64_t tells_s, int64_t signs_s)
{
    struct device device = {0};
    struct kw_op op;

    gate->time_shift_ms = tells_s * 1000;
    gate->sign_shift_ms = signs_s * 1000;
    (void)act(keywright_hello, 0);
    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(state_open(&op, &device, work, &(struct device_config){0}, NULL)));
    int64_t ahead_s = device_floor_ms(&device) / 1000 - os_clock_unix_s();
    device_done(&device);
    return ahead_s;
}

/* What a gate tells moves nothing; what is signed holds for ever. */
static void time_floor(void **state)
{
    enum { DAYS_S = 2 * 86400 };
    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    assert_true(floor_after(DAYS_S, 0) <= 0);
    assert_true(floor_after(DAYS_S, DAYS_S) > DAYS_S - 600);
    assert_true(floor_after(-DAYS_S, -DAYS_S) > DAYS_S - 600);
}

/* Not enrolled, wiped, and what the key must never sign for an application. */
static void no_identity(void **state)
{
    static const char receipt[] = "keywright receipt v1\ndevice: DEV1\n";
    char tls[128];
    unsigned char sig[128];
    size_t len = sizeof(sig);
    struct keywright *kw = open_device();

    (void)state;
    assert_result(kw, keywright_hello(kw), KEYWRIGHT_NO_IDENTITY);
    assert_result(kw, keywright_renew(kw, 1), KEYWRIGHT_NO_IDENTITY);
    assert_result(kw, keywright_sign(kw, "x", 1, sig, &len), KEYWRIGHT_NO_IDENTITY);
    assert_result(kw, keywright_enrol(kw, NULL), KEYWRIGHT_BAD_INPUT);
    assert_result(kw, keywright_wipe(kw), KEYWRIGHT_OK);
    assert_result(kw, keywright_enrol(kw, GATE_SECRET), KEYWRIGHT_OK);
    memset(tls, ' ', sizeof(tls));
    assert_result(kw, keywright_sign(kw, receipt, sizeof(receipt) - 1, sig, &len),
                  KEYWRIGHT_BAD_INPUT);
    assert_result(kw, keywright_sign(kw, tls, sizeof(tls), sig, &len), KEYWRIGHT_BAD_INPUT);
    static const char evidence[] = "keywright-attest-v1\0and a hash";
    assert_result(kw, keywright_sign(kw, evidence, sizeof(evidence) - 1, sig, &len),
                  KEYWRIGHT_BAD_INPUT);
    assert_result(kw, keywright_sign(kw, tls, 63, sig, &len), KEYWRIGHT_OK);
    keywright_close(kw);
}

/* The LDevID ended while the device was in a drawer: its IDevID leads to a new one. */
static void ended_ldevid(void **state)
{
    struct keywright_status status;

    (void)state;
    gate->leaf_hours = -1; /* ends in 2 s */
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    gate->leaf_hours = 0;
    (void)sleep(3);
    struct keywright *kw = open_device();
    assert_result(kw, keywright_renew(kw, 0), KEYWRIGHT_OK);
    assert_result(kw, keywright_get_status(kw, &status), KEYWRIGHT_OK);
    assert_true(status.ldevid_not_after > os_clock_unix_s() + 60);
    assert_result(kw, keywright_hello(kw), KEYWRIGHT_OK);
    keywright_close(kw);
}

/* Without a TPM: the key of the connection answers for this nonce and this connection. */
static void attestation(void **state)
{
    struct keywright_attestation said = {0};

    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    struct keywright *kw = open_device();
    for (unsigned i = 0; i < 2; i++) {
        gate->evidence = GATE_EVIDENCE_NONE;
        assert_result(kw, keywright_attest(kw, &said), KEYWRIGHT_OK);
        assert_int_equal(gate->evidence, GATE_EVIDENCE_GOOD);
        assert_int_equal(said.verdict, KEYWRIGHT_VERDICT_TRUSTED);
        assert_string_equal(said.reason, "ok");
        assert_true(said.valid_until > INT64_C(4000000000)); /* also behind 2038 */
    }
    assert_int_equal(gate->n_challenges, 2);
    keywright_close(kw);
}

/* Evidence for a connection that has ended is worth nothing: it is not sent, a new round is made.
 */
static void attestation_keeps_to_its_connection(void **state)
{
    struct keywright_attestation said = {.level = 77};

    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    struct keywright *kw = open_device();
    gate->move = 1;
    assert_result(kw, keywright_attest(kw, &said), KEYWRIGHT_OK);
    assert_int_equal(gate->evidence, GATE_EVIDENCE_GOOD);
    assert_int_equal(gate->n_challenges, 2);
    gate->evidence = GATE_EVIDENCE_NONE;
    gate->move = 99;
    said.level = 77;
    assert_result(kw, keywright_attest(kw, &said), KEYWRIGHT_UNAVAILABLE); /* no loop either */
    assert_int_equal(gate->n_challenges, 4);
    assert_int_equal(gate->evidence, GATE_EVIDENCE_NONE);
    assert_int_equal(said.level, 77);
    gate->move = 0;
    gate->refuse = 403;
    assert_result(kw, keywright_attest(kw, &said), KEYWRIGHT_REFUSED);
    keywright_close(kw);
}

static void the_event_log_is_sent_from_where_the_server_has_it(void **state)
{
    static uint8_t octets[9000], room[8192];
    struct device device = {0};
    struct kw_op op;

    (void)state;
    assert_int_equal(act(do_enrol, 0), KEYWRIGHT_OK);
    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(rot_open(&op, rot_uri, &device.rot)));
    for (size_t i = 0; i < sizeof(octets); i++) {
        octets[i] = (uint8_t)(i * 7 >> 3);
    }
    (void)snprintf(device.config.event_log, sizeof(device.config.event_log), "%s/log", work);
    struct kw_out out = KW_OUT_ARRAY(room);
    assert_true(kw_ok(eventlog_read(&op, &device, 0, &out))); /* there is none */
    assert_int_equal(out.len, 0);
    assert_true(kw_ok(os_file_write(&op, device.config.event_log, 0600, KW_SPAN_ARRAY(octets))));
    static const size_t froms[] = {1000, 4095, 4096, 4097, 8999, 9000};
    for (size_t i = 0; i < KW_COUNT(froms); i++) {
        out.len = 0;
        assert_true(kw_ok(eventlog_read(&op, &device, froms[i], &out)));
        assert_int_equal(out.len, sizeof(octets) - froms[i]);
        assert_memory_equal(room, octets + froms[i], out.len);
    }
    out.len = 0;
    assert_int_equal(eventlog_read(&op, &device, 9001, &out).code, KW_E_INTEGRITY);
    kw_op_clear(&op);
    assert_int_equal(eventlog_read(&op, &device, 0, &out).code, KW_E_TOO_LARGE);
    rot_close(device.rot);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cut_enrolment),
        TEST(cut_renewal),
        TEST(cut_wipe),
        TEST(an_order_that_is_not_for_us_is_refused),
        TEST(cut_wipe_then_enrol),
        TEST(wrong_certificates),
        TEST(server_not_good),
        TEST(other_root),
        TEST(refusals),
        TEST(receipts_wait),
        TEST(wipe_of_a_damaged_key),
        TEST(no_secrets_in_state),
        TEST(config_merging),
        TEST(time_floor),
        TEST(no_identity),
        TEST(ended_ldevid),
        TEST(attestation),
        TEST(attestation_keeps_to_its_connection),
        TEST(the_event_log_is_sent_from_where_the_server_has_it),
    };

    /* In memory where there is a place: some thousand fsync() cost a busy disk minutes, and a
     * process that ends at a point loses nothing of what it wrote, synced or not. */
    bool memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(base, sizeof(base), "%s/kw-device-XXXXXX", memory ? "/dev/shm" : "/tmp");
    if (!mkdtemp(base)) {
        return 1;
    }
    (void)snprintf(work, sizeof(work), "%s/work", base);
    (void)snprintf(kept, sizeof(kept), "%s/kept", base);
    (void)snprintf(rot_uri, sizeof(rot_uri), "soft:dir=%s/keys", work);
    gate = gate_start(base);
    (void)snprintf(server, sizeof(server), "https://127.0.0.1:%u", gate->port);
    int failed = cmocka_run_group_tests_name("device", tests, NULL, NULL);
    gate_stop(gate);
    clear(base);
    return failed;
}
