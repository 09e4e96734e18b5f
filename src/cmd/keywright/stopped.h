/* Work on the state folder itself, beside the stopped server. */
#ifndef CMD_KEYWRIGHT_STOPPED_H
#define CMD_KEYWRIGHT_STOPPED_H

#include "cmd/keywright/cli.h"
#include "service/service.h"

typedef kw_status (*stopped_fn)(struct kw_op *op, struct cli *cli, struct service *service,
                                void *ctx);
/* Open the service of --state, call work, and give what it wrote, a part of it too where it failed,
 * to those who run the server. ceremony: as of struct keeper_config. Errors: of opening, of work;
 * else of giving. */
kw_status stopped_do(struct kw_op *op, struct cli *cli, bool ceremony, stopped_fn work, void *ctx);

#endif
