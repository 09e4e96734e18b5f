/* A gate that wants more than it may at this time, from this key, or than the keeper can do at
 * once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/keywright-keeper/purposes.h"
#include "cmd/keywright-keeper/refusals.h"
#include "hostile/keeper/attack.h"
#include "keeper/memfd.h"
#include "os/files.h"
#include "os/spawn.h"

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static struct keeper_info info(struct rig *rig)
{
    struct keeper_msg msg;
    struct keeper_answer answer;

    rig_msg(rig, &msg, "");
    struct keeper_reply reply = rig_ask(rig, row(KEEPER_ROW_INFO), &msg, -1);
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(row(KEEPER_ROW_INFO), reply.result, &answer));
    return answer.info;
}

/* Time and place. */
static void hello_twice(void **state)
{
    struct keeper_msg msg;

    (void)state;
    attack_begin();
    rig_msg(attack_rig, &msg, "");
    msg.hello.version = KEEPER_VERSION;
    assert_true(KW_TEXT_SET(msg.hello.build, KW_VERSION));
    struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_HELLO), &msg, -1);
    attack_check(row(KEEPER_ROW_HELLO), &reply, KW_E_STATE, "state:");
}

static void start_silent(struct rig *rig)
{
    const char *argv[] = {rig->program, "--vault", rig->vault, "--unlock", rig->unlock, NULL};

    (void)rig_end(rig);
    assert_ok(os_spawn_channel(NULL, argv, NULL, &rig->fd, &rig->pid));
}

static struct keeper_reply say_hello(struct rig *rig, unsigned version, const char *build)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, "");
    msg.hello.version = (uint16_t)version;
    assert_true(KW_TEXT_SET(msg.hello.build, build));
    return rig_ask(rig, row(KEEPER_ROW_HELLO), &msg, -1);
}

static bool well_formed(const struct keeper_row *kind, const struct keeper_msg *msg)
{
    uint8_t octets[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    struct keeper_msg back;

    return kw_ok(keeper_msg_encode(kind, 1, msg, &packet)) &&
           kw_ok(keeper_msg_decode(
               kind, kw_span_sub(kw_out_span(&packet), KEEPER_FRAME_BYTES, packet.len), &back));
}

static void nothing_before_hello(void **state)
{
    struct rig *rig = attack_rig;
    unsigned n_asked = 0;

    (void)state;
    attack_begin();
    start_silent(rig);
    for (unsigned i = KEEPER_ROW_INFO; i < KEEPER_ROWS; i++) {
        struct keeper_msg msg;
        rig_msg(rig, &msg, "ca");
        if (i == KEEPER_ROW_SERIALS) {
            msg.serials.n = 1;
        }
        if (i == KEEPER_ROW_APPROVAL_OPEN) {
            msg.approval_open.subject = approval_subject_of(APPROVE_ROSTER, KEY_CLASS_NONE, "ca");
        }
        if (i == KEEPER_ROW_APPROVAL_SIGN) {
            msg.approval_sign.verdict = APPROVAL_APPROVE;
        }
        if (!well_formed(row((enum keeper_row_index)i), &msg)) {
            continue; /* tests of its own say it there */
        }
        int fd = i == KEEPER_ROW_VAULT_EXPORT ? memfd_create("export", MFD_CLOEXEC) : -1;
        struct keeper_reply reply = rig_ask(rig, row((enum keeper_row_index)i), &msg, fd);
        if (fd >= 0) {
            assert_int_equal(close(fd), 0);
        }
        assert_int_equal(reply.code, KW_E_STATE);
        n_asked++;
    }
    assert_true(n_asked >= 12);
    struct keeper_reply reply = say_hello(rig, KEEPER_VERSION, "0.0.0-other");
    assert_int_equal(reply.code, KW_E_UNSUPPORTED);
    reply = say_hello(rig, KEEPER_VERSION + 1, KW_VERSION);
    assert_int_equal(reply.code, KW_E_UNSUPPORTED);
    reply = say_hello(rig, KEEPER_VERSION, KW_VERSION);
    assert_int_equal(reply.code, KW_CODE_OK);
    rig_right_request(rig);
}

static void encode_policy(struct keeper_msg *msg, const struct key_policy *policy)
{
    static uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(octets);

    assert_ok(policy_encode(policy, &out));
    msg->key_create.policy = kw_out_span(&out);
}

static void no_keys_while_serving(void **state)
{
    static struct key_policy policy;
    struct keeper_msg msg;

    (void)state;
    attack_begin();
    rig_policy(RIG_TLS, attack_rig, &policy);
    assert_true(KW_TEXT_SET(policy.key_id, "stolen"));
    rig_msg(attack_rig, &msg, "");
    encode_policy(&msg, &policy);
    struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_KEY_CREATE), &msg, -1);
    attack_check(row(KEEPER_ROW_KEY_CREATE), &reply, KW_E_DENIED, "approval:");
}

