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

/* Change to the ids and make sure that there is no way back. */
static kw_status become(struct kw_op *op, const char *user, uid_t uid, gid_t gid)
{
    ENSURE(op, setgroups(0, NULL) == 0, KW_E_IO, "cannot drop groups: %s", strerror(errno));
    ENSURE(op, setresgid(gid, gid, gid) == 0, KW_E_IO, "cannot become group %u of '%s': %s",
           (unsigned)gid, user, strerror(errno));
    ENSURE(op, setresuid(uid, uid, uid) == 0, KW_E_IO, "cannot become user '%s': %s", user,
           strerror(errno));
    ENSURE(op, setuid(0) != 0 && geteuid() == uid && getegid() == gid, KW_E_INTERNAL,
           "user '%s' could become root again", user);
    return KW_OK;
}

kw_status os_sandbox_drop(struct kw_op *op, const char *user)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char room[4096];
    int death_signal = 0;

    if (!user || geteuid() != 0) {
        return KW_OK;
    }
    int error = getpwnam_r(user, &entry, room, sizeof(room), &found);
    ENSURE(op, error == 0, KW_E_IO, "cannot look user '%s' up: %s", user, strerror(error));
    ENSURE(op, found, KW_E_NOT_FOUND, "there is no user '%s'", user);
    ENSURE(op, entry.pw_uid != 0, KW_E_DENIED, "user '%s' is root", user);
    (void)prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0); /* 0 where it fails: nothing to keep */
    TRY(op, become(op, user, entry.pw_uid, entry.pw_gid));
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
