#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/files.h"
#include "os/sandbox.h"

enum {
    CHILD_CHANNEL_FD = 3,
    CHILD_REPORT_FD = 4, /* closes by itself on a good exec */
    FIRST_FREE_FD = 5,   /* parked above those that the child sets up */
    WAIT_STEP_MS = 5,
};

static const char *const default_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    NULL,
};

/* What the child needs, made ready by the parent: after fork(2) it may only do async-safe calls. */
struct start {
    const char *const *argv;
    const char *const *envp;
    int null_fd;
    int channel_fd;
    int report_fd; /* carries errno to the parent where exec fails */
    pid_t parent;
    const struct os_user *user; /* NULL: as we are */
};

/* Ignored signals would stay ignored across exec, and so would the mask. */
static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL); /* not possible for KILL, STOP and libc's own */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* False with errno where one step fails. */
static bool arrange_child(const struct start *start)
{
    if (start->user && !os_user_become(start->user)) {
        return false;
    }
    /* After the change of ids, which the kernel lets forget it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return false;
    }
    if (getppid() != start->parent) { /* it died before the line above */
        errno = ESRCH;
        return false;
    }
    if (dup2(start->null_fd, STDIN_FILENO) < 0 || dup2(start->channel_fd, CHILD_CHANNEL_FD) < 0 ||
        dup3(start->report_fd, CHILD_REPORT_FD, O_CLOEXEC) < 0) {
        return false;
    }
    closefrom(CHILD_REPORT_FD + 1);
    reset_signals();
    return true;
}

/* exec takes char *const[] for history's sake and changes nothing (POSIX, rationale of exec). */
static char *const *exec_vector(const char *const *vector)
{
    union {
        const char *const *in;
        char *const *out;
    } cast = {.in = vector};
    return cast.out;
}

static _Noreturn void run_child(const struct start *start)
{
    int report_fd = start->report_fd;

    if (arrange_child(start)) {
        report_fd = CHILD_REPORT_FD;
        (void)execve(start->argv[0], exec_vector(start->argv), exec_vector(start->envp));
    }
    int error = errno;
    ssize_t sent = write(report_fd, &error, sizeof(error));
    _exit(sent == sizeof(error) ? 127 : 126);
}

/* Move a descriptor out of the way of 0 to 4, so that dup2 in the child overwrites nothing needed.
 */
static kw_status park(struct kw_op *op, int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

    ENSURE(op, high >= 0, KW_E_IO, "no free descriptor: %s", strerror(errno));
    os_fd_close(fd);
    *fd = high;
    return KW_OK;
}

/* Nothing to read: exec closed the pipe. Otherwise the child's errno. */
static kw_status await_exec(struct kw_op *op, int fd, const char *program, pid_t pid)
{
    int error = 0;
    ssize_t n = 0;

    do {
        n = read(fd, &error, sizeof(error));
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        return KW_OK;
    }
    (void)waitpid(pid, NULL, 0); /* it has ended or is about to; its status says nothing new */
    return FAIL(op, error == ENOENT ? KW_E_NOT_FOUND : KW_E_IO, "cannot start '%s': %s", program,
                strerror(error));
}

kw_status os_spawn_channel(struct kw_op *op, const char *const argv[], const char *const envp[],
                           int *ret_fd, pid_t *ret_pid)
{
    return os_spawn_channel_as(op, argv, envp, NULL, ret_fd, ret_pid);
}

kw_status os_spawn_channel_as(struct kw_op *op, const char *const argv[], const char *const envp[],
                              const struct os_user *user, int *ret_fd, pid_t *ret_pid)
{
    OS_FD_AUTO int ours = -1;
    OS_FD_AUTO int theirs = -1;
    OS_FD_AUTO int report_in = -1;
    OS_FD_AUTO int report_out = -1;
    OS_FD_AUTO int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int pair[2];

    ENSURE(op, argv[0] && argv[0][0] == '/', KW_E_INPUT, "a program needs its absolute path");
    ENSURE(op, null_fd >= 0, KW_E_IO, "/dev/null: %s", strerror(errno));
    ENSURE(op, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, KW_E_IO,
           "socketpair: %s", strerror(errno));
    ours = pair[0];
    theirs = pair[1];
    ENSURE(op, pipe2(pair, O_CLOEXEC) == 0, KW_E_IO, "pipe: %s", strerror(errno));
    report_in = pair[0];
    report_out = pair[1];
    TRY(op, park(op, &theirs), "channel");
    TRY(op, park(op, &report_out), "report pipe");
    TRY(op, park(op, &null_fd), "/dev/null");

    struct start start = {
        argv, envp ? envp : default_environment, null_fd, theirs, report_out, getpid(), user};
    pid_t pid = fork();
    ENSURE(op, pid >= 0, KW_E_LIMIT, "fork: %s", strerror(errno));
    if (pid == 0) {
        run_child(&start);
    }
    os_fd_close(&report_out); /* the child's copy alone keeps the pipe open */
    TRY(op, await_exec(op, report_in, argv[0], pid));
    *ret_pid = pid;
    *ret_fd = ours;
    ours = -1;
    return KW_OK;
}

/* waitpid without blocking: 1 ended, 0 still running, -1 not ours. */
static int reap(pid_t pid, int *status)
{
    pid_t got = waitpid(pid, status, WNOHANG);

    if (got == 0 || (got < 0 && errno == EINTR)) {
        return 0;
    }
    return got == pid ? 1 : -1;
}

kw_status os_spawn_wait(struct kw_op *op, pid_t pid, int timeout_ms, int *ret_status)
{
    int64_t until_ms = os_clock_mono_ms() + timeout_ms;
    bool killed = false;
    int status = 0;
    int ended = 0;

    while ((ended = reap(pid, &status)) == 0) {
        if (!killed && os_clock_mono_ms() >= until_ms) {
            (void)kill(pid, SIGKILL); /* ours and not reaped, so the number is still its own */
            killed = true;
        }
        struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
        (void)nanosleep(&step, NULL); /* waking early only looks once more */
    }
    ENSURE(op, ended > 0, KW_E_NOT_FOUND, "process %d is no child of ours", (int)pid);
    if (ret_status) {
        *ret_status = status;
    }
    return KW_OK;
}
