/* Sanitizer builds: their run-time makes system calls of its own, at any time. */
#include "os/seccomp.h"

kw_status os_seccomp_install(struct kw_op *op, const struct os_syscalls tables[], size_t n,
                             bool *ret_on)
{
    (void)op;
    (void)tables;
    (void)n;
    *ret_on = false;
    return KW_OK;
}