static void no_request_but_its_own(void **state)
{
    (void)state;
    attack_begin();
    attack_rig->tbs_len = 100;
    struct keeper_reply reply = rig_sign(attack_rig, KEEPER_ROW_SIGN_CERT_REQUEST, "ca");
    attack_check(row(KEEPER_ROW_SIGN_CERT_REQUEST), &reply, KW_E_DENIED, "cert-request:");
}

/* Each row that uses a key, with what it is for. */
static const struct use {
    enum keeper_row_index row;
    enum keeper_purpose purpose;
} uses[] = {
    {KEEPER_ROW_SERIALS,         KEEPER_SIGN_CERT      },
    {KEEPER_ROW_SIGN_CERT,       KEEPER_SIGN_CERT      },
    {KEEPER_ROW_SIGN_CRL,        KEEPER_SIGN_CRL       },
    {KEEPER_ROW_SIGN_OCSP,       KEEPER_SIGN_OCSP      },
    {KEEPER_ROW_SIGN_TLS,        KEEPER_SIGN_TLS       },
    {KEEPER_ROW_SIGN_CHECKPOINT, KEEPER_SIGN_CHECKPOINT},
    {KEEPER_ROW_SIGN_CROSS,      KEEPER_SIGN_CROSS     },
};

static struct keeper_reply use_key(struct rig *rig, enum keeper_row_index index, const char *key_id)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, key_id);
    if (index == KEEPER_ROW_SERIALS) {
        msg.serials.n = 1;
    }
    return rig_ask(rig, row(index), &msg, -1);
}

/* Every key with every purpose that is not its class's. */
static void no_key_for_another_purpose(void **state)
{
    unsigned n_refused = 0;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(uses); i++) {
        for (unsigned key = 0; key < RIG_KEYS; key++) {
            static struct key_policy policy;
            rig_policy((enum rig_key)key, attack_rig, &policy);
            if (purpose_allowed(policy.class_, uses[i].purpose)) {
                continue;
            }
            attack_begin();
            struct keeper_reply reply = use_key(attack_rig, uses[i].row, rig_key_ids[key]);
            attack_check(row(uses[i].row), &reply, KW_E_DENIED, "purpose:");
            n_refused++;
        }
    }
    assert_int_equal(n_refused, 3 * 3 + 3 * 5 + 2);
}

static void no_unknown_key(void **state)
{
    static const char *const ids[] = {"nobody", "", "../ca", "ca/", "CA", "ca.key"};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(uses); i++) {
        for (size_t j = 0; j < KW_COUNT(ids); j++) {
            attack_begin();
            struct keeper_reply reply = use_key(attack_rig, uses[i].row, ids[j]);
            attack_check(row(uses[i].row), &reply, KW_E_NOT_FOUND, "key:");
        }
    }
}

static void no_key_before_its_period(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) { /* what a CA may */
        attack_begin();
        struct keeper_reply reply = use_key(attack_rig, uses[i].row, "early");
        attack_check(row(uses[i].row), &reply, KW_E_EXPIRED, "period:");
    }
}

static void file_path(const struct rig *rig, char path[192], const char *name)
{
    (void)snprintf(path, 192, "%s/%s", rig->vault, name);
}

