#include "cmd/keywright/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/files.h"

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

/* A session of its own: what ends a terminal's programs does not end it. */
static _Noreturn void keep_watch(const struct scratch *it, const int pipe_fds[2])
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct kw_op op;

    (void)setsid(); /* fails only where it leads a group already */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    for (int fd = 0; fd <= 2 && null >= 0; fd++) {
        (void)dup2(null, fd); /* nobody waits for our end */
    }
    (void)close(pipe_fds[1]);
    wait_for_the_end(pipe_fds[0]);
    kw_op_init(&op, NULL, 0);
    _exit(kw_ok(os_tree_remove(&op, it->dir)) ? 0 : 1);
}

kw_status scratch_new(struct kw_op *op, struct scratch *ret)
{
    struct scratch it = {.dir = "/tmp/keywright-backup-XXXXXX", .end_fd = -1};
    int fds[2];

    ENSURE(op, mkdtemp(it.dir), KW_E_IO, "no folder in /tmp: %s", strerror(errno));
    ENSURE(op, pipe2(fds, O_CLOEXEC) == 0, KW_E_IO, "no pipe: %s", strerror(errno));
    (void)fflush(NULL); /* once, not twice */
    it.keeper = fork();
    if (it.keeper == 0) {
        keep_watch(&it, fds);
    }
    (void)close(fds[0]);
    it.end_fd = fds[1];
    if (it.keeper < 0) {
        os_fd_close(&it.end_fd);
        (void)rmdir(it.dir); /* empty */
        return FAIL(op, KW_E_MEMORY, "no process to watch over %s: %s", it.dir, strerror(errno));
    }
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
