/* What the keeper gives up before its first message: system calls and files. */
#ifndef KEEPER_CONFINE_H
#define KEEPER_CONFINE_H

#include "base/bytes.h"
#include "os/landlock.h"

struct confinement {
    const char *vault;       /* the only folder that it reads and writes */
    struct os_paths custody; /* what a token's or TPM's driver opens while serving; n 0: none */
    bool drivers;            /* a driver of others' code runs while serving: the wider table */
};

struct confined {
    bool syscalls;         /* the filter is on */
    unsigned landlock_abi; /* 0: this kernel has none */
    bool drivers;          /* what was wanted for a driver is let through */
};

/**
 * From now on: files of the vault only, and the system calls of the table in confine.c. Everything
 * that needs more (libraries, the passphrase file) is done before. A kernel without landlock, and a
 * sanitizer build, go on without: *ret says so.
 */
kw_status keeper_confine(struct kw_op *op, const struct confinement *wanted, struct confined *ret);

#endif