/* The keeper's own clock decides; only a build with tests lets it be moved. */
static void no_key_after_its_period(void **state)
{
    struct rig *rig = attack_rig;
    const char *argv[] = {rig->program, "--vault", rig->vault, "--unlock", rig->unlock, NULL};
    const char *envp[] = {"KEYWRIGHT_TEST_CLOCK_OFFSET_S=34560000", NULL}; /* 400 days */

    static const char *const files[] = {"state", "journal"};
    struct kw_bytes *kept[KW_COUNT(files)] = {NULL};
    char path[192];

    (void)state;
    (void)rig_end(rig);
    for (size_t i = 0; i < KW_COUNT(files); i++) {
        file_path(rig, path, files[i]);
        assert_ok(os_file_read(NULL, path, 1 << 24, &kept[i]));
    }
    assert_ok(os_spawn_channel(NULL, argv, envp, &rig->fd, &rig->pid));
    assert_int_equal(say_hello(rig, KEEPER_VERSION, KW_VERSION).code, KW_CODE_OK);
    static const struct {
        enum keeper_row_index row;
        const char *key_id;
    } rows[] = {
        {KEEPER_ROW_SERIALS,         "ca"  },
        {KEEPER_ROW_SIGN_CERT,       "ca"  },
        {KEEPER_ROW_SIGN_CRL,        "ca"  },
        {KEEPER_ROW_SIGN_OCSP,       "ocsp"},
        {KEEPER_ROW_SIGN_TLS,        "tls" },
        {KEEPER_ROW_SIGN_CHECKPOINT, "log" }
    };
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct keeper_reply reply = use_key(rig, rows[i].row, rows[i].key_id);
        assert_int_equal(reply.code, KW_E_EXPIRED);
    }
    (void)rig_end(rig);
    /* A time that was there once stays: the clock's own way back helps nobody. */
    rig_start(rig, /* ceremony= */ false);
    struct keeper_reply reply = use_key(rig, KEEPER_ROW_SIGN_TLS, "tls");
    assert_int_equal(reply.code, KW_E_UNAVAILABLE);
    assert_non_null(strstr(reply.text, "clock:"));
    (void)rig_end(rig);
    for (size_t i = 0; i < KW_COUNT(files); i++) {
        file_path(rig, path, files[i]);
        assert_ok(os_file_write(NULL, path, 0600, kw_bytes_span(kept[i])));
        kw_bytes_free(kept[i]);
    }
    rig_start(rig, /* ceremony= */ false);
    rig_right_request(rig);
}

/* Memory files. */
static int unsealed(unsigned seals, size_t n)
{
    int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0 && ftruncate(fd, (off_t)n) == 0);
    assert_true(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}
static int no_seal(void)
{
    return unsealed(0, 100);
}
static int no_write_seal(void)
{
    return unsealed(F_SEAL_SHRINK | F_SEAL_GROW, 100);
}
static int no_shrink_seal(void)
{
    return unsealed(F_SEAL_WRITE | F_SEAL_GROW, 100);
}
static int no_grow_seal(void)
{
    return unsealed(F_SEAL_WRITE | F_SEAL_SHRINK, 100);
}
static int a_device(void)
{
    return open("/dev/zero", O_RDONLY | O_CLOEXEC);
}
static int a_file(void)
{
    return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}
static int a_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static int another_length(void)
{
    return unsealed(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, 99);
}
static int only_zeroes(void)
{
    return unsealed(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, 100);
}

static void no_bad_memory_file(void **state)
{
    static const struct {
        const char *name;
        int (*make)(void);
        enum kw_code code;
        const char *reason;
    } files[] = {
        {"no seal",        no_seal,        KW_E_DENIED, "memfd:"},
        {"no write seal",  no_write_seal,  KW_E_DENIED, "memfd:"},
        {"no shrink seal", no_shrink_seal, KW_E_DENIED, "memfd:"},
        {"no grow seal",   no_grow_seal,   KW_E_DENIED, "memfd:"},
        {"a device",       a_device,       KW_E_DENIED, "memfd:"},
        {"a file",         a_file,         KW_E_DENIED, "memfd:"},
        {"a socket",       a_socket,       KW_E_DENIED, "memfd:"},
        {"another length", another_length, KW_E_INPUT,  "memfd:"},
        {"only zeroes",    only_zeroes,    KW_E_INPUT,  ""      },
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(files); i++) {
        struct keeper_msg msg;
        int fd = files[i].make();
        assert_true(fd >= 0);
        attack_begin();
        rig_msg(attack_rig, &msg, "ca");
        msg.sign_crl.by_fd = true;
        msg.sign_crl.len = 100;
        struct keeper_reply reply = rig_ask(attack_rig, row(KEEPER_ROW_SIGN_CRL), &msg, fd);
        (void)close(fd);
        attack_check(row(KEEPER_ROW_SIGN_CRL), &reply, files[i].code, files[i].reason);
    }
}

/* More than the socket holds, in both directions: every request is answered, in some order, once.
 */
