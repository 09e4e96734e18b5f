#include "os/spawner.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/files.h"
#include "os/sandbox.h"
#include "os/spawn.h"

enum { CHANNEL_FD = 3, END_MS = 5000, VERB_START = 's', VERB_END = 'e' };

struct os_spawner {
    int fd;
    pid_t pid;
    unsigned n;           /* rows */
    pthread_mutex_t lock; /* one request and its answer at a time */
};

struct request {
    uint8_t verb, row;
};

struct answer {
    uint32_t code; /* enum kw_code; with 0 for VERB_START comes the descriptor */
    char text[KW_OP_TEXT_MAX];
};

/* --- the process ------------------------------------------------------------------------------ */

struct work {
    const struct os_spawner_row *rows;
    unsigned n;
    bool users; /* each row has one */
    struct os_user user[OS_SPAWNER_ROWS_MAX];
    pid_t pid[OS_SPAWNER_ROWS_MAX]; /* 0: none runs */
};

/* One message, with a descriptor where fd >= 0. */
static bool send_with(int to, const void *octets, size_t n, int fd)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec vec = {.iov_base = (void *)(uintptr_t)octets, .iov_len = n}; /* only read */
    struct msghdr head = {.msg_iov = &vec, .msg_iovlen = 1};

    if (fd >= 0) {
        head.msg_control = control.room;
        head.msg_controllen = sizeof(control.room);
        *CMSG_FIRSTHDR(&head) = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&head)), &fd, sizeof(fd));
    }
    return sendmsg(to, &head, MSG_NOSIGNAL) == (ssize_t)n;
}

static void end_row(struct work *work, unsigned row, int timeout_ms)
{
    if (work->pid[row] > 0) {
        (void)os_spawn_wait(NULL, work->pid[row], timeout_ms, NULL); /* killed where it lingers */
        work->pid[row] = 0;
    }
}

static kw_status start_row(struct kw_op *op, struct work *work, unsigned row, int *ret_fd)
{
    const struct os_spawner_row *what = &work->rows[row];
    bool other = what->user && *what->user;

    end_row(work, row, END_MS);
    return os_spawn_channel_as(op, what->argv, what->envp, other ? &work->user[row] : NULL, ret_fd,
                               &work->pid[row]);
}

static bool serve_one(struct work *work, const struct request *request)
{
    struct answer answer = {0};
    OS_FD_AUTO int fd = -1;
    struct kw_op op;

    kw_op_init(&op, "system", 0);
    if (request->row >= work->n) {
        return false; /* our side never asks so: it is no longer ours */
    }
    if (request->verb == VERB_START) {
        answer.code = start_row(&op, work, request->row, &fd).code;
        (void)kw_text_copy(answer.text, sizeof(answer.text), kw_op_cause(&op)); /* the same size */
    } else {
        end_row(work, request->row, END_MS);
    }
    return send_with(CHANNEL_FD, &answer, sizeof(answer), fd);
}

/* Root's other powers are not needed here. */
static bool keep_few_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t kept = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL;
    struct __user_cap_data_struct data[2] = {
        {.effective = kept, .permitted = kept}
    };

    return syscall(SYS_capset, &head, data) == 0;
}

static bool settle(const struct work *work, int fd)
{
    if (dup2(fd, CHANNEL_FD) < 0) {
        return false;
    }
    os_sandbox_closefrom(CHANNEL_FD + 1);
    /* Our end comes with the channel's: a terminal's or service manager's signals wait for that. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)prctl(PR_SET_NAME, "keywright-start", 0, 0, 0); /* for ps; fails never */
    return !work->users || geteuid() != 0 || keep_few_capabilities();
}

static _Noreturn void run(struct work *work, int fd)
{
    struct request request;

    if (!settle(work, fd)) {
        _exit(1); /* the first request finds nobody */
    }
    while (recv(CHANNEL_FD, &request, sizeof(request), 0) == sizeof(request) &&
           serve_one(work, &request)) {
    }
    for (unsigned row = 0; row < work->n; row++) {
        end_row(work, row, 0);
    }
    _exit(0);
}

/* --- our side --------------------------------------------------------------------------------- */

