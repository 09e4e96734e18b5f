/* The starter's programs are shell lines here. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../base/check.h"
#include "os/files.h"
#include "os/sandbox.h"
#include "os/spawner.h"

static struct kw_op op;

/* Says who and which process it is, then waits for the end of its channel. */
static const char *const teller[] = {"/bin/sh", "-c", "echo $(id -u) $$ >&3; cat <&3 >/dev/null",
                                     NULL};
/* exec: a child of its own would outlive it, and whoever reads our output would wait for that. */
static const char *const deaf[] = {"/bin/sh", "-c",
                                   "trap '' TERM; echo $(id -u) $$ >&3; exec sleep 60", NULL};
static const char *const nothing[] = {"/nowhere/program", NULL};

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, "system", 0);
    return 0;
}

static struct os_spawner *spawner_of(const struct os_spawner_row rows[], unsigned n)
{
    struct os_spawner *spawner = NULL;

    assert_ok(os_spawner_new(&op, rows, n, &spawner));
    return spawner;
}

/* Start the row and read what it says of itself. */
static int start(struct os_spawner *spawner, unsigned row, int *ret_uid, pid_t *ret_pid)
{
    char text[64] = {0};
    int pid = 0;
    int fd = -1;

    assert_ok(os_spawner_start(&op, spawner, row, &fd));
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(sscanf(text, "%d %d", ret_uid, &pid), 2);
    *ret_pid = pid;
    return fd;
}

/* Others' child: only signal 0 can ask. A zombie is reaped by the starter before it answers. */
static bool runs(pid_t pid)
{
    return kill(pid, 0) == 0;
}

static bool ends(pid_t pid)
{
    struct timespec step = {.tv_nsec = 10000000};

    for (int i = 0; i < 1000 && runs(pid); i++) {
        (void)nanosleep(&step, NULL);
    }
    return !runs(pid);
}

static void each_row_is_its_program(void **state)
{
    const struct os_spawner_row rows[] = {{.argv = teller}, {.argv = nothing}, {.argv = teller}};
    AUTO(os_spawner) *spawner = spawner_of(rows, 3);
    pid_t first = 0, second = 0;
    int uid = -1;
    int fd = -1;

    (void)state;
    OS_FD_AUTO int a = start(spawner, 0, &uid, &first);
    OS_FD_AUTO int b = start(spawner, 2, &uid, &second);
    assert_true(a >= 0 && b >= 0);
    assert_int_equal(uid, getuid());
    assert_true(first != second && runs(first) && runs(second));
    assert_int_equal(os_spawner_start(&op, spawner, 1, &fd).code, KW_E_NOT_FOUND);
    assert_int_equal(os_spawner_start(&op, spawner, 3, &fd).code, KW_E_INTERNAL);
    assert_true(runs(first)); /* a refusal harms nobody */
}

static void starting_anew_ends_the_one_before(void **state)
{
    const struct os_spawner_row rows[] = {{.argv = teller}};
    AUTO(os_spawner) *spawner = spawner_of(rows, 1);
    pid_t first = 0, second = 0;
    int uid = -1;

    (void)state;
    int fd = start(spawner, 0, &uid, &first);
    (void)close(fd); /* it reads the end */
    OS_FD_AUTO int again = start(spawner, 0, &uid, &second);
    assert_true(again >= 0);
    assert_false(runs(first));
    assert_true(runs(second));
}

static void what_does_not_end_is_killed(void **state)
{
    const struct os_spawner_row rows[] = {{.argv = deaf}};
    AUTO(os_spawner) *spawner = spawner_of(rows, 1);
    pid_t pid = 0;
    int uid = -1;

    (void)state;
    OS_FD_AUTO int fd = start(spawner, 0, &uid, &pid);
    assert_true(fd >= 0);
    os_spawner_end(spawner, 0);
    assert_false(runs(pid));
    os_spawner_end(spawner, 0); /* none runs: nothing to do */
}

/* Whoever dies, the programs do not stay behind. */
static void programs_die_with_us(void **state)
{
    const struct os_spawner_row rows[] = {{.argv = deaf}};
    pid_t pid = 0;
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    pid_t server = fork();
    if (server == 0) {
        pid_t program = 0;
        int uid = -1;
        (void)start(spawner_of(rows, 1), 0, &uid, &program);
        _exit(write(pipes[1], &program, sizeof(program)) == sizeof(program) && pause() ? 1 : 1);
    }
    assert_int_equal(read(pipes[0], &pid, sizeof(pid)), sizeof(pid));
    assert_true(runs(pid));
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
    assert_true(ends(pid));
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static void freeing_ends_all(void **state)
{
    const struct os_spawner_row rows[] = {{.argv = deaf}};
    struct os_spawner *spawner = spawner_of(rows, 1);
    pid_t pid = 0;
    int uid = -1;

    (void)state;
    OS_FD_AUTO int fd = start(spawner, 0, &uid, &pid);
    assert_true(fd >= 0);
    os_spawner_free(spawner);
    assert_false(runs(pid));
}

/* What the whole thing is for: the server has given root up, and the program still starts as
 * another user than the server's. */
static int after_the_drop(void)
{
    const struct os_spawner_row rows[] = {
        {.argv = teller, .user = "daemon"}
    };
    struct os_spawner *spawner = NULL;
    pid_t pid = 0;
    int uid = -1;

    if (!kw_ok(os_sandbox_harden(&op)) || !kw_ok(os_spawner_new(&op, rows, 1, &spawner)) ||
        !kw_ok(os_sandbox_drop(&op, "nobody"))) {
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        int fd = start(spawner, 0, &uid, &pid);
        if (uid == 0 || (uid_t)uid == geteuid()) {
            return 2;
        }
        (void)close(fd);
        os_spawner_end(spawner, 0);
    }
    os_spawner_free(spawner);
    return 0;
}

static void the_program_has_its_own_user_also_after_we_gave_root_up(void **state)
{
    int status = 0;

    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root can */
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(after_the_drop());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_user_that_is_not_there_is_said_at_once(void **state)
{
    const struct os_spawner_row unknown[] = {
        {.argv = teller, .user = "no-such-user-here"}
    };
    const struct os_spawner_row root[] = {
        {.argv = teller, .user = "root"}
    };
    struct os_spawner *spawner = NULL;

    (void)state;
    assert_int_equal(os_spawner_new(&op, unknown, 1, &spawner).code, KW_E_NOT_FOUND);
    assert_int_equal(os_spawner_new(&op, root, 1, &spawner).code, KW_E_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_row_is_its_program, setup),
        cmocka_unit_test_setup(starting_anew_ends_the_one_before, setup),
        cmocka_unit_test_setup(what_does_not_end_is_killed, setup),
        cmocka_unit_test_setup(programs_die_with_us, setup),
        cmocka_unit_test_setup(freeing_ends_all, setup),
        cmocka_unit_test_setup(the_program_has_its_own_user_also_after_we_gave_root_up, setup),
        cmocka_unit_test_setup(a_user_that_is_not_there_is_said_at_once, setup),
    };
    return cmocka_run_group_tests_name("spawner", tests, NULL, NULL);
}
