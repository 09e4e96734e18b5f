/* What keywrightd gives up: most files before it reads anything of a peer, most system calls once
 * it serves. */
#ifndef KEYWRIGHTD_CONFINE_H
#define KEYWRIGHTD_CONFINE_H

#include "base/op.h"
#include "keeper/msg.h"

/* Before other threads are made. The vault, its passphrase and the operator's files are out of
 * reach from here on, root or not, and nothing can be executed. */
kw_status confine_files(struct kw_op *op, const char *state_dir);
/* When all is open and bound, before the first connection: no new sockets but accepted ones, no
 * processes, no executable memory. */
kw_status confine_calls(struct kw_op *op);
/* What is on, here and in the keeper, for the journal: "server: user 101, landlock 6, seccomp;
 * keeper: ...". Returns text. */
const char *confine_text(const struct keeper_info *keeper, char *text, size_t cap);

#endif