static kw_status prepare(struct kw_op *op, const struct os_spawner_row rows[], unsigned n,
                         struct work *work)
{
    *work = (struct work){.rows = rows, .n = n, .users = true};
    ENSURE(op, n >= 1 && n <= OS_SPAWNER_ROWS_MAX, KW_E_LIMIT, "1 to %d programs",
           OS_SPAWNER_ROWS_MAX);
    for (unsigned row = 0; row < n; row++) {
        if (!rows[row].user || !*rows[row].user) {
            work->users = false;
            continue;
        }
        TRY(op, os_user_find(op, rows[row].user, &work->user[row]));
    }
    return KW_OK;
}

kw_status os_spawner_new(struct kw_op *op, const struct os_spawner_row rows[], unsigned n,
                         struct os_spawner **ret)
{
    OS_FD_AUTO int ours = -1;
    OS_FD_AUTO int theirs = -1;
    struct work work;
    int pair[2];

    TRY(op, prepare(op, rows, n, &work));
    ENSURE(op, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, KW_E_IO,
           "socketpair: %s", strerror(errno));
    ours = pair[0];
    theirs = pair[1];
    struct os_spawner *spawner = calloc(1, sizeof(*spawner));
    ENSURE(op, spawner, KW_E_MEMORY, "no memory for the starter");
    spawner->pid = fork();
    if (spawner->pid == 0) {
        run(&work, theirs);
    }
    if (spawner->pid < 0) {
        free(spawner);
        return FAIL(op, KW_E_LIMIT, "fork: %s", strerror(errno));
    }
    (void)pthread_mutex_init(&spawner->lock, NULL); /* cannot fail with default attributes */
    spawner->n = n;
    spawner->fd = ours;
    ours = -1;
    *ret = spawner;
    return KW_OK;
}

/* The descriptor that came along, or -1. */
static int fd_of(struct msghdr *head)
{
    struct cmsghdr *with = CMSG_FIRSTHDR(head);
    int fd = -1;

    if (with && with->cmsg_level == SOL_SOCKET && with->cmsg_type == SCM_RIGHTS &&
        with->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&fd, CMSG_DATA(with), sizeof(fd));
    }
    return fd;
}

/* Lock held. False where the process is gone. */
static bool ask(const struct os_spawner *spawner, const struct request *request,
                struct answer *answer, int *ret_fd)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vec = {.iov_base = answer, .iov_len = sizeof(*answer)};
    struct msghdr head = {.msg_iov = &vec,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof(control.room)};
    ssize_t n = 0;

    if (!send_with(spawner->fd, request, sizeof(*request), -1)) {
        return false;
    }
    do {
        n = recvmsg(spawner->fd, &head, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n != sizeof(*answer)) {
        return false;
    }
    *ret_fd = fd_of(&head);
    return true;
}

static bool ask_alone(struct os_spawner *spawner, const struct request *request,
                      struct answer *answer, int *ret_fd)
{
    (void)pthread_mutex_lock(&spawner->lock); /* default mutex: cannot fail */
    bool answered = ask(spawner, request, answer, ret_fd);
    (void)pthread_mutex_unlock(&spawner->lock);
    return answered;
}

kw_status os_spawner_start(struct kw_op *op, struct os_spawner *spawner, unsigned row, int *ret_fd)
{
    struct request request = {VERB_START, (uint8_t)row};
    struct answer answer = {0};
    OS_FD_AUTO int fd = -1;

    ENSURE(op, row < spawner->n, KW_E_INTERNAL, "no row %u", row);
    ENSURE(op, ask_alone(spawner, &request, &answer, &fd), KW_E_UNAVAILABLE,
           "the starter of programs is gone: restart the server");
    ENSURE(op, answer.code == 0, (enum kw_code)answer.code, "%.*s", (int)sizeof(answer.text) - 1,
           answer.text);
    ENSURE(op, fd >= 0, KW_E_INTERNAL, "the starter of programs sent no channel");
    *ret_fd = fd;
    fd = -1;
    return KW_OK;
}

void os_spawner_end(struct os_spawner *spawner, unsigned row)
{
    struct request request = {VERB_END, (uint8_t)row};
    struct answer answer;
    OS_FD_AUTO int fd = -1;

    (void)ask_alone(spawner, &request, &answer, &fd); /* where it is gone, so is the program */
}

void os_spawner_free(struct os_spawner *spawner)
{
    if (!spawner) {
        return;
    }
    os_fd_close(&spawner->fd); /* it reads the end and ends */
    while (waitpid(spawner->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    (void)pthread_mutex_destroy(&spawner->lock); /* unlocked: the last user */
    free(spawner);
}
