/*
 * The server's files and system calls, each with its reason. Found with strace over tests/e2e
 * (docs/ARCHITECTURE.md section 9 says how to look again). A new folder of the state folder, or a
 * connection that goes out, needs a row here.
 */
#include "cmd/keywrightd/confine.h"

#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "os/files.h"
#include "os/landlock.h"
#include "os/seccomp.h"

#define ROW(name, reason) {name, reason, OS_SYSCALL_ANY}
enum { READ = OS_ACCESS_READ, WRITE = OS_ACCESS_WRITE, MAYBE = OS_ACCESS_IF_THERE };

/* clang-format off */
/* Below the state folder. Not here: keeper, keeper.passphrase, admin. */
static const struct os_path state_rows[] = {
    {"keywright.yaml",                 READ,          "the configuration"},
    {"profiles",                       READ,          "certificate profiles"},
    {"authorities",                    READ,          "the plan of the CAs"},
    {"certs",                          WRITE,         "certificates of the CAs and of the server, renewed while it serves"},
    {"store",                          WRITE,         "the database"},
    {"run",                            WRITE,         "pid and endpoints"},
};

static const struct os_path system_rows[] = {
    {"/usr",                           READ | MAYBE,  "libraries that libc and OpenSSL load late; time zones; openssl.cnf"},
    {"/lib",                           READ | MAYBE,  "the same"},
    {"/lib64",                         READ | MAYBE,  "the same"},
    {"/etc/ssl",                       READ | MAYBE,  "openssl.cnf"},
    {"/etc/localtime",                 READ | MAYBE,  "libc"},
    {"/etc/ld.so.cache",               READ | MAYBE,  "libraries that libc loads late"},
    {"/etc/nsswitch.conf",             READ | MAYBE,  "looking the user up, and the addresses to listen on"},
    {"/etc/passwd",                    READ | MAYBE,  "the same"},
    {"/etc/group",                     READ | MAYBE,  "the same"},
    {"/var/lib/sss",                   READ | MAYBE,  "the same, with sssd"},
    {"/etc/hosts",                     READ | MAYBE,  "the same"},
    {"/etc/host.conf",                 READ | MAYBE,  "the same"},
    {"/etc/gai.conf",                  READ | MAYBE,  "the same"},
    {"/etc/resolv.conf",               READ | MAYBE,  "the same"},
    {"/dev/urandom",                   READ | MAYBE,  "SQLite's and libevent's random numbers"},
    {"/sys/devices/system/cpu/online", READ | MAYBE,  "libc counts processors"},
    {"/proc/sys/vm/overcommit_memory", READ | MAYBE,  "libc's malloc"},
};

