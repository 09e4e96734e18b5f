/*
 * The keeper's system calls and files while it serves, each with its reason. What is in no table
 * kills the process: there is no socket, connect, execve, fork, ptrace, mount, bpf, io_uring or
 * userfaultfd here, and no memory becomes executable. Found with strace over tests/unit/keeper and
 * tests/hostile/keeper (docs/ARCHITECTURE.md section 9 says how to look again).
 */
#include "cmd/keywright-keeper/confine.h"

#include "os/seccomp.h"

#define ROW(name, reason) {name, reason, OS_SYSCALL_ANY}

static const struct os_syscall keeper_calls[] = {
    /* clang-format off */
    /* the channel */
    ROW("poll",              "wait for a request"),
    ROW("ppoll",             "poll() where the machine has no other"),
    ROW("recvmsg",           "take a request and the descriptor that comes with it"),
    ROW("sendto",            "answer"),
    ROW("sendmsg",           "answer"),
    ROW("getsockopt",        "what the channel is, and who comes to open the vault"),
    ROW("accept4",           "somebody comes to open the vault"),
    ROW("recvfrom",          "what he says"),
    /* the vault: landlock and the user decide which files */
    ROW("openat",            "keys, state, refusals.log"),
    ROW("open",              "openat() of older libraries"),
    ROW("close",             "the same, and descriptors that came along"),
    ROW("read",              "a key or the state"),
    ROW("pread64",           "a revocation list too large for a message"),
    ROW("write",             "state, keys, refusals.log; a line on stderr"),
    ROW("writev",            "a line of libc's or OpenSSL's on stderr"),
    ROW("pwrite64",          "overwriting a destroyed key"),
    ROW("fadvise64",         "reading back what was overwritten from the disk, not from memory"),
    ROW("lseek",             "the same"),
    ROW("ftruncate",         "the same"),
    ROW("fadvise64",         "reading it back from the disk, not from the cache"),
    ROW("fstat",             "size, kind and owner of what was opened"),
    ROW("newfstatat",        "the same"),
    ROW("fstatat64",         "the same, other machines"),
    ROW("statx",             "the same, newer libraries"),
    ROW("stat",              "is it there"),
    ROW("lstat",             "the same"),
    ROW("access",            "is it there"),
    ROW("faccessat",         "the same"),
    ROW("faccessat2",        "the same, newer libraries"),
    ROW("getdents64",        "the key files of the vault"),
    ROW("fcntl",             "seals of a descriptor that came along; close-on-exec"),
    ROW("flock",             "one keeper for each vault"),
    ROW("fchmod",            "a new file before it gets its name"),
    ROW("fsync",             "durable before it is signed"),
    ROW("fdatasync",         "the same"),
    ROW("rename",            "a new file takes the place of the old one whole"),
    ROW("renameat",          "the same"),
    ROW("renameat2",         "the same"),
    ROW("unlink",            "a file that was not finished; a destroyed key"),
    ROW("unlinkat",          "the same"),
    ROW("mkdir",             "folders of a new vault"),
    ROW("mkdirat",           "the same"),
    /* memory */
    ROW("brk",               "malloc"),
    {"mmap",                 "malloc, secrets, large revocation lists", OS_SYSCALL_NO_EXEC},
    {"mprotect",             "guard pages around secrets",              OS_SYSCALL_NO_EXEC},
    ROW("munmap",            "free"),
    ROW("mremap",            "realloc; keeps the rights of the pages"),
    ROW("madvise",           "secrets in no dump and no child; free"),
    ROW("mlock",             "secrets never in swap"),
    ROW("mlock2",            "the same"),
    ROW("munlock",           "free"),
    ROW("sysinfo",           "qsort() asks how much memory there is"),
    /* time, randomness, itself */
    ROW("getrandom",         "keys, serial numbers, nonces"),
    ROW("clock_gettime",     "periods; where the kernel maps no clock"),
    ROW("gettimeofday",      "the same"),
    ROW("clock_nanosleep",   "waiting for a lock"),
    ROW("nanosleep",         "the same"),
    ROW("getpid",            "OpenSSL's random generator asks whether it was forked"),
    ROW("gettid",            "abort()"),
    ROW("geteuid",           "a secret file must be ours"),
    ROW("getuid",            "libraries ask whether they run with another's rights"),
    ROW("getgid",            "the same"),
    ROW("getegid",           "the same"),
    ROW("futex",             "locks of libraries"),
    ROW("sched_yield",       "the same"),
    ROW("restart_syscall",   "going on after a stop signal"),
    ROW("rt_sigreturn",      "back from SIGTERM's handler"),
    ROW("rt_sigaction",      "abort() gives itself the default action"),
    ROW("rt_sigprocmask",    "abort()"),
    ROW("exit",              "the end"),
    ROW("exit_group",        "the end"),
    /* clang-format on */
};

