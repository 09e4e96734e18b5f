#include "os/seccomp.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "os/seccomp_mode.h"

KW_OWNED(scmp_filter, void, seccomp_release)

/* How each limit looks to the filter. */
static const struct limit {
    bool compared;
    struct scmp_arg_cmp arg;
} limits[OS_SYSCALL_LIMITS] = {
    [OS_SYSCALL_NO_EXEC] = {true, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}              },
    [OS_SYSCALL_THREAD] = {true, {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}},
    [OS_SYSCALL_COUNT] = {true, {1, SCMP_CMP_EQ, FIONREAD, 0}                      },
};

static kw_status add_row(struct kw_op *op, scmp_filter_ctx filter, const struct os_syscall *row)
{
    const struct limit *limit = &limits[row->limit];
    uint32_t action = row->limit == OS_SYSCALL_ABSENT ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW;

    int number = seccomp_syscall_resolve_name(row->name);
    ENSURE(op, number != __NR_SCMP_ERROR, KW_E_INTERNAL, "'%s' is no system call", row->name);
    int error = seccomp_rule_add_array(filter, action, number, limit->compared ? 1 : 0,
                                       limit->compared ? &limit->arg : NULL);
    ENSURE(op, error == 0 || error == -EDOM, KW_E_INTERNAL, "the rule for '%s': %s", row->name,
           strerror(-error)); /* EDOM: this machine does not have that call */
    return KW_OK;
}

static kw_status add_table(struct kw_op *op, scmp_filter_ctx filter,
                           const struct os_syscalls *table)
{
    for (size_t i = 0; i < table->n; i++) {
        TRY(op, add_row(op, filter, &table->rows[i]));
    }
    return KW_OK;
}

static kw_status set_attribute(struct kw_op *op, scmp_filter_ctx filter,
                               enum scmp_filter_attr attribute, uint32_t value)
{
    int error = seccomp_attr_set(filter, attribute, value);

    ENSURE(op, error == 0, KW_E_IO, "system call filter: %s", strerror(-error));
    return KW_OK;
}

static bool kernel_has_filters(void)
{
    /* With no program: EFAULT where there are filters, EINVAL where there are none. */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT;
}

kw_status os_seccomp_install(struct kw_op *op, const struct os_syscalls tables[], size_t n,
                             bool *ret_on)
{
    if (!kernel_has_filters()) {
        *ret_on = false;
        return KW_OK;
    }
    AUTO(scmp_filter) *filter =
        seccomp_init(os_seccomp_only_logs() ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    ENSURE(op, filter, KW_E_MEMORY, "no memory for the system call filter");
    TRY(op, set_attribute(op, filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    TRY(op, set_attribute(op, filter, SCMP_FLTATR_CTL_NNP, 0)); /* os_sandbox_harden() did */
    TRY(op, set_attribute(op, filter, SCMP_FLTATR_CTL_TSYNC, 1));
    for (size_t i = 0; i < n; i++) {
        TRY(op, add_table(op, filter, &tables[i]));
    }
    int error = seccomp_load(filter);
    ENSURE(op, error == 0, KW_E_IO, "installing the system call filter: %s", strerror(-error));
    *ret_on = true;
    return KW_OK;
}
