/* What a process gives up once it is set up. */
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include "base/op.h"

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