/* Only with keys in a token or TPM: the driver is others' code and works while we serve. */
static const struct os_syscall driver_calls[] = {
    /* clang-format off */
    ROW("socket",            "a network token, pcscd, a TPM resource manager or simulator"),
    ROW("connect",           "the same"),
    ROW("getsockname",       "the same"),
    ROW("getpeername",       "the same"),
    ROW("setsockopt",        "the same"),
    ROW("shutdown",          "the same"),
    ROW("sendmmsg",          "looking the token's address up"),
    ROW("recvmmsg",          "the same"),
    ROW("select",            "waiting for the token"),
    ROW("pselect6",          "the same"),
    ROW("epoll_create1",     "the same"),
    ROW("epoll_ctl",         "the same"),
    ROW("epoll_wait",        "the same"),
    ROW("epoll_pwait",       "the same"),
    ROW("eventfd2",          "the same"),
    ROW("pipe2",             "a driver's threads wake each other"),
    ROW("ioctl",             "a token's or TPM's device"),
    ROW("readv",             "a token's files"),
    ROW("pwritev",           "the same"),
    ROW("preadv",            "the same"),
    ROW("readlink",          "finding the token's files"),
    ROW("readlinkat",        "the same"),
    ROW("getcwd",            "the same"),
    ROW("chmod",             "the token's files"),
    ROW("fchmodat",          "the same"),
    ROW("fallocate",         "the same"),
    ROW("rmdir",             "the same"),
    ROW("umask",             "the same"),
    ROW("statfs",            "the same"),
    ROW("fstatfs",           "the same"),
    ROW("dup",               "the same"),
    ROW("dup3",              "the same"),
    ROW("uname",             "a driver asks where it runs"),
    ROW("getppid",           "the same"),
    ROW("sched_getaffinity", "how many processors: a driver's threads"),
    ROW("times",             "the same"),
    ROW("rseq",              "a new thread"),
    ROW("set_robust_list",   "the same"),
    ROW("rt_sigpending",     "cryptography that waits for no signal (OpenSSL's TPM and token drivers)"),
    ROW("rt_sigtimedwait",   "the same"),
    {"clone",                "a driver's thread, never a process",          OS_SYSCALL_THREAD},
    {"clone3",               "its flags cannot be seen: clone() instead",   OS_SYSCALL_ABSENT},
    /* clang-format on */
};

static const struct os_syscalls tables[] = {
    {keeper_calls, KW_COUNT(keeper_calls)},
    {driver_calls, KW_COUNT(driver_calls)},
};

/* Drivers that run while we serve load libraries late and read their configuration. */
static const struct os_path driver_paths[] = {
    {"/usr",         OS_ACCESS_READ | OS_ACCESS_IF_THERE,  "libraries that a driver loads late"},
    {"/lib",         OS_ACCESS_READ | OS_ACCESS_IF_THERE,  "the same"                          },
    {"/lib64",       OS_ACCESS_READ | OS_ACCESS_IF_THERE,  "the same"                          },
    {"/etc",         OS_ACCESS_READ | OS_ACCESS_IF_THERE,  "its configuration, name look-up"   },
    {"/dev/urandom", OS_ACCESS_READ | OS_ACCESS_IF_THERE,  "its random generator"              },
    {"/dev/tpmrm0",  OS_ACCESS_WRITE | OS_ACCESS_IF_THERE, "the TPM"                           },
};

static kw_status confine_files(struct kw_op *op, const struct confinement *wanted,
                               struct confined *ret)
{
    const struct os_path vault = {wanted->vault, OS_ACCESS_WRITE, "the vault"};
    const struct os_paths files[] = {
        {&vault,       1                     },
        wanted->custody, {driver_paths, KW_COUNT(driver_paths)}
    };

    return os_landlock_enforce(op, files, wanted->drivers ? 3 : 2, /* tcp= */ wanted->drivers,
                               &ret->landlock_abi);
}

kw_status keeper_confine(struct kw_op *op, const struct confinement *wanted, struct confined *ret)
{
    ret->drivers = wanted->drivers;
    TRY(op, confine_files(op, wanted, ret), "giving up files");
    TRY(op, os_seccomp_install(op, tables, wanted->drivers ? 2 : 1, &ret->syscalls),
        "giving up system calls");
    return KW_OK;
}
