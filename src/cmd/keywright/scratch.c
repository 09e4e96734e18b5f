#include "cmd/keywright/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/files.h"

struct told {
    int error; /* errno, 0 = made */
    char dir[SCRATCH_DIR_MAX];
};

/* Until nobody holds the other end any more: after kill -9, too. */
static void wait_for_the_end(int fd)
{
    char octet = 0;

    for (;;) {
        ssize_t n = read(fd, &octet, 1);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return;
        }
    }
}

/* Terminals' signals end the program, not its keeper; nobody waits for the keeper's output. */
static void stand_apart(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid(); /* fails only where it leads a group already */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    for (int fd = 0; fd <= 2 && null >= 0; fd++) {
        (void)dup2(null, fd);
    }
}

/* The keeper makes the folder itself: no moment at which the folder is there and its keeper is
 * not. Tells the name, or errno in its place where there is none. */
static _Noreturn void keep_folder(int fd)
{
    struct told told = {.dir = "/tmp/keywright-backup-XXXXXX"};
    struct kw_op op;

    stand_apart();
    told.error = mkdtemp(told.dir) ? 0 : errno;
    if (send(fd, &told, sizeof(told), MSG_NOSIGNAL) > 0) { /* else nobody is there any more */
        wait_for_the_end(fd);
    }
    kw_op_init(&op, NULL, 0);
    _exit(told.error != 0 || kw_ok(os_tree_remove(&op, told.dir)) ? 0 : 1);
}

static kw_status hear_name(struct kw_op *op, struct scratch *it)
{
    struct told told = {.error = EPIPE};
    ssize_t n = 0;

    do {
        n = read(it->end_fd, &told, sizeof(told));
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(told) || told.error != 0) {
        os_fd_close(&it->end_fd);
        (void)waitpid(it->keeper, NULL, 0);
        return FAIL(op, KW_E_IO, "no folder in /tmp: %s", strerror(told.error));
    }
    memcpy(it->dir, told.dir, sizeof(it->dir));
    return KW_OK;
}

kw_status scratch_new(struct kw_op *op, struct scratch *ret)
{
    struct scratch it = {.end_fd = -1};
    int fds[2];

    ENSURE(op, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0, KW_E_IO,
           "no pair of sockets: %s", strerror(errno));
    (void)fflush(NULL); /* once, not twice */
    it.keeper = fork();
    if (it.keeper == 0) {
        (void)close(fds[0]);
        keep_folder(fds[1]);
    }
    (void)close(fds[1]);
    it.end_fd = fds[0];
    if (it.keeper < 0) {
        os_fd_close(&it.end_fd);
        return FAIL(op, KW_E_MEMORY, "no process to watch over a folder: %s", strerror(errno));
    }
    TRY(op, hear_name(op, &it));
    *ret = it;
    return KW_OK;
}

void scratch_done(struct scratch *it)
{
    int status = 0;

    if (it->dir[0] == '\0') {
        return;
    }
    os_fd_close(&it->end_fd);
    while (waitpid(it->keeper, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        (void)fprintf(stderr, "keywright: %s was left behind: remove it\n", it->dir);
    }
    it->dir[0] = '\0';
}
