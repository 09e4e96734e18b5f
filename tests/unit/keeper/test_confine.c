/* What the keeper may no longer do once it serves: each class of system call kills, each file
 * outside the vault stays shut. Every case runs in a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/check.h"
#include "cmd/keywright-keeper/confine.h"
#include "os/files.h"
#include "os/sandbox.h"

enum { DONE = 0, CONFINE_FAILED = 100, NO_FILTER = 101, NO_LANDLOCK = 102 };

static char vault[] = "/tmp/kw-confine-XXXXXX";

/* Raw calls: what libc makes of them differs from machine to machine. */
static long forbidden_socket(void)
{
    return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long forbidden_connect(void)
{
    return syscall(SYS_connect, 3, NULL, 0);
}

static long forbidden_bind(void)
{
    return syscall(SYS_bind, 3, NULL, 0);
}

static long forbidden_socketpair(void)
{
    int pair[2];

    return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
}

static long forbidden_execve(void)
{
    char *argv[] = {NULL};

    return syscall(SYS_execve, "/bin/true", argv, argv);
}

static long forbidden_execveat(void)
{
    return syscall(SYS_execveat, -1, "", NULL, NULL, 0);
}

static long forbidden_clone(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long forbidden_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static long forbidden_thread(void)
{
    return syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, NULL, NULL, NULL, NULL);
}

static long forbidden_ptrace(void)
{
    return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long forbidden_peek(void)
{
    return syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static long forbidden_kill(void)
{
    return syscall(SYS_kill, 1, 0);
}

static long forbidden_mount(void)
{
    return syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL);
}

static long forbidden_unshare(void)
{
    return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long forbidden_bpf(void)
{
    union bpf_attr attr = {0};

    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long forbidden_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, O_CLOEXEC);
}

static long forbidden_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

static long forbidden_perf(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long forbidden_keyctl(void)
{
    return syscall(SYS_keyctl, 0);
}

static long forbidden_module(void)
{
    return syscall(SYS_init_module, NULL, 0, "");
}

static long forbidden_setuid(void)
{
    return syscall(SYS_setuid, 0);
}

static long forbidden_prctl(void)
{
    return syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0);
}

static long forbidden_limit(void)
{
    return syscall(SYS_prlimit64, 0, 4 /* RLIMIT_CORE */, NULL, NULL);
}

static long forbidden_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}

static long forbidden_ioctl(void)
{
    return syscall(SYS_ioctl, 0, 0, 0);
}

static long forbidden_exec_map(void)
{
    return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long forbidden_exec_protect(void)
{
    return syscall(SYS_mprotect, NULL, 4096, PROT_READ | PROT_EXEC);
}

/* What the plain keeper dies of; `driver`: what a keeper with a token's driver may do. */
static const struct forbidden {
    const char *name;
    long (*call)(void);
    bool driver;
} forbidden[] = {
    {"socket",                 forbidden_socket,       true },
    {"connect",                forbidden_connect,      true },
    {"bind",                   forbidden_bind,         false},
    {"socketpair",             forbidden_socketpair,   false},
    {"execve",                 forbidden_execve,       false},
    {"execveat",               forbidden_execveat,     false},
    {"fork",                   forbidden_clone,        false},
    {"clone3",                 forbidden_clone3,       true }, /* answered, not done */
    {"a thread",               forbidden_thread,       true },
    {"ptrace",                 forbidden_ptrace,       false},
    {"another's memory",       forbidden_peek,         false},
    {"kill",                   forbidden_kill,         false},
    {"mount",                  forbidden_mount,        false},
    {"unshare",                forbidden_unshare,      false},
    {"bpf",                    forbidden_bpf,          false},
    {"userfaultfd",            forbidden_userfaultfd,  false},
    {"io_uring",               forbidden_io_uring,     false},
    {"perf events",            forbidden_perf,         false},
    {"keyctl",                 forbidden_keyctl,       false},
    {"a kernel module",        forbidden_module,       false},
    {"setuid",                 forbidden_setuid,       false},
    {"prctl",                  forbidden_prctl,        false},
    {"limits",                 forbidden_limit,        false},
    {"memfd",                  forbidden_memfd,        false},
    {"ioctl",                  forbidden_ioctl,        true },
    {"executable memory",      forbidden_exec_map,     false},
    {"memory made executable", forbidden_exec_protect, false},
};

static int confine(bool drivers)
{
    const struct confinement wanted = {.vault = vault, .drivers = drivers};
    struct confined confined = {0};
    struct kw_op op;

    kw_op_init(&op, "keeper", 0);
    if (!kw_ok(os_sandbox_harden(&op)) || !kw_ok(keeper_confine(&op, &wanted, &confined))) {
        char text[512];
        (void)fprintf(stderr, "# %s\n", kw_op_message(&op, text, sizeof(text)));
        return CONFINE_FAILED;
    }
    if (!confined.syscalls) {
        return NO_FILTER;
    }
    return confined.landlock_abi > 0 ? DONE : NO_LANDLOCK;
}

/* waitpid's status of a child that confines itself, then does it. */
static int in_child(bool drivers, int (*run)(const void *ctx), const void *ctx)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        int confined = confine(drivers);
        bool go_on = confined == DONE || confined == NO_LANDLOCK;
        _exit(go_on ? run(ctx) : confined);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int nothing(const void *ctx)
{
    (void)ctx;
    return DONE;
}

/* Sanitizer builds have no filter; kernels may lack landlock. */
static bool has_filter(void)
{
    return WEXITSTATUS(in_child(false, nothing, NULL)) != NO_FILTER;
}

static bool has_landlock(void)
{
    struct kw_op op;
    unsigned abi = 0;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        kw_op_init(&op, "keeper", 0);
        _exit(kw_ok(os_sandbox_harden(&op)) &&
                      kw_ok(os_landlock_enforce(&op, NULL, 0, /* tcp= */ true, &abi)) && abi > 0
                  ? 1
                  : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static int call(const void *ctx)
{
    const struct forbidden *row = ctx;

    (void)row->call();
    return DONE;
}

static void check_row(const struct forbidden *row, bool drivers)
{
    bool dies = !(drivers && row->driver);
    int status = in_child(drivers, call, row);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    /* A raw thread without a stack ends in its own way; only the filter's way counts. */

    if (died != dies) {
        fail_msg("%s: %s (status %x)", row->name, died ? "killed" : "was let through",
                 (unsigned)status);
    }
}

static void a_forbidden_call_kills(void **state)
{
    (void)state;
    if (!has_filter()) {
        print_message("# no seccomp or landlock: a sanitizer build, or the kernel has none\n");
        skip();
    }
    for (size_t i = 0; i < KW_COUNT(forbidden); i++) {
        check_row(&forbidden[i], /* drivers= */ false);
    }
}

static void a_driver_gets_sockets_and_threads_only(void **state)
{
    (void)state;
    if (!has_filter()) {
        print_message("# no seccomp or landlock: a sanitizer build, or the kernel has none\n");
        skip();
    }
    for (size_t i = 0; i < KW_COUNT(forbidden); i++) {
        check_row(&forbidden[i], /* drivers= */ true);
    }
}

static void *in_a_thread(void *ctx)
{
    *(bool *)ctx = true;
    return NULL;
}

static int start_thread(const void *ctx)
{
    pthread_t thread;
    bool ran = false;

    (void)ctx;
    if (pthread_create(&thread, NULL, in_a_thread, &ran) != 0) {
        return 1;
    }
    return pthread_join(thread, NULL) == 0 && ran ? DONE : 2;
}

static void a_driver_may_have_threads(void **state)
{
    (void)state;
    if (!has_filter()) {
        print_message("# no seccomp or landlock: a sanitizer build, or the kernel has none\n");
        skip();
    }
    assert_int_equal(in_child(/* drivers= */ true, start_thread, NULL), DONE);
}

/* Everything that the keeper does with its vault. */
static int use_vault(const void *ctx)
{
    char path[256];
    struct kw_op op;
    AUTO(kw_bytes) *read = NULL;
    AUTO(kw_secret) *secret = NULL;

    (void)ctx;
    kw_op_init(&op, "keeper", 0);
    (void)snprintf(path, sizeof(path), "%s/sub", vault);
    if (!kw_ok(os_dir_make(&op, path, 0700))) {
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/sub/file", vault);
    if (!kw_ok(os_file_write(&op, path, 0600, kw_span_text("old"))) ||
        !kw_ok(os_file_write(&op, path, 0600, kw_span_text("new"))) ||
        !kw_ok(os_file_read(&op, path, 100, &read)) || read->len != 3) {
        return 2;
    }
    if (!kw_ok(kw_secret_new(1 << 16, &secret)) || !kw_ok(os_file_shred(&op, path))) {
        return 3;
    }
    return os_file_exists(path) ? 4 : DONE;
}

static void the_vault_is_used_as_before(void **state)
{
    (void)state;
    if (!has_filter()) {
        print_message("# no seccomp or landlock: a sanitizer build, or the kernel has none\n");
        skip();
    }
    assert_int_equal(in_child(/* drivers= */ false, use_vault, NULL), DONE);
}

static int open_outside(const void *ctx)
{
    int fd = open(ctx, O_RDONLY | O_CLOEXEC);

    return fd < 0 && errno == EACCES ? DONE : 1;
}

static int write_outside(const void *ctx)
{
    int fd = open(ctx, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 && errno == EACCES ? DONE : 1;
}

static int move_outside(const void *ctx)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/moved", vault);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool refused = fd >= 0 && rename(path, ctx) != 0;
    (void)close(fd);
    return unlink(path) == 0 && refused ? DONE : 1;
}

static void nothing_outside_the_vault_opens(void **state)
{
    static const char *const read[] = {"/etc/passwd", "/proc/self/mem", "/proc/self/maps", "/tmp",
                                       "/dev/null"};
    char beside[64];

    (void)state;
    if (!has_landlock() || !has_filter()) {
        print_message("# no seccomp or landlock: a sanitizer build, or the kernel has none\n");
        skip();
    }
    for (size_t i = 0; i < KW_COUNT(read); i++) {
        assert_int_equal(in_child(/* drivers= */ false, open_outside, read[i]), DONE);
    }
    (void)snprintf(beside, sizeof(beside), "%s.beside", vault);
    assert_int_equal(in_child(/* drivers= */ false, write_outside, beside), DONE);
    assert_int_equal(in_child(/* drivers= */ false, move_outside, beside), DONE);
    assert_false(os_file_exists(beside));
}

static void a_vault_that_is_not_there_is_an_error(void **state)
{
    const struct confinement wanted = {.vault = "/nowhere/vault"};
    struct confined confined = {0};
    struct kw_op op;

    (void)state;
    if (!has_landlock()) {
        print_message("# no seccomp or landlock: a sanitizer build, or the kernel has none\n");
        skip();
    }
    kw_op_init(&op, "keeper", 0);
    assert_int_equal(keeper_confine(&op, &wanted, &confined).code, KW_E_NOT_FOUND);
}

static int make_vault(void **state)
{
    (void)state;
    return mkdtemp(vault) ? 0 : -1;
}

static int remove_vault(void **state)
{
    char path[256];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/sub", vault);
    (void)rmdir(path);
    return rmdir(vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forbidden_call_kills),
        cmocka_unit_test(a_driver_gets_sockets_and_threads_only),
        cmocka_unit_test(a_driver_may_have_threads),
        cmocka_unit_test(the_vault_is_used_as_before),
        cmocka_unit_test(nothing_outside_the_vault_opens),
        cmocka_unit_test(a_vault_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests_name("confine", tests, make_vault, remove_vault);
}
