/* The system calls that a process keeps once it serves: a table of names, each with its reason. */
#ifndef OS_SECCOMP_H
#define OS_SECCOMP_H

#include "base/bytes.h"
#include "base/op.h"

/* What the arguments must be besides. */
enum os_syscall_limit {
    OS_SYSCALL_ANY = 0,
    OS_SYSCALL_NO_EXEC, /* mmap, mprotect: memory is never made executable */
    OS_SYSCALL_THREAD,  /* clone: a thread, never a process */
    OS_SYSCALL_COUNT,   /* ioctl: how much there is to read (FIONREAD), nothing else */
    OS_SYSCALL_ABSENT,  /* not let through: answered as by an older kernel (ENOSYS), so that libc
                           falls back on a call whose arguments can be checked */
    OS_SYSCALL_LIMITS,
};

struct os_syscall {
    const char
        *name; /* as in the kernel's table; one that this machine does not have is no fault */
    const char *reason;
    enum os_syscall_limit limit;
};

struct os_syscalls {
    const struct os_syscall *rows;
    size_t n;
};

/**
 * From now on, in every thread: a system call that is in none of the tables kills the process
 * (SIGSYS), as does one of a foreign architecture. Cannot be undone. Needs os_sandbox_harden().
 *
 * ret_on   false where nothing was done: this is a sanitizer build (its run-time makes calls of its
 *          own), or the kernel has no seccomp filters
 * Errors   KW_E_INTERNAL a name that is no system call; KW_E_IO the kernel refuses.
 * In builds with tests, KEYWRIGHT_SECCOMP=log in the environment logs instead of killing.
 */
kw_status os_seccomp_install(struct kw_op *op, const struct os_syscalls tables[], size_t n,
                             bool *ret_on);

#endif
