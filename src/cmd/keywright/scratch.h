/* A folder for what must not stay: it goes when this process ends, however it ends. */
#ifndef CMD_KEYWRIGHT_SCRATCH_H
#define CMD_KEYWRIGHT_SCRATCH_H

#include <sys/types.h>

#include "base/limits.h"
#include "base/op.h"

enum { SCRATCH_DIR_MAX = 32 };

struct scratch {
    char dir[SCRATCH_DIR_MAX]; /* made, mode 0700; "": there is none */
    int end_fd;                /* its closing is the end */
    pid_t keeper;              /* made the folder; waits for that, then removes it */
};

/* Before any secret is read: another process is made of this one. KW_E_IO. */
kw_status scratch_new(struct kw_op *op, struct scratch *ret);
/* Until it is gone. Safe on one that was not made. */
void scratch_done(struct scratch *it);
#define AUTO_SCRATCH __attribute__((cleanup(scratch_done))) struct scratch

#endif
