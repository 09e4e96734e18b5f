/* What a process gives up once it is set up. */
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <sys/types.h>

#include "base/op.h"

enum { OS_USER_GROUPS_MAX = 32 };

/* A user that a process can become, looked up beforehand. */
struct os_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[OS_USER_GROUPS_MAX]; /* supplementary; the user's group is among them */
    int n_groups;
};

/* KW_E_NOT_FOUND there is no such user; KW_E_DENIED it is root itself. */
kw_status os_user_find(struct kw_op *op, const char *name, struct os_user *ret);
/* Become it, with no way back. Async-signal-safe; false (errno) where a step fails: then exit. */
bool os_user_become(const struct os_user *user);

/*
 * No core dumps, not dumpable or traceable by the same user, no new privileges, memory locked where
 * allowed. Call after os_sandbox_drop(). Under AddressSanitizer the leak check needs
 * detect_leaks=0: it traces itself.
 */
kw_status os_sandbox_harden(struct kw_op *op);
/* Become the user (uid, gid, no supplementary groups); nothing to do where not started as root or
 * user is NULL. Keeps the parent-death signal. KW_E_NOT_FOUND no such user; KW_E_DENIED it is root
 * itself. */
kw_status os_sandbox_drop(struct kw_op *op, const char *user);
/* Close every descriptor from `first` on. */
void os_sandbox_closefrom(int first);

#endif
