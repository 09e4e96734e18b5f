#include "os/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Secrets are locked pages: take all of the lock limit that we may have. */
static struct rlimit raise_lock_limit(void)
{
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_MEMLOCK, &limit); /* then 0, and nothing below is done */
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &limit); /* up to the own hard limit is always allowed */
    return limit;
}

kw_status os_sandbox_harden(struct kw_op *op)
{
    struct rlimit no_core = {0, 0};

    ENSURE(op, setrlimit(RLIMIT_CORE, &no_core) == 0, KW_E_IO, "cannot forbid core dumps: %s",
           strerror(errno));
    ENSURE(op, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, KW_E_IO,
           "cannot forbid tracing and dumping: %s", strerror(errno));
    ENSURE(op, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, KW_E_IO,
           "cannot give up new privileges: %s", strerror(errno));
    /*
     * With a finite limit, locking all pages would make later allocations fail: then only secrets
     * are locked (base/secret.c). ONFAULT: untouched pages, such as thread stacks, take no memory.
     */
    if (raise_lock_limit().rlim_max == RLIM_INFINITY) {
        (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); /* wanted, not needed */
    }
    return KW_OK;
}

kw_status os_user_find(struct kw_op *op, const char *name, struct os_user *ret)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char room[4096];

    int error = getpwnam_r(name, &entry, room, sizeof(room), &found);
    ENSURE(op, error == 0, KW_E_IO, "cannot look user '%s' up: %s", name, strerror(error));
    ENSURE(op, found, KW_E_NOT_FOUND, "there is no user '%s'", name);
    ENSURE(op, entry.pw_uid != 0, KW_E_DENIED, "user '%s' is root", name);
    *ret =
        (struct os_user){.uid = entry.pw_uid, .gid = entry.pw_gid, .n_groups = OS_USER_GROUPS_MAX};
    ENSURE(op, getgrouplist(name, ret->gid, ret->groups, &ret->n_groups) >= 0, KW_E_LIMIT,
           "user '%s' is in more than %d groups", name, OS_USER_GROUPS_MAX);
    return KW_OK;
}

bool os_user_become(const struct os_user *user)
{
    if (setgroups((size_t)user->n_groups, user->groups) != 0 ||
        setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0) {
        return false;
    }
    if (setuid(0) == 0 || geteuid() != user->uid || getegid() != user->gid) {
        errno = EPERM; /* there is a way back: as good as not done */
        return false;
    }
    return true;
}

kw_status os_sandbox_drop(struct kw_op *op, const char *user)
{
    struct os_user found = {0};
    int death_signal = 0;

    if (!user || geteuid() != 0) {
        return KW_OK;
    }
    TRY(op, os_user_find(op, user, &found));
    found.n_groups = 0;                                    /* the server needs none */
    (void)prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0); /* 0 where it fails: nothing to keep */
    ENSURE(op, os_user_become(&found), KW_E_IO, "cannot become user '%s': %s", user,
           strerror(errno));
    /* The kernel forgets the parent-death signal and allows dumps again when ids change. */
    (void)prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0); /* a signal that the kernel gave us */
    ENSURE(op, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, KW_E_IO,
           "cannot forbid tracing and dumping: %s", strerror(errno));
    return KW_OK;
}

void os_sandbox_closefrom(int first)
{
    closefrom(first);
}
