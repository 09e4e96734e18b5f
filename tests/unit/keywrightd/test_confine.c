/* What keywrightd may no longer do once it serves. Every case runs in a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/check.h"
#include "cmd/keywrightd/confine.h"
#include "os/files.h"
#include "os/sandbox.h"

enum { DONE = 0, FAILED = 100, OFF = 101 };

static char state_dir[] = "/tmp/kw-gate-XXXXXX";
static const char *const folders[] = {"profiles", "authorities", "certs", "store",
                                      "run",      "keeper",      "admin"};
static const char *const secrets[] = {"keeper/vault", "keeper.passphrase", "admin/operator.key"};

static const struct forbidden {
    const char *name;
    long number, first, second;
} forbidden[] = {
    {"socket",        SYS_socket,          AF_INET,    SOCK_STREAM},
    {"connect",       SYS_connect,         3,          0          },
    {"bind",          SYS_bind,            3,          0          },
    {"listen",        SYS_listen,          3,          1          },
    {"execve",        SYS_execve,          0,          0          },
    {"execveat",      SYS_execveat,        -1,         0          },
    {"fork",          SYS_clone,           SIGCHLD,    0          },
    {"ptrace",        SYS_ptrace,          0,          0          },
    {"kill",          SYS_kill,            1,          0          },
    {"mount",         SYS_mount,           0,          0          },
    {"unshare",       SYS_unshare,         0x10000000, 0          },
    {"bpf",           SYS_bpf,             0,          0          },
    {"userfaultfd",   SYS_userfaultfd,     0,          0          },
    {"io_uring",      SYS_io_uring_setup,  1,          0          },
    {"perf events",   SYS_perf_event_open, 0,          0          },
    {"setuid",        SYS_setuid,          0,          0          },
    {"prctl",         SYS_prctl,           4,          1          },
    {"another ioctl", SYS_ioctl,           0,          TIOCSTI    },
    {"pidfd",         SYS_pidfd_open,      1,          0          },
};

static void path_in_state(const char *name, char path[256])
{
    (void)snprintf(path, 256, "%s/%s", state_dir, name); /* short names */
}

static int confine(bool calls)
{
    struct keeper_info none = {0};
    struct kw_op op;
    char text[320];

    kw_op_init(&op, "system", 0);
    if (!kw_ok(os_sandbox_harden(&op)) || !kw_ok(confine_files(&op, state_dir)) ||
        (calls && !kw_ok(confine_calls(&op)))) {
        (void)fprintf(stderr, "# %s\n", kw_op_message(&op, text, sizeof(text)));
        return FAILED;
    }
    /* The server's half comes first. */
    const char *found = strstr(confine_text(&none, text, sizeof(text)),
                               calls ? " no seccomp; keeper" : "no landlock");
    return found && found < strstr(text, "keeper user") ? OFF : DONE;
}

static int in_child(bool calls, int (*run)(const void *ctx), const void *ctx)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        int confined = confine(calls);
        _exit(confined == DONE ? run(ctx) : confined);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == OFF) {
        skip(); /* a sanitizer build, or a kernel without */
    }
    return status;
}

static int call(const void *ctx)
{
    const struct forbidden *row = ctx;

    (void)syscall(row->number, row->first, row->second, 0, 0, 0);
    return DONE;
}

static void a_forbidden_call_kills(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(forbidden); i++) {
        int status = in_child(/* calls= */ true, call, &forbidden[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
            fail_msg("%s was let through (status %x)", forbidden[i].name, (unsigned)status);
        }
    }
}

static void *nothing(void *ctx)
{
    return ctx;
}

static int serve(const void *ctx)
{
    struct kw_op op;
    pthread_t thread;
    char path[256];
    int waiting = -1;

    (void)ctx;
    kw_op_init(&op, "system", 0);
    path_in_state("store/file", path);
    if (!kw_ok(os_file_write(&op, path, 0644, kw_span_text("content"))) || unlink(path) != 0) {
        return 1;
    }
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        return 2;
    }
    return ioctl(0, FIONREAD, &waiting) == 0 || errno == ENOTTY || errno == EINVAL ? DONE : 3;
}

static void it_still_stores_and_makes_threads(void **state)
{
    (void)state;
    assert_int_equal(in_child(/* calls= */ true, serve, NULL), DONE);
}

static int open_it(const void *ctx)
{
    return open(ctx, O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? DONE : 1;
}

static int replace_vault(const void *ctx)
{
    char from[256], to[256];

    (void)ctx;
    path_in_state("keeper", from);
    path_in_state("store/keeper", to);
    return rename(from, to) != 0 && (errno == EACCES || errno == EXDEV) ? DONE : 1;
}

static void vault_and_operator_files_are_out_of_reach(void **state)
{
    char path[256];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(secrets); i++) {
        path_in_state(secrets[i], path);
        assert_int_equal(in_child(/* calls= */ false, open_it, path), DONE);
    }
    assert_int_equal(in_child(/* calls= */ false, open_it, "/etc/shadow"), DONE);
    assert_int_equal(in_child(/* calls= */ false, open_it, "/proc/self/mem"), DONE);
    assert_int_equal(in_child(/* calls= */ false, replace_vault, NULL), DONE);
}

static int execute(const void *ctx)
{
    char *argv[] = {(char *)(uintptr_t)ctx, NULL};

    return execv(ctx, argv) != 0 && errno == EACCES ? DONE : 1;
}

static void nothing_can_be_executed_even_before_it_serves(void **state)
{
    (void)state;
    assert_int_equal(in_child(/* calls= */ false, execute, "/bin/true"), DONE);
}

static int make_state(void **state)
{
    char path[256];

    (void)state;
    if (!mkdtemp(state_dir)) {
        return -1;
    }
    for (size_t i = 0; i < KW_COUNT(folders); i++) {
        path_in_state(folders[i], path);
        if (mkdir(path, 0700) != 0) {
            return -1;
        }
    }
    path_in_state("keywright.yaml", path);
    kw_status status = os_file_write(NULL, path, 0600, kw_span_text(""));
    for (size_t i = 0; i < KW_COUNT(secrets) && kw_ok(status); i++) {
        path_in_state(secrets[i], path);
        status = os_file_write(NULL, path, 0600, kw_span_text("secret"));
    }
    return kw_ok(status) ? 0 : -1;
}

static int remove_state(void **state)
{
    char path[256];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(secrets); i++) {
        path_in_state(secrets[i], path);
        (void)unlink(path);
    }
    path_in_state("keywright.yaml", path);
    (void)unlink(path);
    for (size_t i = 0; i < KW_COUNT(folders); i++) {
        path_in_state(folders[i], path);
        (void)rmdir(path);
    }
    return rmdir(state_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forbidden_call_kills),
        cmocka_unit_test(it_still_stores_and_makes_threads),
        cmocka_unit_test(vault_and_operator_files_are_out_of_reach),
        cmocka_unit_test(nothing_can_be_executed_even_before_it_serves),
    };
    return cmocka_run_group_tests_name("keywrightd_confine", tests, make_state, remove_state);
}
