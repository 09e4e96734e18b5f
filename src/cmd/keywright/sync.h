/* What the parts of `sync check` share. */
#ifndef CMD_KEYWRIGHT_SYNC_H
#define CMD_KEYWRIGHT_SYNC_H

#include "cmd/keywright/cli.h"

struct findings {
    uint64_t n, checked;
    uint64_t bad, bad_told; /* lines that nobody can read, and how many of them were printed */
};
/* Print a page of findings, as a table's lines or as JSON, and count them. Of the lines that nobody
 * can read only the first hundred stay in it. */
kw_status cli_sync_print(struct kw_op *op, const struct cli *cli, struct drift_page *page,
                         struct findings *findings);
/* Ours of --ca that this copy of its index (as `--external`) lacks. */
kw_status cli_sync_missing(struct kw_op *op, struct cli *cli, struct kw_span index,
                           struct findings *findings);

#endif
