#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/check.h"
#include "os/files.h"
#include "os/spawn.h"

static struct kw_op op;

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, "system", 0);
    return 0;
}

/* Run a shell line; what it writes to descriptor 3 comes back as one text. */
static int run(const char *line, const char *const envp[], char *answer, size_t cap)
{
    const char *const argv[] = {"/bin/sh", "-c", line, NULL};
    OS_FD_AUTO int fd = -1;
    pid_t pid = 0;
    int status = 0;
    size_t at = 0;

    assert_ok(os_spawn_channel(&op, argv, envp, &fd, &pid));
    for (ssize_t n = 1; n > 0; at += n > 0 ? (size_t)n : 0) {
        n = recv(fd, answer + at, cap - 1 - at, 0);
    }
    answer[at] = '\0';
    assert_ok(os_spawn_wait(&op, pid, 10000, &status));
    return status;
}

static void the_child_speaks_on_descriptor_3(void **state)
{
    char answer[200];

    (void)state;
    int status = run("echo hello >&3; exit 7", NULL, answer, sizeof(answer));
    assert_string_equal(answer, "hello\n");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void messages_keep_their_bounds(void **state)
{
    const char *const sleeper[] = {"/bin/sleep", "30", NULL};
    OS_FD_AUTO int fd = -1;
    pid_t pid = 0;
    int type = 0;
    socklen_t n = sizeof(type);

    (void)state;
    assert_ok(os_spawn_channel(&op, sleeper, NULL, &fd, &pid));
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n), 0);
    assert_int_equal(type, SOCK_SEQPACKET);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_ok(os_spawn_wait(&op, pid, 10000, NULL));
}

static void nothing_else_is_inherited(void **state)
{
    char answer[400];
    OS_FD_AUTO int leak = open("/dev/zero", O_RDONLY); /* on purpose without close-on-exec */
    int high_leak = fcntl(leak, F_DUPFD, 20);          /* 3 and 4 are taken in the child anyway */

    (void)state;
    /* ls opens the folder itself; the shell's own descriptors are above 9. */
    (void)run("ls -l /proc/self/fd | grep -v /proc/ >&3", NULL, answer, sizeof(answer));
    (void)close(high_leak);
    assert_null(strstr(answer, "/dev/zero"));
    assert_non_null(strstr(answer, "0 -> /dev/null"));
}

static void the_environment_is_only_what_was_given(void **state)
{
    static const char *const given[] = {"KW_A=1", NULL};
    char answer[400];

    (void)state;
    (void)run("/usr/bin/env >&3", given, answer, sizeof(answer));
    assert_non_null(strstr(answer, "KW_A=1\n"));
    assert_null(strstr(answer, "PATH="));
    assert_null(strstr(answer, "HOME="));
    (void)run("/usr/bin/env >&3", NULL, answer, sizeof(answer));
    assert_non_null(strstr(answer, "PATH=/usr"));
    assert_non_null(strstr(answer, "LANG=C.UTF-8\n"));
    assert_null(strstr(answer, "HOME="));
}

/* The set behind a name of /proc/self/status, without the two that are libc's own: make(1) leaves
 * those ignored. */
static uint64_t signal_set(const char *status, const char *name)
{
    const uint64_t libc_own = 3ull << 31;
    const char *at = strstr(status, name);

    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 16) & ~libc_own;
}

static void signals_are_as_if_never_touched(void **state)
{
    char answer[400];
    sigset_t block;
    sigset_t before;

    (void)state;
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &block, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)run("grep -E '^Sig(Blk|Ign)' /proc/self/status >&3", NULL, answer, sizeof(answer));
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(signal_set(answer, "SigBlk:"), 0);
    assert_int_equal(signal_set(answer, "SigIgn:"), 0);
}

static void a_missing_program_is_told(void **state)
{
    const char *const missing[] = {"/no/such/program", NULL};
    const char *const folder[] = {"/tmp", NULL};
    const char *const relative[] = {"sh", NULL};
    int fd = -1;
    pid_t pid = 0;
    char text[256];

    (void)state;
    assert_code(os_spawn_channel(&op, missing, NULL, &fd, &pid), KW_E_NOT_FOUND);
    assert_non_null(strstr(kw_op_message(&op, text, sizeof(text)), "/no/such/program"));
    assert_code(os_spawn_channel(&op, folder, NULL, &fd, &pid), KW_E_IO);
    assert_code(os_spawn_channel(&op, relative, NULL, &fd, &pid), KW_E_INPUT);
    assert_int_equal(fd, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left behind */
}

static void a_child_that_stays_is_killed(void **state)
{
    const char *const argv[] = {"/bin/sleep", "600", NULL};
    OS_FD_AUTO int fd = -1;
    pid_t pid = 0;
    int status = 0;

    (void)state;
    assert_ok(os_spawn_channel(&op, argv, NULL, &fd, &pid));
    assert_ok(os_spawn_wait(&op, pid, 20, &status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_code(os_spawn_wait(&op, pid, 20, NULL), KW_E_NOT_FOUND);
}

/* The parent in between: starts a sleeper, tells its pid, and dies without a word. */
static void be_a_parent_that_dies(int report)
{
    const char *const argv[] = {"/bin/sleep", "600", NULL};
    int fd = -1;
    pid_t pid = 0;

    if (kw_ok(os_spawn_channel(&op, argv, NULL, &fd, &pid))) {
        (void)!write(report, &pid, sizeof(pid));
    }
    _exit(0);
}

static void the_child_dies_with_its_parent(void **state)
{
    int ends[2];
    pid_t pid = 0;

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* orphans come to us */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        be_a_parent_that_dies(ends[1]);
    }
    assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_child_speaks_on_descriptor_3, setup),
        cmocka_unit_test_setup(messages_keep_their_bounds, setup),
        cmocka_unit_test_setup(nothing_else_is_inherited, setup),
        cmocka_unit_test_setup(the_environment_is_only_what_was_given, setup),
        cmocka_unit_test_setup(signals_are_as_if_never_touched, setup),
        cmocka_unit_test_setup(a_missing_program_is_told, setup),
        cmocka_unit_test_setup(a_child_that_stays_is_killed, setup),
        cmocka_unit_test_setup(the_child_dies_with_its_parent, setup),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
