#include "hostile/keeper/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/journal_row.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/spawn.h"

enum { REPLY_MS = 60000, END_MS = 60000 }; /* for machines that are busy otherwise */

const char *const rig_key_ids[RIG_KEYS] = {"ca", "ca2", "early", "ocsp", "tls", "log"};

void rig_program(char *path, size_t cap)
{
    const char *build = getenv("KW_BUILD_ROOT");

    assert_non_null(build);
    int n = snprintf(path, cap, "%s/src/cmd/keywright-keeper/keywright-keeper", build);
    assert_true(n > 0 && (size_t)n < cap);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void make_folders(struct rig *rig)
{
    char passphrase[128];

    assert_true(KW_TEXT_SET(rig->dir, "/tmp/kw-keeper-XXXXXX"));
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(rig->vault, sizeof(rig->vault), "%s/vault", rig->dir);
    (void)snprintf(passphrase, sizeof(passphrase), "%s/passphrase", rig->dir);
    (void)snprintf(rig->unlock, sizeof(rig->unlock), "passphrase-file:%s", passphrase);
    write_file(passphrase, RIG_PASSPHRASE "\n");
    rig_program(rig->program, sizeof(rig->program));
}

static void run_ceremony(struct rig *rig)
{
    struct kw_op op;
    AUTO(keeper) *keeper = NULL;
    static struct key_policy policy; /* large */

    kw_op_init(&op, "test", os_clock_mono_ms() + 20000);
    struct keeper_config config = {.program = rig->program,
                                   .vault = rig->vault,
                                   .unlock = rig->unlock,
                                   .create = true,
                                   .ceremony = true};
    assert_ok(keeper_start(&op, &config, &keeper));
    for (int i = 0; i < RIG_KEYS; i++) {
        rig_policy((enum rig_key)i, rig, &policy);
        assert_ok(keeper_key_create(&op, keeper, &policy, &rig->key[i]));
    }
}

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct kw_op op;

    assert_non_null(rig);
    rig->fd = -1;
    kw_op_init(&op, "test", 0);
    make_folders(rig);
    assert_ok(privkey_generate(&op, KEY_ALG_EC_P256, &rig->device));
    assert_ok(privkey_generate(&op, KEY_ALG_EC_P384, &rig->device_p384));
    run_ceremony(rig);
    return rig;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void rig_free(struct rig *rig)
{
    if (rig->fd >= 0) {
        (void)rig_end(rig);
    }
    (void)nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    for (int i = 0; i < RIG_KEYS; i++) {
        pubkey_unref(rig->key[i]);
    }
    privkey_unref(rig->device);
    privkey_unref(rig->device_p384);
    free(rig);
}

void rig_start(struct rig *rig, bool ceremony)
{
    const char *argv[] = {rig->program, "--vault",   rig->vault,
                          "--unlock",   rig->unlock, ceremony ? "--ceremony" : NULL,
                          NULL};
    struct keeper_msg msg = {.hello = {.version = KEEPER_VERSION}};
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(os_spawn_channel(&op, argv, NULL, &rig->fd, &rig->pid));
    assert_true(KW_TEXT_SET(msg.hello.build, KW_VERSION));
    struct keeper_reply reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_HELLO], &msg, -1);
    assert_string_equal(reply.text, "");
    assert_int_equal(reply.code, KW_CODE_OK);
}

int rig_end(struct rig *rig)
{
    int status = 0;

    assert_int_equal(close(rig->fd), 0);
    rig->fd = -1;
    assert_ok(os_spawn_wait(NULL, rig->pid, END_MS, &status));
    return status;
}

bool rig_channel_closed(const struct rig *rig, int ms)
{
    int64_t until = os_clock_mono_ms() + ms;
    uint8_t octet = 0;

    while (os_clock_mono_ms() < until) {
        struct pollfd ready = {.fd = rig->fd, .events = POLLIN};
        (void)poll(&ready, 1, 50);
        ssize_t n = recv(rig->fd, &octet, 1, MSG_DONTWAIT | MSG_TRUNC);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            return true;
        }
    }
    return false;
}

void rig_send(struct rig *rig, struct kw_span packet, const int fds[], unsigned n_fds)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct iovec vec = {.iov_base = (void *)(uintptr_t)packet.p, .iov_len = packet.len};
    struct msghdr head = {.msg_iov = &vec, .msg_iovlen = 1};

    assert_true(n_fds <= 16);
    if (n_fds > 0) {
        head.msg_control = control.room;
        head.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *with = CMSG_FIRSTHDR(&head);
        with->cmsg_level = SOL_SOCKET;
        with->cmsg_type = SCM_RIGHTS;
        with->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(with), fds, n_fds * sizeof(int));
    }
    assert_int_equal(sendmsg(rig->fd, &head, MSG_NOSIGNAL), packet.len);
}

struct keeper_reply rig_receive(struct rig *rig, uint64_t *ret_req_id)
{
    struct pollfd ready = {.fd = rig->fd, .events = POLLIN};
    struct keeper_frame frame;
    struct kw_span body;
    struct keeper_reply reply;

