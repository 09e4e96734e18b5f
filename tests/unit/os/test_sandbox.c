#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/check.h"
#include "os/sandbox.h"

/* What a sandbox takes is gone for good: each case runs in its own child, 0 = all was as it must
 * be. */
static int in_child(int (*run)(struct kw_op *op))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct kw_op op;
        kw_op_init(&op, "system", 0);
        _exit(run(&op));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static int harden(struct kw_op *op)
{
    struct rlimit core = {1, 1};

    if (!kw_ok(os_sandbox_harden(op))) {
        return 1;
    }
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0) {
        return 2;
    }
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return 3;
    }
    AUTO(kw_bytes) *large = NULL; /* allocating must still work, whatever was locked */
    return kw_ok(kw_bytes_new(64 << 20, &large)) && kw_ok(os_sandbox_harden(op)) ? 0 : 4;
}

static int become_nobody(struct kw_op *op)
{
    gid_t more_groups[] = {0, 4};

    if (setgroups(2, more_groups) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
        !kw_ok(os_sandbox_drop(op, "nobody"))) {
        return 1;
    }
    int death_signal = 0;
    bool unprivileged = geteuid() != 0 && getegid() != 0 && getgroups(0, NULL) == 0 &&
                        setuid(0) != 0 && setgid(0) != 0;
    bool keeps_signal =
        prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0) == 0 && death_signal == SIGKILL;
    return unprivileged && keeps_signal && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 2;
}

static int become_whom_we_do_not_know(struct kw_op *op)
{
    return os_sandbox_drop(op, "no-such-user-here").code == KW_E_NOT_FOUND && geteuid() == 0 ? 0
                                                                                             : 1;
}

static int become_root(struct kw_op *op)
{
    return os_sandbox_drop(op, "root").code == KW_E_DENIED ? 0 : 1;
}

static int stay(struct kw_op *op)
{
    uid_t before = geteuid();

    return kw_ok(os_sandbox_drop(op, NULL)) && geteuid() == before ? 0 : 1;
}

static int close_all(struct kw_op *op)
{
    (void)op;
    int fd = open("/dev/null", O_RDONLY);
    int high = fcntl(fd, F_DUPFD, 500);
    os_sandbox_closefrom(3);
    return fcntl(fd, F_GETFD) < 0 && fcntl(high, F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0 ? 0 : 1;
}

static void a_hardened_process_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(in_child(harden), 0);
}

static void root_is_given_up_for_good(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        return; /* nothing to give up; CI runs this as root in its container */
    }
    assert_int_equal(in_child(become_nobody), 0);
    assert_int_equal(in_child(become_whom_we_do_not_know), 0);
    assert_int_equal(in_child(become_root), 0);
}

static void without_a_user_nothing_changes(void **state)
{
    (void)state;
    assert_int_equal(in_child(stay), 0);
}

static void descriptors_are_closed(void **state)
{
    (void)state;
    assert_int_equal(in_child(close_all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hardened_process_leaves_nothing_behind),
        cmocka_unit_test(root_is_given_up_for_good),
        cmocka_unit_test(without_a_user_nothing_changes),
        cmocka_unit_test(descriptors_are_closed),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