static const struct os_syscall calls[] = {
    /* peers */
    ROW("accept4",           "a connection"),
    ROW("accept",            "the same"),
    ROW("epoll_wait",        "the loop"),
    ROW("epoll_pwait",       "the same"),
    ROW("epoll_pwait2",      "the same, newer libraries"),
    ROW("epoll_ctl",         "the same"),
    ROW("timerfd_settime",   "the loop's timers"),
    ROW("poll",              "waiting for the keeper"),
    ROW("ppoll",             "the same"),
    ROW("readv",             "requests"),
    ROW("writev",            "answers"),
    ROW("recvfrom",          "requests"),
    ROW("recvmsg",           "the keeper's answers, and its channel from its starter"),
    ROW("sendto",            "answers; requests to the keeper"),
    ROW("sendmsg",           "the same, with a large revocation list; requests to the starter"),
    ROW("sendfile",          "answers"),
    ROW("shutdown",          "the end of a connection"),
    ROW("getsockopt",        "errors of a connection; the kind of the keeper's channel"),
    ROW("setsockopt",        "options of an accepted connection"),
    ROW("getsockname",       "whose door it is"),
    ROW("getpeername",       "who asks"),
    {"ioctl",                "how much there is to read", OS_SYSCALL_COUNT},
    /* the store, certificates: landlock and the user decide which files */
    ROW("openat",            "database, journal, certificates"),
    ROW("open",              "the same, older libraries"),
    ROW("close",             "the same, and connections"),
    ROW("read",              "the same"),
    ROW("write",             "the same; lines of the journal"),
    ROW("pread64",           "the database"),
    ROW("pwrite64",          "the same"),
    ROW("lseek",             "the same"),
    ROW("fstat",             "the same"),
    ROW("newfstatat",        "the same"),
    ROW("fstatat64",         "the same, other machines"),
    ROW("statx",             "the same, newer libraries"),
    ROW("stat",              "the same"),
    ROW("statfs",            "how much room is left: keywright doctor"),
    ROW("statfs64",          "the same, other machines"),
    ROW("lstat",             "the same"),
    ROW("access",            "the same"),
    ROW("faccessat",         "the same"),
    ROW("faccessat2",        "the same"),
    ROW("readlink",          "SQLite resolves its path"),
    ROW("readlinkat",        "the same"),
    ROW("getcwd",            "the same"),
    ROW("fcntl",             "locks of the database; seals of a revocation list for the keeper"),
    ROW("flock",             "one server for each store"),
    ROW("fallocate",         "the database grows"),
    ROW("ftruncate",         "it shrinks; a revocation list for the keeper"),
    ROW("fsync",             "durable before it is answered"),
    ROW("fdatasync",         "the same"),
    ROW("fchmod",            "a new file before it gets its name"),
    ROW("fchown",            "SQLite gives its files the database's owner"),
    ROW("rename",            "a new file takes the place of the old one whole"),
    ROW("renameat",          "the same"),
    ROW("renameat2",         "the same"),
    ROW("unlink",            "pid, endpoints, the database's journal"),
    ROW("unlinkat",          "the same"),
    ROW("mkdir",             "folders below run and certs"),
    ROW("mkdirat",           "the same"),
    ROW("getdents64",        "profiles, read again"),
    ROW("memfd_create",      "a revocation list too large for a message to the keeper"),
    /* threads */
    {"clone",                "a thread, never a process",                 OS_SYSCALL_THREAD},
    {"clone3",               "its flags cannot be seen: clone() instead", OS_SYSCALL_ABSENT},
    ROW("rseq",              "a new thread"),
    ROW("set_robust_list",   "the same"),
    ROW("sched_getaffinity", "how many processors there are"),
    ROW("sched_yield",       "locks"),
    ROW("futex",             "locks"),
    ROW("eventfd2",          "waking a thread"),
    ROW("pipe2",             "the same"),
    ROW("gettid",            "the same; abort()"),
    ROW("exit",              "the end of a thread"),
    ROW("exit_group",        "the end"),
    ROW("wait4",             "the keeper's starter has ended"),
    /* signals */
    ROW("rt_sigtimedwait",   "waiting for SIGTERM"),
    ROW("rt_sigprocmask",    "a new thread; abort()"),
    ROW("rt_sigaction",      "abort()"),
    ROW("rt_sigreturn",      "back from a handler"),
    ROW("restart_syscall",   "going on after a stop signal"),
    /* memory */
    ROW("brk",               "malloc"),
    {"mmap",                 "malloc, stacks",                            OS_SYSCALL_NO_EXEC},
    {"mprotect",             "malloc, guard pages",                       OS_SYSCALL_NO_EXEC},
    ROW("munmap",            "free"),
    ROW("mremap",            "realloc; keeps the rights of the pages"),
    ROW("madvise",           "free; secrets in no dump"),
    ROW("mlock",             "registration secrets never in swap"),
    ROW("mlock2",            "the same"),
    ROW("munlock",           "free"),
    ROW("sysinfo",           "qsort() asks how much memory there is"),
    /* time, randomness, itself */
    ROW("getrandom",         "TLS, secrets, request ids"),
    ROW("clock_gettime",     "where the kernel maps no clock"),
    ROW("gettimeofday",      "the same"),
    ROW("time",              "the same"),
    ROW("clock_nanosleep",   "a busy database; the watch"),
    ROW("nanosleep",         "the same"),
    ROW("getpid",            "OpenSSL's random generator asks whether it was forked; the pid file"),
    ROW("geteuid",           "SQLite, and secret files must be ours"),
    ROW("getuid",            "libraries ask whether they run with another's rights"),
    ROW("getgid",            "the same"),
    ROW("getegid",           "the same"),
    ROW("uname",             "libraries ask where they run"),
    ROW("getrlimit",         "how many connections fit"),
};
/* clang-format on */

static unsigned landlock_abi;
static bool calls_filtered;

kw_status confine_files(struct kw_op *op, const char *state_dir)
{
    char paths[KW_COUNT(state_rows)][KW_PATH_BYTES];
    struct os_path state[KW_COUNT(state_rows)];
    const struct os_paths tables[] = {
        {state,       KW_COUNT(state)      },
        {system_rows, KW_COUNT(system_rows)}
    };

    for (size_t i = 0; i < KW_COUNT(state_rows); i++) {
        TRY(op, os_path_join(op, paths[i], sizeof(paths[i]), state_dir, state_rows[i].path));
        state[i] = state_rows[i];
        state[i].path = paths[i];
    }
    TRY(op, os_landlock_enforce(op, tables, KW_COUNT(tables), /* tcp= */ true, &landlock_abi),
        "giving up files");
    return KW_OK;
}

kw_status confine_calls(struct kw_op *op)
{
    const struct os_syscalls table = {calls, KW_COUNT(calls)};

    TRY(op, os_seccomp_install(op, &table, 1, &calls_filtered), "giving up system calls");
    return KW_OK;
}

static const char *landlock_text(unsigned abi, char *text, size_t cap)
{
    (void)snprintf(text, cap, abi > 0 ? "landlock %u" : "no landlock", abi); /* fits */
    return text;
}

const char *confine_text(const struct keeper_info *keeper, char *text, size_t cap)
{
    char ours[24], theirs[24];
    bool same = keeper->uid == geteuid();

    (void)snprintf(text, cap,
                   "confined: server user %u, %s, %s; keeper user %u%s, %s, %s", /* or its start */
                   (unsigned)geteuid(), landlock_text(landlock_abi, ours, sizeof(ours)),
                   calls_filtered ? "seccomp" : "no seccomp", (unsigned)keeper->uid,
                   same ? " (NOT a user of its own: see keywrightd(8), Confinement)" : "",
                   landlock_text(keeper->landlock_abi, theirs, sizeof(theirs)),
                   keeper->calls_filtered ? "seccomp" : "no seccomp");
    return text;
}