    assert_int_equal(poll(&ready, 1, REPLY_MS), 1);
    ssize_t n = recv(rig->fd, rig->reply_octets, sizeof(rig->reply_octets), 0);
    assert_true(n > 0);
    assert_ok(keeper_frame_decode(KW_SPAN(rig->reply_octets, (size_t)n), &frame, &body));
    assert_int_equal(frame.type, KEEPER_REPLY_TYPE);
    assert_ok(keeper_reply_decode(body, &reply));
    *ret_req_id = frame.req_id;
    return reply;
}

struct keeper_reply rig_ask(struct rig *rig, const struct keeper_row *row,
                            const struct keeper_msg *msg, int fd)
{
    static uint8_t octets[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    uint64_t req_id = 0;

    assert_ok(keeper_msg_encode(row, ++rig->req_id, msg, &packet));
    rig_send(rig, kw_out_span(&packet), &fd, fd >= 0 ? 1 : 0);
    struct keeper_reply reply = rig_receive(rig, &req_id);
    assert_int_equal(req_id, rig->req_id);
    return reply;
}

void rig_msg(const struct rig *rig, struct keeper_msg *msg, const char *key_id)
{
    *msg = (struct keeper_msg){0};
    assert_true(KW_TEXT_SET(msg->request_id, rig->request_id));
    assert_true(KW_TEXT_SET(msg->key_id, key_id));
}

unsigned rig_journal(struct rig *rig, uint64_t from,
                     struct keeper_journal_row rows[KEEPER_JOURNAL_ROWS_MAX], uint64_t *ret_last)
{
    const struct keeper_row *row = &keeper_rows[KEEPER_ROW_JOURNAL_READ];
    struct keeper_msg msg;
    struct keeper_answer answer;

    rig_msg(rig, &msg, "");
    msg.journal_read.from = from;
    msg.journal_read.max = KEEPER_JOURNAL_ROWS_MAX;
    struct keeper_reply reply = rig_ask(rig, row, &msg, -1);
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(row, reply.result, &answer));
    struct kw_reader r = kw_reader_of(answer.journal.rows);
    for (unsigned i = 0; i < answer.journal.n; i++) {
        rows[i] = (struct keeper_journal_row){0};
        keeper_journal_row_decode(&r, &rows[i]);
    }
    assert_ok(kw_reader_end(&r));
    *ret_last = answer.journal.last;
    return answer.journal.n;
}

struct keeper_reply rig_sign_cert(struct rig *rig, const char *key_id, const char *rule)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, key_id);
    assert_true(KW_TEXT_SET(msg.sign_cert.rule, rule));
    msg.sign_cert.tbs = KW_SPAN(rig->tbs, rig->tbs_len);
    msg.sign_cert.approval_id = rig->approval_id;
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_SIGN_CERT], &msg, -1);
}

struct keeper_reply rig_sign_crl(struct rig *rig, const char *key_id)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, key_id);
    msg.sign_crl.len = (uint32_t)rig->tbs_len;
    msg.sign_crl.tbs = KW_SPAN(rig->tbs, rig->tbs_len);
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_SIGN_CRL], &msg, -1);
}

struct keeper_reply rig_sign(struct rig *rig, enum keeper_row_index row, const char *key_id)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, key_id);
    msg.sign.message = KW_SPAN(rig->tbs, rig->tbs_len);
    return rig_ask(rig, &keeper_rows[row], &msg, -1);
}

void rig_verify(struct rig *rig, const struct keeper_reply *reply, const struct pubkey *key)
{
    struct keeper_answer answer;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_string_equal(reply->text, "");
    assert_int_equal(reply->code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(&keeper_rows[KEEPER_ROW_SIGN_CERT], reply->result, &answer));
    assert_ok(pubkey_verify(&op, key, KW_SPAN(rig->tbs, rig->tbs_len), answer.octets));
}

void rig_right_request(struct rig *rig)
{
    uint8_t serial[KW_SERIAL_BYTES];

    struct cert_spec spec = rig_spec(rig, RIG_CA, "leaf", serial);
    rig_capture_cert(rig, &spec, rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_cert(rig, "ca", "leaf");
    rig_verify(rig, &reply, rig->key[RIG_CA]);
}

unsigned rig_refused(const struct rig *rig, const char *a, const char *b, const char *c)
{
    AUTO(kw_bytes) *log = NULL;
    char path[128];
    unsigned n = 0;

    (void)snprintf(path, sizeof(path), "%s/refusals.log", rig->vault);
    if (!kw_ok(os_file_read(NULL, path, 4 << 20, &log)) ||
        !kw_ok(kw_bytes_append(log, KW_SPAN("", 1)))) {
        return 0;
    }
    char *rest = (char *)log->p;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        n += (!a || strstr(line, a)) && (!b || strstr(line, b)) && (!c || strstr(line, c));
    }
    return n;
}