static void a_flood_of_requests(void **state)
{
    enum { N = 20000 };
    struct rig *rig = attack_rig;
    static uint8_t octets[KEEPER_FRAME_BYTES + 64];
    static uint8_t seen[N];
    unsigned n_sent = 0;
    unsigned n_answered = 0;

    (void)state;
    memset(seen, 0, sizeof(seen));
    while (n_answered < N) {
        struct kw_out packet = KW_OUT_ARRAY(octets);
        struct keeper_msg msg;
        rig_msg(rig, &msg, "");
        assert_ok(keeper_msg_encode(row(KEEPER_ROW_INFO), n_sent, &msg, &packet));
        if (n_sent < N && send(rig->fd, packet.p, packet.len, MSG_DONTWAIT) > 0) {
            n_sent++;
            continue;
        }
        uint64_t req_id = 0;
        struct keeper_reply reply = rig_receive(rig, &req_id);
        assert_true(reply.code == KW_CODE_OK && req_id < N && !seen[req_id]);
        seen[req_id] = 1;
        n_answered++;
    }
    rig_right_request(rig);
}

static size_t log_size(const struct rig *rig)
{
    char path[128];
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/refusals.log", rig->vault);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END);
    (void)close(fd);
    return (size_t)size;
}

/* Refusals cannot fill the disk or stall the keeper: repeated ones are counted, many are too. */
static void a_flood_of_refusals(void **state)
{
    enum { N = 4000 };
    struct rig *rig = attack_rig;

    (void)state;
    struct keeper_info first = info(rig);
    for (unsigned i = 0; i < N; i++) {
        struct keeper_msg msg;
        rig_msg(rig, &msg, "nobody");
        if (i % 2 == 0) { /* half of them the same */
            (void)snprintf(msg.key_id, sizeof(msg.key_id), "nobody-%u", i);
        }
        struct keeper_reply reply = rig_ask(rig, row(KEEPER_ROW_SIGN_TLS), &msg, -1);
        assert_int_equal(reply.code, KW_E_NOT_FOUND);
    }
    struct keeper_info last = info(rig);
    assert_int_equal(last.refusals - first.refusals, N);
    assert_true(last.refusals_unlogged > 0);
    assert_true(last.log_writable);
    assert_true(log_size(rig) <= REFUSALS_FILE_MAX + REFUSALS_LINE_MAX);
    rig_right_request(rig);
}

/* A log that cannot be written stops nothing and is told. */
static void an_unwritable_log(void **state)
{
    struct rig *rig = attack_rig;
    char path[128];
    char aside[160];
    struct keeper_msg msg;

    (void)state;
    (void)rig_end(rig);
    (void)snprintf(path, sizeof(path), "%s/refusals.log", rig->vault);
    (void)snprintf(aside, sizeof(aside), "%s/aside", rig->vault);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    rig_start(rig, /* ceremony= */ false);
    rig_msg(rig, &msg, "nobody");
    assert_int_equal(rig_ask(rig, row(KEEPER_ROW_SIGN_TLS), &msg, -1).code, KW_E_NOT_FOUND);
    struct keeper_info now = info(rig);
    assert_false(now.log_writable);
    assert_int_equal(now.refusals, 1);
    assert_int_equal(now.refusals_unlogged, 1);
    rig_right_request(rig);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
    attack_begin();
    struct keeper_reply reply = use_key(rig, KEEPER_ROW_SIGN_TLS, "nobody");
    attack_check(row(KEEPER_ROW_SIGN_TLS), &reply, KW_E_NOT_FOUND, "key:"); /* written again */
    assert_true(info(rig).log_writable);
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } rows[] = {
        {"HELLO twice",                 hello_twice               },
        {"nothing before HELLO",        nothing_before_hello      },
        {"no new keys while serving",   no_keys_while_serving     },
        {"no request but the CA's own", no_request_but_its_own    },
        {"no key for another purpose",  no_key_for_another_purpose},
        {"no unknown key",              no_unknown_key            },
        {"no key before its period",    no_key_before_its_period  },
        {"no key after its period",     no_key_after_its_period   },
        {"no bad memory file",          no_bad_memory_file        },
        {"a flood of requests",         a_flood_of_requests       },
        {"a flood of refusals",         a_flood_of_refusals       },
        {"an unwritable log",           an_unwritable_log         },
    };
    static struct attack_suite suite;

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        attack_add(&suite, rows[i].name, rows[i].run, NULL);
    }
    return attack_run("hostile_keeper_rights", &suite);
}
